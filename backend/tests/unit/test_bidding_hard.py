"""The tab of hard requirements: what is found, in the words of many trades, and what is left alone."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from backend.app.bidding.findings import Priority, Tab
from backend.app.documents.extract import extract
from backend.tests.unit.bidding_text import any_has, findings, found, lines, mixed, quote, table


def test_every_item_of_a_list_of_fatal_cases_is_a_finding_of_its_own() -> None:
    document = lines(
        """
第三章 评标办法
5.2 投标文件有下列情形之一的，评标委员会应当否决其投标：
（1）未按招标文件要求加盖单位公章；
（2）同一投标人递交两份内容不同的报价；
（3）工期超过招标文件规定的期限；
6. 评标结果
评标委员会向招标人提交书面报告。
"""
    )
    items = [f for f in findings(document, Tab.HARD_REQUIREMENTS) if "列举情形" in f.why_important]

    assert [quote(document, f)[:3] for f in items] == ["未按招", "同一投", "工期超"]
    assert all("投标将被否决" in f.why_important for f in items)
    assert all(f.priority is Priority.CRITICAL for f in items)


def test_list_items_whose_automatic_numbers_are_not_in_the_text_are_found_too() -> None:
    document = lines(
        """
第六章 评审办法
凡投标文件出现以下情况之一，按无效投标处理：
投标函未经法定代表人签字的；
报价高于采购预算的；
未提供授权委托书原件的。
评审小组按得分排序。
"""
    )

    quotes = found(document, Tab.HARD_REQUIREMENTS)

    assert any_has(quotes, "报价高于采购预算的")
    assert any_has(quotes, "未提供授权委托书原件的")
    assert not any_has(quotes, "评审小组按得分排序")


def test_what_voids_the_whole_procedure_is_no_requirement_for_one_bid() -> None:
    document = lines(
        """
第二章 投标人须知
评标委员会可以否决所有投标，招标人应当重新招标。
有效投标人不足三家的，予以废标并重新组织采购。
评标委员会成员不得收受投标人的财物。
投标人撤回投标文件的，其投标无效。
"""
    )

    quotes = found(document, Tab.HARD_REQUIREMENTS)

    assert any_has(quotes, "投标人撤回投标文件的")
    assert not any_has(quotes, "否决所有投标")
    assert not any_has(quotes, "不足三家")
    assert not any_has(quotes, "收受投标人的财物")


def test_conditions_under_a_qualification_head_are_found_up_to_the_next_head() -> None:
    document = lines(
        """
第一章 招标公告
三、投标人资格要求
1、具有有效的道路运输经营许可证；
2、近三年完成过不少于2个同类项目，单个合同金额不低于300万元；
3、本项目不接受联合体投标。
四、招标文件的获取
1、凭单位介绍信领取。
"""
    )

    quotes = found(document, Tab.HARD_REQUIREMENTS)

    assert any_has(quotes, "道路运输经营许可证")
    assert any_has(quotes, "不低于300万元")
    assert any_has(quotes, "不接受联合体投标")
    assert not any_has(quotes, "单位介绍信")


def test_the_body_of_a_long_condition_does_not_end_the_list() -> None:
    body = "\n".join(f"提供相应证明材料，第{n}段说明文字。" for n in "一二三四五")
    document = lines(
        f"第一章 招标公告\n二、供应商资格条件\n1、具备独立法人资格；\n{body}\n2、持有甲级测绘资质证书。"
    )

    assert any_has(found(document, Tab.HARD_REQUIREMENTS), "甲级测绘资质证书")


def test_rows_of_a_compliance_review_table_are_requirements() -> None:
    document = mixed(
        [
            "第四章 评标办法\n附表二 符合性审查表",
            [
                ["序号", "审查内容", "结论"],
                ["1", "投标有效期满足招标文件要求", ""],
                ["2", "报价唯一且未超过最高限价", ""],
            ],
        ]
    )

    assert any_has(found(document, Tab.HARD_REQUIREMENTS), "报价唯一且未超过最高限价")


def test_clauses_of_the_contract_are_no_reason_for_a_bid_to_fall() -> None:
    document = lines("第五章 合同条款\n乙方提供的产品不合格的，甲方予以拒收。")

    assert found(document, Tab.HARD_REQUIREMENTS) == []


@pytest.mark.parametrize(
    "words",
    [
        "报价高于控制价的不予考虑",
        "没有电话确认的不算报名成功",
        "过时送达的原封退回",
        "接到通知后两小时内联系不上的视为自动放弃",
        "发起谈判后30分钟内无应答的，视为退出谈判",
        "样品未送达的，谈判小组按未响应处理",
        "没有签字的报价函无效",
        "带条件的报价采购小组不予采纳",
        "两家公司方案雷同的，两家都取消资格",
        "未在规定时间内登记领取的，比选人不接受其应答",
        "因投标人原因未完成解密的，视为撤销投标文件",
        "未支付标书款的，视为放弃，无权参与投标",
        "未被系统成功传送的投标文件将不被接受",
        "本项目（否）接受联合体投标",
        "投标人须对全部内容进行投标，不得拆分",
        "供应商只能提出一个不变价格，不接受任何选择价",
        "保证金须从投标人基本存款账户一次性转出",
        "施工组织设计正文不得出现可识别投标人身份的标识",
    ],
)
def test_what_makes_a_bid_fall_is_found_in_the_words_of_many_trades(words: str) -> None:
    document = lines(f"第二章 供应商须知\n3.1 {words}。")

    assert any_has(found(document, Tab.HARD_REQUIREMENTS), words)


def test_the_cases_of_a_list_in_one_paragraph_are_findings_of_their_own() -> None:
    """Though one of them speaks of clarification, which in the head would mean another kind of list."""
    document = lines(
        "第三章 评审办法\n3.初步评审。有下列情况之一的，应答被否决：（1）未按规定交纳保证金的；"
        "（2）保证金来自同一账户的；（3）书面澄清前后矛盾且拒绝修正的。"
    )

    quotes = found(document, Tab.HARD_REQUIREMENTS)

    assert {quote[:3] for quote in quotes} >= {"保证金", "书面澄"}
    assert any_has(quotes, "未按规定交纳保证金的")


def test_the_parts_of_a_review_table_are_requirements_and_its_scores_are_not() -> None:
    document = table(
        [
            ("条款号", "评审因素", "评审标准"),
            ("2.1.1", "形式评审标准", "报价唯一：只能有一个有效报价"),
            ("2.1.3", "响应性评审标准", "工程量清单：不得修改项目编码和工程量"),
            ("", "", "暗标：正文未出现可识别身份的内容"),
            ("2.2.1", "分值构成", "施工组织设计40分，投标报价60分"),
            ("2.2.4", "施工组织设计评分标准", "施工方案（20分）：针对难点分析到位，0～20分"),
            ("", "", "质量措施（10分）：措施具体可行，0～10分"),
            ("", "", "安全措施（10分）：制度健全，0～10分"),
        ],
        above="第三章 评标办法\n评标办法前附表",
    )

    hard, scoring = found(document, Tab.HARD_REQUIREMENTS), found(document, Tab.SCORING_ITEMS)

    assert any_has(hard, "不得修改项目编码")
    assert any_has(hard, "未出现可识别身份")
    assert not any_has(hard, "针对难点分析到位")
    assert any_has(scoring, "0～20分")
    assert not any_has(scoring, "只能有一个有效报价")


def test_conditions_in_a_row_of_the_front_table_are_requirements() -> None:
    document = table(
        [
            (
                "1.4.1",
                "投标人资质条件、能力和信誉",
                "资质条件：见公告第3条\n财务要求：近三年无亏损，提供审计报告",
            )
        ],
        above="第二章 投标人须知\n投标人须知前附表",
    )

    quotes = found(document, Tab.HARD_REQUIREMENTS)

    assert any_has(quotes, "近三年无亏损")
    assert all(quote == quote.strip() for quote in quotes)
    assert not any_has(quotes, "见公告")


def test_the_head_row_of_a_table_and_a_heading_ask_for_nothing() -> None:
    document = mixed(
        [
            "第二章 须知\n一、供应商资格条件\n1.本项目的特定资格要求：\n2.落实政府采购政策的资格要求：无。\n"
            "3.具有有效的食品经营许可证。\n第三章 采购需求",
            [("标项", "品目", "验收标准", "拒收情形"), ("一", "蔬菜", "新鲜", "腐烂")],
        ]
    )

    quotes = found(document, Tab.HARD_REQUIREMENTS)

    assert any_has(quotes, "食品经营许可证")
    assert not any_has(quotes, "特定资格要求") and not any_has(quotes, "政府采购政策")
    assert not any_has(quotes, "拒收情形")


@pytest.mark.parametrize("consequence", ["否则其投标将被认定为投标无效", "一经发现，其投标无效"])
def test_a_consequence_is_quoted_with_the_sentence_that_it_goes_back_to(consequence: str) -> None:
    document = lines(f"第二章 投标人须知\n3.2 投标人之间不得相互协商报价。{consequence}。")

    quotes = found(document, Tab.HARD_REQUIREMENTS)

    assert [quote for quote in quotes if consequence in quote] == [
        f"3.2 投标人之间不得相互协商报价。{consequence}"
    ]


def test_what_is_not_given_back_is_not_refused() -> None:
    document = lines("第二章 投标人须知\n13.5 已提交的投标担保函不予退回。")

    assert found(document, Tab.HARD_REQUIREMENTS) == []


def test_a_file_of_a_package_does_not_stand_in_the_chapter_that_the_last_one_ended_with(
    tmp_path: Path,
) -> None:
    """An addendum behind the contract was read as a part of the contract: nothing of it was found."""
    package = tmp_path / "a.zip"
    rule = "未按本说明密封的投标文件按无效投标处理。"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr(
            "1 招标文件.txt", "第一章 招标公告\n项目名称：食堂\n第六章 合同条款\n甲方按月付款。\n"
        )
        archive.writestr("2 补充说明.txt", rule)
        archive.writestr("3 合同草案.txt", "乙方未按期交付的，甲方有权解除合同，乙方提交的文件无效。")

    document = extract(package, package.name)
    quotes = found(document, Tab.HARD_REQUIREMENTS)

    assert any(quote in rule for quote in quotes)
    assert not any("乙方" in quote for quote in quotes)
