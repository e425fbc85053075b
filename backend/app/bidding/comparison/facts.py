"""Typed values before and after: facts and dates, each with both quotes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from backend.app.bidding.comparison.changes import Change, ChangeType
from backend.app.bidding.comparison.places import facts_named
from backend.app.bidding.comparison.units import fold
from backend.app.bidding.comparison.wording import Statement
from backend.app.bidding.findings import FACTS, Fact, Finding, Span, Tab
from backend.app.bidding.rules.facts import extract_facts
from backend.app.documents.canonical import Block, BlockKind, Document

# How a value is asked for where a notice gives it without a label of its own ("…更正后：2024年6月1日9:30").
_LABELS = {
    "bid_deadline": "投标截止时间",
    "opening_time": "开标时间",
    "document_sale_end": "招标文件获取截止时间",
    "clarification_deadline": "投标人提出澄清的截止时间",
    "budget": "预算金额",
    "price_ceiling": "最高限价",
    "bid_bond": "投标保证金金额",
    "performance_bond": "履约保证金",
    "bid_validity_days": "投标有效期",
    "service_period": "服务期限",
    "payment_terms": "付款方式",
    "evaluation_method": "评标办法",
    "price_weight": "价格分",
}  # fmt: skip
MILESTONES = {
    "bid_deadline": "投标截止时间",
    "opening_time": "开标时间",
    "document_sale_start": "文件获取开始",
    "document_sale_end": "文件获取截止",
    "clarification_deadline": "提疑/澄清截止",
}


@dataclass(frozen=True, slots=True)
class FactChange:
    """One fact that is another now. `verdict`: added | removed | changed, and for what has an order raised |
    lowered (money, days, points), postponed | advanced (dates)."""

    name: str
    before: Fact | None
    after: Fact | None

    @property
    def verdict(self) -> str:
        if self.before is None or self.after is None:
            return "added" if self.before is None else "removed"
        old, new = self.before.value, self.after.value
        if isinstance(old, bool) or isinstance(new, bool) or isinstance(old, str) != isinstance(new, str):
            return "changed"
        if isinstance(old, str) and isinstance(new, str):
            is_time = FACTS[self.name] in ("local_time", "date_or_time")
            return ("postponed" if new > old else "advanced") if is_time else "changed"
        return "raised" if float(new) > float(old) else "lowered"


@dataclass(frozen=True, slots=True)
class Moment:
    """A date of the calendar: ISO, as written, and its quote."""

    date: str
    text: str
    source: Span


@dataclass(frozen=True, slots=True)
class DateChange:
    milestone: str
    before: Moment | None
    after: Moment | None


Facts = Mapping[str, Fact | None]


def facts_of_versions(before: Facts, after: Facts, changes: Sequence[Change]) -> list[FactChange]:
    """Facts whose values differ and whose words were touched: a difference between two quotes that nobody
    touched is one of reading, not of the documents."""
    found = [
        FactChange(name, before.get(name), after.get(name))
        for name in FACTS
        if not _same(before.get(name), after.get(name))
    ]
    return [
        one
        for one in found
        if (one.before is not None and _touched(one.before.source, changes, old=True))
        or (one.after is not None and _touched(one.after.source, changes, old=False))
    ]


def facts_of_notice(base: Facts, new: Document, statements: Sequence[Statement]) -> list[FactChange]:
    """Only what the notice states: values in the new words of its statements."""
    stated: dict[str, Fact] = {}
    read = extract_facts(_without_old_words(new, statements))
    for said in statements:
        if said.after is None or said.type is ChangeType.REMOVED:
            continue
        old = "" if said.before is None else new.text[said.before.start : said.before.end]
        words = f"{said.about}{old}{new.text[said.after.start : said.after.end][:40]}"
        for name in facts_named(words):
            fact = _asked_for(name, new, said.after) or _inside(read.get(name), said.after)
            if fact is not None and (said.type is not ChangeType.CLARIFIED or base.get(name) is not None):
                stated.setdefault(name, fact)
    changed = [FactChange(name, base.get(name), stated[name]) for name in FACTS if name in stated]
    return [one for one in changed if not _same(one.before, one.after)]


def _asked_for(name: str, document: Document, place: Span) -> Fact | None:
    """The value of the words at `place`, read as if the usual label stood before them."""
    label = _LABELS.get(name)
    if label is None:
        return None
    words = document.text[place.start : place.end]
    text = f"{label}：{words}"
    lead = len(text) - len(words)
    made = Document(text, (Block(0, len(text), BlockKind.PARAGRAPH),))
    fact = extract_facts(made).get(name)
    if fact is None or fact.source.end <= lead:
        return None
    start = place.start + max(fact.source.start - lead, 0)
    return replace(fact, source=Span(start, place.start + fact.source.end - lead))


def _inside(fact: Fact | None, place: Span) -> Fact | None:
    overlaps = fact is not None and fact.source.start < place.end and place.start < fact.source.end
    return fact if overlaps else None


def _without_old_words(document: Document, statements: Sequence[Statement]) -> Document:
    text = document.text
    for span in [s for said in statements for s in (said.before, said.asked) if s is not None]:
        text = f"{text[: span.start]}{' ' * (span.end - span.start)}{text[span.end :]}"
    return replace(document, text=text)


def calendar_of_facts(facts: Sequence[FactChange]) -> list[DateChange]:
    return [
        DateChange(MILESTONES[one.name], _moment(one.before), _moment(one.after))
        for one in facts
        if one.name in MILESTONES
    ]


def calendar_of_versions(
    before: Sequence[Finding],
    after: Sequence[Finding],
    facts: Sequence[FactChange],
    changes: Sequence[Change],
) -> list[DateChange]:
    """The dates of the facts, and further milestones whose dates were touched."""
    found = calendar_of_facts(facts)
    told = {moment.date for one in found for moment in (one.before, one.after) if moment}
    old, new = _dates(before), _dates(after)
    for change in changes:
        if change.type is ChangeType.MOVED:
            continue
        was, now = _within(old, change.before), _within(new, change.after)
        for milestone in dict.fromkeys([*was, *now]):
            one, other = was.get(milestone), now.get(milestone)
            dates = {moment.date for moment in (one, other) if moment}
            differ = len(dates) == 2 or one is None or other is None
            if differ and not dates <= told:
                found.append(DateChange(milestone, one, other))
    return found


_Dates = Sequence[tuple[str, Moment]]


def _within(dates: _Dates, place: Span | None) -> dict[str, Moment]:
    """By milestone, the dates that stand in this place."""
    return {
        milestone: moment
        for milestone, moment in dates
        if place is not None and moment.source.start < place.end and place.start < moment.source.end
    }


def _dates(findings: Sequence[Finding]) -> _Dates:
    return [
        (one.milestone, Moment(one.date, one.date_text or one.date, one.span))
        for one in findings
        if one.tab is Tab.BID_TIMELINE and one.date is not None and one.milestone is not None
    ]


def _moment(fact: Fact | None) -> Moment | None:
    return None if fact is None else Moment(str(fact.value), fact.text, fact.source)


def _same(one: Fact | None, other: Fact | None) -> bool:
    if one is None or other is None:
        return one is other
    if isinstance(one.value, str) and isinstance(other.value, str):
        return fold(one.value) == fold(other.value)
    return one.value == other.value


def _touched(span: Span, changes: Sequence[Change], *, old: bool) -> bool:
    for change in changes:
        place = change.before if old else change.after
        if change.type is ChangeType.MOVED or place is None:
            continue
        if place.start < span.end and span.start < place.end:
            return True
    return False
