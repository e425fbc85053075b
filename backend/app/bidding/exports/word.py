"""A result as a Word document that a bid manager prints, checks and fills in."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backend.app.bidding.exports.calendar_rows import Moment, moments
from backend.app.bidding.exports.report_view import ReportView
from backend.app.bidding.exports.responses import (
    CHECK_BOXES,
    DEVIATIONS,
    Response,
    checklist,
    deviations,
)
from backend.app.bidding.exports.scores import expected_of, expects, lots_of, points_of, total
from backend.app.bidding.exports.word_page import TEXT_WIDTH, blank
from backend.app.bidding.exports.word_parts import Cell, Column, Run, card, paragraph, table
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

_CLOSING = "以上内容依据招标文件生成，引文均可在原文中逐字核对；投标决定请以招标文件及其澄清、修改文件为准。"
_GREY, _RED = "666E79", "B3261E"
_LEVEL_FILLS = {"ok": "E3F3E6", "caution": "FFF3D6", "high_risk": "FBE3E1"}
_LEVEL_INKS = {"ok": "1E6B34", "caution": "8A5A00", "high_risk": _RED}
_VERDICT_INKS = {"violation": _RED, "warning": "8A5A00", "pass": "1E6B34"}
_PRIORITY_INKS = {"critical": _RED, "high": "8A5A00"}
_SCORING, _TIMELINE = "scoring_items", "bid_timeline"


def render_docx(view: ReportView) -> bytes:
    """The document's bytes."""
    document = blank(view.project, made_at=view.origin.made_at)
    body = document.element.body
    end = body[-1]  # the section's properties, which must stay the last
    for part in _parts(view):
        end.addprevious(part)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def _parts(view: ReportView) -> Iterator[Any]:
    yield paragraph([Run("招标文件分析报告")], style="Title", align="center")
    yield paragraph([Run(view.project, bold=True, size=12)], align="center")
    yield from _overview(view)
    yield from _compliance(view.result.get("compliance") or ())
    for tab in view.tabs:
        yield _heading(f"{legal(tab['title'])}（{len(tab['items'])} 条）")
        yield from _tab(view, tab)
    yield from _checklist(checklist(view))
    yield from _deviations(*deviations(view))
    # Word wants a paragraph between a table and the end of the body.
    yield _remark(_CLOSING)


def _heading(text: str, level: int = 1, *, new_page: bool = False) -> Any:
    return paragraph([Run(text)], style=f"Heading{level}", new_page=new_page)


def _remark(text: str) -> Any:
    return paragraph([Run(text)], style="Remark")


def _overview(view: ReportView) -> Iterator[Any]:
    pairs = [(Cell.of(title, fill="F4F6F9"), Cell.of(value)) for title, value in view.meta()]
    yield table([Column("", 3), Column("", 14)], pairs, TEXT_WIDTH)
    yield _heading("结论")
    yield card(_verdict(view), TEXT_WIDTH)
    if notices := view.notices():
        yield _heading("阅读前须知", 2)
        for notice in notices:
            yield paragraph([Run(f"• {notice}", color=_RED)])
    yield _heading("摘要")
    for line in legal(view.result.get("summary") or "").split("\n"):
        yield paragraph([Run(line)])
    yield _heading("项目信息")
    columns = [Column("项目", 3), Column("内容", 5), Column("原文", 6), Column("位置", 3)]
    yield table(
        columns,
        [
            (
                Cell.of(fact.title, bold=True),
                Cell(((Run(fact.value, color=None if fact.stated else _GREY),),)),
                Cell.of(fact.text),
                Cell(((Run(fact.place, color=_GREY),),)),
            )
            for fact in view.facts()
        ],
        TEXT_WIDTH,
    )


def _verdict(view: ReportView) -> Cell:
    level, word, reason = view.verdict()
    lines: list[tuple[Run, ...]] = [
        (Run(word, bold=True, color=_LEVEL_INKS.get(level), size=14),),
        (Run(reason, size=10.5),),
    ]
    if grounds := view.grounds():
        lines.append((Run(f"依据：{grounds}", color=_GREY),))
    return Cell(tuple(lines), fill=_LEVEL_FILLS.get(level, "F4F6F9"))


def _compliance(checks: Sequence[Mapping[str, Any]]) -> Iterator[Any]:
    yield _heading(f"合规检查（{len(checks)} 项）")
    if not checks:
        yield _remark("没有可执行的检查：文件中缺少所需的信息。")
        return
    columns = [Column("结论", 2), Column("检查项与说明", 6), Column("法规依据", 4), Column("原文与位置", 6)]
    yield table(columns, [_check(check) for check in checks], TEXT_WIDTH)


def _check(check: Mapping[str, Any]) -> tuple[Cell, ...]:
    verdict = str(check.get("verdict"))
    ink = _VERDICT_INKS.get(verdict)
    quotes: list[tuple[Run, ...]] = []
    for source in check.get("evidence") or ():
        quotes += _quote(source.get("excerpt") or "", place_of(source))
    return (
        Cell(((Run(known_as(VERDICTS, verdict), bold=True, color=ink),),), align="center"),
        Cell(((Run(legal(check["title"]), bold=True),), (Run(spoken(check.get("detail") or "")),))),
        Cell.of(legal(check.get("law") or "")),
        Cell(tuple(quotes)),
    )


def _quote(text: str, place: str) -> list[tuple[Run, ...]]:
    lines: list[tuple[Run, ...]] = [(Run(text),)]
    return [*lines, (Run(place, color=_GREY, size=8),)] if place else lines


def _tab(view: ReportView, tab: Mapping[str, Any]) -> Iterator[Any]:
    items: Sequence[Mapping[str, Any]] = tab["items"]
    if tab["id"] == _TIMELINE:
        yield from _calendar(moments(view))
    if not items:
        yield _remark(EMPTY)
        return
    if tab["id"] == _SCORING:
        yield _heading("分值表", 2)
        yield _scores(items)
        yield _heading("评分条款明细", 2)
    columns = [Column("序号", 2), Column("要点与建议", 6), Column("原文与位置", 8), Column("核对", 3)]
    yield table(columns, [_item(n, item) for n, item in enumerate(items, 1)], TEXT_WIDTH)


def _item(place: int, item: Mapping[str, Any]) -> tuple[Cell, ...]:
    priority = str(item.get("priority"))
    grade = Run(known_as(PRIORITIES, priority), bold=True, color=_PRIORITY_INKS.get(priority))
    about: list[tuple[Run, ...]] = [(Run(legal(item["title"]), bold=True),)]
    about += [
        (Run(f"{label}：{legal(item[key])}", color=color),)
        for label, key, color in (
            ("标段", "lot", None),
            ("时间", "date_text", None),
            ("为何重要", "why_important", None),
            ("建议", "guidance", _GREY),
        )
        if item.get(key)
    ]
    state, note = review_of(item)
    checked: list[tuple[Run, ...]] = [(Run(state),)]
    checked += [(Run(f"批注：{note}"),)] if note else []
    checked += [(Run(f"匹配：{match}"),)] if (match := match_of(item)) else []
    return (
        Cell(((Run(str(place)),), (grade,)), align="center"),
        Cell(tuple(about)),
        Cell(tuple(_quote(item.get("source_excerpt") or "", place_of(item)))),
        Cell(tuple(checked)),
    )


def _scores(items: Sequence[Mapping[str, Any]]) -> Any:
    """What has points, its sum, and the sum of each lot."""
    expected = expects(items)
    columns = [Column("序号", 2), Column("评分项", 9), Column("位置", 6), Column("分值", 2)]
    columns += [Column("预估得分", 3)] if expected else []
    scored = [(n, item) for n, item in enumerate(items, 1) if points_of(item) is not None]
    rows = [_score(n, item, with_expected=expected) for n, item in scored]
    rows += [
        _sum(f"标段 {legal(lot)} 合计", [i for _, i in scored if str(i.get("lot")) == lot], len(columns))
        for lot in lots_of(items)
    ]
    rows.append(_sum("合计", [item for _, item in scored], len(columns)))
    return table(columns, rows, TEXT_WIDTH)


def _score(place: int, item: Mapping[str, Any], *, with_expected: bool) -> list[Cell]:
    lot = f"（标段 {legal(item['lot'])}）" if item.get("lot") else ""
    cells = [
        Cell.of(place, align="center"),
        Cell.of(legal(item["title"]) + lot),
        Cell(((Run(place_of(item), color=_GREY),),)),
        Cell.of(number(points_of(item) or 0), align="right"),
    ]
    expected = expected_of(item)
    shown = expected if isinstance(expected, str) else number(expected)
    return [*cells, Cell.of(shown, align="right")] if with_expected else cells


def _sum(title: str, items: Sequence[Mapping[str, Any]], width: int) -> list[Cell]:
    cells = [Cell.of(""), Cell.of(title, bold=True), Cell.of("")]
    cells.append(Cell.of(number(total(items)), bold=True, align="right"))
    return cells + [Cell.of("")] * (width - len(cells))


def _calendar(rows: Sequence[Moment]) -> Iterator[Any]:
    if not rows:
        yield _remark("文件中没有写明具体日期的事项。")
        return
    yield _heading("日程（按时间）", 2)
    columns = [Column("时间", 4), Column("事项", 4), Column("原文与位置", 9)]
    yield table(
        columns,
        [
            (
                Cell.of(row.written, bold=True),
                Cell.of(row.title),
                Cell(tuple(line for quote in row.quotes for line in _quote(quote.text, quote.place))),
            )
            for row in rows
        ],
        TEXT_WIDTH,
    )
    yield _heading("时间条款明细", 2)


def _checklist(rows: Sequence[Response]) -> Iterator[Any]:
    yield _heading(f"废标项响应清单（{len(rows)} 条）", new_page=True)
    if not rows:
        yield _remark(EMPTY)
        return
    yield _remark("逐条响应并签注责任人；标记条款在前，其余按原文顺序。")
    columns = [
        Column("序号", 2),
        Column("要求原文", 14),
        Column("位置", 6),
        Column("响应情况", 5),
        Column("责任人", 4),
        Column("备注", 5),
    ]
    made = [
        (
            Cell.of(n, align="center"),
            Cell.of(row.shown),
            Cell(((Run(row.place, color=_GREY),),)),
            Cell.of(CHECK_BOXES),
            Cell.of(""),
            Cell.of(row.remark),
        )
        for n, row in enumerate(rows, 1)
    ]
    yield table(columns, made, TEXT_WIDTH)


def _deviations(commercial: Sequence[Response], technical: Sequence[Response]) -> Iterator[Any]:
    for title, rows in (("商务偏离表", commercial), ("技术偏离表", technical)):
        yield _heading(f"{title}（{len(rows)} 条）", new_page=bool(rows))
        if not rows:
            yield _remark(EMPTY)
            continue
        yield _remark(f"投标响应填写实际值；偏离说明在{'、'.join(DEVIATIONS)}中选填。")
        columns = [
            Column("序号", 2),
            Column("招标文件条款号/页", 6),
            Column("招标文件要求（原文）", 13),
            Column("投标响应", 8),
            Column("偏离说明", 5),
        ]
        made = [
            (
                Cell.of(n, align="center"),
                Cell.of(row.clause),
                Cell.of(row.shown),
                Cell.of(""),
                Cell.of(""),
            )
            for n, row in enumerate(rows, 1)
        ]
        yield table(columns, made, TEXT_WIDTH)
