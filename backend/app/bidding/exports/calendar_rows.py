"""The dated moments of a tender, from facts and timeline items, each once and in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from backend.app.bidding.exports.report_view import ReportView
from backend.app.bidding.exports.wording import FACT_TITLES, legal, place_of, review_of

# The fact that says the same as a milestone (rules/tabs_timeline.py), so that the two become one row.
_SAME = {
    "投标截止/递交时间": "bid_deadline",
    "投标截止及开标": "bid_deadline",
    "开标/开启时间": "opening_time",
    "提疑/澄清截止": "clarification_deadline",
}
_SALE = "文件获取/报名"
_DATED_FACTS = (
    "document_sale_start",
    "document_sale_end",
    "clarification_deadline",
    "bid_deadline",
    "opening_time",
)


@dataclass(frozen=True, slots=True)
class Quote:
    text: str
    place: str


@dataclass(slots=True)
class Moment:
    """`when`: a date, or a naive datetime in the tender's local time (China's). `keys`: fact name or
    milestone, and item ids, from which a calendar's identity is made."""

    when: date | datetime
    title: str
    kind: str
    keys: list[str]
    quotes: list[Quote] = field(default_factory=list)
    guidance: str = ""
    review: str = ""

    @property
    def is_timed(self) -> bool:
        return isinstance(self.when, datetime)

    @property
    def day(self) -> date:
        return self.when.date() if isinstance(self.when, datetime) else self.when

    @property
    def written(self) -> str:
        return f"{self.when:%Y-%m-%d %H:%M}" if self.is_timed else f"{self.when:%Y-%m-%d}"


def moments(view: ReportView) -> list[Moment]:
    """Sorted by time, whole days before the hours of that day. What has no date is not here."""
    found: dict[tuple[str, date], list[Moment]] = {}
    for moment in (*_of_facts(view), *_of_items(view)):
        of_the_day = found.setdefault((moment.kind, moment.day), [])
        twin = next((other for other in of_the_day if _same(other, moment)), None)
        if twin is None:
            of_the_day.append(moment)
        else:
            _merge(twin, moment)
    every = [moment for of_the_day in found.values() for moment in of_the_day]
    return sorted(every, key=lambda moment: (_start(moment.when), moment.is_timed, moment.title))


def parsed(value: object) -> date | datetime | None:
    """ "2026-03-25" or "2026-03-25T10:00"; None for anything else."""
    text = str(value)
    try:
        if len(text) == 10:
            return date.fromisoformat(text)
        return datetime.fromisoformat(text).replace(tzinfo=None)  # written without a zone: local time
    except ValueError:
        return None


def _start(when: date | datetime) -> datetime:
    return when if isinstance(when, datetime) else datetime.combine(when, time())


def _of_facts(view: ReportView) -> Iterator[Moment]:
    rows = {row.name: row for row in view.facts()}
    for name in _DATED_FACTS:
        fact: Mapping[str, Any] = (view.result.get("facts") or {}).get(name) or {}
        when = parsed(fact.get("value"))
        if when is None:
            continue
        source = fact.get("source") or {}
        quote = Quote(legal(source.get("excerpt") or fact.get("text") or ""), rows[name].place)
        yield Moment(when, FACT_TITLES[name], name, [name], [quote])


def _of_items(view: ReportView) -> Iterator[Moment]:
    sale_end = _value(view, "document_sale_end")
    for item in view.items("bid_timeline"):
        when = parsed(item.get("date"))
        if when is None:
            continue
        milestone = legal(item.get("milestone") or item.get("title") or "")
        state, note = review_of(item)
        yield Moment(
            when,
            milestone,
            _kind(milestone, when, sale_end),
            [str(item["id"])],
            [Quote(legal(item.get("source_excerpt") or ""), place_of(item))],
            legal(item.get("guidance") or ""),
            f"{state}：{note}" if note else state,
        )


def _kind(milestone: str, when: date | datetime, sale_end: date | datetime | None) -> str:
    if milestone == _SALE:
        return "document_sale_end" if when == sale_end else "document_sale_start"
    return _SAME.get(milestone, milestone)


def _value(view: ReportView, name: str) -> date | datetime | None:
    fact: Mapping[str, Any] = (view.result.get("facts") or {}).get(name) or {}
    return parsed(fact.get("value"))


def _same(one: Moment, other: Moment) -> bool:
    """Of two of one kind and day: the same event, unless they name different hours."""
    return one.when == other.when or one.is_timed != other.is_timed


def _merge(kept: Moment, other: Moment) -> None:
    if other.is_timed and not kept.is_timed:
        kept.when = other.when
    kept.keys += other.keys
    kept.quotes += [quote for quote in other.quotes if quote not in kept.quotes]
    kept.guidance = kept.guidance or other.guidance
    if other.review and other.review not in kept.review.split("；"):
        kept.review = "；".join(part for part in (kept.review, other.review) if part)
