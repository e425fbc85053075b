"""An evaluation as JSON: every figure of the table, per document and in sum."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from backend.app.bidding.evaluation import DocumentScore, Evaluation, ItemScore, recall
from backend.app.bidding.evaluation_compliance import ComplianceScore
from backend.app.bidding.evaluation_match import FactScore, Outcome
from backend.app.bidding.findings import Tab

_DIGITS = 4


def evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    """`sum` holds the counted documents only; shares are fractions of 1."""
    counted = evaluation.counted
    labelled = [score for score in counted if score.scoring_right is not None]
    pages = sum(score.pages for score in counted)
    seconds = sum(score.seconds for score in counted)
    return {
        "documents": [_document(score) for score in evaluation.scores],
        "sum": {
            "documents": len(counted),
            "facts": {outcome.value: evaluation.total(outcome) for outcome in Outcome},
            "facts_right": round(evaluation.facts_right, _DIGITS),
            "recall": _recall(evaluation.items),
            "quoted_most": round(max((score.quoted for score in counted), default=0.0), _DIGITS),
            "bad_quotes": sum(score.bad_quotes for score in counted),
            "wrong_rects": sum(score.wrong_rects for score in counted),
            "scoring_sums": {
                "right": sum(score.scoring_right is True for score in labelled),
                "labelled": len(labelled),
            },
            "compliance": _of_labels(evaluation.compliance),
            "seconds_per_page": round(seconds / pages, _DIGITS) if pages else None,
            "cost": sum(score.cost for score in counted),
        },
    }


def _document(score: DocumentScore) -> dict[str, Any]:
    expected, given = score.score_total or (None, None)
    return {
        "name": score.name,
        "counted": score.counted,
        "note": score.note,
        "facts": [_fact(fact) for fact in score.facts],
        "recall": _recall(score.items),
        "missed_items": [
            {"tab": item.tab, "excerpt": item.excerpt, "must": item.must, "in_text": item.located}
            for item in score.items
            if not item.found
        ],
        "findings": score.findings,
        "pages": score.pages,
        "quoted": round(score.quoted, _DIGITS),
        "bad_quotes": score.bad_quotes,
        "wrong_rects": score.wrong_rects,
        "scoring_sum": {"expected": expected, "given": given, "right": score.scoring_right},
        "compliance": _compliance(score.compliance),
        "seconds": round(score.seconds, _DIGITS),
        "seconds_per_page": round(score.seconds / score.pages, _DIGITS) if score.pages else None,
        "cost": score.cost,
    }


def _fact(fact: FactScore) -> dict[str, Any]:
    return {
        "name": fact.name,
        "outcome": fact.outcome.value,
        "expected": fact.expected,
        "given": fact.given,
    }


def _recall(items: Iterable[ItemScore]) -> dict[str, Any]:
    known = list(items)
    kinds = {
        "all": known,
        "must": [item for item in known if item.must],
        **{tab.value: [item for item in known if item.tab == tab.value] for tab in Tab},
    }
    return {
        name: {
            "found": sum(item.found for item in kind),
            "labelled": len(kind),
            "share": round(recall(kind), _DIGITS) if kind else None,
        }
        for name, kind in kinds.items()
    }


def _of_labels(found: tuple[int, int] | None) -> dict[str, int] | None:
    return None if found is None else {"found": found[0], "labelled": found[1]}


def _compliance(score: ComplianceScore | None) -> dict[str, Any] | None:
    if score is None:
        return None
    return {
        "found": len(score.found),
        "labelled": score.labels,
        "missed": [asdict(label) for label in score.missed],
        "contradicted": [asdict(label) for label in score.contradicted],
    }
