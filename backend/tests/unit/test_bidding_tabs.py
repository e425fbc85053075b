"""The other five tabs: what is found, under which name, and what is left alone."""

from __future__ import annotations

import time

import pytest

from backend.app.bidding.findings import Tab
from backend.app.bidding.rules.priorities import SHARE_OF_TEXT
from backend.app.bidding.rules.tabs import find_items, read
from backend.tests.unit.bidding_text import any_has, findings, found, lines, quote, table

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


def test_papers_that_the_service_is_about_are_not_those_of_the_bid() -> None:
    document = lines(
        "第三章 采购需求\n协助科室收集、整理、装订纸质材料。\n人员须能使用办公软件（Word、Excel）。\n"
        "投标人应提交样品，样品于截止时间前送至采购人处。"
    )

    assert found(document, Tab.SUBMISSION_FORMAT) == ["投标人应提交样品，样品于截止时间前送至采购人处"]


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
