"""Other facts that stand differently in two places: validity, number, name, party, site visit, disputes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from backend.app.bidding.findings import ComplianceCheck, Span, Verdict
from backend.app.bidding.rules.compliance import table
from backend.app.bidding.rules.compliance.case import Case, Check, first, hint, hits, number_of
from backend.app.bidding.rules.values import find_dates
from backend.app.bidding.rules.zones import Zone

_VALIDITY = re.compile(
    r"(?:投标|响应|磋商|谈判|应答|报价)(?:文件)?(?:的)?有效期(?:限)?[^。；，后前]{0,24}?(?<![\d.])(\d{2,3})(?:个)?(?:日历|自然)?[日天]"
)
_NOT_VALIDITY = re.compile(r"保证金|保函|延长|不足|少于|短于|质疑")
_CODE = re.compile(r"(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9]{1,}[-—][A-Za-z0-9\-—]{4,}")
_CODE_HEAD = re.compile(r"(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9]+[-—]$")
_CODE_REST = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-—]{3,}")
_LEAST_CODE = 8
_NAME = re.compile(r"(?:采购|招标)?项目名称[：]([^：；。，（）]{6,60})(?=$|[；。，（])")
_PARTY = re.compile(
    r"(?:甲方|买方|采购人|发包人)(?:（[^）]{0,12}）)?[：]([一-鿿（）]{4,30})(?=$|[；。，]|地址|统一)"
)
_ORGANISATION = re.compile(
    r"(?:公司|局|院|校|中心|委员会|大学|中学|小学|学院|馆|所|处|政府|站|部|队|银行|医院|集团|厂|署|办)$"
)
_NO_VISIT = re.compile(
    r"不(?:统一|集中|予)?组织[^。；，]{0,8}(?:踏勘|考察|勘察)|(?:踏勘|考察|勘察)(?:现场)?[^。；，]{0,12}[：（](?:本项目)?(?:不组织|不统一组织|不集中组织|否|不适用|无)(?=$|[。；，）])"
)
_IF_VISIT = re.compile(r"组织[^。；，]{0,10}的[，：]|如(?!下)")
_VISIT = re.compile(r"(?:踏勘|现场考察|现场勘察)")
_COURT = re.compile(r"(?:向|由|提请)[^。；，□]{1,24}(?:人民法院|法院)[^。；，]{0,6}(?:诉讼|起诉|管辖|解决)")
_ARBITRATION = re.compile(r"(?:提请|提交|向)[一-鿿]{2,10}仲裁委员会[^。；，]{0,8}仲裁")
_EITHER = re.compile(r"或(?:者)?(?:向|提请|提交|申请|由|仲裁)|下列第|以下第|选择|□|任选")
_VISIT_ZONES = frozenset({Zone.NOTICE, Zone.INSTRUCTIONS, Zone.REQUIREMENTS, Zone.OTHER})


def check_validity(case: Case) -> Iterator[ComplianceCheck]:
    """The validity of bids in another number of days, forms included: bidders copy those."""
    fact = case.fact("bid_validity_days")
    if fact is None:
        return
    for hit in hits(case, _VALIDITY, without=_NOT_VALIDITY, forms=True):
        days = number_of(hit.match.group(1))
        if days != fact.value and days >= 15:
            detail = f"投标有效期一处为 {fact.value} 天，另一处为 {days} 天，请核对。"
            yield hint(case, table.VALIDITY_CONFLICT, Verdict.WARNING, detail, (fact.source, hit.quote))
            return


def check_number(case: Case) -> Iterator[ComplianceCheck]:
    """A number of the same build that differs in its digits: the rest of another tender, as a rule."""
    fact = case.fact("project_number")
    if fact is None or len(str(fact.value)) < _LEAST_CODE:
        return
    own = _plain(str(fact.value))
    build = _build(own)
    for written, span in _codes(case):
        code = _plain(written)
        if code != own and _build(code) == build and _letters(code) == _letters(own):
            detail = f"项目编号为 {fact.value}，另一处写作 {written}，可能是其他项目的残留，请核对。"
            yield hint(case, table.NUMBER_CONFLICT, Verdict.WARNING, detail, (fact.source, span))
            return


def _codes(case: Case) -> Iterator[tuple[str, Span]]:
    """What looks like a number with letters, also where a line break stands behind its hyphen."""
    for hit in hits(case, _CODE, forms=True):
        yield hit.match.group(), hit.passage.span(*hit.match.span())
    for passage, below in pairwise(case.passages):
        head, rest = _CODE_HEAD.search(passage.compact), _CODE_REST.match(below.compact)
        if head and rest:
            start, end = passage.span(*head.span()).start, below.span(*rest.span()).end
            yield head.group() + rest.group(), Span(start, end)


def _plain(code: str) -> str:
    return re.sub(r"[\s—－_]", "-", code).upper()


def _build(code: str) -> str:
    return re.sub(r"\d", "9", code)


def _letters(code: str) -> str:
    return re.sub(r"[^A-Z]", "", code)


def check_name(case: Case) -> Iterator[ComplianceCheck]:
    """The project's name with a few other characters elsewhere; wholly other names are other projects."""
    fact = case.fact("project_name")
    if fact is None:
        return
    own = _letters_of(str(fact.value))
    for hit in hits(case, _NAME, zones=frozenset({Zone.NOTICE, Zone.INSTRUCTIONS, Zone.OTHER})):
        other = _letters_of(hit.match.group(1))
        if own in other or other in own or not _nearly(own, other):
            continue
        detail = f"项目名称一处为“{fact.value}”，另一处为“{hit.match.group(1)}”，请核对。"
        evidence = (fact.source, hit.passage.span(*hit.match.span(1)))
        yield hint(case, table.NAME_CONFLICT, Verdict.WARNING, detail, evidence)
        return


def _letters_of(text: str) -> str:
    return re.sub(r"[\W_]", "", text)


def _nearly(one: str, other: str) -> bool:
    """Most characters are shared, so it is meant to be the same name."""
    shared = len(set(one) & set(other))
    return shared >= 0.7 * max(len(set(one)), len(set(other)))


def check_party(case: Case) -> Iterator[ComplianceCheck]:
    """The contract names another body than the purchaser."""
    fact = case.fact("purchaser")
    if fact is None:
        return
    own = _letters_of(str(fact.value))
    for hit in hits(case, _PARTY, zones=frozenset({Zone.CONTRACT})):
        name = hit.match.group(1)
        other = _letters_of(name)
        if other == own or other in own or not _ORGANISATION.search(name) or len(set(own) & set(other)) < 2:
            continue
        detail = f"采购人为“{fact.value}”，合同中写作“{name}”，请核对签约主体。"
        evidence = (fact.source, hit.passage.span(*hit.match.span()))
        yield hint(case, table.PARTY_CONFLICT, Verdict.WARNING, detail, evidence)
        return


def check_site_visit(case: Case) -> Iterator[ComplianceCheck]:
    """No visit in one place, its day in another."""
    none = first(hits(case, _NO_VISIT, zones=_VISIT_ZONES, without=_IF_VISIT))
    if none is None:
        return
    for hit in hits(case, _VISIT, zones=_VISIT_ZONES):
        planned = find_dates(hit.sentence) or re.search(r"(?<!不)(?<!不集中)(?<!不统)统一组织", hit.sentence)
        if not planned or _NO_VISIT.search(hit.passage.compact) or re.search(r"自行|预约|如", hit.sentence):
            continue
        detail = "一处写明不组织现场踏勘，另一处又安排了踏勘时间或集中踏勘，请核对。"
        yield hint(case, table.SITE_VISIT, Verdict.WARNING, detail, (none.quote, hit.quote))
        return


def check_disputes(case: Case) -> Iterator[ComplianceCheck]:
    """A court in one clause of the contract, arbitration in another."""
    zones = frozenset({Zone.CONTRACT})
    court = first(hits(case, _COURT, zones=zones, without=_EITHER))
    arbitration = first(hits(case, _ARBITRATION, zones=zones, without=_EITHER))
    if court is None or arbitration is None:
        return
    between = {court.passage.index, arbitration.passage.index}
    listed = (
        any(_EITHER.search(p.compact) for p in case.passages[max(0, min(between) - 2) : max(between) + 1])
        and max(between) - min(between) <= 3
    )
    if not listed:
        detail = "合同一处约定诉讼，另一处约定仲裁，约定可能无效，请提出澄清。"
        yield hint(case, table.DISPUTES, Verdict.WARNING, detail, (court.quote, arbitration.quote))


CONFLICTS: tuple[Check, ...] = (
    check_validity,
    check_number,
    check_name,
    check_party,
    check_site_visit,
    check_disputes,
)
