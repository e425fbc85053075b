"""The built-in analyser: facts, six tabs and compliance checks by rules, without any model."""

from __future__ import annotations

from dataclasses import replace

from backend.app.bidding.findings import Analysis
from backend.app.bidding.rules.compliance import Case, check_compliance
from backend.app.bidding.rules.facts import extract_facts
from backend.app.bidding.rules.lots import whole_facts
from backend.app.bidding.rules.regime import read_setting
from backend.app.bidding.rules.scoring_sums import lot_totals, total_points
from backend.app.bidding.rules.tabs import Reading, find_items, read
from backend.app.documents.canonical import Document


def analyse_with_rules(document: Document, reading: Reading | None = None) -> Analysis:
    """Read the document once (`reading`: it was read before); every span in the answer is one of its text.

    `extra`: "setting" is the regime's evidence, procedure and kind of purchase; "lots" the recognised
    lots with their own amounts and points; "score_total" what a bid can score with the price, None without
    a table.
    """
    reading = reading or read(document)
    facts = whole_facts(extract_facts(document, reading.passages), reading.lots)
    purchaser = facts.get("purchaser")
    setting = read_setting(reading.passages, str(purchaser.value) if purchaser else None)
    findings = find_items(document, reading)
    case = Case(setting, facts, reading.passages, reading.scores, findings)
    price_weight = case.amount("price_weight")
    totals = lot_totals(reading.scores, price_weight)
    return Analysis(
        facts=facts,
        findings=findings,
        compliance=check_compliance(case),
        regime=setting.regime,
        extra={
            "setting": setting,
            "lots": tuple(replace(lot, score_total=totals.get(lot.id)) for lot in reading.lots),
            "score_total": total_points(reading.scores, price_weight),
        },
    )
