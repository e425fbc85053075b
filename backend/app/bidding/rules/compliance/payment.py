"""Payment: how late, on whose money it waits, and whether its shares add up."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backend.app.bidding.findings import ComplianceCheck, Regime, Verdict
from backend.app.bidding.rules.compliance import table
from backend.app.bidding.rules.compliance.case import Case, Check, N, first, hint, hits, judge, quotes
from backend.app.bidding.rules.values import find_percents
from backend.app.bidding.rules.zones import Zone

_PAYMENT = re.compile(
    rf"(?:在|于|后|起)?{N}个?(工作)?[日天](?:之?内|以内)[^。；]{{0,20}}(?:支付|付款|付清|转账|划付)"
)
_NOT_FOR_WORK = re.compile(r"保证金|违约金|代理服务费|代理机构|赔偿|罚款|工资")
_BUYER = re.compile(r"甲方|买方|采购人|发票|验收")
_FAR, _FAR_WORKING = 60, 42
_RESERVED = re.compile(r"(?<!非)专门面向中小(?:微)?企业采购")
_WAITS = re.compile(
    r"(?:财政|上级|资金|拨款|专项|业主|建设单位|总包|第三方|专款)[^。；，]{0,14}"
    r"(?:未到位|未(?:能)?拨付(?:到位)?|不到位|未下达|未支付)[^。；]{0,40}(?:顺延|推迟|延期|延后|不承担|不得追究|不视为)"
    r"|(?:业主|建设单位|总包(?:方)?|第三方|最终用户)[^。；，]{0,8}(?:付款|支付|拨款)(?:到账)?后[^。；]{0,24}(?:支付|付款)"
    r"|(?:国库|财政)[^。；，]{0,12}(?:审批|支付)[^。；，]{0,8}(?:导致|原因|造成)[^。；，]{0,6}除外"
)
_PAYS = re.compile(r"支付|预付|付款|付合同|付至")
_STEP = re.compile(r"(?:支付|预付|付款?)(?!至|到|比例)[^。；%至达]{0,14}?$|剩余(?:的)?$|余款(?:的)?$")
_CUMULATIVE = re.compile(r"至(?:合同[^%。；]{0,10})?\d{1,3}(?:\.\d+)?%|付清|结清|余款(?!\d)|剩余款|尾款")
_OTHER_SHARE = re.compile(r"违约|扣|罚|利率|增值税|税率|保证金|承兑|发票")
_WHOLE = 100.0


def check_payment_term(case: Case) -> Iterator[ComplianceCheck]:
    """Later than sixty days: binding when the supplier is small, which is certain only when it must be."""
    for hit in hits(case, _PAYMENT, forms=True):
        if hit.passage.zone is Zone.FORMS and not _BUYER.search(hit.passage.compact):
            continue
        if _NOT_FOR_WORK.search(hit.passage.compact[: hit.match.end()][-60:]):
            continue
        days, working = hit.number(), hit.match.group(2)
        if days <= (_FAR_WORKING if working else _FAR):
            continue
        detail = f"约定 {days} {'个工作日' if working else '日'}内付款，超过 60 日；"
        if first(hits(case, _RESERVED)) and case.regime is Regime.GOVERNMENT and not working:
            detail += "本项目专门面向中小企业。"
            yield judge(case, table.PAYMENT_TERM, detail, broken=True, evidence=(hit.quote,))
        else:
            detail += "中标人为中小企业时请核对付款期限是否过长。"
            yield hint(case, table.PAYMENT_TERM, Verdict.WARNING, detail, (hit.quote,))
        return


def check_pay_when_paid(case: Case) -> Iterator[ComplianceCheck]:
    if found := quotes(hits(case, _WAITS)):
        detail = (
            "付款以财政、上级资金到位或第三方付款为前提，或因此免除逾期责任，"
            "对中小企业可能构成不合理的付款条件。"
        )
        yield hint(case, table.PAY_WHEN_PAID, Verdict.WARNING, detail, found[:3])


def check_payment_shares(case: Case) -> Iterator[ComplianceCheck]:
    """Shares that are each a part of the price and together not all of it."""
    read: set[int] = set()
    for hit in hits(case, _PAYS):
        passage, text = hit.passage, hit.passage.compact
        if passage.index in read:
            continue
        read.add(passage.index)
        if "付款" not in passage.label + text or _CUMULATIVE.search(text):
            continue
        steps = [p for p in find_percents(text) if _is_step(text, p.start)]
        total = sum(float(p.value) for p in steps)
        if len(steps) < 2 or abs(total - _WHOLE) < 1e-6 or not 50 < total < 150:
            continue
        place = passage.span(max(0, steps[0].start - 30), min(len(text), steps[-1].end + 10))
        detail = f"付款比例 {'、'.join(f'{p.value:g}%' for p in steps)} 之和为 {total:g}%，请核对。"
        yield hint(case, table.PAYMENT_SHARES, Verdict.WARNING, detail, (place,))
        return


def _is_step(text: str, at: int) -> bool:
    clause = re.split(r"[。；，]", text[max(0, at - 60) : at])[-1]
    return _STEP.search(clause[-24:]) is not None and not _OTHER_SHARE.search(clause)


PAYMENT: tuple[Check, ...] = (check_payment_term, check_pay_when_paid, check_payment_shares)
