"""Quotes find their place or nothing; a value is a fact only where the quote proves it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.bidding import llm_facts
from backend.app.bidding.findings import FACTS, Span
from backend.app.bidding.grounding import (
    Place,
    Source,
    adds_no_number,
    ground,
    normalise,
    says_the_same,
)
from backend.app.bidding.llm_facts import dates_in, fact_of, points_in

TEXT = (
    "投标保证金：人民币 5,000.00 元（大写：伍仟元整），须于2024年11月26日09:00前到账。\n"
    "本项目不接受联合体投标。投标文件正本1份、副本4份，未按要求密封的，招标人不予受理。\n"
    "除非投标人书面说明，投标有效期为九十日。评标委员会应当按照“综合评分法”进行评审，最高限价1500元。\n"
    "3.\t服务期\t6\n4.\t付款方式\t7\n★ 面积不少于 100㎡，温度①以内。"
)
SOURCE = Source.of(TEXT, 0, len(TEXT))


def found(quote: str, source: Source = SOURCE) -> tuple[str, str] | None:
    place = ground(quote, source)
    return (place.how, TEXT[place.span.start : place.span.end]) if place else None


@pytest.mark.parametrize(
    ("quote", "how", "words"),
    [
        ("本项目不接受联合体投标", "exact", "本项目不接受联合体投标"),
        ("  投标有效期为九十日\n", "exact", "投标有效期为九十日"),
        ("人民币5000.00元", "fuzzy", "人民币 5,000.00 元"),
        ("人民币5,000.00元(大写:伍仟元整)", "normalized", "人民币 5,000.00 元（大写：伍仟元整）"),
        ('按照"综合评分法"进行评审', "normalized", "按照“综合评分法”进行评审"),
        ("★面积不少于100m2", "normalized", "★ 面积不少于 100㎡"),
        ("3.服务期6", "normalized", "3.\t服务期\t6"),
        ("4.付款方式7", "normalized", "4.\t付款方式\t7"),
        (
            "投标文件正本1份副本4份，未按要求密封的招标人不予受理",
            "fuzzy",
            "投标文件正本1份、副本4份，未按要求密封的，招标人不予受理",
        ),
        (
            "评标委员会应按照综合评分法进行评审",
            "fuzzy",
            "评标委员会应当按照“综合评分法”进行评审",
        ),
        ("除非投标人书面说明", "exact", "除非投标人书面说明"),
        ("投标人书面说明", "exact", "投标人书面说明"),
    ],
)
def test_a_quote_finds_its_place(quote: str, how: str, words: str) -> None:
    assert found(quote) == (how, words)


@pytest.mark.parametrize(
    "quote",
    [
        "投标保证金：人民币 3,000.00 元（大写：伍仟元整）",
        "投标保证金：人民币 5,000.00 万元（大写：伍仟元整）",
        "人民币 5,000.00 元（大写：叁仟元整），须于2024年11月26日09:00前到账",
        "人民币 5,000.00 元（大写：伍仟元整），须于2024年11月27日09:00前到账",
        "人民币 5,000.00 元（大写：伍仟元整），须于2024年11月26日10:00前到账",
        "人民币 5,000.00 元（大写：伍仟元整），应于2024年11月26日09:00前到账",
        "投标文件正本1份、副本5份，未按要求密封的，招标人不予受理",
        "投标文件正本1份、副本4份，按要求密封的，招标人不予受理",
        "投标有效期为六十日",
        "接受联合体投标",
        "最高限价500元",
        "500元，须于",
        "00元",
        "不存在的内容在文中没有出处",
        "",
        "投标",
        "字" * 900,
    ],
)
def test_what_the_source_does_not_say_has_no_place(quote: str) -> None:
    assert found(quote) is None


def test_only_the_chunks_own_range_is_searched() -> None:
    start = TEXT.index("本项目")
    later = Source.of(TEXT, start, len(TEXT))
    assert found("人民币 5,000.00 元", later) is None
    place = ground("本项目不接受联合体投标", later)
    assert place == Place(Span(start, start + 11), "exact")


def test_a_later_whole_occurrence_is_taken_instead_of_a_part() -> None:
    text = "金额1500元以上的，按金额500元计；金额 500 元。"
    place = ground("金额500元", Source.of(text, 0, len(text)))
    assert place is not None
    assert text[place.span.start : place.span.end] == "金额500元"
    assert place.span.start == text.index("按金额500元") + 1


def test_normalising_keeps_the_way_back() -> None:
    normal, offsets = normalise("Ａ ㎡\u200b（乙）")
    assert normal == "am2(乙)"
    assert offsets == [0, 2, 2, 4, 5, 6]


@given(st.text(alphabet="投标人须提供5０1２年，。( )①不\n\t应㎡ab", min_size=1, max_size=200), st.data())
def test_every_place_lies_inside_its_range_and_says_the_same(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    quote = data.draw(st.text(alphabet="投标人须提供501年，不应", max_size=30)) or text[start:end]
    place = ground(quote, Source.of(text, start, end))
    if place is not None:
        assert start <= place.span.start < place.span.end <= end
        assert says_the_same(quote, text[place.span.start : place.span.end])


def test_the_guard_compares_what_matters_and_nothing_else() -> None:
    assert says_the_same("共 1,000.00 元", "共1000元")
    assert says_the_same("2024-01-02", "2024/1/2")
    assert not says_the_same("收300元", "收500元")
    assert not says_the_same("30天", "30月")
    assert not says_the_same("不得转包", "可以转包")


def test_words_of_the_models_bring_in_no_number() -> None:
    assert adds_no_number("须缴5000元", "人民币 5,000.00 元")
    assert not adds_no_number("须缴3000元", "人民币 5,000.00 元")
    assert adds_no_number("没有数字", "")


@pytest.mark.parametrize(
    ("name", "stated", "quote", "value"),
    [
        ("project_name", "某局 物业管理服务", "项目名称：某局物业 管理服务。", "某局物业 管理服务"),
        ("project_name", "另一个项目", "项目名称：某局物业管理服务", None),
        ("service_period", "见投标人须知前附表", "服务期：见投标人须知前附表", None),
        ("budget", "120万元", "预算金额：120万元", 1_200_000),
        ("budget", "1200000", "预算金额：120万元", 1_200_000),
        ("budget", "10787900", "预算：107879 00.00 元", 10_787_900),
        ("budget", "130万元", "预算金额：120万元", None),
        ("budget", "2", "不超过预算金额的2%", None),
        ("budget", "90", "预算自公告起90天内有效", None),
        ("budget", "1200000", "预算金额（万元）：120", 1_200_000),
        ("budget", "120", "预算金额（万元）：120", None),
        ("budget", "10787900", "最高限价为包1-10787900.00", 10_787_900),
        ("bid_bond", "0", "本项目不收取投标保证金", 0),
        ("bid_bond", "0", "投标保证金人民币0元", 0),
        ("bid_bond", "0", "投标保证金按规定缴纳", None),
        ("bid_bond", "一万", "投标保证金10000元", None),
        ("performance_bond", "5%", "履约保证金为合同金额的5%", "5%"),
        ("performance_bond", "10%", "履约保证金为合同金额的5%", None),
        ("performance_bond", "0", "履约保证金（本项目不收取）", "0"),
        (
            "bid_deadline",
            "2024-11-26T09:00",
            "截止时间：2024年11月26日 09:00（北京时间）",
            "2024-11-26T09:00",
        ),
        ("bid_deadline", "2024-11-26T14:30", "2024 年 11 月 26 日下午 2 时 30 分", "2024-11-26T14:30"),
        ("bid_deadline", "2024-11-26T10:00", "2024年11月26日09:00", None),
        ("bid_deadline", "2024-11-26", "2024年11月26日", None),
        ("document_sale_end", "2024-11-12", "2024-11-04 至 2024-11-12", "2024-11-12"),
        ("document_sale_end", "2024-13-12", "2024-13-12", None),
        ("bid_validity_days", "90", "投标有效期不少于 90 天", 90),
        ("bid_validity_days", "90", "投标有效期为九十日", 90),
        ("bid_validity_days", "120", "投标有效期为一百二十日", 120),
        ("bid_validity_days", "60", "投标有效期为九十日", None),
        ("consortium_allowed", "false", "本项目不接受联合体投标", False),
        ("consortium_allowed", "true", "本项目不接受联合体投标", None),
        ("consortium_allowed", "true", "本项目接受联合体投标", True),
        ("consortium_allowed", "false", "☑不接受 □接受", None),
        ("price_weight", "10", "报价得分=(基准价/投标报价)*10", 10),
        ("price_weight", "30分", "价格分 30 分", 30),
        ("price_weight", "20", "价格分30分", None),
        ("no_such_fact", "1", "1", None),
    ],
)
def test_a_value_is_a_fact_where_the_quote_proves_it(
    name: str, stated: str, quote: str, value: object
) -> None:
    text = f"前文。{quote}。后文"
    span = Span(3, 3 + len(quote))
    fact = fact_of(name, stated, text, span)
    if value is None:
        assert fact is None
    else:
        assert fact is not None
        assert (fact.value, type(fact.value), fact.source) == (value, type(value), span)


def test_every_fact_of_the_api_has_a_reader() -> None:
    assert set(FACTS.values()) <= set(llm_facts._READERS)


def test_dates_are_read_as_written() -> None:
    assert dates_in("2024年2月30日，2024.3.1，2024-3-2 9:05:00") == [
        ("2024-03-01", "2024.3.1"),
        ("2024-03-02T09:05", "2024-3-2 9:05:00"),
    ]


def test_points_must_stand_in_the_quote() -> None:
    assert points_in(15, "满分15分") == 15
    assert points_in(16, "满分15分") is None
    assert points_in(None, "15") is None
