"""Where in the base the words of a notice stand: its quotes, and its references to clauses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from backend.app.bidding.comparison.units import fold
from backend.app.bidding.findings import Fact, Span
from backend.app.bidding.grounding import MAX_QUOTE, MIN_QUOTE, Place, Source, ground, normalise
from backend.app.documents.canonical import Block, Document

_CHAPTER = re.compile(r"第[一二三四五六七八九十百\d]{1,4}(?:章|部分|卷|篇|册)")
_CLAUSE = re.compile(
    r"(?<![\d.])(\d{1,2}(?:\.\d{1,3}){1,4})(?![\d年月日])|第(\d{1,3}|[一二三四五六七八九十]{1,3})[条款项]"
)
_ORDINARY = 8  # letters; a shorter quote stands in many places and is believed only in a known one
_MOST_SEARCHES = 80  # near matches over the whole base: each takes some ten milliseconds

# The words by which a notice names a fact. The first that fits is meant; several may fit.
FACT_WORDS: dict[str, re.Pattern[str]] = {
    "bid_deadline": re.compile(
        r"(?:投标|响应|递交|提交|应答|申请|报价)[^。；疑澄]{0,10}截止(?:时间|日期)?|^截止时间|截标"
    ),
    "opening_time": re.compile(r"(?:开标|开启|唱标|磋商|谈判)(?:会议?)?(?:的)?(?:时间|日期)|开标$"),
    "document_sale_end": re.compile(r"(?:获取|发售|报名|购买|领取|下载)[^。；]{0,10}(?:截止|结束|时间|期限)"),
    "clarification_deadline": re.compile(r"(?:澄清|提疑|疑问|提问|答疑)[^。；]{0,8}(?:截止|时间|期限)"),
    "budget": re.compile(r"预算"),
    "price_ceiling": re.compile(r"最高(?:投标)?限价|控制价|拦标价"),
    "bid_bond": re.compile(r"(?:投标|磋商|谈判|响应|询价)保证金(?!.{0,6}(?:退还|形式|账))"),
    "performance_bond": re.compile(r"履约(?:保证金|担保|保函)"),
    "bid_validity_days": re.compile(r"(?:投标|响应|报价)?有效期"),
    "consortium_allowed": re.compile(r"联合体"),
    "service_period": re.compile(r"工期|(?:服务|交货|交付|供货|履行|合同履行)(?:期|时间|期限)"),
    "payment_terms": re.compile(r"(?:付款|支付)(?:方式|条件|比例|条款)"),
    "evaluation_method": re.compile(r"评(?:标|审)(?:方法|办法)"),
    "price_weight": re.compile(r"价格(?:分|权重)|报价(?:得分|分值|权重)"),
}  # fmt: skip


@dataclass(slots=True)
class Base:
    """The base made ready for searching: once for all statements."""

    document: Document
    facts: dict[str, Fact | None]
    whole: Source = field(init=False)
    searches: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.whole = Source.of(self.document.text, 0, len(self.document.text))

    def find(self, quote: str, known: Span | None) -> Place | None:
        """A quote in its known place, or anywhere when it is long enough to stand there once."""
        wanted, _ = normalise(quote)
        if known is not None and (place := self._inside(wanted, known)):
            return place
        if len(wanted) > MAX_QUOTE:
            return self._head(wanted)
        if len(wanted) < MIN_QUOTE or (len(wanted) < _ORDINARY and self.whole.normal.count(wanted) != 1):
            return None
        if wanted not in self.whole.normal:
            self.searches += 1
            if self.searches > _MOST_SEARCHES:
                return None
        return ground(quote, self.whole)

    def _inside(self, wanted: str, known: Span) -> Place | None:
        """Also words that are too short to be looked for elsewhere."""
        normal, offsets = normalise(self.document.text[known.start : known.end])
        at = normal.find(wanted)
        if not wanted or at < 0:
            return None
        span = Span(known.start + offsets[at], known.start + offsets[at + len(wanted) - 1] + 1)
        same = self.document.text[span.start : span.end]
        return Place(span, "exact" if fold(same) == wanted and len(same) == len(wanted) else "normalized")

    def _head(self, wanted: str) -> Place | None:
        """A very long quote, found by being there as a whole."""
        at = self.whole.normal.find(wanted)
        if at < 0:
            return None
        return Place(Span(self.whole.offsets[at], self.whole.offsets[at + len(wanted) - 1] + 1), "normalized")

    def clause(self, reference: str) -> Span | None:
        """The block or table row that the reference names by number: "第三章…第3.2.1项"; None when it names
        none, or the base has none or several of that number."""
        numbers = [one or other for one, other in _CLAUSE.findall(reference)]
        if not numbers:
            return None
        chapters = _CHAPTER.findall(reference)
        chapter = fold(chapters[-1]) if chapters else None
        found = [
            at
            for at, block in enumerate(self.document.blocks)
            if _numbered(self.document, block, numbers[-1]) and _within(block, chapter)
        ]
        return self._row_or_block(found[0]) if len(found) == 1 else None

    def _row_or_block(self, at: int) -> Span:
        blocks, first = self.document.blocks, self.document.blocks[at]
        end = at
        while (
            first.cell is not None
            and end + 1 < len(blocks)
            and (cell := blocks[end + 1].cell) is not None
            and (cell.table, cell.row) == (first.cell.table, first.cell.row)
        ):
            end += 1
        return Span(first.start, blocks[end].end)


def facts_named(words: str) -> list[str]:
    return [name for name, pattern in FACT_WORDS.items() if pattern.search(words)]


def _numbered(document: Document, block: Block, number: str) -> bool:
    if block.cell is not None and block.cell.col != 0:
        return False
    text = fold(document.text[block.start : min(block.end, block.start + 24)])
    forms = (rf"[★▲*#]?(?:第)?{re.escape(number)}(?![\d.]\d|\d)",)
    return any(re.match(form, text) for form in forms)


def _within(block: Block, chapter: str | None) -> bool:
    return chapter is None or any(fold(title).startswith(chapter) for title in block.path)
