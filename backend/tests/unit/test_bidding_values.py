"""Amounts, dates, periods and percentages in the forms in which tenders write them."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.bidding.rules.numerals import cn_number
from backend.app.bidding.rules.values import (
    find_amounts,
    find_dates,
    find_durations,
    find_percents,
    money_unit,
)

_DIGITS = "零壹贰叁肆伍陆柒捌玖"


@pytest.mark.parametrize(
    ("text", "yuan"),
    [
        ("预算107879 00.00元", [10787900]),
        ("3 150000元", [150000]),
        ("人民币壹拾伍万元整（￥150,000.00）", [150000, 150000]),
        ("¥15000", [15000]),
        ("241.71万元（人民币）", [2417100]),
        ("人民币 4.8 万元整", [48000]),
        ("1 500 000 元", [1500000]),
        ("捌万元整", [80000]),
        ("1.2亿元", [120000000]),
        ("壹佰贰拾叁元肆角伍分", [123.45]),
        ("每份额200万元", [2000000]),
        ("￥：５ 万元", [50000]),
        ("100（万元）", [1000000]),
        ("叁亿壹仟贰佰陆拾柒万贰仟陆佰元整", [312672600]),
        ("包 1-1741200.00 元", [1741200]),
        ("电话 63788398，共 8 人，得 5 分，第 12 条", []),
        ("账号：2900000110120100336816", []),
    ],
)
def test_an_amount_is_found_however_it_is_written(text: str, yuan: list[float]) -> None:
    assert [amount.value_yuan for amount in find_amounts(text)] == yuan


def test_a_bare_number_is_an_amount_only_where_the_column_names_the_unit() -> None:
    assert find_amounts("241.71") == []
    assert [a.value_yuan for a in find_amounts("241.71", money_unit("采购预算（万元）"))] == [2417100]
    assert money_unit("最高限价（元）") == 1
    assert money_unit("数量") is None


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2024年11月26日上午9:30", ["2024-11-26T09:30"]),
        ("2024年11月26日下午2时30分", ["2024-11-26T14:30"]),
        ("2024-12-23 09:30:00 时整", ["2024-12-23T09:30"]),
        ("2024 年 11 月 26 日 09 : 00", ["2024-11-26T09:00"]),
        ("2 0 2 4 年 1 1 月 2 6 日", ["2024-11-26"]),
        ("２０２４年１１月２６日９：３０", ["2024-11-26T09:30"]),
        ("2024年11月26日24:00", ["2024-11-27T00:00"]),
        ("2024年11月7日（星期四）9点半", ["2024-11-07T09:30"]),
        ("2024年11月7日09时30分（北京时间）", ["2024-11-07T09:30"]),
        ("二〇二四年十一月二十六日", ["2024-11-26"]),
        ("二〇二四年十一月二十六日上午九时三十分", ["2024-11-26T09:30"]),
        ("二O二四年三月五日下午二点半", ["2024-03-05T14:30"]),
        ("二0二四年三月五日 9：30", ["2024-03-05T09:30"]),
        ("2024年3月5日十四时整", ["2024-03-05T14:00"]),
        ("2024年3月5日二十家单位", ["2024-03-05"]),
        ("2024.11.26", ["2024-11-26"]),
        ("2024/3/5 10:00", ["2024-03-05T10:00"]),
        ("2024年2月31日", []),
        ("2022年～2024年，2024年11月", []),
        ("财库〔2020〕46号，第1.2.3条，IP 192.168.10.11", []),
    ],
)
def test_a_date_is_found_however_it_is_written(text: str, iso: list[str]) -> None:
    assert [date.iso for date in find_dates(text)] == iso


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("2024年11月4日至11月12日", "2024-11-04", "2024-11-12"),
        ("2026年 3月4日至3月11日9:00-11:30,13:00-15:00", "2026-03-04", "2026-03-11"),
        (
            "2025 年 6 月 24 日至 2025 年 7 月 1 日，每天上午 9：00 至 12：00",
            "2025-06-24",
            "2025-07-01",
        ),
        ("2025-06-10   9:00 至 2025-06-16   17:00 截止", "2025-06-10T09:00", "2025-06-16T17:00"),
        ("2024年12月30日起至1月5日止", "2024-12-30", "2025-01-05"),
        ("2025年6月3日-6日", "2025-06-03", "2025-06-06"),
    ],
)
def test_the_end_of_a_range_is_linked_and_takes_its_missing_year(text: str, begin: str, end: str) -> None:
    first, second = find_dates(text)

    assert (first.iso, second.iso) == (begin, end)
    assert second.linked
    assert not first.linked


def test_hours_behind_a_day_are_not_taken_for_its_moment() -> None:
    (found,) = find_dates("2024年3月15日9:00-9:30")

    assert found.iso == "2024-03-15"
    assert found.until is not None
    assert found.until.iso == "2024-03-15T09:30"


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("90 日历天", (90, "day")),
        ("90（日历）天", (90, "day")),
        ("九十日", (90, "day")),
        ("叁（3）年", (3, "year")),
        ("三年", (3, "year")),
        ("36个月", (36, "month")),
        ("15个工作日", (15, "workday")),
        ("开标后（90）天", (90, "day")),
        ("：90天", (90, "day")),
    ],
)
def test_a_period_is_found_with_its_unit(text: str, period: tuple[int, str]) -> None:
    assert [(found.amount, found.unit) for found in find_durations(text)] == [period]


def test_calendar_years_ordinals_and_looks_back_are_no_periods() -> None:
    assert find_durations("2024年度，第三年，近三年，2024年11月") == []


def test_percentages_are_found_in_figures_and_words() -> None:
    assert [share.value for share in find_percents("5％、百分之五，10.5%")] == [5, 5, 10.5]


@pytest.mark.parametrize(
    ("text", "value"), [("二十六", 26), ("壹拾伍万", 150000), ("二零二四", 2024), ("x", None), ("，", None)]
)
def test_chinese_numerals_are_read(text: str, value: int | None) -> None:
    assert cn_number(text) == (None if value is None else Decimal(value))


def _in_capitals(yuan: int) -> str:
    """Chinese capitals, without the finer rules for 零."""
    units = ["", "拾", "佰", "仟"]
    groups = []
    for scale in ("", "万", "亿"):
        yuan, group = divmod(yuan, 10_000)
        digits = "".join(
            _DIGITS[int(digit)] + units[len(str(group)) - 1 - at]
            for at, digit in enumerate(str(group))
            if digit != "0"
        )
        groups.append(digits + scale if digits else "")
    return "".join(reversed(groups)) + "元整"


@given(st.integers(min_value=1, max_value=999_999_999))
def test_every_amount_is_read_the_same_in_all_its_forms(yuan: int) -> None:
    for text in (f"{yuan}元", f"¥{yuan:,}.00", f"人民币 {yuan:,} 元", f"为{yuan}.00元整", _in_capitals(yuan)):
        (found,) = find_amounts(text)

        assert found.value_yuan == yuan, text


@given(
    st.datetimes(min_value=datetime.datetime(2010, 1, 1), max_value=datetime.datetime(2049, 12, 31)),  # noqa: DTZ001
    st.sampled_from(["", "递交截止时间：", "第 3 条 "]),
)
def test_every_moment_is_read_the_same_in_all_its_forms(moment: datetime.datetime, before: str) -> None:
    forms = (
        f"{moment.year}年{moment.month}月{moment.day}日{moment.hour}时{moment.minute:02d}分",
        f"{moment.year} 年 {moment.month:02d} 月 {moment.day:02d} 日 {moment.hour:02d} : {moment.minute:02d}",
        f"{moment:%Y-%m-%d %H:%M}:00",
        f"{moment:%Y/%m/%d} {moment:%H:%M}",
    )
    for form in forms:
        text = f"{before}{form}（北京时间）"
        (found,) = find_dates(text)

        assert found.iso == f"{moment:%Y-%m-%dT%H:%M}", text
        assert text[found.start : found.end].strip() == form


@given(st.text(alphabet="0123456789年月日时分：:.-/ 元万亿￥%（）个天一二三壹拾\t\n", max_size=60))
def test_whatever_the_text_every_place_lies_in_it(text: str) -> None:
    places = [*find_amounts(text), *find_dates(text), *find_durations(text), *find_percents(text)]

    assert all(0 <= place.start < place.end <= len(text) for place in places)
