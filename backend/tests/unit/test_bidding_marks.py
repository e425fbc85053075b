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
