"""Text folded for reading values out of it, and Chinese numerals.

PDF text breaks values by white space anywhere ("2024 年 11 月", "107879 00.00"); two columns of a table
are set apart by white space too ("3 150000元"). `fold` therefore drops white space, except between two
digits, where it leaves `GAP` unless the second group cannot begin a number of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

GAP = "¦"
_FOLD = str.maketrans(
    {
        **{chr(0xFF10 + n): chr(0x30 + n) for n in range(10)},
        **{chr(0xFF21 + n): chr(0x41 + n) for n in range(26)},
        **{chr(0xFF41 + n): chr(0x61 + n) for n in range(26)},
        "％": "%",
        "﹪": "%",
        "．": ".",
        "：": ":",
        "︰": ":",
        "∶": ":",
        "（": "(",
        "）": ")",
        "￥": "¥",
        "／": "/",
        "－": "-",
        "–": "-",
        "—": "-",
        "−": "-",
        "～": "~",
        "圆": "元",
        "〇": "零",
        "○": "零",
    }
)
_ORPHAN = re.compile(r"0\d|0[.,]0|0(?![\d:时点])")  # "00.00": the rest of a number, not one of its own
_TRIPLE = re.compile(r"\d{3}(?!\d)")

_DIGITS = dict(zip("零一二三四五六七八九", range(10), strict=True)) | dict(
    zip("零壹贰叁肆伍陆柒捌玖", range(10), strict=True)
)
_DIGITS |= {"两": 2, "貳": 2, "參": 3, "陸": 6, "弍": 2}
_UNITS = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
_MYRIADS = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
CN_NUMERAL = "[" + "".join(_DIGITS) + "".join(_UNITS) + "".join(_MYRIADS) + "]"


@dataclass(frozen=True, slots=True)
class Folded:
    """`offsets[i]` is the place of `text[i]` in the string that was folded."""

    text: str
    offsets: tuple[int, ...]

    def back(self, start: int, end: int) -> tuple[int, int]:
        """The range of the original that text[start:end] was made from; not empty."""
        return self.offsets[start], self.offsets[end - 1] + 1


def fold(text: str) -> Folded:
    """Half-width and without white space, each character still one character."""
    letters: list[str] = []
    offsets: list[int] = []
    gap_at = -1
    for at, ch in enumerate(text.translate(_FOLD)):
        if ch.isspace() or ch in "\u200b\ufeff":
            gap_at = at if gap_at < 0 or ch == "\t" else gap_at
            continue
        if gap_at >= 0 and letters and _parts_numbers(letters, text, gap_at, at):
            letters.append(GAP)
            offsets.append(gap_at)
        gap_at = -1
        letters.append(ch)
        offsets.append(at)
    return Folded("".join(letters), tuple(offsets))


def _parts_numbers(before: list[str], text: str, gap_at: int, at: int) -> bool:
    """Whether white space between two digits stands between two numbers."""
    if not (before[-1].isdecimal() and text[at].isdecimal()):
        return False
    if text[gap_at] == "\t":
        return True
    rest = text[at : at + 24].translate(_FOLD)
    if _ORPHAN.match(rest) and not re.match(r"0?\d[:时点]", rest):
        return False
    # Thousands set apart by thin space: "1 500 000"; one group alone may be another column.
    return not (_TRIPLE.match(rest) and re.match(r"\d{3}[  ]\d{3}(?!\d)", rest))


def cn_number(text: str) -> Decimal | None:
    """壹拾伍万 → 150000, 二十六 → 26, 二零二四 → 2024, "1.5万" → 15000; None when it is no numeral."""
    if not text:
        return None
    if all(ch in _DIGITS for ch in text):
        return Decimal("".join(str(_DIGITS[ch]) for ch in text))
    plain = re.fullmatch(r"(\d[\d,，]*(?:\.\d+)?)([十百千拾佰仟万萬亿億]*)", text)
    if plain:
        value = Decimal(re.sub(r"[,，]", "", plain[1]))
        for unit in plain[2]:
            value *= _UNITS.get(unit) or _MYRIADS[unit]
        return value
    return _cn_sum(text)


def _cn_sum(text: str) -> Decimal | None:
    total = section = digit = 0
    for ch in text:
        if ch in _DIGITS:
            digit = _DIGITS[ch]
        elif ch in _UNITS:
            section += (digit or 1) * _UNITS[ch]
            digit = 0
        elif ch in _MYRIADS:
            if total and total < _MYRIADS[ch]:
                total = (total + section + digit) * _MYRIADS[ch]
            else:
                total += (section + digit) * _MYRIADS[ch]
            section = digit = 0
        else:
            return None
    return Decimal(total + section + digit)
