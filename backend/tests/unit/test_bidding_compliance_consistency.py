"""A document against itself: every contradiction with both its places, and none where there is none."""

from __future__ import annotations

import time

import pytest

from backend.app.bidding.findings import Verdict
from backend.app.bidding.rules.compliance import check_compliance
from backend.tests.unit.bidding_case import case, check, checks, quoted, verdict
from backend.tests.unit.bidding_text import mixed

W = Verdict.WARNING
NOTICE, RULES, DEMANDS, CONTRACT = (
    "第一章 招标公告\n",
    "第二章 投标人须知\n",
    "第三章 采购需求\n",
    "第五章 合同\n",
)
FORMS = "第六章 投标文件格式\n"
DATED = {"document_sale_start": "2031-03-01", "bid_deadline": "2031-03-21T09:30"}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"document_sale_start": "2031-03-05", "document_sale_end": "2031-03-01"}, W),
        ({"document_sale_end": "2031-03-25", "bid_deadline": "2031-03-21T09:30"}, W),
        ({"clarification_deadline": "2031-03-22", "bid_deadline": "2031-03-21T09:30"}, W),
        ({"document_sale_end": "2031-03-21", "bid_deadline": "2031-03-21T09:30"}, None),
        (DATED, None),
    ],
)
def test_an_end_before_its_begin_is_reported(facts: dict[str, str], expected: Verdict | None) -> None:
    assert verdict("date_order", facts) is expected


def test_a_deadline_with_two_days_is_reported_with_both() -> None:
    text = (
        NOTICE + "投标文件递交截止时间：2031年3月21日9时30分\n"
        + RULES + "投标截止时间：2031年3月24日9时30分"
    )  # fmt: skip

    found = check("date_conflict", {"bid_deadline": "2031-03-21T09:30"}, text=text)

    assert found is not None and found.verdict is W
    assert "2031-03-24 09:30" in found.detail
    assert len(found.evidence) == 2
    assert (
        check("date_conflict", {"bid_deadline": "2031-03-21T09:30"}, text=text.replace("24日", "21日"))
        is None
    )


def test_a_line_that_gives_deadline_and_opening_together_counts_for_the_deadline() -> None:
    text = (
        "第一章 招标公告\n投标截止时间：2031年3月20日09时30分\n第二章 投标人须知\n"
        "投标截止时间及开标时间：2031年3月21日10时00分\n"
    )

    found = check("date_conflict", {"bid_deadline": "2031-03-20T09:30"}, text=text)

    assert found is not None and "2031-03-21 10:00" in found.detail


def test_questions_that_close_with_the_documents_leave_no_time() -> None:
    facts = {"document_sale_start": "2031-03-03", "document_sale_end": "2031-03-10"}

    assert verdict("clarification_window", {**facts, "clarification_deadline": "2031-03-11"}) is W
    assert verdict("clarification_window", {**facts, "clarification_deadline": "2031-03-14"}) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("金额：人民币陆万元整（¥60,000.00）", None),
        ("金额：人民币陆万元整（¥66,000.00）", W),
        ("金额：15000元（大写：壹万伍仟元整）", None),
        ("金额：15000元（大写：壹万陆仟元整）", W),
        ("保证金陆万元，代理服务费1.2万元。", None),
        ("合同金额：人民币（大写）    元（¥    元）", None),
    ],
)
def test_capitals_and_figures_of_one_sum_must_agree(text: str, expected: Verdict | None) -> None:
    found = check("amount_words", text=RULES + text)

    assert (found.verdict if found else None) is expected
    assert found is None or len(found.evidence) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (NOTICE + "预算金额：80万元", W),
        (NOTICE + "预算金额：100万元", None),
        (NOTICE + "预算金额：1000000元", None),
        (NOTICE + "包1预算金额：60万元\n包2预算金额：40万元", None),
        (NOTICE + "报价超过预算金额：50万元的无效", None),
        (NOTICE + "预算金额：    万元", None),
    ],
)
def test_another_budget_elsewhere_is_reported(text: str, expected: Verdict | None) -> None:
    assert verdict("amount_conflict", {"budget": 1_000_000}, text=text) is expected


def test_a_bond_that_is_not_collected_and_yet_demanded_is_reported_with_both_places() -> None:
    text = (
        RULES
        + "履约保证金：本项目不收取。\n"
        + CONTRACT
        + "12.1 乙方应向甲方提交一笔采购文件规定的履约保证金。"
    )

    found = check("bond_contradiction", text=text)

    assert found is not None and found.verdict is W
    assert [q[:5] for q in quoted(found, text)] == ["履约保证金", "12.1 "]


@pytest.mark.parametrize(
    "other",
    [
        "中标人未按规定提交履约保证金的，取消中标资格。",
        "如要求提交履约保证金的，乙方应在签订合同前提交履约保证金。",
        "履约保证金不得超过合同金额的10%。",
    ],
)
def test_boilerplate_about_a_bond_contradicts_nothing(other: str) -> None:
    text = RULES + "履约保证金：本项目不收取。\n" + CONTRACT + other

    assert check("bond_contradiction", text=text) is None


def test_a_bond_box_that_is_not_ticked_says_nothing() -> None:
    text = RULES + "投标保证金：□不收取 ☑收取\n投标保证金金额：20000元"

    assert check("bond_contradiction", text=text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("付款方式：合同签订后支付合同金额的30%，验收合格后支付合同金额的60%。", W),
        ("付款方式：合同签订后支付合同金额的30%，验收合格后支付合同金额的70%。", None),
        ("付款方式：合同签订后支付30%，验收合格后支付至95%，余款一年后付清。", None),
        ("付款方式：合同签订后支付  %，验收合格后支付  %。", None),
    ],
)
def test_shares_of_the_price_must_make_the_whole(text: str, expected: Verdict | None) -> None:
    assert verdict("payment_shares", text=DEMANDS + text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (FORMS + "投标有效期为自投标截止之日起60日历天。", W),
        (FORMS + "投标有效期为自投标截止之日起90日历天。", None),
        (FORMS + "投标有效期为自投标截止之日起  日历天。", None),
        (RULES + "投标保证金在投标有效期满后30天内有效。", None),
        (RULES + "招标人可以要求延长投标有效期30天。", None),
    ],
)
def test_another_validity_is_reported_forms_included(text: str, expected: Verdict | None) -> None:
    assert verdict("validity_conflict", {"bid_validity_days": 90}, text=text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (FORMS + "项目编号：JHZB-2031060501", W),
        (FORMS + "项目编号：JHZB-\n2031060501", W),
        (FORMS + "项目编号：JHZB-2031060601", None),
        (FORMS + "采购计划编号：CG-31-0077", None),
    ],
)
def test_the_number_of_another_tender_is_a_leftover(text: str, expected: Verdict | None) -> None:
    assert verdict("number_conflict", {"project_number": "JHZB-2031060601"}, text=text) is expected


def test_a_name_with_a_few_other_characters_is_reported() -> None:
    name = {"project_name": "江城市智慧公积金平台建设项目"}

    assert verdict("name_conflict", name, text=NOTICE + "项目名称：江城市智慧公积金平台维护项目") is W
    assert (
        verdict("name_conflict", name, text=NOTICE + "项目名称：江城市智慧公积金平台建设项目（二次）") is None
    )
    assert verdict("name_conflict", name, text=NOTICE + "项目名称：东湖区道路保洁") is None


@pytest.mark.parametrize(
    ("party", "expected"),
    [("江城大学图书馆", W), ("江城大学", None), ("（采购人）", None), ("      ", None)],
)
def test_a_contract_with_another_body_is_reported(party: str, expected: Verdict | None) -> None:
    assert verdict("party_conflict", {"purchaser": "江城大学"}, text=f"{CONTRACT}甲方：{party}") is expected


def test_a_visit_that_is_and_is_not_organised_is_reported() -> None:
    none = RULES + "现场踏勘：不组织\n" + DEMANDS

    assert verdict("site_visit_conflict", text=none + "采购人于2031年3月8日组织踏勘，请准时参加。") is W
    assert verdict("site_visit_conflict", text=none + "投标人可自行踏勘现场。") is None
    assert verdict("site_visit_conflict", text=RULES + "踏勘：■不组织 □组织，时间：2031年3月8日") is None


def test_court_and_arbitration_in_one_contract_are_reported() -> None:
    court = (
        CONTRACT + "七、争议：任何一方均有权向合同签订地人民法院提起诉讼。\n"
        "八、保密条款。\n九、其他条款。\n十、附件。\n"
    )
    both = court + "十一、协商不成的，可提请江城仲裁委员会仲裁。"
    choice = (
        CONTRACT + "争议按下列第1种方式解决：\n1.向甲方所在地人民法院提起诉讼。\n2.提交江城仲裁委员会仲裁。"
    )

    assert verdict("dispute_conflict", text=both) is W
    assert verdict("dispute_conflict", text=court) is None
    assert verdict("dispute_conflict", text=choice) is None


def test_lots_must_make_their_total() -> None:
    def rows(total: str) -> list[list[str]]:
        return [
            ["包号", "名称", "预算金额（万元）"],
            ["包1", "设计", "68.00"],
            ["包2", "监理", "42.50"],
            ["合计", "", total],
        ]

    def found(total: str) -> list[Verdict]:
        document = mixed(["第一章 公告\n采购预算", rows(total)])
        return [c.verdict for c in checks("lot_total", document=document)]

    assert found("110.50") == []
    assert found("112.50") == [W]
    assert found("，") == []  # a cell of punctuation is no figure


def test_lots_named_line_by_line_must_make_the_budget() -> None:
    text = NOTICE + "标项一：蔬菜；预算金额（元）：600000\n标项二：肉类；预算金额（元）：400000"

    assert verdict("lot_total", {"budget": 1_000_000}, text=text) is None
    assert verdict("lot_total", {"budget": 1_200_000}, text=text) is W
    assert verdict("amount_conflict", {"budget": 1_000_000}, text=text) is None


def test_a_lot_whose_budget_was_left_out_is_passed_over() -> None:
    """A comma where the figure should stand made the whole analysis fail."""
    text = NOTICE + "标项一：蔬菜；预算金额（元）：，以公告为准\n标项二：肉类；预算金额（元）：，以公告为准"

    assert verdict("lot_total", {"budget": 1_000_000}, text=text) is None


@pytest.mark.parametrize(
    ("words", "day", "expected"),
    [
        ("根据《中华人民共和国合同法》签订合同。", "2031-03-01", W),
        ("根据《中华人民共和国合同法》签订合同。", "2019-03-01", None),
        ("依照《中华人民共和国劳动合同法》订立劳动合同。", "2031-03-01", None),
        ("按照财库〔2011〕181号执行。", "2031-03-01", W),
        ("到场须持72小时核酸阴性证明。", "2031-03-01", W),
        ("到场须持72小时核酸阴性证明。", "2022-03-01", None),
    ],
)
def test_a_rule_that_had_ended_before_the_tender_is_reported(
    words: str, day: str, expected: Verdict | None
) -> None:
    assert verdict("outdated_law", {"document_sale_start": day}, text=RULES + words) is expected


def test_one_number_with_two_years_is_a_slip() -> None:
    text = RULES + "工信部联企业〔2011〕300号\n另见工信部联企业〔2022〕300号"

    found = check("regulation_conflict", text=text)

    assert found is not None and len(found.evidence) == 2
    assert check("regulation_conflict", text=text.replace("2022", "2011")) is None


def test_accounts_of_a_year_that_is_not_over_cannot_be_asked_for() -> None:
    text = RULES + "提供会计师事务所出具的近3年审计报告（2029年-2031年）。"
    issued = {"document_sale_start": "2031-06-26"}

    assert verdict("report_years", issued, text=text) is W
    assert verdict("report_years", issued, text=text.replace("2029年-2031年", "2028年-2030年")) is None


def test_the_same_words_twice_are_one_piece_of_evidence() -> None:
    text = NOTICE + "投标人注册资本不低于500万元。\n投标人注册资本不低于500万元。"

    found = checks("scale_conditions", text=text)

    assert [len(c.evidence) for c in found] == [1]


def test_what_only_a_form_says_binds_nobody() -> None:
    """Templates hold examples of clauses; only what bidders copy and sign is read there."""
    words = "投标人未参加开标的，其投标无效。"

    assert verdict("rejection_grounds", text=RULES + words) is W
    assert verdict("rejection_grounds", text=RULES + FORMS + words) is None


def test_who_is_a_small_business_is_no_condition() -> None:
    text = RULES + "从业人员300人以下或营业收入10000万元以下的为中小微型软件企业。"

    assert check("scale_conditions", text=text) is None
    assert case(text=text).passages


@pytest.mark.parametrize("words", ["付款支付30%", "投标保证金", "得分相同"])
def test_a_text_made_of_one_word_is_read_in_linear_time(words: str) -> None:
    """Each of hundreds of hits in a passage must not read the whole passage again."""
    hostile = case({"bid_validity_days": 90}, text="\n".join([RULES, *[words * (1200 // len(words))] * 50]))

    began = time.process_time()
    check_compliance(hostile)

    assert time.process_time() - began < 5
