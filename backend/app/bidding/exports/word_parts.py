"""Paragraphs, tables and fields of a Word document, written as WordprocessingML.

python-docx finds each cell anew on every access, which takes minutes for thousands of rows; here a table is
made in one pass. Sizes are in half-points (`w:sz`) and twentieths of a point (widths), as in ECMA-376.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from docx.oxml.ns import qn
from docx.oxml.parser import OxmlElement
from lxml.etree import SubElement

from backend.app.bidding.exports.wording import legal

LATIN, SERIF, SANS = "Times New Roman", "宋体", "微软雅黑"
HEAD_FILL, LINE = "E8EEF5", "A6B4C4"
# A row that is kept together leaves the rest of its page empty: only up to this height.
_ROW_LINES = 18
_CHARACTER = 185  # twips that one Chinese character of a table takes
_CELL_SIDES = ("top", "left", "bottom", "right")


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text in one look. `color` and `fill` are RRGGBB; `size` in points."""

    text: str
    bold: bool = False
    color: str | None = None
    size: float | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """Paragraphs of runs. `align`: left | center | right."""

    paragraphs: tuple[tuple[Run, ...], ...]
    fill: str | None = None
    align: str = "left"

    @classmethod
    def of(cls, text: object, *, bold: bool = False, fill: str | None = None, align: str = "left") -> Cell:
        return cls(((Run(str(text), bold=bold),),), fill, align)

    def lines(self, width: int) -> int:
        """About how many lines it takes in a column of so many twips."""
        room = max(1, width // _CHARACTER)
        texts = ("".join(run.text for run in paragraph) for paragraph in self.paragraphs)
        return sum(1 + len(line) // room for text in texts for line in text.split("\n"))


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    width: int  # parts; a table's columns share its width by them


def table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], width: int) -> Any:
    """A ruled table over `width` twips, its first row repeated on every page."""
    parts = sum(column.width for column in columns)
    widths = [width * column.width // parts for column in columns]
    made = _ruled(widths)
    if any(column.title for column in columns):
        head = [Cell.of(column.title, bold=True, fill=HEAD_FILL, align="center") for column in columns]
        _row(made, head, widths, is_head=True)
    for row in rows:
        _row(made, row, widths)
    return made


def card(cell: Cell, width: int) -> Any:
    """One framed cell."""
    made = _ruled([width])
    _row(made, [cell], [width])
    return made


def paragraph(
    runs: Sequence[Run], *, style: str | None = None, align: str = "left", new_page: bool = False
) -> Any:
    """A paragraph; line ends and tabs of its text are kept."""
    made = OxmlElement("w:p")
    properties = SubElement(made, qn("w:pPr"))
    if style:
        SubElement(properties, qn("w:pStyle")).set(qn("w:val"), style)
    if new_page:
        SubElement(properties, qn("w:pageBreakBefore"))
    if align != "left":
        SubElement(properties, qn("w:jc")).set(qn("w:val"), align)
    for run in runs:
        _run(made, run)
    return made


def field(made: Any, instruction: str) -> None:
    """A field such as PAGE at the end of a paragraph; the reader's program works it out."""
    simple = SubElement(made, qn("w:fldSimple"))
    simple.set(qn("w:instr"), instruction)
    _run(simple, Run("1", size=9))


def set_fonts(properties: Any, east_asian: str) -> None:
    """Latin letters and Chinese characters each in their font; theme fonts would win over both."""
    fonts = properties.find(qn("w:rFonts"))
    if fonts is None:
        fonts = OxmlElement("w:rFonts")
        properties.insert(0, fonts)
    fonts.attrib.clear()
    latin = LATIN if east_asian == SERIF else east_asian
    for name in ("w:ascii", "w:hAnsi", "w:cs"):
        fonts.set(qn(name), latin)
    fonts.set(qn("w:eastAsia"), east_asian)
    # Quotation marks and “…” belong to the Chinese font: in a Latin one they are half as wide.
    fonts.set(qn("w:hint"), "eastAsia")


def _ruled(widths: Sequence[int]) -> Any:
    made = OxmlElement("w:tbl")
    properties = SubElement(made, qn("w:tblPr"))
    _sized(SubElement(properties, qn("w:tblW")), sum(widths))
    SubElement(properties, qn("w:jc")).set(qn("w:val"), "center")
    borders = SubElement(properties, qn("w:tblBorders"))
    for side in (*_CELL_SIDES, "insideH", "insideV"):
        line = SubElement(borders, qn(f"w:{side}"))
        for name, value in (("val", "single"), ("sz", "4"), ("space", "0"), ("color", LINE)):
            line.set(qn(f"w:{name}"), value)
    SubElement(properties, qn("w:tblLayout")).set(qn("w:type"), "fixed")
    margins = SubElement(properties, qn("w:tblCellMar"))
    for side, twips in zip(_CELL_SIDES, (40, 80, 40, 80), strict=True):
        _sized(SubElement(margins, qn(f"w:{side}")), twips)
    grid = SubElement(made, qn("w:tblGrid"))
    for width in widths:
        SubElement(grid, qn("w:gridCol")).set(qn("w:w"), str(width))
    return made


def _row(made: Any, cells: Sequence[Cell], widths: Sequence[int], *, is_head: bool = False) -> None:
    row = SubElement(made, qn("w:tr"))
    properties = SubElement(row, qn("w:trPr"))
    if all(cell.lines(width) <= _ROW_LINES for cell, width in zip(cells, widths, strict=True)):
        SubElement(properties, qn("w:cantSplit"))
    if is_head:
        SubElement(properties, qn("w:tblHeader"))
    for cell, width in zip(cells, widths, strict=True):
        _cell(SubElement(row, qn("w:tc")), cell, width, is_head=is_head)


def _cell(made: Any, cell: Cell, width: int, *, is_head: bool) -> None:
    properties = SubElement(made, qn("w:tcPr"))
    _sized(SubElement(properties, qn("w:tcW")), width)
    if cell.fill:
        shade = SubElement(properties, qn("w:shd"))
        for name, value in (("val", "clear"), ("color", "auto"), ("fill", cell.fill)):
            shade.set(qn(f"w:{name}"), value)
    SubElement(properties, qn("w:vAlign")).set(qn("w:val"), "center" if is_head else "top")
    for runs in cell.paragraphs or ((),):
        made.append(paragraph(runs, style="TableText", align=cell.align))


def _sized(element: Any, twips: int) -> None:
    element.set(qn("w:w"), str(twips))
    element.set(qn("w:type"), "dxa")


def _run(parent: Any, run: Run) -> None:
    made = SubElement(parent, qn("w:r"))
    properties = SubElement(made, qn("w:rPr"))
    SubElement(properties, qn("w:rFonts")).set(qn("w:hint"), "eastAsia")
    if run.bold:
        SubElement(properties, qn("w:b"))
        SubElement(properties, qn("w:bCs"))
    if run.color:
        SubElement(properties, qn("w:color")).set(qn("w:val"), run.color)
    if run.size:
        for name in ("w:sz", "w:szCs"):
            SubElement(properties, qn(name)).set(qn("w:val"), str(round(run.size * 2)))
    for tag, text in _pieces(legal(run.text)):
        piece = SubElement(made, qn(tag))
        if text:
            piece.text = text
            piece.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """Words, and between them the tabs and line ends, which Word takes as elements only."""
    for number, line in enumerate(text.split("\n")):
        if number:
            yield "w:br", ""
        for place, words in enumerate(line.split("\t")):
            if place:
                yield "w:tab", ""
            if words:
                yield "w:t", words
