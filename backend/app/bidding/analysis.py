"""The built-in analyser: facts, six tabs and compliance checks by rules, without any model."""

from __future__ import annotations

from backend.app.bidding.findings import Analysis
from backend.app.bidding.rules.compliance import Case, check_compliance
from backend.app.bidding.rules.facts import extract_facts
from backend.app.bidding.rules.lots import find_lots
from backend.app.bidding.rules.regime import read_setting
from backend.app.bidding.rules.scoring import total_points
from backend.app.bidding.rules.tabs import find_items, read
from backend.app.documents.canonical import Document


def analyse_with_rules(document: Document) -> Analysis:
    """Read the document once; every span in the answer is one of `document.text`.

    `extra`: "setting" is the regime's evidence, procedure and kind of purchase; "lots" the recognised
    lots; "marks" what ★ and its kind mean there; "score_total" the points of all scoring rows with the
    price, None without a table.
    """
    facts = extract_facts(document)
    reading = read(document)
    purchaser = facts.get("purchaser")
    setting = read_setting(reading.passages, str(purchaser.value) if purchaser else None)
    findings = find_items(document, reading)
    case = Case(setting, facts, reading.passages, reading.scores, findings)
    return Analysis(
        facts=facts,
        findings=findings,
        compliance=check_compliance(case),
        regime=setting.regime,
        extra={
            "setting": setting,
            "lots": find_lots(reading.passages),
            "marks": tuple(reading.definitions.values()),
            "score_total": total_points(reading.scores, case.amount("price_weight")),
        },
    )
