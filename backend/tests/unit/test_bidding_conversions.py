"""One tender in three forms: what is read must not depend on the form it came in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from backend.app.bidding.analysis import analyse_with_rules
from backend.app.bidding.findings import Analysis
from backend.app.documents.extract import extract
from backend.tests.tenders_made import LOTS, SERVICES, WORKS, Part, write_docx, write_pdf, write_txt

WRITERS = {"docx": write_docx, "pdf": write_pdf, "txt": write_txt}
EXPECTED = {
    "services": {
        "project_name": "读者服务区保洁服务采购项目",
        "project_number": "YLZC-2026-0318",
        "purchaser": "云岭市图书馆",
        "agency": "云岭市安衡招标代理有限公司",
        "budget": 1865000,
        "price_ceiling": 1800000,
        "bid_bond": 30000,
        "performance_bond": "5%",
        "bid_deadline": "2026-03-24T09:30",
        "opening_time": "2026-03-24T09:30",
        "document_sale_start": "2026-03-02",
        "document_sale_end": "2026-03-09",
        "clarification_deadline": "2026-03-12T17:00",
        "bid_validity_days": 90,
        "consortium_allowed": False,
        "service_period": "自合同签订之日起12个月",
        "evaluation_method": "综合评分法",
        "price_weight": 20,
    },
    "works": {
        "project_name": "南浦县河西路排水管网改造工程施工",
        "project_number": "NPGC2026-077",
        "purchaser": "南浦县城乡建设投资有限公司",
        "agency": "中瑞工程咨询有限公司",
        "budget": None,
        "price_ceiling": 23456789.1,
        "bid_bond": 400000,
        "performance_bond": "10%",
        "bid_deadline": "2026-06-02T09:00",
        "opening_time": "2026-06-02T09:00",
        "document_sale_start": "2026-05-06T09:00",
        "document_sale_end": "2026-05-13T17:00",
        "clarification_deadline": "2026-05-20T17:00",
        "bid_validity_days": 120,
        "consortium_allowed": False,
        "service_period": "210日历天",
        "evaluation_method": "综合评估法",
        "price_weight": 60,
    },
}
TENDERS = {"services": SERVICES, "works": WORKS, "lots": LOTS}


def analyse(
    folder: Path, parts: Sequence[Part], form: str, write: Callable[[Path, Sequence[Part]], Path]
) -> Analysis:
    path = write(folder / f"tender.{form}", parts)
    return analyse_with_rules(extract(path, path.name))


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("name", EXPECTED)
def test_the_facts_are_the_same_in_every_form(tmp_path: Path, name: str, form: str) -> None:
    facts = analyse(tmp_path, TENDERS[name], form, WRITERS[form]).facts

    assert {key: fact.value if (fact := facts[key]) else None for key in EXPECTED[name]} == EXPECTED[name]


@pytest.mark.parametrize("name", TENDERS)
def test_no_fact_differs_between_the_forms(tmp_path: Path, name: str) -> None:
    by_form = {
        form: {
            key: fact.value if fact else None
            for key, fact in analyse(tmp_path, TENDERS[name], form, write).facts.items()
        }
        for form, write in WRITERS.items()
    }

    assert by_form["pdf"] == by_form["docx"]
    if name != "lots":
        assert by_form["txt"] == by_form["docx"]
    for key, value in by_form["txt"].items():  # lines have no columns: what stands in one may be missed
        assert value in (None, by_form["docx"][key]), key


@pytest.mark.parametrize("form", ["docx", "pdf"])
def test_scoring_tables_are_complete_in_forms_that_have_tables(tmp_path: Path, form: str) -> None:
    for parts in (SERVICES, WORKS):
        assert analyse(tmp_path, parts, form, WRITERS[form]).extra["score_total"] == 100
