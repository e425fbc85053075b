"""Lots: which there are, which finding belongs to which, and what each has for itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.app.bidding.analysis import analyse_with_rules
from backend.app.bidding.findings import Analysis, Fact, Span, Tab
from backend.app.bidding.report import DocumentSource, build_report
from backend.app.bidding.rules.lots import Lot, find_lots, mentions, whole_facts
from backend.app.bidding.rules.passages import split_passages
from backend.app.bidding.rules.scoring import ScoreRow
from backend.app.bidding.rules.scoring_sums import lot_totals, total_points
from backend.app.bidding.rules.tables import CellText
from backend.app.documents.canonical import Document
from backend.app.documents.extract import extract
from backend.tests.tenders_made import LOTS, write_docx, write_pdf
from backend.tests.unit.bidding_text import lines, mixed


@pytest.fixture(scope="module", params=["docx", "pdf"])
def read(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Document, Analysis]:
    """A tender of goods in three lots, as cells of Word and as ruled lines of a PDF."""
    path = tmp_path_factory.mktemp("lots") / f"tender.{request.param}"
    document = extract({"docx": write_docx, "pdf": write_pdf}[request.param](path, LOTS), path.name)
    return document, analyse_with_rules(document)


def test_each_lot_has_its_own_amounts_and_points(read: tuple[Document, Analysis]) -> None:
    lots = read[1].extra["lots"]

    assert [(lot.id, lot.name) for lot in lots] == [
        ("1", "全自动生化分析仪"),
        ("2", "气相色谱质谱联用仪"),
        ("3", "生物安全柜"),
    ]
    assert [lot.budget.value for lot in lots] == [2_600_000, 1_805_000, 480_000]
    assert [lot.price_ceiling.value for lot in lots] == [2_550_000, 1_805_000, 450_000]
    assert [lot.bid_bond.value for lot in lots] == [50_000, 30_000, 8_000]
    assert [lot.score_total for lot in lots] == [100, 100, 100]


def test_the_facts_are_those_of_the_whole_tender(read: tuple[Document, Analysis]) -> None:
    """The total where one is stated, else nothing: one lot's amount is not the tender's."""
    facts = read[1].facts

    assert facts["budget"] is not None and facts["budget"].value == 4_885_000
    assert facts["price_ceiling"] is not None and facts["price_ceiling"].value == 4_805_000
    assert facts["bid_bond"] is None
    assert read[1].extra["score_total"] == 100


def test_an_amount_that_all_lots_share_stays_that_of_the_tender() -> None:
    shared, own = Fact(3000, "3000元", Span(0, 1)), Fact(5000, "5000元", Span(1, 2))
    one, other = (Lot(number, "", Span(0, 1), bid_bond=shared) for number in ("1", "2"))

    assert whole_facts({"bid_bond": shared}, (one, other))["bid_bond"] == shared
    assert whole_facts({"bid_bond": shared}, (one, replace(other, bid_bond=own)))["bid_bond"] is None


def test_findings_carry_the_lot_of_their_section_clause_row_or_column(
    read: tuple[Document, Analysis],
) -> None:
    document, analysis = read
    lot_of = {"".join(document.text[f.span.start : f.span.end].split()): f.lot for f in analysis.findings}

    def lot(words: str) -> set[str | None]:
        return {found for text, found in lot_of.items() if words in text}

    assert lot("检测速度") == {"1"}
    assert lot("质量数范围") == {"2"}
    assert lot("下降气流流速") == {"3"}
    assert lot("制造商出具的授权书") == {"2"}
    assert lot("承诺4小时内") == {"1"}
    assert lot("每增加一年") == {"3"}


def test_rows_that_two_lots_share_word_for_word_are_shown_for_each(read: tuple[Document, Analysis]) -> None:
    rows = [f for f in read[1].findings if f.tab is Tab.SCORING_ITEMS and f.title.startswith("技术参数（")]

    assert [(row.lot, row.points) for row in rows] == [("1", 50), ("2", 45), ("3", 40)]


def test_the_report_gives_each_lots_amounts_with_their_source(read: tuple[Document, Analysis]) -> None:
    document, analysis = read

    lot = build_report(document, analysis, source=DocumentSource("t", "0"))["lots"][1]

    assert set(lot) == {"id", "name", "text", "budget", "price_ceiling", "bid_bond", "score_total"}
    assert lot["budget"]["value"] == 1_805_000
    source = lot["budget"]["source"]
    assert document.text[source["start"] : source["end"]] == source["excerpt"] == "180.5"


def test_amounts_in_one_sentence_go_to_the_lot_that_stands_before_each() -> None:
    document = lines(
        "第一章 采购公告\n预算金额：第一包30万元，第二包45.5万元。\n磋商保证金：第一包3000元；第二包4500元。"
    )

    lots = analyse_with_rules(document).extra["lots"]

    assert [(lot.budget.value, lot.bid_bond.value) for lot in lots] == [(300_000, 3000), (455_000, 4500)]


def test_each_named_amount_of_a_sentence_about_one_lot_is_that_lots() -> None:
    document = lines(
        "第一章 招标公告\n本项目分为2个标段。\n第一标段：食堂经营，预算金额60万元，投标保证金1万元。\n"
        "第二标段：保洁服务，预算金额40万元（肆拾万元），投标保证金8000元。\n"
        "第一标段预算金额60万元，第二标段预算金额40万元，投标保证金均为9000元。"
    )

    lots = analyse_with_rules(document).extra["lots"]

    assert [lot.budget.value for lot in lots] == [600_000, 400_000]
    assert [lot.bid_bond.value for lot in lots] == [10_000, 8_000]


def test_a_cell_over_the_columns_of_all_lots_belongs_to_none() -> None:
    document = mixed(
        [
            "第二章 供应商须知\n供应商须知前附表",
            [("序号", "内容", "包1", "包2"), ("1", "是否允许分包", "不允许分包，违反的响应无效。")],
        ]
    )

    assert all(
        finding.lot is None
        for finding in analyse_with_rules(document).findings
        if "不允许分包" in document.text[finding.span.start : finding.span.end]
        and document.block_at(finding.span.start).cell.colspan > 1  # type: ignore[union-attr]
    )


@pytest.mark.parametrize(
    "words",
    ["售后三包服务", "报价包括1年质保", "本项目不得分包", "包装2箱", "第一包", "一包到底"],
)
def test_words_with_bao_make_no_lots(words: str) -> None:
    """包 also wraps, contains and guarantees; a single lot is no choice."""
    assert find_lots(split_passages(lines(f"第一章 公告\n{words}。"))) == ()


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ("第一标段、第二标段", ["1", "2"]),
        ("采购包1：…采购包2：…", ["1", "2"]),
        ("标项三", ["3"]),
        ("A包和B包", ["A", "B"]),
        ("第Ⅱ标段", ["2"]),
        ("01包", ["1"]),
    ],
)
def test_lots_are_numbered_in_many_ways(words: str, ids: list[str]) -> None:
    assert [mention.id for mention in mentions(words)] == ids


def _row(
    points: float, table: int, *, name: str = "方案", lot: str | None = None, weight: float | None = None
) -> ScoreRow:
    return ScoreRow(name, points, CellText(0, 0, 1, name, (0, 1)), None, table, lot, weight)


def test_tables_of_a_hundred_points_with_weights_make_one_whole() -> None:
    """商务 20 %, 技术 30 %, and a price outside the tables that counts 50 %."""
    tables = [_row(60, 1, weight=20), _row(40, 1, weight=20), _row(70, 2, weight=30), _row(30, 2, weight=30)]

    assert total_points(tables, 50) == 100
    assert total_points(tables, 40) == 90


def test_parts_of_one_hundred_in_several_tables_add_up() -> None:
    parts = [_row(30, 1), _row(40, 2), _row(30, 3, name="价格")]

    assert total_points(parts, 30) == 100


def test_a_lot_whose_own_table_does_not_add_up_is_the_one_that_shows() -> None:
    rows = [
        _row(50, 1, lot="1"),
        _row(50, 1, lot="1"),
        _row(60, 2, lot="2"),
        _row(30, 2, lot="2"),
        _row(5, 2, lot="2"),
    ]

    assert lot_totals([*rows, _row(0, 1, lot="1")], None) == {"1": 100, "2": 95}
    assert total_points([*rows, _row(0, 1, lot="1")], None) == 95
