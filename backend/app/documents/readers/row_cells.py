"""Rows of RTF and .doc put together to tables: both know rows only, each with its own column edges."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from backend.app.documents.canonical import Cell

_SAME_EDGE = 40  # twips (2 points) by which the edges of two rows may differ
_MAX_COLUMNS = 1000


@dataclass(slots=True)
class CellShape:
    """What a row says of one of its cells. `edge`: its right end in twips."""

    edge: int
    first_down: bool = False
    goes_on_down: bool = False
    goes_on_right: bool = False  # \\clmrg: part of the cell on its left


@dataclass(slots=True)
class Row:
    texts: list[str]
    shapes: list[CellShape] = field(default_factory=list)


def place_cells(table: int, rows: list[Row]) -> list[tuple[Cell, str]]:
    """Each cell once, at its first place; columns are counted by the edges of all rows."""
    edges = _edges(rows)
    found: list[tuple[Cell, str]] = []
    open_above: dict[int, int] = {}  # column: index in `found` of a cell that may go on below
    for at, row in enumerate(rows):
        still_open: dict[int, int] = {}
        col = 0
        last: int | None = None
        for shape, text in zip(_shapes(row), row.texts, strict=True):
            end = max(_column(edges, shape.edge) + 1, col + 1) if edges and shape.edge else col + 1
            above = open_above.get(col)
            if shape.goes_on_right and last is not None:
                found[last] = _grown(found[last], text, across=end - col)
            elif shape.goes_on_down and above is not None:
                found[above] = _grown(found[above], text, down=at - found[above][0].row + 1)
                still_open[col] = above
            else:
                last = len(found)
                found.append((Cell(table, at, col, 1, end - col), text))
                if shape.first_down or shape.goes_on_down:
                    still_open[col] = last
            col = end
        open_above = still_open
    return found


def _shapes(row: Row) -> list[CellShape]:
    known = row.shapes[: len(row.texts)]
    return known + [CellShape(0)] * (len(row.texts) - len(known))


def _edges(rows: list[Row]) -> list[int]:
    found: list[int] = []
    for edge in sorted({shape.edge for row in rows for shape in row.shapes[: len(row.texts)]}):
        if not found or edge - found[-1] > _SAME_EDGE:
            found.append(edge)
    return found[:_MAX_COLUMNS]


def _column(edges: list[int], edge: int) -> int:
    return min(bisect_left(edges, edge - _SAME_EDGE), len(edges) - 1)


def _grown(one: tuple[Cell, str], text: str, *, down: int = 0, across: int = 0) -> tuple[Cell, str]:
    cell, before = one
    grown = Cell(cell.table, cell.row, cell.col, max(cell.rowspan, down), cell.colspan + across)
    return grown, "\n".join(part for part in (before, text) if part.strip())
