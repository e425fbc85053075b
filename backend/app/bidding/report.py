"""An analysis as the API's `bidding_analysis` JSON. Every excerpt is cut from the document here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.app.bidding.findings import (
    FACTS,
    TAB_TITLES,
    Analysis,
    ComplianceCheck,
    Fact,
    Finding,
    Priority,
    Span,
    Tab,
    Verdict,
    ids_of,
)
from backend.app.bidding.rules.lots import Lot
from backend.app.bidding.summary import summarise
from backend.app.documents.canonical import Document

_ZERO_USAGE: dict[str, Any] = {
    "calls": 0,
    "reused_calls": 0,
    "in_doubt_calls": 0,
    "prompt_tokens": 0,
    "response_tokens": 0,
    "cost": None,
}
_MOST_REASONS = 12  # findings that a verdict names


@dataclass(frozen=True, slots=True)
class DocumentSource:
    """What the text was read from. `ocr_pages`: numbers of the pages that were read by OCR."""

    filename: str
    sha256: str
    ocr_pages: tuple[int, ...] = ()


def rules_engine(analysis: Analysis) -> dict[str, Any]:
    """The `engine` part of a result without any model."""
    return {
        "mode": "rules",
        "provider": None,
        "model": None,
        "prompt_version": None,
        "ungrounded_dropped": analysis.ungrounded_dropped,
    }


def build_report(
    document: Document,
    analysis: Analysis,
    *,
    source: DocumentSource,
    engine: Mapping[str, Any] | None = None,
    usage: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The result of one document: the shape of api.md "Results", ready for JSON.

    Raises ValueError when a span does not lie inside the document's text.
    """
    ids = ids_of(analysis.findings)
    return {
        "summary": summarise(analysis),
        "verdict": _verdict(analysis, ids),
        "facts": _facts(document, analysis),
        "tabs": _tabs(document, analysis.findings, ids),
        "compliance": [_check(document, check) for check in analysis.compliance],
        "lots": [_lot(document, lot) for lot in analysis.extra.get("lots", ())],
        "gaps": [dict(gap) for gap in analysis.gaps],
        "document": {
            "filename": source.filename,
            "sha256": source.sha256,
            "pages": len(document.pages) or None,
            "chars": len(document.text),
            "ocr_pages": list(source.ocr_pages),
            "warnings": list(document.warnings),
        },
        "engine": dict(engine) if engine is not None else rules_engine(analysis),
        "usage": dict(usage) if usage is not None else dict(_ZERO_USAGE),
    }


def _tabs(document: Document, findings: Sequence[Finding], ids: Sequence[str]) -> list[dict[str, Any]]:
    """All six, in their order, also those without items."""
    items: dict[Tab, list[dict[str, Any]]] = {tab: [] for tab in Tab}
    for finding, item_id in zip(findings, ids, strict=True):
        items[finding.tab].append(_item(document, finding, item_id))
    return [{"id": tab.value, "title": TAB_TITLES[tab], "items": items[tab]} for tab in Tab]


def _excerpt(document: Document, span: Span) -> str:
    if not 0 <= span.start < span.end <= len(document.text):
        raise ValueError(f"span {span.start}:{span.end} lies outside the text")
    return document.text[span.start : span.end]


def _source(document: Document, span: Span) -> dict[str, Any]:
    block = document.block_at(span.start)
    found: dict[str, Any] = {
        "excerpt": _excerpt(document, span),
        "start": span.start,
        "end": span.end,
        "page": document.page_of(span.start),
        "path": " > ".join(block.path) if block is not None else "",
    }
    if document.boxes:
        found["rects"] = [rect.as_json() for rect in document.rects(span.start, span.end)]
    return found


def _facts(document: Document, analysis: Analysis) -> dict[str, Any]:
    """Every known fact in the order of the API, null where the document does not say. `conflicts`: what
    other places say instead."""
    facts, conflicts = analysis.facts, analysis.extra.get("conflicts", {})
    names = [*FACTS, *(name for name in facts if name not in FACTS)]
    answer: dict[str, Any] = {}
    for name in names:
        fact = facts.get(name)
        answer[name] = None if fact is None else _fact(document, fact)
        if fact is not None and name in conflicts:
            answer[name]["conflicts"] = [_fact(document, other) for other in conflicts[name]]
    return answer


def _lot(document: Document, lot: Lot) -> dict[str, Any]:
    """The amounts have the shape of facts, null where the lot states none of its own."""
    return {
        "id": lot.id,
        "name": lot.name,
        "text": _excerpt(document, lot.span),
        "budget": _fact_or_null(document, lot.budget),
        "price_ceiling": _fact_or_null(document, lot.price_ceiling),
        "bid_bond": _fact_or_null(document, lot.bid_bond),
        "score_total": lot.score_total,
    }


def _fact_or_null(document: Document, fact: Fact | None) -> dict[str, Any] | None:
    return None if fact is None else _fact(document, fact)


def _fact(document: Document, fact: Fact) -> dict[str, Any]:
    return {"value": fact.value, "text": fact.text, "source": _source(document, fact.source)}


def _item(document: Document, finding: Finding, item_id: str) -> dict[str, Any]:
    span = finding.span
    block = document.block_at(span.start)
    item: dict[str, Any] = {
        "id": item_id,
        "title": finding.title,
        "why_important": finding.why_important,
        "guidance": finding.guidance,
        "priority": finding.priority.value,
        "source_excerpt": _excerpt(document, span),
        "source_start": span.start,
        "source_end": span.end,
        "page": document.page_of(span.start),
        "rects": [rect.as_json() for rect in document.rects(span.start, span.end)],
        "path": " > ".join(block.path) if block is not None else "",
        "grounding": finding.grounding,
        "origin": finding.origin,
        "review": {"state": "open", "note": None, "by": None, "at": None},
    }
    if finding.lot is not None:
        item["lot"] = finding.lot
    if finding.tab is Tab.SCORING_ITEMS:
        item["points"] = finding.points
    if finding.tab is Tab.BID_TIMELINE:
        item |= {"milestone": finding.milestone, "date": finding.date, "date_text": finding.date_text}
    return item


def _check(document: Document, check: ComplianceCheck) -> dict[str, Any]:
    return {
        "rule": check.rule,
        "verdict": check.verdict.value,
        "title": check.title,
        "detail": check.detail,
        "law": check.law,
        "to_check": check.needs_person,
        "evidence": [_source(document, span) for span in check.evidence],
    }


def _verdict(analysis: Analysis, ids: Sequence[str]) -> dict[str, Any]:
    """high_risk: a violation; caution: something to settle before bidding; ok: neither was seen.

    The reason also counts the requirements that void a bid: every tender has them.
    """
    violations = [c for c in analysis.compliance if c.verdict is Verdict.VIOLATION]
    warnings = [c for c in analysis.compliance if c.verdict is Verdict.WARNING]
    fatal = [
        item_id
        for item_id, finding in zip(ids, analysis.findings, strict=True)
        if finding.tab is Tab.HARD_REQUIREMENTS and finding.priority is Priority.CRITICAL
    ]
    touched = _touched(analysis, ids, violations or warnings)
    reasons: list[str] = []
    if violations:
        reasons.append(f"{len(violations)} 项涉嫌违规：{'、'.join(c.title for c in violations[:3])}")
    if warnings:
        reasons.append(f"{len(warnings)} 项需核实：{'、'.join(c.title for c in warnings[:3])}")
    if fatal:
        reasons.append(f"{len(fatal)} 条不满足即废标的要求须逐条确认")
    level = "high_risk" if violations else "caution" if warnings else "ok"
    overview = analysis.extra.get("overview")
    if overview is not None and overview.reason:
        reasons.append(overview.reason.rstrip("。；"))
    named = overview.items if overview is not None else ()
    return {
        "level": level,
        "reason": "；".join(reasons) + "。" if reasons else "未发现不满足即废标的条款或异常约定。",
        "items": list(dict.fromkeys([*touched, *named, *fatal]))[:_MOST_REASONS],
    }


def _touched(analysis: Analysis, ids: Sequence[str], checks: Sequence[ComplianceCheck]) -> list[str]:
    """Findings that quote the evidence of the checks."""
    spans = [span for check in checks for span in check.evidence]
    return [
        item_id
        for item_id, finding in zip(ids, analysis.findings, strict=True)
        if any(finding.span.start < span.end and span.start < finding.span.end for span in spans)
    ]
