"""Whether a change came 15 days before the deadline: a hint, as it seldom says when it was issued."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from backend.app.bidding.findings import Fact, Regime, Span, Verdict
from backend.app.bidding.rules.compliance.case import parse_day
from backend.app.bidding.rules.dates import find_dates
from backend.app.documents.canonical import Document

RULE = "amendment_period"
TITLE = "澄清或修改应在投标截止至少 15 日前发出，不足的应顺延"
DAYS = 15
_LAWS = {
    Regime.GOVERNMENT: "《中华人民共和国政府采购法实施条例》第三十一条",
    Regime.MANDATORY: "《中华人民共和国招标投标法》第二十三条、"
    "《中华人民共和国招标投标法实施条例》第二十一条",
}
# The hint holds for what may influence how bids are made; for nothing else.
_MATERIAL = "澄清或者修改的内容可能影响投标文件编制"
_ISSUED = re.compile(
    r"(?:更正|澄清|变更|发布|发出|公告|答疑|签发|落款)(?:公告)?(?:的)?(?:日期|时间)[：:]?\s*"
)
_TAIL = 400  # code points at the end of a notice in which its date stands alone on a line
_AHEAD = 40


@dataclass(frozen=True, slots=True)
class PeriodHint:
    """`evidence`: ("base" | "new", span). `to_check`: what a reader has to look up."""

    verdict: Verdict
    detail: str
    law: str
    to_check: tuple[str, ...]
    evidence: tuple[tuple[str, Span], ...]


@dataclass(frozen=True, slots=True)
class Issued:
    day: date
    span: Span


def check_period(
    new: Document, deadline: tuple[str, Fact] | None, regime: Regime, *, material: bool
) -> PeriodHint | None:
    """`deadline`: where it stands ("base" or "new") and the fact that holds now. None when nothing that
    matters has changed, or no deadline is known."""
    day = parse_day(deadline[1].value) if deadline is not None else None
    if not material or deadline is None or day is None:
        return None
    law = _LAWS.get(regime) or "；".join(_LAWS.values())
    side, fact = deadline
    evidence: tuple[tuple[str, Span], ...] = ((side, fact.source),)
    latest = day - timedelta(days=DAYS)
    issued = issued_on(new)
    if issued is None:
        detail = f"现投标截止 {day}；文件未写明发出日期。{_MATERIAL}的，应不晚于 {latest} 发出，"
        detail += "否则应顺延截止时间。"
        return PeriodHint(Verdict.UNKNOWN, detail, law, ("本次变更的实际发出日期",), evidence)
    evidence = (*evidence, ("new", issued.span))
    days = (day - issued.day).days
    detail = f"文件落款或发布日期 {issued.day}，现投标截止 {day}，间隔 {days} 日。"
    checks = ("本次变更的实际发出日期", "内容是否影响投标文件编制")
    if days >= DAYS:
        return PeriodHint(Verdict.UNKNOWN, f"{detail}按此日期不少于 {DAYS} 日。", law, checks, evidence)
    return PeriodHint(
        Verdict.WARNING, f"{detail}不足 {DAYS} 日；{_MATERIAL}的，应顺延截止时间。", law, checks, evidence
    )


def issued_on(document: Document) -> Issued | None:
    """The day a document names as its own: behind a label, or alone on one of its last lines."""
    for label in _ISSUED.finditer(document.text):
        window = document.text[label.end() : label.end() + _AHEAD]
        dates = find_dates(window)
        if dates and dates[0].start <= 2 and (day := parse_day(dates[0].day)):
            start = label.end() + dates[0].start
            return Issued(day, Span(start, label.end() + dates[0].end))
    tail = max(0, len(document.text) - _TAIL)
    for block in reversed(document.blocks):
        if block.start < tail:
            break
        words = document.text[block.start : block.end]
        dates = find_dates(words)
        alone = len(dates) == 1 and dates[0].end - dates[0].start >= len(words.strip()) - 2
        if alone and (day := parse_day(dates[0].day)):
            return Issued(day, Span(block.start + dates[0].start, block.start + dates[0].end))
    return None


def deadline_now(before: Mapping[str, Fact | None], after: Fact | None) -> tuple[str, Fact] | None:
    """The deadline that holds: the new document's, else the base's."""
    if after is not None:
        return "new", after
    old = before.get("bid_deadline")
    return ("base", old) if old is not None else None
