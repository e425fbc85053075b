"""One result from two readers: the rules and the model. Pure.

- Findings: the same tab and spans that share at least half of the shorter one are one finding, origin
  "both". It keeps the rules' place, points and date, which were read from the text, the higher priority,
  and the model's title and explanations, which speak of this tender and not of its kind.
- Facts: the rules' value stays whenever there is one. A model's value was verified against one quote only,
  while the rules weigh every place where a fact is stated; where both differ, the model's is kept in
  `extra["conflicts"]` and shown beside it, for the reader to look at. Where the rules found nothing, the
  model's verified value is taken.
- Compliance verdicts, lots and regime are the rules' alone: scores, sums and law are computed, never asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from backend.app.bidding.findings import Analysis, Fact, Finding, Priority, Span, Tab

if TYPE_CHECKING:
    from backend.app.bidding.llm_gather import LLMFindings

MODE = "hybrid"  # engine.mode of a merged result
SHARED = 0.5
_RANK = {priority: rank for rank, priority in enumerate(Priority)}  # critical first


def merge(rules: Analysis, llm: LLMFindings) -> Analysis:
    """The rules' analysis with the model's findings worked in."""
    facts = {name: fact or llm.facts.get(name) for name, fact in rules.facts.items()}
    facts |= {name: fact for name, fact in llm.facts.items() if name not in rules.facts}
    conflicts = {**rules.extra.get("conflicts", {}), **_conflicts(facts, llm)}
    extra: dict[str, Any] = {**rules.extra, **({"conflicts": conflicts} if conflicts else {})}
    return replace(
        rules,
        facts=facts,
        findings=_together(rules.findings, llm.findings),
        ungrounded_dropped=rules.ungrounded_dropped + llm.ungrounded_dropped,
        gaps=rules.gaps + llm.gaps,
        extra=extra,
    )


def unite(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings of overlapping parts without repeats: of two alike, the more exact, then the first."""
    order = {"exact": 0, "normalized": 1, "fuzzy": 2}
    kept: dict[Tab, list[Finding]] = {}
    for finding in sorted(findings, key=lambda one: (order[one.grounding], one.span)):
        of_tab = kept.setdefault(finding.tab, [])
        if not any(is_same(finding.span, other.span) for other in of_tab):
            of_tab.append(finding)
    return tuple(finding for tab in Tab for finding in sorted(kept.get(tab, []), key=lambda one: one.span))


def is_same(one: Span, other: Span) -> bool:
    """Whether two places of a tab speak of the same thing: they share half of the shorter one."""
    shared = min(one.end, other.end) - max(one.start, other.start)
    return shared > 0 and shared >= SHARED * min(one.end - one.start, other.end - other.start)


def _together(rules: tuple[Finding, ...], llm: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """In the order of tabs and places; each of the model's findings joins one of the rules' at most."""
    rest = list(llm)
    joined: list[Finding] = []
    for finding in rules:
        twins = [other for other in rest if other.tab is finding.tab and is_same(finding.span, other.span)]
        if not twins:
            joined.append(finding)
            continue
        twin = max(twins, key=lambda other: _shared(finding.span, other.span))
        rest.remove(twin)
        joined.append(_both(finding, twin))
    # What is left may still repeat a finding that took another twin.
    left = [
        other
        for other in rest
        if not any(other.tab is mine.tab and is_same(mine.span, other.span) for mine in joined)
    ]
    return tuple(
        finding
        for tab in Tab
        for finding in sorted((one for one in [*joined, *left] if one.tab is tab), key=lambda one: one.span)
    )


def _shared(one: Span, other: Span) -> int:
    return min(one.end, other.end) - max(one.start, other.start)


def _both(rule: Finding, llm: Finding) -> Finding:
    return replace(
        rule,
        title=llm.title or rule.title,
        why_important=llm.why_important or rule.why_important,
        guidance=llm.guidance or rule.guidance,
        priority=min(rule.priority, llm.priority, key=lambda priority: _RANK[priority]),
        points=rule.points if rule.points is not None else llm.points,
        lot=rule.lot or llm.lot,
        milestone=rule.milestone or llm.milestone,
        date=rule.date or llm.date,
        date_text=rule.date_text or llm.date_text,
        origin="both",
    )


def _conflicts(facts: dict[str, Fact | None], llm: LLMFindings) -> dict[str, tuple[Fact, ...]]:
    """What the model read elsewhere, where it differs from the value that is shown."""
    found: dict[str, tuple[Fact, ...]] = {}
    for name, shown in facts.items():
        stated = [fact for fact in (llm.facts.get(name), *llm.conflicts.get(name, ())) if fact is not None]
        others = tuple(fact for fact in stated if shown is not None and not agree(shown, fact))
        if others:
            found[name] = others
    return found


def agree(one: Fact, other: Fact) -> bool:
    """Equal values, or words of which one holds the other, or the same day with and without a time."""
    if one.value == other.value:
        return True
    if isinstance(one.value, str) and isinstance(other.value, str):
        mine, theirs = "".join(one.value.split()), "".join(other.value.split())
        return bool(mine and theirs) and (mine in theirs or theirs in mine)
    return False
