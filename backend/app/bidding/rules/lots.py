"""Lots (标段, 包): recognised only where the document counts at least two of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from backend.app.bidding.findings import Span
from backend.app.bidding.rules.passages import Passage
from backend.app.bidding.rules.zones import Zone

_LOT = re.compile(
    r"(?:^|[；。：，\s])(?P<id>第?(?:[一二三四五六七八九十]|\d{1,2})(?:标段|分?包(?!括|含|装|干"
    r"|工|封|件)|标包)|(?:标段|标包|分包|包组?)(?:[一二三四五六七八九十]"
    r"|\d{1,2})(?!\d))[：:、]?(?P<name>[^；。，：]{2,40})"
)
_DIGITS = {cn: str(n) for n, cn in enumerate("一二三四五六七八九十", 1)}


@dataclass(frozen=True, slots=True)
class Lot:
    id: str
    name: str
    span: Span


def find_lots(passages: list[Passage]) -> tuple[Lot, ...]:
    """The lots in order of their number; none when the document has only one."""
    found: dict[str, Lot] = {}
    for passage in passages:
        if passage.zone in (Zone.CONTRACT, Zone.FORMS):
            continue
        for match in _LOT.finditer(passage.compact):
            number = _number(match.group("id"))
            if number and number not in found:
                found[number] = Lot(number, match.group("name").strip(), passage.span(*match.span("id")))
    numbers = sorted(found, key=int)
    in_sequence = numbers == [str(n) for n in range(1, len(numbers) + 1)]
    return tuple(found[n] for n in numbers) if len(numbers) > 1 and in_sequence else ()


def _number(text: str) -> str | None:
    if digits := re.search(r"\d+", text):
        return digits.group().lstrip("0") or None
    return next((_DIGITS[ch] for ch in text if ch in _DIGITS), None)
