"""The calendar, read again by icalendar."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from icalendar import Calendar

from backend.app.bidding.exports import BIDDING_EXPORTS, ReportView
from backend.app.common.errors import NoDates
from backend.tests.exported import ORIGIN, items, many, reviewed, tender, view

CHINA = timedelta(hours=8)


def written(shown: ReportView) -> bytes:
    return BIDDING_EXPORTS["ics"].render(shown)


def events(result: dict[str, Any], *, only_confirmed: bool = False) -> list[Any]:
    calendar = Calendar.from_ical(written(view(result, only_confirmed=only_confirmed)))
    return list(calendar.walk("VEVENT"))


def named(found: list[Any], title: str) -> Any:
    (event,) = [e for e in found if e["summary"].startswith(f"【{title}】")]
    return event


def alarms(event: Any) -> list[timedelta]:
    return [alarm["trigger"].dt for alarm in event.walk("VALARM")]


def test_dates_of_facts_and_items_are_events_in_chinas_time() -> None:
    calendar = Calendar.from_ical(written(view(tender())))
    found = list(calendar.walk("VEVENT"))

    (zone,) = calendar.walk("VTIMEZONE")
    assert zone["tzid"] == "Asia/Shanghai"
    deadline = named(found, "投标截止时间")
    assert deadline["dtstart"].params["tzid"] == "Asia/Shanghai"
    assert deadline["dtstart"].dt.astimezone(UTC) == datetime(2026, 3, 24, 1, 30, tzinfo=UTC)
    assert deadline["dtstart"].dt.utcoffset() == CHINA
    assert "2026年3月24日09时30分" in deadline["description"]
    assert "江州市青禾区图书馆" in deadline["summary"]


def test_whole_days_end_with_the_next_and_take_no_time_of_anybody() -> None:
    event = named(events(tender()), "文件获取开始")

    assert (event["dtstart"].dt, event["dtend"].dt) == (date(2026, 3, 2), date(2026, 3, 3))
    assert event["transp"] == "TRANSPARENT"


def test_a_meeting_takes_an_hour_and_a_deadline_none() -> None:
    found = events(tender())
    opening, deadline = named(found, "开标时间"), named(found, "投标截止时间")

    assert opening["dtend"].dt - opening["dtstart"].dt == timedelta(hours=1)
    assert opening["transp"] == "OPAQUE"
    assert "dtend" not in deadline
    assert deadline["transp"] == "TRANSPARENT"


def test_a_deadline_rings_a_week_a_day_and_two_hours_before() -> None:
    found = events(tender())

    assert alarms(named(found, "投标截止时间")) == [
        -timedelta(days=7),
        -timedelta(days=1),
        -timedelta(hours=2),
    ]
    assert alarms(named(found, "开标时间")) == [-timedelta(days=1), -timedelta(hours=2)]


def test_what_is_past_is_kept_and_does_not_ring() -> None:
    """A calendar rings at once for reminders that are due already."""
    event = named(events(tender()), "文件获取截止")  # 6 March; exported on the 10th

    assert alarms(event) == []


def test_a_day_without_an_hour_rings_in_the_morning() -> None:
    result = tender()
    items(result, "bid_timeline").append(
        {
            "id": "x",
            "title": "保证金到账",
            "milestone": "保证金到账",
            "date": "2026-03-20",
            "source_excerpt": "到账",
        }
    )

    assert alarms(named(events(result), "保证金到账")) == [
        timedelta(days=-7, hours=9),
        timedelta(days=-1, hours=9),
        timedelta(hours=9),
    ]


def test_the_fact_and_the_items_of_one_moment_are_one_event_with_all_quotes() -> None:
    result = tender()
    twin = {"id": "t", "milestone": "投标截止/递交时间", "title": "截止", "date": "2026-03-24T09:30",
            "source_excerpt": "2026年3月24日上午9点半截止", "page": 4, "path": "前附表"}  # fmt: skip
    before = len(events(result))
    items(result, "bid_timeline").append(twin)
    items(result, "bid_timeline").append(twin | {"id": "t2", "date": "2026-03-24"})

    found = events(result)

    assert len(found) == before
    assert "“2026年3月24日上午9点半截止”（第 4 页 · 前附表）" in named(found, "投标截止时间")["description"]


def test_other_hours_of_the_same_day_are_events_of_their_own() -> None:
    """A document that contradicts itself must be seen to do so."""
    result = tender()
    other = {
        "id": "t",
        "milestone": "投标截止/递交时间",
        "date": "2026-03-24T10:00",
        "source_excerpt": "十点",
    }
    before = len(events(result))
    items(result, "bid_timeline").append(other)

    assert len(events(result)) == before + 1


def test_an_export_of_the_same_content_has_the_same_ids_and_sequence() -> None:
    """A calendar then updates its events; it would otherwise show each twice."""
    result = reviewed()
    later = replace(ORIGIN, made_at=ORIGIN.made_at + timedelta(hours=5))
    first, second = written(view(result)), written(ReportView.of(result, later))
    narrowed = events(result, only_confirmed=True)

    assert first == second
    whole = {event["uid"] for event in events(result)}
    assert {event["uid"] for event in narrowed} <= whole
    assert len(whole) == len(events(result))


def test_a_later_review_raises_the_sequence_and_moves_the_stamps() -> None:
    before, after = events(tender())[0], events(reviewed())[0]

    assert before["last-modified"].dt == before["dtstamp"].dt == ORIGIN.completed_at
    assert after["last-modified"].dt == datetime(2026, 3, 9, 5, 6, 7, tzinfo=UTC)
    assert before["uid"] == after["uid"]
    assert 0 < before["sequence"] < after["sequence"] < 2**31


def test_another_file_has_other_ids() -> None:
    other = tender()
    other["document"]["sha256"] = "ef" * 32

    assert not {e["uid"] for e in events(tender())} & {e["uid"] for e in events(other)}


def test_a_document_without_dates_is_a_problem_not_an_empty_calendar() -> None:
    result = tender()
    result["facts"] = dict.fromkeys(result["facts"])
    for item in items(result, "bid_timeline"):
        item["date"] = None

    with pytest.raises(NoDates):
        written(view(result))


def test_lines_are_folded_at_75_octets_and_end_with_crlf() -> None:
    content = written(view(tender()))

    assert b"\n" not in content.replace(b"\r\n", b"")
    assert max(map(len, content.split(b"\r\n"))) <= 75


def test_words_of_the_tender_cannot_start_a_line_of_their_own() -> None:
    result = tender()
    result["facts"]["project_name"]["value"] = "项目\r\nBEGIN:VALARM\r\nX:1;,\\n"
    found = events(result)

    assert found[0]["summary"].count("BEGIN:VALARM") == 1
    assert len(found) == len(events(tender()))
    assert not [alarm for event in found for alarm in event.walk("VALARM") if "x" in alarm]


def test_five_thousand_findings_take_seconds() -> None:
    result = many(5_000)
    began = time.perf_counter()

    content = written(view(result))

    took = time.perf_counter() - began
    print(f"ics: {len(content):,} bytes in {took:.1f} s")  # noqa: T201 — seen with -s
    assert content.count(b"BEGIN:VEVENT") > 800
    assert took < 20
