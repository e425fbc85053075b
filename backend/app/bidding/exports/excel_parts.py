"""Sheets of a workbook: cells that stay what they are, formats, and the set-up for printing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import xlsxwriter

from backend.app.bidding.exports.wording import legal

# Excel's own limits: characters of a cell (UTF-16 units), of a sheet's name, and its first day.
CELL_UNITS = 32_767
_NAME_CHARS = 31
_FIRST_YEAR = 1901
_HIGHEST = 409  # points of a row
_LINE_POINTS = 14.5
_CUT = "……【本单元格最多容纳 32767 字，全文共 {chars} 字，其余见 Word、Markdown 或 JSON 导出】"
# A cell that begins so is a formula to programs that read the text again (CWE-1236).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\n")
_HEAD_FILL, _LINE, _FONT = "#E8EEF5", "#A6B4C4", "微软雅黑"


@dataclass(frozen=True, slots=True)
class Column:
    """`width` in characters. `choices`: what a list in the cell offers."""

    title: str
    width: float
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """How a cell is drawn."""

    bold: bool = False
    ink: str | None = None  # RRGGBB
    fill: str | None = None
    align: str = "left"


@dataclass(frozen=True, slots=True)
class Styled:
    value: object
    look: Look


@dataclass(slots=True)
class Book:
    """An XlsxWriter workbook, its formats, and the names of its sheets."""

    workbook: Any
    formats: dict[Any, Any] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    @classmethod
    def into(cls, buffer: Any, *, title: str, made_at: datetime) -> Book:
        options = {
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        }
        workbook = xlsxwriter.Workbook(buffer, options)
        created = made_at.replace(tzinfo=None)
        workbook.set_properties({"title": legal(title)[:200], "author": "销售助手", "created": created})
        return cls(workbook)

    def sheet(self, title: str) -> Any:
        made = self.workbook.add_worksheet(self._name(title))
        made.set_landscape()
        made.set_paper(9)  # A4
        made.fit_to_pages(1, 0)  # one page wide, as many as needed long
        made.set_margins(left=0.4, right=0.4, top=0.6, bottom=0.6)
        made.set_footer("&C第 &P 页 共 &N 页")
        # In a header "&" begins a code, and 255 characters is all it takes.
        made.set_header("&L" + made.get_name().replace("&", "&&"))
        return made

    def look(self, look: Look, *, number: str = "", quoted: bool = False) -> Any:
        """The format of a look, made once: a workbook takes 64,000 of them."""
        key = (look, number, quoted)
        if key not in self.formats:
            properties: dict[str, Any] = {
                "font_name": _FONT,
                "font_size": 10,
                "text_wrap": True,
                "valign": "top",
                "align": look.align,
                "border": 1,
                "border_color": _LINE,
                "bold": look.bold,
                "quote_prefix": quoted,
            }
            properties |= {"font_color": f"#{look.ink}"} if look.ink else {}
            properties |= {"bg_color": f"#{look.fill}"} if look.fill else {}
            properties |= {"num_format": number} if number else {}
            self.formats[key] = self.workbook.add_format(properties)
        return self.formats[key]

    def _name(self, title: str) -> str:
        """A name that Excel takes: no signs of references, 31 characters, not there already."""
        stem = (
            re.sub(r"[\[\]:*?/\\]", "、", legal(title).replace("\n", " ")).strip("' ")[:_NAME_CHARS] or "表"
        )
        name, count = stem, 1
        while name.lower() in self.names:
            count += 1
            name = f"{stem[: _NAME_CHARS - 4]} {count}"
        self.names.add(name.lower())
        return name


def write(book: Book, sheet: Any, at: tuple[int, int], value: object) -> None:
    """A number, a date or a text; a text never becomes a formula, a link or a number."""
    value, look = (value.value, value.look) if isinstance(value, Styled) else (value, Look())
    if isinstance(value, date) and value.year >= _FIRST_YEAR:
        shown = "yyyy-mm-dd hh:mm" if isinstance(value, datetime) else "yyyy-mm-dd"
        sheet.write_datetime(*at, value, book.look(look, number=shown))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        shown = "#,##0" if value == int(value) else "#,##0.00"
        sheet.write_number(*at, value, book.look(look, number=shown))
    else:
        text = fitting("" if value is None else legal(value))
        sheet.write_string(*at, text, book.look(look, quoted=text.startswith(_FORMULA_STARTS)))


def fitting(text: str) -> str:
    """As much as a cell takes; what was cut is said in the cell."""
    if _units(text) <= CELL_UNITS:
        return text
    said = _CUT.format(chars=len(text))
    room = CELL_UNITS - _units(said)
    kept = text.encode("utf-16-le")[: 2 * room].decode("utf-16-le", "ignore")
    return kept + said


def height(value: object, width: float) -> float:
    """Points that a value takes in a column so wide. Written, because programs other than Excel show one
    line of a wrapped cell unless its row is as high as it must be."""
    text = str(value.value if isinstance(value, Styled) else value)
    lines = sum(1 + int(_columns_of(line) // width) for line in text.split("\n"))
    return min(_LINE_POINTS * lines + 3, _HIGHEST)


def _columns_of(line: str) -> float:
    """A Chinese character is nearly as wide as two digits."""
    return len(line) + 0.85 * sum(character > "\u2e7f" for character in line)


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def fill(
    book: Book, sheet: Any, columns: Sequence[Column], rows: Iterable[Sequence[object]], *, top: int = 0
) -> int:
    """A head and its rows from `top` on; the row behind the last one. The head is frozen, filters, and is
    repeated on every printed page."""
    head = Look(bold=True, fill=_HEAD_FILL[1:], align="center")
    for at, column in enumerate(columns):
        sheet.set_column(at, at, column.width)
        write(book, sheet, (top, at), Styled(column.title, head))
    end = top + 1
    for row in rows:
        for at, value in enumerate(row):
            write(book, sheet, (end, at), value)
        widths = (column.width for column in columns)
        sheet.set_row(end, max(height(text, width) for text, width in zip(row, widths, strict=True)))
        end += 1
    for at, column in enumerate(columns):
        if column.choices and end > top + 1:
            chosen = {"validate": "list", "source": list(column.choices), "error_message": "请从列表中选择"}
            sheet.data_validation(top + 1, at, end - 1, at, chosen)
    sheet.freeze_panes(top + 1, 0)
    sheet.repeat_rows(top)
    sheet.autofilter(top, 0, max(top, end - 1), len(columns) - 1)
    return end
