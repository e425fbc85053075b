"""A document cut into what is compared: sentences, and table rows that read as one.

The key of a unit is what must be equal for it to count as unchanged: its letters after NFKC and one spelling
for punctuation, without white space and without the number in front, so that new layout, other widths of
punctuation and renumbered clauses change nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from backend.app.bidding.findings import Span
from backend.app.bidding.grounding import normalise
from backend.app.bidding.rules.passages import Passage, split_passages
from backend.app.documents.canonical import BlockKind, Document
from backend.app.documents.headings import is_contents_line

_HAN = "一二三四五六七八九十百零"
# Read from the folded text, where 、 is "," and （ is "(". "1.5米" is a value and no number of a clause.
_NUMBER = re.compile(
    rf"^(?P<mark>[★☆▲△※*#◆●]*)(?:第[{_HAN}\d]{{1,4}}(?:章|部分|卷|篇|册|节|条)|[{_HAN}]{{1,3}}[,.]"
    rf"|\((?:[{_HAN}]{{1,3}}|\d{{1,2}}|[a-z])\)|\d{{1,2}}(?:\.\d{{1,3}}){{2,4}}[,.)]?|\d{{1,2}}[,.)](?=\D)"
    r"|\d{1,2}\.\d{1,3}[,.)]?(?=[^\d%‰.,:)米元万亿倍年月日天小时分秒吨升度个台套人件寸级mkgtl/~*x-]))"
    r"|^[.\-~,]+"
)
# A number that a blank sets apart is one, whatever follows: "1.9 天：指日历天数。"
_APART = re.compile(r"(?P<mark>[★☆▲△※#◆●]?)\d{1,3}(?:[.．]\d{1,3}){1,4}[ \u3000]+(?=\S)")
_LINE = re.compile(r"[^\n]+")
_EDGE = 3  # lines of a page that may be its running head or foot
_RUNNING_SHARE = 0.3  # of the pages
_LONGEST_HEAD = 60
_SHORTEST_LABEL, _LONGEST_LABEL = 2, 20
_SERIAL = re.compile(r"\d{1,3}")


@dataclass(frozen=True, slots=True)
class Unit:
    """text[start:end], trimmed. `passage`: which passage it belongs to; `row`: a table row read as one."""

    start: int
    end: int
    key: str
    passage: int
    is_heading: bool = False
    row: bool = False
    label: str = ""  # folded: what names a value, before its colon or in the first cell of its row

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)


class _Fold(dict[int, str]):
    """`grounding.normalise` without the offsets, a character at a time: fast, as most repeat."""

    def __missing__(self, code: int) -> str:
        made = self[code] = normalise(chr(code))[0]
        return made


_FOLD = _Fold()


def fold(text: str) -> str:
    """The letters that count."""
    return text.translate(_FOLD)


def key_of(text: str, *, opens: bool = True, serial: bool = False) -> str:
    """The folded text; without its number where a passage `opens` with it. `serial`: it is a row whose first
    cell only counts the rows."""
    folded = fold(text)
    if serial:
        return _SERIAL.sub("", folded, count=1)
    if not opens:
        return folded
    if apart := _APART.match(text):
        return f"{apart['mark']}{fold(text[apart.end() :])}"
    return _NUMBER.sub(lambda found: found["mark"] or "", folded, count=1)


@dataclass(frozen=True, slots=True)
class Reading:
    """A document as it is compared: with blanks for running heads, so that every offset is the source's."""

    document: Document
    units: list[Unit]

    @property
    def text(self) -> str:
        return self.document.text

    @classmethod
    def of(cls, source: Document) -> Reading:
        """Running heads, page numbers and lines of a table of contents are no units."""
        document = without_running_heads(source)
        serial = _counted_rows(document)
        passages = split_passages(document)
        return cls(document, [unit for one in passages for unit in _units(document, one, serial)])


def without_running_heads(document: Document) -> Document:
    """The same document with blanks for the lines that repeat at the edges of its pages, numbers apart."""
    edges = [edge for page in document.pages for edge in _edge_lines(document.text, page.start, page.end)]
    often = Counter(name for name, _, _ in edges)
    least = max(3, round(_RUNNING_SHARE * len(document.pages)))
    text = document.text
    for name, start, end in edges:
        if often[name] >= least:
            text = f"{text[:start]}{' ' * (end - start)}{text[end:]}"
    return replace(document, text=text)


def _edge_lines(text: str, start: int, end: int) -> Iterator[tuple[str, int, int]]:
    """(words without digits, start, end) of the lines at the top and the bottom of a page."""
    lines = [found.span() for found in _LINE.finditer(text, start, end) if not found.group().isspace()]
    for low, high in dict.fromkeys([*lines[:_EDGE], *lines[-_EDGE:]]):
        if high - low <= _LONGEST_HEAD:
            yield re.sub(r"\d", "", fold(text[low:high])), low, high


def _counted_rows(document: Document) -> set[tuple[int, int]]:
    """(table, row) of the rows whose first cell counts: 1 above 2. A lone number is a value."""
    found: set[tuple[int, int]] = set()
    before: tuple[int, tuple[int, int]] | None = None
    for rows in document.tables():
        before = None
        for first in (row[0] for row in rows):
            words = fold(document.text[first.start : first.end])
            if first.cell is None or first.cell.col != 0 or not _SERIAL.fullmatch(words):
                continue
            place = (first.cell.table, first.cell.row)
            if before is not None and int(words) == before[0] + 1:
                found |= {before[1], place}
            before = (int(words), place)
    return found


def _units(document: Document, passage: Passage, serial: set[tuple[int, int]]) -> Iterator[Unit]:
    whole = document.text[passage.start : passage.end]
    if passage.cell is None and is_contents_line(whole):
        return
    if passage.cell is not None and "\t" in whole:
        counted = (passage.cell.table, passage.cell.row) in serial
        yield from _unit(document, passage, 0, len(passage.compact), row=True, serial=counted)
        return
    for start, end in passage.sentences():
        yield from _unit(document, passage, start, end)


def _unit(
    document: Document, passage: Passage, start: int, end: int, *, row: bool = False, serial: bool = False
) -> Iterator[Unit]:
    span = passage.span(start, end)
    first = passage.cell is None or row or passage.cell.col == 0
    key = key_of(document.text[span.start : span.end], opens=start == 0 and first, serial=serial)
    if key.strip(".,;:-"):
        block = document.block_at(span.start)
        is_heading = passage.is_heading or (block is not None and block.kind is BlockKind.HEADING)
        label = _label(document.text[span.start : span.end], row=row)
        yield Unit(span.start, span.end, key, passage.index, is_heading, row, label)


def _label(words: str, *, row: bool) -> str:
    cells = [fold(cell) for cell in words.split("\t")] if row else [fold(words).partition(":")[0]]
    named = [cell for cell in cells[:-1] or cells if not cell.replace(".", "").isdigit()]
    found = key_of(named[0]) if named else ""
    is_name = len(found) < len(fold(words)) and _SHORTEST_LABEL <= len(found) <= _LONGEST_LABEL
    return found if is_name else ""


def pieces(document: Document, unit: Unit, cuts: list[int]) -> list[Unit]:
    """The unit cut at these places of its key (0 < place < length, ascending)."""
    letters, offsets = normalise(document.text[unit.start : unit.end])
    lead = len(letters) - len(unit.key) if letters.endswith(unit.key) else 0
    mark = not letters.endswith(unit.key)
    if mark:  # a mark before the number was kept: "★3.1 …"; such a unit stays whole
        return [unit]
    edges = [0, *cuts, len(unit.key)]
    found = []
    for low, high in pairwise(edges):
        start = unit.start if low == 0 else unit.start + offsets[lead + low]
        end = unit.start + offsets[lead + high - 1] + 1
        found.append(replace(unit, start=start, end=end, key=unit.key[low:high]))
    return found
