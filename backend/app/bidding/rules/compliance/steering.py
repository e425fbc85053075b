"""Conditions that narrow the competition (控标信号): brands, regions, ownership, size, manufacturers.

Whether a condition follows from what is bought takes reading, so nearly all of these are hints.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from backend.app.bidding.findings import ComplianceCheck, Regime, Span, Verdict
from backend.app.bidding.rules.compliance import table
from backend.app.bidding.rules.compliance.case import (
    MOST_EVIDENCE,
    Case,
    Check,
    Hit,
    hint,
    hits,
    judge,
    quotes,
)
from backend.app.bidding.rules.zones import Zone

_BRANDS = (
    r"(?:华为|中兴|联想|戴尔|惠普|浪潮|新华三|H3C|思科|锐捷|海康威视|大华|宇视|格力|美的|海尔|奥克斯|三菱|大金|西门子"
    r"|施耐德|ABB|霍尼韦尔|通力|奥的斯|迅达|日立|佳能|理光|富士施乐|英特尔|Intel|AMD|英伟达|NVIDIA|Dell|DELL|HP"
    r"|Cisco|Lenovo|Oracle|VMware|飞利浦|松下|索尼|东芝|立邦|多乐士|东方雨虹|伟星|日丰|公牛)"
)
_MUST = (
    r"(?:指定|限定|必须(?:采用|使用|选用|为)|须(?:采用|使用|选用|为)|应(?:采用|使用|选用|为)|仅限"
    r"|只(?:能|接受)(?:采用|使用)?)"
)
_NAMED = re.compile(rf"品牌(?:要求)?[：为]{_BRANDS}|{_MUST}[^。；，]{{0,12}}(?:品牌|原产地|专利|专有技术)")
# Some names are also words (当日立即, 较大金额), so a verb must stand before and 品牌 or the like behind.
_CERTAIN = re.compile(rf"{_MUST}[^。；，、]{{0,4}}{_BRANDS}(?:品牌|牌(?!照)|公司|系列|生产|等品牌)")
_WELL_KNOWN = re.compile(
    r"(?:国内外|国内|国际|进口|一线|十大)[^。；，]{0,6}(?:知名|一线|著名|名牌|主流)?品牌|知名品牌"
)
_OPEN_TO_OTHERS = re.compile(
    r"不限|不(?:得)?指定|不(?:得)?限定|相当于|同等|等同|不低于|优于|或以上档次|参考|推荐|同档次|自有品牌|(?:相同|同一|不同|混用|同)品牌|既有|现有"
    r"|原有|兼容|不作为|代购|填写|注明|列明|明确|核心产品|品牌型号|知识产权|侵犯|专利权|专利费"
)
_PLACE = (
    r"(?:[一-鿿]{2,4}(?:省|自治区|(?<!都)市(?![政场级])(?!(?<=城市)(?:道路|管理|轨道|更新|建设|公共|园林|照明|桥梁|污水|绿化|综合))|(?<!小)(?<!社)(?<!园)(?<!景)区(?![域块间级])"
    r"|县(?!级))|本省|本市|本地|当地|省内|市内|本区|本县|我省|我市)"
)
_REGIONAL = re.compile(
    rf"{_PLACE}(?:内|范围内|行政区域内|境内|地区)?(?!级|\)|）|及以上)[^。；，：]{{0,12}}(?:业绩|奖项|获奖|荣誉(?:称号)?|评优|优质工程)"
)
_SECTOR = re.compile(r"[一-鿿]{2,8}行业(?:的)?(?:类似|同类)?(?:项目|服务|供货)?(?:的)?业绩")
_LEVEL = re.compile(
    r"[省市区县国]（?[^）]{0,8}）?级|设区的?市|地市|以上(?:政府|主管)|省（部）|所属行业|行政主管|监督管理"
)
_RECORDS = re.compile(r"得\d|得[一二三]分|加\d|每(?:个|项|份)|须|必须|应具有|具有|提供|不少于")
_LOCATED = re.compile(
    rf"(?:注册地|注册所在地|工商注册|住所地|总部|税务登记)[^。；，]{{0,8}}(?:在|为|须在|应在|位于){_PLACE}"
    rf"|(?:在|于){_PLACE}(?:范围内|内|境内|行政区域内)?[^。；，]{{0,6}}(?:设有|设立|具有|拥有|有)[^。；，]{{0,10}}"
    r"(?:分公司|子公司|分支机构|办事处|服务网点|服务机构|服务点|维修点|办公场所|经营场所)"
    r"|(?:须|必须|应)在[^。；，]{2,20}(?:局|委|厅|中心|平台)[^。；，]{0,6}(?:建立|办理|录入)[^。；，]{0,8}(?:信用档案|诚信档案|备案登记)"
)
_OWNED = re.compile(
    r"非外资|(?:外资|港澳台|民营|私营|个体)[^。；，]{0,14}(?:不得|除外|不接受|不能|不予)"
    r"|(?:国有|国营)(?:企业|控股企业|独资企业)?[^。；，]{0,6}(?:优先|加分|得\d)|仅限(?:国有|国营|事业单位)"
)
_FOUNDED = re.compile(
    r"成立(?:时间)?[^。；，]{0,8}?(?:满|不少于|不低于|超过)?[一二三五六八十\d]{1,2}年(?:以上|及以上|的)?"
)
_FOUNDED_EXEMPT = re.compile(r"不足|按实际|自成立|新成立|成立不满|不满")
_SCALE = re.compile(
    r"(?:注册|实缴|缴纳的?)(?:资本|资金)|资产总额|净资产|营业(?:收入|额)|从业人员|净利润|平均资产|纳税(?:总)?(?:金)?额"
)
_SCALE_CONDITION = re.compile(r"不(?:得)?(?:少|低)于|以上|≥|达到|排序|排名|由大至小|\d万")
_SME_STANDARD = re.compile(
    r"中小微?型?企业|划型|型企业|中小微型|罚款|声明函|制造商|填报|不作要求|不作为|所属行业"
)
_MANUFACTURER = re.compile(
    r"(?:原厂|厂家|厂商|制造商|生产商|生产厂家|生产企业|总代理)[^。；，]{0,14}(?:授权|承诺函|背书|证明函|质保函|服务函)"
)
_NOT_REQUIRED = re.compile(
    r"进口|之一|其一|或者|无需|不要求|不得|如为|若为|制造商投标|规格|型号|法定代表人授权|如有"
)
_QUALIFIES = re.compile(r"资格|申请人|投标人(?:应|须|必须)?具备|供应商(?:应|须|必须)?具备")
_READ = frozenset({Zone.NOTICE, Zone.INSTRUCTIONS, Zone.OTHER, Zone.EVALUATION})
_SCALE_ZONES = frozenset({Zone.NOTICE, Zone.INSTRUCTIONS})


def check_brand(case: Case) -> Iterator[ComplianceCheck]:
    """A brand by its own name is what the law forbids; 知名品牌 and the like are hints."""
    certain = quotes(hits(case, _CERTAIN, without=_OPEN_TO_OTHERS))
    if certain:
        detail = "采购要求限定了品牌，且未写明“或相当于”。"
        yield judge(case, table.NAMED_BRAND, detail, broken=True, evidence=certain)
        return
    named = hits(case, _NAMED, without=_OPEN_TO_OTHERS)
    known = quotes([*named, *hits(case, _WELL_KNOWN, without=_OPEN_TO_OTHERS, forms=True)])
    if known:
        detail = "对品牌、产地或专利提出要求，未写明“或相当于”，请核对是否指向特定产品。"
        yield hint(case, table.NAMED_BRAND, Verdict.WARNING, detail, known[:3])


def check_regional_record(case: Case) -> Iterator[ComplianceCheck]:
    regional = [h for h in hits(case, _REGIONAL, without=_LEVEL, zones=_READ) if _RECORDS.search(h.sentence)]
    sector = [h for h in hits(case, _SECTOR, without=_LEVEL, zones=_READ) if _RECORDS.search(h.sentence)]
    if found := quotes([*regional, *sector]):
        detail = "以特定行政区域或行业的业绩、奖项作为条件或加分因素，请核对是否与履约有关。"
        yield hint(case, table.REGIONAL_RECORD, Verdict.WARNING, detail, found[:3])


def check_supplier_status(case: Case) -> Iterator[ComplianceCheck]:
    """Where the supplier sits, who owns it, how old it is."""
    founded = list(hits(case, _FOUNDED, without=_FOUNDED_EXEMPT, zones=_READ))
    found = quotes([*hits(case, _LOCATED), *founded, *hits(case, _OWNED, zones=_READ)])
    if found:
        detail = "对供应商的所在地、所有制或成立年限提出要求，请核对是否构成差别待遇。"
        yield hint(case, table.SUPPLIER_STATUS, Verdict.WARNING, detail, found[:4])


def check_scale(case: Case) -> Iterator[ComplianceCheck]:
    """Capital, assets, income, staff, profit or tax as a condition or a scoring factor."""
    evidence = [*_scored_scale(case), *quotes(_demanded_scale(case))]
    if evidence:
        detail = (
            "把注册（实缴）资本、资产、收入、人员、利润或纳税额等规模指标用作资格或评分条件，可能限制竞争。"
        )
        # Whether a figure is a condition takes reading: the rule alone never calls it a violation.
        yield hint(case, table.SCALE_CONDITIONS, Verdict.WARNING, detail, tuple(evidence[:MOST_EVIDENCE]))


def _scored_scale(case: Case) -> Iterator[Span]:
    for row in case.scores:
        text = row.criterion.compact
        found = _SCALE.search(text)
        if found and _SCALE_CONDITION.search(text) and not _SME_STANDARD.search(text):
            start = max(text.rfind("。", 0, found.start()), text.rfind("\n", 0, found.start())) + 1
            yield row.criterion.span(start, min(len(text), max(start + 80, found.end())))


def _demanded_scale(case: Case) -> Iterator[Hit]:
    for hit in hits(case, _SCALE, zones=_SCALE_ZONES, without=_SME_STANDARD):
        text, at = hit.passage.compact, hit.match.start()
        if _SCALE_CONDITION.search(text, at, at + 40):
            yield hit


def check_manufacturer(case: Case) -> Iterator[ComplianceCheck]:
    """The manufacturer's authorisation as a qualification; imports are excepted, scoring is not meant."""
    zones = frozenset({Zone.NOTICE, Zone.INSTRUCTIONS, Zone.OTHER})
    found = [h for h in hits(case, _MANUFACTURER, zones=zones, without=_NOT_REQUIRED) if _is_qualification(h)]
    if not found:
        return
    detail = "以生产厂家的授权、承诺或证明作为资格要求。"
    if case.regime is Regime.GOVERNMENT and all(re.search(r"须|必须|应", h.sentence) for h in found):
        yield judge(case, table.MANUFACTURER, detail, broken=True, evidence=quotes(found)[:2])
        return
    yield hint(case, table.MANUFACTURER, Verdict.WARNING, detail + "请核对。", quotes(found)[:2])


def _is_qualification(hit: Hit) -> bool:
    return _QUALIFIES.search(hit.passage.section + hit.passage.label + hit.sentence) is not None


STEERING: tuple[Check, ...] = (
    check_brand,
    check_regional_record,
    check_supplier_status,
    check_scale,
    check_manufacturer,
)
