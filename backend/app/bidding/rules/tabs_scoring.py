"""Tab 评分项: every row of the scoring tables with its points, the price formula, and how ranks are made."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator

from backend.app.bidding.findings import Priority, Tab
from backend.app.bidding.rules.passages import Passage
from backend.app.bidding.rules.quotes import Candidate, clip
from backend.app.bidding.rules.scoring import ScoreRow, points_of
from backend.app.bidding.rules.zones import Zone

_REACH = 72
_TOP_LENGTH = 56
_REMEMBERED = 4  # scored sentences among which tiers of one criterion stand
# "…进行评审：1、方案完整的得10分；": the head ends where the first tier begins.
_SENTENCE = re.compile(r"(?:[^。；！？\n：]|：(?![（]?[1①][、.）]?))+[。；！？：]?")
_GIVES = re.compile(
    r"(?:得|计|加|扣|满分|最高|最多)[^。；，]{0,6}?\d+"
    r"(?:\.\d+)?(?:[-~～—–至]\d+(?:\.\d+)?)?(?:（含）)?分|0[-~～—–至]\d+分?|标准分值?"
)
_STARTS = re.compile(
    r"评分(?:细则|标准|规则|办法|表|因素|项目|内容)|评审(?:细则|标准|因素)|打分|详细评审"
    r"|综合评(?:分|估)|价格分|报价(?:得分|评审)"
)
_TIER = re.compile(r"(?:^|(?<=：))[（(]?(\d)[）)、.]")
_MOST_ONLY = re.compile(r"，?(?:本项)?(?:最高|最多|满分)(?:得|可得|加)?\d+(?:\.\d+)?分[。；]?")
_NOTHING = re.compile(r"得0分|不得分")
_ROW_RULES = 4  # of `_RULES`: formula, benchmark, weights, discount
_PRICE = re.compile(r"报价|价格|评标价|基准价|参考价|商务评审价")
_NOT_BIDS = re.compile(r"考核|绩效|检查|满意度|服务费|含税总价|增值税|实际执行|结算价格?=")

# "服务方案（40分）：…": a criterion with its points, where a text has lines instead of a table.
_HEADED = re.compile(
    r"^(?:（?[\d一二三四五六七八九十]{1,3}[）.、]+)*(?P<name>[^（）。；：，]{2,20})"
    r"（(?:满分|共|最高)?(?P<points>\d{1,3}(?:\.\d{1,2})?)分）"
)

# What decides the score beside the rows: formulas, benchmark, weights, discounts, ranking.
_RULES: tuple[tuple[str, float, re.Pattern[str]], ...] = (
    (
        "价格分计算公式",
        84,
        re.compile(r"(?:得分|分|价|[SFDPABCX]\d?)=[^。；]{4,}|最低[^。；]{0,12}价/投标报价"),
    ),
    (
        "评标基准价",
        76,
        re.compile(
            r"(?:评[标审]|评分)?(?:基准价|参考价|警戒价)[^。；]{0,40}(?:为|等于|抽取|计算|得)"
            r"|(?:为|作为)(?:评[标审])?(?:基准价|参考价)|(?:高出|低于|高于"
            r"|偏离)[^。；]{0,12}(?:基准价|参考价)?[^。；]{0,12}(?:扣|减)"
            r"|当投标报价[^。；]{0,40}得"
        ),
    ),
    (
        "权重与总分",
        80,
        re.compile(
            r"权重(?:分配|为|占|：)|(?:占|共占)\d+(?:分|%)|总(?:得)?分(?:为)?100|(?:满分"
            r"|总分)(?:为)?\d+分|总得分="
        ),
    ),
    (
        "小微企业价格扣除",
        66,
        re.compile(r"(?:小型|微型|小微|中小)[^。；]{0,40}(?:价格|报价)[^。；]{0,16}\d+%[^。；]{0,12}扣除"),
    ),
    (
        "排序与推荐规则",
        50,
        re.compile(
            r"(?:由|从)(?:高到低|低到高|高至低|低至高)[^。；]{0,20}(?:顺序|排序|排列|排名|推荐)"
            r"|(?:得分|报价|分数)(?:相同|相等)[^。；]{0,60}|随机(?:抽取|抽签|方式)|抽签"
        ),
    ),
    (
        "评分修正规则",
        58,
        re.compile(
            r"去掉[^。；]{0,20}(?:最高|最低|分之)|(?:评分"
            r"|打分)[^。；]{0,16}偏离[^。；]{0,30}\d+%|综合得分扣|扣减\d+分"
        ),
    ),
)


def find_scoring_items(passages: list[Passage], rows: list[ScoreRow]) -> Iterator[Candidate]:
    scored = {row.table for row in rows}
    for row in rows:
        yield from _row(row)
    inside = False
    recent: deque[str] = deque(maxlen=_REMEMBERED)
    for passage in passages:
        inside = _scoring_part(passage, inside=inside)
        if passage.zone in (Zone.CONTRACT, Zone.FORMS) or (
            passage.cell is not None and passage.cell.table in scored
        ):
            continue
        yield from _rules(passage, inside=inside)
        if inside and passage.cell is None:
            yield from _headed(passage)
            yield from _lines(passage, recent)


def _scoring_part(passage: Passage, *, inside: bool) -> bool:
    """Whether the passage stands where bids are scored."""
    if passage.zone is Zone.EVALUATION:
        return True
    if passage.zone in (Zone.CONTRACT, Zone.FORMS, Zone.REQUIREMENTS) or passage.is_heading:
        return False
    if len(passage.compact) <= 40 and _STARTS.search(passage.compact):
        return True
    return inside


def _row(row: ScoreRow) -> Iterator[Candidate]:
    text = row.criterion.compact
    sentences = [m.span() for m in _SENTENCE.finditer(text)]
    top = _top(text, sentences)
    start = 0 if top[1] <= _REACH else top[0]
    end = top[1]
    if end - start > _REACH:
        end = start + _cut(text[start:end])
    price = _PRICE.search(row.name) is not None
    points = row.points
    words = f"{points:g} 分" if points is not None else "分值未写明"
    yield Candidate(
        Tab.SCORING_ITEMS,
        row.criterion.span(start, end),
        text[start:end],
        f"{row.name}（{words}）",
        f"评分项，最高 {words}。" if points is not None else "评分项，分值见表内说明。",
        "测算基准价与对手报价区间，选择得分最高的报价。"
        if price
        else "按最高档标准准备方案和证明材料，逐点对应评分标准。",
        _priority(points, price=price),
        90 if price else 86,
        points=points,
    )
    yield from _further(row, sentences, top)


def _priority(points: float | None, *, price: bool) -> Priority:
    if price or (points or 0) >= 15:
        return Priority.CRITICAL
    if points is None or points >= 5:
        return Priority.HIGH
    return Priority.MEDIUM


def _top(text: str, sentences: list[tuple[int, int]]) -> tuple[int, int]:
    """The sentence that gives the most points; the first one when none does."""
    best = sentences[0] if sentences else (0, len(text))
    most = -1.0
    for start, end in sentences:
        if not _GIVES.search(text[start:end]) or _MOST_ONLY.fullmatch(text, start, end):
            continue
        points = points_of(text[start:end]) or 0.0
        if points > most:
            best, most = (start, end), points
    return best


def _cut(text: str) -> int:
    cuts = [m.end() for m in re.finditer(r"[，、：；]", text[:_REACH])]
    return cuts[-1] if cuts and cuts[-1] > _REACH // 2 else min(len(text), _REACH)


def _further(row: ScoreRow, sentences: list[tuple[int, int]], top: tuple[int, int]) -> Iterator[Candidate]:
    """Formulas, and further scored sentences of the cell that are no lower tier of the top one."""
    text = row.criterion.compact
    rest = [place for place in sentences if place != top]
    for title, weight, pattern in _RULES[:_ROW_RULES]:
        for place in rest:
            if found := pattern.search(text, *place):
                yield _detail(row, clip(text, place, found.span(), _TOP_LENGTH), title, weight)
                break
    seen = [text[top[0] : top[1]]]
    most = points_of(seen[0]) or 0.0
    scored = [place for place in rest if _GIVES.search(text, *place) and not _NOTHING.search(text, *place)]
    given = most + sum(points_of(text[slice(*place)]) or 0.0 for place in scored)
    # Parts of a criterion add up to its points; what adds up to more are tiers of one another.
    tiers = row.points is not None and given > row.points
    before = seen[0]
    for place in scored:
        sentence = text[slice(*place)]
        previous, before = before, sentence
        if _next_tier(previous, sentence):
            continue
        lower = row.points is None or (points_of(sentence) or 0.0) < most
        likeness = 0.85 if not lower else 0.25 if tiers else 0.45
        if any(_alike(sentence, other) > likeness for other in seen):
            continue
        seen.append(sentence)
        first = (place[0], place[0] + 1)
        yield _detail(row, clip(text, place, first, _TOP_LENGTH), f"{row.name}：细项", 60)


def _next_tier(one: str, other: str) -> bool:
    """ "2、…得7分" behind "1、…得10分": a lower tier of the same criterion."""
    first, second = _TIER.search(one), _TIER.match(other)
    if first is None or second is None or int(second.group(1)) != int(first.group(1)) + 1:
        return False
    return (points_of(other) or 0.0) < (points_of(one) or 0.0)


def _detail(row: ScoreRow, place: tuple[int, int], title: str, weight: float) -> Candidate:
    formula = not title.endswith("细项")
    return Candidate(
        Tab.SCORING_ITEMS,
        row.criterion.span(*place),
        row.criterion.compact[slice(*place)],
        title,
        "决定价格分的计算规则。" if formula else "评分项下的细项。",
        "用公式试算不同报价下的得分。" if formula else "逐项准备证明材料，缺一份即失分。",
        Priority.HIGH if formula else Priority.MEDIUM,
        weight,
    )


def _alike(one: str, other: str) -> float:
    """Share of the shorter text's letter pairs that the other has."""
    a, b = ({t[i : i + 2] for i in range(len(t) - 1)} for t in (one, other))
    return len(a & b) / max(1, min(len(a), len(b)))


def _rules(passage: Passage, *, inside: bool) -> Iterator[Candidate]:
    for start, end in passage.sentences():
        sentence = passage.compact[start:end]
        if len(sentence) < 8 or _NOT_BIDS.search(sentence):
            continue
        for title, weight, pattern in _RULES:
            found = pattern.search(sentence)
            if found is None or (
                not inside and weight < 80 and not re.search("价格|得分|推荐|候选", sentence)
            ):
                continue
            low, high = clip(passage.compact, (start, end), (start + found.start(), start + found.end()), 62)
            yield Candidate(
                Tab.SCORING_ITEMS,
                passage.span(low, high),
                passage.compact[low:high],
                title,
                "决定价格分或排名的计算规则。",
                "用公式试算不同报价下的得分。",
                Priority.HIGH,
                weight if inside else weight * 0.8,
            )
            break


def _headed(passage: Passage) -> Iterator[Candidate]:
    """A line that names a criterion and its points."""
    found = _HEADED.match(passage.compact)
    if found is None or _NOT_BIDS.search(found["name"]):
        return
    points = float(found["points"])
    low, high = clip(passage.compact, (0, len(passage.compact)), found.span(), _TOP_LENGTH)
    price = _PRICE.search(found["name"]) is not None
    yield Candidate(
        Tab.SCORING_ITEMS,
        passage.span(low, high),
        passage.compact[low:high],
        f"{found['name']}（{points:g} 分）",
        f"评分项，最高 {points:g} 分。",
        "测算基准价与对手报价区间，选择得分最高的报价。"
        if price
        else "按最高档标准准备方案和证明材料，逐点对应评分标准。",
        _priority(points, price=price),
        88,
        points=points,
    )


def _lines(passage: Passage, recent: deque[str]) -> Iterator[Candidate]:
    """Scoring rows of texts whose tables are only lines: sentences that give points."""
    for start, end in passage.sentences():
        sentence = passage.compact[start:end]
        found = _GIVES.search(sentence)
        if found is None or len(sentence) < 8 or _NOT_BIDS.search(sentence):
            continue
        if _NOTHING.search(sentence) or _lower_tier(sentence, recent):
            continue
        recent.append(sentence)
        low, high = clip(
            passage.compact, (start, end), (start + found.start(), start + found.end()), _TOP_LENGTH
        )
        points = points_of(passage.compact[low:high])
        yield Candidate(
            Tab.SCORING_ITEMS,
            passage.span(low, high),
            passage.compact[low:high],
            "评分项" if points is None else f"评分项（{points:g} 分）",
            "评分标准写明的得分条件。",
            "按最高档标准准备方案和证明材料。",
            Priority.HIGH,
            70,
            points=points,
        )


def _lower_tier(sentence: str, recent: deque[str]) -> bool:
    """Whether the sentence only repeats a recent one with fewer points."""
    points = points_of(sentence) or 0.0
    for other in recent:
        lower = points < (points_of(other) or 0.0)
        if _alike(sentence, other) > (0.3 if lower else 0.85):
            return True
    return False
