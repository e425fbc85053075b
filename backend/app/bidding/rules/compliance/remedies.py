"""Objections (异议), challenges (质疑) and complaints (投诉): their periods, and rights that are waived."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backend.app.bidding.findings import ComplianceCheck, Regime, Verdict
from backend.app.bidding.rules.compliance import table
from backend.app.bidding.rules.compliance.case import (
    Case,
    Check,
    Hit,
    N,
    first,
    hint,
    hits,
    judge,
    number_of,
    quotes,
)

_OBJECTION = re.compile(
    rf"对招标文件(?:的内容)?[^。；，]{{0,4}}(?:有|的)?异议[^。；]{{0,24}}截止[^。；，]{{0,6}}?{N}个?(工作)?[日天](?:以?前|之前)"
)
_OBJECTION_REPLY = re.compile(
    rf"收到[^。；，]{{0,8}}异议(?:之日起|后){N}个?(工作)?[日天]内[^。；]{{0,12}}(?:答复|回复)"
)
_CHALLENGE = re.compile(
    rf"质疑[^。；]{{0,60}}之日起{N}个?(工作)?日[^。；]{{0,6}}(?:内|，|向)"
    rf"|之日起{N}个?(工作)?日内?[^。；]{{0,40}}(?:提出|提起)[^。；]{{0,6}}质疑"
)
_CHALLENGE_BEFORE = re.compile(
    rf"对(?:招标|采购|磋商|谈判|询价)文件[^。；，]{{0,8}}质疑[^。；]{{0,16}}截止[^。；，]{{0,6}}?{N}个?(工作)?[日天](?:以?前|之前)"
)
_REPLY = re.compile(
    rf"收到[^。；]{{0,16}}质疑(?:函|书)?[^。；，]{{0,4}}(?:之日起|后)?{N}个?(工作)?[日天]内[^。；]{{0,24}}(?:答复|回复)"
    rf"|质疑答复[^。；]{{0,24}}收到质疑函?后{N}个?(工作)?[日天]内"
)
_COMPLAINT = re.compile(rf"答复期(?:满|限届满)[^。；，]{{0,6}}?{N}个?(工作)?[日天]内[^。；]{{0,60}}投诉")
_TENDER_COMPLAINT = re.compile(rf"应当知道之日起{N}个?(工作)?[日天]内[^。；]{{0,30}}投诉")
_WAIVER = re.compile(
    r"(?<!视为)(?<!视作)(?<!视同)放弃[^。；，]{0,24}(?:质疑|异议|投诉)[^。；，]{0,8}权|"
    r"放弃(?:对[^。；，]{2,16})?(?:提出)?(?:询问|异议|质疑|投诉)[和与、及]?(?:质疑|投诉|异议)?的?一切权利"
)
_ANSWERS = re.compile(r"答复|回复|作出|受理|处理|补正")
_SEVEN = 7
# Seven working days last nine days or longer; the longest holidays stretch fifteen of them to about thirty.
_CALENDAR_DAYS_OF_SEVEN, _SURELY_SHORT_OF_FIFTEEN, _SURELY_PAST_SEVEN = 9, 19, 18


def check_objection(case: Case) -> Iterator[ComplianceCheck]:
    """Objections are open until ten days before the deadline, answers come within three days."""
    asked = first(hits(case, _OBJECTION))
    if asked is not None and asked.number() and not asked.match.group(2):
        days = asked.number()
        detail = f"对招标文件的异议须在截止 {days} 日前提出（法定为 10 日前）。"
        yield judge(case, table.OBJECTION, detail, broken=days > 10, evidence=(asked.quote,))
    reply = first(hits(case, _OBJECTION_REPLY))
    if reply is None or not reply.number():
        return
    days, working = reply.number(), reply.match.group(2)
    detail = f"异议在 {days} {'个工作' if working else ''}日内答复（法定为 3 日）。"
    if working and days <= 3:
        if case.regime is Regime.MANDATORY:
            yield hint(case, table.OBJECTION, Verdict.UNKNOWN, detail + "请按日历核对。", (reply.quote,))
        return
    yield judge(case, table.OBJECTION, detail, broken=days > 3, evidence=(reply.quote,))


def check_challenge_period(case: Case) -> Iterator[ComplianceCheck]:
    if case.regime is not Regime.GOVERNMENT:
        return
    if (found := _challenge_period(case)) is not None:
        yield _challenge(case, found)
    if (before := first(hits(case, _CHALLENGE_BEFORE))) is not None and before.number():
        detail = (
            f"对采购文件的质疑限于截止 {before.number()} 日前提出，"
            "可能短于收到文件或公告期限届满之日起七个工作日，请核对。"
        )
        yield hint(case, table.CHALLENGE_PERIOD, Verdict.WARNING, detail, (before.quote,))


def _challenge(case: Case, found: Hit) -> ComplianceCheck:
    groups = found.match.groups()
    days, working = number_of(groups[0] or groups[2]), groups[1] or groups[3]
    detail = f"文件约定的质疑期限为 {days} {'个工作日' if working else '日'}。"
    if not working and days >= _CALENDAR_DAYS_OF_SEVEN:
        detail += "是否不短于七个工作日取决于节假日，请按日历核对。"
        return hint(case, table.CHALLENGE_PERIOD, Verdict.UNKNOWN, detail, (found.quote,))
    broken = not working or days < _SEVEN
    return judge(case, table.CHALLENGE_PERIOD, detail, broken=broken, evidence=(found.quote,))


def _challenge_period(case: Case) -> Hit | None:
    """Within which time to challenge; not within which time a challenge is answered."""
    for hit in hits(case, _CHALLENGE):
        groups = hit.match.groups()
        after = re.split(r"[。；]", hit.passage.compact[hit.match.end() :], maxsplit=1)[0]
        if number_of(groups[0] or groups[2]) and not _ANSWERS.search(hit.match.group() + after):
            return hit
    return None


def check_challenge_reply(case: Case) -> Iterator[ComplianceCheck]:
    hit = first(h for h in hits(case, _REPLY) if h.number())
    if hit is None or case.regime is not Regime.GOVERNMENT:
        return
    days, working = hit.number(), hit.match.group(2) or hit.match.group(4)
    detail = f"文件约定质疑在 {days} {'个工作' if working else ''}日内答复。"
    if not working and _SEVEN < days <= _SURELY_PAST_SEVEN:
        detail += "是否超过七个工作日取决于节假日，请按日历核对。"
        yield hint(case, table.CHALLENGE_REPLY, Verdict.UNKNOWN, detail, (hit.quote,))
        return
    yield judge(case, table.CHALLENGE_REPLY, detail, broken=days > _SEVEN, evidence=(hit.quote,))


def check_complaint(case: Case) -> Iterator[ComplianceCheck]:
    """Fifteen working days after the reply under the procurement law, ten days under the tender law."""
    if case.regime is Regime.GOVERNMENT:
        hit = first(h for h in hits(case, _COMPLAINT) if h.number())
        if hit is None:
            return
        days, working = hit.number(), hit.match.group(2)
        detail = (
            f"文件约定的投诉期限为答复期满后 {days} {'个工作' if working else ''}日（法定为 15 个工作日）。"
        )
        if not working and days >= _SURELY_SHORT_OF_FIFTEEN:
            yield hint(
                case, table.SUPERVISOR_COMPLAINT, Verdict.UNKNOWN, detail + "请按日历核对。", (hit.quote,)
            )
            return
        broken = days < 15 or not working
        yield judge(case, table.SUPERVISOR_COMPLAINT, detail, broken=broken, evidence=(hit.quote,))
        return
    hit = first(h for h in hits(case, _TENDER_COMPLAINT) if h.number() and not h.match.group(2))
    if hit is not None:
        detail = f"文件约定自知道或者应当知道之日起 {hit.number()} 日内投诉（法定为 10 日）。"
        yield judge(case, table.SUPERVISOR_COMPLAINT, detail, broken=hit.number() < 10, evidence=(hit.quote,))


def check_waiver(case: Case) -> Iterator[ComplianceCheck]:
    """The bid letter makes bidders give up the right to challenge."""
    found = quotes(hits(case, _WAIVER, forms=True))
    if found:
        detail = "文件要求投标人放弃询问、质疑或异议的权利，与法定救济权利不符。"
        yield judge(case, table.CHALLENGE_WAIVER, detail, broken=True, evidence=found)


REMEDIES: tuple[Check, ...] = (
    check_objection,
    check_challenge_period,
    check_challenge_reply,
    check_complaint,
    check_waiver,
)
