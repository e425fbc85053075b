"""A document as rules read it: passages (one clause, list item, cell or joined lines) with their zone.

PDF text arrives in lines that break anywhere, also inside words, so passages join wrapped lines and rules
match `compact`: the passage without white space, punctuation folded to one width. `span` leads back to
the canonical text, so a finding is verbatim by construction.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from backend.app.bidding.findings import Span
from backend.app.bidding.rules.markers import Marker, is_page_number, marker_of
from backend.app.bidding.rules.zones import Zone, ZoneTracker
from backend.app.documents.canonical import Block, BlockKind, Cell, Document

_FOLD = str.maketrans(
    {
        **{chr(0xFF10 + n): chr(0x30 + n) for n in range(10)},
        **{chr(0xFF21 + n): chr(0x41 + n) for n in range(26)},
        **{chr(0xFF41 + n): chr(0x61 + n) for n in range(26)},
        "％": "%",
        "．": ".",
        "(": "（",
        ")": "）",
        ":": "：",
        ";": "；",
        "＊": "*",
        "﹡": "*",
        "￥": "¥",
    }
)
_SPACE = re.compile(r"\s")
_TERMINAL = frozenset("。；：！？;:!?")
_LABEL = re.compile(r"[一-鿿]{2,10}[：:]")
# Code points in one passage. Patterns are searched in time that grows with the square of a text's
# length when it is made for it, so no text is long.
_LONGEST = 1200
_SHORT_LABEL = 24
_LONGEST_SENTENCE = 400
_SHORT_ROW = 160  # code points up to which a table row is read as one
_SENTENCE = re.compile(r"[^。；！？]+[。；！？]?")
_IGNORED = frozenset({BlockKind.HEADER, BlockKind.FOOTER})


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of the document that rules look at as one."""

    index: int
    start: int
    compact: str
    offsets: tuple[int, ...]  # document offset of each compact character
    zone: Zone
    marker: Marker | None
    is_heading: bool
    cell: Cell | None
    section: str  # compact text of the nearest heading above
    label: str  # what names it: the short cells before it in its row, or the line above when it ends with ：

    @property
    def end(self) -> int:
        return self.offsets[-1] + 1

    def span(self, start: int, end: int) -> Span:
        """The document span of compact[start:end]; not empty."""
        return Span(self.offsets[start], self.offsets[end - 1] + 1)

    def spaced(self, start: int, end: int) -> tuple[str, list[int]]:
        """compact[start:end] with one blank where the text has white space, and where each character is.

        For readers that need to know that "2024-11-26 09:00" is two numbers.
        """
        letters: list[str] = []
        places: list[int] = []
        for at in range(start, end):
            if at > start and self.offsets[at] > self.offsets[at - 1] + 1:
                letters.append(" ")
                places.append(at)
            letters.append(self.compact[at])
            places.append(at)
        return "".join(letters), places

    def sentences(self) -> list[tuple[int, int]]:
        """Compact ranges of the sentences, the closing 。；！？ included; endless ones in pieces."""
        return [
            (at, min(at + _LONGEST_SENTENCE, m.end()))
            for m in _SENTENCE.finditer(self.compact)
            for at in range(m.start(), m.end(), _LONGEST_SENTENCE)
        ]


@dataclass(slots=True)
class _Line:
    start: int
    end: int
    block: Block
    text: str
    width: float


def split_passages(document: Document) -> list[Passage]:
    """All passages in order; page numbers, running heads and empty lines are left out."""
    lines = _lines(document)
    full = _full_width(lines)
    tracker = ZoneTracker([line.text for line in lines])
    passages: list[Passage] = []
    at = 0
    while at < len(lines):
        until = _row_end(lines, at) or _passage_end(lines, at, full)
        passages.append(_passage(document, lines[at:until], at, passages, tracker))
        at = until
    return passages


def _row_end(lines: list[_Line], at: int) -> int | None:
    """Where a short table row ends that reads as one: label, value, remark; None for anything else."""
    first = lines[at].block.cell
    if first is None or (at and same_row(lines[at - 1].block.cell, first)):
        return None
    until, cells, length = at, set[int](), 0
    while until < len(lines) and same_row(lines[until].block.cell, first):
        cell = lines[until].block.cell
        cells.add(cell.col if cell else 0)
        length += len(lines[until].text)
        until += 1
    return until if len(cells) > 1 and length <= _SHORT_ROW else None


def same_row(one: Cell | None, other: Cell | None) -> bool:
    """Whether both are cells of one row of one table."""
    return one is not None and other is not None and (one.table, one.row) == (other.table, other.row)


def _passage_end(lines: list[_Line], at: int, full: float) -> int:
    until = at + 1
    while until < len(lines) and _continues(lines[at], lines[until - 1], lines[until], full):
        until += 1
    return until


def compact_of(text: str, start: int, end: int, *, keep_breaks: bool = False) -> tuple[str, list[int]]:
    """text[start:end] without white space, punctuation folded, and the offset of each character left."""
    letters: list[str] = []
    offsets: list[int] = []
    for offset in range(start, end):
        ch = text[offset]
        if not _SPACE.match(ch) or (keep_breaks and ch == "\n" and letters and letters[-1] != "\n"):
            letters.append(ch)
            offsets.append(offset)
    if letters and letters[-1] == "\n":
        letters.pop()
        offsets.pop()
    return "".join(letters).translate(_FOLD), offsets


def _lines(document: Document) -> list[_Line]:
    found: list[_Line] = []
    text = document.text
    for block in document.blocks:
        if block.kind in _IGNORED:
            continue
        at = block.start
        for part in text[block.start : block.end].split("\n"):
            if part.strip() and not (block.cell is None and is_page_number(part)):
                found.extend(_pieces(block, at, part))
            at += len(part) + 1
    return found


def _pieces(block: Block, start: int, part: str) -> Iterator[_Line]:
    """The line, in pieces when it is so long that searching it takes more than linear time."""
    for at in range(0, len(part), _LONGEST):
        piece = part[at : at + _LONGEST]
        if piece.strip():
            yield _Line(start + at, start + at + len(piece), block, piece.strip(), _width(piece))


def _width(text: str) -> float:
    return sum(1.0 if ch > "\u2e80" else 0.5 for ch in text if not ch.isspace())


def _full_width(lines: list[_Line]) -> float:
    """The width at which a running line is full; 0 where the format does not wrap lines."""
    widths = sorted(line.width for line in lines if line.block.page is not None and line.block.cell is None)
    return widths[int(len(widths) * 0.85)] if widths else 0.0


def _continues(first: _Line, before: _Line, line: _Line, full: float) -> bool:
    """Whether `line` goes on where the one before it was broken by the layout."""
    same_cell = line.block.cell is not None and line.block is before.block
    paged = full > 0 and line.block.cell is None and before.block.cell is None
    if not (same_cell or paged) or line.end - first.start > _LONGEST:
        return False
    if BlockKind.HEADING in (line.block.kind, before.block.kind):
        return False
    if before.text[-1] in _TERMINAL or marker_of(line.text) or _LABEL.match(line.text):
        return False
    if same_cell and line.block.page is None:
        return False
    if paged and line.block is not before.block and before.width < 0.8 * full:
        # Narrow columns: the line above was as full as its column lets it be.
        return before.width >= 6 and before.width >= 0.85 * line.width
    return True


def _passage(
    document: Document, lines: list[_Line], at: int, before: list[Passage], tracker: ZoneTracker
) -> Passage:
    offsets: list[int] = []
    letters: list[str] = []
    for previous, line in zip([None, *lines[:-1]], lines, strict=True):
        if previous is not None and (joint := _joint(previous, line, letters[-1])):
            letters.append(joint)
            offsets.append(previous.end)
        words, places = compact_of(document.text, line.start, line.end)
        letters.extend(words)
        offsets.extend(places)
    compact = "".join(letters)
    block = lines[0].block
    file = next((one for one in document.files if one.start == lines[0].start), None)
    if file is not None:
        tracker.enter_file(file.name)
    is_heading = tracker.see(at, compact, block)
    return Passage(
        len(before),
        lines[0].start,
        compact,
        tuple(offsets),
        tracker.zone,
        marker_of(lines[0].text),
        is_heading,
        block.cell,
        tracker.section,
        _label(before, block.cell),
    )


def _joint(before: _Line, line: _Line, last: str) -> str:
    """What stands for the separator of two lines that are read together."""
    one, other = before.block.cell, line.block.cell
    if one is None or other is None or last in "；。：":
        return ""
    if one.col != other.col:
        return "："
    return "" if line.block.page is not None else "；"


def _label(before: list[Passage], cell: Cell | None) -> str:
    """What names the passage: the cells before it in its row, or a short line above that ends with ：."""
    if cell is None and before and before[-1].cell is None:
        above = before[-1].compact
        return above[:-1] if above[-1] == "：" and len(above) <= _SHORT_LABEL else ""
    parts: list[str] = []
    for passage in reversed(before[-4:]):
        if not same_row(passage.cell, cell):
            break
        if passage.cell is not None and cell is not None and passage.cell.col != cell.col:
            parts.append(passage.compact)
    label = "：".join(reversed(parts))
    return label if len(label) <= 60 else ""
