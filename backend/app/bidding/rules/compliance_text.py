"""Compliance checks that read the clauses themselves: periods, conditions, contradictions."""

from __future__ import annotations

import re
from datetime import date

from backend.app.bidding.findings import ComplianceCheck, Regime, Span, Tab, Verdict
from backend.app.bidding.rules import statutes
from backend.app.bidding.rules.compliance import CHECKS, Case, Check, first_match, hint, judge, number_of
from backend.app.bidding.rules.passages import Passage
from backend.app.bidding.rules.zones import Zone

_N = r"(\d{1,3}|[一二三四五六七八九十]{1,3})"
_SIGNING = re.compile(rf"通知书》?(?:发出|收到)?之日起{_N}(?:个)?(工作)?[日天]内[^。；]{{0,24}}签订")
_CHALLENGE = re.compile(
    rf"质疑[^。；]{{0,60}}之日起{_N}个?(工作)?日[^。；]{{0,6}}(?:内|，|向)"
    rf"|之日起{_N}个?(工作)?日内?[^。；]{{0,40}}(?:提出|提起)[^。；]{{0,6}}质疑"
)
_WEEKDAY = re.compile(
    r"(20\d\d)(?:年|[-/.])(\d{1,2})(?:月|[-/.])(\d{1,2})日?[（(，]?(?:星期|周|礼拜)([一二三四五六日天])"
)
_DAYS_BEFORE = re.compile(
    rf"(?:截止[日期时间]{{0,3}}|开标(?:前)?){_N}[日天](?:以?前|之前)"
    rf"|截止[^。；，]{{0,8}}前{_N}[日天](?:以?前|收到|提出|，)"
)
_SCALE = re.compile(
    r"(?:注册|实缴|缴纳的?)(?:资本|资金)|资产总额|净资产|营业(?:收入|额)|从业人员|净利润|纳税(?:总)?(?:金)?额"
)
_SCALE_CONDITION = re.compile(r"不(?:得)?(?:少|低)于|以上|≥|达到|排序|排名|由大至小|\d+万")
_SME_STANDARD = re.compile(r"中小微?型?企业|划型|小型企业|微型企业|罚款|声明函|制造商|填报")
_PAYMENT = re.compile(
    rf"(?:在|于|后|起)?{_N}个?(工作)?[日天](?:之?内|以内)[^。；]{{0,20}}(?:支付|付款|付清|转账|划付)"
)
_FAR = 60
# Working days in 30 days: even with the longest holidays 15 of them end within, and 23 never do.
_SURELY_WITHIN, _SURELY_BEYOND = 15, 23
_WORKING_DAYS_TO_CHALLENGE, _CALENDAR_DAYS_OF_SEVEN = 7, 9  # seven working days last nine days or longer
_ANSWERS = re.compile(r"答复|回复|作出|受理|处理|补正")


def check_signing_period(case: Case) -> ComplianceCheck | None:
    found = first_match(case, _SIGNING)
    if found is None:
        return None
    match, passage = found
    days = number_of(match.group(1))
    unit = "个工作日" if match.group(2) else "日"
    detail = f"文件约定中标通知书发出后 {days} {unit}内签订合同。"
    evidence = (passage.span(*match.span()),)
    if match.group(2) and _SURELY_WITHIN < days < _SURELY_BEYOND:
        detail += "按工作日计算，是否在 30 日内取决于节假日，请按日历核对。"
        return hint(statutes.SIGNING_PERIOD, Verdict.UNKNOWN, detail, evidence)
    return judge(case, statutes.SIGNING_PERIOD, detail, broken=days > _days_allowed(match), evidence=evidence)


def _days_allowed(match: re.Match[str]) -> int:
    return _SURELY_WITHIN if match.group(2) else 30


def check_challenge_period(case: Case) -> ComplianceCheck | None:
    found = _challenge_period(case)
    if found is None or case.setting.regime is not Regime.GOVERNMENT:
        return None
    match, passage = found
    days = number_of(match.group(1) or match.group(3))
    working = match.group(2) or match.group(4)
    detail = f"文件约定的质疑期限为 {days} {'个工作日' if working else '日'}。"
    evidence = (passage.span(*match.span()),)
    if not working and days >= _CALENDAR_DAYS_OF_SEVEN:
        detail += "是否不短于七个工作日取决于节假日，请按日历核对。"
        return hint(statutes.CHALLENGE_PERIOD, Verdict.UNKNOWN, detail, evidence)
    broken = not working or days < _WORKING_DAYS_TO_CHALLENGE
    return judge(case, statutes.CHALLENGE_PERIOD, detail, broken=broken, evidence=evidence)


def _challenge_period(case: Case) -> tuple[re.Match[str], Passage] | None:
    """Within which time to challenge; not within which time a challenge is answered."""
    for passage in case.passages:
        for match in _CHALLENGE.finditer(passage.compact):
            after = re.split(r"[。；]", passage.compact[match.end() :], maxsplit=1)[0]
            if number_of(match.group(1) or match.group(3)) and not _ANSWERS.search(match.group() + after):
                return match, passage
    return None


def check_weekdays(case: Case) -> ComplianceCheck | None:
    wrong: list[Span] = []
    details: list[str] = []
    for passage in case.passages:
        for match in _WEEKDAY.finditer(passage.compact):
            try:
                day = date(int(match.group(1)), int(match.group(2)), int(match.group(3)))
            except ValueError:
                continue
            written = "一二三四五六日".index(match.group(4).replace("天", "日"))
            if day.weekday() != written:
                wrong.append(passage.span(*match.span()))
                details.append(f"{day} 应为星期{'一二三四五六日'[day.weekday()]}")
    if not wrong:
        return None
    return hint(
        statutes.WEEKDAY, Verdict.WARNING, f"日期与星期不符：{'；'.join(details[:3])}。", tuple(wrong[:3])
    )


def check_clarification_window(case: Case) -> ComplianceCheck | None:
    """Questions due so many days before the deadline must still be possible after the documents are out."""
    start, end = case.day("document_sale_start"), case.day("bid_deadline")
    if start is None or end is None:
        return None
    for passage in case.passages:
        if not re.search(r"澄清|疑问|答疑|疑义", passage.compact):
            continue
        match = _DAYS_BEFORE.search(passage.compact)
        if match is None:
            continue
        days = number_of(next(g for g in match.groups() if g))
        if days and (end - start).days < days:
            left = (end - start).days
            detail = f"要求在截止前 {days} 日提出澄清，但文件 {start} 才开始提供，距截止仅 {left} 日。"
            evidence = (passage.span(*match.span()), *case.sources("document_sale_start", "bid_deadline"))
            return hint(statutes.CLARIFICATION_WINDOW, Verdict.WARNING, detail, evidence)
    return None


def check_scale_conditions(case: Case) -> ComplianceCheck | None:
    """Capital, assets, income, staff, profit or tax as a condition or a scoring factor."""
    evidence: list[Span] = []
    for row in case.scores:
        text = row.criterion.compact
        if (
            (found := _SCALE.search(text))
            and _SCALE_CONDITION.search(text)
            and not _SME_STANDARD.search(text)
        ):
            evidence.append(row.criterion.span(*found.span()))
    for passage in case.passages:
        if passage.zone not in (Zone.NOTICE, Zone.INSTRUCTIONS) or len(evidence) >= 5:
            continue
        text = passage.compact
        found = _SCALE.search(text)
        if found is None or _SME_STANDARD.search(text):
            continue
        if _SCALE_CONDITION.search(text, found.start(), found.start() + 40):
            evidence.append(passage.span(*found.span()))
    if not evidence:
        return None
    detail = (
        "文件把注册（实缴）资本、资产、收入、人员、利润或纳税额等规模指标用作资格或评分条件，可能限制竞争。"
    )
    # Whether a figure is a condition takes reading: the rule alone never calls it a violation.
    statute = statutes.SCALE_CONDITIONS.laws.get(case.setting.regime)
    return ComplianceCheck(
        statutes.SCALE_CONDITIONS.id,
        Verdict.WARNING,
        statutes.SCALE_CONDITIONS.title,
        detail,
        statute.cite if statute else "",
        tuple(evidence[:5]),
    )


def check_payment_term(case: Case) -> ComplianceCheck | None:
    for passage in case.passages:
        if passage.zone is Zone.FORMS and not re.search("甲方|买方|采购人", passage.compact):
            continue
        match = _PAYMENT.search(passage.compact)
        if match is None or re.search(
            r"保证金|违约金|服务费.{0,6}代理|代理机构", passage.compact[: match.end()][-60:]
        ):
            continue
        days = number_of(match.group(1))
        if days > _FAR or (match.group(2) and days > _FAR * 5 // 7):
            unit = "个工作日" if match.group(2) else "日"
            detail = f"约定 {days} {unit}内付款，中标人为中小企业时请核对付款期限是否过长。"
            statute = statutes.PAYMENT_TERM.laws.get(case.setting.regime)
            return ComplianceCheck(
                statutes.PAYMENT_TERM.id,
                Verdict.WARNING,
                statutes.PAYMENT_TERM.title,
                detail,
                statute.cite if statute else "",
                (passage.span(*match.span()),),
            )
    return None


def check_date_conflict(case: Case) -> ComplianceCheck | None:
    """The deadline written with different times in different places."""
    deadline = case.fact("bid_deadline")
    if deadline is None or "T" not in str(deadline.value):
        return None
    others = [
        f
        for f in case.findings
        if f.tab is Tab.BID_TIMELINE
        and f.milestone == "投标截止/递交时间"
        and f.date is not None
        and "T" in f.date
        and f.date != deadline.value
        and f.date[:10] != str(deadline.value)[:10]
        and f.title == f.milestone
    ]
    if not others:
        return None
    dates = "、".join(sorted({str(f.date) for f in others}))
    detail = f"投标截止时间除 {deadline.value} 外还出现 {dates}，请核实。"
    return hint(
        statutes.DATE_CONFLICT, Verdict.WARNING, detail, (deadline.source, *(f.span for f in others[:3]))
    )


TEXT_CHECKS: tuple[Check, ...] = (
    check_signing_period,
    check_challenge_period,
    check_weekdays,
    check_clarification_window,
    check_scale_conditions,
    check_payment_term,
    check_date_conflict,
)


def check_compliance(case: Case) -> tuple[ComplianceCheck, ...]:
    """All checks that have something to say, in the order of `statutes.RULES`."""
    found = [result for check in (*CHECKS, *TEXT_CHECKS) if (result := check(case)) is not None]
    order = {rule.id: n for n, rule in enumerate(statutes.RULES)}
    return tuple(sorted(found, key=lambda result: order[result.rule]))
