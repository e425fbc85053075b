"""Which lot a stretch of the document belongs to, where that is clear: by its own words, the clause it stands
in (包1：…；包2：…), its table column or row, or its section."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass

from backend.app.bidding.findings import Span
from backend.app.bidding.rules.lots import Lot, Mention, lot_rows, mentions
from backend.app.bidding.rules.passages import Passage
from backend.app.bidding.rules.tables import Table
from backend.app.documents.canonical import Document

_NAMES_LOT = 24  # characters of a cell or line that names its column, row or section
_LINE = 36
_REFERS = re.compile(r"(?:同|见|限|除|与|参照|参见|如)$")  # "同包1", in the table of another
_OPENS = re.compile(r"(?:（[^）]{0,24}）)?[：:]")
_DEEP = (2, 1)  # a heading without a number ends at any heading that is not deeper


@dataclass(frozen=True, slots=True)
class _Stretch:
    start: int
    end: int
    lot: str


class LotPlaces:
    """Made once per document; without lots it says None of everything."""

    def __init__(self, layers: Iterable[Iterable[_Stretch]], text: str, known: Set[str]) -> None:
        self._layers = [sorted(layer, key=lambda s: (s.start, s.end)) for layer in layers]
        self._text = text
        self._known = known

    @classmethod
    def of_document(
        cls, document: Document, passages: list[Passage], tables: Iterable[Table], lots: Iterable[Lot]
    ) -> LotPlaces:
        known = frozenset(lot.id for lot in lots)
        if not known:
            return cls((), document.text, known)
        layers = (_clauses(passages, known), _cells(tables, known), _sections(passages, known))
        return cls(layers, document.text, known)

    def lot_of(self, span: Span) -> str | None:
        """The one lot that the words speak of or stand under; None for several, and for the whole tender."""
        if not self._known:
            return None
        words = "".join(self._text[span.start : span.end].split())
        own = {m.id for m in mentions(words) if not _REFERS.search(words[: m.start])} & self._known
        if own:
            return own.pop() if len(own) == 1 else None
        return self.lot_around(span)

    def lot_around(self, span: Span) -> str | None:
        """The lot of the clause, cell or section, whatever the words themselves speak of."""
        for layer in self._layers:
            lots = {stretch.lot for stretch in _overlapping(layer, span)}
            if lots:
                return lots.pop() if len(lots) == 1 else None
        return None


def _overlapping(layer: list[_Stretch], span: Span) -> Iterator[_Stretch]:
    """Stretches of one layer do not nest."""
    at = max(0, bisect_right(layer, span.start, key=lambda s: s.start) - 1)
    while at < len(layer) and layer[at].start < span.end:
        if layer[at].end > span.start:
            yield layer[at]
        at += 1


def _clauses(passages: list[Passage], known: Set[str]) -> Iterator[_Stretch]:
    """ "包1：…；包2：…": each runs to the next mention of a lot or the end of the passage."""
    for passage in passages:
        text = passage.compact
        opening = [m for m in mentions(text) if m.id in known and _opens(passage, m)]
        if not opening:
            continue
        ends = [*(m.start for m in opening[1:]), len(text)]
        for mention, end in zip(opening, ends, strict=True):
            span = passage.span(mention.start, end)
            yield _Stretch(span.start, span.end, mention.id)


def _opens(passage: Passage, mention: Mention) -> bool:
    text = passage.compact
    first = passage.marker.length if passage.marker else 0
    begins = mention.start in (0, first) or text[mention.start - 1] in "；。："
    return begins and _OPENS.match(text, mention.end) is not None and passage.cell is None


def _cells(tables: Iterable[Table], known: Set[str]) -> Iterator[_Stretch]:
    for table in tables:
        columns, head = _columns(table, known)
        rows = {row[0].row: number for row, _, number in lot_rows(table) if number in known}
        until, spanning = -1, ""
        for row in table.rows:
            first = row[0]
            named = _only(first.compact, known) if len(first.compact) <= _NAMES_LOT and not columns else None
            if named:
                until, spanning = first.row + first.rowspan - 1, named
            row_lot = rows.get(first.row) or (spanning if first.row <= until else None)
            for cell in row:
                in_column = columns.get(cell.col) if cell.row > head and cell.colspan == 1 else None
                if lot := in_column or row_lot:
                    yield _Stretch(cell.offsets[0], cell.offsets[-1] + 1, lot)


def _columns(table: Table, known: Set[str]) -> tuple[dict[int, str], int]:
    """Columns whose heads name different lots, and the row of those heads."""
    for row in table.rows[:3]:
        named = {c.col: _only(c.compact, known) for c in row if len(c.compact) <= _NAMES_LOT}
        columns = {col: lot for col, lot in named.items() if lot}
        if len(columns) > 1 and len(set(columns.values())) == len(columns):
            return columns, row[0].row
    return {}, -1


def _only(words: str, known: Set[str]) -> str | None:
    found = {m.id for m in mentions(words.replace("\n", ""))} & known
    return found.pop() if len(found) == 1 else None


def _sections(passages: list[Passage], known: Set[str]) -> Iterator[_Stretch]:
    """From a heading that names one lot to the next heading that is not below it."""
    lot: str | None = None
    rank: tuple[int, int] = _DEEP
    start = zone = None
    for passage in passages:
        heads = _heads(passage)
        named = _only(passage.compact, known) if heads else None
        own = passage.marker.rank if passage.marker and passage.marker.kind != "sign" else None
        ends = passage.zone is not zone or (
            heads and (passage.is_heading or own is not None) and (own or _DEEP) <= rank
        )
        if lot is not None and start is not None and (named or ends):
            yield _Stretch(start, passage.start, lot)
            lot = None
        if named:
            lot, start, rank = named, passage.start, own or _DEEP
        zone = passage.zone
    if lot is not None and start is not None and passages:
        yield _Stretch(start, passages[-1].end, lot)


def _heads(passage: Passage) -> bool:
    """A heading, or a short line of its own that is no sentence."""
    if passage.cell is not None:
        return False
    text = passage.compact
    return passage.is_heading or (len(text) <= _LINE and text[-1] not in "。；，、" and "：" not in text[:-1])
