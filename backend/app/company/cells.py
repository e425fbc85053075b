"""What a cell says, as the value of its column. Pure. A cell is text, a number, True or False, or None;
Excel's dates come as ISO text."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation

from backend.app.company.columns import FOREVER, Column

Cell = str | float | int | bool | None

_FOREVER = frozenset({"长期", "长期有效", "永久", "永久有效", "无固定期限"})
_DATE = re.compile(r"(\d{4})(?:年|[-/.])(\d{1,2})(?:月|[-/.])(\d{1,2})日?(?:[T ]00:00(?::00)?)?")
_PLAIN_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})")
_MONEY = re.compile(r"(?:人民币|¥|￥)?(-?[\d,，]+(?:\.\d+)?)(亿元?|万元?|元)?(?:人民币)?")
_UNITS = {"亿": 100_000_000, "万": 10_000, "元": 1, "": 1}
_WHOLE = re.compile(r"(\d+)(?:\.0+)?(?:年|个月|月|人|名|岁)?")
_YES = frozenset({"是", "有", "√", "✓", "y", "yes", "true", "1", "已审计", "符合"})
_NO = frozenset({"否", "无", "×", "✗", "n", "no", "false", "0", "未审计", "不符合"})
_PARTS = re.compile(r"[、，,；;\n]+")


class BadCell(ValueError):
    """Why a cell cannot be read, in both languages."""

    def __init__(self, message: str, message_en: str) -> None:
        super().__init__(message_en)
        self.message, self.message_en = message, message_en


def value_of(cell: Cell, column: Column, *, thousands: bool = False) -> object:
    """The cell's value for its column, None for an empty cell; `thousands`: the header says 万元.

    Raises BadCell.
    """
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    return _READERS[column.kind](cell, column, thousands)


def shown(cell: Cell) -> str:
    """The cell as text: 2024.0 is "2024"."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else str(cell).strip()


def _text(cell: Cell, _column: Column, _thousands: bool) -> object:
    return shown(cell)


def _date(cell: Cell, _column: Column, _thousands: bool) -> object:
    text = "".join(shown(cell).split()) if not isinstance(cell, str) else cell.strip()
    if "".join(text.split()) in _FOREVER:
        return FOREVER
    text = re.sub(r"(?<=[年月])\s+|\s+(?=[年月日])", "", text)
    found = _DATE.fullmatch(text) or _PLAIN_DATE.fullmatch(text)
    try:
        if found is not None:
            return date(int(found[1]), int(found[2]), int(found[3])).isoformat()
    except ValueError:
        pass
    raise BadCell("无法识别为日期，应如 2027-03-01 或“长期”", "is not a date such as 2027-03-01")


def _money(cell: Cell, _column: Column, thousands: bool) -> object:
    found = _MONEY.fullmatch("".join(shown(cell).split()))
    if found is None or isinstance(cell, bool):
        raise BadCell("无法识别为金额，应为数字（元）", "is not an amount")
    try:
        number = Decimal(re.sub(r"[,，]", "", found[1]))
    except InvalidOperation as error:
        raise BadCell("无法识别为金额，应为数字（元）", "is not an amount") from error
    unit = (found[2] or "").removesuffix("元") or ("元" if found[2] else "")
    factor = 10_000 if thousands and not found[2] else _UNITS[unit]
    return float(number * factor)


def _int(cell: Cell, _column: Column, _thousands: bool) -> object:
    found = _WHOLE.fullmatch("".join(shown(cell).split()))
    if found is None or isinstance(cell, bool):
        raise BadCell("应为整数", "must be an integer")
    return int(found[1])


def _flag(cell: Cell, _column: Column, _thousands: bool) -> object:
    text = shown(cell).casefold()
    if text in _YES:
        return True
    if text in _NO:
        return False
    raise BadCell("只能填“是”或“否”", "must be 是 or 否")


def _choice(cell: Cell, column: Column, _thousands: bool) -> object:
    text = shown(cell)
    for key, label in (column.choices or {}).items():
        if text in (key, label, f"{label}企业", label.removesuffix("型")):
            return key
    labels = "、".join((column.choices or {}).values())
    raise BadCell(f"只能填：{labels}", f"must be one of {labels}")


def _list(cell: Cell, _column: Column, _thousands: bool) -> object:
    return [part for part in (part.strip() for part in _PARTS.split(shown(cell))) if part]


_READERS: dict[str, Callable[[Cell, Column, bool], object]] = {
    "text": _text,
    "date": _date,
    "money": _money,
    "int": _int,
    "flag": _flag,
    "choice": _choice,
    "list": _list,
}
