"""Amounts, dates, percentages and periods in Chinese text, with their places.

Every finder takes any string (raw or already without white space) and returns matches in order whose
`start` and `end` are offsets into that very string.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from backend.app.bidding.rules.dates import DateMatch, find_dates
from backend.app.bidding.rules.numerals import CN_NUMERAL, cn_number, fold

__all__ = [
    "Amount",
    "DateMatch",
    "Duration",
    "Percent",
    "find_amounts",
    "find_dates",
    "find_durations",
    "find_percents",
    "money_unit",
    "number",
]

_NUMBER = r"(?:\d{1,3}(?:[,，]\d{3})+|\d+)(?:\.\d+)?"
_UNIT = r"(?:亿|千万|百万|十万|万|千|百)?元"
_AMOUNT = re.compile(
    rf"(?<![\d.,A-Za-z])(?P<sign>(?:¥|RMB|CNY|人民币)+:?)?(?P<number>{_NUMBER})(?P<open>\(?)(?P<unit>{_UNIT}"
    rf"|万(?=整|人民币|\(含|$))?"
)
_WORDS = re.compile(
    rf"(?P<words>{CN_NUMERAL}*[零一二两三四五六七八九十壹贰叁肆伍陆柒捌玖拾佰仟百千]{CN_NUMERAL}*)"
    rf"元(?:(?P<jiao>{CN_NUMERAL})角)?(?:零?(?P<fen>{CN_NUMERAL})分)?"
)
_PERCENT = re.compile(rf"(?<![\d.])(?P<number>\d+(?:\.\d+)?)%|百分之(?P<words>{CN_NUMERAL}+|\d+(?:\.\d+)?)")
_DURATION = re.compile(
    rf"(?<![\d.第近年月/-])(?P<number>\d{{1,4}}|{CN_NUMERAL}{{1,4}})(?:\((?P<again>\d{{1,4}}"
    rf"|{CN_NUMERAL}{{1,4}})\))?"
    r"\)?个?(?:\((?:日历|自然)\))?(?P<unit>工作日|(?:日历|自然)(?:日|天)|周年|日|天|月|年|小时|周|星期)(?P<tail>\(?(?:日历|自然)(?:日"
    r"|天)\)?)?"
)
_UNIT_NAMES = {
    "工作日": "workday",
    "日": "day",
    "天": "day",
    "日历日": "day",
    "日历天": "day",
    "自然日": "day",
    "自然天": "day",
    "周": "week",
    "星期": "week",
    "月": "month",
    "年": "year",
    "周年": "year",
    "小时": "hour",
}


@dataclass(frozen=True, slots=True)
class Amount:
    """Money in yuan: int when whole. `exact_unit` is False when the unit came from outside the number."""

    value_yuan: int | float
    start: int
    end: int
    exact_unit: bool = True


@dataclass(frozen=True, slots=True)
class Percent:
    value: int | float
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Duration:
    """A period. `unit`: hour, day (calendar), workday, week, month or year."""

    amount: int
    unit: str
    start: int
    end: int

    @property
    def days(self) -> int | None:
        """Calendar days where the unit fixes them; None for working days, months and years."""
        return {"day": 1, "week": 7}.get(self.unit, 0) * self.amount or None


def number(value: Decimal) -> int | float:
    """A Decimal as JSON shows it: 12 for 12.00."""
    return int(value) if value == value.to_integral_value() else float(value)


def money_unit(text: str) -> int | None:
    """Yuan per one of the unit a label or column head names: "预算金额（万元）" → 10000; None without any."""
    found = re.search(r"(亿|百万|万|千)?元", fold(text).text)
    return _factor(found.group()) if found else None


def find_amounts(text: str, default_unit: int | None = None) -> list[Amount]:
    """Every amount of money: 48000元, 4.8万元, ¥150,000.00, 捌万元整.

    `default_unit`: yuan per one of a bare number (the unit stands in the column's head); without it a
    bare number is no amount.
    """
    folded = fold(text)
    found: list[Amount] = []
    for match in _AMOUNT.finditer(folded.text):
        factor = _factor(match["unit"]) if match["unit"] else 1 if match["sign"] else None
        if (match["open"] and match["unit"] is None) or (
            match["open"] and not match["unit"].startswith("万")
        ):
            factor = None if not match["sign"] else 1
        exact = factor is not None
        factor = factor if factor is not None else default_unit
        if factor is None:
            continue
        value = Decimal(re.sub(r"[,，]", "", match["number"])) * factor
        end = match.end() if match["unit"] else match.end("number")
        found.append(Amount(number(value), *folded.back(match.start(), end), exact))
    for match in _WORDS.finditer(folded.text):
        whole = cn_number(match["words"])
        if whole is None or folded.text[match.start() - 1 : match.start()].isdecimal():
            continue
        value = whole + _tenths(match["jiao"], 10) + _tenths(match["fen"], 100)
        found.append(Amount(number(value), *folded.back(match.start(), match.end())))
    return sorted(found, key=lambda amount: amount.start)


def find_percents(text: str) -> list[Percent]:
    """Every percentage: 5%, 5.5％, 百分之五."""
    folded = fold(text)
    found: list[Percent] = []
    for match in _PERCENT.finditer(folded.text):
        value = cn_number(match["number"] or match["words"])
        if value is not None:
            found.append(Percent(number(value), *folded.back(*match.span())))
    return found


def find_durations(text: str) -> list[Duration]:
    """Every period: 90日历天, 三（3）年, 12个月, 15个工作日. Calendar years (2024年) are none."""
    folded = fold(text)
    found: list[Duration] = []
    for match in _DURATION.finditer(folded.text):
        value = cn_number(match["again"] or match["number"])
        unit = _UNIT_NAMES[match["unit"]]
        if value is None or value <= 0 or value != value.to_integral_value():
            continue
        following = folded.text[match.end() : match.end() + 1]
        if (unit == "year" and (value > 99 or following in tuple("0123456789度"))) or (
            match["unit"] == "月" and "个" not in match.group()
        ):
            continue
        found.append(Duration(int(value), unit, *folded.back(*match.span())))
    return found


def _factor(unit: str) -> int:
    scale = {"亿": 10**8, "千": 1000, "百": 100, "十": 10, "万": 10**4}
    factor = 1
    for ch in unit:
        factor *= scale.get(ch, 1)
    return factor


def _tenths(word: str | None, parts: int) -> Decimal:
    value = cn_number(word) if word else None
    return value / parts if value is not None else Decimal(0)
