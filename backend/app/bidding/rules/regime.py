"""Which law binds the procurement, how it is procured and what is bought; each only when evidenced."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from backend.app.bidding.findings import Regime, Span
from backend.app.bidding.rules.passages import Passage
from backend.app.bidding.rules.zones import Zone


class Procedure(StrEnum):
    OPEN_TENDER = "公开招标"
    INVITED_TENDER = "邀请招标"
    CONSULTATION = "竞争性磋商"
    NEGOTIATION = "竞争性谈判"
    INQUIRY = "询价"
    COMPARISON = "比选"
    UNKNOWN = ""

    @property
    def is_tender(self) -> bool:
        return self in (Procedure.OPEN_TENDER, Procedure.INVITED_TENDER)

    @property
    def is_other(self) -> bool:
        """Known to be no tender."""
        return not self.is_tender and self is not Procedure.UNKNOWN


class Purchase(StrEnum):
    GOODS = "goods"
    SERVICES = "services"
    WORKS = "works"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Setting:
    """What the compliance checks may rest on."""

    regime: Regime
    reason: str
    evidence: tuple[Span, ...]
    procedure: Procedure
    purchase: Purchase


_MILITARY = re.compile(r"军队采购|军队(?:物资|装备)|解放军|武警部队|联勤保障")
# Weight per passage that says so; a sum of 4 is evidence, and it must clearly beat the others.
_SIGNS: tuple[tuple[Regime, float, re.Pattern[str]], ...] = (
    (Regime.GOVERNMENT, 3, re.compile(r"(?:根据|依据|按照|满足|符合)[^。；]{0,12}政府采购法")),
    (
        Regime.GOVERNMENT,
        3,
        re.compile(
            r"财政(?:性)?资金|政府采购(?:网|云|中心|项目|预算|合同|活动|代理|监督)|采购人信息|集中采购机构"
        ),
    ),
    (Regime.GOVERNMENT, 1, re.compile(r"财库〔|财库\[|财库【|财政部令第?87号|第二十二条规定")),
    (
        Regime.MANDATORY,
        4,
        re.compile(
            r"依法必须(?:进行)?招标的项目|工程建设项目|建设工程(?:施工)?招标|国有(?:资金|投资)"
            r"|项目审批|核准(?:文号|备案)|立项批(?:文|复)"
        ),
    ),
    (
        Regime.MANDATORY,
        3,
        re.compile(
            r"(?:施工|监理|勘察|设计)(?:总承包)?(?:招标|投标)|通信工程(?:建设)?|工程量清单"
            r"|施工图|建设行政主管部门|住房和城乡建设(?:局|厅|部)|公共资源交易中心"
        ),
    ),
    (
        Regime.MANDATORY,
        2,
        re.compile(r"(?:根据|依据|按照|遵守|违反)[^。；]{0,12}招标投标法|招标投标法实施条例"),
    ),
    (
        Regime.ENTERPRISE,
        5,
        re.compile(
            r"企业(?:自主|自行)?采购|非依法必须|自愿招标|非政府采购|不属于政府采购"
            r"|参照[^。；]{0,14}(?:招标投标法|政府采购法)|供应商(?:库|黑名单)管理办法"
            r"|采购管理(?:办法|规定)》"
        ),
    ),
    (
        Regime.ENTERPRISE,
        2,
        re.compile(
            r"(?:采购人|招标人|采购单位|委托单位)(?:名称)?：?[^。；，：]{2,24}"
            r"(?:有限(?:责任)?公司|股份公司|集团|银行)"
        ),
    ),
)
# A public body's purchase that the procurement law leaves to its own rules.
_BELOW_THRESHOLD = re.compile(
    r"限额标准?以下|不属于政府采购|非政府采购|(?:属于|为)(?:本?[院校单位]{1,2}内?|自行|零星|分散)采购(?:项目)?[，。；]"
    r"|[院校]内(?:询价|比选|议价|采购公告|竞价|谈判|磋商)"
)
_ENOUGH = 4.0
_MOST = 8  # one sign said fifty times is not stronger than said eight times
_LEAD = 1.3  # times the runner-up
_PURCHASER_WORTH = 6.0
_MILITARY_MENTIONS = 3
_COMPANY = re.compile(r"(?:有限|责任|股份|控股)公司|公司$|集团$|银行(?:股份)?|分公司|支行|分行")
_PUBLIC_BODY = re.compile(
    r"(?:局|委员会|委|厅|院|学校|大学|中学|小学|幼儿园|学院|中心|法院|检察院|海关|政府"
    r"|街道办事处|管理处|研究所|馆|总队|支队)$"
)
_PROCEDURES = (
    (Procedure.CONSULTATION, re.compile(r"竞争性磋商|磋商文件")),
    (Procedure.NEGOTIATION, re.compile(r"竞争性谈判|谈判文件")),
    (Procedure.INVITED_TENDER, re.compile(r"邀请招标")),
    (Procedure.INQUIRY, re.compile(r"询价(?:采购|通知书|文件|公告)")),
    (Procedure.COMPARISON, re.compile(r"比选(?:文件|公告|申请)")),
    (Procedure.OPEN_TENDER, re.compile(r"公开招标|招标文件|招标公告")),
)
_WORKS = re.compile(r"施工|工程总承包|总承包资质|安全生产许可证|工程量清单|建造师|监理|项目属于工程")
_SERVICES = re.compile(r"服务(?:期|内容|要求|人员|费|方案|采购|标准|项目|类)|物业|保洁|运维|外包|驻场")
_GOODS = re.compile(
    r"货物(?:需求|清单|采购|名称)|供货(?:期|时间|范围|地点|商)|交货(?:期|时间|地点)|到货"
    r"|设备(?:采购|清单|参数)|产地|生产厂家|质保期|图书采购"
)


def read_setting(passages: list[Passage], purchaser: str | None = None) -> Setting:
    """`purchaser`: the name from the facts; a company is no public body, whatever law its paper quotes."""
    regime, reason, evidence = _regime(passages, purchaser or "")
    return Setting(regime, reason, evidence, _procedure(passages), _purchase(passages))


def _regime(passages: list[Passage], purchaser: str) -> tuple[Regime, str, tuple[Span, ...]]:
    if sum(1 for p in passages if _MILITARY.search(p.compact)) >= _MILITARY_MENTIONS:
        return Regime.UNKNOWN, "文件属军队采购，政府采购法与招标投标法均不直接适用", ()
    if own := _by_own_rules(passages):
        return Regime.ENTERPRISE, "文件写明属于限额以下或单位自行组织的采购", own
    scores = dict.fromkeys((Regime.GOVERNMENT, Regime.MANDATORY, Regime.ENTERPRISE), 0.0)
    quotes: dict[Regime, list[tuple[float, Span]]] = {regime: [] for regime in scores}
    for regime, worth, pattern in _SIGNS:
        seen = 0
        for passage in passages:
            if passage.zone is Zone.FORMS or seen >= _MOST:
                continue
            if found := pattern.search(passage.compact):
                seen += 1
                quotes[regime].append((worth, passage.span(*found.span())))
        scores[regime] += worth * min(seen, 3) + 0.25 * worth * max(0, seen - 3)
    if _COMPANY.search(purchaser):
        scores[Regime.GOVERNMENT] = 0.0
        scores[Regime.ENTERPRISE] += _PURCHASER_WORTH
    elif _PUBLIC_BODY.search(purchaser):
        scores[Regime.GOVERNMENT] += _PURCHASER_WORTH
        scores[Regime.ENTERPRISE] = 0.0
    ranked = sorted(scores, key=lambda r: -scores[r])
    best, second = ranked[0], ranked[1]
    if scores[best] < _ENOUGH or scores[best] < _LEAD * scores[second]:
        return Regime.UNKNOWN, "文件没有写明适用的法律制度", ()
    spans = tuple(span for _, span in sorted(quotes[best], key=lambda q: (-q[0], q[1].start))[:3])
    return best, _REASONS[best], spans


def _by_own_rules(passages: list[Passage]) -> tuple[Span, ...]:
    """Where the notice says that the purchase is below the threshold or the body's own matter."""
    told = [
        passage.span(*found.span())
        for passage in passages
        if passage.zone in (Zone.NOTICE, Zone.OTHER, Zone.INSTRUCTIONS)
        and (found := _BELOW_THRESHOLD.search(passage.compact))
    ]
    return tuple(told[:3])


_REASONS = {
    Regime.GOVERNMENT: "文件依据政府采购法编制或使用财政性资金",
    Regime.MANDATORY: "文件显示为依法必须招标的项目",
    Regime.ENTERPRISE: "采购人为企业且未见财政性资金或依法必须招标的依据",
}


def _procedure(passages: list[Passage]) -> Procedure:
    """The procedure named most often; an open tender only when nothing narrower is."""
    counts = {procedure: 0 for procedure, _ in _PROCEDURES}
    for passage in passages:
        for procedure, pattern in _PROCEDURES:
            if pattern.search(passage.compact):
                counts[procedure] += 1
    narrow = {p: n for p, n in counts.items() if p is not Procedure.OPEN_TENDER}
    best = max(narrow, key=lambda p: narrow[p])
    if narrow[best] >= 3 and narrow[best] >= 0.5 * counts[Procedure.OPEN_TENDER]:
        return best
    return Procedure.OPEN_TENDER if counts[Procedure.OPEN_TENDER] >= 2 else Procedure.UNKNOWN


def _purchase(passages: list[Passage]) -> Purchase:
    counts = {Purchase.WORKS: 0, Purchase.SERVICES: 0, Purchase.GOODS: 0}
    for passage in passages:
        counts[Purchase.WORKS] += _WORKS.search(passage.compact) is not None
        counts[Purchase.SERVICES] += _SERVICES.search(passage.compact) is not None
        counts[Purchase.GOODS] += _GOODS.search(passage.compact) is not None
    ranked = sorted(counts, key=lambda p: -counts[p])
    if counts[ranked[0]] >= 5 and counts[ranked[0]] >= 2 * counts[ranked[1]]:
        return ranked[0]
    return Purchase.UNKNOWN
