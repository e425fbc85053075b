"""Compliance checks over the facts: each a pure function of the case, each with its quotes.

Verdicts. `violation` and `pass` only where a verified article binds under the evidenced regime. Anything
else that looks wrong is a `warning` (提示), anything that cannot be judged `unknown`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from backend.app.bidding.amounts import yuan
from backend.app.bidding.findings import ComplianceCheck, Fact, Finding, Regime, Span, Verdict
from backend.app.bidding.rules import statutes
from backend.app.bidding.rules.holidays import certain_working_days, weekdays
from backend.app.bidding.rules.passages import Passage
from backend.app.bidding.rules.regime import Procedure, Purchase, Setting
from backend.app.bidding.rules.scoring import ScoreRow
from backend.app.bidding.rules.scoring_sums import FULL_SCORE, ROUNDING, total_points
from backend.app.bidding.rules.statutes import Rule


@dataclass(frozen=True, slots=True)
class Case:
    """Everything a check may look at."""

    setting: Setting
    facts: Mapping[str, Fact | None]
    passages: list[Passage]
    scores: list[ScoreRow]
    findings: tuple[Finding, ...]

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


Check = Callable[[Case], ComplianceCheck | None]


def parse_day(value: object) -> date | None:
    try:
        return datetime.fromisoformat(value).date() if isinstance(value, str) else None
    except ValueError:
        return None


def judge(
    case: Case, rule: Rule, detail: str, *, broken: bool, evidence: tuple[Span, ...]
) -> ComplianceCheck:
    """The verdict that the regime and the state of the law allow."""
    statute = rule.laws.get(case.setting.regime)
    if rule.tenders_only and not case.setting.procedure.is_tender:
        statute = None
    issued = case.day("document_sale_start") or case.day("bid_deadline")
    in_force = statute is not None and (issued is None or issued >= statute.since)
    if statute is not None and statute.verified and in_force:
        verdict = Verdict.VIOLATION if broken else Verdict.PASS
        return ComplianceCheck(rule.id, verdict, rule.title, detail, statute.cite, evidence)
    verdict = Verdict.WARNING if broken else Verdict.UNKNOWN
    law = statute.cite if statute is not None else ""
    return ComplianceCheck(
        rule.id, verdict, rule.title, f"{detail}{_why_hint(case, rule, in_force=in_force)}", law, evidence
    )


def _why_hint(case: Case, rule: Rule, *, in_force: bool) -> str:
    if not rule.laws:
        return ""
    if rule.tenders_only and case.setting.procedure.is_other:
        return "（该条文只约束招标，仅作提示）"
    if rule.laws.get(case.setting.regime) is not None:
        return "（条文待核对，仅作提示）" if in_force else "（条文在本项目发布后施行，仅作提示）"
    if case.setting.regime is Regime.UNKNOWN:
        return "（未见适用法律的依据，仅作提示）"
    return "（该规定不强制适用于本项目，仅作提示）"


def hint(rule: Rule, verdict: Verdict, detail: str, evidence: tuple[Span, ...] = ()) -> ComplianceCheck:
    return ComplianceCheck(rule.id, verdict, rule.title, detail, "", evidence)


_REGIME_NAMES = {
    Regime.GOVERNMENT: "政府采购（政府采购法）",
    Regime.MANDATORY: "依法必须招标（招标投标法）",
    Regime.ENTERPRISE: "企业或单位自行采购（两法不强制适用，仅作提示）",
}


def check_regime(case: Case) -> ComplianceCheck:
    """Which law the other verdicts rest on, so that a reader can disagree."""
    setting = case.setting
    known = setting.regime is not Regime.UNKNOWN
    name = _REGIME_NAMES.get(setting.regime, "未能判断")
    verdict = Verdict.PASS if known else Verdict.UNKNOWN
    return hint(statutes.REGIME, verdict, f"{name}：{setting.reason}。", setting.evidence)


def check_bid_period(case: Case) -> ComplianceCheck | None:
    start, end = case.day("document_sale_start"), case.day("bid_deadline")
    if start is None or end is None:
        return None
    days = (end - start).days
    evidence = case.sources("document_sale_start", "bid_deadline")
    detail = f"文件自 {start} 起提供，{end} 截止，间隔 {days} 日。"
    if case.setting.procedure is Procedure.CONSULTATION:
        return judge(case, statutes.CONSULTATION_PERIOD, detail, broken=days < 10, evidence=evidence)
    if case.setting.procedure.is_tender:
        return judge(case, statutes.BID_PERIOD, detail, broken=days < 20, evidence=evidence)
    return None


def check_sale_period(case: Case) -> ComplianceCheck | None:
    start, end = case.day("document_sale_start"), case.day("document_sale_end")
    if start is None or end is None or end < start:
        return None
    days, working = (end - start).days + 1, weekdays(start, end)
    detail = f"{start} 至 {end}，共 {days} 日，其中周一至周五 {working} 天（未扣除法定节假日）。"
    evidence = case.sources("document_sale_start", "document_sale_end")
    least = _least_working_days(case)
    counts_days = case.setting.regime is Regime.MANDATORY
    broken = days < 5 if counts_days else working < least
    if not (counts_days or broken) and certain_working_days(start, end) < least:
        detail += "其间可能有法定节假日，请按当年放假安排核对。"
        return hint(statutes.SALE_PERIOD, Verdict.UNKNOWN, detail, evidence)
    return judge(case, statutes.SALE_PERIOD, detail, broken=broken, evidence=evidence)


def _least_working_days(case: Case) -> int:
    """Five for tenders and consultations; three for 谈判 and 询价 (财政部令第74号, not verified: hints)."""
    return 3 if case.setting.procedure in (Procedure.NEGOTIATION, Procedure.INQUIRY) else 5


def check_bid_bond(case: Case) -> ComplianceCheck | None:
    bond, budget = case.amount("bid_bond"), case.amount("budget") or case.amount("price_ceiling")
    if bond is None:
        return None
    evidence = case.sources("bid_bond", "budget", "price_ceiling")
    if bond == 0:
        return judge(case, statutes.BID_BOND_CAP, "本项目不收取投标保证金。", broken=False, evidence=evidence)
    if not budget:
        return hint(
            statutes.BID_BOND_CAP,
            Verdict.UNKNOWN,
            f"投标保证金 {yuan(bond)}，文件未写明预算或估算价，无法核对比例。",
            evidence,
        )
    share = bond / budget
    detail = f"投标保证金 {yuan(bond)}，为预算/限价 {yuan(budget)}的 {share:.2%}。"
    broken = share > 0.02 + 1e-9
    if broken and case.setting.regime is not Regime.GOVERNMENT:
        # The cap of the tender law is on the estimate, which the document need not state.
        return hint(statutes.BID_BOND_CAP, Verdict.WARNING, f"{detail}请以招标项目估算价核对。", evidence)
    return judge(case, statutes.BID_BOND_CAP, detail, broken=broken, evidence=evidence)


def check_performance_bond(case: Case) -> ComplianceCheck | None:
    fact = case.fact("performance_bond")
    if fact is None:
        return None
    value = str(fact.value)
    evidence: tuple[Span, ...] = (fact.source,)
    if value.endswith("%"):
        share = float(value[:-1]) / 100
        detail = f"履约保证金为合同金额的 {value}。"
    else:
        budget = case.amount("budget") or case.amount("price_ceiling")
        amount = float(value)
        if amount and not budget:
            return hint(
                statutes.PERFORMANCE_BOND_CAP,
                Verdict.UNKNOWN,
                f"履约保证金 {yuan(amount)}，文件未写明预算，无法核对比例。",
                evidence,
            )
        share = amount / budget if amount and budget else 0.0
        detail = (
            f"履约保证金 {yuan(amount)}，约为预算的 {share:.2%}。" if amount else "本项目不收取履约保证金。"
        )
        evidence = (*evidence, *case.sources("budget"))
    return judge(case, statutes.PERFORMANCE_BOND_CAP, detail, broken=share > 0.1 + 1e-9, evidence=evidence)


def check_bid_validity(case: Case) -> ComplianceCheck | None:
    fact = case.fact("bid_validity_days")
    if fact is None:
        return hint(
            statutes.BID_VALIDITY, Verdict.WARNING, "未在文件中找到明确的投标有效期，请核对或提出澄清。"
        )
    return judge(
        case, statutes.BID_VALIDITY, f"投标有效期 {fact.value} 天。", broken=False, evidence=(fact.source,)
    )


def check_budget(case: Case) -> ComplianceCheck | None:
    if case.setting.regime is not Regime.GOVERNMENT:
        return None
    fact = case.fact("budget")
    if fact is None:
        return hint(
            statutes.BUDGET_DISCLOSED, Verdict.WARNING, "未在文件中找到采购预算金额，请核对采购公告。"
        )
    return judge(
        case, statutes.BUDGET_DISCLOSED, f"预算 {fact.text}。", broken=False, evidence=(fact.source,)
    )


def check_opening(case: Case) -> ComplianceCheck | None:
    deadline, opening = case.fact("bid_deadline"), case.fact("opening_time")
    if deadline is None or opening is None:
        return None
    evidence = (deadline.source, opening.source)
    same = deadline.value == opening.value
    detail = f"截止 {deadline.value}，开标 {opening.value}。"
    if not case.setting.procedure.is_tender:
        return None if same else hint(statutes.OPENING_TIME, Verdict.WARNING, detail, evidence)
    return judge(case, statutes.OPENING_TIME, detail, broken=not same, evidence=evidence)


def check_score_total(case: Case) -> ComplianceCheck | None:
    total = total_points(case.scores, case.amount("price_weight"))
    if total is None:
        return None
    rows = [row for row in case.scores if row.points is not None]
    evidence = tuple(row.criterion.span(0, len(row.criterion.compact)) for row in rows[:3])
    detail = f"评分表 {len(rows)} 项，分值合计 {total:g}。"
    if abs(total - FULL_SCORE) < ROUNDING:
        # Adding up is necessary, not sufficient, for article 34; so no more is claimed than the sum.
        return judge(case, statutes.SCORE_TOTAL, detail, broken=False, evidence=evidence)
    detail += "与 100 分不符，请核对表格是否有遗漏、重复或加分项。"
    return hint(statutes.SCORE_TOTAL, Verdict.WARNING, detail, evidence)


def check_price_weight(case: Case) -> ComplianceCheck | None:
    fact = case.fact("price_weight")
    if fact is None or isinstance(fact.value, bool | str) or not case.setting.procedure.is_tender:
        return None
    weight = float(fact.value)
    detail = f"价格分 {weight:g} 分。"
    least = {Purchase.GOODS: 30.0, Purchase.SERVICES: 10.0}.get(case.setting.purchase)
    if least is None:
        least = 10.0 if weight < 10 else 30.0
        if 10 <= weight < 30:
            return hint(
                statutes.PRICE_WEIGHT, Verdict.UNKNOWN, f"{detail}未能判断属于货物还是服务。", (fact.source,)
            )
    if case.setting.purchase is Purchase.WORKS:
        return None
    return judge(case, statutes.PRICE_WEIGHT, detail, broken=weight < least, evidence=(fact.source,))


CHECKS: tuple[Check, ...] = (
    check_regime,
    check_bid_period,
    check_sale_period,
    check_bid_bond,
    check_performance_bond,
    check_bid_validity,
    check_budget,
    check_opening,
    check_score_total,
    check_price_weight,
)
_NUMBERS = dict(zip("一二三四五六七八九十", range(1, 11), strict=True))


def number_of(text: str) -> int:
    """An arabic or a simple Chinese number up to 99."""
    if text.isdigit():
        return int(text)
    tens, _, units = text.partition("十") if "十" in text else ("", "", text)
    if "十" in text:
        return (_NUMBERS.get(tens, 1) if tens else 1) * 10 + _NUMBERS.get(units, 0)
    return _NUMBERS.get(units, 0)


def first_match(case: Case, pattern: re.Pattern[str]) -> tuple[re.Match[str], Passage] | None:
    for passage in case.passages:
        if found := pattern.search(passage.compact):
            return found, passage
    return None
