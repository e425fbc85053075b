"""Lists under heads such as 有下列情形之一的: each item is one way for a bid to fall."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backend.app.bidding.findings import Priority, Tab
from backend.app.bidding.rules.lists import items_under
from backend.app.bidding.rules.passages import Passage
from backend.app.bidding.rules.quotes import Candidate, clip_head
from backend.app.bidding.rules.subjects import subject_of
from backend.app.bidding.rules.vocabulary import FATAL, LIST_HEAD, ONE_BID, WHOLE_PROCEDURE

ITEM_REACH = 64
_LEAD_REACH = 30  # characters from 有下列情形之一的 to the colon
_LEAST = 6  # characters of an item that says anything
_NOT_BIDDER = re.compile(
    r"回避|变更合同|解除合同|合同(?:终止|解除)|(?:可以|应当)(?:采用|变更|延长)|投诉|质疑"
    r"|不(?:需要|再)?(?:要求)?澄清|修正|算术|异常低价|应当(?:认定)?通过|(?:委员会|机构|代理)[^。；]{0,16}不得"
)
_FORFEIT = re.compile(
    r"保证金[^。；]{0,24}(?:不予(?:以)?退还|没收|不退|不予返还)|(?:不予退还|没收)[^。；]{0,12}保证金"
)
_CATCH_ALL = re.compile(
    r"其他(?:违反|违法|情形|情况|不符合|应当|实质)|(?:法律|法规|规章)[^。；]{0,20}(?:规定的)?其他|规定的其他"
)
_COLLUSION = re.compile(r"串通|虚假|弄虚作假|围标")
_AFTER_AWARD = re.compile(r"取消(?:其)?(?:中标|成交)(?:人)?(?:的)?资格")
_TRACEABLE = re.compile(r"MAC|IP|机器|特征码|加密锁|相似度|\d+%|电脑|账户转出")
_CONSEQUENCES = (
    (re.compile(r"否决"), "投标将被否决"),
    (re.compile(r"拒"), "投标文件将被拒收或拒绝"),
    (re.compile(r"资格"), "将失去投标或中标资格"),
    (re.compile(r"不得参加|不得推荐"), "不得参加或不被推荐"),
    (re.compile(r"不予"), "不予受理或接受"),
)
_VOID = re.compile(r"无效|废标")


def find_fatal_lists(passages: list[Passage], index: int) -> Iterator[Candidate]:
    """The items of the list that passages[index] opens; nothing when it opens none that is fatal."""
    passage = passages[index]
    heads = list(LIST_HEAD.finditer(passage.compact))
    if not heads:
        return
    found = heads[-1]
    start = next((a for a, b in passage.sentences() if a <= found.start() < b), 0)
    head = passage.compact[start:]
    fatal = FATAL.search(head) is not None or (FATAL.search(passage.section) is not None and len(head) < 60)
    forfeit = not fatal and _FORFEIT.search(head) is not None
    lead = _lead(head, found.end() - start)
    if not (fatal or forfeit) or _NOT_BIDDER.search(lead):
        return
    if WHOLE_PROCEDURE.search(passage.section + lead) and not ONE_BID.search(lead):
        return
    words = "保证金不予退还" if forfeit else consequence(head)
    for item in items_under(passages, index):
        if len(item.compact) >= _LEAST:
            yield _item(item, (0, len(item.compact)), words, _base(head, forfeit=forfeit))
    if len(passage.compact) - found.end() > 30 and "：" in passage.compact[found.end() :][:_LEAD_REACH]:
        for sentence in passage.sentences():
            if sentence[0] >= found.end() and sentence[1] - sentence[0] >= _LEAST:
                yield _item(passage, sentence, words, _base(head, forfeit=forfeit))


def _lead(head: str, after: int) -> str:
    """The head without the items that stand in the same passage behind its colon."""
    colon = head.find("：", after)
    return head[:colon] if 0 <= colon - after <= _LEAD_REACH else head


def consequence(text: str) -> str:
    """What the words threaten, in one phrase."""
    if not _VOID.search(text):
        for pattern, words in _CONSEQUENCES:
            if pattern.search(text):
                return words
    return "投标（响应）无效"


def _base(head: str, *, forfeit: bool) -> float:
    """The most an item can weigh: less for what the law says anyway or what comes after the award."""
    if forfeit:
        return 35
    if _COLLUSION.search(head):
        return 52
    return 62 if _AFTER_AWARD.search(head) else 84


def _item(item: Passage, place: tuple[int, int], words: str, most: float) -> Candidate:
    start, end = clip_head(item.compact, *place, ITEM_REACH)
    text = item.compact[place[0] : place[1]]
    subject = subject_of(text)
    return Candidate(
        Tab.HARD_REQUIREMENTS,
        item.span(start, end),
        item.compact[start:end],
        subject.title,
        f"列举情形之一，出现即{words}。",
        subject.guidance,
        Priority.CRITICAL if most > 35 else Priority.HIGH,
        max(most, 80)
        if _TRACEABLE.search(text) and most > 35
        else min(most, item_weight(text, subject.title)),
    )


def item_weight(text: str, subject: str) -> float:
    """Items that every document prints weigh less than those that only this one has."""
    if _CATCH_ALL.search(text):
        return 30
    if subject.startswith("串通"):
        return 56
    if subject == "资格审查":
        return 52
    if subject == "实质性响应":
        return 66
    return 64 if subject.startswith("其他") else 84
