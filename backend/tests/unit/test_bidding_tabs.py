"""The six tabs: what is found, under which name, and what is left alone."""

from __future__ import annotations

import time

import pytest

from backend.app.bidding.findings import Finding, Priority, Tab
from backend.app.bidding.rules.priorities import SHARE_OF_TEXT
from backend.app.bidding.rules.tabs import find_items, read
from backend.app.documents.canonical import Document
from backend.tests.unit.bidding_text import lines, mixed, table


def found(document: Document, tab: Tab) -> list[str]:
    return [quote(document, finding) for finding in findings(document, tab)]


def findings(document: Document, tab: Tab) -> list[Finding]:
    return [f for f in find_items(document, read(document)) if f.tab is tab]


def quote(document: Document, finding: Finding) -> str:
    return document.text[finding.span.start : finding.span.end]


def any_has(quotes: list[str], words: str) -> bool:
    return any(words in "".join(q.split()) for q in quotes)


# --- 废标项/硬性要求


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

    assert [quote(document, f)[:3] for f in items] == ["（1）", "（2）", "（3）"]
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

    assert {quote[:3] for quote in quotes} >= {"（2）", "（3）"}
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


# --- 评分项


SCORES = [
    ["序号", "评审因素", "评分标准", "分值"],
    ["1", "投标报价", "满足要求且价格最低的报价为评标基准价，得分=(基准价/报价)×30", "30分"],
    ["2", "实施方案", "方案完整可行得20分；方案一般得10分；未提供不得分。", "20"],
    ["3", "项目团队", "每有一名高级工程师得2分，最多得10分。", "10"],
    ["", "合计", "", "60"],
]


def test_each_row_of_a_scoring_table_is_found_with_its_points() -> None:
    document = table(SCORES, above="第四章 评标办法\n评分标准")

    scored = [f for f in findings(document, Tab.SCORING_ITEMS) if f.points is not None]

    assert [(f.title, f.points) for f in scored] == [
        ("投标报价（30 分）", 30.0),
        ("实施方案（20 分）", 20.0),
        ("项目团队（10 分）", 10.0),
    ]
    assert sum(row.points or 0 for row in read(document).scores) == 60


def test_the_best_tier_of_a_criterion_is_quoted_not_the_lower_ones() -> None:
    document = table(SCORES, above="第四章 评标办法\n评分标准")

    quotes = found(document, Tab.SCORING_ITEMS)

    assert any_has(quotes, "方案完整可行得20分")
    assert not any_has(quotes, "方案一般得10分")


def test_an_assessment_table_of_the_service_is_no_scoring_table() -> None:
    rows = [
        ["考核项目", "分值", "考核标准"],
        ["环境卫生", "60", "发现一次扣5分"],
        ["仪容仪表", "40", "每人次扣2分"],
    ]
    document = table(rows, above="第三章 采购需求\n六、月度考核办法")

    assert read(document).scores == []


def test_points_given_as_a_range_count_with_their_upper_end() -> None:
    rows = [
        ["评分项目", "分值区间", "评分办法"],
        ["服务方案", "0~15", "按方案优劣评审"],
        ["业绩", "0~5", "每个得1分"],
    ]
    document = table(rows, above="第三章 评审办法\n评分细则")

    assert [row.points for row in read(document).scores] == [15.0, 5.0]


def test_scores_in_plain_lines_are_found_without_the_lower_tiers() -> None:
    document = lines(
        """
第四章 评标办法
评分细则
应急预案内容完整、措施得力的得8分；应急预案内容基本完整、措施一般的得5分；未提供不得分。
"""
    )

    quotes = found(document, Tab.SCORING_ITEMS)

    assert any_has(quotes, "措施得力的得8分")
    assert not any_has(quotes, "措施一般的得5分")


# --- 投标形式


@pytest.mark.parametrize(
    "words",
    [
        "投标文件正本一份，副本三份，电子版一份",
        "开标一览表须单独密封在一个信封内",
        "不接受邮寄或传真形式的投标文件",
        "投标文件应当胶装成册，不得使用活页装订",
        "递交地点：某市建设路9号交易中心三楼开标室",
        "投标人须使用CA数字证书对投标文件加密后上传",
        "正本与副本不一致时，以正本为准",
        "投标文件分为资格文件、商务技术文件、报价文件三部分",
        "投标人应当在投标截止时间前完成投标文件的传输递交",
        "正文字体为四号宋体、行距1.5倍、总页数不超过120页",
        "样品于提交响应文件截止时间前送至谈判地点",
        "演示采用远程视频方式，每家不超过20分钟",
        "报价文件密封送达（以签收时间为准）：江城市北路237号行政楼306室",
    ],
)
def test_how_to_hand_in_is_found(words: str) -> None:
    document = lines(f"第二章 投标人须知\n{words}。")

    assert any_has(found(document, Tab.SUBMISSION_FORMAT), words)


# --- 技术要求


def test_measurable_clauses_of_the_requirements_are_found_and_prose_is_not() -> None:
    document = lines(
        """
第三章 采购需求
一、服务要求
系统故障应在接到通知后30分钟内响应，4小时内到场处理。
驻场人员不少于12人，其中持有高压电工证的不少于2人。
本项目旨在提升服务水平，营造良好环境。
"""
    )

    quotes = found(document, Tab.TECHNICAL_REQUIREMENTS)

    assert any_has(quotes, "30分钟内响应")
    assert any_has(quotes, "驻场人员不少于12人")
    assert not any_has(quotes, "营造良好环境")


# --- 成本项


@pytest.mark.parametrize(
    "words",
    [
        "项目预算：128.5万元",
        "预算金额（元）：7860000",
        "最高限价（万元）：758.00",
        "最高限价为人民币960000元",
        "投标保证金金额：人民币贰万元整",
        "履约保证金为合同金额的5%",
        "招标代理服务费由中标人支付，按计价格标准下浮15%计取",
        "乙方逾期交付的，每日按合同总价的千分之一支付违约金",
        "付款方式：验收合格后30日内支付合同价款的95%",
        "采购文件工本费300元",
    ],
)
def test_what_costs_money_is_found(words: str) -> None:
    document = lines(f"第二章 投标人须知\n{words}。")

    assert any_has(found(document, Tab.COST_ITEMS), words)


def test_a_rate_ceiling_in_the_second_half_of_a_sentence_is_found_as_well() -> None:
    filler = "按照采购人实际发生的工作量据实结算并接受采购人的监督检查和考核评价"
    document = lines(
        f"第三章 采购需求\n甲类服务单价最高限价为800元，{filler}，{filler}，乙类服务单价最高限价为350元。"
    )

    quotes = found(document, Tab.COST_ITEMS)

    assert any_has(quotes, "最高限价为800元")
    assert any_has(quotes, "最高限价为350元")


# --- 投标日历


def test_milestones_carry_their_name_and_their_local_time() -> None:
    document = lines(
        """
第一章 招标公告
五、投标截止时间：2031年5月20日09:30（北京时间）
六、开标时间：2031年5月20日09:30
投标人对招标文件有疑问的，应在2031年5月8日17时前以书面形式提出。
"""
    )

    dates = {f.milestone: f.date for f in findings(document, Tab.BID_TIMELINE)}

    assert dates["投标截止/递交时间"] == "2031-05-20T09:30"
    assert dates["开标/开启时间"] == "2031-05-20T09:30"
    assert dates["提疑/澄清截止"] == "2031-05-08T17:00"


def test_a_period_without_a_date_is_a_milestone_with_its_words() -> None:
    document = lines("第二章 投标人须知\n中标人应当自中标通知书发出之日起30日内与采购人签订合同。")

    (finding,) = findings(document, Tab.BID_TIMELINE)

    assert (finding.milestone, finding.date) == ("合同签订", None)
    assert finding.date_text is not None
    assert "30日" in finding.date_text


def test_the_label_of_a_table_row_names_its_date() -> None:
    document = table(
        [
            ["2.2.1", "投标人提出问题的截止时间", "2031年5月8日12时00分"],
            ["2.2.2", "开标时间", "2031年5月20日9时30分"],
        ],
        above="第二章 投标人须知\n投标人须知前附表",
    )

    dates = {f.milestone: f.date for f in findings(document, Tab.BID_TIMELINE)}

    assert dates == {"提疑/澄清截止": "2031-05-08T12:00", "开标/开启时间": "2031-05-20T09:30"}


# --- layout and bounds


def test_a_sentence_broken_over_lines_of_a_page_is_read_as_one() -> None:
    filler = "招标人对投标人提交的全部材料负有保密义务并按国家有关规定保存至合同履行完毕之日"
    broken = "投标文件未按照招标文件规定的格式和要求由法定代表人签署盖章并密封送达指定地点，其投标无\n效。"
    document = lines(f"第二章 投标人须知\n{filler}\n{filler}\n{broken}", pages=True)

    quotes = found(document, Tab.HARD_REQUIREMENTS)

    assert any_has(quotes, "其投标无效")


def test_an_unchecked_option_is_not_quoted() -> None:
    document = lines("第二章 投标人须知\n□投标文件须提供样品，否则投标无效。\n☑逾期送达的投标文件予以拒收。")

    quotes = found(document, Tab.HARD_REQUIREMENTS)

    assert any_has(quotes, "逾期送达")
    assert not any_has(quotes, "样品")


def test_findings_do_not_repeat_one_another() -> None:
    clause = "投标报价超过最高限价的，其投标无效。"
    document = lines("第一章 招标公告\n" + clause + "\n第二章 投标人须知\n3.1 " + clause)

    assert len(found(document, Tab.HARD_REQUIREMENTS)) == 1


def test_findings_quote_only_a_small_part_of_a_long_text() -> None:
    text = "".join(
        f"{n}.1 第{n}类服务人员不少于{n}人，未按要求配置的投标无效，逾期每日支付违约金{n}00元。\n"
        for n in range(1, 900)
    )
    document = lines("第二章 投标人须知\n" + text)

    quoted = set[int]()
    for finding in find_items(document, read(document)):
        place = range(finding.span.start, finding.span.end)
        quoted.update(at for at in place if not document.text[at].isspace())

    assert 0 < len(quoted) <= SHARE_OF_TEXT * sum(not ch.isspace() for ch in document.text)


def test_what_two_tabs_quote_is_counted_once() -> None:
    """A marked row is a technical and a hard requirement: it must not crowd out the others twice."""
    rows = range(1, 40)
    marked = "".join(f"★{n}. 第{n}类设备的无故障时间不低于{n}000小时，须提供检测报告。\n" for n in rows)
    fatal = "第二章 须知\n标“★”的为实质性要求，不满足的投标无效。\n未按要求签字盖章的，投标无效。\n"
    fatal += "说明。\n" * 900
    document = lines(fatal + "第三章 采购需求\n" + marked)
    hard = findings(document, Tab.HARD_REQUIREMENTS)
    technical = findings(document, Tab.TECHNICAL_REQUIREMENTS)

    assert any("签字盖章" in quote(document, f) for f in hard)
    assert {f.span for f in technical} & {f.span for f in hard}


@pytest.mark.parametrize(
    "line",
    [
        "投标" * 100_000,
        "（" * 200_000,
        "1." * 100_000,
        "不得" * 50_000 + "，" * 100_000,
        "保证金，" * 50_000,
        "评标基准价=" * 30_000 + "得",
        "★" * 200_000,
        "2024年" * 40_000,
    ],
    ids=["words", "brackets", "numbers", "commas", "bonds", "formulas", "marks", "years"],
)
def test_one_endless_line_takes_no_endless_time(line: str) -> None:
    document = lines("第三章 采购需求\n" + line)

    began = time.process_time()
    find_items(document, read(document))

    assert time.process_time() - began < 10


# --- lines instead of tables, and deadlines that are named together


def test_a_criterion_with_its_points_in_a_line_is_a_scoring_row() -> None:
    """Texts pasted from elsewhere have lines where the document had a table."""
    document = lines(
        """
第三章 评标办法
本项目采用综合评分法，满分100分。
投标报价（30分）：满足要求且最低的报价为评标基准价。
实施方案（45分）：根据方案的完整性和针对性评分。
（3）类似业绩（25分）：近三年每个项目得5分。
"""
    )

    rows = {f.title: f.points for f in findings(document, Tab.SCORING_ITEMS) if f.points}

    assert rows == {"投标报价（30 分）": 30, "实施方案（45 分）": 45, "类似业绩（25 分）": 25}


def test_a_deadline_named_together_with_the_opening_is_both() -> None:
    document = lines("第一章 采购公告\n响应文件提交截止时间及开启时间：2026年5月8日14时00分")

    (item,) = [f for f in findings(document, Tab.BID_TIMELINE) if f.date]

    assert (item.milestone, item.date) == ("投标截止及开标", "2026-05-08T14:00")


def test_a_period_that_counts_from_the_deadline_is_not_a_deadline() -> None:
    document = lines("第二章 投标人须知\n投标有效期为投标截止之日起120天。")

    assert [f.milestone for f in findings(document, Tab.BID_TIMELINE)] == ["投标有效期"]
