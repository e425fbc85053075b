"""Writes the ruled tables of a PDF: one block a cell, one table over as many pages as it takes.

A table goes on when the next page begins with one between the same edges whose column lines are the same,
or are some of the same: merged rows hide lines, a table inside a cell adds some. A repeated header row
becomes HEADER blocks, so that nothing is lost. A row that the page's end cuts keeps its number: its cells
stand in two blocks of the same place, or in one where nothing stands between them.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass, field, replace

from backend.app.documents.builder import DocumentBuilder
from backend.app.documents.canonical import NO_BOX, BlockKind, Cell
from backend.app.documents.readers.pdf_grid import GridCell
from backend.app.documents.readers.pdf_lines import Column, Line, Paragraph, continues, join_lines, line_pitch
from backend.app.documents.readers.pdf_page import Table

_PADDING = 6.0  # points between a cell's border and its text
_SAME_EDGE = 4.0  # points by which a table's edges may differ from page to page
_HEADER_ROWS = 2


@dataclass(slots=True)
class _Written:
    """A cell that reaches the lower end of its page."""

    cell: Cell
    last: Paragraph
    column: Column


@dataclass(slots=True)
class OpenTable:
    """A table that may go on on the next page."""

    index: int
    xs: list[float]
    rows: int = 0
    header: list[list[str]] = field(default_factory=list)
    bottom: dict[int, _Written] = field(default_factory=dict)  # by column
    latest: Cell | None = None


@dataclass(slots=True)
class CellText:
    """A cell with its place in the whole table and its paragraphs as one text."""

    cell: Cell
    frame: GridCell
    lines: list[Line]
    paragraphs: list[Paragraph] = field(default_factory=list)

    @property
    def column(self) -> Column:
        pitch = line_pitch(self.lines)
        return Column(self.frame.x0 + _PADDING, self.frame.x1 - _PADDING, _PADDING, pitch)

    def text(self) -> tuple[str, array[int]]:
        """Paragraphs joined by line ends, with boxes."""
        boxes: array[int] = array("H")
        for at, paragraph in enumerate(self.paragraphs):
            if at:
                boxes.extend((NO_BOX,) * 4)
            boxes.extend(paragraph.boxes)
        return "\n".join(paragraph.text for paragraph in self.paragraphs), boxes


class TableWriter:
    def __init__(self, builder: DocumentBuilder) -> None:
        self._builder = builder
        self._count = 0

    def start(self, table: Table, page: int) -> OpenTable:
        """Write a table that begins on this page."""
        opened = OpenTable(self._count, table.xs)
        self._count += 1
        cells = _placed(table, opened, 0)
        for row in range(_HEADER_ROWS):
            opened.header.append(_row_texts(cells, row))
        self._write(cells, opened, page, table.rows)
        return opened

    def goes_on(self, table: Table, opened: OpenTable) -> bool:
        """Whether a page's first table continues the last one of the page before."""
        ends = abs(table.xs[0] - opened.xs[0]), abs(table.xs[-1] - opened.xs[-1])
        if max(ends) > _SAME_EDGE:
            return False
        return _among(table.xs, opened.xs) or _among(opened.xs, table.xs)

    def continuation(self, table: Table, opened: OpenTable) -> Continuation:
        """Split the continued part of a table: repeated header, cells of a cut row, new rows."""
        cells = _placed(table, opened, opened.rows)
        repeated: list[CellText] = []
        for row, texts in enumerate(opened.header):
            if not texts or _row_texts(cells, opened.rows + row) != texts:
                break
            repeated += [one for one in cells if one.cell.row == opened.rows + row]
        rest = cells[len(repeated) :]
        first_row = rest[0].cell.row if rest else 0
        head = [one for one in rest if one.cell.row == first_row]
        rows = table.rows - (first_row - opened.rows)
        shift = opened.rows - first_row
        cut = bool(head) and _is_cut(head, opened, len(table.xs) - 1)
        if cut:
            shift -= 1
            rows -= 1
        moved = [
            replace(
                one, cell=_shifted(one.cell, shift, opened if cut and one.cell.row == first_row else None)
            )
            for one in rest
        ]
        return Continuation(repeated, moved, opened.rows + rows, joins=cut and self._joins(moved[0], opened))

    def _joins(self, first: CellText, opened: OpenTable) -> bool:
        above = opened.bottom.get(first.cell.col)
        return above is not None and above.cell == opened.latest

    def join(self, part: Continuation, opened: OpenTable) -> None:
        """Put the first cell's text onto the end of the block it continues."""
        first = part.cells.pop(0)
        above = opened.bottom[first.cell.col]
        wraps = continues(above.last, first.lines[0], above.column, next_page=True)
        text, boxes = first.text()
        self._builder.extend(text, glue="" if wraps else "\n", boxes=boxes)
        opened.bottom = {first.cell.col: _Written(above.cell, first.paragraphs[-1], first.column)}

    def write_rest(self, part: Continuation, opened: OpenTable, page: int) -> None:
        for one in part.repeated:
            text, boxes = one.text()
            self._builder.add(text, BlockKind.HEADER, page=page, boxes=boxes)
        self._write(part.cells, opened, page, part.rows)

    def _write(self, cells: list[CellText], opened: OpenTable, page: int, rows: int) -> None:
        if cells:
            opened.bottom = {}
        for one in cells:
            text, boxes = one.text()
            self._builder.add(text, BlockKind.TABLE_CELL, page=page, cell=one.cell, boxes=boxes)
            opened.latest = one.cell
            if one.cell.row + one.cell.rowspan >= rows:
                opened.bottom[one.cell.col] = _Written(one.cell, one.paragraphs[-1], one.column)
        opened.rows = rows


@dataclass(slots=True)
class Continuation:
    """What a page adds to a table; `joins`: the first cell continues the last block written."""

    repeated: list[CellText]
    cells: list[CellText]
    rows: int
    joins: bool


def _among(some: list[float], lines: list[float]) -> bool:
    """Whether each of some column lines is one of the others."""
    return all(min(abs(x - line) for line in lines) <= _SAME_EDGE for x in some)


def _placed(table: Table, opened: OpenTable, first_row: int) -> list[CellText]:
    """Cells with their places in the columns of the whole table."""
    found = []
    for frame, lines in table.cells:
        col = max(bisect_right(opened.xs, frame.x0 + _SAME_EDGE) - 1, 0)
        last = max(bisect_right(opened.xs, frame.x1 - _SAME_EDGE), col + 1)
        cell = Cell(opened.index, first_row + frame.row, col, frame.rowspan, last - col)
        one = CellText(cell, frame, lines)
        one.paragraphs = join_lines(lines, one.column)
        found.append(one)
    return found


def _row_texts(cells: list[CellText], row: int) -> list[str]:
    return [one.text()[0] for one in cells if one.cell.row == row]


def _is_cut(head: list[CellText], opened: OpenTable, columns: int) -> bool:
    """Whether the first row of a page goes on with the row that the page before ended with."""
    if not opened.bottom or head[0].cell.col == 0 or columns < 2:
        return False
    if any(one.cell.col not in opened.bottom for one in head):
        return False
    for one in head:
        above = opened.bottom[one.cell.col]
        if continues(above.last, one.lines[0], above.column, next_page=True):
            return True
    labels = [above for col, above in opened.bottom.items() if col < head[0].cell.col]
    return bool(labels) and all(above.cell.rowspan == 1 for above in labels)


def _shifted(cell: Cell, shift: int, cut_from: OpenTable | None) -> Cell:
    if cut_from is not None:
        return replace(cell, row=cut_from.bottom[cell.col].cell.row)
    return replace(cell, row=cell.row + shift)
