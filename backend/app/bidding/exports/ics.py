"""The dated moments of a tender as an iCalendar file (RFC 5545)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from icalendar import Alarm, Calendar, Event, Timezone, TimezoneStandard

from backend.app.bidding.exports.calendar_rows import Moment, moments
from backend.app.bidding.exports.report_view import CHINA, ReportView
from backend.app.bidding.exports.wording import REVIEWS
from backend.app.common.errors import NoDates

_PRODUCT = "-//Sales Assistant//Bid calendar//ZH"
_ZONE = "Asia/Shanghai"
# SEQUENCE counts seconds from here: it grows with every later change, and fits 31 bits until 2092.
_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
_LARGEST_SEQUENCE = 2**31 - 1
_MEETINGS = ("开标", "踏勘", "标前会", "答疑会", "样品", "演示", "谈判", "磋商")
_DEADLINES = ("截止", "到账", "递交", "提交", "期限", "获取", "解密")
_MEETING = timedelta(hours=1)
_LONGEST_TITLE = 200
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
_MORNING = 9 * _HOUR  # when one is reminded of what has no hour


def render_ics(view: ReportView) -> bytes:
    """One event a moment. Raises NoDates when the document names no date: an empty calendar says nothing."""
    rows = moments(view)
    if not rows:
        raise NoDates
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("x-wr-calname", view.project[:_LONGEST_TITLE])
    calendar.add("x-wr-timezone", _ZONE)
    calendar.add_component(_zone())
    revised = view.revised_at().astimezone(UTC).replace(microsecond=0)
    for moment in rows:
        calendar.add_component(_event(view, moment, revised))
    written: bytes = calendar.to_ical()
    return written


def _zone() -> Timezone:
    """China's time as it has been since 1991: eight hours, all year."""
    zone, standard = Timezone(), TimezoneStandard()
    zone.add("tzid", _ZONE)
    standard.add("dtstart", datetime(1991, 9, 15, 1))  # noqa: DTZ001 — local time, by the RFC
    standard.add("tzoffsetfrom", timedelta(hours=8))
    standard.add("tzoffsetto", timedelta(hours=8))
    standard.add("tzname", "CST")
    zone.add_component(standard)
    return zone


def _event(view: ReportView, moment: Moment, revised: datetime) -> Event:
    event = Event()
    event.add("uid", _uid(view, moment))
    # Without METHOD, DTSTAMP is when the event's content last changed (RFC 5545, 3.8.7.2).
    event.add("dtstamp", revised)
    event.add("last-modified", revised)
    event.add("sequence", _sequence(revised))
    event.add("summary", f"【{moment.title}】{view.project}"[:_LONGEST_TITLE].replace("\n", " "))
    event.add("description", _description(view, moment))
    event.add("categories", ["投标"])
    event.add("status", "CONFIRMED")
    for name, value in _times(moment).items():
        event.add(name, value)
    is_meeting = _is_meeting(moment)
    event.add("transp", "OPAQUE" if is_meeting and moment.is_timed else "TRANSPARENT")
    if _starts_at(moment) > view.origin.made_at:  # a calendar would ring at once for what is past
        for before in _reminders(moment, is_meeting=is_meeting):
            event.add_component(_alarm(moment, before))
    return event


def _times(moment: Moment) -> dict[str, date | datetime]:
    """A deadline is an instant, so it has no end; a meeting takes an hour, a day ends with the next."""
    if not isinstance(moment.when, datetime):
        return {"dtstart": moment.when, "dtend": moment.when + _DAY}
    start = moment.when.replace(tzinfo=CHINA)
    return {"dtstart": start, "dtend": start + _MEETING} if _is_meeting(moment) else {"dtstart": start}


def _starts_at(moment: Moment) -> datetime:
    when = moment.when if isinstance(moment.when, datetime) else datetime(*moment.day.timetuple()[:3])  # noqa: DTZ001
    return when.replace(tzinfo=CHINA)


def _is_meeting(moment: Moment) -> bool:
    return any(word in moment.title for word in _MEETINGS) and "截止" not in moment.title


def _reminders(moment: Moment, *, is_meeting: bool) -> Iterator[timedelta]:
    """Times relative to the start: a week, a day and two hours before a deadline."""
    is_deadline = any(word in moment.title for word in _DEADLINES)
    days = (7, 1) if is_deadline else (1,)
    if moment.is_timed:
        yield from (-day * _DAY for day in days)
        if is_deadline or is_meeting:
            yield -2 * _HOUR
    else:
        yield from (-day * _DAY + _MORNING for day in days)
        yield _MORNING


def _alarm(moment: Moment, before: timedelta) -> Alarm:
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", moment.title)
    alarm.add("trigger", before)
    return alarm


def _uid(view: ReportView, moment: Moment) -> str:
    """The same for the same moment of the same file, however often it is exported: of the fact, which is
    always there, else of the first item."""
    document = view.result.get("document") or {}
    source = document.get("sha256") or f"task-{view.origin.task_id}"
    digest = hashlib.sha256(f"{source}\n{moment.keys[0]}".encode("utf-8", "replace"))
    return f"{digest.hexdigest()[:32]}@sales-assistant"


def _sequence(revised: datetime) -> int:
    return min(max(0, int((revised - _EPOCH).total_seconds())), _LARGEST_SEQUENCE)


def _description(view: ReportView, moment: Moment) -> str:
    """Quotes with their places, then advice, review, file and task."""
    lines = [f"“{quote.text}”" + (f"（{quote.place}）" if quote.place else "") for quote in moment.quotes]
    lines += [f"建议：{moment.guidance}"] if moment.guidance else []
    lines += [f"核对：{moment.review}"] if moment.review not in ("", REVIEWS["open"]) else []
    lines += [f"{title}：{value}" for title, value in view.meta() if title in ("招标文件", "任务编号")]
    return "\n".join(lines)
