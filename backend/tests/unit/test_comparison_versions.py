"""A new version against the one before: what is told, and what is not a change."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from backend.app.bidding.comparison.changes import Change, ChangeType
from backend.app.bidding.comparison.revision import Aligned, compare_versions
from backend.app.bidding.comparison.units import Reading
from backend.app.documents.canonical import Block, BlockKind, Document, Page
from backend.tests.unit.bidding_text import lines, mixed

TENDER = """第一章 招标公告
1.1 本项目为滨河市档案馆数字化加工服务，资金来源为财政资金。
1.2 投标截止时间：2031年3月10日9时30分。
第二章 资格要求
2.1 ★投标人须具有档案数字化加工甲级备案证明，否则投标无效。
2.2 投标人近三年内无重大违法记录。
第三章 商务要求
3.1 中标人须在合同签订后三十日内完成首批交付。
3.2 付款方式为验收合格后一次性支付合同价款。
"""
ROWS = [
    ("序号", "名称", "单位", "数量"),
    ("1", "高速文档扫描仪", "台", "2"),
    ("2", "图像处理工作站", "台", "4"),
    ("3", "磁带存储设备", "套", "1"),
]


def changes_of(base: Document, new: Document) -> list[Change]:
    return compare_versions(Aligned.of(Reading.of(base), Reading.of(new)))


def told(base: Document, new: Document) -> list[tuple[str, str | None, str | None]]:
    return [
        (
            change.type.value,
            base.text[change.before.start : change.before.end] if change.before else None,
            new.text[change.after.start : change.after.end] if change.after else None,
        )
        for change in changes_of(base, new)
    ]


def test_nothing_is_told_of_the_same_text() -> None:
    assert told(lines(TENDER), lines(TENDER)) == []


def test_widths_spaces_and_clause_numbers_are_no_changes() -> None:
    """A new export of the same file has other punctuation and counts its clauses anew."""
    new = TENDER.replace("，", ",").replace("：", ": ").replace("2.1", "2.3").replace("第三章", "第四章")

    assert told(lines(TENDER), lines(new)) == []


def test_other_marks_between_the_words_are_no_change_but_those_in_a_number_are() -> None:
    new = TENDER.replace("服务，资金来源", "服务；资金来源").replace("备案证明，否则", "备案证明、否则")

    assert told(lines(TENDER), lines(new)) == []
    assert told(lines("1.1 单价不超过1.5万元。"), lines("1.1 单价不超过15万元。")) != []


def test_a_changed_date_is_one_change_with_whole_numbers_as_segments() -> None:
    base, new = lines(TENDER), lines(TENDER.replace("3月10日9时", "3月24日9时"))

    (change,) = changes_of(base, new)

    words = [
        (segment.op, document.text[span.start : span.end])
        for segment in change.segments
        for document, span in ((base, segment.before), (new, segment.after))
        if segment.op != "equal" and span is not None
    ]
    assert change.type is ChangeType.CHANGED
    assert words == [("delete", "10"), ("insert", "24")]


def test_segments_cover_both_sides_without_a_hole() -> None:
    base, new = lines(TENDER), lines(TENDER.replace("甲级备案证明", "乙级及以上备案证明材料"))

    (change,) = changes_of(base, new)

    assert change.before is not None and change.after is not None
    for document, side, whole in ((base, "before", change.before), (new, "after", change.after)):
        spans = [getattr(s, side) for s in change.segments if getattr(s, side) is not None]
        joined = "".join(document.text[s.start : s.end] for s in spans)
        assert joined == document.text[whole.start : whole.end]


def test_a_removed_clause_and_an_added_one_are_two_things() -> None:
    gone, came = "2.2 投标人近三年内无重大违法记录。", "2.2 供应商应在本市设有常驻服务机构并配备车辆。"

    found = told(lines(TENDER), lines(TENDER.replace(gone, came)))

    assert sorted(found, key=str) == [("added", None, came), ("removed", gone, None)]


def test_swapped_clauses_are_moved_and_not_told_twice() -> None:
    before = TENDER.splitlines()
    new = "\n".join([*before[:3], *before[6:], *before[3:6]])

    found = told(lines(TENDER), lines(new))

    assert [kind for kind, _, _ in found] == ["moved"]
    assert "第二章" in (found[0][1] or "") or "第三章" in (found[0][1] or "")


def test_a_new_row_is_one_change_though_the_numbers_below_it_shift() -> None:
    rows = [*ROWS[:2], ("2", "平板缩微拍摄机", "台", "1"), ("3", *ROWS[2][1:]), ("4", *ROWS[3][1:])]

    assert told(mixed([ROWS]), mixed([rows])) == [("added", None, "2\t平板缩微拍摄机\t台\t1")]


def test_points_in_the_first_column_are_values_and_no_count_of_rows() -> None:
    rows = [("分值", "评审内容"), ("10", "技术方案的完整性"), ("25", "同类项目业绩")]
    new = [rows[0], ("15", "技术方案的完整性"), rows[2]]

    assert told(mixed([rows]), mixed([new])) == [("changed", "10\t技术方案的完整性", "15\t技术方案的完整性")]


def test_a_number_that_a_blank_sets_apart_counts_clauses_before_any_word() -> None:
    assert (
        told(lines("1.9 天：指日历天数，含法定节假日。"), lines("2.9 天：指日历天数，含法定节假日。")) == []
    )
    assert len(told(lines("1.9米以上的货架须做防倾倒固定。"), lines("2.9米以上的货架须做防倾倒固定。"))) == 1


def test_a_changed_cell_is_a_changed_row() -> None:
    rows = [*ROWS[:2], ("2", "图像处理工作站", "台", "6"), ROWS[3]]

    assert told(mixed([ROWS]), mixed([rows])) == [
        ("changed", "2\t图像处理工作站\t台\t4", "2\t图像处理工作站\t台\t6")
    ]


def test_a_value_in_other_words_under_the_same_label_is_a_change() -> None:
    base = mixed([[("投标有效期", "90日历天")], "正文一句话。"])
    new = mixed([[("投标有效期", "自开标之日起不少于一百二十天")], "正文一句话。"])

    assert [kind for kind, _, _ in told(base, new)] == ["changed"]


def test_a_wrapped_print_of_the_same_text_has_no_changes() -> None:
    """A PDF breaks lines anywhere, also where a paragraph ends, and repeats its running head."""
    words = TENDER.strip().split("\n")
    printed: list[str] = []
    for at, line in enumerate(words):
        if at % 3 == 0:
            printed += ["滨河市档案馆招标文件", line]
        else:
            printed += [line[:17], line[17:]] if len(line) > 17 else [line]
    made = lines("\n".join(printed), pages=True)
    heads = [at for at in range(len(made.text)) if made.text.startswith("滨河市档案馆招标文件", at)]
    ends = [*heads[1:], len(made.text)]
    pages = tuple(Page(n, 595, 842, s, e) for n, (s, e) in enumerate(zip(heads, ends, strict=True), 1))
    new = replace(made, pages=pages)

    assert told(lines(TENDER), new) == []


def test_parties_that_change_places_in_a_print_are_a_change() -> None:
    """Letters in another order are a matter of layout in tables only."""
    words = "3.3 违约金由甲方支付给乙方，并于十日内付清。"
    new = lines(words.replace("甲方支付给乙方", "乙方支付给甲方"), pages=True)

    assert [kind for kind, _, _ in told(lines(words), new)] == ["changed"]


def test_a_new_section_is_one_change_with_its_heading() -> None:
    parts = [("第四章 样品", True), ("投标人须递交样品两套。", False), ("样品于公示后退还。", False)]
    base = _titled([(line, line.startswith("第")) for line in TENDER.strip().split("\n")])
    new = _titled([*((line, line.startswith("第")) for line in TENDER.strip().split("\n")), *parts])

    assert told(base, new) == [("added", None, "\n".join(words for words, _ in parts))]


def test_many_pages_against_many_take_seconds_and_little_memory() -> None:
    """300 pages of 900 characters, every sentence of every tenth clause reworded."""
    clauses = [
        f"{at}.1 第{at}项要求：投标人应当按照采购人第{at * 7}号清单完成编号为{at * 13}的交付内容并提交记录。"
        for at in range(1, 6500)
    ]
    base, new = lines("\n".join(clauses)), lines("\n".join(
        line.replace("提交记录", "提交书面报告") if at % 10 == 0 else line for at, line in enumerate(clauses)
    ))  # fmt: skip
    started = time.process_time()

    found = changes_of(base, new)

    assert len(base.text) > 250_000
    assert len(found) == 650
    assert time.process_time() - started < 20


_LETTERS = "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工"


@st.composite
def _edits(draw: st.DrawFn) -> tuple[list[str], list[str], set[str], set[str]]:
    """A tender's sentences, those of its new version, and which went and came."""
    word = st.text(alphabet=_LETTERS, min_size=16, max_size=40)
    pool = draw(st.lists(word, min_size=12, max_size=30, unique=True))
    sentences = [f"{words}第{at}条。" for at, words in enumerate(pool)]
    split = draw(st.integers(min_value=6, max_value=len(sentences) - 2))
    old, spare = sentences[:split], sentences[split:]
    gone = set(draw(st.lists(st.sampled_from(old), max_size=3, unique=True)))
    came = draw(st.lists(st.sampled_from(spare), max_size=3, unique=True))
    new = [one for one in old if one not in gone]
    for one in came:
        new.insert(draw(st.integers(0, len(new))), one)
    return old, new, gone, set(came)


@given(_edits())
@settings(max_examples=150, deadline=None, derandomize=True, database=None)
def test_every_edit_is_told_once_and_nothing_else(
    edits: tuple[list[str], list[str], set[str], set[str]],
) -> None:
    """Whatever went or came is in one change, and every change is made of that alone."""
    old, new, gone, came = edits
    base, other = lines("\n".join(old)), lines("\n".join(new))
    found = told(base, other)

    before = [words for _, words, _ in found if words is not None]
    after = [words for _, _, words in found if words is not None]
    assert sorted(_sentences(before)) == sorted(gone)
    assert sorted(_sentences(after)) == sorted(came)
    assert not any(kind == "moved" for kind, _, _ in found)


def _sentences(quotes: Sequence[str]) -> list[str]:
    return [line for quote in quotes for line in quote.split("\n")]


def _titled(parts: Sequence[tuple[str, bool]]) -> Document:
    blocks: list[Any] = []
    at = 0
    for words, is_title in parts:
        kind = BlockKind.HEADING if is_title else BlockKind.PARAGRAPH
        blocks.append(Block(at, at + len(words), kind, level=1 if is_title else None))
        at += len(words) + 1
    return Document("\n".join(words for words, _ in parts), tuple(blocks))
