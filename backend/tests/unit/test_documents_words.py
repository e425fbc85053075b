"""What single characters and lines mean, whichever reader meets them."""

from __future__ import annotations

import pytest

from backend.app.documents.glyphs import clean, symbol
from backend.app.documents.headings import heading_level, is_contents_line, is_title_like, starts_item


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("\uf0fe不接受 \uf0a8接受", "☑不接受 □接受"),
        ("\uf052是 \uf0a3否", "☑是 □否"),
        ("a\x00b\x07c\ud800d\ufffe", "abcd"),
        ("一\r\n二\r三\u2028四\x0b五", "一\n二\n三\n四\n五"),
        ("⾼级⼯程师", "高级工程师"),
        ("零宽\u200b空\ufeff格\u00ad", "零宽空格"),
        ("★▲※￥①㎡ 全角１２", "★▲※￥①㎡ 全角１２"),
    ],
)
def test_cleaning_keeps_what_means_something(given, seen):
    assert clean(given) == seen


def test_the_same_code_means_another_sign_in_another_font():
    assert symbol(0xF0A3, "Symbol") == "≤"
    assert symbol(0xF0A3, "Wingdings 2") == "□"
    assert symbol(0xF0A3, None) == "□"
    assert symbol(0x52, "Wingdings 2") == "☑"
    assert symbol(0xFE, "Wingdings") == "☑"


def test_an_unknown_ornament_never_becomes_a_letter():
    assert symbol(ord("Z"), "Wingdings") == ""


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("第一章 招标公告", 1),
        ("第 二 部 分 投标人须知", 1),
        ("第五章 中标和合同", 1),
        ("第一节 总则", 2),
        ("投标人须知前附表", 2),
        ("评标办法（综合评估法）", 2),
        ("一、项目概况", 3),
        ("（二）投标文件", 4),
        ("3. 投标费用", 5),
        ("3.1 投标文件的组成", 6),
        ("3．1．2 密封", 7),
        ("第五章中所述的要求均须满足", None),
        ("第一章 招标公告..........3", None),
        ("第一章 招标公告\t12", None),
        ("3.1 投标人应当按照要求提交投标文件。", None),
        ("2.5%的违约金", None),
        ("一、招标人对下列事项作出说明：", None),
        ("", None),
        ("投标人应当具备的条件", None),
    ],
)
def test_headings_are_known_by_their_words(line, level):
    assert heading_level(line) == level


@pytest.mark.parametrize("line", ["第一章 公告 …… 3", "一、总则 .......... - 12 -", "1.1 范围\t4"])
def test_contents_lines_are_known_by_their_leaders(line):
    assert is_contents_line(line)


@pytest.mark.parametrize(
    "line", ["1、甲", "（1）甲", "1.2 投标", "①甲", "★投标人", "二、乙", "第三条 甲", "注：甲", "附件1 函"]
)
def test_list_items_are_known_by_their_marks(line):
    assert starts_item(line)


@pytest.mark.parametrize("line", ["投标人应当", "2024年12月", "100万元", "3个工作日内", "A公司"])
def test_ordinary_lines_are_no_list_items(line):
    assert not starts_item(line)


def test_signature_lines_and_dates_are_no_titles():
    assert is_title_like("投标函")
    assert not is_title_like("2024 年 12 月 3 日")
    assert not is_title_like("投标人：（盖章）")
    assert not is_title_like("上海某某咨询有限公司")


def test_a_line_of_a_million_marks_is_judged_at_once():
    """Patterns that look back and forth over such a line would take hours."""
    for mark in ("第", "1.", "（", ".", " ", "…", "一", "\t"):
        line = mark * 1_000_000
        assert heading_level(line) is None
        assert is_contents_line(line) is False
        starts_item(line)
