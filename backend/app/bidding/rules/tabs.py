"""The six tabs of a document, by rules alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

from backend.app.bidding.findings import Finding
from backend.app.bidding.rules.lot_facts import with_facts
from backend.app.bidding.rules.lot_places import LotPlaces
from backend.app.bidding.rules.lots import Lot, find_lots
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
    lots: tuple[Lot, ...]
    places: LotPlaces


def read(document: Document) -> Reading:
    passages = split_passages(document)
    tables = list(read_tables(document, passages))
    named = find_lots(passages, tables)
    places = LotPlaces.of_document(document, passages, tables, named)
    scores = [replace(row, lot=_lot_of_row(row, places)) for row in score_rows(tables)]
    lots = with_facts(named, passages, tables, places, document.text)
    return Reading(passages, find_definitions(passages), scores, lots, places)


def _lot_of_row(row: ScoreRow, places: LotPlaces) -> str | None:
    span = row.criterion.span(0, len(row.criterion.compact))
    return places.lot_around(span) or places.lot_of(span)


def find_items(document: Document, reading: Reading) -> tuple[Finding, ...]:
    """The findings of all tabs, in order of tab and place."""
    passages = reading.passages
    candidates = (
        *find_hard_requirements(passages, reading.definitions, {row.table for row in reading.scores}),
        *find_scoring_items(passages, reading.scores),
        *find_submission_format(passages),
        *find_technical_requirements(passages, reading.definitions),
        *find_cost_items(passages),
        *find_timeline(passages),
    )
    placed = [replace(c, lot=reading.places.lot_of(c.span)) for c in candidates]
    return select(placed, document.text)
