"""Labels of compliance against checks: what agrees, what is missed, what nobody labelled."""

from __future__ import annotations

from backend.app.bidding.evaluation_compliance import rules_of, score_compliance
from backend.app.bidding.findings import ComplianceCheck, Verdict
from backend.app.bidding.rules.compliance import table


def said(rule: str, verdict: Verdict, *, needs_person: bool = False) -> ComplianceCheck:
    return ComplianceCheck(rule, verdict, rule, "", needs_person=needs_person)


CHECKS = [
    said("bid_period", Verdict.PASS),
    said("bid_bond_cap", Verdict.UNKNOWN, needs_person=True),
    said("tie_break", Verdict.VIOLATION),
    said("score_total", Verdict.WARNING),
    said("named_brand", Verdict.WARNING),
]
LABELS = [
    {"rule": "20 days from notice to deadline", "verdict": "pass"},
    {"rule": "bid bond at most 2 % of the estimate", "verdict": "warning"},
    {"rule": "tie-break", "verdict": "violation"},
    {"rule": "scores add up", "verdict": "pass"},
    {"rule": "evaluation panel", "verdict": "warning"},
]


def test_labels_are_found_missed_or_contradicted() -> None:
    score = score_compliance(CHECKS, LABELS)

    assert [label.rule for label in score.found] == [LABELS[n]["rule"] for n in (0, 1, 2)]
    assert [label.rule for label in score.missed] == ["evaluation panel"]
    assert [label.rule for label in score.contradicted] == ["scores add up"]
    assert [check.rule for check in score.unlabelled] == ["named_brand"]
    assert score.wrong_labels == (2, 3)


def test_a_pass_where_a_label_warns_is_a_miss() -> None:
    score = score_compliance(
        [said("payment_term", Verdict.PASS)], [{"rule": "payment term", "verdict": "warning"}]
    )

    assert [label.rule for label in score.missed] == ["payment term"]


def test_every_rule_that_labels_lead_to_exists() -> None:
    """A rule that is renamed would count as missed for ever."""
    words = [
        "price weight",
        "site visit",
        "waiver",
        "retention",
        "regime",
        "leftover text",
        "▲ deduction inconsistent",
    ]
    known = {rule.id for rule in table.RULES}

    assert all(rules_of(w) and rules_of(w) <= known for w in words)
    assert rules_of("colour of the cover") == frozenset()
