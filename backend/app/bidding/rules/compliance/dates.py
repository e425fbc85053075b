"""Dates that contradict each other or the calendar. Arithmetic: no law, always for a person to confirm."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from backend.app.bidding.findings import ComplianceCheck, Span, Tab, Verdict
from backend.app.bidding.rules.compliance import table
from backend.app.bidding.rules.compliance.case import Case, Check, N, hint, hits, number_of

_WEEKDAY = re.compile(
    r"(20\d\d)(?:年|[-/.])(\d{1,2})(?:月|[-/.])(\d{1,2})日?[（(，]?(?:星期|周|礼拜)([一二三四五六日天])"
)
_DAYS_BEFORE = re.compile(
    rf"(?:截止[日期时间]{{0,3}}|开标(?:前)?){N}[日天](?:以?前|之前)"
    rf"|截止[^。；，]{{0,8}}前{N}[日天](?:以?前|收到|提出|，)"
)
_ASKED = re.compile(r"澄清|疑问|答疑|疑义")
_BY_BUYER = re.compile(r"影响|顺延|(?:招标人|采购人|代理机构)(?:可以?|将|应)|公告")
_LETTERS = "一二三四五六日"
# What must not come before what: (earlier fact, later fact, words).
_ORDER = (
    ("document_sale_start", "document_sale_end", "文件获取截止早于开始"),
    ("document_sale_end", "bid_deadline", "文件获取截止晚于投标截止"),
    ("document_sale_start", "bid_deadline", "投标截止早于文件开始提供"),
    ("clarification_deadline", "bid_deadline", "提疑截止晚于投标截止"),
    ("document_sale_start", "clarification_deadline", "提疑截止早于文件开始提供"),
    ("bid_deadline", "opening_time", "开标早于投标截止"),
)


_BOTH = "投标截止及开标"
_MOMENTS = (
    ("bid_deadline", "投标截止/递交时间", "投标截止时间"),
    ("opening_time", "开标/开启时间", "开标时间"),
)


def check_weekdays(case: Case) -> Iterator[ComplianceCheck]:
    wrong: list[Span] = []
    details: list[str] = []
    for hit in hits(case, _WEEKDAY, forms=True):
        try:
            day = date(*(int(hit.match.group(n)) for n in (1, 2, 3)))
        except ValueError:
            continue
        if day.weekday() != _LETTERS.index(hit.match.group(4).replace("天", "日")):
            wrong.append(hit.passage.span(*hit.match.span()))
            details.append(f"{day} 应为星期{_LETTERS[day.weekday()]}")
    if wrong:
        detail = f"日期与星期不符：{'；'.join(dict.fromkeys(details[:3]))}。"
        yield hint(case, table.WEEKDAY, Verdict.WARNING, detail, tuple(wrong[:3]))


def check_date_order(case: Case) -> Iterator[ComplianceCheck]:
    """An end before its begin; days only where one of the two has no hour."""
    for earlier, later, words in _ORDER:
        one, other = case.fact(earlier), case.fact(later)
        if one is None or other is None:
            continue
        left, right = str(one.value), str(other.value)
        width = 16 if "T" in left and "T" in right else 10
        if left[:width] > right[:width]:
            detail = f"{words}：{left.replace('T', ' ')} 与 {right.replace('T', ' ')}，请核对。"
            yield hint(case, table.DATE_ORDER, Verdict.WARNING, detail, case.sources(earlier, later))
            return


def check_clarification_window(case: Case) -> Iterator[ComplianceCheck]:
    """Questions due so many days before the deadline must still be possible after the documents are out."""
    start, end = case.day("document_sale_start"), case.day("bid_deadline")
    if start is None or end is None:
        return
    left = (end - start).days
    for hit in hits(case, _DAYS_BEFORE, without=_BY_BUYER):
        days = number_of(next(g for g in hit.match.groups() if g))
        if not _ASKED.search(hit.passage.compact) or not days or left >= days:
            continue
        detail = f"要求在截止前 {days} 日提出澄清，但文件 {start} 才开始提供，距截止仅 {left} 日。"
        evidence = (hit.quote, *case.sources("document_sale_start", "bid_deadline"))
        yield hint(case, table.CLARIFICATION_WINDOW, Verdict.WARNING, detail, evidence)
        return


def check_question_time(case: Case) -> Iterator[ComplianceCheck]:
    """Questions that close on the day after the documents can still be fetched, or earlier."""
    end, asked = case.day("document_sale_end"), case.day("clarification_deadline")
    start = case.day("document_sale_start")
    if end is None or asked is None or start is None or asked < start or (asked - end).days > 1:
        return
    when = "次日" if (asked - end).days == 1 else "当日" if asked == end else "之前"
    detail = f"文件获取至 {end} 止，{when}（{asked}）即停止提疑，晚获取文件者几无提疑时间。"
    evidence = case.sources("document_sale_end", "clarification_deadline")
    yield hint(case, table.CLARIFICATION_WINDOW, Verdict.WARNING, detail, evidence)


def check_date_conflict(case: Case) -> Iterator[ComplianceCheck]:
    """The deadline or the opening written with different days in different places."""
    for name, milestone, words in _MOMENTS:
        fact = case.fact(name)
        if fact is None or "T" not in str(fact.value):
            continue
        others = [
            f
            for f in case.findings
            if f.tab is Tab.BID_TIMELINE
            and f.title == f.milestone
            and f.milestone in (milestone, _BOTH)
            and f.date is not None
            and "T" in f.date
            and f.date[:10] != str(fact.value)[:10]
        ]
        if others:
            dates = "、".join(sorted({str(f.date).replace("T", " ") for f in others}))
            detail = f"{words}除 {str(fact.value).replace('T', ' ')} 外还出现 {dates}，请核实。"
            evidence = (fact.source, *(f.span for f in others[:3]))
            yield hint(case, table.DATE_CONFLICT, Verdict.WARNING, detail, evidence)


DATES: tuple[Check, ...] = (
    check_weekdays,
    check_date_order,
    check_clarification_window,
    check_question_time,
    check_date_conflict,
)
