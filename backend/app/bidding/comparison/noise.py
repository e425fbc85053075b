"""Differences that nobody wrote: other punctuation, and what a print (PDF) loses of its Word file.

Between a file with pages and one without, the reader of either may cut cells and lines in another order. A
short piece that the other text has all the same is then taken for that, and so is a row whose letters are
only shuffled.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from backend.app.bidding.comparison.units import Unit, fold
from backend.app.documents.canonical import Document

_MARKS = re.compile(r"(?<!\d)[.,;:\"'\-_?!()<>\[\]]+|[.,;:\"'\-_?!()<>\[\]]+(?!\d)")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_SCRAP = 12  # letters


def is_punctuation(one: Unit, other: Unit) -> bool:
    """Whether only signs between the words differ; those inside numbers count."""
    return _MARKS.sub("", one.key) == _MARKS.sub("", other.key)


def is_reprint(base: Document, new: Document) -> bool:
    """Whether one of them has pages and the other has none."""
    return bool(base.pages) != bool(new.pages)


def is_shuffled(before: Sequence[Unit], after: Sequence[Unit]) -> bool:
    """Whether both hold the same letters, read in another order: the cells of rows, or the digits of a
    number. In running text the order of words is their meaning: 甲方向乙方 is not 乙方向甲方."""
    one, other = "".join(unit.key for unit in before), "".join(unit.key for unit in after)
    if _letters(one) != _letters(other):
        return False
    return all(unit.row for unit in (*before, *after)) or _HAN.findall(one) == _HAN.findall(other)


def without_scraps(units: Sequence[Unit], other_text: str) -> list[Unit]:
    """Those that are no short piece which the other document has as well."""
    there = _MARKS.sub("", fold(other_text))
    return [unit for unit in units if not _is_scrap(unit, there)]


def _is_scrap(unit: Unit, there: str) -> bool:
    bare = _MARKS.sub("", unit.key)
    return len(bare) <= 1 or (len(bare) <= _SCRAP and bare in there)


def _letters(key: str) -> Counter[str]:
    return Counter(_MARKS.sub("", key).replace(".", ""))
