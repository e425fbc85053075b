"""Two documents and the base's result → `bidding_comparison` JSON. Pure; no model is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.app.bidding.analysis import analyse_with_rules
from backend.app.bidding.comparison import report
from backend.app.bidding.comparison.amendment import compare_notice
from backend.app.bidding.comparison.changes import Change, Kind
from backend.app.bidding.comparison.facts import (
    DateChange,
    FactChange,
    calendar_of_facts,
    calendar_of_versions,
    facts_of_notice,
    facts_of_versions,
)
from backend.app.bidding.comparison.impact import impact_of, items_of
from backend.app.bidding.comparison.kinds import kind_of, overlap
from backend.app.bidding.comparison.notice_period import check_period, deadline_now
from backend.app.bidding.comparison.places import Base
from backend.app.bidding.comparison.revision import Aligned, compare_versions
from backend.app.bidding.comparison.units import Reading
from backend.app.bidding.findings import Analysis
from backend.app.bidding.report import DocumentSource
from backend.app.documents.canonical import Document


@dataclass(frozen=True, slots=True)
class BaseTask:
    """The analysed tender that something new is compared with."""

    task_id: int
    document: Document
    document_sha256: str
    source: DocumentSource
    result: Mapping[str, Any]  # its `bidding_analysis`


@dataclass(frozen=True, slots=True)
class _Found:
    changes: list[Change]
    facts: list[FactChange]
    calendar: list[DateChange]


def compare(
    base: BaseTask, new: Document, source: DocumentSource, usage: Mapping[str, Any]
) -> dict[str, Any]:
    """The shape of docs/comparison.md. Raises ValueError when a span lies outside its text (a bug)."""
    aligned = Aligned.of(Reading.of(base.document), Reading.of(new))
    analysis = analyse_with_rules(base.document)
    kind = kind_of(aligned)
    found = _versions(aligned, analysis, new) if kind is Kind.REVISION else _notice(base, analysis, new)
    texts = (base.document.text, new.text)
    items = items_of(base.result)
    impacts = [impact_of(change, texts, items, found.facts) for change in found.changes]
    after = next((one.after for one in found.facts if one.name == "bid_deadline"), None)
    hint = check_period(
        new,
        deadline_now(analysis.facts, after),
        analysis.regime,
        material=any(impact.severity != "low" for impact in impacts),
    )
    return report.build(
        report.Compared(base.document, new, kind, found.changes, impacts, found.facts, found.calendar, hint),
        base={
            "task_id": base.task_id,
            "filename": base.source.filename,
            "sha256": base.source.sha256,
            "document_sha256": base.document_sha256,
        },
        source=source,
        overlap=overlap(aligned),
        usage=usage,
    )


def _versions(aligned: Aligned, before: Analysis, new: Document) -> _Found:
    after = analyse_with_rules(new)
    changes = compare_versions(aligned)
    facts = facts_of_versions(before.facts, after.facts, changes)
    return _Found(changes, facts, calendar_of_versions(before.findings, after.findings, facts, changes))


def _notice(base: BaseTask, before: Analysis, new: Document) -> _Found:
    changes, statements = compare_notice(Base(base.document, before.facts), new)
    facts = facts_of_notice(before.facts, new, statements)
    return _Found(changes, facts, calendar_of_facts(facts))
