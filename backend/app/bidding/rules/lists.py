"""Lists in a flat sequence of passages: which passages are the items under a head."""

from __future__ import annotations

from backend.app.bidding.rules.markers import Marker
from backend.app.bidding.rules.passages import Passage

_MOST_ITEMS = 60
_BODY = 24  # passages that one item may have as its body
_LOOSE = 2  # unmarked passages in a row that may belong to one item
_ITEM_END = "；;，,、"


def items_under(passages: list[Passage], head: int, *, deeper: bool = False) -> list[Passage]:
    """The list items that follow passages[head]; with `deeper` also sub-lists and the text between."""
    if head + 1 >= len(passages):
        return []
    first = passages[head + 1]
    if (first.is_heading and first.marker is None) or (passages[head].cell is not None) != (
        first.cell is not None
    ):
        return []
    if first.marker is None or first.marker.kind == "sign":
        return _unmarked(passages, head + 1)
    above = passages[head].marker
    if (
        above is not None
        and first.marker.rank <= above.rank
        and not (first.marker.is_first and first.marker.kind != above.kind)
    ):
        return []
    return _marked(passages, head + 1, first.marker, deeper=deeper)


def _unmarked(passages: list[Passage], at: int) -> list[Passage]:
    """Paragraphs whose automatic numbers are not in the text: they end with ；, the last with 。"""
    items: list[Passage] = []
    for passage in passages[at : at + _MOST_ITEMS]:
        marked = passage.marker is not None and passage.marker.kind != "sign"
        if passage.is_heading or marked or len(passage.compact) > 300:
            break
        items.append(passage)
        if passage.compact[-1] not in _ITEM_END:
            break
    return items if len(items) > 1 else []


def _goes_on(passages: list[Passage], at: int, items: list[Passage]) -> bool:
    """Whether the item after the last one stands a little further on, so the text between is its body."""
    last = next((p.marker for p in reversed(items) if p.marker is not None and p.marker.kind != "sign"), None)
    if last is None or not last.value:
        return False
    for passage in passages[at : at + _BODY]:
        marker = passage.marker
        if passage.is_heading and (marker is None or not marker.same_level(last)):
            return False
        if marker is not None and marker.same_level(last):
            return marker.value == last.value + 1
    return False


def _marked(passages: list[Passage], at: int, level: Marker, *, deeper: bool) -> list[Passage]:
    items: list[Passage] = []
    loose = 0
    for index in range(at, len(passages)):
        passage = passages[index]
        marker = passage.marker
        if marker is None or marker.kind == "sign":
            loose += 1
            if (passage.is_heading or loose > _LOOSE) and not _goes_on(passages, index, items):
                break
            if deeper and items:
                items.append(passage)
            continue
        if marker.same_level(level):
            if items and marker.is_first:
                break
            items.append(passage)
        elif marker.rank < level.rank or (marker.kind != level.kind and marker.rank == level.rank):
            if not _goes_on(passages, index, items):
                break
        elif deeper:
            items.append(passage)
        loose = 0
        if len(items) >= _MOST_ITEMS:
            break
    return items
