"""A notice against its base: what it changes, where that stands, and what follows from it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from backend.app.bidding.analysis import analyse_with_rules
from backend.app.bidding.comparison.compare import BaseTask, compare
from backend.app.bidding.comparison.markdown import markdown
from backend.app.bidding.comparison.statements import read_statements
from backend.app.bidding.report import DocumentSource, build_report
from backend.app.documents.canonical import Document
from backend.tests.unit.bidding_text import lines, mixed

HEAD = """第一章 招标公告
项目编号：BH-2031-07
项目名称：滨河市智慧档案馆软件开发项目
采购人：滨河市档案馆
根据《中华人民共和国政府采购法》，本项目采用公开招标方式，资金来源为财政资金。
预算金额：120万元
投标截止时间：2031年3月10日9时30分（北京时间）
开标时间：2031年3月10日9时30分
投标保证金：2万元
第二章 资格要求
2.1 ★投标人须具有信息系统建设和服务能力CS2级及以上证书，否则投标无效。
2.2 投标人须为所有拟派人员缴纳社会保险。
第三章 技术要求
3.1 系统应支持不少于500个并发用户。
3.2 交换机端口速率不低于千兆。
"""
TENDER = HEAD + "\n".join(
    f"4.{at} 第{at}类档案的整理、著录与挂接应符合国家档案局的有关规定。" for at in range(1, 40)
)
BASE = lines(TENDER)
TITLE = "滨河市智慧档案馆软件开发项目更正公告\n"


def compared(new: Document, base: Document = BASE) -> dict[str, Any]:
    source = DocumentSource("招标文件.docx", "1" * 64)
    result = build_report(base, analyse_with_rules(base), source=source)
    task = BaseTask(7, base, "2" * 64, source, result)
    found = compare(task, new, DocumentSource("更正公告.docx", "3" * 64), {"calls": 0})
    _check_quotes(found, base, new)
    return found


def test_a_new_version_that_shares_nothing_is_rather_another_tender() -> None:
    other = "".join(f"{n}.1 承包人应当按照图纸第{n}张施工并经监理人验收。\n" for n in range(1, 60))

    assert compared(lines(other))["summary"].startswith("【注意】两份文件几乎没有相同的内容")
    assert "【注意】" not in compared(lines(BASE.text + "\n9.9 另须提交承诺书。"))["summary"]


def _check_quotes(found: dict[str, Any], base: Document, new: Document) -> None:
    """The law of the house, on both sides."""
    sides = (("before", base), ("after", new))
    told = [*found["facts"], *found["calendar"]]
    sources = [(document, change[side]) for change in found["changes"] for side, document in sides]
    sources += [(document, one[side]["source"]) for one in told for side, document in sides if one[side]]
    for document, source in sources:
        if source is not None:
            assert document.text[source["start"] : source["end"]] == source["excerpt"]


def shown(found: dict[str, Any]) -> list[tuple[str, str | None, str | None]]:
    def words(source: dict[str, Any] | None) -> str | None:
        return source["excerpt"] if source is not None else None

    return [(change["type"], words(change["before"]), words(change["after"])) for change in found["changes"]]


def test_old_and_new_words_of_a_deadline_are_a_postponed_fact_and_a_date() -> None:
    notice = "1、原投标截止时间：2031年3月10日9时30分，现修改为：2031年3月24日9时30分。"

    found = compared(lines(TITLE + notice))

    assert found["kind"] == "amendment"
    assert shown(found) == [("changed", "2031年3月10日9时30分", "2031年3月24日9时30分")]
    (change,) = found["changes"]
    assert (change["severity"], change["grounding"]) == ("high", "exact")
    assert change["touches"]["facts"] == ["bid_deadline"]
    assert change["touches"]["items"]
    (fact,) = found["facts"]
    assert (fact["before"]["value"], fact["after"]["value"], fact["verdict"]) == (
        "2031-03-10T09:30",
        "2031-03-24T09:30",
        "postponed",
    )
    assert [(one["milestone"], one["after"]["date"]) for one in found["calendar"]] == [
        ("投标截止时间", "2031-03-24T09:30")
    ]


def test_a_deadline_that_is_only_postponed_is_compared_with_the_base_own() -> None:
    found = compared(lines(TITLE + "投标截止时间及开标时间延期至2031年3月28日14时00分。"))

    assert {fact["name"]: fact["after"]["value"] for fact in found["facts"]} == {
        "bid_deadline": "2031-03-28T14:00",
        "opening_time": "2031-03-28T14:00",
    }
    assert found["changes"][0]["grounding"] == "fact"


def test_a_quote_is_looked_for_in_the_clause_that_is_named() -> None:
    """千兆 alone is too short to be looked for in a whole tender."""
    found = compared(lines(TITLE + "将第3.2条中的“千兆”修改为“万兆”。"))

    assert shown(found) == [("changed", "千兆", "万兆")]
    start = found["changes"][0]["before"]["start"]
    assert BASE.text[:start].endswith("交换机端口速率不低于")


def test_a_deleted_mandatory_clause_weighs_much() -> None:
    found = compared(lines(TITLE + "删除第2.1条。"))

    ((kind, before, _),) = shown(found)
    assert kind == "removed"
    assert before is not None
    assert before.startswith("2.1 ★投标人须具有")
    assert (found["changes"][0]["severity"], found["changes"][0]["grounding"]) == ("high", "reference")


def test_a_quote_that_the_base_does_not_hold_is_said_to_be_missing() -> None:
    """Nothing is made up: no place, a note, and a gap that counts it."""
    found = compared(lines(TITLE + "将“质保期不少于五年”修改为“质保期不少于三年”。"))

    (change,) = found["changes"]
    assert change["before"] is None
    assert "未在基准文件中找到" in change["note"]
    assert [gap["part"] for gap in found["gaps"]] == ["before"]


def test_a_table_of_old_and_new_words_is_read_row_by_row() -> None:
    rows = [
        ("序号", "更正事项", "更正前", "更正后"),
        ("1", "预算金额", "120万元", "110万元"),
        ("2", "资格要求", "投标人须为所有拟派人员缴纳社会保险", "删除"),
        ("3", "其他要求", "/", "投标人须提供驻场服务承诺函"),
    ]

    found = compared(mixed([TITLE, rows]))

    assert [one[:2] for one in shown(found)] == [
        ("changed", "120万元"),
        ("removed", "投标人须为所有拟派人员缴纳社会保险"),
        ("added", None),
    ]
    assert found["changes"][2]["after"]["excerpt"] == "投标人须提供驻场服务承诺函"
    assert [(fact["name"], fact["after"]["value"], fact["verdict"]) for fact in found["facts"]] == [
        ("budget", 1100000, "lowered")
    ]


def test_heads_before_and_after_hold_the_passages_below_them() -> None:
    notice = "更正前：\n3.1 系统应支持不少于500个并发用户。\n更正后：\n系统应支持不少于800个并发用户。"

    found = compared(lines(TITLE + notice))

    assert shown(found) == [("changed", "3.1 系统应支持不少于500个并发用户", "系统应支持不少于800个并发用户")]


def test_questions_are_kept_with_their_answers_even_when_nothing_changes() -> None:
    notice = "问题1：演示是否需要现场进行？\n答复：可以远程进行。\n问：能否分包？答：不允许分包。"

    found = compared(lines(TITLE.replace("更正公告", "答疑文件") + notice))

    assert shown(found) == [("clarified", None, "可以远程进行"), ("clarified", None, "不允许分包")]
    assert {change["severity"] for change in found["changes"]} == {"medium"}


def test_an_answer_that_replaces_words_is_a_change() -> None:
    notice = "问题1：第3.2条中的“千兆”是否有误？\n答复：有误，将“千兆”修改为“万兆”。"

    found = compared(lines(TITLE + notice))

    assert shown(found) == [("changed", "千兆", "万兆")]


def test_old_words_of_a_notice_are_no_facts_of_it() -> None:
    """The analyser would take the first deadline that it meets."""
    notice = "更正前：投标截止时间：2031年3月10日9时30分\n更正后：投标截止时间：2031年3月17日9时30分"

    found = compared(lines(TITLE + notice))

    assert [fact["after"]["value"] for fact in found["facts"]] == ["2031-03-17T09:30"]


@pytest.mark.parametrize(
    ("issued", "verdict"),
    [
        ("2031年3月12日", "warning"),
        ("2031年3月6日", "warning"),
        ("2031年3月5日", "unknown"),
        ("2031年3月2日", "unknown"),
        ("", "unknown"),
    ],
    ids=["late", "a day late", "on the last day", "in time", "not said"],
)
def test_the_period_before_the_deadline_is_a_hint(issued: str, verdict: str) -> None:
    notice = f"原投标截止时间：2031年3月10日9时30分，现修改为：2031年3月20日9时30分。\n滨河市档案馆\n{issued}"

    (check,) = compared(lines(TITLE + notice))["compliance"]

    assert (check["rule"], check["verdict"]) == ("amendment_period", verdict)
    assert "第三十一条" in check["law"]
    assert check["to_check"]
    assert {one["document"] for one in check["evidence"]} == {"new"}


def test_a_full_new_version_is_a_revision_whatever_it_calls_itself() -> None:
    """Re-issued tenders carry 更正 in their title and 修改为 in their text."""
    new = lines(
        f"（更正公告）\n{TENDER}".replace("120万元", "130万元").replace("3.2 交换机", "3.2 修改为交换机")
    )

    found = compared(new)

    assert found["kind"] == "revision"
    assert [(fact["name"], fact["verdict"]) for fact in found["facts"]] == [("budget", "raised")]


def test_a_fact_whose_quotes_nobody_touched_is_not_told() -> None:
    found = compared(lines(TENDER.replace("第三章 技术要求", "第三章 技术需求说明")))

    assert found["facts"] == []


def test_a_notice_made_of_one_word_is_read_in_linear_time() -> None:
    """A regular expression holds the interpreter's lock: a slow one would let leases run out."""
    hostile = lines(TITLE + "由" * 20_000 + "为")

    began = time.process_time()
    read_statements(hostile)

    assert time.process_time() - began < 3


def test_what_stays_the_same_is_no_statement() -> None:
    assert read_statements(lines(TITLE + "其他内容不变。\n特此公告。\n联系人：王工")) == []


def test_the_page_shows_what_went_and_what_came() -> None:
    page = markdown(compared(lines(TITLE + "预算金额由120万元调整为110万元。")))

    assert "~~120~~" in page
    assert "**110**" in page
    assert "| 预算金额（元） |" in page
