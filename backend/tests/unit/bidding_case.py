"""Cases for the tests of the compliance checks: facts and a text in, the verdict of one rule out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from backend.app.bidding.findings import ComplianceCheck, Fact, Regime, Span, Verdict
from backend.app.bidding.rules.compliance import Case, check_compliance
from backend.app.bidding.rules.regime import Procedure, Purchase, Setting
from backend.app.bidding.rules.tabs import find_items, read
from backend.app.documents.canonical import Document
from backend.tests.unit.bidding_text import lines

OPEN = Setting(Regime.GOVERNMENT, "", (), Procedure.OPEN_TENDER, Purchase.SERVICES)
MANDATORY = replace(OPEN, regime=Regime.MANDATORY, purchase=Purchase.WORKS)
ENTERPRISE = replace(OPEN, regime=Regime.ENTERPRISE)
UNKNOWN = replace(OPEN, regime=Regime.UNKNOWN)
CONSULTATION = replace(OPEN, procedure=Procedure.CONSULTATION)
NEGOTIATION = replace(OPEN, procedure=Procedure.NEGOTIATION)
NOTHING: Mapping[str, Any] = {}


def fact(value: Any) -> Fact:
    return Fact(value, str(value), Span(0, 1))


def case(
    facts: Mapping[str, Any] = NOTHING,
    *,
    text: str = "第一章 招标公告",
    document: Document | None = None,
    setting: Setting = OPEN,
) -> Case:
    source = document if document is not None else lines(text)
    reading = read(source)
    known = {name: fact(value) for name, value in facts.items()}
    return Case(setting, known, reading.passages, reading.scores, find_items(source, reading))


def checks(rule: str, facts: Mapping[str, Any] = NOTHING, **kwargs: Any) -> list[ComplianceCheck]:
    return [c for c in check_compliance(case(facts, **kwargs)) if c.rule == rule]


def check(rule: str, facts: Mapping[str, Any] = NOTHING, **kwargs: Any) -> ComplianceCheck | None:
    return next(iter(checks(rule, facts, **kwargs)), None)


def verdict(rule: str, facts: Mapping[str, Any] = NOTHING, **kwargs: Any) -> Verdict | None:
    result = check(rule, facts, **kwargs)
    return result.verdict if result else None


def quoted(result: ComplianceCheck | None, text: str) -> list[str]:
    """What the evidence of a check says in `text`."""
    assert result is not None
    source = lines(text).text
    return [source[span.start : span.end] for span in result.evidence]
