"""A company profile as an Excel workbook, and the empty template with examples. Reads back as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import xlsxwriter

from backend.app.company.columns import (
    BASICS,
    BASICS_SHEET,
    DECLARATION_COLUMNS,
    DECLARATIONS,
    DECLARATIONS_SHEET,
    EXAMPLE_MARK,
    FOREVER,
    SECTIONS,
    Column,
)

_WIDTH, _WIDE = 18, 34
_CHECKED_ROWS = 2000  # rows for which Excel checks what is typed
_NOTE = "带“（示例）”的行不会被导入，可直接覆盖或删除。"


def template() -> bytes:
    """The sheets with headers, comments, choices and one example row each."""
    return _workbook({}, examples=True)


def workbook(profile: Mapping[str, Any]) -> bytes:
    """The profile (JSON of `/api/company`) as the same workbook."""
    return _workbook(profile, examples=False)


class _Writer:
    """One workbook and its formats."""

    def __init__(self, target: BytesIO) -> None:
        # Nothing in a cell may become a formula or a link.
        options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self.book = xlsxwriter.Workbook(target, options)
        self.head = self.book.add_format({"bold": True, "bg_color": "#E8EEF7", "border": 1})
        self.example = self.book.add_format({"italic": True, "font_color": "#7F7F7F"})
        self.text = self.book.add_format({"num_format": "@"})

    def sheet(self, name: str, columns: Sequence[Column]) -> Any:
        sheet = self.book.add_worksheet(name)
        sheet.freeze_panes(1, 0)
        for at, column in enumerate(columns):
            sheet.set_column(at, at, _WIDE if at == 0 else _WIDTH)
            sheet.write_string(0, at, column.header, self.head)
            if column.comment:
                sheet.write_comment(0, at, column.comment)
            if choices := _choices(column):
                rule = {
                    "validate": "list",
                    "source": choices,
                    "error_message": f"只能填：{'、'.join(choices)}",
                }
                sheet.data_validation(1, at, _CHECKED_ROWS, at, rule)
        return sheet

    def put(self, sheet: Any, row: int, at: int, value: object, style: Any = None) -> None:
        if value is None or value == "":
            return
        if isinstance(value, int | float) and not isinstance(value, bool):
            sheet.write_number(row, at, value, style)
        else:
            sheet.write_string(row, at, str(value), style or self.text)


def _workbook(profile: Mapping[str, Any], *, examples: bool) -> bytes:
    target = BytesIO()
    writer = _Writer(target)
    _write_basics(writer, profile, examples=examples)
    for section in SECTIONS:
        sheet = writer.sheet(section.sheet, section.columns)
        for number, row in enumerate(profile.get(section.field) or (), 1):
            for at, column in enumerate(section.columns):
                writer.put(sheet, number, at, cell_of(row.get(column.field), column))
        if examples:
            for at, column in enumerate(section.columns):
                mark = EXAMPLE_MARK if at == 0 else ""
                value = f"{mark}{column.example}" if mark else column.example
                writer.put(sheet, 1, at, value, writer.example)
    _write_declarations(writer, profile)
    writer.book.close()
    return target.getvalue()


def _write_basics(writer: _Writer, profile: Mapping[str, Any], *, examples: bool) -> None:
    columns = (Column("label", "项目", comment=_NOTE if examples else ""), Column("value", "内容"))
    sheet = writer.sheet(BASICS_SHEET, columns)
    sheet.set_column(1, 1, _WIDE)
    for number, column in enumerate(BASICS, 1):
        sheet.write_string(number, 0, column.header, writer.head)
        if column.comment:
            sheet.write_comment(number, 0, column.comment)
        if choices := _choices(column):
            sheet.data_validation(number, 1, number, 1, {"validate": "list", "source": choices})
        if examples and column.example != "" and column.kind in ("text", "date", "money", "int"):
            writer.put(sheet, number, 1, f"{EXAMPLE_MARK}{column.example}", writer.example)
        else:
            writer.put(sheet, number, 1, cell_of(_basic(profile, column.field), column))


def _basic(profile: Mapping[str, Any], name: str) -> Any:
    outer, _, inner = name.partition(".")
    value = profile.get(outer)
    return (value or {}).get(inner) if inner else value


def _write_declarations(writer: _Writer, profile: Mapping[str, Any]) -> None:
    sheet = writer.sheet(DECLARATIONS_SHEET, DECLARATION_COLUMNS)
    said = profile.get("declarations") or {}
    for number, (key, label) in enumerate(DECLARATIONS.items(), 1):
        row = {"key": label, **(said.get(key) or {})}
        for at, column in enumerate(DECLARATION_COLUMNS):
            writer.put(sheet, number, at, cell_of(row.get(column.field), column))


def cell_of(value: Any, column: Column) -> object:
    """A value as its cell shows it; what `cells.value_of` reads back."""
    if value is None or value == "":
        return None
    if column.kind == "flag":
        return "是" if value else "否"
    if column.kind == "choice":
        return (column.choices or {}).get(value, value)
    if column.kind == "list":
        return "、".join(value)
    if column.kind == "date" and str(value) == FOREVER:
        return "长期"
    return value if isinstance(value, int | float) else str(value)


def _choices(column: Column) -> list[str]:
    if column.kind == "flag":
        return ["是", "否"]
    return list((column.choices or {}).values())
