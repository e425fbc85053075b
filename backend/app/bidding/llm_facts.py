"""Whether a quote proves the value that a model read from it. Pure.

A model that copies the right sentence may still get the number wrong, or turn 不接受 into true. So the
value is read again from the source's words, by type, and kept only when the two readings agree; what is
shown is ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from backend.app.bidding.findings import FACTS, Fact, Span
from backend.app.bidding.grounding import normalise
from backend.app.bidding.rules.values import (
    find_amounts,
    find_dates,
    find_durations,
    find_percents,
    money_unit,
)

Value = str | int | float | bool

_LEAST_BARE = 1_000  # yuan; a smaller number without any unit near it is a count, not a price
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_TORN = re.compile(r"(?<=\d)\s+(?=\d)")
_NONE_ASKED = re.compile(
    r"不收取|不缴纳|不交|不需要?(?:提交|缴纳|提供)?|无需|无须|免收|免交|免缴|不要求|不设"
)
_NO = re.compile(r"不接受|不允许|不得|不可|不予接受|不组成|[☑√■☒]\s*(?:不接受|不允许|否)|禁止")
_YES = re.compile(r"接受|允许|可以|[☑√■☒]\s*是")
_POINTER = re.compile(r"见.{0,12}(?:前附表|须知|附件|公告|第.{1,4}[章节])|详见|另行通知|_{3,}")


def fact_of(name: str, stated: str, text: str, span: Span) -> Fact | None:
    """The fact when text[span] proves it, with the value as the source has it; None otherwise."""
    if name not in FACTS:
        return None
    quote = text[span.start : span.end]
    found = _READERS[FACTS[name]](stated.strip(), quote)
    if found is None:
        return None
    value, written = found
    return Fact(value, written or quote, span)


def dates_in(quote: str) -> list[tuple[str, str]]:
    """Every date with its time, as (ISO, as written): "2024-11-26T09:00" or "2024-11-26"."""
    return [(found.iso, quote[found.start : found.end].strip()) for found in find_dates(quote)]


def points_in(stated: float | None, quote: str) -> float | None:
    """The points of a scoring item, when the quote holds the number."""
    if stated is None or not 0 <= stated <= 100:
        return None
    return stated if any(abs(float(n) - stated) < 1e-9 for n in _NUMBER.findall(quote)) else None


def _text(stated: str, quote: str) -> tuple[Value, str] | None:
    """Words are facts only where they stand; white space and width apart."""
    wanted, _ = normalise(stated)
    there, offsets = normalise(quote)
    at = there.find(wanted) if wanted else -1
    if at < 0 or _POINTER.search(stated):
        return None
    written = quote[offsets[at] : offsets[at + len(wanted) - 1] + 1]
    return re.sub(r"\s+", " ", written).strip(), written


def _yuan(stated: str, quote: str) -> tuple[Value, str] | None:
    wanted = _stated_amount(stated)
    if wanted is None:
        return None
    for amount, written in _amounts(quote):
        if abs(amount - wanted) < 0.005:
            return amount, written
    found = _NONE_ASKED.search(quote) if wanted == 0 else None
    return (0, found[0]) if found else None


def _percent_or_yuan(stated: str, quote: str) -> tuple[Value, str] | None:
    shares = find_percents(stated)
    if not shares:
        found = _yuan(stated, quote)
        return None if found is None else (str(found[0]), found[1])
    for share in find_percents(quote):
        if share.value == shares[0].value:
            return f"{share.value}%", quote[share.start : share.end]
    return None


def _moment(stated: str, quote: str) -> tuple[Value, str] | None:
    """A date, with its time when the quote has one; the model's and the quote's day must be the same."""
    for iso, written in dates_in(quote):
        if iso == stated or iso[:10] == stated or (iso == stated[:10] and len(stated) >= 10):
            return iso, written
    return None


def _local_time(stated: str, quote: str) -> tuple[Value, str] | None:
    found = _moment(stated, quote)
    return found if found is not None and len(str(found[0])) == len("2024-11-26T09:00") else None


def _whole(stated: str, quote: str) -> tuple[Value, str] | None:
    wanted = _stated_amount(stated.rstrip("天日历个工作"))
    if wanted is None or wanted != int(wanted):
        return None
    for period in find_durations(quote):
        if period.amount == wanted:
            return int(wanted), quote[period.start : period.end]
    bare = {float(number) for number in _NUMBER.findall(quote)}
    return (int(wanted), "") if wanted in bare and not find_durations(quote) else None


def _number(stated: str, quote: str) -> tuple[Value, str] | None:
    wanted = _stated_amount(stated.removesuffix("分").removesuffix("%"))
    return None if wanted is None or points_in(wanted, quote) is None else (wanted, "")


def _truth(stated: str, quote: str) -> tuple[Value, str] | None:
    """The quote must say one thing only: 不接受 □接受 says both and is left to the rules."""
    flat = quote.replace(" ", "")
    refuses = bool(_NO.search(flat))
    accepts = bool(_YES.search(_NO.sub("", flat)))
    if refuses == accepts or "□" in flat:
        return None
    wanted = {"true": True, "false": False}.get(stated.lower())
    return (accepts, "") if wanted is accepts else None


_READERS = {
    "str": _text,
    "yuan": _yuan,
    "percent_or_yuan": _percent_or_yuan,
    "local_time": _local_time,
    "date_or_time": _moment,
    "int": _whole,
    "bool": _truth,
    "number": _number,
}


def _amounts(quote: str) -> Iterator[tuple[int | float, str]]:
    """Amounts in yuan as (value, as written); digits torn apart by a layout are joined.

    A bare number counts when a unit stands elsewhere in the quote, as in 预算金额（万元）：120, or when it is
    too big to be anything else.
    """
    for text in dict.fromkeys((quote, _TORN.sub("", quote))):
        unit = money_unit(text)
        for found in find_amounts(text, unit or 1):
            if found.exact_unit or unit is not None or found.value_yuan >= _LEAST_BARE:
                yield found.value_yuan, text[found.start : found.end].strip()


def _stated_amount(stated: str) -> int | float | None:
    """What the model wrote as a number: "10787900", "10,787,900.00元", "120万元"."""
    found = find_amounts(stated, 1)
    whole = len(found) == 1 and found[0].end - found[0].start >= len(stated.strip()) - 1
    return found[0].value_yuan if whole else None
