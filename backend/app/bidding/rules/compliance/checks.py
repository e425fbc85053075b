"""All checks of a case, in the order in which they are read: what is wrong first, each thing once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from backend.app.bidding.findings import ComplianceCheck, Regime, Verdict
from backend.app.bidding.rules.compliance import table
from backend.app.bidding.rules.compliance.amounts import AMOUNTS
from backend.app.bidding.rules.compliance.award import AWARD
from backend.app.bidding.rules.compliance.bonds import BONDS
from backend.app.bidding.rules.compliance.case import Case, Check, first, hits
from backend.app.bidding.rules.compliance.citations import CITATIONS
from backend.app.bidding.rules.compliance.conflicts import CONFLICTS
from backend.app.bidding.rules.compliance.dates import DATES
from backend.app.bidding.rules.compliance.evaluation import EVALUATION
from backend.app.bidding.rules.compliance.payment import PAYMENT
from backend.app.bidding.rules.compliance.periods import PERIODS
from backend.app.bidding.rules.compliance.remedies import REMEDIES
from backend.app.bidding.rules.compliance.steering import STEERING

_REGIME_NAMES = {
    Regime.GOVERNMENT: "政府采购（政府采购法）",
    Regime.MANDATORY: "依法必须招标（招标投标法）",
    Regime.ENTERPRISE: "企业或单位自行采购（两法不强制适用，仅作提示）",
}
_BASIS = re.compile(
    r"(?:依据|根据|按照|遵照)[^。；]{0,24}(?<!参照)《?(?:中华人民共和国)?(?:招标投标法|政府采购法)"
)
_ORDER = {Verdict.VIOLATION: 0, Verdict.WARNING: 1, Verdict.UNKNOWN: 2, Verdict.PASS: 3}
_ROWS = {rule.id: at for at, rule in enumerate(table.RULES)}
_MOST_PER_RULE = 3


def check_regime(case: Case) -> Iterator[ComplianceCheck]:
    """Which law the other verdicts rest on, so that a reader can disagree."""
    setting, rule = case.setting, table.REGIME
    name = _REGIME_NAMES.get(setting.regime, "未能判断")
    detail = f"{name}：{setting.reason}。"
    if case.regime is not setting.regime:
        detail += "工程采用招标方式，按政府采购法第四条适用招标投标法。"
    basis = first(hits(case, _BASIS)) if setting.regime is Regime.ENTERPRISE else None
    if basis is not None:
        detail += "文件又称依据招标投标法或政府采购法编制，请人工核对是否属于依法必须招标或政府采购。"
        evidence = (*setting.evidence[:2], basis.quote)
        yield ComplianceCheck(rule.id, Verdict.UNKNOWN, rule.title, detail, "", evidence, needs_person=True)
        return
    known = setting.regime is not Regime.UNKNOWN
    verdict = Verdict.PASS if known else Verdict.UNKNOWN
    yield ComplianceCheck(rule.id, verdict, rule.title, detail, "", setting.evidence, needs_person=not known)


CHECKS: tuple[Check, ...] = (
    check_regime,
    *PERIODS,
    *REMEDIES,
    *BONDS,
    *AWARD,
    *EVALUATION,
    *STEERING,
    *PAYMENT,
    *DATES,
    *AMOUNTS,
    *CONFLICTS,
    *CITATIONS,
)


def check_compliance(case: Case) -> tuple[ComplianceCheck, ...]:
    """Everything that the checks say: violations, warnings, unknowns, passes; inside by row of the table.

    A rule speaks once for each piece of evidence, at most three times, and where it found something wrong
    it does not also say that it is kept.
    """
    found = _distinct(result for check in CHECKS for result in check(case))
    return tuple(sorted(found, key=lambda r: (_ORDER[r.verdict], not r.needs_person, _ROWS[r.rule])))


def _distinct(results: Iterable[ComplianceCheck]) -> list[ComplianceCheck]:
    by_rule: dict[str, list[ComplianceCheck]] = {}
    for result in results:
        said = by_rule.setdefault(result.rule, [])
        if not any(result.evidence and other.evidence == result.evidence for other in said):
            said.append(result)
    kept: list[ComplianceCheck] = []
    for said in by_rule.values():
        said.sort(key=lambda result: _ORDER[result.verdict])
        wrong = [r for r in said if r.verdict in (Verdict.VIOLATION, Verdict.WARNING)]
        kept.extend(wrong[:_MOST_PER_RULE] or said[:1])
    return kept
