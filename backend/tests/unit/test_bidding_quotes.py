"""What is quoted: the clause that says it, whole, once, and no more than that."""

from __future__ import annotations

import pytest

from backend.app.bidding.findings import Span, Tab
from backend.app.bidding.rules.quotes import clip, tidy
from backend.tests.unit.bidding_text import any_has, findings, found, lines, mixed


def tidied(text: str, quoted: str) -> str:
    start = text.index(quoted)
    span = tidy(Span(start, start + len(quoted)), text)
    return text[span.start : span.end]


@pytest.mark.parametrize(
    ("quoted", "kept"),
    [
        ("（3）未按要求签字的；", "未按要求签字的"),
        ("① 报价超过限价的。", "报价超过限价的"),
        ("二、不接受联合体投标。", "不接受联合体投标"),
        ("15.4 未提交保证金的，投标无效。", "15.4 未提交保证金的，投标无效"),
        ("★3.须提供承诺函；", "★3.须提供承诺函"),
        ("不同投标人的保证金出自同一账户的，则", "不同投标人的保证金出自同一账户的"),
    ],
)
def test_item_numbers_and_loose_ends_are_left_out_and_clause_numbers_stay(quoted: str, kept: str) -> None:
    assert tidied(f"前文。{quoted}后文", quoted) == kept


def test_a_bracket_that_the_cut_left_open_is_closed_or_left_out() -> None:
    near = "须具有有效的许可证（提供复印件）并盖章"
    far = "须具有有效的许可证和相应的专业人员（" + "包括但不限于所列各类人员" * 4 + "）"

    assert tidied(near, "须具有有效的许可证（提供复") == "须具有有效的许可证（提供复印件）"
    assert tidied(far, far[:26]) == "须具有有效的许可证和相应的专业人员"


def test_a_list_is_not_cut_off_from_the_not_before_it() -> None:
    """ "列入失信被执行人名单" alone would ask a bidder for the opposite."""
    document = lines(
        "第一章 招标公告\n三、投标人的资格条件\n1、符合《中华人民共和国政府采购法》第二十二条的规定\n"
        "2、未被“信用中国”（www.creditchina.gov.cn）、中国政府采购网（www.ccgp.gov.cn）列入失信被执行人、"
        "重大税收违法案件当事人名单、政府采购严重违法失信行为记录名单\n3、具有有效的《劳务派遣经营许可证》。"
    )

    quotes = [quote for quote in found(document, Tab.HARD_REQUIREMENTS) if "失信被执行人" in quote]

    assert quotes and all(quote.startswith("未被") for quote in quotes)


def test_an_address_is_not_cut_at_its_colon() -> None:
    text = "未被列入名单的方可投标，以中国政府采购网（http：//www.ccgp.gov.cn/）公布的记录名单为准"

    start, _ = clip(text, (0, len(text)), (text.index("记录名单"), text.index("为准")), 40)

    assert not text[start:].startswith("//")


def test_a_clock_time_is_not_cut_at_its_colon() -> None:
    document = lines(
        "第一章 招标公告\n获取招标文件时间：2026年3月2日至2026年3月9日，每天上午9:00至12:00，下午14:00至17:30"
        "（北京时间，法定节假日除外），在云岭市公共资源交易平台自行下载招标文件及其附件的全部内容"
    )

    quotes = found(document, Tab.BID_TIMELINE)

    assert quotes and not any(quote.endswith(("14", "17", "9", "12")) for quote in quotes)


def test_a_consequence_without_its_condition_is_not_shown() -> None:
    document = lines("第二章 投标人须知\n3.1 授权书须经公证机关公证并附在投标文件正本内\n否则视为无效投标。")

    assert not any(quote.startswith("否则") for quote in found(document, Tab.HARD_REQUIREMENTS))


def test_what_the_panel_may_not_do_and_complaints_are_no_requirement_for_a_bid() -> None:
    document = lines(
        "第二章 投标人须知\n1.1 评审不得以招标文件未明确的内容判定投标人投标无效。\n"
        "1.2 代理机构将拒收未在法定质疑期内发出的质疑函。\n1.3 未密封的投标文件将被拒收。"
    )

    assert found(document, Tab.HARD_REQUIREMENTS) == ["1.3 未密封的投标文件将被拒收"]


def test_a_date_that_notice_and_front_table_both_give_is_one_finding() -> None:
    document = mixed(
        [
            "第一章 公告\n提交投标文件截止时间：2026年5月20日9:30（北京时间），地点为云岭市交易中心三楼\n"
            "第二章 投标人须知\n投标人须知前附表",
            [("条款号", "名称", "内容"), ("4.2", "投标截止时间", "2026年5月20日9:30")],
        ]
    )

    dates = [finding.date for finding in findings(document, Tab.BID_TIMELINE)]

    assert dates == ["2026-05-20T09:30"]


def test_a_reference_gives_way_to_what_it_refers_to() -> None:
    clauses = "\n".join(f"{n}.1 投标文件第{n}部分未加盖公章的，投标无效。" for n in range(1, 60))
    filler = "\n".join("采购人与代理机构依法开展本次活动并维护各方权益" for _ in range(200))
    document = lines(
        f"第二章 投标人须知\n9.9 投标人资格条件详见投标人须知前附表。\n{clauses}\n第七章 其他\n{filler}"
    )

    assert not any_has(found(document, Tab.HARD_REQUIREMENTS), "详见")


def test_a_placeholder_is_no_payment_term() -> None:
    document = lines(
        "第一章 公告\n33.1 中标供应商在签订合同后/个工作日内支付预付款。\n33.2 验收后30日内付款。"
    )

    assert found(document, Tab.COST_ITEMS) == ["33.2 验收后30日内付款"]


def test_a_technical_clause_is_titled_by_what_it_is_about() -> None:
    document = lines("第四章 采购需求\n1.地面保洁每日不少于3次。\n2.投标人的设备完好率不低于98%。")

    assert [finding.title for finding in findings(document, Tab.TECHNICAL_REQUIREMENTS)] == [
        "地面保洁每日",
        "设备完好率",
    ]


def test_all_findings_together_quote_at_most_twelve_percent() -> None:
    clauses = "\n".join(
        f"{n}.{m} 第{n}章第{m}款所列资料{chr(0x4E00 + n * 37 + m)}缺失的，投标无效。"
        for n in range(1, 30)
        for m in range(1, 20)
    )
    document = lines(f"第二章 投标人须知\n{clauses}")

    quoted: set[int] = set()
    for tab in Tab:
        for finding in findings(document, tab):
            quoted |= set(range(finding.span.start, finding.span.end))
    letters = [at for at, ch in enumerate(document.text) if not ch.isspace()]

    assert 0.07 < sum(at in quoted for at in letters) / len(letters) <= 0.12
