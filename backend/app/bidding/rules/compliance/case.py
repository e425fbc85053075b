"""What a check may look at, and how it speaks: `judge` for what the law decides, `hint` for the rest.

Verdicts. `violation` and `pass` only where an article whose full text was compared binds under the evidenced
regime and procedure and was in force. Anything else that looks wrong is a `warning` (提示), anything that
cannot be judged `unknown`; `needs_person` says that somebody should look at it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from backend.app.bidding.findings import ComplianceCheck, Fact, Finding, Regime, Span, Verdict
from backend.app.bidding.rules.checkboxes import is_rejected
from backend.app.bidding.rules.compliance.rule import Rule
from backend.app.bidding.rules.passages import Passage
from backend.app.bidding.rules.quotes import clip
from backend.app.bidding.rules.regime import Purchase, Setting
from backend.app.bidding.rules.scoring import ScoreRow
from backend.app.bidding.rules.zones import Zone

# A whole number of days, for patterns: never the end of a longer one.
N = r"(?<![\d.一二三四五六七八九十百])(\d{1,3}|[一二三四五六七八九十]{1,3})"
MOST_EVIDENCE = 5
_NEWER = "（按所引文本判断，如已修订请核对新文本。）"
_NOT_YET = "（所引条文在本项目发布之时尚未施行或已失效，仅作提示）"
_STOPS = "。；！？"
_REACH = 140  # characters of a quote
_NUMBERS = dict(zip("一二三四五六七八九十", range(1, 11), strict=True))


@dataclass(frozen=True, slots=True)
class Case:
    """Everything a check may look at."""

    setting: Setting
    facts: Mapping[str, Fact | None]
    passages: list[Passage]
    scores: list[ScoreRow]
    findings: tuple[Finding, ...]

    @property
    def regime(self) -> Regime:
        """Which law binds; 政府采购法 §4: works of public bodies, when tendered, follow the tender law."""
        tendered_works = self.setting.purchase is Purchase.WORKS and self.setting.procedure.is_tender
        if self.setting.regime is Regime.GOVERNMENT and tendered_works:
            return Regime.MANDATORY
        return self.setting.regime

    @property
    def issued(self) -> date | None:
        """The day by which the state of the law is measured."""
        return self.day("document_sale_start") or self.day("document_sale_end") or self.day("bid_deadline")

    def fact(self, name: str) -> Fact | None:
        return self.facts.get(name)

    def day(self, name: str) -> date | None:
        """The day of a date or time fact."""
        fact = self.fact(name)
        return parse_day(fact.value) if fact is not None else None

    def amount(self, name: str) -> float | None:
        """Yuan of an amount fact."""
        fact = self.fact(name)
        if fact is None or isinstance(fact.value, bool | str):
            return None
        return float(fact.value)

    def sources(self, *names: str) -> tuple[Span, ...]:
        return tuple(fact.source for name in names if (fact := self.fact(name)) is not None)


Check = Callable[[Case], Iterator[ComplianceCheck]]


@dataclass(frozen=True, slots=True)
class Hit:
    """Where a pattern was found."""

    match: re.Match[str]
    passage: Passage

    @property
    def sentence(self) -> str:
        start, end = self._sentence
        return self.passage.compact[start:end]

    @property
    def quote(self) -> Span:
        """The sentence, cut to what stands around the match when it is long."""
        return self.passage.span(
            *clip(
                self.passage.compact, self._sentence, self.match.span(), max(_REACH, len(self.match.group()))
            )
        )

    @property
    def _sentence(self) -> tuple[int, int]:
        """Found by its two ends: a passage may hold hundreds of hits."""
        text, (start, end) = self.passage.compact, self.match.span()
        low = max(text.rfind(stop, 0, start) for stop in _STOPS) + 1
        ends = [at for stop in _STOPS if (at := text.find(stop, max(start, end - 1))) >= 0]
        return low, max(end, min(ends, default=len(text) - 1) + 1)

    def number(self) -> int:
        """The first group that took part, as a number of days; 0 when it is none."""
        return number_of(next((g for g in self.match.groups() if g), ""))


def hits(
    case: Case,
    pattern: re.Pattern[str],
    *,
    without: re.Pattern[str] | None = None,
    zones: frozenset[Zone] | None = None,
    forms: bool = False,
) -> Iterator[Hit]:
    """Where the pattern is found in words that hold: no option left open, no sentence that has `without`.

    Forms to be filled in are left out unless `forms`, everything outside of `zones` when they are given.
    """
    for passage in case.passages:
        if (zones is not None and passage.zone not in zones) or (passage.zone is Zone.FORMS and not forms):
            continue
        for match in pattern.finditer(passage.compact):
            hit = Hit(match, passage)
            if is_rejected(passage.compact, match.start()) or (without and without.search(hit.sentence)):
                continue
            yield hit


def first(found: Iterable[Hit]) -> Hit | None:
    return next(iter(found), None)


def quotes(found: Iterable[Hit]) -> tuple[Span, ...]:
    """What the hits say, the same sentence once."""
    said = {hit.sentence: hit.quote for hit in reversed(list(found))}
    return tuple(dict.fromkeys(reversed(said.values())))[:MOST_EVIDENCE]


def parse_day(value: object) -> date | None:
    try:
        return datetime.fromisoformat(value).date() if isinstance(value, str) else None
    except ValueError:
        return None


def number_of(text: str) -> int:
    """An arabic or a simple Chinese number up to 99."""
    if text.isdigit():
        return int(text)
    tens, _, units = text.partition("十") if "十" in text else ("", "", text)
    if "十" in text:
        return (_NUMBERS.get(tens, 1) if tens else 1) * 10 + _NUMBERS.get(units, 0)
    return _NUMBERS.get(units, 0)


def judge(
    case: Case, rule: Rule, detail: str, *, broken: bool, evidence: tuple[Span, ...]
) -> ComplianceCheck:
    """The verdict that the regime, the procedure and the state of the law allow."""
    statute = rule.statute(case.regime, case.setting.procedure)
    issued = case.issued
    in_force = statute is not None and (issued is None or statute.in_force(issued))
    if statute is not None and statute.verified and in_force:
        verdict = Verdict.VIOLATION if broken else Verdict.PASS
        detail += _NEWER if broken else ""
        return ComplianceCheck(rule.id, verdict, rule.title, detail, statute.cite, evidence)
    verdict = Verdict.WARNING if broken else Verdict.UNKNOWN
    why = _why_hint(case, rule, in_force=in_force)
    law = statute.cite if statute is not None else ""
    return ComplianceCheck(rule.id, verdict, rule.title, detail + why, law, evidence, needs_person=broken)


def _why_hint(case: Case, rule: Rule, *, in_force: bool) -> str:
    if not rule.laws:
        return ""
    if rule.statute(case.regime, case.setting.procedure) is not None:
        return "（条文待核对，仅作提示）" if in_force else _NOT_YET
    if case.regime is Regime.UNKNOWN:
        return "（未见适用法律的依据，仅作提示）"
    if rule.laws.get(case.regime) and case.setting.procedure.is_other:
        return f"（该条文不约束{case.setting.procedure.value}，仅作提示）"
    return "（该规定不强制适用于本项目，仅作提示）"


def hint(
    case: Case, rule: Rule, verdict: Verdict, detail: str, evidence: tuple[Span, ...] = ()
) -> ComplianceCheck:
    """What takes a person to decide: a warning or an unknown, with the article that may bind."""
    statute = rule.statute(case.regime, case.setting.procedure)
    issued = case.issued
    if statute is not None and issued is not None and not statute.in_force(issued):
        detail += _NOT_YET
    law = statute.cite if statute is not None else ""
    return ComplianceCheck(rule.id, verdict, rule.title, detail, law, evidence, needs_person=True)
