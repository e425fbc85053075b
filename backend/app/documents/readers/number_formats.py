"""Numbers of a spreadsheet as a person sees them: by the cell's number format, as far as it is understood.

A tender's sheet says 5% and 2026年1月15日; the file stores 0.05 and 46037. What a format asks for beyond
decimals, thousands, percent, fixed words and dates is left out, and the plain number is shown.
Source: ECMA-376 part 1, 18.8.30 and 18.8.31 (the formats that are known by number alone).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

GENERAL = "General"
BUILT_IN = {
    0: GENERAL, 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 14: "yyyy-m-d",
    15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm",
    21: "h:mm:ss", 22: "yyyy-m-d h:mm", 37: "#,##0", 38: "#,##0", 39: "#,##0.00", 40: "#,##0.00",
    41: "#,##0", 42: "#,##0", 43: "#,##0.00", 44: "#,##0.00", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss",
    27: 'yyyy"年"m"月"', 28: 'm"月"d"日"', 29: 'm"月"d"日"', 30: "yyyy-m-d", 31: 'yyyy"年"m"月"d"日"',
    32: 'h"时"mm"分"', 33: 'h"时"mm"分"ss"秒"', 34: "h:mm", 35: "h:mm:ss", 36: 'yyyy"年"m"月"',
    50: 'yyyy"年"m"月"', 51: 'm"月"d"日"', 52: 'yyyy"年"m"月"', 53: 'm"月"d"日"', 54: 'm"月"d"日"',
    55: "h:mm", 56: "h:mm:ss", 57: 'yyyy"年"m"月"', 58: 'm"月"d"日"',
}  # fmt: skip

EPOCH, EPOCH_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)  # noqa: DTZ001 — a sheet has no zone
_LAST_SERIAL = 2_958_465  # 9999-12-31
_DIGITS = 12  # significant: hides 0.30000000000000004 and keeps any sum of money
_LONGEST_FORMAT = 255
_BEYOND = 400  # digits by which a number is moved so that nothing of it is left
_CURRENCY = re.compile(r"\[\$([^\]-]*)(?:-[^\]]*)?\]")
_ELAPSED = re.compile(r"\[([hms])+\]", re.IGNORECASE)
_BRACKET = re.compile(r"\[[^\]]*\]")
_PART = re.compile(r'"([^"]*)"|\\(.)|!(.)|_(?:.)|\*(?:.)|([0#?.,]+)|(%)|(.)', re.DOTALL)
_DATE_PART = re.compile(r'"([^"]*)"|\\(.)|(AM/PM|A/P|上午/下午)|([yYmMdDhHsS])\4*|(.)', re.DOTALL)
_NUMBER = re.compile(r"^([#?0,]*)(?:\.([#?0]*))?(,*)$")


@dataclass(frozen=True, slots=True)
class _Pattern:
    """One section of a number format: words before and after, and how the digits are set."""

    before: str
    after: str
    decimals: int
    needed: int  # of the decimals: zeros that are shown even when they mean nothing
    thousands: bool
    zero: bool  # whether nought is written: "#" and "?" leave it out
    shift: int  # digits to move the point: 2 for percent, -3 for each trailing comma


def shown(value: float, code: str, *, from_1904: bool = False) -> str:
    """A cell's number under a format code."""
    if code == GENERAL or len(code) > _LONGEST_FORMAT:
        return plain(value)
    if is_date(code):
        return _date(value, code, from_1904=from_1904)
    sections = _sections(code)
    at = 1 if value < 0 and len(sections) > 1 else 2 if value == 0 and len(sections) > 2 else 0
    pattern = _pattern(sections[at])
    if pattern is None:
        return plain(value)
    sign = "-" if value < 0 and at == 0 else ""
    return f"{sign}{pattern.before}{_digits(abs(value), pattern)}{pattern.after}".strip()


def plain(value: float) -> str:
    """A number without a format: 3, 0.5, 1234567.89."""
    if value != value or value in (float("inf"), float("-inf")):
        return ""
    text = f"{value:.{_DIGITS}g}"
    text = text if "e" not in text else format(Decimal(text), "f") if abs(value) < 1e21 else text
    return text.rstrip("0").rstrip(".") if "." in text else text


def of_python(value: object) -> str:
    """What calamine gives for a cell, as text. Dates come without their format: ISO, or hours of a day."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return plain(float(value)) if abs(value) < 1e300 else str(value)
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return value.strftime("%H:%M:%S" if value.second else "%H:%M")
    if isinstance(value, timedelta):
        return _hours(value.total_seconds() / 86400)
    return str(value)


@lru_cache(maxsize=1024)
def is_date(code: str) -> bool:
    """Whether a format shows a date or a time: it has date letters outside of words and brackets."""
    first = _sections(code)[0] if code else ""
    if _ELAPSED.search(first):
        return True
    bare = re.sub(r'"[^"]*"|\\.|_.|\*.', "", _BRACKET.sub("", first))
    return (
        "general" not in bare.lower()
        and not re.search(r"[0#?]", bare)
        and bool(re.search(r"[ymdhs]", bare, re.IGNORECASE))
    )


@lru_cache(maxsize=1024)
def _sections(code: str) -> list[str]:
    """A format's parts for positive; negative; zero; text: split at ";" outside of words."""
    return re.findall(r'(?:^|(?<=;))((?:"[^"]*"|\\.|[^;"\\])*)', code) or [code]


@lru_cache(maxsize=1024)
def _pattern(section: str) -> _Pattern | None:
    """None where the section is not understood: fractions, exponents, digits with words between them."""
    words: list[str] = ["", ""]
    digits, percent = "", 0
    text = _BRACKET.sub("", _CURRENCY.sub(lambda match: f'"{match.group(1)}"', section))
    text = re.sub("general", "#", text, flags=re.IGNORECASE)
    for match in _PART.finditer(text):
        quoted, escaped, marked, number, sign, other = match.groups()
        if number is not None:
            if digits:
                return None
            digits = number
            continue
        if other is not None and (other in "@/Ee" or (other.isascii() and other.isalpha())):
            return None
        percent += sign is not None
        words[bool(digits)] += quoted or escaped or marked or sign or other or ""
    if not digits:  # words alone, as 0;-0;"无" has for nought
        return (
            _Pattern("".join(words), "", 0, 0, thousands=False, zero=False, shift=-_BEYOND)
            if words[0]
            else None
        )
    found = _NUMBER.match(digits)
    if found is None:
        return None
    whole, decimals, scaled = found.group(1), found.group(2), found.group(3)
    trailing = len(scaled) if decimals is not None else len(whole) - len(whole.rstrip(","))
    general = digits == "#" and "eneral" in section
    return _Pattern(
        words[0],
        words[1],
        _DIGITS if general else len(decimals or ""),
        (decimals or "").count("0"),
        "," in whole.rstrip(","),
        "0" in digits or general,
        2 * percent - 3 * trailing,
    )


def _digits(value: float, pattern: _Pattern) -> str:
    try:
        exact = Decimal(f"{value:.15g}").scaleb(pattern.shift)
        rounded = exact.quantize(Decimal(1).scaleb(-pattern.decimals), rounding=ROUND_HALF_UP)
    except ArithmeticError:  # more digits than a sheet can show
        return plain(value)
    if not rounded and not pattern.zero:
        return ""
    text = format(rounded, ",f" if pattern.thousands else "f")
    whole, point, decimals = text.partition(".")
    if point:
        kept = decimals[: pattern.needed] + decimals[pattern.needed :].rstrip("0")
        text = f"{whole}.{kept}" if kept else whole
    return text


def _date(value: float, code: str, *, from_1904: bool) -> str:
    if not 0 <= value <= _LAST_SERIAL:
        return plain(value)
    section = _sections(code)[0]
    if _ELAPSED.search(section):
        return _hours(value)
    # Serials up to 60 count a 29 February 1900 that never was; they are times of a day in practice.
    moment = (EPOCH_1904 if from_1904 else EPOCH) + timedelta(seconds=round(value * 86400))
    return _dated(moment, _BRACKET.sub("", section))


def _dated(moment: datetime, section: str) -> str:
    """A date set as its format says; month names as numbers."""
    out: list[str] = []
    halves = bool(re.search(r"AM/PM|A/P|上午/下午", section))
    clock = False  # whether the last letter was of an hour: then m means minutes
    for match in _DATE_PART.finditer(section):
        quoted, escaped, half, letter, other = match.groups()
        if letter is not None:
            out.append(
                _piece(
                    moment, match.group(0).lower(), clock=clock, halves=halves, rest=section[match.end() :]
                )
            )
            clock = letter in "hHsS" or (clock and letter in "mM")
        elif half is not None:
            out.append("上午" if moment.hour < 12 else "下午")
        else:
            out.append(quoted or escaped or ("" if other in (None, "@", ";", "_", "*") else other))
    return "".join(out).strip()


def _piece(moment: datetime, letters: str, *, clock: bool, halves: bool, rest: str) -> str:
    wide = 2 if len(letters) > 1 else 1
    letter = letters[0]
    if letter == "y":
        return f"{moment.year:04d}"  # "26" alone would not be known for a year
    if letter == "m" and (clock or re.match(r"[^ymdh]*s", rest, re.IGNORECASE)):
        return f"{moment.minute:0{wide}d}"
    if letter == "d" and len(letters) > 2:
        return "星期" + "一二三四五六日"[moment.weekday()]
    hour = (moment.hour % 12 or 12) if halves else moment.hour
    number = {"m": moment.month, "d": moment.day, "h": hour, "s": moment.second}[letter]
    return f"{number:0{wide}d}"


def _moment(moment: datetime) -> str:
    if moment.time() == time(0):
        return moment.date().isoformat()
    return moment.strftime("%Y-%m-%d %H:%M:%S" if moment.second else "%Y-%m-%d %H:%M")


def _hours(days: float) -> str:
    seconds = round(abs(days) * 86400)
    sign = "-" if days < 0 else ""
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
