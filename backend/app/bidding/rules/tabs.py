"""The six tabs of a document, by rules alone."""

from __future__ import annotations

from dataclasses import dataclass

from backend.app.bidding.findings import Finding
from backend.app.bidding.rules.marks import MarkDefinition, find_definitions
from backend.app.bidding.rules.passages import Passage, split_passages
from backend.app.bidding.rules.priorities import select
from backend.app.bidding.rules.scoring import ScoreRow, score_rows
from backend.app.bidding.rules.tables import read_tables
from backend.app.bidding.rules.tabs_costs import find_cost_items
from backend.app.bidding.rules.tabs_hard import find_hard_requirements
from backend.app.bidding.rules.tabs_scoring import find_scoring_items
from backend.app.bidding.rules.tabs_submission import find_submission_format
from backend.app.bidding.rules.tabs_technical import find_technical_requirements
from backend.app.bidding.rules.tabs_timeline import find_timeline
from backend.app.documents.canonical import Document


@dataclass(frozen=True, slots=True)
class Reading:
    """A document cut up for rules; the compliance checks read it too."""

    passages: list[Passage]
    definitions: dict[str, MarkDefinition]
    scores: list[ScoreRow]


def read(document: Document) -> Reading:
    passages = split_passages(document)
    return Reading(passages, find_definitions(passages), score_rows(read_tables(document, passages)))


def find_items(document: Document, reading: Reading) -> tuple[Finding, ...]:
    """The findings of all tabs, in order of tab and place."""
    passages = reading.passages
    return select(
        [
            *find_hard_requirements(passages, reading.definitions, {row.table for row in reading.scores}),
            *find_scoring_items(passages, reading.scores),
            *find_submission_format(passages),
            *find_technical_requirements(passages, reading.definitions),
            *find_cost_items(passages),
            *find_timeline(passages),
        ],
        document.text,
    )
