"""Compliance: pure checks over facts, gated by the regime."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from backend.app.bidding.findings import Analysis, Regime, Verdict
from backend.app.bidding.report import DocumentSource, build_report
from backend.app.bidding.rules.compliance import Case, check_compliance, table
from backend.app.bidding.rules.compliance.case import number_of
from backend.app.bidding.rules.holidays import weekdays, working_days
from backend.app.bidding.rules.lots import find_lots
from backend.app.bidding.rules.regime import Procedure, Purchase, Setting, read_setting
from backend.app.bidding.rules.tabs import read
from backend.tests.unit.bidding_case import (
    CONSULTATION,
    ENTERPRISE,
    NEGOTIATION,
    OPEN,
    check,
    checks,
    fact,
    quoted,
    verdict,
)
from backend.tests.unit.bidding_text import lines
from backend.tests.unit.bidding_text import table as rows_of

PERIOD = {"document_sale_start": "2031-03-01", "bid_deadline": "2031-03-21T09:30"}


def test_twenty_days_from_issue_to_deadline_pass_and_nineteen_do_not() -> None:
    assert verdict("bid_period", PERIOD) is Verdict.PASS
    assert verdict("bid_period", {**PERIOD, "document_sale_start": "2031-03-02"}) is Verdict.VIOLATION


def test_an_unknown_or_voluntary_regime_never_gives_more_than_a_hint() -> None:
    short = {
        **PERIOD,
        "document_sale_start": "2031-03-15",
        "budget": 100_000,
        "bid_bond": 5_000,
        "performance_bond": "20%",
        "bid_validity_days": 90,
        "opening_time": "2031-03-22T09:30",
        "price_weight": 5,
    }
    for regime in (Regime.UNKNOWN, Regime.ENTERPRISE):
        document = lines("第一章 公告")
        case = Case(
            replace(OPEN, regime=regime),
            {k: fact(v) for k, v in short.items()},
            read(document).passages,
            [],
            (),
        )
        results = [c for c in check_compliance(case) if c.rule != "procurement_regime"]
        assert {c.verdict for c in results} <= {Verdict.WARNING, Verdict.UNKNOWN}
        assert any(c.verdict is Verdict.WARNING for c in results)


def test_twenty_days_do_not_bind_a_negotiation() -> None:
    negotiation = replace(OPEN, procedure=Procedure.NEGOTIATION)

    assert check("bid_period", {**PERIOD, "document_sale_start": "2031-03-17"}, setting=negotiation) is None


def test_the_ten_days_of_a_consultation_are_only_a_hint_while_their_text_is_unverified() -> None:
    consultation = replace(OPEN, procedure=Procedure.CONSULTATION)
    short = {**PERIOD, "document_sale_start": "2031-03-15"}

    assert verdict("consultation_period", short, setting=consultation) is Verdict.WARNING
    assert verdict("consultation_period", PERIOD, setting=consultation) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("bond", "expected"),
    [(20_000, Verdict.PASS), (20_001, Verdict.VIOLATION), (0, Verdict.PASS)],
)
def test_the_bid_bond_is_capped_at_two_percent_of_the_budget(bond: int, expected: Verdict) -> None:
    assert verdict("bid_bond_cap", {"bid_bond": bond, "budget": 1_000_000}) is expected


def test_the_tender_law_caps_by_the_estimate_so_the_budget_only_warns() -> None:
    mandatory = replace(OPEN, regime=Regime.MANDATORY)

    facts = {"bid_bond": 30_000, "budget": 1_000_000}
    assert verdict("bid_bond_cap", facts, setting=mandatory) is Verdict.WARNING


def test_a_bond_without_any_budget_cannot_be_judged() -> None:
    assert verdict("bid_bond_cap", {"bid_bond": 5_000}) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("bond", "expected"),
    [("10%", Verdict.PASS), ("10.5%", Verdict.VIOLATION), ("0", Verdict.PASS), ("200000", Verdict.VIOLATION)],
)
def test_the_performance_bond_is_capped_at_ten_percent(bond: str, expected: Verdict) -> None:
    assert verdict("performance_bond_cap", {"performance_bond": bond, "budget": 1_000_000}) is expected


def test_missing_facts_make_hints_not_violations() -> None:
    issued = {"project_number": "JH-2031-017"}

    assert verdict("bid_validity_stated", issued) is Verdict.WARNING
    assert verdict("budget_disclosed", issued) is Verdict.WARNING
    assert check("bid_period", {}) is None
    assert check("bid_bond_cap", {}) is None


def test_a_model_document_with_blanks_is_not_blamed_for_them() -> None:
    """Number, deadline and budget are all blank: nobody has filled it in yet."""
    assert verdict("bid_validity_stated") is Verdict.UNKNOWN
    assert verdict("budget_disclosed") is Verdict.UNKNOWN


def test_a_budget_that_stands_by_lots_is_not_called_missing() -> None:
    text = "第一章 公告\n包1预算金额：30万元；包2预算金额：20万元。"

    assert verdict("budget_disclosed", {"project_number": "JH-2031-017"}, text=text) is Verdict.UNKNOWN


def test_opening_and_deadline_must_be_the_same_moment() -> None:
    same = {"bid_deadline": "2031-03-21T09:30", "opening_time": "2031-03-21T09:30"}

    assert verdict("opening_equals_deadline", same) is Verdict.PASS
    later = {**same, "opening_time": "2031-03-21T10:00"}
    assert verdict("opening_equals_deadline", later) is Verdict.VIOLATION


def test_an_opening_without_an_hour_is_compared_by_its_day() -> None:
    facts = {"bid_deadline": "2031-03-21T09:30", "opening_time": "2031-03-21"}

    assert verdict("opening_equals_deadline", facts) is Verdict.PASS


@pytest.mark.parametrize(
    ("purchase", "weight", "expected"),
    [
        (Purchase.SERVICES, 10, Verdict.PASS),
        (Purchase.SERVICES, 9, Verdict.VIOLATION),
        (Purchase.GOODS, 29, Verdict.VIOLATION),
        (Purchase.UNKNOWN, 20, Verdict.UNKNOWN),
        (Purchase.UNKNOWN, 30, Verdict.PASS),
    ],
)
def test_the_price_weight_depends_on_what_is_bought(
    purchase: Purchase, weight: int, expected: Verdict
) -> None:
    setting = replace(OPEN, purchase=purchase)

    assert verdict("price_weight", {"price_weight": weight}, setting=setting) is expected


def scores(points: list[str]) -> Case:
    rows = [["序号", "评审因素", "评分标准", "分值"]]
    rows += [[str(n), f"因素{n}", "按优劣评审打分", p] for n, p in enumerate(points, 1)]
    document = rows_of(rows, above="第四章 评标办法\n评分标准")
    reading = read(document)
    return Case(OPEN, {}, reading.passages, reading.scores, ())


def test_scores_that_add_up_to_a_hundred_pass_and_others_warn() -> None:
    def total(points: list[str]) -> Verdict:
        return next(c.verdict for c in check_compliance(scores(points)) if c.rule == "score_total")

    assert total(["10", "42.5", "47.5"]) is Verdict.PASS
    assert total(["10", "40", "40"]) is Verdict.WARNING


def test_a_price_scored_outside_the_table_is_added() -> None:
    case = replace(scores(["20", "30", "20"]), facts={"price_weight": fact(30)})

    assert next(c.verdict for c in check_compliance(case) if c.rule == "score_total") is Verdict.PASS


def test_a_weekday_that_the_calendar_denies_is_reported_with_its_quote() -> None:
    text = "第一章 公告\n开标时间为2031年3月21日（星期一）上午九时。"  # a Friday

    result = check("weekday_mismatch", {}, text=text)

    assert result is not None
    assert result.verdict is Verdict.WARNING
    assert "星期五" in result.detail
    assert lines(text).text[result.evidence[0].start : result.evidence[0].end].startswith("2031年3月21日")
    assert check("weekday_mismatch", {}, text=text.replace("星期一", "星期五")) is None


def test_questions_that_would_be_due_before_the_documents_are_out_are_reported() -> None:
    text = "第二章 须知\n要求澄清的，应在投标截止期25天前以书面形式提出疑问。"

    assert verdict("clarification_window", PERIOD, text=text) is Verdict.WARNING
    assert check("clarification_window", PERIOD, text=text.replace("25", "5")) is None


@pytest.mark.parametrize(("days", "expected"), [("30", Verdict.PASS), ("四十五", Verdict.VIOLATION)])
def test_the_contract_is_signed_within_thirty_days(days: str, expected: Verdict) -> None:
    text = f"第二章 须知\n中标人应在中标通知书发出之日起{days}日内与采购人签订合同。"

    assert verdict("contract_signing_period", {}, text=text) is expected


@pytest.mark.parametrize(
    ("days", "expected"), [("15", Verdict.PASS), ("20", Verdict.UNKNOWN), ("25", Verdict.VIOLATION)]
)
def test_working_days_to_sign_are_judged_only_where_no_holiday_decides(days: str, expected: Verdict) -> None:
    text = f"第二章 须知\n中标人应在中标通知书发出之日起{days}个工作日内与采购人签订合同。"

    assert verdict("contract_signing_period", {}, text=text) is expected


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        ("三个工作日", Verdict.VIOLATION),
        ("7个工作日", Verdict.PASS),
        ("7日", Verdict.VIOLATION),  # seven days hold five working days
        ("十日", Verdict.UNKNOWN),
    ],
)
def test_a_challenge_period_shorter_than_seven_working_days_is_a_violation(
    period: str, expected: Verdict
) -> None:
    text = f"第二章 须知\n供应商认为权益受到损害的，应在知道之日起{period}内提出质疑。"

    assert verdict("challenge_period", {}, text=text) is expected


def test_the_time_to_answer_a_challenge_is_not_the_time_to_raise_it() -> None:
    text = "第二章 须知\n采购人应在收到供应商的书面质疑之日起5个工作日内作出答复。"

    assert check("challenge_period", {}, text=text) is None


def test_company_size_as_a_condition_is_a_hint_with_its_quote() -> None:
    text = "第一章 公告\n1. 投标人注册资本不低于500万元。\n2. 从业人员300人以下的为中小微型企业。"

    result = check("scale_conditions", {}, text=text)

    assert result is not None
    assert result.verdict is Verdict.WARNING
    assert quoted(result, text) == ["1. 投标人注册资本不低于500万元。"]


def test_a_rule_does_not_reach_back_before_its_act_was_in_force() -> None:
    before = {**PERIOD, "document_sale_start": "2014-01-02", "bid_deadline": "2014-01-10T09:00"}

    assert verdict("bid_period", before) is Verdict.WARNING


def test_every_rule_has_an_id_of_its_own_and_unread_acts_are_named() -> None:
    """A verdict rests on full texts; what was not read is listed so that nobody takes it for read."""
    ids = [rule.id for rule in table.RULES]
    cited = {s.act for rule in table.RULES for laws in rule.laws.values() for s in laws}
    unread = {act.name for act in cited if not act.seen}

    assert len(ids) == len(set(ids))
    assert len(cited) == 11
    assert len(unread) == 5
    assert all(act.since <= date(2025, 12, 31) for act in cited)


THREE_DAYS = {"document_sale_start": "2031-03-04", "document_sale_end": "2031-03-06"}  # Tuesday to Thursday


@pytest.mark.parametrize(
    ("setting", "expected"),
    [(OPEN, Verdict.VIOLATION), (CONSULTATION, Verdict.WARNING), (NEGOTIATION, Verdict.UNKNOWN)],
    ids=["tender", "consultation", "negotiation"],
)
def test_five_working_days_bind_tenders_only(setting: Setting, expected: Verdict) -> None:
    """Article 31 speaks of 招标文件; the rules of the other procedures are hints."""
    found = check("document_sale_period", THREE_DAYS, setting=setting)

    assert found is not None
    assert found.verdict is expected
    assert ("政府采购法实施条例" in found.law) is (setting is OPEN)
    assert ("条文待核对" in found.detail) is (setting is not OPEN)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2031-03-10", "2031-03-14", Verdict.PASS),
        ("2031-09-29", "2031-10-05", Verdict.UNKNOWN),  # National Day: fewer working days than weekdays
        ("2031-09-29", "2031-10-17", Verdict.PASS),  # five remain behind it
    ],
)
def test_weekdays_that_may_be_holidays_make_no_pass(first: str, last: str, expected: Verdict) -> None:
    found = verdict("document_sale_period", {"document_sale_start": first, "document_sale_end": last})

    assert found is expected


def test_what_order_87_says_of_tenders_is_no_pass_for_a_negotiation() -> None:
    validity = {"bid_validity_days": 90}

    assert verdict("bid_validity_stated", validity) is Verdict.PASS
    assert verdict("bid_validity_stated", validity, setting=NEGOTIATION) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("text", "purchaser", "regime"),
    [
        (
            "第一章 公告\n根据《政府采购法》编制，资金来源为财政性资金。",
            "某市教育局",
            Regime.GOVERNMENT,
        ),
        (
            "第一章 公告\n依法必须进行招标的项目。\n建设工程施工招标。\n工程量清单另发。",
            None,
            Regime.MANDATORY,
        ),
        ("第一章 公告\n本次为企业自主采购，参照招标投标法执行。", "某某科技有限公司", Regime.ENTERPRISE),
        ("第一章 公告\n根据《政府采购法》有关规定编制本文件。", "某某银行股份有限公司", Regime.ENTERPRISE),
        (
            "第一章 公告\n本次采购属于政府采购限额标准以下的自行采购项目。\n政府采购网。\n符合政府采购法。",
            "某某医学院附属医院",
            Regime.ENTERPRISE,
        ),
        ("第一章 院内询价公告\n满足政府采购法第二十二条。\n政府采购网。", "某某医院", Regime.ENTERPRISE),
        ("第一章 公告\n欢迎参加。", None, Regime.UNKNOWN),
        (
            "第一章 公告\n军队采购网注册。\n军队采购活动。\n军队采购名单。\n符合政府采购法。\n财政资金。",
            None,
            Regime.UNKNOWN,
        ),
    ],
)
def test_the_regime_is_named_only_on_evidence(text: str, purchaser: str | None, regime: Regime) -> None:
    assert read_setting(read(lines(text)).passages, purchaser).regime is regime


def test_lots_are_recognised_from_two_on() -> None:
    two = lines("第一章 公告\n第一标段：东城区道路保洁\n第二标段：西城区道路保洁")
    one = lines("第一章 公告\n第一标段：东城区道路保洁")

    assert [(lot.id, lot.name) for lot in find_lots(read(two).passages)] == [
        ("1", "东城区道路保洁"),
        ("2", "西城区道路保洁"),
    ]
    assert find_lots(read(one).passages) == ()


@pytest.mark.parametrize(("text", "value"), [("30", 30), ("七", 7), ("十", 10), ("十五", 15), ("三十", 30)])
def test_numbers_are_read_in_both_scripts(text: str, value: int) -> None:
    assert number_of(text) == value


@pytest.mark.parametrize(
    ("first", "last", "working"),
    [
        (date(2024, 10, 1), date(2024, 10, 12), 5),  # National Day, with a Saturday that is worked
        (date(2026, 2, 14), date(2026, 2, 28), 6),
        (date(2031, 3, 3), date(2031, 3, 7), None),
    ],
)
def test_working_days_are_counted_only_for_years_whose_calendar_is_known(
    first: date, last: date, working: int | None
) -> None:
    assert working_days(first, last) == working
    assert weekdays(date(2031, 3, 3), date(2031, 3, 7)) == 5


def test_a_known_holiday_makes_a_short_provision_certain() -> None:
    """1 to 9 October 2024 holds two working days; weekdays alone would have made it seven."""
    facts = {"document_sale_start": "2024-10-01", "document_sale_end": "2024-10-09"}

    found = check("document_sale_period", facts)

    assert found is not None
    assert found.verdict is Verdict.VIOLATION
    assert "工作日 2 天" in found.detail


def test_what_a_person_must_look_at_is_marked() -> None:
    short = {**PERIOD, "document_sale_start": "2031-03-15"}

    violation, warned = check("bid_period", short), check("bid_period", short, setting=ENTERPRISE)
    kept = check("bid_period", PERIOD, setting=ENTERPRISE)

    assert violation is not None and not violation.needs_person
    assert warned is not None and warned.needs_person
    assert kept is not None and not kept.needs_person


def test_a_citation_names_act_article_and_day() -> None:
    found = check("bid_period", PERIOD)

    assert found is not None
    assert found.law == "《中华人民共和国政府采购法》第三十五条（2014-08-31 起施行）"


def test_what_is_wrong_stands_before_what_is_kept() -> None:
    facts = {**PERIOD, "budget": 1_000_000, "bid_bond": 30_000, "bid_validity_days": 90}
    document = lines("第一章 公告")
    found = check_compliance(
        Case(OPEN, {k: fact(v) for k, v in facts.items()}, read(document).passages, [], ())
    )

    order = [Verdict.VIOLATION, Verdict.WARNING, Verdict.UNKNOWN, Verdict.PASS]
    assert found[0].rule == "bid_bond_cap"
    assert [order.index(c.verdict) for c in found] == sorted(order.index(c.verdict) for c in found)


def test_a_rule_that_found_something_wrong_does_not_also_pass() -> None:
    """Two clauses on amendments, one of them too late: one line, the bad one."""
    text = (
        "第二章 须知\n澄清或修改可能影响投标文件编制的，在投标截止时间15日前发出。\n"
        "招标人书面澄清的时间：2031年3月16日前。"
    )

    found = checks("clarification_notice", {"bid_deadline": "2031-03-21T09:30"}, text=text)

    assert [c.verdict for c in found] == [Verdict.WARNING]


def test_works_of_a_public_body_follow_the_tender_law_when_tendered() -> None:
    """政府采购法 §4."""
    works = replace(OPEN, purchase=Purchase.WORKS)

    tendered = check("bid_period", PERIOD, setting=works)
    negotiated = check(
        "bid_bond_cap", {"bid_bond": 0}, setting=replace(works, procedure=Procedure.NEGOTIATION)
    )

    assert tendered is not None and "招标投标法》第二十四条" in tendered.law
    assert negotiated is not None and "政府采购法实施条例" in negotiated.law


def test_an_enterprise_that_cites_the_laws_is_asked_about() -> None:
    text = "第二章 须知\n根据《中华人民共和国招标投标法》等规定，现对本项目进行招标。"

    found = check("procurement_regime", setting=ENTERPRISE, text=text)

    assert found is not None
    assert (found.verdict, found.needs_person) == (Verdict.UNKNOWN, True)


def test_the_api_says_what_is_for_a_person() -> None:
    document = lines("第一章 公告")
    warned = check("bid_period", {**PERIOD, "document_sale_start": "2031-03-15"}, setting=ENTERPRISE)
    assert warned is not None
    kept = replace(warned, needs_person=False)

    report = build_report(
        document, Analysis({}, (), (warned, kept)), source=DocumentSource("文件.txt", "ab" * 32)
    )

    assert [c["to_check"] for c in report["compliance"]] == [True, False]
