"""The result's JSON: its shape, its quotes, its summary and its Markdown."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from backend.app.bidding.amounts import yuan
from backend.app.bidding.findings import (
    FACTS,
    Analysis,
    ComplianceCheck,
    Fact,
    Finding,
    Priority,
    Regime,
    Span,
    Tab,
    Verdict,
)
from backend.app.bidding.report import DocumentSource, build_report
from backend.app.bidding.rules.lots import Lot
from backend.app.documents.canonical import Block, BlockKind, Document, Page

TEXT = (
    "第一章 公告\n项目名称：绿化养护\n预算金额：120万元\n投标文件未密封的，拒收。\n2031年3月21日9时30分截止"
)
SOURCE = DocumentSource("招标文件.pdf", "ab" * 32)
TOP = {"summary", "verdict", "facts", "tabs", "compliance", "lots", "gaps", "document", "engine", "usage"}


def document(*, boxes: bool = False) -> Document:
    block = Block(0, len(TEXT), BlockKind.PARAGRAPH, page=1, path=("第一章 公告", "一、概况"))
    places = array("H", [1000, 2000, 3000, 4000] * len(TEXT)) if boxes else array("H")
    return Document(TEXT, (block,), (Page(1, 595, 842, 0, len(TEXT)),), places)


def span(words: str) -> Span:
    return Span(TEXT.index(words), TEXT.index(words) + len(words))


def analysis() -> Analysis:
    hard = Finding(
        Tab.HARD_REQUIREMENTS,
        "密封",
        span("投标文件未密封的，拒收"),
        Priority.CRITICAL,
        "会被拒收。",
        "密封。",
    )
    when = Finding(
        Tab.BID_TIMELINE,
        "截止",
        span("2031年3月21日9时30分截止"),
        Priority.CRITICAL,
        milestone="投标截止/递交时间",
        date="2031-03-21T09:30",
        date_text="2031年3月21日9时30分",
    )
    facts = dict.fromkeys(FACTS) | {
        "project_name": Fact("绿化养护", "绿化养护", span("项目名称：绿化养护")),
        "budget": Fact(1_200_000, "120万元", span("预算金额：120万元")),
        "bid_bond": Fact(0, "不收取", span("120万元")),
        "consortium_allowed": Fact(False, "否", span("公告")),
    }
    checks = (ComplianceCheck("bid_period", Verdict.WARNING, "期限", "偏短。", "", (span("9时30分"),)),)
    return Analysis(facts, (hard, when), checks, Regime.UNKNOWN)


def excerpts(part: Any) -> Iterator[tuple[str, int, int]]:
    """Every quote anywhere in the result with its offsets."""
    if isinstance(part, dict):
        if "excerpt" in part:
            yield part["excerpt"], part["start"], part["end"]
        if "source_excerpt" in part:
            yield part["source_excerpt"], part["source_start"], part["source_end"]
        for value in part.values():
            yield from excerpts(value)
    elif isinstance(part, list):
        for value in part:
            yield from excerpts(value)


def test_every_excerpt_anywhere_is_cut_from_the_text_at_its_offsets() -> None:
    quotes = list(excerpts(build_report(document(), analysis(), source=SOURCE)))

    assert len(quotes) == 7
    assert all(TEXT[start:end] == quote for quote, start, end in quotes)


def test_the_result_has_the_parts_of_the_api_and_survives_json() -> None:
    report = build_report(document(), analysis(), source=SOURCE)

    assert set(report) == TOP
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert [tab["id"] for tab in report["tabs"]] == [tab.value for tab in Tab]
    assert list(report["facts"]) == list(FACTS)
    assert report["facts"]["agency"] is None
    assert report["document"] == {
        "filename": "招标文件.pdf",
        "sha256": "ab" * 32,
        "pages": 1,
        "chars": len(TEXT),
        "ocr_pages": [],
        "warnings": [],
    }
    assert report["engine"] == {
        "mode": "rules",
        "provider": None,
        "model": None,
        "prompt_version": None,
        "ungrounded_dropped": 0,
    }
    assert set(report["usage"]) == {
        "calls",
        "reused_calls",
        "in_doubt_calls",
        "prompt_tokens",
        "response_tokens",
        "cost",
    }


def test_all_six_tabs_are_there_even_when_nothing_was_found() -> None:
    report = build_report(document(), Analysis({}, ()), source=SOURCE)

    assert [tab["items"] for tab in report["tabs"]] == [[]] * 6
    assert report["verdict"]["level"] == "ok"


def test_items_carry_page_path_review_and_what_their_tab_adds() -> None:
    report = build_report(document(), analysis(), source=SOURCE)
    hard, when = report["tabs"][0]["items"][0], report["tabs"][5]["items"][0]

    assert hard["page"] == 1
    assert hard["path"] == "第一章 公告 > 一、概况"
    assert hard["review"] == {"state": "open", "note": None, "by": None, "at": None}
    assert hard["rects"] == []
    assert "lot" not in hard
    assert "milestone" not in hard
    assert (when["milestone"], when["date"]) == ("投标截止/递交时间", "2031-03-21T09:30")


def test_boxes_of_a_pdf_come_as_fractions_of_the_page() -> None:
    report = build_report(document(boxes=True), analysis(), source=SOURCE)
    rect = report["tabs"][0]["items"][0]["rects"][0]

    assert rect["page"] == 1
    assert all(0 <= rect[key] <= 1 for key in ("x", "y", "w", "h"))


def test_ids_are_the_same_in_every_run_and_differ_within_one() -> None:
    twice = replace(analysis(), findings=analysis().findings[:1] * 2)
    first = build_report(document(), twice, source=SOURCE)
    second = build_report(document(), twice, source=SOURCE)
    ids = [item["id"] for item in first["tabs"][0]["items"]]

    assert len(set(ids)) == 2
    assert ids == [item["id"] for item in second["tabs"][0]["items"]]
    assert first["verdict"]["items"] == second["verdict"]["items"]


@pytest.mark.parametrize(
    ("verdict", "level"),
    [(Verdict.VIOLATION, "high_risk"), (Verdict.WARNING, "caution"), (Verdict.PASS, "ok")],
)
def test_the_verdict_follows_the_worst_check(verdict: Verdict, level: str) -> None:
    checks = (ComplianceCheck("r", verdict, "检查", "说明。"),)
    report = build_report(document(), Analysis({}, (), checks), source=SOURCE)

    assert report["verdict"]["level"] == level


def test_the_verdict_names_findings_that_exist() -> None:
    report = build_report(document(), analysis(), source=SOURCE)
    ids = {item["id"] for tab in report["tabs"] for item in tab["items"]}

    assert report["verdict"]["items"]
    assert set(report["verdict"]["items"]) <= ids


def test_a_span_outside_the_text_is_refused() -> None:
    broken = Analysis({"agency": Fact("x", "x", Span(5, len(TEXT) + 1))}, ())

    with pytest.raises(ValueError, match="outside"):
        build_report(document(), broken, source=SOURCE)


def test_the_summary_says_only_what_the_facts_say() -> None:
    summary = build_report(document(), analysis(), source=SOURCE)["summary"]

    assert "绿化养护" in summary
    assert "预算 120 万元" in summary
    assert "投标保证金 不收取" in summary
    assert "不接受联合体" in summary
    assert "未写明】投标截止时间" in summary
    assert "代理机构" not in summary
    assert "None" not in summary


def test_a_summary_names_what_was_not_read() -> None:
    """It is what people read first, and often all they read."""
    gaps = tuple({"part": f"第 {n} 页", "reason": "未识别"} for n in range(1, 6))

    whole = build_report(document(), analysis(), source=SOURCE)["summary"]
    partly = build_report(document(), replace(analysis(), gaps=gaps), source=SOURCE)["summary"]

    assert "未能分析" not in whole
    assert partly.splitlines()[-1] == "【未能分析】第 1 页、第 2 页、第 3 页 等 5 处，请人工阅读。"


def test_lots_are_shown_with_their_words() -> None:
    with_lots = replace(analysis(), extra={"lots": (Lot("1", "东区", span("绿化养护")),)})

    nothing_of_its_own = dict.fromkeys(("budget", "price_ceiling", "bid_bond", "score_total"))
    assert build_report(document(), with_lots, source=SOURCE)["lots"] == [
        {"id": "1", "name": "东区", "text": "绿化养护"} | nothing_of_its_own
    ]


def test_a_source_names_the_page_and_the_headings_above_it() -> None:
    report = build_report(document(), analysis(), source=SOURCE)
    source = report["facts"]["budget"]["source"]

    assert (source["page"], source["path"]) == (1, "第一章 公告 > 一、概况")
    assert report["compliance"][0]["evidence"][0]["path"] == "第一章 公告 > 一、概况"


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (10_787_900, "1,078.79 万元"),
        (1_500, "1,500 元"),
        (0.5, "0.5 元"),
        (100_000, "10 万元"),
        (48_000, "4.8 万元"),
    ],
)
def test_amounts_are_written_as_people_read_them(amount: float, words: str) -> None:
    assert yuan(amount) == words
