"""★ ▲ * # and their kind: what the document says a mark means, then which clauses carry it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from backend.app.bidding.findings import Span
from backend.app.bidding.rules.passages import Passage, same_row

# □ ☑ ■ √ are choices, ◆ ● mostly bullets: a meaning for them has to be defined in the document.
MARKS = "★☆▲△※*#◆●"
_DEFINED = re.compile(
    rf"(?:[“\"'‘（【]?[{re.escape(MARKS)}][”\"'’）】]?)(?:号|项|标记|符号|标识|标志|条款|的|为"
    rf"|表示|指标|参数|注|处|者|是|标注|代表|：)"
    rf"|(?:标(?:有|注|识|记|示|明|志)|加注?|带|注有|打|以|用"
    rf"|中)[^。；]{{0,8}}[“\"'‘（【]?[{re.escape(MARKS)}]"
)
_MARK = re.compile(rf"[{re.escape(MARKS)}]")
_SUBSTANTIVE = re.compile(
    r"实质性|无效|否决|废标|拒绝|不(?:允许|得|接受)(?:有)?(?:任何)?(?:负)?偏离|必须(?:全部"
    r"|完全)?(?:满足|响应|符合)|不满足[^。；]{0,12}(?:不通过|不合格)|关键(?:条款|指标|参数)"
)
# "…影响其得分，但不作为无效投标条款": the words of a fall, denied.
_NOT_FATAL = re.compile(
    r"(?:不|并非|非)(?:作为|构成|导致|属于?|视为|作|是)[^。；，]{0,12}(?:无效|否决|废标|实质性|拒绝)[^。；，]{0,8}"
)
_WEIGHTED = re.compile(r"重要|扣\d*|扣分|减分|加分|得分|主要(?:参数|指标)|评分|一般")
_FORMULA = re.compile(r"=[^。；]*[*#]|[\d）]\*[\d（]")  # there * multiplies
_LAW_LIST = re.compile(r"节能产品|强制采购|品目清单|政府采购清单")
# "1.★", "（3）★", "★1、", "*（一）" at the start of a clause; a lone * or # is often a footnote.
_NUMBERED_MARK = (
    r"(?:[（(]?[\d一二三四五六七八九十.]{1,8}[）)、.：]?)?"
    rf"(?P<mark>[{re.escape(MARKS)}])(?=[^{re.escape(MARKS)}])"
)
_LEADING = re.compile(f"^{_NUMBERED_MARK}")
_BEGINS = re.compile(f"(?:^|(?<=[：；。])){_NUMBERED_MARK}")
_ALONE = re.compile(rf"：(?P<mark>[{re.escape(MARKS)}])(?:：|$)")  # a cell of its own in a row read as one

_WORDS = re.compile(r"[一-鿿]{3}")  # "★1.8.1" alone in its cell marks the row, and says nothing itself
_LEAST_CELL = 12
_LEAST_WORDS = 4  # behind a mark


class Meaning(StrEnum):
    SUBSTANTIVE = "substantive"  # not met: the bid falls
    WEIGHTED = "weighted"  # not met: points are lost
    UNDEFINED = "undefined"


@dataclass(frozen=True, slots=True)
class MarkDefinition:
    mark: str
    meaning: Meaning
    span: Span
    compact: str
    passage: Passage


def find_definitions(passages: list[Passage]) -> dict[str, MarkDefinition]:
    """The sentence that defines each mark; one that names the consequence beats one that does not."""
    found: dict[str, MarkDefinition] = {}
    for passage in passages:
        if not _MARK.search(passage.compact):
            continue
        for start, end in passage.sentences():
            sentence = passage.compact[start:end]
            if not _DEFINED.search(sentence) or _LAW_LIST.search(sentence) or _FORMULA.search(sentence):
                continue
            meaning = _meaning(sentence)
            if meaning is Meaning.UNDEFINED:
                continue
            for mark in set(_MARK.findall(sentence)):
                kept = found.get(mark)
                if kept is None or (
                    kept.meaning is not Meaning.SUBSTANTIVE and meaning is Meaning.SUBSTANTIVE
                ):
                    span = passage.span(start, end)
                    found[mark] = MarkDefinition(mark, meaning, span, sentence, passage)
    return found


def _meaning(sentence: str) -> Meaning:
    if _SUBSTANTIVE.search(_NOT_FATAL.sub("", sentence)):
        return Meaning.SUBSTANTIVE
    return Meaning.WEIGHTED if _WEIGHTED.search(sentence) else Meaning.UNDEFINED


@dataclass(frozen=True, slots=True)
class MarkedClause:
    """A clause that carries a mark: compact[start:end] of its passage."""

    passage: Passage
    start: int
    end: int
    mark: str
    meaning: Meaning


def marked_clauses(passages: list[Passage], definitions: dict[str, MarkDefinition]) -> Iterator[MarkedClause]:
    """Clauses that begin with a mark, and rows that have it in a cell of its own, whatever its column.

    Marks nobody defined count only when they are ★ or ▲.
    """
    for passage in passages:
        for mark, start, end in _clauses(passages, passage):
            definition = definitions.get(mark)
            if definition is not None and definition.passage is passage:
                continue
            if definition is None and mark not in "★▲":
                continue
            meaning = definition.meaning if definition else Meaning.UNDEFINED
            yield MarkedClause(passage, start, end, mark, meaning)


def _clauses(passages: list[Passage], passage: Passage) -> Iterator[tuple[str, int, int]]:
    """(mark, start, end) of each marked clause of a passage; a row that reads as one has its cells in it."""
    text = passage.compact
    begins = [m for m in _BEGINS.finditer(text) if passage.cell is not None or _opens(text, m.start())]
    if begins:
        ends = [*(m.start() for m in begins[1:]), len(text)]
        for found, end in zip(begins, ends, strict=True):
            if end - found.end() >= _LEAST_WORDS and _WORDS.search(text, found.end(), end):
                yield found.group("mark"), found.start(), end
        if len(text) - begins[0].end() >= _LEAST_WORDS:
            return
    if passage.cell is None:
        return
    if alone := _ALONE.search(text):
        start, end = _longest_cell(text)
        if end - start >= _LEAST_WORDS:
            yield alone.group("mark"), start, end
    elif len(text) >= _LEAST_CELL and (mark := _mark_of_row(passages, passage)):
        yield mark, 0, len(text)


def _opens(text: str, at: int) -> bool:
    """Whether a sentence or the passage begins here; a colon opens a cell only in tables."""
    return at == 0 or text[at - 1] in "。；"


def _longest_cell(row: str) -> tuple[int, int]:
    """The longest of the cells that are read as one row."""
    best = (0, 0)
    at = 0
    for cell in row.split("："):
        if len(cell) > best[1] - best[0]:
            best = (at, at + len(cell))
        at += len(cell) + 1
    return best


def _mark_of_row(passages: list[Passage], passage: Passage) -> str | None:
    """The mark that stands alone in a cell of the passage's row, or in the cells that name it."""
    if found := _LEADING.match(f"{passage.label}："):
        return found.group("mark")
    for step in (-1, 1):
        at = passage.index + step
        while 0 <= at < len(passages) and same_row(passages[at].cell, passage.cell):
            if _MARK.fullmatch(passages[at].compact):
                return passages[at].compact
            at += step
    return None
