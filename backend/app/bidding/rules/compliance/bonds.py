"""Bonds: caps, forms, validity, return, and the retention of payments."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backend.app.bidding.amounts import yuan
from backend.app.bidding.findings import ComplianceCheck, Regime, Span, Verdict
from backend.app.bidding.rules.compliance import table
from backend.app.bidding.rules.compliance.case import (
    Case,
    Check,
    Hit,
    N,
    hint,
    hits,
    judge,
    number_of,
    quotes,
)
from backend.app.bidding.rules.numerals import cn_number
from backend.app.bidding.rules.regime import Purchase

BID_BOND = r"(?:投标|磋商|谈判|响应|应答|询价|报价)保证金"
_SHARE = 0.02 + 1e-9
_PERFORMANCE_SHARE = 0.1 + 1e-9
_AMOUNT_CAP = 800_000
_CASH = re.compile(
    rf"(?:{BID_BOND}|履约(?:保证金|担保))[^。；]{{0,40}}?(?:形式|方式|递交|提交|缴纳|交纳)[^。；]{{0,40}}?"
    r"(?<!非)(?<!不收)(?<!不接受)(?<!不得以)(?<!不能以)(?<!接受以)现金(?!流|支票|管理)"
)
_NO_CASH = re.compile(
    r"非现金|(?:不|禁止|拒绝|谢绝|勿)[^。；，]{0,8}现金|现金[^。；，]{0,14}(?:不予|无效|不接受|不得|拒)|依法必须"
)
_GUARANTEE = re.compile(
    r"不(?:接受|允许|认可)[^。；，]{0,8}(?:银行)?保函"
    rf"|{BID_BOND}[^。；，]{{0,16}}(?:仅限|只能|仅接受|只接受|必须以?)[^。；，]{{0,8}}(?:现金|转账|电汇|银行汇款|网银)"
)
_SAME_VALIDITY = re.compile(
    rf"{BID_BOND}(?:的)?有效期[^。；]{{0,14}}(?:与|同)[^。；]{{0,12}}有效期[^。；]{{0,6}}(?:一致|相同)"
)
_LONGER_VALIDITY = re.compile(
    r"保证金[^。；]{0,40}有效期(?:满|届满|期满|截止日?|结束|终止)?[之以]?后(\d{1,3})[日天](?:内)?[^。；，]{0,6}(?:有效|保持)"
    r"|保证金[^。；]{0,40}有效期(?:满|届满|期满|截止日?|结束|终止)?[之以]?后(\d{1,3})[日天]"
)
_LOSER = re.compile(
    rf"(?:未中标|未成交)(?!通知)[^。；]{{0,60}}?{N}个?(工作)?[日天](?:之?内)?[^。；]{{0,30}}(?:退|返还)"
    rf"|(?:中标|成交)通知书?[^。；]{{0,14}}?{N}个?(工作)?[日天](?:之?内)[^。；]{{0,16}}(?:退|返还)[^。；]{{0,10}}未(?:中标|成交)"
    rf"|(?:未中标|未成交)人?[^。；]{{0,10}}{N}个?(工作)?[日天]内[^。；]{{0,10}}退"
)
_WINNER = re.compile(
    rf"合同[^。；，]{{0,12}}?(?:签订|签署)?(?:之日)?(?:起|后)[^。；，\d一二三四五六七八九十]{{0,4}}{N}个?(工作)?[日天](?:之?内)?[^。；]{{0,40}}(?:退|返还)"
    rf"|签订[^。；]{{0,10}}合同》?(?:之日)?(?:起|后){N}个?(工作)?[日天]内?[^。；]{{0,30}}(?:退|返还)"
)
_BOND_WORD = re.compile(rf"{BID_BOND}|(?<!履约)(?<!质量)(?<!质保)保证金")
_OTHER_BOND = re.compile(
    r"履约保证金(?:在|将|于|自|应|全额|期|缴)|质量保证金|撤回|终止|不予退还|农民工|履约担保|质保金"
)
_NO_INTEREST = re.compile(r"无息|不计(?:利)?息")
_LONGEST_RETURN = 5
_RETENTION = re.compile(
    r"质(?:量)?保(?:证)?金[^。；，0-9%]{0,24}(?P<after>\d{1,2}(?:\.\d)?)%"
    r"|(?P<before>\d{1,2}(?:\.\d)?)%(?:的)?(?:[^。；，0-9%]{0,6})(?:作为|为|预留)(?:工程)?质(?:量)?保(?:证|修)?金?"
)
_RETENTION_SHARE = 3


def check_bid_bond(case: Case) -> Iterator[ComplianceCheck]:
    bond, budget = case.amount("bid_bond"), case.amount("budget") or case.amount("price_ceiling")
    if bond is None:
        return
    evidence = case.sources("bid_bond", "budget", "price_ceiling")
    if bond == 0:
        detail = "本项目不收取投标保证金。"
        yield judge(case, table.BID_BOND_CAP, detail, broken=False, evidence=case.sources("bid_bond"))
    elif not budget:
        detail = f"投标保证金 {yuan(bond)}，文件未写明预算或估算价，无法核对比例。"
        yield hint(case, table.BID_BOND_CAP, Verdict.UNKNOWN, detail, evidence)
    else:
        yield _bond_share(case, bond, budget)
    if bond > _AMOUNT_CAP and case.regime is Regime.MANDATORY:
        detail = f"投标保证金 {yuan(bond)}，超过工程施工、货物招标通行的 80 万元上限。"
        yield judge(case, table.BID_BOND_AMOUNT, detail, broken=True, evidence=case.sources("bid_bond"))


def _bond_share(case: Case, bond: float, budget: float) -> ComplianceCheck:
    share = bond / budget
    evidence = case.sources("bid_bond", "budget", "price_ceiling")
    measure = "预算" if case.amount("budget") else "最高限价"
    detail = f"投标保证金 {yuan(bond)}，为{measure} {yuan(budget)}的 {share:.2%}。"
    broken = share > _SHARE
    if broken and (case.regime is not Regime.GOVERNMENT or not case.amount("budget")):
        # The cap of the tender law is on the estimate, which the document need not state.
        return hint(case, table.BID_BOND_CAP, Verdict.WARNING, f"{detail}请以招标项目估算价核对。", evidence)
    return judge(case, table.BID_BOND_CAP, detail, broken=broken, evidence=evidence)


def check_performance_bond(case: Case) -> Iterator[ComplianceCheck]:
    fact = case.fact("performance_bond")
    if fact is None:
        return
    value = str(fact.value)
    evidence: tuple[Span, ...] = (fact.source,)
    if value.endswith("%"):
        share, detail = float(value[:-1]) / 100, f"履约保证金为合同金额的 {value}。"
    elif not float(value):
        share, detail = 0.0, "本项目不收取履约保证金。"
    else:
        budget, amount = case.amount("budget") or case.amount("price_ceiling"), float(value)
        if not budget:
            detail = f"履约保证金 {yuan(amount)}，文件未写明预算，无法核对比例。"
            yield hint(case, table.PERFORMANCE_BOND_CAP, Verdict.UNKNOWN, detail, evidence)
            return
        share = amount / budget
        evidence = (*evidence, *case.sources("budget"))
        detail = f"履约保证金 {yuan(amount)}，约为预算的 {share:.2%}。"
    broken = share > _PERFORMANCE_SHARE
    yield judge(case, table.PERFORMANCE_BOND_CAP, detail, broken=broken, evidence=evidence)


def check_bond_form(case: Case) -> Iterator[ComplianceCheck]:
    """Cash where the procurement law wants other forms; and guarantees that are refused."""
    cash = quotes(hits(case, _CASH, without=_NO_CASH))
    if cash and case.regime is Regime.GOVERNMENT:
        detail = "文件允许以现金形式提交保证金，法定为支票、汇票、本票或者保函等非现金形式。"
        yield judge(case, table.BOND_FORM, detail, broken=True, evidence=cash)
    refused = quotes(hits(case, _GUARANTEE))
    if refused:
        detail = "文件限定保证金形式、不接受保函；中小企业以金融机构保函提供保证的，应当接受。"
        yield hint(case, table.BOND_GUARANTEE, Verdict.WARNING, detail, refused)


def check_bond_validity(case: Case) -> Iterator[ComplianceCheck]:
    """The bond's validity equals the bid's; two clauses that differ are reported under any regime."""
    if case.amount("bid_bond") == 0:
        return
    same = quotes(hits(case, _SAME_VALIDITY, forms=True))
    longer = quotes(hits(case, _LONGER_VALIDITY, forms=True))
    if longer and (same or case.regime is Regime.MANDATORY):
        detail = "投标保证金有效期长于投标有效期" + ("，与另一处“一致”的约定不符。" if same else "。")
        yield judge(case, table.BOND_VALIDITY, detail, broken=True, evidence=(*longer[:2], *same[:2]))
    elif same and case.regime is Regime.MANDATORY:
        detail = "投标保证金有效期与投标有效期一致。"
        yield judge(case, table.BOND_VALIDITY, detail, broken=False, evidence=same[:2])


def check_bond_return(case: Case) -> Iterator[ComplianceCheck]:
    """Five working days (G) or five days after the contract, with interest (B)."""
    if case.amount("bid_bond") == 0:
        return
    found = [h for pattern in (_LOSER, _WINNER) for h in hits(case, pattern) if _returns_bid_bond(h)]
    if not found:
        return
    mandatory = case.regime is Regime.MANDATORY
    late = [h for h in found if _return_days(h)[0] > _LONGEST_RETURN]
    unpaid = [h for h in found if mandatory and _NO_INTEREST.search(h.sentence)]
    days, working = max((_return_days(h) for h in found), key=lambda pair: pair[0])
    detail = f"约定投标保证金在 {days} {'个工作' if working else ''}日内退还"
    if unpaid and not late:
        yield judge(
            case, table.BOND_RETURN, f"{detail}且不计利息，法定应退还银行同期存款利息。", broken=True,
            evidence=quotes(unpaid),
        )  # fmt: skip
        return
    unit = "法定为 5 日" if mandatory else "政府采购法定为 5 个工作日"
    detail = f"{detail}（{unit}）。"
    if not late and mandatory and working:
        yield hint(case, table.BOND_RETURN, Verdict.UNKNOWN, f"{detail}请按日历核对。", quotes(found))
        return
    yield judge(case, table.BOND_RETURN, detail, broken=bool(late), evidence=quotes(late or found))


def _returns_bid_bond(hit: Hit) -> bool:
    return (
        _BOND_WORD.search(hit.sentence) is not None
        and not _OTHER_BOND.search(hit.match.group())
        and _return_days(hit)[0] > 0
    )


def _return_days(hit: Hit) -> tuple[int, bool]:
    groups = hit.match.groups()
    pairs = list(zip(groups[::2], groups[1::2], strict=True))
    number, working = next(((n, w) for n, w in pairs if n), ("", None))
    return number_of(number or ""), working is not None


def check_retention(case: Case) -> Iterator[ComplianceCheck]:
    """What is kept back from payments; and a performance bond asked for beside it."""
    for hit in hits(case, _RETENTION):
        share = cn_number(hit.match["after"] or hit.match["before"])
        if share is None or not share:
            continue
        works = case.setting.purchase is Purchase.WORKS
        if share > _RETENTION_SHARE:
            why = (
                "超过工程质量保证金 3% 的上限。" if works else "高于工程领域 3% 的通行上限，请评估资金占用。"
            )
            yield hint(
                case, table.RETENTION, Verdict.WARNING, f"质量保证金预留 {share:g}%，{why}", (hit.quote,)
            )
            return
        bond = case.fact("performance_bond")
        if not works and bond is not None and str(bond.value) not in {"0", "0%"}:
            detail = f"既收取履约保证金，又预留 {share:g}% 质量保证金，请核对是否重复担保。"
            yield hint(case, table.RETENTION, Verdict.WARNING, detail, (hit.quote, bond.source))
            return


BONDS: tuple[Check, ...] = (
    check_bid_bond,
    check_performance_bond,
    check_bond_form,
    check_bond_validity,
    check_bond_return,
    check_retention,
)
