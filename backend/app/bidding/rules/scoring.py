"""Scoring tables: which tables score bids, their rows, each row's points and the sum."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from backend.app.bidding.findings import Span
from backend.app.bidding.rules.tables import CellText, Table
from backend.app.bidding.rules.zones import Zone

_HEADER_POINTS = re.compile(
    r"^(?:标准|最高|评分|评审|单项|满分|基本)?(?:分值|满分|分数|标准分|最高分|权重|配分"
    r"|分配)(?:值|区间|范围|设置)?(?:（[^）]{0,10}）)?$|^(?:满分|分值)(?:（分）|（%）)?$"
)
_HEADER_WORDS = re.compile(r"评[审分标价]|因素|项目|内容|标准|指标|细则|要求|办法|序号")
_NOT_BIDS = re.compile(r"考核|绩效|满意度|检查(?:表|评分|标准)|验收|巡检|扣分标准|月度|履约评价")
_SCORES_BIDS = re.compile(
    r"评分|评审|评标|打分|商务(?:部分|分)|技术(?:部分|分)|价格(?:部分|分)|综合评|分值|详细评"
)
_NAMED = re.compile(r"评分(?:表|标准|细则|办法)")
_HEADER_LENGTH = 20
_WEIGHT = re.compile(r"权重[^\d；。]{0,6}(\d{1,2}(?:\.\d+)?)%")
_ENOUGH = 3  # criteria that give points: a scoring table even without a column for them
_NUMBER = r"(\d{1,3}(?:\.\d{1,2})?)"
_POINTS_CELL = re.compile(
    rf"^(?:满分)?(?:[（(]?0(?:\.0)?分?[~～\-—–－至到]{{1,2}}{_NUMBER}分?[)）]?"
    rf"|{_NUMBER}分?[~～\-—–－至到]{{1,2}}0分?|[（(]?{_NUMBER}(?:分|%)?[)）]?)$"
)
_STATED = re.compile(
    rf"(?:满分|最高(?:得|可得|不超过|加)?|最多(?:得|可得|加)?|全部满足得|共计?|合计"
    rf"|累计(?:最高)?(?:得)?(?:不超过)?)(?:为)?{_NUMBER}分"
    rf"|^[^。；]{{0,50}}（(?:满分)?{_NUMBER}分）|0[-~～—–－至]{_NUMBER}分?"
)
_GIVEN = re.compile(rf"(?:得|计|加|为|有|的){_NUMBER}(?:[-~～—–－至](?:\d+(?:\.\d+)?))?(?:（含）)?分")
_GIVEN_RANGE = re.compile(r"(?<![\d.])0(?:\.0)?分?[~～\-—–－至]{1,2}\d{1,2}(?:\.\d+)?分")
_GIVES = re.compile(
    r"(?:得|加|扣|计(?!划)(?=\d|[^评]{0,3}\d))[^。；，]{0,6}\d+(?:\.\d+)?分|得标准分|0[-~～—–至]\d+分|满分\d|最高\d+分"
)
_LONGEST_NAME, _LEAST_NAME = 24, 4
_NUMBER_AHEAD = re.compile(r"^[（(]?[\d一二三四五六七八九十]{1,2}[）)、.．]")
_NAME_END = re.compile(r"[，。；：、（]|得(?:标准|\d|满)|的得")
_TOTAL_ROW = re.compile(r"^(?:合计|总计|总分|小计|合计得分|总得分)")
_REVIEW_PART = re.compile(
    r"(?:形式|资格(?:性)?|响应性|符合性|有效性|初步)(?:性)?\n?(?:评审|审查|检查)(?:\n?标准)?$"
)
_SCORED_PART = re.compile(r"分值|评分|基准价|偏差率|详细评审|得分|条款内容")
_COLUMN_NAME = re.compile(r"条款号|序号|评[审分标](?:因素|项目|内容)|项目|因素")
_NAMES_ITSELF = re.compile(r"[^（。；：]{2,24}（(?:满分)?\d{1,3}(?:\.\d+)?分）")
_DEDUCTS = re.compile(r"扣\d|扣分|考核")


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One scored criterion. `points`: the most it can give; None when the document leaves it blank."""

    name: str
    points: float | None
    criterion: CellText
    name_span: Span | None
    table: int
    lot: str | None = None  # of the table, where each lot has its own
    weight: float | None = None  # percent of the whole that the table's points count for, where it says so


def score_rows(tables: Iterable[Table]) -> list[ScoreRow]:
    """The rows of all tables that score bids, in order."""
    rows: list[ScoreRow] = []
    for table in tables:
        if _scores_bids(table):
            weight = _weight(table)
            rows.extend(replace(row, weight=weight) for row in _rows(table))
    return rows


def _weight(table: Table) -> float | None:
    """ "技术部分评审表（100分，权重30%）": from the line just above."""
    found = _WEIGHT.search(table.title.split("；")[-1])
    return float(found.group(1)) if found else None


def _scores_bids(table: Table) -> bool:
    near = "；".join(table.title.split("；")[-2:])
    if table.zone is Zone.CONTRACT or _NOT_BIDS.search(near):
        return False
    if table.zone is Zone.REQUIREMENTS and ("考核" in table.title or not _SCORES_BIDS.search(table.title)):
        return False
    cells = [cell for row in table.rows for cell in row]
    if any("~" in cell.compact and _is_points(cell) for cell in cells):
        return table.zone is not Zone.REQUIREMENTS
    head = "".join(cell.compact for row in table.rows[:2] for cell in row)
    short = [cell for row in table.rows[:2] for cell in row if len(cell.compact) <= _HEADER_LENGTH]
    # A criterion may well speak of 验收; what a table is about stands in its short cells.
    if any(_NOT_BIDS.search(cell.compact) for cell in short):
        return False
    gives = sum(len(_GIVEN.findall(cell.compact)) + len(_GIVEN_RANGE.findall(cell.compact)) for cell in cells)
    deducts = sum(len(_DEDUCTS.findall(cell.compact)) for cell in cells)
    if deducts > 2 * gives + 3:
        return False
    if _points_column(table) is not None:
        return _SCORES_BIDS.search(table.title + head) is not None or gives >= _ENOUGH
    return deducts < gives and gives >= (1 if _NAMED.search(near) else _ENOUGH)


def _points_column(table: Table) -> tuple[int, int] | None:
    """(header row, column) of the points; None when no header names them."""
    for row in table.rows[:4]:
        if not any(_HEADER_WORDS.search(c.compact) for c in row if len(c.compact) <= 20):
            continue
        for cell in row:
            if len(cell.compact) <= 16 and _HEADER_POINTS.match(cell.compact.replace("\n", "")):
                return cell.row, cell.col
    return None


def _rows(table: Table) -> list[ScoreRow]:
    column = _points_column(table)
    found: list[ScoreRow] = []
    names = _Names()
    pending: float | None = None
    reviews = False
    for cells in table.rows:
        if column is not None and cells[0].row <= column[0]:
            continue
        reviews = _reviews(cells, before=reviews)
        if reviews:
            continue  # 形式评审, 资格评审 …: passed or not, no points
        words = [
            c
            for c in cells
            if not _is_points(c) and not re.fullmatch(r"[\d.、]{1,4}|[一二三四五六七八九十]{1,2}", c.compact)
        ]
        if len(cells) == 1 and cells[0].col > 0 and (not found or (column is not None and pending is None)):
            continue  # the rest of a row that a page or table break cut off
        if not words or _TOTAL_ROW.match(words[0].compact) or _is_header(cells):
            continue
        if _COLUMN_NAME.fullmatch(words[0].compact):
            continue
        criterion = max(words, key=lambda c: (_GIVES.search(c.compact) is not None, len(c.compact)))
        labels = [c for c in words if c.col < criterion.col and len(c.compact) <= 60]
        name = names.of(labels, criterion)
        stated = next((c for c in cells if column is not None and c.col == column[1] and _is_points(c)), None)
        stated = stated or next((c for c in reversed(cells) if _is_points(c) and c.col != cells[0].col), None)
        points = _cell_points(stated) if stated is not None else None
        if points is None:
            points = (points_of(labels[-1].compact) if labels else None) or points_of(criterion.compact)
        if stated is None and points is None and column is not None:
            continue
        shared = stated is None and pending is not None
        found.append(ScoreRow(_short(name), None if shared else points, criterion, None, table.number))
        pending = None if stated is None or stated.rowspan < 2 else points
    return found


class _Names:
    """What the rows of one table are called: by the label beside the criterion, by the one that spans several
    rows, or by their own first words. Told of the rows in order."""

    def __init__(self) -> None:
        self._label: CellText | None = None
        self._last = ""
        self._labelled = False

    def of(self, labels: list[CellText], criterion: CellText) -> str:
        if labels:
            self._label, self._last, self._labelled = labels[-1], labels[-1].compact, True
            return self._last
        spans = self._label is not None and criterion.row < self._label.row + self._label.rowspan
        if spans and self._label is not None:
            return self._label.compact
        if not self._labelled or _NAMES_ITSELF.fullmatch(criterion.compact):
            self._last, self._labelled = criterion.compact, False
        return self._last


def _reviews(cells: tuple[CellText, ...], *, before: bool) -> bool:
    """Whether the row belongs to a part of the table that a bid passes or not; the part is named once."""
    for cell in cells[:2]:
        if _REVIEW_PART.match(cell.compact):
            return True
        if _SCORED_PART.search(cell.compact[:_HEADER_LENGTH]):
            return False
    return before


def _is_header(cells: tuple[CellText, ...]) -> bool:
    short = [c for c in cells if len(c.compact) <= 12]
    return len(short) == len(cells) > 1 and any(_HEADER_POINTS.match(c.compact) for c in cells)


def _is_points(cell: CellText) -> bool:
    return len(cell.compact) <= 10 and _POINTS_CELL.match(cell.compact) is not None


def _cell_points(cell: CellText) -> float | None:
    found = _POINTS_CELL.match(cell.compact)
    value = next((g for g in found.groups() if g), None) if found else None
    return float(value) if value and float(value) <= 100 else None


def points_of(text: str) -> float | None:
    """The most points a criterion can give, from its words."""
    stated = [float(g) for m in _STATED.finditer(text) for g in m.groups() if g]
    if stated:
        return max(v for v in stated) if max(stated) <= 100 else None
    given = [float(m.group(1)) for m in _GIVEN.finditer(text)]
    return max(given) if given and max(given) <= 100 else None


def _short(text: str) -> str:
    """A label as it is; of a whole criterion the first words, up to what they give."""
    words = re.sub(r"\s|（[\d.]+分）", "", text)
    if len(words) <= _LONGEST_NAME:
        return words
    words = _NUMBER_AHEAD.sub("", words)
    end = _NAME_END.search(words, _LEAST_NAME)
    return words[: min(_LONGEST_NAME, end.start() if end else _LONGEST_NAME)]
