"""What a sentence asks: names, levels, quantities; and that no text breaks the reading."""

from __future__ import annotations

import time
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.app.bidding.company.asks import PeopleAsk, ReferenceAsk
from backend.app.bidding.company.families import FAMILIES
from backend.app.bidding.company.levels import Scale, degree_rank, read_level, title_rank
from backend.app.bidding.company.match import match_requirement
from backend.app.bidding.company.papers import find_papers, held_paper
from backend.app.bidding.company.reading import read_requirement
from backend.app.bidding.company.wording import compact, find_window, left_over, money_at_least
from backend.tests.unit.company_case import case, matched

_SAMPLES = (
    "投标人 须 具有 ISO9001 认证 证书 。 ； ， 近三年 2023年1月1日 以来 业绩 不少于 3个 200万元 项目经理 "
    "一级 建造师 或 CMMI 三级 及以上 （ ） 社保 信用中国 未被列入 注册资本 13 ¦ % 《 》 许可证 "
    "专门面向中小企业 20 财务报告 得 分 每 最高"
)
_WORDS = st.lists(
    st.sampled_from(_SAMPLES.split()),
    max_size=30,
).map("".join)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_each_family_is_found_by_its_own_label_and_no_other(family: object) -> None:
    """An anchor that does not stand in a spelling would silently hide the paper."""
    label = compact(family.label)  # type: ignore[attr-defined]

    assert [paper.key for paper in find_papers(label)] == [family.key]  # type: ignore[attr-defined]
    keys, _ = held_paper(family.label, "")  # type: ignore[attr-defined]
    assert family.key in keys  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "level", "above"),
    [
        ("CMMI3级及以上", "3级", True),
        ("CMMI L5", "5级", False),
        ("CMMI五级", "5级", False),
        ("CMMI认证（三级）", "3级", False),
        ("建筑工程施工总承包壹级及以上资质", "壹级", True),
        ("具备二级（含二级）以上消防设施工程专业承包资质", "二级", True),
        ("测绘乙级（含）以上资质", "乙级", True),
        ("承装（修、试）电力设施许可证四级及以上", "四级", True),
        ("安全生产许可证", None, False),
        ("CMMI 2个", None, False),
    ],
)
def test_levels_are_read_beside_their_names(text: str, level: str | None, above: bool) -> None:
    (paper,) = find_papers(compact(text))

    assert (paper.level.text if paper.level else None, paper.or_higher) == (level, above)


@pytest.mark.parametrize(
    ("high", "low", "scale"),
    [
        ("一级", "二级", Scale.GRADE),
        ("壹级", "贰级", Scale.GRADE),
        ("特级", "一级", Scale.GRADE),
        ("甲级", "乙级", Scale.GRADE),
        ("Ⅰ级", "3级", Scale.GRADE),
        ("5级", "三级", Scale.MATURITY),
        ("L4", "3", Scale.MATURITY),
    ],
)
def test_levels_are_ordered_within_their_scale(high: str, low: str, scale: Scale) -> None:
    a, b = read_level(high, scale), read_level(low, scale)

    assert a is not None
    assert b is not None
    assert (a.meets(b), b.meets(a), a.meets(a)) == (True, False, True)


def test_levels_of_two_scales_are_not_compared() -> None:
    number, letter = read_level("二级", Scale.GRADE), read_level("乙级", Scale.GRADE)

    assert number is not None
    assert letter is not None
    assert number.meets(letter) is None


def test_titles_and_degrees_have_an_order_and_licences_are_no_titles() -> None:
    titles = ["助理工程师", "工程师", "高级工程师", "正高级工程师"]

    assert [title_rank(title) for title in titles] == [1, 2, 3, 4]
    assert title_rank("注册造价工程师") is None
    assert [degree_rank(text) for text in ("高中", "大专", "本科", "硕士研究生", "博士")] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("不低于人民币200万元", 2_000_000),
        ("不少于1,500,000元", 1_500_000),
        ("500万元（含）以上", 5_000_000),
        ("≥ 1.5亿元", 150_000_000),
        ("至少为叁佰万元", None),  # 佰 is no numeral of the short form: left to people
    ],
)
def test_amounts_asked_for(text: str, expected: float | None) -> None:
    found = money_at_least(compact(text))

    assert (found[0] if found else None) == expected


@pytest.mark.parametrize(
    ("text", "months", "since"),
    [
        ("近三年", 36, None),
        ("最近5年内", 60, None),
        ("近 6 个月", 6, None),
        ("自2023年1月1日以来", None, date(2023, 1, 1)),
        ("2022年3月起", None, date(2022, 3, 1)),
        ("2021年1月1日至投标截止日", None, date(2021, 1, 1)),
        ("自 2020 年 1 月 1 日起至今（以合同签订时间为准）", None, date(2020, 1, 1)),
    ],
)
def test_periods_of_references(text: str, months: int | None, since: date | None) -> None:
    found = find_window(compact(text))

    assert found is not None
    assert (found[0].months, found[0].since) == (months, since)


def test_references_are_read_with_number_amount_and_period() -> None:
    text = "投标人自2023年1月1日以来完成过类似项目业绩不少于3个，单项合同金额不低于200万元"

    (ask,) = read_requirement(text).asks

    assert isinstance(ask, ReferenceAsk)
    assert (ask.count, ask.amount, ask.alike) == (3, 2_000_000, True)
    assert ask.window is not None
    assert ask.window.since == date(2023, 1, 1)


def test_people_are_read_with_role_number_and_specialty() -> None:
    reading = read_requirement("拟派项目经理须具有机电工程专业一级及以上注册建造师证书和高级职称")

    (ask,) = reading.asks
    assert isinstance(ask, PeopleAsk)
    assert ask.role == "项目经理"
    licence, title = ask.credentials
    assert (licence.key, licence.specialty, licence.or_higher) == ("builder", "机电", True)
    assert (title.kind, title.least) == ("title", 3)


@pytest.mark.parametrize(
    "hidden",
    [
        "提供甲级保密资格证书复印件",
        "须有仓库",
        "且为原厂授权",
        "具有电影放映许可证",
        "并提供特种设备使用登记证复印件加盖公章",
    ],
)
def test_words_with_a_meaning_of_their_own_are_never_idle(hidden: str) -> None:
    assert left_over(compact(hidden), []) != ""


def test_what_is_idle_leaves_nothing() -> None:
    text = "3.1★投标人须具有有效的，并提供证书复印件加盖公章，否则投标无效。"

    assert left_over(compact(text), []) == ""


@given(text=_WORDS)
@settings(max_examples=300, deadline=None)
def test_no_sentence_breaks_the_reading_and_an_empty_company_meets_nothing(text: str) -> None:
    nothing = case(
        **{k: [] for k in ("qualifications", "certificates", "references", "people", "financials")},
        declarations={},
        **dict.fromkeys(
            ("province", "founded_on", "registered_capital", "staff_count", "size", "consortium")
        ),
    )
    found = match_requirement(text, nothing)

    assert found is None or found.state.value == "to_check"
    assert found == match_requirement(text, nothing)


@given(text=st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read(text: str) -> None:
    matched(text)


@pytest.mark.parametrize(
    "words", ["9001", "ISO", "年", "20", "1,000", "不少于", "具有一级", "近三年", "市", "证书"]
)
def test_a_requirement_made_of_one_word_is_read_in_linear_time(words: str) -> None:
    """Excerpts are foreign text, and a result has hundreds of them."""
    hostile = f"投标人业绩、资质证书与注册资本要求：{words * (8_000 // len(words))}"

    began = time.process_time()
    read_requirement(hostile)

    assert time.process_time() - began < 2
