"""A result as Markdown (GitHub's tables), for the command line, for chats and for other programs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backend.app.bidding.exports.calendar_rows import moments
from backend.app.bidding.exports.report_view import ReportView
from backend.app.bidding.exports.responses import Response, checklist, deviations
from backend.app.bidding.exports.scores import expected_of, expects, lots_of, points_of, total
from backend.app.bidding.exports.wording import (
    EMPTY,
    PRIORITIES,
    VERDICTS,
    known_as,
    legal,
    match_of,
    number,
    place_of,
    review_of,
    spoken,
)

_SIGNS = re.compile(r"([\\`*_\[\]<>|~&$@])")
# What begins a heading, a list or a rule at the start of a line: "# ", "- ", "1. ".
_HEAD = re.compile(r"^(?:(\d{1,9})(?=[.)](?:\s|$))|(?=[#+=-]))")


def render_markdown(view: ReportView) -> str:
    """The page, ending with a newline."""
    return "\n".join(_lines(view)) + "\n"


def _lines(view: ReportView) -> Iterator[str]:
    _, word, reason = view.verdict()
    yield f"# 标书分析：{one_line(view.origin.filename)}"
    yield ""
    for title, value in view.meta():
        yield f"- {title}：{one_line(value)}"
    yield ""
    yield f"**结论：{one_line(word)}** {one_line(reason)}"
    yield ""
    if grounds := view.grounds():
        yield f"依据：{one_line(grounds)}"
        yield ""
    for notice in view.notices():
        yield f"> **须知** {one_line(notice)}"
        yield ">"
    yield ""
    for line in legal(view.result.get("summary") or "").split("\n"):
        yield one_line(line)
        yield ""
    yield from _table(
        "关键信息",
        ("项目", "内容", "原文", "位置"),
        [(fact.title, fact.value, fact.text, fact.place) for fact in view.facts()],
    )
    yield from _compliance(view.result.get("compliance") or ())
    for tab in view.tabs:
        yield from _tab(view, tab)
    yield from _forms(view)


def _compliance(checks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    rows = []
    for check in checks:
        quotes = [
            legal(source.get("excerpt") or "") + (f"（{place}）" if (place := place_of(source)) else "")
            for source in check.get("evidence") or ()
        ]
        verdict = known_as(VERDICTS, check.get("verdict"))
        law = legal(check.get("law") or "")
        rows.append(
            (verdict, legal(check["title"]), spoken(check.get("detail") or ""), law, "\n".join(quotes))
        )
    yield from _table(f"合规检查（{len(rows)}）", ("结论", "检查项", "说明", "法规依据", "原文"), rows)


def _tab(view: ReportView, tab: Mapping[str, Any]) -> Iterator[str]:
    items: Sequence[Mapping[str, Any]] = tab["items"]
    yield f"## {one_line(tab['title'])}（{len(items)}）"
    yield ""
    if tab["id"] == "scoring_items" and items:
        yield from _scores(items)
    if tab["id"] == "bid_timeline":
        rows = [(m.written, m.title, "\n".join(q.text for q in m.quotes), m.review) for m in moments(view)]
        yield from _table("", ("时间", "事项", "原文", "核对"), rows)
    if not items:
        yield EMPTY
    for place, item in enumerate(items, 1):
        yield from _item(place, item)
    yield ""


def _item(place: int, item: Mapping[str, Any]) -> Iterator[str]:
    where = place_of(item)
    state, note = review_of(item)
    lot = f"〔标段 {one_line(item['lot'])}〕" if item.get("lot") else ""
    yield f"{place}. **[{known_as(PRIORITIES, item.get('priority'))}] {one_line(item['title'])}**{lot}" + (
        f"（{one_line(where)}）" if where else ""
    )
    for line in legal(item.get("source_excerpt") or "").split("\n"):
        yield f"   > {one_line(line)}"
    yield ""
    said = (
        ("时间", spoken(item.get("date") or "")),
        ("为何重要", item.get("why_important")),
        ("建议", item.get("guidance")),
        ("匹配", match_of(item)),
        ("核对", (state if state != "待核对" else "") + (f"：{note}" if note else "")),
    )
    for title, text in said:
        if text:
            yield f"   - {title}：{one_line(text.removeprefix('：'))}"


def _scores(items: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    rows = [
        [str(n), legal(item["title"]), legal(item.get("lot") or ""), number(points), _expected(item)]
        for n, item in enumerate(items, 1)
        if (points := points_of(item)) is not None
    ]
    for lot in lots_of(items):
        mine = [item for item in items if str(item.get("lot")) == lot]
        rows.append(["", f"标段 {legal(lot)} 合计", legal(lot), number(total(mine)), ""])
    rows.append(["", "合计", "", number(total(items)), ""])
    columns = ("序号", "评分项", "标段", "分值", "预估得分")
    width = len(columns) if expects(items) else len(columns) - 1
    yield from _table("", columns[:width], [row[:width] for row in rows])


def _expected(item: Mapping[str, Any]) -> str:
    expected = expected_of(item)
    return expected if isinstance(expected, str) else number(expected)


def _forms(view: ReportView) -> Iterator[str]:
    rows = [
        (str(n), r.shown, r.place, "□ 已响应 □ 需澄清", "", r.remark)
        for n, r in enumerate(checklist(view), 1)
    ]
    columns = ("序号", "要求原文", "位置", "响应情况", "责任人", "备注")
    yield from _table(f"废标项响应清单（{len(rows)}）", columns, rows)
    for title, answers in zip(("商务偏离表", "技术偏离表"), deviations(view), strict=True):
        yield from _deviations(title, answers)


def _deviations(title: str, answers: Sequence[Response]) -> Iterator[str]:
    columns = ("序号", "招标文件条款号/页", "招标文件要求（原文）", "投标响应", "偏离说明")
    rows = [(str(n), r.clause, r.shown, "", "") for n, r in enumerate(answers, 1)]
    yield from _table(f"{title}（{len(rows)}）", columns, rows)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if title:
        yield f"## {one_line(title)}"
        yield ""
    if rows:
        yield f"| {' | '.join(columns)} |"
        yield "|" + "---|" * len(columns)
        for row in rows:
            yield f"| {' | '.join(_cell(text) for text in row)} |"
    elif title:
        yield EMPTY
    yield ""


def one_line(text: object) -> str:
    """One line, and nothing in it that Markdown, HTML or a formula renderer would take for its own."""
    line = _SIGNS.sub(r"\\\1", " ".join(legal(text).split()))
    return _HEAD.sub(r"\1\\", line, count=1)


def _cell(text: str) -> str:
    """A table's cell: its line ends as <br>, the only HTML that is not from the document."""
    return "<br>".join(_SIGNS.sub(r"\\\1", " ".join(line.split())) for line in legal(text).split("\n"))
