"""Tables as rules read them: rows of cells in compact text, with the place the table stands in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from backend.app.bidding.findings import Span
from backend.app.bidding.rules.passages import Passage, compact_of
from backend.app.bidding.rules.zones import Zone
from backend.app.documents.canonical import Cell, Document

_TITLE_REACH = 3  # passages above a table that may name it
_TITLE_LENGTH = 80


@dataclass(frozen=True, slots=True)
class CellText:
    """One cell; `compact` has no white space, a paragraph end inside the cell is kept as \\n."""

    row: int
    col: int
    rowspan: int
    compact: str
    offsets: tuple[int, ...]
    colspan: int = 1

    def span(self, start: int, end: int) -> Span:
        return Span(self.offsets[start], self.offsets[end - 1] + 1)


@dataclass(frozen=True, slots=True)
class Table:
    number: int
    zone: Zone
    title: str  # the section and the lines just above
    rows: tuple[tuple[CellText, ...], ...]


@dataclass(slots=True)
class _Open:
    number: int
    cells: dict[tuple[int, int], tuple[Cell, list[str], list[int]]] = field(default_factory=dict)


def read_tables(document: Document, passages: list[Passage]) -> Iterator[Table]:
    """Every table in order; empty cells are left out, several blocks of one cell are joined."""
    places = _places(passages)
    current: _Open | None = None
    for block in document.blocks:
        cell = block.cell
        if cell is None:
            continue
        if current is None or current.number != cell.table:
            if current is not None:
                yield _close(current, places)
            current = _Open(cell.table)
        letters, offsets = compact_of(document.text, block.start, block.end, keep_breaks=block.page is None)
        if not letters:
            continue
        known = current.cells.setdefault((cell.row, cell.col), (cell, [], []))
        if known[1]:
            known[1].append("\n")
            known[2].append(block.start)
        known[1].extend(letters)
        known[2].extend(offsets)
    if current is not None:
        yield _close(current, places)


def _close(table: _Open, places: dict[int, tuple[Zone, str]]) -> Table:
    rows: dict[int, list[CellText]] = {}
    for (row, col), (cell, letters, offsets) in sorted(table.cells.items(), key=lambda item: item[0]):
        read = CellText(row, col, cell.rowspan, "".join(letters), tuple(offsets), cell.colspan)
        rows.setdefault(row, []).append(read)
    zone, title = places.get(table.number, (Zone.OTHER, ""))
    return Table(table.number, zone, title, tuple(tuple(cells) for cells in rows.values()))


def table_titles(passages: list[Passage]) -> dict[int, str]:
    """What stands above each table: its section and the last lines before it."""
    return {number: title for number, (_, title) in _places(passages).items()}


def _places(passages: list[Passage]) -> dict[int, tuple[Zone, str]]:
    places: dict[int, tuple[Zone, str]] = {}
    for passage in passages:
        if passage.cell is None or passage.cell.table in places:
            continue
        near = "；".join(_lines_above(passages, passage.index))
        places[passage.cell.table] = (passage.zone, f"{passage.section}；{near}")
    return places


def _lines_above(passages: list[Passage], at: int) -> list[str]:
    """The short lines just above, from the nearest heading on: what stands before it names something else."""
    lines: list[str] = []
    for passage in reversed(passages[max(0, at - _TITLE_REACH) : at]):
        if passage.cell is None and len(passage.compact) <= _TITLE_LENGTH:
            lines.insert(0, passage.compact)
        if passage.is_heading:
            break
    return lines
