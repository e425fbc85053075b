"""What a document must say or must not: validity, budget, floor price, rejections, too few bidders."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backend.app.bidding.findings import ComplianceCheck, Regime, Verdict
from backend.app.bidding.rules.compliance import table
from backend.app.bidding.rules.compliance.case import Case, Check, Hit, first, hint, hits, judge, quotes

_REJECTED = r"(?:无效|否决|废标|不予(?:受理|接受|评审)|拒绝|取消)"
_FLOOR = re.compile(
    rf"低于[^。；，]{{0,6}}最低(?:投标|报价)?限价[^。；]{{0,20}}{_REJECTED}"
    r"|最低(?:投标)?限价(?:为|：)(?:人民币)?[¥]?\d"
    rf"|(?<!不)低于[^。；，]{{0,10}}(?:限价|控制价|预算)[^。；，]{{0,6}}?\d{{1,3}}%[^。；]{{0,24}}{_REJECTED}"
)
_FLOOR_EXPLAINED = re.compile(r"说明|证明|澄清|成本|解释|启动")
_HIDDEN_FLOOR = re.compile(
    r"有效[^。；，]{0,16}(?:为|是)[^。；]{0,24}不低于[^。；，]{0,6}(?:最高(?:投标)?限价|控制价|预算)[^。；，]{0,6}\d{1,3}%"
)
_NO_FLOOR = re.compile(r"不(?:设|设置|规定)[^。；，]{0,4}最低")
_BUDGET_LISTED = re.compile(r"预算(?:总)?(?:金额|价|额)")
_FEW = re.compile(r"(?:不足|少于)(?:3|三)(?:家|个)")
_STOPS = re.compile(
    r"不得(?:组织)?开标|不(?:再)?(?:组织)?开标|不得评标|重新(?:招标|组织)|废标|流标|招标失败|终止|不予开标|重新采购"
)
_GOES_ON = re.compile(r"(?<!不)(?<!不得)(?:继续|仍可?|可以?|照常|正常)(?:进行|组织)?(?:开标|评标|评审)")
_EXCEPT = re.compile(r"除外|一般|原则上|经[^。；，]{0,16}批准")
_SAME_HEAD = re.compile(
    r"(?:单位负责人|法定代表人)[^。；]{0,12}为同一人?[^。；]{0,6}(?:或者?|及|、)[^。；]{0,8}(?:直接)?控股[^。；]{0,30}不同[^。；]{0,30}"
    r"(?:不得|无效|均(?:作)?无效)"
)
_WIDENED = re.compile(
    r"(?:高级管理人员|高管|董事|监事|股东)[^。；]{0,16}(?:交叉|相同|兼任)[^。；]{0,24}(?:视同|视为|同为|等同)"
    r"|管理（[^）]{0,8}(?:高管|高级管理)[^）]{0,8}交叉[^）]{0,4}）"
)
_GROUNDS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(rf"(?:未|不)(?:按时|准时)?(?:参加|出席)[^。；，]{{0,4}}开标[^。；]{{0,24}}{_REJECTED}"),
        "以未参加开标为由否决投标（未参加开标的，视同认可开标结果）。",
    ),
    (
        re.compile(rf"(?:未|不)(?:参加|进行)[^。；，]{{0,8}}(?:踏勘|考察)[^。；，]{{0,10}}{_REJECTED}"),
        "以未参加踏勘为由否决投标。",
    ),
    (
        re.compile(rf"标底[^。；]{{0,20}}(?:上下|浮动|±)[^。；]{{0,20}}{_REJECTED}"),
        "以投标报价超出标底浮动范围为由否决投标（标底只能作为评标参考）。",
    ),
)
_SOFTENED = re.compile(r"不(?:作为|影响)|解密|签到|演示")
_RENEWAL = re.compile(
    r"(?:视为|即)[^。；]{0,10}延长[^。；]{0,16}(?:一|1|两|二)?年|(?:自动|自行)(?:续期|续签|顺延|延长|续约)[^。；]{0,12}年"
)
_BOUNDED = re.compile(r"不超过|最多|最长|仅限|一次为限|不得超过")


def check_bid_validity(case: Case) -> Iterator[ComplianceCheck]:
    fact = case.fact("bid_validity_days")
    if fact is None:
        detail = "未在文件中找到明确的投标有效期，请核对或提出澄清。"
        verdict = Verdict.UNKNOWN if _is_template(case) else Verdict.WARNING
        yield hint(case, table.BID_VALIDITY, verdict, detail)
        return
    detail = f"投标有效期 {fact.value} 天。"
    yield judge(case, table.BID_VALIDITY, detail, broken=False, evidence=(fact.source,))


def _is_template(case: Case) -> bool:
    """A model document whose blanks nobody has filled in."""
    return all(case.fact(name) is None for name in ("bid_deadline", "project_number", "budget"))


def check_budget(case: Case) -> Iterator[ComplianceCheck]:
    if case.regime is not Regime.GOVERNMENT:
        return
    fact = case.fact("budget")
    if fact is None:
        listed = quotes(hits(case, _BUDGET_LISTED))
        detail = "未在文件中找到采购预算金额，请核对采购公告。"
        if listed:
            detail = "预算未以一个总额写明（可能分包列出），请核对。"
        verdict = Verdict.UNKNOWN if listed or _is_template(case) else Verdict.WARNING
        yield hint(case, table.BUDGET_DISCLOSED, verdict, detail, listed[:2])
        return
    detail = f"预算 {fact.text}。"
    yield judge(case, table.BUDGET_DISCLOSED, detail, broken=False, evidence=(fact.source,))


def check_floor_price(case: Case) -> Iterator[ComplianceCheck]:
    """A lowest price below which bids are rejected; one below which they only do not count is a hint."""
    found = quotes(hits(case, _FLOOR, without=_FLOOR_EXPLAINED))
    found = () if first(hits(case, _NO_FLOOR)) else found
    if found:
        yield judge(case, table.FLOOR_PRICE, "文件规定了最低投标限价。", broken=True, evidence=found)
        return
    hidden = quotes(hits(case, _HIDDEN_FLOOR))
    if hidden:
        detail = "低于最高限价一定比例的报价不计入有效报价，可能起到最低限价的作用，请核对。"
        yield hint(case, table.FLOOR_PRICE, Verdict.WARNING, detail, hidden)


def check_fewer_than_three(case: Case) -> Iterator[ComplianceCheck]:
    if not case.setting.procedure.is_tender:
        return
    found = [hit for hit in hits(case, _FEW) if re.search(r"投标|供应商|响应|投标人|合格", hit.sentence)]
    goes_on = [hit for hit in found if _GOES_ON.search(hit.sentence)]
    stops = [hit for hit in found if _STOPS.search(hit.sentence) and hit not in goes_on]
    excepted = [hit for hit in stops if _EXCEPT.search(_consequence(hit))]
    if goes_on and not any(_EXCEPT.search(_consequence(hit)) for hit in goes_on):
        detail = "投标人不足三家时仍可开标或评标。"
        yield judge(case, table.FEW_BIDDERS, detail, broken=True, evidence=quotes(goes_on))
    elif excepted:
        detail = "投标人不足三家时不开标，但留有例外，请核对例外情形。"
        yield hint(case, table.FEW_BIDDERS, Verdict.UNKNOWN, detail, quotes(excepted)[:2])
    elif stops:
        detail = "投标人不足三家时不开标、重新招标或予以废标。"
        yield judge(case, table.FEW_BIDDERS, detail, broken=False, evidence=quotes(stops)[:2])


def _consequence(hit: Hit) -> str:
    return hit.passage.compact[hit.match.start() : hit.match.end() + 40]


def check_same_head(case: Case) -> Iterator[ComplianceCheck]:
    widened = quotes(hits(case, _WIDENED))
    if widened:
        detail = (
            "文件扩大了关联单位的范围（如高级管理人员交叉任职即视同同一负责人），请先行核对自身关联关系。"
        )
        yield hint(case, table.SAME_HEAD, Verdict.WARNING, detail, widened[:2])
        return
    found = quotes(hits(case, _SAME_HEAD))
    if found:
        detail = "已载明同一负责人或存在控股、管理关系的不同单位不得同时参加。"
        yield judge(case, table.SAME_HEAD, detail, broken=False, evidence=found[:1])


def check_rejections(case: Case) -> Iterator[ComplianceCheck]:
    """Reasons for rejection that the law does not carry; whether they void a bid takes reading."""
    for pattern, detail in _GROUNDS:
        if found := quotes(hits(case, pattern, without=_SOFTENED)):
            yield hint(case, table.REJECTION_GROUNDS, Verdict.WARNING, detail, found[:2])


def check_renewal(case: Case) -> Iterator[ComplianceCheck]:
    if found := quotes(hits(case, _RENEWAL, without=_BOUNDED)):
        detail = "合同到期未书面终止即自动延长且未限次数，请核对期限与价格调整约定。"
        yield hint(case, table.RENEWAL, Verdict.WARNING, detail, found[:2])


AWARD: tuple[Check, ...] = (
    check_bid_validity,
    check_budget,
    check_floor_price,
    check_fewer_than_three,
    check_same_head,
    check_rejections,
    check_renewal,
)
