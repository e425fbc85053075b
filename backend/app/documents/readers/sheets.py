"""Sheets of a workbook as blocks: the sheet's name as a heading, its cells as one table.

A cell that the sheet does not show is left out: what a merged cell covers, hidden sheets (named in a
warning). Blank rows and columns around the cells are trimmed; those between keep their places.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from backend.app.common.errors import ParseLimitExceeded
from backend.app.documents.builder import DocumentBuilder
from backend.app.documents.canonical import BlockKind, Cell
from backend.app.documents.glyphs import clean
from backend.app.documents.limits import ExtractLimits

Place = tuple[int, int]  # row, column; from 0

_MAX_SPAN = 1000
_MAX_MERGED = 100_000
_MAX_STEPS = 3_000_000  # places looked at for what merged cells cover


@dataclass(slots=True)
class Sheet:
    """What one sheet shows: texts by place, and merged ranges (first place, last place)."""

    name: str
    limits: ExtractLimits
    cells: dict[Place, str] = field(default_factory=dict)
    merged: list[tuple[Place, Place]] = field(default_factory=list)
    _chars: int = 0

    def put(self, row: int, col: int, text: str) -> None:
        """Raises ParseLimitExceeded."""
        text = clean(text).replace("\t", " ").strip()
        if not text:
            return
        self._chars += len(text)
        if len(self.cells) >= self.limits.max_blocks or self._chars > self.limits.max_chars:
            raise ParseLimitExceeded()
        self.cells[row, col] = text

    def merge(self, first: Place, last: Place) -> None:
        if len(self.merged) >= _MAX_MERGED:
            raise ParseLimitExceeded()
        if last > first:
            self.merged.append((first, last))


def write_sheets(builder: DocumentBuilder, sheets: Iterable[Sheet], hidden: list[str]) -> None:
    """Sheets one after the other; those without text leave no trace."""
    table = 0
    for sheet in sheets:
        spans = _spans(sheet)
        if not sheet.cells:
            continue
        builder.add(clean(sheet.name).replace("\n", " "), BlockKind.HEADING, level=1)
        top, left = min(row for row, _ in sheet.cells), min(col for _, col in sheet.cells)
        for row, col in sorted(sheet.cells):
            down, across = spans.get((row, col), (1, 1))
            cell = Cell(table, row - top, col - left, down, across)
            builder.add(sheet.cells[row, col], BlockKind.TABLE_CELL, cell=cell)
        table += 1
    if hidden:
        names = "、".join(hidden[:10]) + (" 等" if len(hidden) > 10 else "")
        builder.warnings.append(f"隐藏的工作表未读取：{names}")


def _spans(sheet: Sheet) -> dict[Place, tuple[int, int]]:
    """Rows and columns of each merged cell; drops from the sheet what the merged cells cover."""
    spans: dict[Place, tuple[int, int]] = {}
    steps = 0
    for (row, col), (last_row, last_col) in sheet.merged:
        if (row, col) not in sheet.cells:
            continue
        down, across = last_row - row + 1, last_col - col + 1
        spans[row, col] = min(down, _MAX_SPAN), min(across, _MAX_SPAN)
        steps += min(down * across, len(sheet.cells))
        if steps > _MAX_STEPS:
            raise ParseLimitExceeded()
        for place in _covered(sheet, (row, col), (last_row, last_col)):
            del sheet.cells[place]
    return spans


def _covered(sheet: Sheet, first: Place, last: Place) -> list[Place]:
    area = (last[0] - first[0] + 1) * (last[1] - first[1] + 1)
    if area > len(sheet.cells):
        inside = (
            (row, col)
            for row, col in sheet.cells
            if first[0] <= row <= last[0] and first[1] <= col <= last[1]
        )
    else:
        inside = (
            (row, col)
            for row in range(first[0], last[0] + 1)
            for col in range(first[1], last[1] + 1)
            if (row, col) in sheet.cells
        )
    return [place for place in inside if place != first]
