"""Measures the compliance checks against a document's labels. Pure.

A label is {"rule": words in English, "verdict": "pass" | "warning" | "violation", "why": …}; its words are
matched to the ids of rules by `_SUBJECTS`. Labels on subjects that no rule treats are missed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.app.bidding.findings import ComplianceCheck, Verdict

_WRONG = frozenset({Verdict.VIOLATION, Verdict.WARNING})
# Words of a label's rule, and the rules that answer it.
_SUBJECTS: tuple[tuple[re.Pattern[str], frozenset[str]], ...] = tuple(
    (re.compile(words, re.IGNORECASE), frozenset(ids.split()))
    for words, ids in (
        (r"days? from|days for|20 days|10 days", "bid_period consultation_period negotiation_period"),
        (r"sale at least|documents? (?:sold|provided)", "document_sale_period"),
        (r"bid bond(?! return)", "bid_bond_cap bid_bond_amount"),
        (r"performance bond contradict", "bond_contradiction"),
        (r"performance bond at|performance bond cap", "performance_bond_cap"),
        (r"retention", "retention_cap"),
        (r"price weight", "price_weight consultation_price_weight"),
        (r"scores? add up", "score_total score_parts"),
        (r"lots? adds? up|shares add up", "lot_total amount_conflict"),
        (r"small business|price discount", "sme_discount"),
        (
            r"superseded|outdated|wrong regulation|law cited",
            "outdated_law regulation_conflict procurement_regime",
        ),
        (r"leftover", "number_conflict name_conflict party_conflict"),
        (r"site visit", "site_visit_conflict"),
        (r"clarification", "clarification_window clarification_notice date_order"),
        (r"capital|size|income|ranking", "scale_conditions"),
        (r"brand", "named_brand"),
        (r"local|establishment|ownership|region", "supplier_status regional_record"),
        (r"payment", "payment_term pay_when_paid payment_shares"),
        (r"tie-?break", "tie_break"),
        (r"waiver", "challenge_waiver"),
        (r"deduction inconsistent", "score_deduction"),
        (r"renewal", "automatic_renewal"),
        (r"challenge period", "challenge_period"),
        (r"dispute", "dispute_conflict"),
        (r"party", "party_conflict"),
        (r"affiliat", "same_head"),
        (r"years", "report_years"),
        (r"validity", "bid_validity_stated validity_conflict"),
        (r"^regime", "procurement_regime"),
    )
)


@dataclass(frozen=True, slots=True)
class ComplianceLabel:
    rule: str
    verdict: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class ComplianceScore:
    """One document's labels and checks.

    `found`: labels that a check answers alike (pass: nothing wrong is said; warning and violation: something
    is, or a person is sent to look). `contradicted`: labelled pass, called wrong. `unlabelled`: what was
    called wrong without a label: right or wrong, to be read.
    """

    found: tuple[ComplianceLabel, ...]
    missed: tuple[ComplianceLabel, ...]
    contradicted: tuple[ComplianceLabel, ...]
    unlabelled: tuple[ComplianceCheck, ...]

    @property
    def labels(self) -> int:
        return len(self.found) + len(self.missed) + len(self.contradicted)

    @property
    def wrong_labels(self) -> tuple[int, int]:
        """(found, all) of the labels that say that something is wrong."""
        found = sum(label.verdict != "pass" for label in self.found)
        return found, found + sum(label.verdict != "pass" for label in self.missed)


def score_compliance(
    checks: Sequence[ComplianceCheck], labels: Iterable[Mapping[str, Any]]
) -> ComplianceScore:
    """Compare the checks of one document with its `compliance` labels."""
    found: list[ComplianceLabel] = []
    missed: list[ComplianceLabel] = []
    contradicted: list[ComplianceLabel] = []
    answered: set[str] = set()
    for given in labels:
        label = ComplianceLabel(str(given["rule"]), str(given["verdict"]), str(given.get("why", "")))
        ids = rules_of(label.rule)
        answers = [check for check in checks if check.rule in ids]
        answered |= ids
        if label.verdict == "pass" and any(check.verdict in _WRONG for check in answers):
            contradicted.append(label)
        elif any(_agrees(check, label.verdict) for check in answers):
            found.append(label)
        else:
            missed.append(label)
    unlabelled = tuple(c for c in checks if c.verdict in _WRONG and c.rule not in answered)
    return ComplianceScore(tuple(found), tuple(missed), tuple(contradicted), unlabelled)


def rules_of(words: str) -> frozenset[str]:
    """The ids of the rules that treat what a label's rule speaks of; none for other subjects."""
    return next((ids for pattern, ids in _SUBJECTS if pattern.search(words)), frozenset())


def _agrees(check: ComplianceCheck, verdict: str) -> bool:
    if verdict == "pass":
        return check.verdict not in _WRONG
    return check.verdict in _WRONG or check.needs_person
