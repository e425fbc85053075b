"""References: which contracts of the list can count, and whether they are enough. Pure.

Whether a contract is "similar" is for people to say. A reference counts for sure only when the tender names
what it wants and the owner gave the reference that very keyword.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from backend.app.bidding.amounts import yuan
from backend.app.bidding.company.asks import ReferenceAsk
from backend.app.bidding.company.profile import Reference
from backend.app.bidding.company.verdicts import Case, Lack, Opinion, met, months_before, not_met, to_check

# 绿化工程 and 绿化服务 are two trades: only words that tell no trade are dropped.
_FILLING = re.compile(r"(?:服务)?(?:类)?(?:项目)?(?:的|等)?$")
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Candidates:
    """`sure`: dated, large enough and of the kind named; `possible`: those nothing speaks against."""

    sure: tuple[Reference, ...]
    possible: tuple[Reference, ...]


def candidates(ask: ReferenceAsk, what: str, case: Case) -> Candidates:
    """`what`: the words of the tender for the kind of contract; "" where it names none."""
    since = _since(ask, case)
    sure: list[Reference] = []
    possible: list[Reference] = []
    for reference in case.profile.references:
        fits = _fits(reference, ask, since, case.day)
        if fits is False:
            continue
        possible.append(reference)
        if fits and not ask.alike and not ask.personal and _named(reference, what):
            sure.append(reference)
    return Candidates(tuple(sure), tuple(possible))


def _since(ask: ReferenceAsk, case: Case) -> date | None:
    if ask.window is None:
        return None
    if ask.window.since is not None:
        return ask.window.since
    return months_before(case.day, ask.window.months or 0)


def _fits(reference: Reference, ask: ReferenceAsk, since: date | None, until: date) -> bool | None:
    """None where the profile does not say."""
    unknown = False
    day = reference.accepted_on if ask.accepted else reference.signed_on
    if day is not None and day > until:
        return False
    if since is not None:
        if day is not None and day < since:
            return False
        unknown |= day is None
    if ask.amount is not None:
        if reference.amount is not None and reference.amount < ask.amount:
            return False
        unknown |= reference.amount is None
    return None if unknown else True


def _named(reference: Reference, what: str) -> bool:
    """Whether the kind asked for is one of the owner's own keywords, but for words that say nothing."""
    if not what:
        return False
    wanted = _FILLING.sub("", what, count=1)
    return any(
        what == word or (wanted and wanted == _FILLING.sub("", word, count=1)) for word in reference.keywords
    )


def judge_references(ask: ReferenceAsk, what: str, case: Case) -> Opinion:
    asked = describe(ask, what)
    found = candidates(ask, what, case)
    if len(found.sure) >= ask.count:
        return met(f"要求{asked}：档案有 {len(found.sure)} 个（{_names(found.sure)}）")
    if ask.personal:
        return to_check(f"要求{asked}：为人员个人业绩，档案不按人登记，请准备证明材料")
    lack = Lack("missing", asked)
    if "references" in case.profile.complete and len(found.possible) < ask.count:
        return not_met(
            f"要求{asked}：档案的业绩清单（标明完整）中时间与金额符合的只有 {len(found.possible)} 个", lack
        )
    if not found.possible:
        return to_check(f"要求{asked}：档案中没有时间与金额符合的业绩，如有请补录并准备合同", lack)
    return to_check(
        f"要求{asked}：档案中时间与金额不冲突的有 {len(found.possible)} 个（{_names(found.possible)}），"
        "是否属于所要求的类型请逐个核对"
    )


def describe(ask: ReferenceAsk, what: str) -> str:
    parts = [f"{ask.window.text}的" if ask.window else ""]
    parts.append("类似业绩" if ask.alike else f"“{what}”业绩" if what else "业绩")
    parts.append(f"至少 {ask.count} 个")
    if ask.amount is not None:
        parts.append(f"、单项合同不低于 {yuan(ask.amount)}")
    return "".join(parts)


def _names(references: Sequence[Reference]) -> str:
    shown = "、".join(_shown(references[:_MOST_NAMED]))
    return shown + (" 等" if len(references) > _MOST_NAMED else "")


def _shown(references: Iterable[Reference]) -> Iterable[str]:
    for reference in references:
        facts = [str(reference.signed_on)] if reference.signed_on else []
        facts += [yuan(reference.amount)] if reference.amount is not None else []
        yield f"{reference.project}{'，' if facts else ''}{'，'.join(facts)}"
