"""★ and ▲: their meaning is the document's own."""

from __future__ import annotations

import pytest

from backend.app.bidding.findings import Priority, Tab
from backend.app.bidding.rules.marks import Meaning, find_definitions
from backend.app.bidding.rules.tabs import find_items, read
from backend.tests.unit.bidding_text import lines, table

REQUIREMENTS = "第三章 采购需求\n一、技术参数\n"


@pytest.mark.parametrize(
    ("sentence", "mark", "meaning"),
    [
        ("标注★的条款为实质性要求，不满足将导致投标无效。", "★", Meaning.SUBSTANTIVE),
        ("带“▲”号的为重要参数，每有一项负偏离扣2分。", "▲", Meaning.WEIGHTED),
        ("文件中“※”条款必须满足，否则作废标处理。", "※", Meaning.SUBSTANTIVE),
        ("技术要求中加注“#”的指标不允许偏离。", "#", Meaning.SUBSTANTIVE),
        ("打“▲”号条款为重要参数，未满足的影响得分，但不作为无效投标条款。", "▲", Meaning.WEIGHTED),
        ("标注“●”的条款为重要要求，是评审打分的依据，不作为无效响应的依据。", "●", Meaning.WEIGHTED),
    ],
)
def test_the_meaning_of_a_mark_is_read_from_its_definition(
    sentence: str, mark: str, meaning: Meaning
) -> None:
    definitions = find_definitions(read(lines("第二章 投标人须知\n" + sentence)).passages)

    assert definitions[mark].meaning is meaning


def test_the_definition_that_names_the_worse_consequence_wins() -> None:
    text = "第二章 投标人须知\n“★”项为重要指标，未响应扣分。\n“★”条款有一项不满足即为无效投标。"

    assert find_definitions(read(lines(text)).passages)["★"].meaning is Meaning.SUBSTANTIVE


def test_the_list_of_energy_saving_products_defines_no_mark() -> None:
    text = "第二章 投标人须知\n对节能产品品目清单中以“★”标注的产品，实行强制采购，否则无效。"

    assert find_definitions(read(lines(text)).passages) == {}


def test_clauses_with_a_substantive_mark_are_critical_in_both_tabs() -> None:
    document = lines(
        "第二章 投标人须知\n标有“★”的条款为实质性条款，不满足的投标无效。\n"
        + REQUIREMENTS
        + "★1.2 主机内存不低于64GB。"
    )
    items = find_items(document, read(document))

    for tab in (Tab.HARD_REQUIREMENTS, Tab.TECHNICAL_REQUIREMENTS):
        marked = [f for f in items if f.tab is tab and "64GB" in document.text[f.span.start : f.span.end]]
        assert [f.priority for f in marked] == [Priority.CRITICAL]


def test_clauses_whose_mark_only_costs_points_are_no_hard_requirement() -> None:
    document = lines(
        "第四章 评标办法\n带“▲”的为重要参数，不满足一项扣3分。\n" + REQUIREMENTS + "▲2.1 支持双电源冗余。"
    )
    items = find_items(document, read(document))
    tabs = {f.tab for f in items if "双电源" in document.text[f.span.start : f.span.end]}

    assert tabs == {Tab.TECHNICAL_REQUIREMENTS}


def test_a_mark_nobody_defined_says_so() -> None:
    document = lines(REQUIREMENTS + "★3.1 供应商应在本地设有固定服务网点并提供房屋租赁合同。")
    items = find_items(document, read(document))

    (hard,) = [f for f in items if f.tab is Tab.HARD_REQUIREMENTS and f.title.startswith("★")]
    assert "没有定义" in hard.why_important
    assert hard.priority is Priority.HIGH


def test_undefined_bullets_are_no_marks() -> None:
    document = lines(REQUIREMENTS + "◆项目背景与意义概述。\n# 以上为说明性文字。")

    assert not [f for f in find_items(document, read(document)) if f.title[0] in "◆#"]


def test_a_marked_table_row_is_found() -> None:
    document = table(
        [["序号", "名称", "参数"], ["1", "★处理器", "主频不低于2.5GHz"], ["2", "机箱", "黑色"]],
        above="第二章 须知\n“★”为必须满足的实质性条款。\n第三章 采购需求",
    )

    quotes = [document.text[f.span.start : f.span.end] for f in find_items(document, read(document))]
    assert any("主频不低于2.5GHz" in quote for quote in quotes)


def test_a_formula_defines_no_mark() -> None:
    text = "第四章 合同\n月度费用=（考核得分+加分）*月度基数/100，低于60分的不得支付。"

    assert find_definitions(read(lines(text)).passages) == {}


DEFINED = "第二章 须知\n“★”为必须满足的实质性条款，“▲”为重要指标，未满足扣分。\n第三章 采购需求"
LONG = "系统须支持对接统一身份认证平台与人脸核身服务，" * 8


@pytest.mark.parametrize("text", ["系统须支持国产数据库与中间件", LONG], ids=["short row", "long row"])
def test_a_mark_in_a_column_of_its_own_marks_its_row(text: str) -> None:
    document = table(
        [
            ["序号", "模块", "功能及技术要求", "符号"],
            ["1", "架构", text, "★"],
            ["2", "查询", "提供多条件组合查询与结果导出功能", ""],
        ],
        above=DEFINED,
    )
    items = find_items(document, read(document))
    critical = [document.text[f.span.start : f.span.end] for f in items if f.priority is Priority.CRITICAL]

    assert any(quote.startswith(text[:8]) for quote in critical)
    assert not any("组合查询" in quote for quote in critical)


def test_a_mark_behind_the_number_cell_and_several_in_one_cell_are_found() -> None:
    document = table(
        [
            ["序号", "名称", "参数"],
            ["1.1", "机柜", "▲整机须为落地式，颜色为黑色"],
            ["1.2", "床架", "★立柱采用方钢管，壁厚不低于1.5mm。★护栏高出床面不低于300mm。床板为杉木。"],
        ],
        above=DEFINED,
    )
    items = find_items(document, read(document))

    marked = {document.text[f.span.start : f.span.end] for f in items if f.title.startswith("★ ")}
    assert any(quote.startswith("★立柱") and "护栏" not in quote for quote in marked)
    assert any(quote.startswith("★护栏") for quote in marked)
    assert any("▲整机" in document.text[f.span.start : f.span.end] for f in items)


def test_a_mark_on_a_bare_clause_number_quotes_nothing_empty() -> None:
    document = table(
        [["★1.8.1", "投标人不得存在的情形", LONG], ["1.9", "踏勘", "不组织"]],
        above=DEFINED,
    )

    assert all(
        "".join(document.text[f.span.start : f.span.end].split()) != "★1.8.1"
        for f in find_items(document, read(document))
    )


def test_what_only_costs_points_in_a_scoring_table_is_no_hard_requirement() -> None:
    document = table(
        [
            ["序号", "评分因素", "分值", "评分标准"],
            ["1", "▲指标响应", "8", "全部满足“▲”的得8分，每有一项未响应扣2分"],
            ["2", "服务方案", "12", "方案详尽、针对性强的得12分，一般的得6分"],
            ["3", "价格", "80", "最低报价为基准价，得80分"],
        ],
        above="第四章 评标办法\n评分标准表",
    )

    assert [f for f in find_items(document, read(document)) if f.tab is Tab.HARD_REQUIREMENTS] == []
