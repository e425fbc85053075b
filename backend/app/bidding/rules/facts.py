"""The facts of a tender by rules: typed values, each with the words it was read from.

A wrong value is worse than none, so a fact is given only where a label names it and the value has its
type; placeholders, references ("见前附表") and options that are not ticked are none.
"""

from __future__ import annotations

from collections.abc import Callable

from backend.app.bidding.findings import FACTS, Fact
from backend.app.bidding.rules import facts_bonds, facts_evaluation, facts_money, facts_parties, facts_terms
from backend.app.bidding.rules.facts_dates import date_facts
from backend.app.bidding.rules.passages import Passage
from backend.app.bidding.rules.statements import Candidate, Statement, read_statements
from backend.app.documents.canonical import Document

_FINDERS: dict[str, Callable[[list[Statement]], Candidate | None]] = {
    "project_name": facts_parties.project_name,
    "project_number": facts_parties.project_number,
    "purchaser": facts_parties.purchaser,
    "agency": facts_parties.agency,
    "budget": facts_money.budget,
    "price_ceiling": facts_money.price_ceiling,
    "bid_bond": facts_bonds.bid_bond,
    "performance_bond": facts_bonds.performance_bond,
    "bid_validity_days": facts_terms.bid_validity_days,
    "consortium_allowed": facts_terms.consortium_allowed,
    "service_period": facts_terms.service_period,
    "payment_terms": facts_terms.payment_terms,
    "evaluation_method": facts_evaluation.evaluation_method,
    "price_weight": facts_evaluation.price_weight,
}


def extract_facts(document: Document, passages: list[Passage] | None = None) -> dict[str, Fact | None]:
    """Every fact of `findings.FACTS`, None where the document does not say. `passages`: its own, where they
    have been split already."""
    statements = read_statements(document, passages)
    found: dict[str, Candidate | None] = {name: find(statements) for name, find in _FINDERS.items()}
    found |= date_facts(statements)
    if _same_party(found):
        found["agency"] = None
    return {
        name: candidate.fact(document.text) if (candidate := found.get(name)) is not None else None
        for name in FACTS
    }


def _same_party(found: dict[str, Candidate | None]) -> bool:
    """The purchaser runs the tender itself: its name under both labels is no agency."""
    one, other = found["purchaser"], found["agency"]
    return one is not None and other is not None and one.value == other.value
