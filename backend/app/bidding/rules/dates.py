"""Dates and local times in Chinese text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from backend.app.bidding.rules.numerals import CN_NUMERAL, GAP, Folded, cn_number, fold

_G = f"{GAP}?"
# 年月日 delimit, so a broken text layer may part the digits; with - / . it may not.
_YEAR = rf"(?P<y>2{_G}0{_G}\d{_G}\d)"
_DATE = re.compile(
    rf"(?<![\d.])(?:{_YEAR}年度?(?P<m>\d{_G}\d?)月份?(?P<d>\d{_G}\d?)[日号]?"
    rf"|(?P<y2>20\d\d)(?P<sep>[-/.])(?P<m2>\d{{1,2}})(?P=sep)(?P<d2>\d{{2}}(?=\d{{1,2}}:\d\d)|\d{{1,2}}(?![\d.]\d|\d))日?"
    rf"|(?P<yc>[二两][零一二三四五六七八九Oo0]{{3}})年(?P<mc>{CN_NUMERAL}{{1,2}})月(?P<dc>{CN_NUMERAL}{{1,3}})[日号])"
)
_CAPITAL_O = re.compile(r"(?<=[二两零一三四五六七八九Oo])[Oo0]")  # "二O二六年": typed for 〇
_LATER_DATE = re.compile(  # the end of a range that leaves out its year, or its year and month
    rf"(?:起)?(?:至|到|-|~|—)+(?:(?P<m>\d{_G}\d?)月)?(?P<d>\d{_G}\d?)日(?![历前内起])"
)
_TIME = re.compile(
    rf"(?:\((?:[^()]{{1,10}})\)|星期.|周[一二三四五六日]|,|，|{GAP}|T)*"
    r"(?:北京时间)?(?P<half>上午|下午|中午|晚上?|凌晨|早上)?:?"
    r"(?:(?P<h>\d{1,2})(?::(?P<min>\d{2})(?::\d{2}(?:\.\d+)?)?|[时点](?:(?P<min2>\d{1,2})分?|(?P<mid>半))?"
    rf"(?:\d{{1,2}}秒)?)|(?P<hc>{CN_NUMERAL}{{1,3}})[时点](?:(?P<minc>{CN_NUMERAL}{{1,3}})分?|(?P<midc>半))?)[时整]*"
)
# "9:00-11:30" or "9时至17时" behind a date: office hours, not the moment.
_HOURS_RANGE = re.compile(
    r"(?:起)?[-~至到]+(?:上午|下午|晚上)?(?P<h>\d{1,2})(?::(?P<min>\d{2})(?::\d{2})?|[时点](?:(?P<min2>\d{1,2})分)?)"
)


@dataclass(frozen=True, slots=True)
class DateMatch:
    """`iso`: "2024-11-26" or local time "2024-11-26T09:30".

    `linked`: the end of a range begun just before. `until`: the later moment where hours follow the day
    ("2024年11月26日9:00-9:30"), which may be what is meant or the end of mere office hours; it covers both.
    """

    iso: str
    start: int
    end: int
    linked: bool = False
    until: DateMatch | None = None

    @property
    def day(self) -> str:
        return self.iso[:10]

    @property
    def has_time(self) -> bool:
        return "T" in self.iso


def find_dates(text: str) -> list[DateMatch]:
    """Every full date, with the time when one follows it.

    24:00 is given as 00:00 of the next day. The end of a range takes its missing year from the begin
    ("2024年11月4日至11月12日"). Dates that no calendar has are left out.
    """
    folded = fold(text)
    found: list[DateMatch] = []
    for match in _DATE.finditer(folded.text):
        day = _day(match)
        if day is None:
            continue
        here, end = _with_time(folded, day, match.start(), match.end())
        if found and _links(text, found[-1].end, here.start):
            here = replace(here, linked=True)
        found.append(here)
        found.extend(_range_end(folded, day, end))
    return found


def _day(match: re.Match[str]) -> date | None:
    parts = [
        match[a] or match[b] or match[c]
        for a, b, c in (("y", "y2", "yc"), ("m", "m2", "mc"), ("d", "d2", "dc"))
    ]
    numbers = [cn_number(_CAPITAL_O.sub("零", part.replace(GAP, ""))) for part in parts]
    return _calendar(*(int(n) if n is not None else 0 for n in numbers))


def _clock(time: re.Match[str]) -> tuple[int, int]:
    """Hour and minute of a match of `_TIME`: 9:30, 9时30分, 九时三十分, 九点半."""
    if time["h"]:
        return int(time["h"]), int(time["min"] or time["min2"] or (30 if time["mid"] else 0))
    hour = cn_number(time["hc"])
    minute = cn_number(time["minc"]) if time["minc"] else 30 if time["midc"] else 0
    return (int(hour), int(minute)) if hour is not None and minute is not None else (99, 0)


def _calendar(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _range_end(folded: Folded, begin: date, at: int) -> Iterator[DateMatch]:
    match = _LATER_DATE.match(folded.text, at)
    if match is None:
        return
    month = int(match["m"].replace(GAP, "")) if match["m"] else begin.month
    day = _calendar(begin.year, month, int(match["d"].replace(GAP, "")))
    if day is not None and day < begin:
        day = _calendar(begin.year + 1, day.month, day.day)
    if day is None:
        return
    start = match.start("m") if match["m"] else match.start("d")
    later, _ = _with_time(folded, day, start, match.end())
    yield replace(later, linked=True)


def _with_time(folded: Folded, day: date, start: int, end: int) -> tuple[DateMatch, int]:
    """The date with the moment that follows it, if one does; and where reading goes on."""
    time = _TIME.match(folded.text, end)
    if time is None:
        return DateMatch(day.isoformat(), *folded.back(start, end)), end
    if hours := _HOURS_RANGE.match(folded.text, time.end()):
        hour, minute = int(hours["h"]), int(hours["min"] or hours["min2"] or 0)
        moment = f"{day.isoformat()}T{hour:02d}:{minute:02d}" if hour < 24 and minute < 60 else None
        until = DateMatch(moment, *folded.back(start, hours.end())) if moment else None
        return DateMatch(day.isoformat(), *folded.back(start, end), until=until), end
    hour, minute = _clock(time)
    if time["half"] in ("下午", "晚", "晚上") and hour < 12:
        hour += 12
    if minute > 59 or hour > 24 or (hour == 24 and minute):
        return DateMatch(day.isoformat(), *folded.back(start, end)), end
    if hour == 24:
        day, hour = day + timedelta(days=1), 0
    iso = f"{day.isoformat()}T{hour:02d}:{minute:02d}"
    return DateMatch(iso, *folded.back(start, time.end())), time.end()


def _links(text: str, end: int, start: int) -> bool:
    """Whether only the word of a range stands between two dates: 至, 到, -, ~."""
    between = fold(text[end:start]).text
    return (
        len(between) <= 12
        and re.fullmatch(
            r"(?:\([^()]*\)|[上下]午|起|开始|,|，|止|自|始)*(?:至|到|-|~)+(?:[上下]午)?", between
        )
        is not None
    )
