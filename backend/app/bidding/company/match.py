"""A result of the analysis matched with a company profile: what is met, what is not, what to check. Pure.

"met" is said only when every word of the quoted requirement was understood and the profile shows it all;
"not_met" only when the profile contradicts it; everything else is "to_check" with what to look at. An item
that asks nothing of the company gets no match at all. See docs/company.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from backend.app.bidding.company.asks import (
    AccountsAsk,
    Ask,
    ConsortiumAsk,
    DeclarationAsk,
    FigureAsk,
    PaperAsk,
    PeopleAsk,
    Reading,
    ReferenceAsk,
    RegionAsk,
    SetAsideAsk,
)
from backend.app.bidding.company.match_papers import judge_paper
from backend.app.bidding.company.match_people import judge_people
from backend.app.bidding.company.match_references import judge_references
from backend.app.bidding.company.match_standing import (
    judge_accounts,
    judge_consortium,
    judge_declaration,
    judge_figure,
    judge_region,
    judge_set_aside,
    judge_statute,
)
from backend.app.bidding.company.points import Points, expect
from backend.app.bidding.company.profile import Profile
from backend.app.bidding.company.reading import read_requirement
from backend.app.bidding.company.verdicts import Case, Lack, Opinion, State, to_check

HARD, SCORING = "hard_requirements", "scoring_items"
_LONGEST_KIND = 16  # characters of the words that may name a kind of contract


@dataclass(frozen=True, slots=True)
class Match:
    state: State
    reason: str
    lacks: tuple[Lack, ...] = ()

    def as_json(self) -> dict[str, str]:
        return {"state": self.state.value, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Matches:
    """By item id. `points`: of the scoring rows that carry points, None where they cannot be computed."""

    items: Mapping[str, Match]
    points: Mapping[str, Points | None]


def match_result(result: Mapping[str, Any], profile: Profile, *, today: date) -> Matches:
    """Match the hard requirements and the scoring rows of a `bidding_analysis` result."""
    case = _case(result, profile, today)
    items: dict[str, Match] = {}
    points: dict[str, Points | None] = {}
    for tab in result.get("tabs", ()):
        for item in tab["items"]:
            if tab["id"] == HARD:
                found = match_requirement(item["source_excerpt"], case)
            elif tab["id"] == SCORING and item.get("points"):
                points[item["id"]] = expect(item["source_excerpt"], float(item["points"]), case)
                found = _match_points(points[item["id"]])
            else:
                continue
            if found is not None:
                items[item["id"]] = found
    return Matches(items, points)


def match_requirement(excerpt: str, case: Case) -> Match | None:
    """None where the excerpt asks nothing of the company itself."""
    reading = read_requirement(excerpt)
    if not reading.asks:
        return None
    opinions = [_judge(ask, reading, case) for ask in reading.asks]
    lacks = tuple(opinion.lack for opinion in opinions if opinion.lack is not None)
    reason = "；".join(dict.fromkeys(opinion.reason for opinion in opinions))
    states = {opinion.state for opinion in opinions}
    rest = _rest(reading, opinions)
    if State.NOT_MET in states and not (reading.conditional or reading.product):
        return Match(State.NOT_MET, _closed(reason), lacks)
    if states == {State.MET} and not (rest or reading.conditional or reading.product):
        return Match(State.MET, _closed(reason), lacks)
    return Match(State.TO_CHECK, _closed(reason + _remark(reading, rest)), lacks)


def _judge(ask: Ask, reading: Reading, case: Case) -> Opinion:
    match ask:
        case PaperAsk():
            return judge_paper(ask, case)
        case ReferenceAsk():
            return judge_references(ask, _kind_of_contract(reading), case)
        case PeopleAsk():
            opinion = judge_people(ask, case)
            # A role nobody knows may stand between the credentials: then no one needs to have them all.
            unsure = opinion.state is State.NOT_MET and len(ask.credentials) > 1 and reading.rest
            return to_check(opinion.reason, opinion.lack) if unsure else opinion
        case FigureAsk():
            return judge_figure(ask, case)
        case DeclarationAsk():
            return judge_declaration(ask, case)
        case SetAsideAsk():
            return judge_set_aside(ask, case)
        case ConsortiumAsk():
            return judge_consortium(case)
        case AccountsAsk():
            return judge_accounts(ask, case)
        case RegionAsk():
            return judge_region(ask, case)
        case _:
            return judge_statute(case)


def _kind_of_contract(reading: Reading) -> str:
    """Beside references alone, what is left of a short sentence names the kind of contract."""
    alone = len(reading.asks) == 1 and len(reading.rest) <= _LONGEST_KIND
    return reading.rest if alone else ""


def _rest(reading: Reading, opinions: list[Opinion]) -> str:
    """What nobody understood. The kind of contract was, where references of that kind were found."""
    if isinstance(reading.asks[0], ReferenceAsk) and opinions[0].state is State.MET:
        return reading.rest.removeprefix(_kind_of_contract(reading))
    return reading.rest


def _remark(reading: Reading, rest: str) -> str:
    if reading.conditional:
        return "；原文附有条件或可选情形，请核对是否适用"
    if reading.product:
        return "；原文可能针对所投产品，请核对"
    if rest:
        return "；原文另有未能自动核对的内容，请对照原文"
    return ""


def _closed(reason: str) -> str:
    return reason + "。"


def _match_points(points: Points | None) -> Match | None:
    if points is None:
        return None
    if points.least >= points.of:
        return Match(State.MET, points.reason)
    if points.most <= 0:
        return Match(State.NOT_MET, points.reason, points.lacks)
    return Match(State.TO_CHECK, points.reason, points.lacks)


def _case(result: Mapping[str, Any], profile: Profile, today: date) -> Case:
    facts = result.get("facts") or {}
    deadline = _deadline(facts.get("bid_deadline"))
    project = str((facts.get("project_name") or {}).get("value") or "")
    return Case(profile, deadline or today, today, deadline is not None, work=_work(project))


def _deadline(fact: Mapping[str, Any] | None) -> date | None:
    try:
        return date.fromisoformat(str(fact["value"])[:10]) if fact else None
    except ValueError:
        return None


def _work(project: str) -> str:
    """The kind of purchase by the project's name; "" unless the name says it plainly."""
    if any(word in project for word in ("设备采购", "货物", "器材", "物资", "家具", "车辆采购")):
        return "goods"
    if any(word in project for word in ("施工", "工程总承包", "修缮工程", "改造工程")):
        return "works"
    if any(word in project for word in ("服务", "物业", "保洁", "运维", "外包", "咨询")):
        return "service"
    return ""
