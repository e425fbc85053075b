"""A result as a workbook to be worked on: one sheet a tab, filters, lists to choose from, real dates."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from xlsxwriter.utility import xl_col_to_name

from backend.app.bidding.exports.calendar_rows import moments, parsed
from backend.app.bidding.exports.excel_parts import Book, Column, Look, Styled, fill, height, write
from backend.app.bidding.exports.report_view import FactRow, ReportView
from backend.app.bidding.exports.responses import DEVIATIONS, checklist, deviations
from backend.app.bidding.exports.scores import expected_of, expects, lots_of, points_of, total
from backend.app.bidding.exports.wording import (
    EMPTY,
    PRIORITIES,
    REVIEWS,
    VERDICTS,
    known_as,
    legal,
    match_of,
    number,
    place_of,
    review_of,
    spoken,
)

_TITLE = Look(bold=True, fill="F4F6F9")
_GREY = Look(ink="666E79")
_LEVELS = {
    "ok": Look(bold=True, ink="1E6B34", fill="E3F3E6"),
    "caution": Look(bold=True, ink="8A5A00", fill="FFF3D6"),
    "high_risk": Look(bold=True, ink="B3261E", fill="FBE3E1"),
}
_VERDICTS = {
    "violation": Look(bold=True, ink="B3261E"),
    "warning": Look(bold=True, ink="8A5A00"),
    "pass": Look(ink="1E6B34"),
}
_PRIORITIES = {"critical": Look(bold=True, ink="B3261E"), "high": Look(ink="8A5A00")}
_STATES = tuple(REVIEWS.values())
_ANSWERS = ("已响应", "未响应", "需澄清", "不适用")
_OVERVIEW = (Column("项目", 18), Column("内容", 36), Column("原文", 50), Column("位置", 30))
_OVERVIEW_WIDTH = sum(column.width for column in _OVERVIEW[1:])
_SCORING, _TIMELINE = "scoring_items", "bid_timeline"
Item = Mapping[str, Any]


def render_xlsx(view: ReportView) -> bytes:
    """The workbook's bytes."""
    buffer = io.BytesIO()
    book = Book.into(buffer, title=f"{view.project} 招标文件分析", made_at=view.origin.made_at)
    _overview(book, view)
    _compliance(book, view.result.get("compliance") or ())
    for tab in view.tabs:
        if tab["id"] == _TIMELINE:
            _calendar(book, view, tab)
        else:
            _tab(book, tab)
    _checklist(book, view)
    _deviations(book, view)
    book.workbook.close()
    return buffer.getvalue()


def _overview(book: Book, view: ReportView) -> None:
    """Head, verdict, notices and summary in two columns, then the facts."""
    sheet = book.sheet("概览")
    level, word, reason = view.verdict()
    rows: list[tuple[object, object]] = [("项目", Styled(view.project, Look(bold=True))), *view.meta()]
    rows.append(
        ("结论", Styled(f"{word}：{reason}" if reason else word, _LEVELS.get(level, Look(bold=True))))
    )
    if grounds := view.grounds():
        rows.append(("依据", grounds))
    rows += [("须知", Styled(notice, Look(ink="B3261E"))) for notice in view.notices()]
    rows.append(("摘要", legal(view.result.get("summary") or "")))
    for at, (title, value) in enumerate(rows):
        write(book, sheet, (at, 0), Styled(title, _TITLE))
        _merged(book, sheet, at, value)
    top = len(rows) + 1
    fill(
        book,
        sheet,
        _OVERVIEW,
        [
            (
                Styled(fact.title, _TITLE),
                _typed(view, fact) if fact.stated else Styled(fact.value, _GREY),
                fact.text,
                Styled(fact.place, _GREY),
            )
            for fact in view.facts()
        ],
        top=top,
    )
    sheet.freeze_panes(0, 0)  # the head of the facts stands too low to be frozen


def _merged(book: Book, sheet: Any, row: int, value: object) -> None:
    """A value over the other three columns; a merged row does not grow by itself, so its height is set."""
    look = value.look if isinstance(value, Styled) else Look()
    sheet.merge_range(row, 1, row, 3, "", book.look(look))
    write(book, sheet, (row, 1), value)
    sheet.set_row(row, height(value, _OVERVIEW_WIDTH))


def _typed(view: ReportView, fact: FactRow) -> object:
    """Amounts as numbers and times as dates, so that Excel can reckon with them; the rest in words."""
    value = view.result["facts"][fact.name]["value"]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and fact.value == number(value):
        return value
    when = parsed(value) if isinstance(value, str) else None
    return fact.value if when is None else when


def _compliance(book: Book, checks: Sequence[Item]) -> None:
    columns = [
        Column("序号", 6),
        Column("结论", 10),
        Column("检查项", 24),
        Column("说明", 34),
        Column("法规依据", 26),
        Column("原文", 50),
        Column("位置", 22),
    ]
    rows = []
    for n, check in enumerate(checks, 1):
        sources = check.get("evidence") or ()
        verdict = str(check.get("verdict"))
        rows.append(
            (
                n,
                Styled(known_as(VERDICTS, verdict), _VERDICTS.get(verdict, Look())),
                Styled(legal(check["title"]), Look(bold=True)),
                spoken(check.get("detail") or ""),
                legal(check.get("law") or ""),
                "\n".join(legal(source.get("excerpt") or "") for source in sources),
                Styled("\n".join(dict.fromkeys(filter(None, map(place_of, sources)))), _GREY),
            )
        )
    fill(book, book.sheet("合规检查"), columns, rows)


def _tab(book: Book, tab: Item) -> None:
    items: Sequence[Item] = tab["items"]
    sheet = book.sheet(str(tab["title"]))
    columns = _columns(items, scoring=tab["id"] == _SCORING)
    end = fill(book, sheet, columns, [_row(n, item, columns) for n, item in enumerate(items, 1)])
    if not items:
        sheet.write_string(1, 0, EMPTY)
    elif tab["id"] == _SCORING:
        _sums(book, sheet, columns, items, end)


def _columns(items: Sequence[Item], *, scoring: bool = False) -> list[Column]:
    """Columns that nobody filled for any item are left out: lots, the match, an expected score."""
    columns = [Column("序号", 6), Column("优先级", 8), Column("要点", 20)]
    columns += [Column("分值", 8)] if scoring else []
    columns += [Column("预估得分", 10)] if expects(items) else []
    columns += [Column("标段", 10)] if lots_of(items) else []
    columns += [Column("原文", 50), Column("位置", 22), Column("为何重要", 22), Column("建议", 24)]
    columns += [Column("匹配", 20)] if any(match_of(item) for item in items) else []
    return [*columns, Column("核对状态", 10, _STATES), Column("批注", 18)]


def _row(place: int, item: Item, columns: Sequence[Column]) -> list[object]:
    priority, (state, note) = str(item.get("priority")), review_of(item)
    cells: dict[str, object] = {
        "序号": place,
        "优先级": Styled(known_as(PRIORITIES, priority), _PRIORITIES.get(priority, Look())),
        "要点": Styled(legal(item["title"]), Look(bold=True)),
        "分值": points_of(item),
        "预估得分": expected_of(item),
        "标段": item.get("lot"),
        "原文": item.get("source_excerpt"),
        "位置": Styled(place_of(item), _GREY),
        "为何重要": item.get("why_important"),
        "建议": item.get("guidance"),
        "匹配": match_of(item),
        "核对状态": state,
        "批注": note,
    }
    return [cells[column.title] for column in columns]


def _sums(book: Book, sheet: Any, columns: Sequence[Column], items: Sequence[Item], end: int) -> None:
    """Live sums, an empty row below the table so that sorting and filtering leave them alone."""
    titles = [column.title for column in columns]
    at = titles.index("分值")
    points = xl_col_to_name(at)
    scored = f"{points}2:{points}{end}"
    look = Look(bold=True, fill="F4F6F9")
    for row, lot in enumerate([*lots_of(items), None], end + 1):
        mine = [item for item in items if lot is None or str(item.get("lot")) == lot]
        formula = f"=SUM({scored})"
        if lot is not None:
            lots = xl_col_to_name(titles.index("标段"))
            formula = f"=SUMIF({lots}2:{lots}{end},{lots}{row + 1},{scored})"
            write(book, sheet, (row, titles.index("标段")), Styled(lot, look))
        write(book, sheet, (row, at - 1), Styled("合计" if lot is None else "标段合计", look))
        sheet.write_formula(row, at, formula, book.look(look), total(mine))


def _calendar(book: Book, view: ReportView, tab: Item) -> None:
    """The moments in order, facts and items once each; then what has no date."""
    columns = [
        Column("序号", 6),
        Column("时间", 17),
        Column("事项", 20),
        Column("原文", 60),
        Column("位置", 26),
        Column("建议", 26),
        Column("核对", 14),
    ]
    rows: list[tuple[object, ...]] = [
        (
            moment.when,
            Styled(moment.title, Look(bold=True)),
            "\n".join(quote.text for quote in moment.quotes),
            Styled("\n".join(dict.fromkeys(quote.place for quote in moment.quotes if quote.place)), _GREY),
            moment.guidance,
            moment.review,
        )
        for moment in moments(view)
    ]
    rows += [_undated(item) for item in tab["items"] if parsed(item.get("date")) is None]
    sheet = book.sheet(str(tab["title"]))
    fill(book, sheet, columns, [(n, *row) for n, row in enumerate(rows, 1)])
    if not rows:
        sheet.write_string(1, 0, EMPTY)


def _undated(item: Item) -> tuple[object, ...]:
    state, note = review_of(item)
    return (
        Styled(legal(item.get("date_text") or "未写明日期"), _GREY),
        Styled(legal(item.get("milestone") or item["title"]), Look(bold=True)),
        item.get("source_excerpt"),
        Styled(place_of(item), _GREY),
        item.get("guidance"),
        f"{state}：{note}" if note else state,
    )


def _checklist(book: Book, view: ReportView) -> None:
    columns = [
        Column("序号", 6),
        Column("要求原文", 66),
        Column("位置", 28),
        Column("响应情况", 11, _ANSWERS),
        Column("责任人", 11),
        Column("备注", 24),
    ]
    rows = [(n, r.shown, Styled(r.place, _GREY), "", "", r.remark) for n, r in enumerate(checklist(view), 1)]
    fill(book, book.sheet("废标项响应清单"), columns, rows)


def _deviations(book: Book, view: ReportView) -> None:
    columns = [
        Column("序号", 6),
        Column("招标文件条款号/页", 28),
        Column("招标文件要求（原文）", 66),
        Column("投标响应", 36),
        Column("偏离说明", 12, DEVIATIONS),
    ]
    for title, rows in zip(("商务偏离表", "技术偏离表"), deviations(view), strict=True):
        fill(
            book,
            book.sheet(title),
            columns,
            [(n, Styled(r.clause, _GREY), r.shown, "", "") for n, r in enumerate(rows, 1)],
        )
