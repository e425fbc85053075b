"""★ ▲ * # and their kind: what the document says a mark means, then which clauses carry it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from backend.app.bidding.findings import Span
from backend.app.bidding.rules.passages import Passage

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
_WEIGHTED = re.compile(r"重要|扣\d*|扣分|减分|加分|得分|主要(?:参数|指标)|评分|一般")
_LAW_LIST = re.compile(r"节能产品|强制采购|品目清单|政府采购清单")
# "1.★", "（3）★", "★1、", "*（一）" at the start of a clause; a lone * or # is often a footnote.
_LEADING = re.compile(
    rf"^(?:[（(]?[\d一二三四五六七八九十.]{{1,8}}[）)、.：]?)?"
    rf"(?P<mark>[{re.escape(MARKS)}])(?=[^{re.escape(MARKS)}])"
)


_LEAST_CELL = 12


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
            if not _DEFINED.search(sentence) or _LAW_LIST.search(sentence):
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
    if _SUBSTANTIVE.search(sentence):
        return Meaning.SUBSTANTIVE
    return Meaning.WEIGHTED if _WEIGHTED.search(sentence) else Meaning.UNDEFINED


def marked_passages(
    passages: list[Passage], definitions: dict[str, MarkDefinition]
) -> Iterator[tuple[Passage, str, Meaning]]:
    """Passages that begin with a mark. Marks nobody defined count only when they are ★ or ▲."""
    for passage in passages:
        found = _LEADING.match(passage.compact)
        if found is None and passage.cell is not None and len(passage.compact) >= _LEAST_CELL:
            found = _LEADING.match(f"{passage.label}：")  # the mark stands in the cell before
        elif found is not None and len(passage.compact) < found.end() + 4:
            continue
        if found is None:
            continue
        mark = found.group("mark")
        definition = definitions.get(mark)
        if definition is not None and definition.passage is passage:
            continue
        if definition is None and mark not in "★▲":
            continue
        yield passage, mark, definition.meaning if definition else Meaning.UNDEFINED
