"""Periods of the procedure: issue to deadline, provision, clarification, prequalification, opening."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from backend.app.bidding.findings import ComplianceCheck, Regime, Verdict
from backend.app.bidding.rules.compliance import table
from backend.app.bidding.rules.compliance.case import Case, Check, Hit, N, first, hint, hits, judge, number_of
from backend.app.bidding.rules.holidays import certain_working_days, weekdays, working_days
from backend.app.bidding.rules.regime import Procedure
from backend.app.bidding.rules.values import find_dates

_BEFORE_DEADLINE = re.compile(
    rf"(?:截止[^。；，]{{0,6}}|开标前?)(?:时间)?(?:至少|前至少)?{N}(?:个)?(工作)?[日天](?:以?前|之前)"
)
_AMENDS = re.compile(r"澄清|修改|更正|补遗|答疑纪要|补充文件")
_ASKS = re.compile(
    r"疑问|提疑|收到|撤回|撤销|修改(?:其|、|和)?(?:已|所)?(?:递交的|提交的)?投标文件|要求澄清|异议|质疑|提出问题|(?:要求|请求)[^。；]{0,12}澄清|资格预审|(?:投标|供应)[人商](?:应|可|须)"
)
_REPLY_DATE = re.compile(
    r"(?:书面澄清|澄清(?:文件)?(?:发出|发布)|答疑(?:纪要|文件|澄清)?(?:发出|发布|公布)|补遗(?:书|文件)?(?:发出|发布))"
    r"[^。；，]{0,6}(?:时间|日期)[：为]"
)
_CLARIFICATION_DAYS = 15
# 磋商 and 谈判, 询价: recalled (财库〔2014〕214号, 财政部令第74号), so they are hints.
_NOTICE_DAYS = {
    Procedure.OPEN_TENDER: 15,
    Procedure.INVITED_TENDER: 15,
    Procedure.CONSULTATION: 5,
    Procedure.NEGOTIATION: 3,
    Procedure.INQUIRY: 3,
}
_PREQUALIFICATION = re.compile(
    rf"(?P<kind>停止发售|发售截止|公告发布|申请文件[^。；，]{{0,6}}截止)[^。；，]{{0,8}}?{N}个?(?P<work>工作)?[日天]"
    r"(?P<before>以?前|之前)?"
)
_NEGOTIATED = frozenset({Procedure.NEGOTIATION, Procedure.INQUIRY})


def check_bid_period(case: Case) -> Iterator[ComplianceCheck]:
    """Twenty days for tenders; ten for 磋商, three working days for 谈判 and 询价."""
    start, end = case.day("document_sale_start"), case.day("bid_deadline")
    if start is None or end is None or end < start:
        return
    days = (end - start).days
    evidence = case.sources("document_sale_start", "bid_deadline")
    detail = f"文件自 {start} 起提供，{end} 截止，间隔 {days} 日。"
    procedure = case.setting.procedure
    if procedure is Procedure.CONSULTATION:
        yield judge(case, table.CONSULTATION_PERIOD, detail, broken=days < 10, evidence=evidence)
    elif procedure in _NEGOTIATED:
        broken = days == 0 or weekdays(start, end) - 1 < 3
        yield judge(case, table.NEGOTIATION_PERIOD, detail, broken=broken, evidence=evidence)
    elif procedure.is_tender:
        yield judge(case, table.BID_PERIOD, detail, broken=days < 20, evidence=evidence)


def check_sale_period(case: Case) -> Iterator[ComplianceCheck]:
    start, end = case.day("document_sale_start"), case.day("document_sale_end")
    if start is None or end is None or end < start:
        return
    days, least = (end - start).days + 1, _least_working_days(case)
    detail = f"{start} 至 {end}，共 {days} 日，{_counted(start, end)}。"
    evidence = case.sources("document_sale_start", "document_sale_end")
    if case.regime is Regime.MANDATORY:
        yield judge(case, table.SALE_PERIOD, detail, broken=days < 5, evidence=evidence)
        return
    known = working_days(start, end)
    broken = (weekdays(start, end) if known is None else known) < least
    if not broken and certain_working_days(start, end) < least:
        detail += "其间可能有法定节假日，请按当年放假安排核对。"
        yield hint(case, table.SALE_PERIOD, Verdict.UNKNOWN, detail, evidence)
        return
    yield judge(case, table.SALE_PERIOD, detail, broken=broken, evidence=evidence)


def _counted(start: date, end: date) -> str:
    known = working_days(start, end)
    if known is None:
        return f"其中周一至周五 {weekdays(start, end)} 天（未扣除法定节假日）"
    return f"其中工作日 {known} 天（按国务院办公厅放假安排）"


def _least_working_days(case: Case) -> int:
    """Five for tenders and consultations; three for 谈判 and 询价 (财政部令第74号, not compared: hints)."""
    return 3 if case.setting.procedure in _NEGOTIATED else 5


def check_clarification_notice(case: Case) -> Iterator[ComplianceCheck]:
    """The days before the deadline by which the buyer's own amendments go out."""
    least = _NOTICE_DAYS.get(case.setting.procedure)
    if least is None:
        return
    found = [
        hit
        for hit in hits(case, _BEFORE_DEADLINE, without=_ASKS)
        if _AMENDS.search(hit.sentence) and hit.number()
    ]
    worst = min(found, key=Hit.number, default=None)
    if worst is None:
        return
    days, working = worst.number(), worst.match.group(2)
    detail = f"文件约定澄清或修改在截止 {days} {'个工作' if working else ''}日前发出。"
    if working and days < least and case.setting.procedure.is_tender:
        detail += f"法定为 {least} 日，请按日历核对。"
        yield hint(case, table.CLARIFICATION_NOTICE, Verdict.UNKNOWN, detail, (worst.quote,))
        return
    yield judge(case, table.CLARIFICATION_NOTICE, detail, broken=days < least, evidence=(worst.quote,))


def check_reply_date(case: Case) -> Iterator[ComplianceCheck]:
    """A day set for the buyer's answers fewer than fifteen days before the deadline."""
    deadline = case.day("bid_deadline")
    if deadline is None or not case.setting.procedure.is_tender:
        return
    for hit in hits(case, _REPLY_DATE):
        after = hit.passage.compact[hit.match.end() : hit.match.end() + 30]
        dates = find_dates(after)
        left = (deadline - date.fromisoformat(dates[0].day)).days if dates else None
        if left is None or not 0 <= left < _CLARIFICATION_DAYS:
            continue
        place = (hit.match.start(), hit.match.end() + dates[0].end)
        detail = (
            f"招标人定于 {dates[0].day} 澄清，距截止 {deadline} 仅 {left} 日；"
            "内容可能影响投标文件编制的，应当顺延截止时间。"
        )
        evidence = (hit.passage.span(*place), *case.sources("bid_deadline"))
        yield hint(case, table.CLARIFICATION_NOTICE, Verdict.WARNING, detail, evidence)
        return


def check_prequalification(case: Case) -> Iterator[ComplianceCheck]:
    """Days for applying, and before whose end a prequalification document may be amended."""
    for hit in hits(case, _PREQUALIFICATION):
        days = number_of(hit.match.group(2))
        amends = (
            hit.match["before"]
            and _AMENDS.search(hit.sentence)
            and not _ASKS.search(hit.sentence.replace("资格预审", ""))
        )
        applies = not hit.match["before"] and "申请文件" in hit.sentence
        if "资格预审" not in hit.sentence or not days or not (amends or applies):
            continue
        least = 3 if amends else 5
        unit = "个工作日" if hit.match["work"] else "日"
        what = "澄清、修改距提交申请文件截止" if amends else "提交申请文件的时间"
        detail = f"资格预审{what}为 {days} {unit}，法定不少于 {least} 日。"
        if case.regime is Regime.GOVERNMENT and applies:
            detail = f"资格预审{what}为 {days} {unit}，法定不少于 5 个工作日。"
        yield judge(case, table.PREQUALIFICATION, detail, broken=days < least, evidence=(hit.quote,))
        return


def check_opening(case: Case) -> Iterator[ComplianceCheck]:
    deadline, opening = case.fact("bid_deadline"), case.fact("opening_time")
    if deadline is None or opening is None:
        return
    evidence = (deadline.source, opening.source)
    width = 16 if "T" in str(deadline.value) and "T" in str(opening.value) else 10
    same = str(deadline.value)[:width] == str(opening.value)[:width]
    detail = f"截止 {_moment(deadline.value)}，开标 {_moment(opening.value)}。"
    if case.setting.procedure.is_tender:
        yield judge(case, table.OPENING_TIME, detail, broken=not same, evidence=evidence)
    elif not same:
        yield hint(case, table.OPENING_TIME, Verdict.WARNING, detail, evidence)


def _moment(value: object) -> str:
    return str(value).replace("T", " ")


def check_signing_period(case: Case) -> Iterator[ComplianceCheck]:
    hit = first(h for h in hits(case, _SIGNING) if h.number())
    if hit is None:
        return
    days, working = hit.number(), hit.match.group(2)
    detail = f"文件约定中标通知书发出后 {days} {'个工作' if working else ''}日内签订合同。"
    if working and _SURELY_WITHIN < days < _SURELY_BEYOND:
        detail += "按工作日计算，是否在 30 日内取决于节假日，请按日历核对。"
        yield hint(case, table.SIGNING_PERIOD, Verdict.UNKNOWN, detail, (hit.quote,))
        return
    broken = days > (_SURELY_WITHIN if working else 30)
    yield judge(case, table.SIGNING_PERIOD, detail, broken=broken, evidence=(hit.quote,))


_SIGNING = re.compile(
    rf"(?<!未中标)(?<!未成交)通知书》?(?:发出|收到)?(?:之日)?[起后]{N}个?(工作)?(?:日历)?[日天]内[^。；]{{0,40}}"
    r"(?:签订|订立|签署)"
)
# Working days in 30 days: even with the longest holidays 15 of them end within, and 23 never do.
_SURELY_WITHIN, _SURELY_BEYOND = 15, 23


def check_candidates(case: Case) -> Iterator[ComplianceCheck]:
    """Publication of the candidates: within three days of the report, for three days at least."""
    if case.regime is Regime.GOVERNMENT:
        return
    for hit in hits(case, _PUBLISHED):
        published, within = hit.match["for"], hit.match["within"]
        days = number_of(published or within)
        if not days:
            continue
        broken = days < 3 if published else days > 3
        what = f"公示期为 {days} 日" if published else f"收到评标报告后 {days} 日内公示"
        yield judge(
            case, table.CANDIDATES, f"文件约定中标候选人{what}。", broken=broken, evidence=(hit.quote,)
        )
        if broken:
            return


_DAYS = r"(?<![\d一二三四五六七八九十])(?:\d{1,2}|[一二三四五六七八九十]{1,3})"
_PUBLISHED = re.compile(
    rf"(?:候选人|评标结果|评审结果)[^。；]{{0,60}}?公示(?:时间|期限?)[^。；，\d后]{{0,8}}?(?P<for>{_DAYS})个?(?:工作)?[日天]"
    rf"|收到(?:书面)?评标报告之日起(?P<within>{_DAYS})个?(?:工作)?[日天]内[^。；]{{0,40}}公示"
)

PERIODS: tuple[Check, ...] = (
    check_bid_period,
    check_sale_period,
    check_clarification_notice,
    check_reply_date,
    check_prequalification,
    check_opening,
    check_signing_period,
    check_candidates,
)
