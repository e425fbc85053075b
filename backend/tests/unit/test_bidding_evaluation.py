"""The measure itself: what counts as right, and what must not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backend.app.bidding.evaluation import Evaluation, evaluate_folder, recall, score_document
from backend.app.bidding.evaluation_match import CompactText, Outcome, cover, equal, score_fact
from backend.app.bidding.evaluation_table import format_misses, format_table
from backend.app.bidding.findings import Analysis, Fact, Finding, Priority, Span, Tab
from backend.app.common.errors import DocumentNeedsOCR, UnreadableDocument
from backend.app.documents.canonical import Document
from backend.tests.unit.bidding_text import lines

TEXT = "第一章 公告\n项目预算：120 万元\n投标截止时间：2024年5月20日9:30\n迟到的投标文件将被拒收，不予受理。"


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("project_name", "2024年 食堂服务项目。", "2024年食堂服务项目"),
        ("project_name", "滨河市食堂服务采购项目", "滨河市食堂服务采购"),
        ("project_number", "ZFCG－2024－001", "zfcg-2024-001"),
        ("purchaser", "滨河市人民医院", "滨河市人民医院"),
        ("budget", 2417100, 2417100.0),
        ("performance_bond", "5.0％", "5%"),
        ("performance_bond", "100000.00", "100000"),
        ("bid_deadline", "2024-05-20T09:30", "2024-05-20T09:30"),
        ("bid_deadline", "2024-05-21T00:00", "2024-05-20T24:00"),
        ("service_period", "1年", "一年"),
        ("service_period", "2025年8月1日起至2027年7月31日止，服务期限内", "2025年8月1日至2027年7月31日"),
        ("service_period", "暂定36个月", "暂定36个月，合同一年一签"),
        ("evaluation_method", "综合评估法", "综合评分法"),
        ("evaluation_method", "按照最后报价由低到高的顺序推荐", "最低价（最后报价由低到高）"),
        ("payment_terms", "合同签订后按月支付，先开发票", "合同签订后按月支付"),
    ],
)
def test_two_ways_of_saying_the_same_are_equal(name: str, given: object, expected: object) -> None:
    assert equal(name, given, expected)


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("project_name", "2025年食堂服务采购项目", "2024年食堂服务采购项目"),
        ("project_name", "食堂服务", "滨河市人民医院食堂服务采购项目"),
        ("project_number", "ZFCG-2024-001-2", "ZFCG-2024-001"),
        ("purchaser", "上安局宝山分局", "上海市公安局宝山分局"),
        ("purchaser", "北京大学图书馆", "北京大学"),
        ("budget", 241.71, 2417100),
        ("budget", True, 1),
        ("bid_bond", 0, 10000),
        ("performance_bond", "5", "5%"),
        ("bid_deadline", "2024-05-20", "2024-05-20T09:30"),
        ("bid_deadline", "2024-05-20T09:00", "2024-05-20T09:30"),
        ("consortium_allowed", 0, False),
        ("service_period", "36个月", "24个月"),
        ("service_period", "一年", "三年，合同一年一签"),
        ("evaluation_method", "最低评标价法", "综合评分法"),
        ("payment_terms", "按季支付", "按月支付"),
    ],
)
def test_a_wrong_value_does_not_pass(name: str, given: object, expected: object) -> None:
    assert not equal(name, given, expected)


def _fact(value: Any) -> Fact:
    return Fact(value, str(value), Span(0, 1))


def test_a_fact_is_right_wrong_missed_invented_or_rightly_absent() -> None:
    gold = {"value": 1200000, "excerpt": "120 万元"}

    assert score_fact("budget", _fact(1200000), gold).outcome is Outcome.RIGHT
    assert score_fact("budget", _fact(12), gold).outcome is Outcome.WRONG
    assert score_fact("budget", None, gold).outcome is Outcome.MISSED
    assert score_fact("budget", _fact(1200000), None).outcome is Outcome.INVENTED
    assert score_fact("budget", None, None).outcome is Outcome.ABSENT


def test_other_right_answers_count_and_null_may_be_one_of_them() -> None:
    gold = {"value": None, "alt": ["中国人民解放军92728部队"]}

    assert score_fact("purchaser", None, gold).outcome is Outcome.ABSENT
    assert score_fact("purchaser", _fact("中国人民解放军92728部队"), gold).outcome is Outcome.RIGHT
    assert score_fact("purchaser", _fact("滨河市教育局"), gold).outcome is not Outcome.RIGHT


def test_free_text_is_right_when_it_quotes_the_words_that_the_label_quotes() -> None:
    text = "付款：本项目服务费按照“当月支付上月”的方式进行结算。"
    start = text.index("本项目")
    fact = Fact(text[start:-1], text[start:-1], Span(start, len(text) - 1))
    gold = {"value": "当月付上月，平均支付", "excerpt": "服务费按照“当月支付上月”的方式进行结算"}
    other = Fact("付款：", "付款：", Span(0, 3))

    assert score_fact("payment_terms", fact, gold, text).outcome is Outcome.RIGHT
    assert score_fact("payment_terms", other, gold, text).outcome is Outcome.WRONG


def test_an_excerpt_is_found_at_all_its_places_whatever_the_white_space() -> None:
    compact = CompactText.of("不接受 联合体\n投标。另：不接受联合体投标")

    first, second = compact.places("不接受联合 体投标")

    assert (first, second) == (Span(0, 10), Span(13, 21))
    assert compact.places("接受两家") == []


def test_half_of_an_excerpt_has_to_be_covered() -> None:
    assert cover(Span(10, 20), Span(0, 15)) == 0.5
    assert cover(Span(10, 20), Span(16, 40)) == 0.4
    assert cover(Span(10, 20), Span(20, 40)) == 0


def _finding(words: str, tab: Tab) -> Finding:
    start = TEXT.index(words)
    return Finding(tab, words, Span(start, start + len(words)), Priority.HIGH)


GOLD: dict[str, Any] = {
    "file": "one.txt",
    "facts": {
        "budget": {"value": 1200000, "excerpt": "项目预算：120 万元"},
        "bid_deadline": {"value": "2024-05-20T09:30", "excerpt": "2024年5月20日9:30"},
        "agency": None,
        "price_ceiling": None,
    },
    "items": [
        {"tab": "hard_requirements", "excerpt": "迟到的投标文件将被拒收", "must": True},
        {"tab": "bid_timeline", "excerpt": "投标截止时间：2024年5月20日9:30", "must": True},
        {"tab": "cost_items", "excerpt": "项目预算：120 万元", "must": False},
        {"tab": "cost_items", "excerpt": "这句话不在文中", "must": False},
    ],
    "scoring": {"total": 100, "groups": []},
}
ANALYSIS = Analysis(
    facts={"budget": _fact(1200000), "bid_deadline": None, "agency": _fact("甲公司"), "price_ceiling": None},
    findings=(
        _finding("投标文件将被拒收", Tab.HARD_REQUIREMENTS),
        _finding("投标截止时间：2024年5月20日9:30", Tab.HARD_REQUIREMENTS),
        _finding("项目预算：120 万元", Tab.COST_ITEMS),
    ),
    extra={"score_total": 100.0},
)


def test_a_document_is_scored_by_facts_tabs_and_share_of_text() -> None:
    score = score_document(lines(TEXT), ANALYSIS, GOLD)

    assert [score.facts_with(outcome) for outcome in Outcome] == [1, 0, 1, 1, 1]
    assert [item.found for item in score.items] == [True, False, True, False]  # the second: wrong tab
    assert [item.located for item in score.items] == [True, True, True, False]
    assert score.scoring_right is True
    assert score.bad_quotes == 0
    quoted = sum(len("".join(TEXT[f.span.start : f.span.end].split())) for f in ANALYSIS.findings)
    assert score.quoted == pytest.approx(quoted / len("".join(TEXT.split())))


def test_overlapping_findings_count_their_text_once() -> None:
    twice = Analysis(facts={}, findings=(ANALYSIS.findings[0], ANALYSIS.findings[0]))
    once = Analysis(facts={}, findings=(ANALYSIS.findings[0],))

    assert score_document(lines(TEXT), twice, GOLD).quoted == score_document(lines(TEXT), once, GOLD).quoted


def test_a_span_outside_the_text_is_a_bad_quote() -> None:
    outside = Analysis(
        facts={"budget": Fact(1, "1", Span(0, 10_000))},
        findings=(Finding(Tab.COST_ITEMS, "x", Span(5, 5), Priority.LOW),),
    )

    assert score_document(lines(TEXT), outside, GOLD).bad_quotes == 2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("one.txt", "one.md", "scan.pdf", "broken.docx"):
        (tmp_path / name).write_text(TEXT, "utf-8")
    for stem in ("one", "scan", "broken"):
        labels = json.dumps(GOLD | {"file": {"one": "one.txt"}.get(stem)}, ensure_ascii=False)
        (tmp_path / f"{stem}.gold.json").write_text(labels, "utf-8")
    return tmp_path


def analyse(path: Path) -> tuple[Document, Analysis]:
    if path.suffix == ".pdf":
        raise DocumentNeedsOCR
    if path.suffix == ".docx":
        raise UnreadableDocument
    return lines(path.read_text("utf-8")), ANALYSIS


def test_a_scan_a_failure_and_a_second_form_are_reported_but_not_in_the_sums(folder: Path) -> None:
    evaluation = evaluate_folder(folder, analyse)

    assert {score.name: score.note for score in evaluation.scores} == {
        "broken.docx": "failed: UnreadableDocument",
        "one.md": "second form, not in the sum",
        "one.txt": "",
        "scan.pdf": "needs OCR",
    }
    assert [score.name for score in evaluation.counted] == ["one.txt"]
    assert evaluation.facts_right == 0.5
    assert evaluation.total(Outcome.INVENTED) == 1
    assert evaluation.must_recall == 0.5
    assert recall(evaluation.items) == 0.5


def test_the_table_has_a_line_per_document_and_a_sum(folder: Path) -> None:
    evaluation = evaluate_folder(folder, analyse)

    table = format_table(evaluation).splitlines()

    assert table[0].split()[:5] == ["document", "right", "wrong", "missed", "invented"]
    line = next(row for row in table if row.startswith("one.txt"))
    assert line.split()[1:5] == ["1", "0", "1", "1"]
    assert any(row.startswith("scan.pdf") and "needs OCR" in row for row in table)
    assert next(row for row in table if row.startswith("sum of 1")).split()[3:7] == ["1", "0", "1", "1"]
    assert any("facts right 50.0%" in row for row in table)


def test_the_list_of_misses_names_each_fact_and_must_item(folder: Path) -> None:
    misses = format_misses(evaluate_folder(folder, analyse))

    assert "missed   bid_deadline: expected '2024-05-20T09:30', given None" in misses
    assert "not found bid_timeline: 投标截止时间：2024年5月20日9:30" in misses


def test_nothing_to_score_gives_zeros_instead_of_an_error() -> None:
    empty = Evaluation(())

    assert (empty.facts_right, empty.must_recall) == (0.0, 0.0)
    assert "sum of 0" in format_table(empty)
