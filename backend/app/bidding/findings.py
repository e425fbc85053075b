"""What an analysis finds: facts, findings by tab, compliance verdicts; and their JSON of the API.

A `Span` is the only way to say where something stands. Whoever makes one took it from the document, so
`document.text[start:end]` is the excerpt by construction; nothing in here carries a quote as a string.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Tab(StrEnum):
    """The six tabs of a bidding result, in the order in which they are always shown."""

    HARD_REQUIREMENTS = "hard_requirements"
    SCORING_ITEMS = "scoring_items"
    SUBMISSION_FORMAT = "submission_format"
    TECHNICAL_REQUIREMENTS = "technical_requirements"
    COST_ITEMS = "cost_items"
    BID_TIMELINE = "bid_timeline"


TAB_TITLES: dict[Tab, str] = {
    Tab.HARD_REQUIREMENTS: "废标项/硬性要求",
    Tab.SCORING_ITEMS: "评分项",
    Tab.SUBMISSION_FORMAT: "投标形式",
    Tab.TECHNICAL_REQUIREMENTS: "技术要求",
    Tab.COST_ITEMS: "成本项",
    Tab.BID_TIMELINE: "投标日历",
}


class Priority(StrEnum):
    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Verdict(StrEnum):
    VIOLATION = "violation"
    WARNING = "warning"
    PASS = "pass"
    UNKNOWN = "unknown"


class Regime(StrEnum):
    """Which law binds the procurement; `unknown` when the document gives no evidence."""

    GOVERNMENT = "government"  # 政府采购
    MANDATORY = "mandatory"  # 依法必须招标
    ENTERPRISE = "enterprise"  # 企业自愿采购, and a public body's purchase below the threshold
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """text[start:end], in code points."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Fact:
    """A typed value, the words it was read from and the quote that proves it.

    `value`: str, int, float, bool, an ISO date "YYYY-MM-DD" or local time "YYYY-MM-DDTHH:MM"; money in
    yuan. `text` is as written. `source` may be wider than `text`.
    """

    value: str | int | float | bool
    text: str
    source: Span


@dataclass(frozen=True, slots=True)
class Finding:
    """One item of a tab."""

    tab: Tab
    title: str
    span: Span
    priority: Priority
    why_important: str = ""
    guidance: str = ""
    points: float | None = None  # scoring items
    milestone: str | None = None  # timeline items: what happens
    date: str | None = None  # timeline items: ISO date or local time
    date_text: str | None = None  # timeline items: as written
    lot: str | None = None
    grounding: str = "exact"  # exact | normalized | fuzzy
    origin: str = "rules"  # llm | rules | both


@dataclass(frozen=True, slots=True)
class ComplianceCheck:
    """One rule's verdict. `law` cites act, article and the day it is in force from, empty for arithmetic.

    `needs_person`: it is a hint, and somebody should look at it before it is relied on.
    """

    rule: str
    verdict: Verdict
    title: str
    detail: str
    law: str = ""
    evidence: tuple[Span, ...] = ()
    needs_person: bool = False


@dataclass(frozen=True, slots=True)
class Analysis:
    """Everything an analyser found, before it is turned into the API's JSON by `report`."""

    facts: dict[str, Fact | None]
    findings: tuple[Finding, ...]
    compliance: tuple[ComplianceCheck, ...] = ()
    regime: Regime = Regime.UNKNOWN
    ungrounded_dropped: int = 0
    gaps: tuple[dict[str, str], ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)


# Every fact of the API, in the order in which it is shown; the value says how it is typed.
FACTS: dict[str, str] = {
    "project_name": "str",
    "project_number": "str",
    "purchaser": "str",
    "agency": "str",
    "budget": "yuan",
    "price_ceiling": "yuan",
    "bid_bond": "yuan",  # 0 = none asked
    "performance_bond": "percent_or_yuan",  # "5%", "100000", "0" = none asked
    "bid_deadline": "local_time",
    "opening_time": "local_time",
    "document_sale_start": "date_or_time",
    "document_sale_end": "date_or_time",
    "clarification_deadline": "date_or_time",
    "bid_validity_days": "int",
    "consortium_allowed": "bool",
    "service_period": "str",
    "payment_terms": "str",
    "evaluation_method": "str",
    "price_weight": "number",  # points of 100 given to the price
}


def ids_of(findings: Sequence[Finding]) -> list[str]:
    """Tab and place: the same finding has the same id in every run over the same text."""
    seen: dict[str, int] = {}
    ids: list[str] = []
    for finding in findings:
        name = f"{finding.tab.value}-{finding.span.start}"
        seen[name] = seen.get(name, 0) + 1
        ids.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return ids
