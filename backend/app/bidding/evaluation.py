"""Measures an analyser against labelled tenders (`*.gold.json` beside each document).

What is compared and how is written in docs/evaluation.md. Everything but `evaluate_folder` is pure.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backend.app.bidding.evaluation_compliance import ComplianceScore, score_compliance
from backend.app.bidding.evaluation_grounding import wrong_rects
from backend.app.bidding.evaluation_match import (
    MIN_COVER,
    CompactText,
    FactScore,
    Outcome,
    cover,
    score_fact,
)
from backend.app.bidding.findings import FACTS, Analysis, Span, Tab
from backend.app.common.errors import AppError, DocumentNeedsOCR
from backend.app.documents.canonical import Document

GOLD_SUFFIX = ".gold.json"
CHARS_PER_PAGE = 1000  # where a format has no pages


@dataclass(frozen=True, slots=True)
class ItemScore:
    """One labelled item. `located` is False when its excerpt does not stand in the text at all."""

    tab: str
    excerpt: str
    must: bool
    found: bool
    located: bool


@dataclass(frozen=True, slots=True)
class DocumentScore:
    """One document's figures. `note` says why there are none, or that it is a copy that lost text."""

    name: str
    facts: tuple[FactScore, ...] = ()
    items: tuple[ItemScore, ...] = ()
    findings: int = 0
    pages: float = 0.0
    quoted: float = 0.0  # share of the text that all findings together quote
    bad_quotes: int = 0  # spans that are empty or lie outside the text
    wrong_rects: int = 0  # spans whose boxes, read again from the PDF, do not hold their words
    compliance: ComplianceScore | None = None  # None: no labels
    cost: float = 0.0  # of the model's calls
    score_total: tuple[float | None, float | None] | None = None  # (expected, given); None: not labelled
    seconds: float = 0.0
    counted: bool = True
    note: str = ""

    def facts_with(self, outcome: Outcome) -> int:
        return sum(fact.outcome is outcome for fact in self.facts)

    @property
    def scoring_right(self) -> bool | None:
        if self.score_total is None:
            return None
        expected, given = self.score_total
        return given is not None and expected is not None and abs(expected - given) < 0.01


@dataclass(frozen=True, slots=True)
class Evaluation:
    scores: tuple[DocumentScore, ...]

    @property
    def counted(self) -> tuple[DocumentScore, ...]:
        return tuple(score for score in self.scores if score.counted)

    def total(self, outcome: Outcome) -> int:
        return sum(score.facts_with(outcome) for score in self.counted)

    @property
    def facts_right(self) -> float:
        """Right of all facts that the documents state."""
        right = self.total(Outcome.RIGHT)
        stated = right + self.total(Outcome.WRONG) + self.total(Outcome.MISSED)
        return right / stated if stated else 0.0

    @property
    def items(self) -> list[ItemScore]:
        return [item for score in self.counted for item in score.items]

    @property
    def compliance(self) -> tuple[int, int] | None:
        """Labels found and labels, of all documents that have any; None when none has."""
        known = [score.compliance for score in self.counted if score.compliance is not None]
        return (sum(len(one.found) for one in known), sum(one.labels for one in known)) if known else None

    @property
    def must_recall(self) -> float:
        return recall(item for item in self.items if item.must)


def recall(items: Iterable[ItemScore]) -> float:
    """Found of all; 0 of 0 is 0."""
    known = list(items)
    return sum(item.found for item in known) / len(known) if known else 0.0


def score_document(
    document: Document, analysis: Analysis, gold: dict[str, Any], *, name: str = "", seconds: float = 0.0
) -> DocumentScore:
    """Compare one analysis with the labels of its document."""
    text = document.text
    spans = [finding.span for finding in analysis.findings]
    labelled = gold.get("facts", {})
    facts = tuple(
        score_fact(fact, analysis.facts.get(fact), labelled[fact], text) for fact in FACTS if fact in labelled
    )
    total, laws = gold.get("scoring") or {}, gold.get("compliance")
    return DocumentScore(
        name=name or str(gold.get("file", "")),
        facts=facts,
        items=tuple(_score_items(text, analysis, gold.get("items", []))),
        findings=len(spans),
        pages=float(len(document.pages) or max(1.0, len(text) / CHARS_PER_PAGE)),
        quoted=_quoted(text, spans),
        bad_quotes=sum(not _is_quote(text, span) for span in all_spans(analysis)),
        compliance=score_compliance(analysis.compliance, laws) if laws else None,
        cost=float((analysis.extra.get("usage") or {}).get("cost") or 0.0),
        score_total=(total["total"], _number(analysis.extra.get("score_total")))
        if total.get("total") is not None
        else None,
        seconds=seconds,
    )


def _score_items(text: str, analysis: Analysis, items: list[dict[str, Any]]) -> Iterable[ItemScore]:
    compact = CompactText.of(text)
    by_tab: dict[str, list[Span]] = {tab.value: [] for tab in Tab}
    for finding in analysis.findings:
        by_tab[finding.tab.value].append(finding.span)
    for item in items:
        places = compact.places(item["excerpt"])
        found = any(
            cover(place, span) >= MIN_COVER for place in places for span in by_tab.get(item["tab"], [])
        )
        yield ItemScore(item["tab"], item["excerpt"], bool(item.get("must")), found, bool(places))


def all_spans(analysis: Analysis) -> Iterable[Span]:
    """Everything that an analysis quotes."""
    yield from (finding.span for finding in analysis.findings)
    yield from (fact.source for fact in analysis.facts.values() if fact is not None)
    yield from (span for check in analysis.compliance for span in check.evidence)


def _is_quote(text: str, span: Span) -> bool:
    return 0 <= span.start < span.end <= len(text) and bool(text[span.start : span.end].strip())


def _quoted(text: str, spans: list[Span]) -> float:
    """The share of the characters, white space apart, that lie in at least one span."""
    quoted = bytearray(len(text))
    for span in spans:
        quoted[span.start : span.end] = b"\x01" * (min(span.end, len(text)) - span.start)
    words = [at for at, ch in enumerate(text) if not ch.isspace()]
    return sum(quoted[at] for at in words) / max(1, len(words))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


Analyse = Callable[[Path], tuple[Document, Analysis]]


def evaluate_folder(folder: Path, analyse: Analyse) -> Evaluation:
    """Analyse every document below `folder` that has labels beside it.

    `analyse` reads and analyses one file. A document of scans that was not read, because OCR is off, or one
    that fails with another AppError is reported and left out of the sums; so is a second form of a document
    (its labels name another file).
    """
    scores: list[DocumentScore] = []
    for labels in sorted(folder.rglob(f"*{GOLD_SUFFIX}")):
        gold = json.loads(labels.read_text("utf-8"))
        stem = labels.name.removesuffix(GOLD_SUFFIX)
        documents = sorted(p for p in labels.parent.glob(f"{stem}.*") if p.suffix != ".json")
        scores.extend(_evaluate(path, gold, analyse) for path in documents)
    return Evaluation(tuple(scores))


def _evaluate(path: Path, gold: dict[str, Any], analyse: Analyse) -> DocumentScore:
    began = time.perf_counter()
    try:
        document, analysis = analyse(path)
    except DocumentNeedsOCR:
        return DocumentScore(path.name, counted=False, note="needs OCR")
    except AppError as error:
        return DocumentScore(path.name, counted=False, note=f"failed: {type(error).__name__}")
    seconds = time.perf_counter() - began
    score = replace(
        score_document(document, analysis, gold, name=path.name, seconds=seconds),
        wrong_rects=wrong_rects(path, document, all_spans(analysis)),
    )
    is_copy = gold.get("file") not in (None, path.name)
    return _as_copy(score) if is_copy else score


def _as_copy(score: DocumentScore) -> DocumentScore:
    """A second, poorer form: its facts have to be the same or null, so what it lost is not missed."""
    located = tuple(item for item in score.items if item.located)
    return replace(score, items=located, counted=False, note="second form, not in the sum")


__all__ = [
    "DocumentScore",
    "Evaluation",
    "ItemScore",
    "all_spans",
    "evaluate_folder",
    "recall",
    "score_document",
]
