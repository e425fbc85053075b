"""Clause rules: a pattern, what it means for the bidder, and where in a tender it counts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backend.app.bidding.findings import Priority, Tab
from backend.app.bidding.rules.passages import Passage
from backend.app.bidding.rules.quotes import Candidate, clip
from backend.app.bidding.rules.zones import Zone

BIDDING = frozenset({Zone.NOTICE, Zone.INSTRUCTIONS, Zone.EVALUATION, Zone.REQUIREMENTS, Zone.OTHER})
ANYWHERE = frozenset(Zone)
_MOST_A_SENTENCE = 3
_LABEL = 24
_BLANK = re.compile(
    r"[_＿]{2,}|/年/月/日|年月日|(?<!\d)/个?(?:工作日|日历天|天|元|%)|(?:总?价|金额)的?%|即元|(?:支付|为)元"
)


@dataclass(frozen=True, slots=True)
class ClauseRule:
    """`weight` as in Candidate; clauses in the forms weigh 0.75 of it, in the contract 0.85 of it; the
    notice is the first to be believed."""

    title: str
    pattern: re.Pattern[str]
    why: str
    guidance: str
    priority: Priority
    weight: float
    zones: frozenset[Zone] = ANYWHERE - {Zone.FORMS}
    avoid: re.Pattern[str] | None = None
    reach: int = 48


_ZONE_FACTOR = {Zone.NOTICE: 1.01, Zone.FORMS: 0.75, Zone.CONTRACT: 0.85}


def scan(passage: Passage, tab: Tab, rules: Sequence[ClauseRule]) -> Iterator[Candidate]:
    """At most one finding a sentence: of the heaviest rule that matches."""
    for start, end in passage.sentences():
        sentence = passage.compact[start:end]
        if len(sentence) < 5 or (sentence[-1] == "：" and len(sentence) < _LABEL):
            continue  # a label: its value stands in the next passage
        if _BLANK.search(sentence) and not re.search(r"(?<![\d.])\d{2,}(?![\d.])", sentence):
            continue
        best: tuple[float, ClauseRule, tuple[int, int]] | None = None
        for rule in rules:
            if passage.zone not in rule.zones or (best is not None and best[1].weight >= rule.weight):
                continue
            match = _match(rule, sentence, passage.label)
            if match is not None:
                best = (rule.weight, rule, (start + match[0], start + match[1]))
        if best is not None:
            yield from _candidates(passage, tab, best[1], (start, end), best[2])


def _match(rule: ClauseRule, sentence: str, label: str) -> tuple[int, int] | None:
    if rule.avoid is not None and rule.avoid.search(sentence):
        return None
    if found := rule.pattern.search(sentence):
        return found.span()
    if label and (found := rule.pattern.search(f"{label}：{sentence}")) and found.end() > len(label) + 1:
        return max(0, found.start() - len(label) - 1), found.end() - len(label) - 1
    return None


def _candidates(
    passage: Passage, tab: Tab, rule: ClauseRule, sentence: tuple[int, int], match: tuple[int, int]
) -> Iterator[Candidate]:
    """The match, and further ones of the same rule that the quote of the first leaves out."""
    quoted = 0
    matches = [match, *(m.span() for m in rule.pattern.finditer(passage.compact, match[1], sentence[1]))]
    for place in matches[:_MOST_A_SENTENCE]:
        if place[1] <= quoted:
            continue
        start, end = clip(passage.compact, (max(sentence[0], quoted), sentence[1]), place, rule.reach)
        quoted = end
        yield _candidate(passage, tab, rule, (start, end))


def _candidate(passage: Passage, tab: Tab, rule: ClauseRule, place: tuple[int, int]) -> Candidate:
    start, end = place
    return Candidate(
        tab,
        passage.span(start, end),
        passage.compact[start:end],
        rule.title,
        rule.why,
        rule.guidance,
        rule.priority,
        rule.weight * _ZONE_FACTOR.get(passage.zone, 1.0),
    )
