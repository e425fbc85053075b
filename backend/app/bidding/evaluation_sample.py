"""How many findings are right, as a person says: a sheet of drawn findings to fill in, and what it gives.

A row is right when 正确 is marked and wrong when 错误 is; a row with both or neither is not judged.
"""

from __future__ import annotations

import csv
import importlib
import io
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.app.bidding.findings import TAB_TITLES, Analysis, Finding, Tab
from backend.app.documents.canonical import Document

xlsxwriter: Any = importlib.import_module("xlsxwriter")  # has no types

HEAD = ("文件", "分类", "标题", "原文", "上下文", "正确", "错误", "备注")
_TAB, _RIGHT, _WRONG = HEAD.index("分类"), HEAD.index("正确"), HEAD.index("错误")
_WIDTHS = (22, 14, 24, 48, 70, 6, 6, 24)
_AROUND = 60  # characters of context on either side
_MARKS = frozenset({"1", "1.0", "x", "✓", "√", "v", "y", "是", "对", "true"})
_Z = 1.96  # 95 %


class SheetError(ValueError):
    """The sheet cannot be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Drawn:
    document: str
    tab: str
    title: str
    excerpt: str
    context: str

    def row(self) -> tuple[str, ...]:
        return (self.document, self.tab, self.title, self.excerpt, self.context, "", "", "")


@dataclass(frozen=True, slots=True)
class Precision:
    """Of `judged` findings `right` were right; `low` and `high`: the 95 % interval (Wilson)."""

    right: int
    judged: int

    @property
    def share(self) -> float:
        return self.right / self.judged if self.judged else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        if not self.judged:
            return 0.0, 1.0
        share, n, square = self.share, self.judged, _Z * _Z
        middle = (share + square / (2 * n)) / (1 + square / n)
        half = _Z * math.sqrt(share * (1 - share) / n + square / (4 * n * n)) / (1 + square / n)
        return max(0.0, middle - half), min(1.0, middle + half)


def draw(results: Iterable[tuple[str, Document, Analysis]], count: int, *, seed: int = 0) -> list[Drawn]:
    """`count` findings, as evenly over documents and tabs as they go; the same seed draws the same."""
    chance = random.Random(seed)
    heaps: dict[tuple[str, Tab], list[Drawn]] = {}
    for name, document, analysis in results:
        for finding in analysis.findings:
            heaps.setdefault((name, finding.tab), []).append(_drawn(name, document, finding))
    keys = sorted(heaps)
    for key in keys:
        chance.shuffle(heaps[key])
    drawn: list[Drawn] = []
    while keys and len(drawn) < count:
        chance.shuffle(keys)
        drawn.extend(heaps[key].pop() for key in keys[: count - len(drawn)])
        keys = sorted(key for key in keys if heaps[key])
    return sorted(drawn, key=lambda d: (d.document, list(TAB_TITLES.values()).index(d.tab)))


def _drawn(name: str, document: Document, finding: Finding) -> Drawn:
    start, end = finding.span.start, finding.span.end
    before, excerpt, behind = (
        " ".join(words.split())
        for words in (
            document.text[max(0, start - _AROUND) : start],
            document.text[start:end],
            document.text[end : end + _AROUND],
        )
    )
    return Drawn(name, TAB_TITLES[finding.tab], finding.title, excerpt, f"{before}【{excerpt}】{behind}")


def write_sheet(drawn: Sequence[Drawn], path: Path) -> None:
    """An .xlsx, or a CSV that spreadsheet programs read as UTF-8."""
    if path.suffix.lower() == ".xlsx":
        path.write_bytes(_xlsx(drawn))
        return
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEAD)
        writer.writerows([_harmless(cell) for cell in one.row()] for one in drawn)


def _harmless(cell: str) -> str:
    """A tender's text must not become a formula of the reader's spreadsheet."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@") else cell


def _xlsx(drawn: Sequence[Drawn]) -> bytes:
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False})
    sheet = book.add_worksheet("抽样")
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    sheet.write_row(0, 0, HEAD, book.add_format({"bold": True}))
    for column, width in enumerate(_WIDTHS):
        sheet.set_column(column, column, width, wrapped)
    for row, one in enumerate(drawn, start=1):
        for column, cell in enumerate(one.row()):
            sheet.write_string(row, column, cell)
    sheet.freeze_panes(1, 0)
    book.close()
    return buffer.getvalue()


def read_sheet(path: Path) -> dict[str, Precision]:
    """Precision by tab title, in the order of the tabs. Raises SheetError."""
    rows = _rows(path)
    if not rows or tuple(rows[0][: len(HEAD)]) != HEAD:
        raise SheetError(f"{path.name} 的第一行不是：{'、'.join(HEAD)}")
    judged: dict[str, list[bool]] = {}
    for row in rows[1:]:
        cells = [*row, *[""] * len(HEAD)]
        right, wrong = (cells[at].strip().lower() in _MARKS for at in (_RIGHT, _WRONG))
        if right != wrong:
            judged.setdefault(cells[_TAB], []).append(right)
    titles = [title for title in TAB_TITLES.values() if title in judged]
    return {title: Precision(sum(judged[title]), len(judged[title])) for title in titles}


def _rows(path: Path) -> list[list[str]]:
    try:
        if path.suffix.lower() == ".xlsx":
            calamine: Any = importlib.import_module("python_calamine")
            table = calamine.load_workbook(str(path)).get_sheet_by_index(0).to_python()
            return [[str(cell) for cell in row] for row in table]
        with path.open(encoding="utf-8-sig", newline="") as stream:
            return list(csv.reader(stream))
    except Exception as error:  # calamine has an error of its own for each way a file is broken
        raise SheetError(f"无法读取 {path.name}：{error}") from error


def format_precision(by_tab: dict[str, Precision]) -> str:
    """A line per tab and the sum, in percent with the interval."""
    whole = Precision(sum(p.right for p in by_tab.values()), sum(p.judged for p in by_tab.values()))
    return "\n".join(_line(title, one) for title, one in (*by_tab.items(), ("合计", whole)))


def _line(title: str, one: Precision) -> str:
    low, high = one.interval
    return f"{title}：{one.right}/{one.judged} = {one.share:.0%}（95% 区间 {low:.0%}–{high:.0%}）"
