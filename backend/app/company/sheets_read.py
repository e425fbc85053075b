"""Sheets of cells → sections of a company profile, row by row. Pure: nothing is stored, nothing guessed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from backend.app.company.cells import BadCell, Cell, shown, value_of
from backend.app.company.columns import (
    BASICS,
    BASICS_SHEET,
    BASICS_SPELLINGS,
    DECLARATION_COLUMNS,
    DECLARATIONS,
    DECLARATIONS_SHEET,
    DECLARATIONS_SPELLINGS,
    EXAMPLE_MARK,
    SECTIONS,
    Column,
    Section,
)

_HEADER_WITHIN = 10  # rows: a title and a note may stand above the header
_LEAST_HEADERS = 2
_NOISE = re.compile(r"[\s*＊:：()（）]")
_THOUSANDS = re.compile(r"万元")
_UNIT = re.compile(r"[(（](?:万?元|人民币|月|年)[)）]")


@dataclass(frozen=True, slots=True)
class Sheet:
    name: str
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True, slots=True)
class Row:
    """One understood row: `number` as Excel shows it, from 1."""

    sheet: str
    number: int
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RowProblem:
    """`row` 0: the sheet as a whole."""

    sheet: str
    row: int
    column: str
    message: str
    message_en: str


@dataclass(slots=True)
class Workbook:
    """What was read. `lists`: by field, only of the sheets that were there; `basics`: plain fields,
    `complete` and `declarations` of the profile."""

    basics: dict[str, Any] = field(default_factory=dict)
    lists: dict[str, list[Row]] = field(default_factory=dict)
    problems: list[RowProblem] = field(default_factory=list)
    sheets: list[dict[str, Any]] = field(default_factory=list)  # {"sheet", "section", "rows", "examples"}
    ignored: list[str] = field(default_factory=list)


def read_sheets(sheets: Sequence[Sheet]) -> Workbook:
    """Understand sheets by their names, or by their headers where a name says nothing."""
    book = Workbook()
    for sheet in sheets:
        _read_sheet(sheet, book)
    return book


def _read_sheet(sheet: Sheet, book: Workbook) -> None:
    name = _plain(sheet.name)
    if name in _plains(BASICS_SHEET, *BASICS_SPELLINGS):
        _read_basics(sheet, book)
    elif name in _plains(DECLARATIONS_SHEET, *DECLARATIONS_SPELLINGS):
        _read_declarations(sheet, book)
    elif section := _section_of(sheet, name):
        _read_list(sheet, section, book)
    elif any(any(shown(cell) for cell in row) for row in sheet.rows):
        book.ignored.append(sheet.name)


def _plain(text: str) -> str:
    return _NOISE.sub("", text)


def _plains(*names: str) -> frozenset[str]:
    return frozenset(_plain(name) for name in names)


def _section_of(sheet: Sheet, name: str) -> Section | None:
    for section in SECTIONS:
        if name in _plains(section.sheet, section.field, *section.spellings):
            return section
    fits = [
        (len(found[1]), -at, section)
        for at, section in enumerate(SECTIONS)
        if (found := _header(sheet, section.columns)) is not None and 0 in found[1].values()
    ]
    return max(fits, key=lambda fit: fit[:2])[2] if fits else None


def _header(sheet: Sheet, columns: Sequence[Column]) -> tuple[int, dict[int, int], dict[int, bool]] | None:
    """(index of the header row, cell index → column index, cell index → whether in 万元)."""
    names = {plain: at for at, column in enumerate(columns) for plain in _plains(*column.names)}
    names |= {_plain(_UNIT.sub("", column.header)): at for at, column in enumerate(columns)}
    for number, row in enumerate(sheet.rows[:_HEADER_WITHIN]):
        found: dict[int, int] = {}
        thousands: dict[int, bool] = {}
        for at, cell in enumerate(row):
            text = shown(cell)
            column = names.get(_plain(text), names.get(_plain(_UNIT.sub("", text))))
            if column is not None and column not in found.values():
                found[at], thousands[at] = column, bool(_THOUSANDS.search(text))
        if len(found) >= min(_LEAST_HEADERS, len(columns)):
            return number, found, thousands
    return None


def _read_list(sheet: Sheet, section: Section, book: Workbook) -> None:
    rows, examples = _rows(sheet, section.columns, book)
    book.lists.setdefault(section.field, []).extend(rows)
    book.sheets.append(
        {"sheet": sheet.name, "section": section.field, "rows": len(rows), "examples": examples}
    )


def _rows(sheet: Sheet, columns: Sequence[Column], book: Workbook) -> tuple[list[Row], int]:
    """The rows that could be read, and how many examples were passed over."""
    header = _header(sheet, columns)
    if header is None:
        wanted = "、".join(column.header for column in columns[:3])
        book.problems.append(
            RowProblem(sheet.name, 0, "", f"没有找到表头（应有 {wanted} 等列）", "has no header row")
        )
        return [], 0
    start, places, thousands = header
    rows: list[Row] = []
    examples = 0
    for number, cells in enumerate(sheet.rows[start + 1 :], start + 2):
        if not any(shown(cell) for cell in cells):
            continue
        if next(text for cell in cells if (text := shown(cell))).startswith((EXAMPLE_MARK, "(示例)")):
            examples += 1
            continue
        values: dict[str, Any] = {}
        for at, cell in enumerate(cells):
            if at in places:
                column = columns[places[at]]
                _put(values, column, cell, (sheet.name, number), book, thousands=thousands[at])
        if values:
            rows.append(Row(sheet.name, number, values))
    return rows, examples


def _put(
    values: dict[str, Any],
    column: Column,
    cell: Cell,
    place: tuple[str, int],
    book: Workbook,
    *,
    thousands: bool = False,
) -> None:
    try:
        value = value_of(cell, column, thousands=thousands)
    except BadCell as bad:
        book.problems.append(RowProblem(*place, column.header, bad.message, bad.message_en))
        return
    if value is not None:
        values[column.field] = value


def _read_basics(sheet: Sheet, book: Workbook) -> None:
    """A label in the first cell, its value in the second."""
    names = {plain: column for column in BASICS for plain in _plains(*column.names)}
    names |= {_plain(_UNIT.sub("", column.header)): column for column in BASICS}
    values: dict[str, Any] = {}
    for number, cells in enumerate(sheet.rows, 1):
        label = shown(cells[0]) if cells else ""
        column = names.get(_plain(label), names.get(_plain(_UNIT.sub("", label))))
        if column is None or len(cells) < 2 or shown(cells[1]).startswith((EXAMPLE_MARK, "(示例)")):
            continue
        _put(values, column, cells[1], (sheet.name, number), book, thousands=bool(_THOUSANDS.search(label)))
    complete = {key.removeprefix("complete."): values.pop(key) for key in list(values) if "." in key}
    book.basics |= values | ({"complete": complete} if complete else {})
    book.sheets.append(
        {"sheet": sheet.name, "section": "basics", "rows": len(values) + len(complete), "examples": 0}
    )


def _read_declarations(sheet: Sheet, book: Workbook) -> None:
    keys = {_plain(label): key for key, label in DECLARATIONS.items()} | {key: key for key in DECLARATIONS}
    rows, examples = _rows(sheet, DECLARATION_COLUMNS, book)
    said: dict[str, Any] = {}
    for row in rows:
        key = keys.get(_plain(str(row.values.pop("key", ""))))
        if key is None:
            problem = ("不是可识别的声明事项", "is not a known declaration")
            book.problems.append(RowProblem(row.sheet, row.number, "声明事项", *problem))
        elif "holds" in row.values:
            said[key] = row.values
    book.basics["declarations"] = said
    book.sheets.append(
        {"sheet": sheet.name, "section": "declarations", "rows": len(said), "examples": examples}
    )
