"""Compliance rules read from clauses: each kept, broken, under another regime, and silent on a blank."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.app.bidding.findings import Verdict
from backend.app.bidding.rules.compliance import check_compliance
from backend.app.bidding.rules.regime import Purchase, Setting
from backend.tests.unit.bidding_case import (
    CONSULTATION,
    ENTERPRISE,
    MANDATORY,
    NEGOTIATION,
    OPEN,
    UNKNOWN,
    case,
    check,
    checks,
    quoted,
    verdict,
)
from backend.tests.unit.bidding_text import mixed, table

GOODS = replace(OPEN, purchase=Purchase.GOODS)
WORKS = replace(MANDATORY, purchase=Purchase.WORKS)
V, W, U, P = Verdict.VIOLATION, Verdict.WARNING, Verdict.UNKNOWN, Verdict.PASS
NOTICE, RULES, DEMANDS, CONTRACT = (
    "第一章 招标公告\n",
    "第二章 投标人须知\n",
    "第三章 采购需求\n",
    "第五章 合同\n",
)
EVALUATION = "第四章 评标办法\n"
FORMS = "第六章 投标文件格式\n"

# Rule, chapter, and what its clauses give: (clause, setting, verdict; None: nothing is said).
GIVEN: list[tuple[str, str, list[tuple[str, Setting, Verdict | None]]]] = [
    ("clarification_notice", RULES, [
        ("修改可能影响投标文件编制的，在投标截止时间至少15日前发布。", OPEN, P),
        ("修改可能影响投标文件编制的，在投标截止时间至少15日前发布。", MANDATORY, P),
        ("修改可能影响投标文件编制的，在投标截止时间3日前发布。", OPEN, V),
        ("修改可能影响投标文件编制的，在投标截止时间3日前发布。", ENTERPRISE, W),
        ("修改可能影响响应文件编制的，在响应截止时间5日前发布。", CONSULTATION, U),
        ("修改可能影响响应文件编制的，在响应截止时间2日前发布。", CONSULTATION, W),
        ("投标人要求澄清的，应在投标截止时间10日前书面提出。", OPEN, None),
        ("投标人在投标截止时间2日前可以修改投标文件。", OPEN, None),
        ("修改可能影响投标文件编制的，在投标截止时间  日前发布。", OPEN, None),
    ]),
    ("prequalification_period", NOTICE, [
        ("资格预审申请文件提交时间为资格预审文件停止发售之日起3日。", MANDATORY, V),
        ("资格预审申请文件提交时间为资格预审文件停止发售之日起7日。", MANDATORY, P),
        ("资格预审申请文件提交时间为资格预审文件停止发售之日起3日。", UNKNOWN, W),
    ]),
    ("objection_period", RULES, [
        ("对招标文件有异议的，应当在投标截止时间10日前提出。", MANDATORY, P),
        ("对招标文件有异议的，应当在投标截止时间15日前提出。", MANDATORY, V),
        ("招标人自收到异议之日起5日内作出答复。", MANDATORY, V),
        ("招标人自收到异议之日起3个工作日内作出答复。", MANDATORY, U),
        ("对招标文件有异议的，应当在投标截止时间15日前提出。", ENTERPRISE, W),
    ]),
    ("complaint_period", RULES, [
        ("自知道或者应当知道之日起5日内向监督部门投诉。", MANDATORY, V),
        ("自知道或者应当知道之日起10日内向监督部门投诉。", MANDATORY, P),
        ("对答复不满意的，可在答复期满后15个工作日内投诉。", OPEN, P),
        ("对答复不满意的，可在答复期满后十日内投诉。", OPEN, V),
    ]),
    ("challenge_reply", RULES, [
        ("采购人在收到质疑函后7个工作日内作出答复。", OPEN, P),
        ("采购人在收到质疑函后10个工作日内作出答复。", OPEN, V),
        ("采购人在收到质疑函后10日内作出答复。", OPEN, U),
    ]),
    ("challenge_period", RULES, [
        ("其中，对采购文件的质疑，应当在响应截止时间三日前提出。", CONSULTATION, W),
    ]),
    ("challenge_waiver", FORMS, [
        ("我方放弃对招标文件提出询问和质疑的一切权利。", OPEN, V),
        ("我方放弃对招标文件提出异议的权利。", MANDATORY, V),
        ("我方放弃对招标文件提出异议的权利。", ENTERPRISE, W),
    ]),
    ("challenge_waiver", RULES, [
        ("逾期不补正的，视为放弃质疑的权利。", OPEN, None),
    ]),
    ("challenge_waiver", FORMS, [
        ("我方放弃对这方面有不明及误解的权利。", OPEN, None),
    ]),
    ("bond_form", RULES, [
        ("投标保证金的形式：转账、支票或现金。", OPEN, V),
        ("投标保证金的形式：转账、支票或现金。", CONSULTATION, W),
        ("投标保证金的形式：转账、支票或现金。", MANDATORY, None),
        ("投标保证金的形式：非现金形式。不接受现金。", OPEN, None),
        ("投标保证金的形式：现金支票、转账支票。", OPEN, None),
    ]),
    ("bond_guarantee", RULES, [
        ("投标保证金仅接受银行转账，不接受银行保函。", OPEN, W),
        ("投标保证金可以银行保函提交。", OPEN, None),
        ("投标保证金形式：□不接受银行保函 ☑接受银行保函", OPEN, None),
    ]),
    ("bond_validity", RULES, [
        ("投标保证金有效期应当与投标有效期一致。", MANDATORY, P),
        ("投标保证金应在投标有效期满后30天内有效。", MANDATORY, V),
        ("投标保证金应在投标有效期满后30天内有效。", OPEN, None),
    ]),
    ("bond_return", RULES, [
        ("未中标人的投标保证金在中标通知书发出之日起5个工作日内退还。", OPEN, P),
        ("未中标人的投标保证金在中标通知书发出之日起15个工作日内退还。", OPEN, V),
        ("招标人在合同签订后5日内向未中标人退还投标保证金及利息。", MANDATORY, P),
        ("招标人在合同签订后5日内无息退还未中标人的投标保证金。", MANDATORY, V),
        ("未中标人的投标保证金在定标后20个工作日内退还。", ENTERPRISE, W),
        ("履约保证金在验收合格后30日内退还。", OPEN, None),
        ("未中标人的投标保证金在中标通知书发出之日起  个工作日内退还。", OPEN, None),
    ]),
    ("candidates_published", RULES, [
        ("招标人自收到评标报告之日起3日内公示中标候选人，公示期不少于3日。", WORKS, P),
        ("中标候选人公示期为1日。", WORKS, V),
        ("评审结果公示无异议后2个工作日内发出通知书。", UNKNOWN, None),
        ("中标结果公示，公示期为1个工作日。", OPEN, None),
    ]),
    ("floor_price", EVALUATION, [
        ("投标报价低于最高限价70%的，投标无效。", OPEN, V),
        ("投标报价低于最高限价70%的，投标无效。", MANDATORY, V),
        ("投标报价低于最高限价70%的，投标无效。", CONSULTATION, W),
        ("报价低于最高限价45%的，应当提供成本说明，不能说明的作无效处理。", OPEN, None),
        ("有效投标报价为不低于最高投标限价80%的投标报价。", MANDATORY, W),
        ("报价不得低于成本，否则投标无效。", OPEN, None),
    ]),
    ("rejection_grounds", RULES, [
        ("投标人未参加开标的，其投标无效。", OPEN, W),
        ("投标人未参加开标的，视同认可开标结果。", OPEN, None),
    ]),
    ("rejection_grounds", EVALUATION, [
        ("报价超出标底上下浮动5%的，予以否决。", MANDATORY, W),
    ]),
    ("same_head", NOTICE, [
        ("单位负责人为同一人或者存在直接控股、管理关系的不同供应商，不得参加同一合同项下的活动。", OPEN, P),
        ("不同单位高级管理人员之间存在交叉任职的视同单位负责人为同一人。", MANDATORY, W),
    ]),
    ("fewer_than_three", RULES, [
        ("投标人不足3家的，不得开标。", OPEN, P),
        ("投标人少于三个的，可以继续开标。", MANDATORY, V),
        ("供应商不足3家的，一般不得组织开标，满足第二条情形的除外。", UNKNOWN, U),
        ("供应商不足3家的，可以继续评审。", NEGOTIATION, None),
    ]),
    ("price_formula", EVALUATION, [
        ("以有效报价的算术平均值为评标基准价，评标基准价等于平均值。", OPEN, V),
        ("评标基准价为有效报价的算术平均值。", CONSULTATION, W),
        ("评标基准价为有效报价的算术平均值。", MANDATORY, None),
        ("评标基准价为满足要求的最低报价，不得去掉最高报价和最低报价。", OPEN, None),
    ]),
    ("tie_break", EVALUATION, [
        ("得分相同的，按投标报价由低到高顺序排列。", OPEN, P),
        ("得分相同的，按投标报价由高到低顺序排列。", OPEN, V),
        ("得分相同的，按投标报价由高到低顺序排列。", UNKNOWN, W),
        ("得分相同的，按技术部分得分由高到低排列。", OPEN, W),
        ("提供相同品牌产品的，得分相同的，采取随机抽取方式确定。", OPEN, None),
    ]),
    ("manufacturer_authorisation", NOTICE, [
        ("二、申请人的资格要求\n投标人须提供生产厂家针对本项目的授权书。", OPEN, V),
        ("二、申请人的资格要求\n投标人须提供生产厂家针对本项目的授权书。", ENTERPRISE, W),
        ("二、申请人的资格要求\n所投为进口产品的，须提供制造商授权书。", OPEN, None),
        ("二、资格要求\n具有施工资质，或者生产厂家授权，三者有其一即可。", OPEN, None),
    ]),
    ("sme_discount", EVALUATION, [
        ("对小型和微型企业报价给予10%的扣除。", OPEN, U),
        ("对小型和微型企业报价给予6%的扣除。", OPEN, W),
        ("对小型和微型企业报价给予  %的扣除。", OPEN, None),
        ("报价给予K1的价格扣除（K1的取值为15%）。", OPEN, U),
    ]),
    ("pay_when_paid", CONTRACT, [
        ("如遇财政拨款未到位，付款期限顺延，乙方不得追究甲方责任。", OPEN, W),
        ("业主付款后10日内支付乙方。", ENTERPRISE, W),
        ("本项目资金已到位，验收合格后30日内支付。", OPEN, None),
    ]),
    ("retention_cap", CONTRACT, [
        ("支付95%，剩余5%作为质量保证金。", OPEN, W),
        ("结算价款的3%作为质量保证金。", WORKS, None),
        ("质量保证金为结算价的  %。", OPEN, None),
    ]),
    ("automatic_renewal", CONTRACT, [
        ("双方均未书面终止的，即视为延长协议有效期一年，以后类推。", OPEN, W),
        ("期满自动顺延一年，最多顺延两次。", OPEN, None),
    ]),
]  # fmt: skip
CASES = [
    (rule, chapter + clause, setting, expected)
    for rule, chapter, clauses in GIVEN
    for clause, setting, expected in clauses
]


@pytest.mark.parametrize(("rule", "text", "setting", "expected"), CASES)
def test_a_clause_gives_the_verdict_that_the_law_allows(
    rule: str, text: str, setting: Setting, expected: Verdict | None
) -> None:
    assert verdict(rule, text=text, setting=setting) is expected


def test_every_hint_is_for_a_person_and_every_verdict_shows_its_words() -> None:
    for rule, text, setting, expected in CASES:
        found = check(rule, text=text, setting=setting)
        if found is None:
            continue
        assert found.evidence, rule
        assert found.needs_person or expected is not W, rule
        assert bool(found.law) or expected in (W, U), rule


def test_an_act_that_was_not_in_force_yet_judges_nothing() -> None:
    """The order of 2017 says nothing about a tender of 2016."""
    text = EVALUATION + "得分相同的，按投标报价由高到低顺序排列。"

    found = check("tie_break", {"document_sale_start": "2016-05-04"}, text=text)

    assert found is not None
    assert found.verdict is W
    assert "尚未施行" in found.detail


def test_the_old_discount_was_right_in_its_time() -> None:
    """Six to ten percent until July 2022."""
    text = EVALUATION + "对小型和微型企业报价给予6%的扣除。"

    assert verdict("sme_discount", {"document_sale_start": "2021-05-04"}, text=text) is U
    assert verdict("sme_discount", {"document_sale_start": "2023-05-04"}, text=text) is W


def test_no_bond_needs_no_clause_about_its_return() -> None:
    text = RULES + "未中标人的投标保证金在中标通知书发出之日起15个工作日内退还。"

    assert check("bond_return", {"bid_bond": 0}, text=text) is None


@pytest.mark.parametrize(
    ("setting", "weight", "expected"),
    [(CONSULTATION, 10, U), (CONSULTATION, 40, W), (CONSULTATION, 5, W), (NEGOTIATION, 5, None)],
)
def test_the_price_weight_of_a_consultation_is_a_hint(
    setting: Setting, weight: int, expected: Verdict | None
) -> None:
    assert verdict("consultation_price_weight", {"price_weight": weight}, setting=setting) is expected


@pytest.mark.parametrize(("days", "expected"), [("2031-03-20", W), ("2031-03-12", U)])
def test_a_negotiation_has_three_working_days(days: str, expected: Verdict) -> None:
    facts = {"document_sale_start": days, "bid_deadline": "2031-03-21T09:30"}

    assert verdict("negotiation_period", facts, setting=NEGOTIATION) is expected


def test_a_bond_above_eight_hundred_thousand_is_a_hint_for_works() -> None:
    facts = {"bid_bond": 900_000, "price_ceiling": 100_000_000}

    assert verdict("bid_bond_amount", facts, setting=WORKS) is W
    assert check("bid_bond_amount", facts, setting=OPEN) is None


@pytest.mark.parametrize(
    ("text", "setting", "expected"),
    [
        ("甲方在收到发票后90日内支付。", OPEN, W),
        ("甲方在收到发票后90日内支付。本项目专门面向中小企业采购。", OPEN, V),
        ("甲方在收到发票后30日内支付。", OPEN, None),
        ("甲方在收到发票后  日内支付。", OPEN, None),
    ],
)
def test_late_payment_is_certain_only_where_the_supplier_must_be_small(
    text: str, setting: Setting, expected: Verdict | None
) -> None:
    facts = {"bid_deadline": "2031-03-21T09:30"}

    assert verdict("payment_term", facts, text=CONTRACT + text, setting=setting) is expected


def test_the_payment_rules_of_2025_do_not_measure_a_tender_of_2024() -> None:
    found = check(
        "payment_term", {"bid_deadline": "2024-03-21T09:30"}, text=CONTRACT + "甲方在收到发票后90日内支付。"
    )

    assert found is not None
    assert "尚未施行" in found.detail


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (DEMANDS + "服务器必须采用华为品牌。", V),
        (DEMANDS + "服务器必须采用华为品牌或相当于该档次的产品。", None),
        (DEMANDS + "所有耗材均须为国内外知名品牌。", W),
        (DEMANDS + "收到通知的须当日立即到场，不得以较大金额为由推诿。", None),
        (EVALUATION + "提供相同品牌产品的，按一家投标人计算。", None),
        (FORMS + "品牌型号：", None),
    ],
)
def test_a_brand_by_its_name_is_a_violation_and_a_vague_one_a_hint(
    text: str, expected: Verdict | None
) -> None:
    assert verdict("named_brand", text=text) is expected


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ("regional_record", EVALUATION + "具有本市同类项目业绩的，每个得2分。", W),
        ("regional_record", EVALUATION + "获得江城市优质工程奖项的，每个得2分。", W),
        ("regional_record", EVALUATION + "获得省级及以上奖项的，每个得2分。", None),
        ("regional_record", EVALUATION + "完成过城市道路工程施工业绩的，每个得2分。", None),
        ("supplier_status", NOTICE + "在江城市内设有固定的服务机构。", W),
        ("supplier_status", NOTICE + "投标人须在某市住房和城乡建设局建立企业信用档案。", W),
        ("supplier_status", NOTICE + "成立三年以上的非外资企业。", W),
        ("supplier_status", NOTICE + "成立不足三年的，按实际年限提供。", None),
    ],
)
def test_conditions_on_place_owner_and_age_are_hints(rule: str, text: str, expected: Verdict | None) -> None:
    assert verdict(rule, text=text) is expected


def scored(rows: list[tuple[str, str]]) -> list[list[str]]:
    head = ["序号", "评审因素", "评分标准", "分值"]
    return [head, *([str(n), f"因素{n}", text, points] for n, (text, points) in enumerate(rows, 1))]


def test_points_left_to_the_panel_are_a_hint() -> None:
    rows = scored(
        [
            ("由评标委员会酌情打分，最高得8分", "8"),
            ("优得5分，良得3分，一般得1分", "5"),
            ("每个得2分，最高4分", "4"),
        ]
    )
    document = table(rows, above="第四章 评标办法\n评分标准")

    found = checks("score_quantified", document=document)

    assert [c.verdict for c in found] == [W]
    assert len(found[0].evidence) == 1


def test_a_deduction_that_takes_all_points_at_once_is_a_hint() -> None:
    rows = scored([
        ("标▲的条款（共8项），每负偏离一项扣8分", "8"),
        ("优得5分，良得3分", "5"),
        ("每个得2分，最高4分", "4"),
    ])  # fmt: skip
    document = table(rows, above="第四章 评标办法\n评分标准")

    assert [c.verdict for c in checks("score_deduction", document=document)] == [W]


def test_tables_of_a_hundred_each_are_no_wrong_total() -> None:
    """Lots that are scored apart, or parts that are weighted."""
    one = scored([("优得60分", "60"), ("优得20分", "20"), ("优得20分", "20")])
    document = mixed(["第四章 评标办法\n包1评分标准", one, "包2评分标准", one])

    found = checks("score_total", document=document)

    assert [c.verdict for c in found] == [P]
    assert "2 张评分表" in found[0].detail


def test_parts_that_do_not_make_the_stated_total_are_a_hint() -> None:
    text = EVALUATION + "分值构成（总分100分）：商务部分：25分；技术部分：40分；投标报价：30分。"

    assert verdict("score_parts", text=text) is W
    assert verdict("score_parts", text=text.replace("40", "45")) is None


def test_the_order_of_a_tie_is_read_from_the_list_below_it() -> None:
    text = (
        EVALUATION + "采用综合评分法的，综合得分相同时，按下列顺序比较确定：\n"
        "①投标报价（由高到低）。\n②服务部分得分（由高到低）。"
    )

    found = check("tie_break", text=text)

    assert found is not None and found.verdict is V
    assert quoted(found, text)[1] == "①投标报价（由高到低）。"


def test_a_performance_bond_beside_a_retention_is_a_hint_for_services() -> None:
    text = CONTRACT + "余款3%作为质量保证，验收合格满12个月后付清。"

    assert verdict("retention_cap", {"performance_bond": "3%"}, text=text) is W
    assert verdict("retention_cap", {"performance_bond": "0"}, text=text) is None
    assert verdict("retention_cap", {"performance_bond": "3%"}, text=text, setting=WORKS) is None


def test_a_blank_template_breaks_nothing() -> None:
    text = (
        NOTICE
        + "项目名称：＿＿＿＿\n投标截止时间：  年  月  日  时\n"
        + RULES
        + "投标保证金：人民币XXXX元\n投标有效期：  日历天\n履约保证金：合同金额的  %\n"
        + CONTRACT
        + "甲方在收到发票后  日内支付合同金额的  %。\n甲方：（采购人）"
    )

    wrong = [c for c in check_compliance(case(text=text)) if c.verdict in (V, W)]

    assert wrong == []
