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

_MARKS = re.compile(r"(?<!\d)[.,;:\"'\-_?!()<>\[\]]+|[.,;:\"'\-_?!()<>\[\]]+(?!\d)")
_SCRAP = 12  # letters


def is_punctuation(one: Unit, other: Unit) -> bool:
    """Whether only signs between the words differ; those inside numbers count."""
    return _MARKS.sub("", one.key) == _MARKS.sub("", other.key)


def is_shuffled(one: Unit, other: Unit) -> bool:
    return _letters(one.key) == _letters(other.key)


def without_scraps(units: Sequence[Unit], other_text: str) -> list[Unit]:
    """Those that are no short piece which the other document has as well."""
    there = _MARKS.sub("", fold(other_text))
    return [unit for unit in units if not _is_scrap(unit, there)]


def _is_scrap(unit: Unit, there: str) -> bool:
    bare = _MARKS.sub("", unit.key)
    return len(bare) <= 1 or (len(bare) <= _SCRAP and bare in there)


def _letters(key: str) -> Counter[str]:
    return Counter(_MARKS.sub("", key).replace(".", ""))
