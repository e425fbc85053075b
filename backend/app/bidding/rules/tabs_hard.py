"""Tab 废标项/硬性要求: definitions of marks, marked clauses, fatal lists and sentences, conditions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set

from backend.app.bidding.findings import Priority, Tab
from backend.app.bidding.rules.fatal_lists import ITEM_REACH, consequence, find_fatal_lists
from backend.app.bidding.rules.marks import MarkDefinition, Meaning, marked_clauses
from backend.app.bidding.rules.passages import Passage
from backend.app.bidding.rules.qualifications import ReviewParts, find_qualifications, find_review_row
from backend.app.bidding.rules.quotes import Candidate, clip, clip_head
from backend.app.bidding.rules.subjects import subject_of
from backend.app.bidding.rules.tables import table_titles
from backend.app.bidding.rules.vocabulary import (
    BINDING,
    CONTRACT_VOID,
    FATAL,
    LIST_HEAD,
    ONE_BID,
    PANEL,
    QUALIFICATION,
    WHOLE_PROCEDURE,
)
from backend.app.bidding.rules.zones import Zone

_REACH = 52
_LEAST = 8
_REPORTS = re.compile(r"告知|宣布|公布|审阅|签字确认|汇总|复核评审|重点熟悉|评审底稿")
# How a consortium bids where one is allowed; that none is allowed is another sentence.
_CONSORTIUM_RULES = re.compile(r"联合体(?:应|必须|各方|中标|成员|协议|牵头|投标人|的)|组成联合体|以联合体")
_MANDATORY = re.compile(
    r"必须|须(?!知)|应当?(?!急|用)|不得|禁止|严禁|需(?!求|要)|只(?:能|允许)|仅(?:限|允许)|不接受|不允许"
)
# A sentence that begins so gives the consequence of the one before.
_GOES_BACK = re.compile(
    r"(?:否则|不然|一经|违者|违反者|违反(?:上述|本)|如有?违反|有(?:上述|此类)|上述|以上|该(?:行为|情形))"
)
# "否则视为无效投标": for what, stands before it.
_BARE = re.compile(
    r"(?:否则|不然)?，?(?:其|该|均|将|按|一律)?(?:[^，。；]{0,8}不予认可|(?:视为|按|作为?|为|属于?)[^，。；]{0,6}(?:无效|废标|放弃)[^，。；]{0,8}"
    r"|不得(?:推荐|参[加与]|进入|成为)[^，。；]{0,20}|(?:将)?被(?:拒绝|否决|拒收)|[^，。；]{0,8}(?:将|被)[^，。；]{0,4}(?:拒绝|拒收|否决))[。；]?"
)
_CONDITION_REACH = 60
# "标项：主要品目：验收质量标准：拒收情形": short cells side by side say what stands below them.
_TABLE_HEAD = re.compile(r"^(?:[^：。；，]{1,10}：){2,}[^：。；，]{1,10}$")
# About those who judge, and about complaints: no requirement for a bid.
_NOT_BIDS = re.compile(r"质疑函|投诉书|质疑受理|不得(?:以|将|因)[^。；]{0,40}(?:判定|认定)[^。；]{0,16}无效")
_REJECTS = re.compile(r"作为无效|应当否决其|将其作|认定[^。；]{0,16}(?:低于成本|无效)")


def find_hard_requirements(
    passages: list[Passage], definitions: dict[str, MarkDefinition], scored: Set[int] = frozenset()
) -> Iterator[Candidate]:
    """`scored`: numbers of the tables that score bids; their rows cost points, not the bid."""
    yield from _definitions([d for d in definitions.values() if not _in_table(d.passage, scored)])
    yield from _marked(passages, definitions, scored)
    titles, parts = table_titles(passages), ReviewParts()
    for index, passage in enumerate(passages):
        if passage.zone is Zone.CONTRACT:
            continue
        part = parts.part_of(passage)
        if _in_table(passage, scored) and not part:
            yield from _sentences(passage, only_fatal=True)
            continue
        yield from find_fatal_lists(passages, index)
        if passage.zone is not Zone.FORMS:
            yield from find_qualifications(passages, index)
            title = passage.section if passage.cell is None else titles[passage.cell.table]
            yield from find_review_row(passage, f"{title}；{part}" if part else title)
        yield from _sentences(passage)


def _in_table(passage: Passage, tables: Set[int]) -> bool:
    return passage.cell is not None and passage.cell.table in tables


def _definitions(definitions: list[MarkDefinition]) -> Iterator[Candidate]:
    for definition in definitions:
        fatal = definition.meaning is Meaning.SUBSTANTIVE
        words = "不满足将导致投标无效" if fatal else "不满足将被扣分"
        yield Candidate(
            Tab.HARD_REQUIREMENTS,
            definition.span,
            definition.compact,
            f"“{definition.mark}”条款的含义",
            f"文件对“{definition.mark}”的定义：{words}。",
            f"全文检索“{definition.mark}”，逐条在偏离表中响应并附证明。",
            Priority.CRITICAL if fatal else Priority.HIGH,
            96 if fatal else 70,
        )


def _marked(
    passages: list[Passage], definitions: dict[str, MarkDefinition], scored: Set[int]
) -> Iterator[Candidate]:
    for clause in marked_clauses(passages, definitions):
        passage, mark = clause.passage, clause.mark
        if _in_table(passage, scored):
            continue
        if clause.meaning is Meaning.WEIGHTED or passage.zone in (Zone.CONTRACT, Zone.FORMS):
            continue
        start, end = clip_head(passage.compact, clause.start, clause.end, ITEM_REACH)
        defined = clause.meaning is Meaning.SUBSTANTIVE
        why = (
            f"带“{mark}”的实质性条款，不满足即投标无效。"
            if defined
            else f"条款带“{mark}”，但文件没有定义其后果，请按实质性要求对待并向代理机构确认。"
        )
        yield Candidate(
            Tab.HARD_REQUIREMENTS,
            passage.span(start, end),
            passage.compact[start:end],
            f"{mark} {subject_of(passage.compact[clause.start : clause.end]).title}",
            why,
            "偏离表中逐条响应“无偏离”，并按要求附证明材料。",
            Priority.CRITICAL if defined else Priority.HIGH,
            88 if defined else 72,
        )


def _sentences(passage: Passage, *, only_fatal: bool = False) -> Iterator[Candidate]:
    for start, end in passage.sentences():
        sentence = passage.compact[start:end]
        if (
            len(sentence) < _LEAST
            or passage.is_heading
            or _excluded(sentence)
            or _TABLE_HEAD.search(sentence)
        ):
            continue
        form = passage.zone is Zone.FORMS
        if found := FATAL.search(sentence):
            weight = _fatal_weight(sentence, form=form)
            match = (start + found.start(), start + found.end())
            whole = (_condition_start(passage, start, sentence), end)
            if not _BARE.fullmatch(passage.compact, *whole):
                yield _sentence(passage, whole, match, Priority.CRITICAL, weight)
        elif only_fatal:
            continue
        elif found := BINDING.search(sentence):
            weight = 36 if form or _CONSORTIUM_RULES.search(sentence) else 66
            match = (start + found.start(), start + found.end())
            yield _sentence(passage, (start, end), match, Priority.HIGH, weight)
        elif (
            passage.zone in (Zone.NOTICE, Zone.INSTRUCTIONS)
            and _MANDATORY.search(sentence)
            and (found := QUALIFICATION.search(sentence))
        ):
            match = (start + found.start(), start + found.end())
            yield _sentence(passage, (start, end), match, Priority.HIGH, 50)


def _condition_start(passage: Passage, start: int, sentence: str) -> int:
    """Where the condition begins: "否则其投标无效" says nothing without the sentence before."""
    if not _GOES_BACK.match(sentence):
        return start
    return next((low for low, high in passage.sentences() if high == start), start)


def _clause_before(text: str, low: int, at: int) -> int:
    """Where the clause before text[at:] begins, not before `low`: what the consequence is for."""
    cuts = [low, *(low + m.end() for m in re.finditer(r"[，；。：]", text[low : max(low, at - 1)]))]
    return max(cuts[-1], at - _CONDITION_REACH)


def _fatal_weight(sentence: str, *, form: bool) -> float:
    if _REPORTS.search(sentence):
        return 40
    if _CONSORTIUM_RULES.search(sentence):
        return 45
    if sentence.endswith("：") and LIST_HEAD.search(sentence):
        return 45  # its items carry the consequence
    return 77 if form else 80


def _excluded(sentence: str) -> bool:
    """About the panel, the contract or the whole procedure, not about one bid."""
    if _NOT_BIDS.search(sentence):
        return True
    if CONTRACT_VOID.search(sentence) or PANEL.search(sentence):
        return _REJECTS.search(sentence) is None
    return WHOLE_PROCEDURE.search(sentence) is not None and ONE_BID.search(sentence) is None


def _sentence(
    passage: Passage, sentence: tuple[int, int], match: tuple[int, int], priority: Priority, weight: float
) -> Candidate:
    start, end = clip(passage.compact, sentence, match, _REACH)
    if _BARE.fullmatch(passage.compact[start:end]):
        start = _clause_before(passage.compact, sentence[0], start)
    text = passage.compact[start:end]
    subject = subject_of(text)
    fatal = priority is Priority.CRITICAL
    return Candidate(
        Tab.HARD_REQUIREMENTS,
        passage.span(start, end),
        text,
        subject.title,
        f"文件写明后果：{consequence(text)}。" if fatal else "限制性要求，违反会影响投标或履约资格。",
        subject.guidance,
        priority,
        weight,
    )
