"""Tables of notices: 更正前 | 更正后, and 问题 | 答复."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from backend.app.bidding.comparison.changes import ChangeType
from backend.app.bidding.comparison.wording import Statement
from backend.app.bidding.findings import Span
from backend.app.documents.canonical import Block, Document

_CHANGED = r"(?:更正|变更|修改|修订|调整|澄清|更改)"
_BEFORE = re.compile(rf"{_CHANGED}前|^原|旧(?:内容|条款|文)")
_AFTER = re.compile(rf"{_CHANGED}后|^现|{_CHANGED}为|{_CHANGED}内容|^新(?:内容|条款|文)")
_ASKED = re.compile(r"问题|疑问|提问|质疑")
_ANSWERED = re.compile(r"答复|回复|解答|回答|澄清")
_SERIAL = re.compile(r"序号|编号|^No")
_NOTHING = re.compile(r"无|/|-|—|空白?|")
_DELETED = re.compile(r"(?:予以)?(?:删除|取消|作废)(?:本条|此条|该条|该项|此项|本项)?")
_HEAD_ROWS = 3


def table_statements(document: Document) -> tuple[list[Statement], list[Span]]:
    """The statements of such tables, and the spans of the tables that were read."""
    found: list[Statement] = []
    taken: list[Span] = []
    for rows in document.tables():
        made = list(_table(document, rows))
        if made:
            found += made
            taken.append(Span(rows[0][0].start, rows[-1][-1].end))
    return found, taken


def _table(document: Document, rows: Sequence[Sequence[Block]]) -> Iterator[Statement]:
    for at, row in enumerate(rows[:_HEAD_ROWS]):
        heads = {b.cell.col: _words(document, b) for b in row if b.cell is not None}
        before = _column(heads, _BEFORE)
        after = _column(heads, _AFTER, besides=before)
        if before is not None and after is not None:
            for data in rows[at + 1 :]:
                yield from _replaced(document, data, before, after, heads)
            return
        asked = _column(heads, _ASKED)
        answered = _column(heads, _ANSWERED, besides=asked)
        if asked is not None and answered is not None:
            for data in rows[at + 1 :]:
                yield from _answered(document, data, asked, answered)
            return


def _column(heads: dict[int, str], pattern: re.Pattern[str], besides: int | None = None) -> int | None:
    return next((col for col, words in heads.items() if col != besides and pattern.search(words)), None)


def _replaced(
    document: Document, row: Sequence[Block], before: int, after: int, heads: dict[int, str]
) -> Iterator[Statement]:
    old, new = _cell(row, before), _cell(row, after)
    if old is None and new is None:
        return
    words = [
        _words(document, block)
        for block in row
        if block.cell is not None
        and block.cell.col not in (before, after)
        and not _SERIAL.search(heads.get(block.cell.col, ""))
    ]
    kind, one, other = ChangeType.CHANGED, old, new
    if new is None or _DELETED.fullmatch(_words(document, new)):
        kind, other = ChangeType.REMOVED, None
    elif old is None or _NOTHING.fullmatch(_words(document, old)):
        kind, one = ChangeType.ADDED, None
    yield Statement(kind, _span(one), _span(other), "：".join(words), Span(row[0].start, row[-1].end))


def _answered(document: Document, row: Sequence[Block], asked: int, answered: int) -> Iterator[Statement]:
    question, answer = _cell(row, asked), _cell(row, answered)
    if question is not None and answer is not None:
        words = _words(document, question)[:200]
        place = Span(row[0].start, row[-1].end)
        yield Statement(ChangeType.CLARIFIED, None, _span(answer), words, place, _span(question))


def _cell(row: Sequence[Block], col: int) -> Block | None:
    return next((block for block in row if block.cell is not None and block.cell.col == col), None)


def _span(block: Block | None) -> Span | None:
    return None if block is None else Span(block.start, block.end)


def _words(document: Document, block: Block) -> str:
    return "".join(document.text[block.start : block.end].split())
