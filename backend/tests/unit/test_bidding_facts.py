"""Facts of tenders as agencies of several provinces lay them out; every document here is made up."""

from __future__ import annotations

import pytest

from backend.app.bidding.findings import FACTS, Fact
from backend.app.bidding.rules.facts import extract_facts
from backend.app.documents.canonical import Document
from backend.tests.unit.bidding_text import lines, mixed

NOTICE = """
第一章 招标公告
项目概况
滨河市人民医院电子胃镜采购项目招标项目的潜在投标人应在本市公共资源交易网获取招标文件。
一、项目基本情况
项目编号：SDGP370000000202402001234
项目名称：滨河市人民医院电子胃镜采购项目
预算金额：120.000000 万元（人民币）
最高限价（如有）：118.500000 万元（人民币）
合同履行期限：自合同签订之日起30日历天内交货
本项目( 不接受 )联合体投标。
二、申请人的资格要求：
1.满足《中华人民共和国政府采购法》第二十二条规定；
三、获取招标文件
时间：2024年04月28日 至 2024年05月07日，每天上午08:30至12:00，下午12:00至17:00。（北京时间，法定节假日除外）
售价：￥0元
四、提交投标文件截止时间、开标时间和地点
2024年05月20日 09点30分（北京时间）
地点：滨河市公共资源交易中心三楼
七、对本次招标提出询问，请按以下方式联系。
1.采购人信息
名    称：滨河市人民医院
地址：滨河市胜利路100号
2.采购代理机构信息
名    称：山东正信项目管理有限公司
地    址：济南市历下区
"""
FRONT_TABLE = [
    ("条款号", "条款名称", "编列内容"),
    ("1.1.2", "招标人", "名称：清河县交通建设投资有限公司\n地址：清河县大道1号\n联系人：李工"),
    ("1.1.3", "招标代理机构", "名称：河北安信工程项目管理有限公司\n地址：石家庄市"),
    ("1.1.4", "项目名称", "清河县S234线改建工程施工"),
    ("1.3.2", "计划工期", "计划工期：240日历天\n计划开工日期：2024年8月1日"),
    ("1.4.2", "是否接受联合体投标", "☑不接受\n□接受，应满足下列要求："),
    ("1.9.1", "踏勘现场", "☑不组织 □组织，踏勘时间："),
    ("2.2.1", "投标人要求澄清招标文件的截止时间", "2024年6月20日17时00分"),
    ("2.2.2", "投标截止时间", "2024年7月8日9时30分"),
    ("2.2.3", "投标人确认收到招标文件澄清的时间", "在收到相应澄清文件后24小时内"),
    ("3.2.3", "最高投标限价", "人民币 12,345,678.90 元"),
    ("3.3.1", "投标有效期", "90日历天"),
    (
        "3.4.1",
        "投标保证金",
        "投标保证金的形式：银行转账、银行保函\n投标保证金的金额：20万元\n递交截止时间：2024年7月5日17时00分",
    ),
    ("5.1", "开标时间和地点", "开标时间：同投标截止时间\n开标地点：清河县公共资源交易中心"),
    ("7.3.1", "履约担保", "履约担保的形式：银行保函\n履约担保的金额：中标合同价的10%"),
    ("6.3", "评标办法", "□经评审的最低投标价法 ☑综合评估法"),
]
INSTRUCTIONS = "第二章 投标人须知\n投标人须知前附表"
TABLE_VALUES = {
    "project_name": "清河县S234线改建工程施工",
    "purchaser": "清河县交通建设投资有限公司",
    "agency": "河北安信工程项目管理有限公司",
    "budget": None,
    "price_ceiling": 12345678.9,
    "bid_bond": 200000,
    "performance_bond": "10%",
    "bid_deadline": "2024-07-08T09:30",
    "opening_time": "2024-07-08T09:30",
    "clarification_deadline": "2024-06-20T17:00",
    "bid_validity_days": 90,
    "consortium_allowed": False,
    "service_period": "240日历天",
    "evaluation_method": "综合评估法",
}


def values(document: Document) -> dict[str, object]:
    facts = extract_facts(document)
    check_sources(document, facts)
    return {name: fact.value if fact else None for name, fact in facts.items()}


def check_sources(document: Document, facts: dict[str, Fact | None]) -> None:
    """The law of the house: the words of a value stand in its source, as written."""
    assert list(facts) == list(FACTS)
    for fact in facts.values():
        if fact is not None:
            assert fact.text in document.text[fact.source.start : fact.source.end]
            assert fact.text.strip()


def value_of(name: str, text: str) -> object:
    return values(lines(text))[name]


def test_the_national_model_notice_is_read_completely() -> None:
    found = values(lines(NOTICE))

    assert {name: value for name, value in found.items() if value is not None} == {
        "project_name": "滨河市人民医院电子胃镜采购项目",
        "project_number": "SDGP370000000202402001234",
        "purchaser": "滨河市人民医院",
        "agency": "山东正信项目管理有限公司",
        "budget": 1200000,
        "price_ceiling": 1185000,
        "bid_deadline": "2024-05-20T09:30",
        "opening_time": "2024-05-20T09:30",
        "document_sale_start": "2024-04-28",
        "document_sale_end": "2024-05-07",
        "consortium_allowed": False,
        "service_period": "自合同签订之日起30日历天内交货",
    }


def test_a_front_table_gives_the_same_facts_as_cells_and_as_lines_of_a_pdf() -> None:
    as_lines = "\n".join(" ".join(cell.replace("\n", " ") for cell in row) for row in FRONT_TABLE)

    in_cells = values(mixed([INSTRUCTIONS, FRONT_TABLE]))
    in_lines = values(lines(f"{INSTRUCTIONS}\n{as_lines}"))

    assert {name: in_cells[name] for name in TABLE_VALUES} == TABLE_VALUES
    assert {name: in_lines[name] for name in TABLE_VALUES} == TABLE_VALUES


def test_a_blank_template_states_nothing() -> None:
    blank = """
某某学校校服采购项目招标文件
项目名称：（项目名称）
项目编号：____________
采购人：__________________
代理机构：XXX招标代理有限公司
第一章 招标公告
[工程名称]施工招标公告
项目名称：________
预算金额：______万元
最高限价：/
投标保证金：人民币____元
投标截止时间：____年__月__日__时__分
开标时间：    年  月  日  时  分
获取招标文件时间：20__年__月__日至20__年__月__日
投标有效期：____日历天
工期：___日历天
本项目□接受□不接受联合体投标。
本项目允许/不允许联合体投标。
履约保证金：合同金额的___%
付款方式：______
评标办法：□综合评分法 □最低评标价法
第二章 投标人须知前附表
1 投标保证金金额：见投标人须知前附表
2 投标截止时间：详见招标公告
投标保证金不得超过采购项目估算价的2%，最高不得超过80万元。
"""
    assert all(value is None for value in values(lines(blank)).values())


@pytest.mark.parametrize(
    ("row", "yuan"),
    [
        ("投标保证金：本项目不收取投标保证金", 0),
        ("磋商保证金：无", 0),
        ("15 磋商保证金 无", 0),
        ("投标保证金：□要求提交 ☑不要求提交", 0),
        ("投标保证金：□不要求提交 ☑要求提交，金额：60000元", 60000),
        ("谈判保证金：人民币1.5万元，应于2024年3月14日16:00前汇至指定账户", 15000),
        ("应答保证金：人民币伍仟元整（¥5000.00）", 5000),
        ("投标人应在递交投标文件前缴纳人民币捌万元整的投标保证金。", 80000),
        ("投标保证金形式：银行转账、支票、汇票、本票或者保函等非现金形式", None),
        ("投标保证金不得超过采购项目预算金额的2%，且最高不超过80万元。", None),
        ("鼓励招标人对简单小额项目不要求提供投标担保。", None),
        ("谈判保证金：☑不收取 □收取：人民币____元", 0),
        ("投标保证金：标项一：人民币8000元；标项二：人民币5000元", None),
        ("未中标人的投标保证金在5个工作日内退还，标书售价500元。", None),
    ],
)
def test_the_bid_bond_is_an_amount_a_zero_or_nothing(row: str, yuan: int | None) -> None:
    assert value_of("bid_bond", f"{INSTRUCTIONS}\n{row}") == yuan


@pytest.mark.parametrize(
    ("row", "value"),
    [
        ("履约保证金：合同金额的5%，签订合同前提交", "5%"),
        ("履约保证金：本项目不收取", "0"),
        ("合同签订前提交合同总价10%的履约保证金。", "10%"),
        ("中标人应缴纳人民币拾万元整的履约保证金。", "100000"),
        ("履约保证金金额：成交金额的百分之二", "2%"),
        ("履约保证金的数额不得超过政府采购合同金额的10%。", None),
        ("履约保证金：合同金额的___%", None),
        ("本项目不收取投标保证金和履约保证金", "0"),
    ],
)
def test_the_performance_bond_is_a_share_an_amount_or_nothing(row: str, value: str | None) -> None:
    assert value_of("performance_bond", f"{INSTRUCTIONS}\n{row}") == value


@pytest.mark.parametrize(
    ("text", "budget", "ceiling"),
    [
        ("预算金额：300万元；最高限价：290万元", 3000000, 2900000),
        ("预算金额：135 万元/年", 1350000, None),
        ("采购预算：人民币叁佰贰拾万元整（¥3,200,000.00）。\n最高限价：同采购预算。", 3200000, 3200000),
        ("最高限价：集动车大编组单价限高价1400元/组", None, None),
        ("预算金额在500万元以下的项目可以不公示。", None, None),
        ("最高投标限价（折扣率）为100%", None, None),
        ("标项一\n预算金额（元）：800000\n标项二\n预算金额（元）：500000", None, None),
        ("本项目控制价：36.8万元（含13%增值税）", None, 368000),
    ],
)
def test_budget_and_ceiling_stay_apart(text: str, budget: int | None, ceiling: int | None) -> None:
    found = values(lines(f"第一章 招标公告\n{text}"))

    assert (found["budget"], found["price_ceiling"]) == (budget, ceiling)


def test_the_amount_under_a_column_head_takes_the_unit_of_the_head() -> None:
    rows = [
        ("包号", "包名称", "数量", "采购预算（万元）", "最高限价（万元）"),
        ("1", "食堂服务", "1", "241.71", "240.5"),
    ]

    found = values(mixed(["第一章 招标公告\n二、招标内容", rows]))

    assert (found["budget"], found["price_ceiling"]) == (2417100, 2405000)


def test_lots_with_different_amounts_count_only_by_their_total() -> None:
    rows = [("包号", "名称", "预算金额（元）"), ("1", "压缩车", "800000.00"), ("2", "洒水车", "500000.00")]

    apart = values(mixed(["第一章 招标公告\n二、招标内容", rows]))
    with_total = values(mixed(["第一章 招标公告\n二、招标内容", [*rows, ("合计", "", "1300000.00")]]))

    assert (apart["budget"], with_total["budget"]) == (None, 1300000)


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("递交响应文件时间：2024年3月15日9:00-9:30，逾期不受理。", "bid_deadline", "2024-03-15T09:30"),
        ("投标人应于2024-12-23 09:30:00 时前将投标文件加密上传至平台。", "bid_deadline", "2024-12-23T09:30"),
        ("投标开始时间：2026年7月16日09:00", "bid_deadline", None),
        ("提出疑问的截止时间：2025年3月5日17:00", "bid_deadline", None),
        ("保证金到账截止时间：2025年3月5日17:00", "bid_deadline", None),
        ("本次磋商将于2024年6月3日14:00时整在三楼会议室开启。", "opening_time", "2024-06-03T14:00"),
        (
            "如有疑问需要澄清，应于2025年6月9日9:00前向招标人提出。",
            "clarification_deadline",
            "2025-06-09T09:00",
        ),
        ("招标人答复澄清的时间：2025年6月12日16:00", "clarification_deadline", None),
        ("公告发布日期：2025年6月12日", "document_sale_start", None),
        ("响应文件提交截止时间：二〇二六年四月十五日上午九时三十分", "bid_deadline", "2026-04-15T09:30"),
        ("招标文件提供期限：2024-03-01至2024-03-08", "document_sale_end", "2024-03-08"),
        ("文件获取时间：公告发布之日起至2026年9月15日，每日09:00至17:00", "document_sale_end", "2026-09-15"),
        ("文件获取时间：公告发布之日起至2026年9月15日，每日09:00至17:00", "document_sale_start", None),
    ],
)
def test_a_date_belongs_to_what_its_label_names(text: str, name: str, expected: str | None) -> None:
    assert value_of(name, f"第一章 招标公告\n{text}") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("本项目不接受联合体投标。", False),
        ("是否允许联合体投标：不允许", False),
        ("联合体投标：□接受 ☑不接受", False),
        ("联合体投标：☑接受 □不接受", True),
        ("本项目（是）接受联合体投标。", True),
        ("本次招标接受联合体投标。", True),
        ("接受联合体投标的，应提供联合体协议。", None),
        ("联合体投标时，各方均应具备资格。", None),
    ],
)
def test_a_consortium_is_allowed_only_where_the_document_says_so(text: str, expected: bool | None) -> None:
    assert value_of("consortium_allowed", f"第一章 招标公告\n{text}") is expected


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("采购编号：川投集采〔2024〕第015号", "川投集采〔2024〕第015号"),
        ("项目编号：（2024）沪招第123号", "（2024）沪招第123号"),
        ("招标编号：0747-2460SCCZA123/01", "0747-2460SCCZA123/01"),
        ("采购项目编号：[230101]HC[CS]20240012", "[230101]HC[CS]20240012"),
        ("项目编号（采购计划编号）：JSZC-320000-ABC-G2024-0012", "JSZC-320000-ABC-G2024-0012"),
        ("政府采购项目编号：HLJ-2024-001 采购项目名称：办公设备", "HLJ-2024-001"),
        ("项目编号：310113000240930133426-\n13157007", None),  # broken off: none is better than a half
        ("项目编号：见投标人须知前附表", None),
        ("资金编号：1324-000117173；内部编号：2024-1-0395", None),
        ("合同编号：HT-2024-0001", None),
    ],
)
def test_a_project_number_is_read_in_the_forms_of_many_regions(text: str, number: str | None) -> None:
    assert value_of("project_number", f"第一章 招标公告\n{text}") == number


@pytest.mark.parametrize(
    ("text", "purchaser", "agency"),
    [
        ("采购人：黄河县财政局 采购代理机构：河南华信招标有限公司", "黄河县财政局", "河南华信招标有限公司"),
        (
            "受黄河县财政局委托，河南华信招标有限公司就政务云服务项目进行公开招标",
            "黄河县财政局",
            "河南华信招标有限公司",
        ),
        ("招标人：黄河县城投集团有限公司（盖章）", "黄河县城投集团有限公司", None),
        ("采购人名称：黄河县公安局交通警察大队  地址：人民路1号", "黄河县公安局交通警察大队", None),
        ("采购人：", None, None),
        ("采购人：见投标人须知前附表", None, None),
        ("采购人应当在收到评标报告后确定中标人。采购代理机构：负责组织", None, None),
        ("采购单位：某单位", None, None),
        ("联系人：黄河县财政局张三", None, None),
    ],
)
def test_parties_are_organisations_set_against_their_label(
    text: str, purchaser: str | None, agency: str | None
) -> None:
    found = values(lines(f"第一章 招标公告\n{text}"))

    assert (found["purchaser"], found["agency"]) == (purchaser, agency)


def test_labels_in_lines_of_their_own_name_the_next_line() -> None:
    """A table whose cells came out one below the other, as many PDFs and pasted texts have it."""
    text = f"{INSTRUCTIONS}\n14\n投标有效期\n90日历天\n15\n投标保证金\n无\n16\n评标办法\n综合评分法"

    found = values(lines(text))

    assert (found["bid_validity_days"], found["bid_bond"], found["evaluation_method"]) == (
        90,
        0,
        "综合评分法",
    )


def test_the_number_that_recurs_beats_the_leftover_of_another_tender() -> None:
    text = """
项目编号：WLZB-2025060601
第一章 采购邀请
项目编号：WLZB-2025060601
资金编号：1324-000117173
第二章 供应商须知
供应商须知前附表
项目编号：WLZB-2025060501
信封上写明项目编号（WLZB-2025060601）和项目名称。
"""
    assert value_of("project_number", text) == "WLZB-2025060601"


def test_a_purchaser_who_tenders_alone_has_no_agency() -> None:
    text = "第一章 招标公告\n招标人：东江港务集团有限公司\n招标代理机构：东江港务集团有限公司"

    found = values(lines(text))

    assert (found["purchaser"], found["agency"]) == ("东江港务集团有限公司", None)


def test_the_entrusting_sentence_names_both_parties_and_the_project() -> None:
    text = (
        "第一章 竞争性谈判公告\n"
        "中科高盛国际招标有限公司受国家图文研究院的委托，就“数字档案加工服务”进行竞争性谈判，欢迎参加。"
    )

    found = values(lines(text))

    assert found["purchaser"] == "国家图文研究院"
    assert found["agency"] == "中科高盛国际招标有限公司"
    assert found["project_name"] == "数字档案加工服务"


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("价格分（30分）：以最低报价为基准价", 30),
        ("投标报价得分＝（评标基准价/投标报价）×30", 30),
        ("投标报价得分=（评标基准价/投标报价）×15%×100", 15),
        ("投标报价得分=（评标基准价/投标报价）×100", None),
        ("评标采用百分制，其中商务部分（投标报价）为70分、技术部分为30分。", 70),
        ("偏差率=|评标价-评标基准价|/评标基准价×100%。", None),
        ("对小微企业的报价给予10%的扣除。", None),
    ],
)
def test_the_points_for_the_price_come_from_the_scoring(text: str, points: int | None) -> None:
    assert value_of("price_weight", f"第四章 评标办法\n评分标准\n{text}") == points
