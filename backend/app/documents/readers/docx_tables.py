"""Tables of Word: each cell once, at its first place, with the rows and columns it spans."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from backend.app.documents.canonical import Cell
from backend.app.documents.readers.ooxml import MC, Element, W, number, value

Paragraph = Callable[[Element], tuple[str, list[Element]]]

_MAX_SPAN = 1000
_WRAPPERS = frozenset(W + name for name in ("sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag"))


@dataclass(slots=True)
class _Placed:
    """A cell on the grid, where it begins."""

    element: Element
    row: int
    col: int
    colspan: int
    rowspan: int = 1


def read_table(table: Element, index: int, paragraph: Paragraph) -> Iterator[tuple[Cell, str]]:
    """Place and text of every cell, row by row; `paragraph` gives a paragraph's text and text boxes."""
    for placed in _grid(table):
        text = cell_text(placed.element, paragraph)
        yield Cell(index, placed.row, placed.col, placed.rowspan, placed.colspan), text


def is_frame(table: Element) -> Element | None:
    """The cell of a table that only draws a frame: one cell, with a table or many paragraphs inside."""
    rows = list(_children(table, W + "tr"))
    if len(rows) != 1:
        return None
    cells = list(_children(rows[0], W + "tc"))
    if len(cells) != 1:
        return None
    inner = cells[0]
    nested = inner.find(f".//{W}tbl") is not None
    return inner if nested or len(inner.findall(W + "p")) > 12 else None


def cell_text(cell: Element, paragraph: Paragraph) -> str:
    """Paragraphs of a cell joined by line ends; a nested table as lines with tabs between its cells."""
    return "\n".join(line for line in _lines(cell, paragraph) if line.strip())


def _lines(container: Element, paragraph: Paragraph) -> Iterator[str]:
    for child in container:
        if child.tag == W + "p":
            text, boxes = paragraph(child)
            yield text.replace("\t", " ").strip()
            for box in boxes:
                yield from _lines(box, paragraph)
        elif child.tag == W + "tbl":
            yield from _nested(child, paragraph)
        elif child.tag in _WRAPPERS:
            yield from _lines(child, paragraph)
        elif child.tag == MC + "AlternateContent":
            branch = child.find(MC + "Choice")
            if branch is not None:
                yield from _lines(branch, paragraph)


def _nested(table: Element, paragraph: Paragraph) -> Iterator[str]:
    row, cells = 0, list[str]()
    for placed in _grid(table):
        if placed.row != row:
            yield "\t".join(cells)
            row, cells = placed.row, []
        text = cell_text(placed.element, paragraph)
        if text:
            cells.append(text)
    yield "\t".join(cells)


def _grid(table: Element) -> list[_Placed]:
    """Every cell with its place; cells merged downwards are counted into the first of them."""
    found: list[_Placed] = []
    open_above: dict[int, _Placed] = {}  # by column: a cell that may go on below
    row = -1
    for element in _children(table, W + "tr"):
        properties = element.find(W + "trPr")
        if properties is not None and properties.find(W + "del") is not None:
            continue
        row += 1
        col = (number(properties.find(W + "gridBefore")) or 0) if properties is not None else 0
        still_open: dict[int, _Placed] = {}
        for cell in _children(element, W + "tc"):
            span, merge, joined = _cell_shape(cell)
            if joined and found and found[-1].row == row:
                found[-1].colspan += span
                col += span
                continue
            above = open_above.get(col)
            if merge == "continue" and above is not None:
                above.rowspan = row - above.row + 1
                still_open[col] = above
            else:
                placed = _Placed(cell, row, col, span)
                found.append(placed)
                if merge is not None:
                    still_open[col] = placed
            col += span
        open_above = still_open
    return found


def _cell_shape(cell: Element) -> tuple[int, str | None, bool]:
    """(columns spanned, vertical merge: None, "restart" or "continue", joined to the cell on its left)."""
    properties = cell.find(W + "tcPr")
    if properties is None:
        return 1, None, False
    span = min(max(number(properties.find(W + "gridSpan")) or 1, 1), _MAX_SPAN)
    vertical = properties.find(W + "vMerge")
    merge = None if vertical is None else value(vertical) or "continue"
    sideways = properties.find(W + "hMerge")
    joined = sideways is not None and (value(sideways) or "continue") == "continue"
    return span, merge, joined


def _children(parent: Element, tag: str) -> Iterator[Element]:
    """Children of one kind, through content controls and tracked insertions."""
    for child in parent:
        if child.tag == tag:
            yield child
        elif child.tag in _WRAPPERS:
            yield from _children(child, tag)
