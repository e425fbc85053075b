"""What differs inside a changed sentence: runs of words that stayed, went or came, with their offsets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Indel

from backend.app.bidding.comparison.units import fold
from backend.app.bidding.findings import Span

# Numbers, dates and Latin words are taken whole: 20日 → 27日 is no change of one digit.
_TOKEN = re.compile(r"\d+(?:[.,:：/\-]\d+)*|[A-Za-z]+|\S")
_SHORT = 2  # letters that stayed between two changes, and say nothing


@dataclass(frozen=True, slots=True)
class Segment:
    """`op`: equal (both), delete (before only) or insert (after only)."""

    op: str
    before: Span | None
    after: Span | None


@dataclass(frozen=True, slots=True)
class _Token:
    start: int
    end: int
    key: str


def differences(before: str, one: Span, after: str, other: Span) -> tuple[Segment, ...]:
    """The segments of before[one] and after[other], in order; each side's cover its whole span."""
    a, b = _tokens(before, one), _tokens(after, other)
    runs = _merged([(op.tag == "equal", op.src_start, op.src_end, op.dest_start, op.dest_end)
                    for op in Indel.opcodes([t.key for t in a], [t.key for t in b])], a)  # fmt: skip
    found: list[Segment] = []
    for equal, a0, a1, b0, b1 in runs:
        old, new = _covered(a, a0, a1, one), _covered(b, b0, b1, other)
        if equal:
            found.append(Segment("equal", old, new))
            continue
        if old is not None:
            found.append(Segment("delete", old, None))
        if new is not None:
            found.append(Segment("insert", None, new))
    return tuple(found)


_Run = tuple[bool, int, int, int, int]


def _merged(runs: Sequence[_Run], tokens: Sequence[_Token]) -> list[_Run]:
    """Runs that differ and follow each other become one; so do those with a letter or a comma between."""
    found: list[_Run] = []
    for at, (equal, a0, a1, b0, b1) in enumerate(runs):
        inner = 0 < at < len(runs) - 1
        if equal and inner and sum(len(token.key) for token in tokens[a0:a1]) < _SHORT:
            equal = False
        if found and found[-1][0] == equal:
            _, start, _, begin, _ = found[-1]
            found[-1] = (equal, start, a1, begin, b1)
        else:
            found.append((equal, a0, a1, b0, b1))
    return found


def _tokens(text: str, span: Span) -> list[_Token]:
    return [
        _Token(found.start(), found.end(), key)
        for found in _TOKEN.finditer(text, span.start, span.end)
        if (key := fold(found.group()))
    ]


def _covered(tokens: Sequence[_Token], low: int, high: int, whole: Span) -> Span | None:
    """From the first token to where the next one begins."""
    if low == high:
        return None
    start = whole.start if low == 0 else tokens[low].start
    return Span(start, whole.end if high == len(tokens) else tokens[high].start)
