"""What differs inside one gap between equal parts: cut alike on both sides, then paired by likeness.

A PDF breaks lines where a Word file has one paragraph. So both sides of a gap are first cut at the borders of
either: where only the cuts differed, nothing is left.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from rapidfuzz.distance import Indel

from backend.app.bidding.comparison.align import Gap, between, match_equal, pair_similar
from backend.app.bidding.comparison.noise import is_reprint, is_shuffled
from backend.app.bidding.comparison.units import Unit, key_of, pieces
from backend.app.documents.canonical import Document

_LONGEST = 20_000  # letters of one side that are compared letter by letter: a matrix of 50 MB at the most
_SURE = 4  # equal letters around a border, from which on it is believed
_FRAGMENT = 2  # letters; a shorter rest of a recut is a lost number or bullet


@dataclass(frozen=True, slots=True)
class Differences:
    """Of one gap: what went, what came, and pairs of what reads differently now."""

    removed: list[Unit]
    added: list[Unit]
    changed: list[tuple[Unit, Unit]]


def differ(base: Document, new: Document, before: list[Unit], after: list[Unit]) -> Differences:
    """The differences of two runs of units that stand in the same place."""
    if not before or not after:
        return Differences(before, after, [])
    reprinted = is_reprint(base, new)
    if reprinted and is_shuffled(before, after):
        return Differences([], [], [])
    one, other = _recut(base, new, before, after)
    pairs = match_equal([unit.key for unit in one], [unit.key for unit in other])
    found = Differences([], [], [])
    for gap in between(pairs, Gap(0, len(one), 0, len(other))):
        _sort_out(one[gap.a0 : gap.a1], other[gap.b0 : gap.b1], found, reprinted=reprinted)
    return found


def _sort_out(before: list[Unit], after: list[Unit], found: Differences, *, reprinted: bool) -> None:
    if reprinted and is_shuffled(before, after):
        return
    pairs = pair_similar(before, after)
    found.changed.extend((before[i], after[j]) for i, j in pairs)
    old, new = {i for i, _ in pairs}, {j for _, j in pairs}
    found.removed.extend(unit for i, unit in enumerate(before) if i not in old)
    found.added.extend(unit for j, unit in enumerate(after) if j not in new)


def _recut(
    base: Document, new: Document, before: list[Unit], after: list[Unit]
) -> tuple[list[Unit], list[Unit]]:
    """Both runs, cut at the borders of either wherever the letters around a border are the same."""
    one, other = "".join(unit.key for unit in before), "".join(unit.key for unit in after)
    if max(len(one), len(other)) > _LONGEST:
        return before, after
    same = [
        (code.src_start, code.dest_start, code.src_end - code.src_start)
        for code in Indel.opcodes(one, other)
        if code.tag == "equal" and code.src_end - code.src_start >= _SURE
    ]
    borders, marks = _borders(before), _borders(after)
    to_after = {b + edge - a for edge in borders for a, b, size in same if a <= edge <= a + size}
    to_before = {a + edge - b for edge in marks for a, b, size in same if b <= edge <= b + size}
    return _cut(base, before, borders, to_before), _cut(new, after, marks, to_after)


def _borders(units: Sequence[Unit]) -> list[int]:
    """Where each unit but the first begins in the joined keys."""
    return list(accumulate(len(unit.key) for unit in units))[:-1]


def _cut(document: Document, units: list[Unit], borders: list[int], cuts: set[int]) -> list[Unit]:
    starts = [0, *borders]
    inside: dict[int, list[int]] = {}
    for place in sorted(cuts - set(starts)):
        at = bisect_right(starts, place) - 1
        if 0 < place - starts[at] < len(units[at].key):
            inside.setdefault(at, []).append(place - starts[at])
    found: list[Unit] = []
    for at, unit in enumerate(units):
        if at not in inside:
            found.append(unit)
            continue
        found.extend(piece for piece in pieces(document, unit, inside[at]) if _says_something(piece))
    return found


def _says_something(piece: Unit) -> bool:
    """A clause number that a line break or a joined line has set apart says nothing."""
    return len(piece.key) > _FRAGMENT and bool(key_of(f"{piece.key}#").strip("#"))
