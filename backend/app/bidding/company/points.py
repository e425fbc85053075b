"""Points that a scoring row may bring, as a range, where the row can be computed from the profile. Pure.

Three shapes are computed: so many points for each contract, paper or person up to a most; points for
holding a paper; points by its level. Plans, comparisons with other bidders and impressions are not: None.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from backend.app.bidding.company.asks import PaperAsk, PeopleAsk, ReferenceAsk
from backend.app.bidding.company.match_papers import judge_paper
from backend.app.bidding.company.match_people import describe as describe_people
from backend.app.bidding.company.match_people import having_count
from backend.app.bidding.company.match_references import candidates, describe
from backend.app.bidding.company.papers import NamedPaper, find_papers
from backend.app.bidding.company.reading import read_requirement
from backend.app.bidding.company.verdicts import Case, Lack, State
from backend.app.bidding.company.wording import compact

_POINTS = r"(?P<points>\d+(?:\.\d+)?|满分|标准分值)分?"
_EACH = re.compile(
    r"(?:每(?:提供|具有|具备|有|项|个|份|本|增加|多)?(?:[一1])?(?:个|项|份|本|张|名|人|例|家|套|类)?|有[一1](?:项|个|份)|[一1](?:个|项|份))"
    r"(?P<thing>[^,。;]{0,30}?)(?:的)?,?(?:得|加|计)(?P<points>\d+(?:\.\d+)?)分"
)
_MOST = re.compile(r"(?:最高|最多|满分|上限|不超过)(?:不超过)?(?:得|加|为|计)?(?P<most>\d+(?:\.\d+)?)分")
_GIVES = re.compile(rf"(?:得|加|计)(?:{_POINTS})")
_BY_OPINION = re.compile(
    r"优(?:秀)?[^。;]{0,6}得|良(?:好)?[^。;]{0,4}得|酌情|横向|排(?:名|序)|综合(?:评审|评价|比较|打分)|合理性|可行性|由大至小"
    r"|[0-9]-[0-9.]+分|满意度|方案|评委"
)
_ADDITIONAL = re.compile(r"在满足[^。;,]{0,24}(?:基础上|前提下)|(?:每)?(?:多|增加)提供|每增加|每多")


@dataclass(frozen=True, slots=True)
class Points:
    """From `least` to `most`, of `of`. `reason` tells on what that rests."""

    least: float
    most: float
    of: float
    reason: str
    lacks: tuple[Lack, ...] = ()

    def as_json(self) -> dict[str, float | str]:
        return {"min": self.least, "max": self.most, "of": self.of, "basis": self.reason}


def expect(excerpt: str, of: float, case: Case) -> Points | None:
    """None where the row cannot be computed from a profile. Never more than `of`."""
    text = compact(excerpt)
    if _BY_OPINION.search(text) or not _GIVES.search(text):
        return None
    if _EACH.search(text):
        return _for_each(text, of, case)
    return _for_papers(text, of, case)


def _for_each(text: str, of: float, case: Case) -> Points | None:
    each = list(_EACH.finditer(text))
    if len(each) != 1 or _ADDITIONAL.search(text):
        return None
    rate = float(each[0]["points"])
    if len(_GIVES.findall(_MOST.sub("", text))) != 1:
        return None  # other points beside them
    most = min(of, *(float(found["most"]) for found in _MOST.finditer(text)), of)
    counted = _count(text, case)
    if counted is None:
        return None
    least, top, what = counted
    low, high = min(least * rate, most), most if top is None else min(top * rate, most)
    shown = f"{least}" if top == least else f"{least}～{'不限' if top is None else top}"
    reason = (
        f"{what}：按档案可计 {shown} 个，每个 {rate:g} 分，最高 {most:g} 分，预计 {_range(low, high)} 分。"
    )
    return Points(low, high, of, reason)


def _count(text: str, case: Case) -> tuple[int, int | None, str] | None:
    """(for sure, at most, of what); None for the most where the list may be longer."""
    reading = read_requirement(text)
    references = [ask for ask in reading.asks if isinstance(ask, ReferenceAsk)]
    people = [ask for ask in reading.asks if isinstance(ask, PeopleAsk)]
    papers = find_papers(text, certified=True)
    if references and not papers and not people and not references[0].personal:
        ask = references[0]
        found = candidates(ask, "", case)
        complete = "references" in case.profile.complete
        return 0, len(found.possible) if complete else None, describe(ask, "").replace("至少 1 个", "")
    if len(people) == 1 and not references and not papers:
        sure, perhaps = having_count(people[0], case)
        sure = 0 if reading.rest else sure
        return sure, perhaps if "people" in case.profile.complete else None, describe_people(people[0])
    if papers and not references and not people:
        states = [judge_paper(PaperAsk((paper,)), case).state for paper in _distinct(papers)]
        sure = 0 if _odd(text) else states.count(State.MET)
        return sure, len(states) - states.count(State.NOT_MET), "、".join(p.label for p in _distinct(papers))
    return None


def _distinct(papers: list[NamedPaper]) -> list[NamedPaper]:
    return list({paper.key: paper for paper in papers}.values())


def _for_papers(text: str, of: float, case: Case) -> Points | None:
    """ "具有甲得1分": the sum over steps; several steps for one paper are a ladder, the highest counts."""
    steps = _steps(text)
    if not steps:
        return None
    by_paper: dict[str, list[tuple[float, State, str]]] = {}
    lacks: list[Lack] = []
    for papers, points in steps:
        opinion = judge_paper(PaperAsk(papers), case)
        lacks += [opinion.lack] if opinion.lack else []
        value = of if points is None else points
        by_paper.setdefault(papers[0].key, []).append((value, opinion.state, opinion.reason))
    low = high = 0.0
    reasons: list[str] = []
    for ladder in by_paper.values():
        low += max((value for value, state, _ in ladder if state is State.MET), default=0)
        high += max((value for value, state, _ in ladder if state is not State.NOT_MET), default=0)
        reasons += dict.fromkeys(reason for _, _, reason in ladder)
    low = 0.0 if _odd(text) else min(low, of)
    high = min(max(high, low), of)
    return Points(low, high, of, f"{'；'.join(reasons)}；预计 {_range(low, high)} 分。", tuple(lacks))


@lru_cache(maxsize=1024)
def _steps(text: str) -> tuple[tuple[tuple[NamedPaper, ...], float | None], ...]:
    """(papers of which one is enough, points or None for all) each; empty when a step was not understood."""
    steps: list[tuple[tuple[NamedPaper, ...], float | None]] = []
    at = 0
    for given in _GIVES.finditer(text):
        words = text[at : given.start()]
        at = given.end()
        if re.search(r"没有|不提供|未提供|无效|其他|否则", words) and given["points"] in ("0",):
            continue
        papers = find_papers(words, certified=True)
        people = re.search(r"项目经理|负责人|人员|主管|员工", words)
        if not papers or people or (len(papers) > 1 and not _one_is_enough(words, papers)):
            return ()
        number = given["points"]
        steps.append((tuple(papers), None if number in ("满分", "标准分值") else float(number)))
    return tuple(steps)


def _one_is_enough(words: str, papers: list[NamedPaper]) -> bool:
    gaps = [words[a.end : b.start] for a, b in pairwise(papers)]
    return all(re.fullmatch(r"(?:\)|认证|证书|资质)*(?:或者?|/)(?:具有|取得)?", gap) for gap in gaps)


# Conditions on the paper that nobody checked: then nothing is sure.
_ODD = re.compile(r"范围|覆盖|包含|内容为|同时|且.{0,12}(?:满|连续)|年以上|联合体|产品|制造商|厂家|原厂|分别")


def _odd(text: str) -> bool:
    return bool(_ODD.search(text))


def _range(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g}～{high:g}"
