"""Conditions for bidders: the lists under 投标人资格要求 and the rows of the review tables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backend.app.bidding.findings import Priority, Tab
from backend.app.bidding.rules.fatal_lists import ITEM_REACH, item_weight
from backend.app.bidding.rules.lists import items_under
from backend.app.bidding.rules.passages import Passage
from backend.app.bidding.rules.quotes import Candidate, clip, clip_head
from backend.app.bidding.rules.subjects import subject_of
from backend.app.bidding.rules.vocabulary import QUALIFICATION, QUALIFICATION_HEAD
from backend.app.bidding.rules.zones import Zone

_HEAD_LENGTH = 48
_LEAST_WORDS = 7
_NO_CONDITION = re.compile(r"(?:条件|要求)：(?:无|/|—)(?:[。；（]|$)|^[^。；]{0,24}(?:是指|系指)：")
_BY_REFERENCE = re.compile(
    r"(?:符合|满足)[^。；]{0,8}(?:第[一二三四五六七八九\d]|(?:招标|采购|磋商|谈判)文件)"
    r"[^，。；]{0,40}(?:规定|要求)?[。；]?$"
)
_POINTS_ELSEWHERE = re.compile(r"(?:第[\d.]+条|本章附[表件]\d*)[^。；]{0,12}$")
_REFERS = re.compile(r"详见|见第|审查(?:表|标准|要求)?$|证明文件|附件|格式|\.{3}|…|说明$")
_TITLE = re.compile(
    r"(?:[（(]?[\d.一二三四五六七八九十]{1,6}[）)、.]?)?(?:[^，。；：]{0,24}(?<!符合)(?:资格|资质|政策|特定|审查|评审)(?:性)?(?:的)?(?:要求|条件|审查|评审|标准|条款)?"
    r"|[^，。；：]{0,16}的(?:要求|条件|审查|标准))[：。；]?"
)
_CONTACT = re.compile(r"^[^：]{0,12}(?:地点|联系|电话|名称|简介|概况|时间)：")
_MEASURED = re.compile(r"不(?:得)?(?:少|低)于|至少|近[一二三四五1-5]年|\d+(?:万元|人|年|个月|名)")
_REVIEW = re.compile(
    r"否决性|资格(?:性)?(?:条件)?(?:审查|评审|检查|要求)|符合性(?:审查|评审|检查|要求)|初步(?:评审|审查)"
    r"|形式(?:评审|审查)|响应性(?:评审|审查)|资格、符合性|有效性审查"
)
# Article 22 of the procurement law, which every bidder knows by heart.
_CELL = r"(?:[^：]{0,12}：)?"  # the clause number in a cell of its own
_PART = re.compile(
    rf"{_CELL}(?P<part>(?:形式|资格(?:性)?|响应性|符合性|有效性|初步)(?:评审|审查|检查)(?:标准)?)(?:：|$)"
)
_SCORED_PART = re.compile(rf"{_CELL}[^：]{{0,16}}(?:分值|评分标准|基准价|偏差率|详细评审)")
_CONDITION_LABEL = re.compile(r"(?:资质|财务|业绩|信誉|人员|项目(?:经理|负责人)|资格)(?:条件|要求|资格)：")
_ELSEWHERE = re.compile(r"见(?:招标|采购|投标|公告|第|本|附)|详见")
_STATUTORY = re.compile(
    r"独立承担民事责任|商业信誉和健全|履行合同所必[须需]|缴纳税收和社会保障|重大违法记录"
    r"|法律、行政法规规定的其他"
)
_CONSORTIUM_RULES = re.compile(r"联合体(?:应|必须|各方|中标|成员|协议|牵头|投标人)")
_FATAL_TABLE = re.compile(r"否决|无效|废标")
_TABLE = re.compile(r"表|标准|审查$|评审$|附[表件录]")
_NOISE = re.compile(
    r"^(?:序号|审查|评审|检查|项目级|是否|结论|备注|说明|合格|不合格|内容|要求说明|类型|自定义"
    r"|包\d)[^。]{0,10}$"
    r"|^序号|签名|打[“\"]|^\d+$|项目编号："
)


class ReviewParts:
    """What the rows of one table review. In 评标办法前附表 形式评审, 资格评审, 响应性评审 and the scores
    follow one another, each named once by a cell that spans its rows. Told of the passages in order."""

    def __init__(self) -> None:
        self._table: int | None = None
        self._part = ""

    def part_of(self, passage: Passage) -> str:
        """The part that the passage belongs to; empty outside tables and where bids are scored."""
        if passage.cell is None:
            return ""
        if passage.cell.table != self._table:
            self._table, self._part = passage.cell.table, ""
        if found := _PART.match(passage.compact):
            self._part = found["part"]
        elif _SCORED_PART.match(passage.compact):
            self._part = ""
        return self._part


def find_qualifications(passages: list[Passage], index: int) -> Iterator[Candidate]:
    """The conditions of the list that passages[index] heads, or of the row of the front table that it is."""
    if passages[index].cell is not None:
        yield from _row_conditions(passages[index])
    if not _is_head(passages[index]):
        return
    for item in items_under(passages, index, deeper=True):
        text = item.compact
        if _says_nothing(item) or _CONTACT.search(text):
            continue
        if item.marker is None and not QUALIFICATION.search(text):
            continue  # the body of an item: only what names a condition
        start, end = clip_head(text, 0, len(text), ITEM_REACH)
        yield _condition(item, (start, end), _weight(text))
        yield from _measures(item, end)


def _says_nothing(item: Passage) -> bool:
    """A heading, the head of a further list, or "无"."""
    words = item.compact[item.marker.length if item.marker else 0 :]
    if len(words) < _LEAST_WORDS or words[-1] == "：" or _NO_CONDITION.search(words):
        return True
    return names_only(words)


def names_only(words: str) -> bool:
    """Whether the words are the title of conditions: "本项目的特定资格要求"."""
    return _TITLE.fullmatch(words) is not None


def _row_conditions(passage: Passage) -> Iterator[Candidate]:
    """ "投标人资质条件、能力和信誉：财务要求：…；信誉要求：…": each sentence that names a condition."""
    names = (passage.compact[:_HEAD_LENGTH], passage.label)
    if passage.zone is not Zone.INSTRUCTIONS or not any(map(QUALIFICATION_HEAD.search, names)):
        return
    for start, end in passage.sentences():
        sentence = passage.compact[start:end]
        found = QUALIFICATION.search(sentence) or _CONDITION_LABEL.search(sentence)
        if found is None or len(sentence) < 10 or _ELSEWHERE.search(sentence) or names_only(sentence):
            continue
        place = clip(passage.compact, (start, end), (start + found.start(), start + found.end()), ITEM_REACH)
        yield _condition(passage, place, 78)


def _is_head(passage: Passage) -> bool:
    text = passage.compact
    return (
        len(text) <= _HEAD_LENGTH and QUALIFICATION_HEAD.search(text) is not None and not _REFERS.search(text)
    )


def _weight(text: str) -> float:
    if _CONSORTIUM_RULES.search(text):
        return 50
    if len(text) < 45 and _STATUTORY.search(text) and not re.search(r"\d{2}", text):
        return 70
    return 86 if QUALIFICATION.search(text) else 76


def _measures(item: Passage, after: int) -> Iterator[Candidate]:
    """What a long condition asks for beyond its first clauses: amounts, years, people, certificates."""
    for start, end in item.sentences():
        if end <= after:
            continue
        found = _MEASURED.search(item.compact, max(start, after), end) or QUALIFICATION.search(
            item.compact, max(start, after), end
        )
        if found is not None:
            yield _condition(item, clip(item.compact, (start, end), found.span(), ITEM_REACH), 80)


def _condition(item: Passage, place: tuple[int, int], weight: float) -> Candidate:
    text = item.compact[place[0] : place[1]]
    subject = subject_of(text)
    return Candidate(
        Tab.HARD_REQUIREMENTS,
        item.span(*place),
        text,
        subject.title,
        "投标人资格条件，不满足则资格审查不通过。",
        subject.guidance,
        Priority.CRITICAL,
        weight,
    )


def find_review_row(passage: Passage, title: str) -> Iterator[Candidate]:
    """A row of a qualification or compliance review table, as cells or as numbered lines.

    `title`: what names the table, or the section of the lines.
    """
    text = passage.compact
    numbered = passage.marker is not None and passage.marker.kind in ("bare", "number")
    listed = passage.cell is not None or (numbered and _TABLE.search(title) is not None)
    if not listed or not _REVIEW.search(title) or not 8 <= len(text) <= 400 or _NOISE.search(text):
        return
    if _POINTS_ELSEWHERE.search(text):
        return
    start, end = clip_head(text, 0, len(text), ITEM_REACH)
    subject = subject_of(text)
    yield Candidate(
        Tab.HARD_REQUIREMENTS,
        passage.span(start, end),
        text[start:end],
        subject.title,
        "审查表中的一项，一项不合格即不通过审查。",
        subject.guidance,
        Priority.CRITICAL,
        _row_weight(text, subject.title, title),
    )


def _row_weight(text: str, subject: str, title: str) -> float:
    if _BY_REFERENCE.search(text):
        return 45
    if _FATAL_TABLE.search(title):
        return item_weight(text, subject)
    return 78 if QUALIFICATION.search(text) else 68
