"""Scores and prices: sums, factors that are not quantified, price weight and formula, ties, discounts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backend.app.bidding.findings import ComplianceCheck, Regime, Span, Verdict
from backend.app.bidding.rules.compliance import acts, table
from backend.app.bidding.rules.compliance.case import Case, Check, Hit, first, hint, hits, judge, quotes
from backend.app.bidding.rules.passages import Passage
from backend.app.bidding.rules.regime import Procedure, Purchase
from backend.app.bidding.rules.scoring import ScoreRow
from backend.app.bidding.rules.scoring_sums import FULL_SCORE, ROUNDING, table_sums, total_points
from backend.app.bidding.rules.zones import Zone

_PARTS = re.compile(
    r"分值(?:构成|分布|组成|分配)[^。；]{0,6}?(?:总分|满分|共|合计)?[：为]?(\d{2,3})分）?[：]?"
)
_PART = re.compile(r"[一-鿿]{2,14}(?:（[^）\d]{0,10}）)?[：（]?(?:满分)?(\d{1,3}(?:\.\d)?)分")
_LEAST_PARTS = 3
_VAGUE = re.compile(
    r"酌情(?:打分|给分|评分|加分|计分|赋分|得)|横向(?:比较|对比)[^。；]{0,10}(?:打分|评分|得分|得)"
    r"|由(?:评委|评标委员会|评审小组)[^。；，]{0,10}(?:酌情|自由|自主)"
)
_ONLY_RANGE = re.compile(r"(?:得)?0(?:分)?[-~～—–－至]{1,2}\d{1,2}(?:\.\d)?分?[。；]?")
_DEDUCTS = re.compile(
    r"共(\d{1,2})项[^。；]{0,30}?每[^。；，]{0,12}(?:负偏离|不满足|不响应|未响应|偏离)[^。；，]{0,12}(?:的)?(?:扣|减)(\d{1,2}(?:\.\d)?)分"
)
_FORMULA_AVERAGE = re.compile(
    r"评标基准(?:价|值)?[^。；]{0,40}(?:算术)?平均(?:值|数|价)|平均(?:值|数|价)[^。；]{0,24}(?:作为|为)评标基准"
)
_FORMULA_TRIMS = re.compile(r"去掉[^。；]{0,14}最高[^。；]{0,10}最低")
_NOT_TRIMMED = re.compile(r"不得去掉|不去掉|评委|评标委员会成员(?:的)?(?:打分|评分)|评分中|得分中|打分中")
_TIE = re.compile(
    r"(?:综合|总|评审|评标|最终|评审后)?(?:的)?(?:总)?得分(?:且|也)?(?:均)?(?:相同|相等|并列)(?:的|时|者)?"
)
_SAME_BRAND = re.compile(r"品牌|核心产品|标项|投标报价[^。；，]{0,4}相同的?，?且")
_PRICE_DOWN = re.compile(
    r"报价[^。；，、]{0,8}由高到低|报价[^。；，、]{0,4}(?:较|最)?高(?:者|的)[^。；，]{0,4}优先"
)
_PRICE_UP = re.compile(
    r"报价[^。；，、]{0,12}由低(?:到|至|向)高|报价[^。；，]{0,6}(?:较|最)?低(?:者|的)?[^。；，]{0,4}(?:优先|获得|排|在前|为先)|低价优先"
)
_OTHER_ORDER = re.compile(r"(?:技术|服务|商务|方案)[^。；，]{0,10}(?:由高|得分高|优|排序|高的|高者)")
_TIE_REACH = 3  # passages in which a list under the head says the order
_DISCOUNT = re.compile(
    r"(?:小微|小型|微型|中小)[^。；%]{0,44}?(?<![A-Za-z\d.])(?P<low>\d{1,2}(?:\.\d)?)%?(?:(?<=%)|(?=[-—－~至]))(?:[-—－~至]{1,2}(?P<high>\d{1,2})%)?(?:的)?(?:价格)?扣除(?!后)"
    r"|(?:价格扣除|扣除比例|扣除幅度|K1的取值)[^。；%，\d]{0,12}(?P<rate>\d{1,2}(?:\.\d)?)%"
)
_NO_DISCOUNT = re.compile(r"联合体|分包|财库〔2020〕|专门面向")
_OUTDATED_DISCOUNT = (6, 10)


def check_score_total(case: Case) -> Iterator[ComplianceCheck]:
    total = total_points(case.scores, case.amount("price_weight"))
    if total is None:
        return
    rows = [row for row in case.scores if row.points is not None]
    evidence = tuple(_row(row) for row in rows[:3])
    detail = f"评分表 {len(rows)} 项，分值合计 {total:g}。"
    tables = table_sums(rows)
    if len(tables) > 1 and all(abs(table.points - FULL_SCORE) < ROUNDING for table in tables):
        detail = f"{len(tables)} 张评分表各合计 100 分（分包评审或按权重折算）。"
        total = FULL_SCORE
    if abs(total - FULL_SCORE) < ROUNDING:
        yield judge(case, table.SCORE_TOTAL, detail, broken=False, evidence=evidence)
        return
    detail += "与 100 分不符，请核对表格是否有遗漏、重复或加分项。"
    yield hint(case, table.SCORE_TOTAL, Verdict.WARNING, detail, evidence)


def _row(row: ScoreRow) -> Span:
    return row.criterion.span(0, min(len(row.criterion.compact), 140))


def check_score_parts(case: Case) -> Iterator[ComplianceCheck]:
    """ "分值构成（总分100分）：…：25分；…：10分" whose parts do not make the total."""
    for hit in hits(case, _PARTS):
        after = hit.passage.compact[hit.match.end() :]
        parts = list(_PART.finditer(after))
        total, given = sum(float(p.group(1)) for p in parts), float(hit.match.group(1))
        if len(parts) < _LEAST_PARTS or abs(total - given) < ROUNDING:
            continue
        detail = f"分值构成各部分之和为 {total:g} 分，与总分 {given:g} 分不符，请核对。"
        place = (hit.match.start(), hit.match.end() + parts[-1].end())
        yield hint(case, table.SCORE_PARTS, Verdict.WARNING, detail, (hit.passage.span(*place),))
        return


def check_quantified(case: Case) -> Iterator[ComplianceCheck]:
    """Rows that leave the points to the panel: 酌情打分, or a range and nothing else."""
    vague: list[Span] = []
    for row in case.scores:
        text = row.criterion.compact.replace("\n", "")
        if _VAGUE.search(text) or (row.points and _ONLY_RANGE.fullmatch(text)):
            vague.append(_row(row))
    if vague:
        detail = f"{len(vague)} 项评分因素只有分值区间或由评委酌情打分，未细化量化，请核对。"
        yield hint(case, table.SCORE_QUANTIFIED, Verdict.WARNING, detail, tuple(vague[:3]))


def check_deduction(case: Case) -> Iterator[ComplianceCheck]:
    """One deviation of many that already costs all points of its row."""
    for row in case.scores:
        found = _DEDUCTS.search(row.criterion.compact.replace("\n", ""))
        if found is None or not row.points:
            continue
        clauses, each = int(found.group(1)), float(found.group(2))
        if clauses > 1 and each >= row.points:
            detail = (
                f"共 {clauses} 项条款，每偏离一项扣 {each:g} 分，而该项满分仅 {row.points:g} 分，"
                "偏离一项即扣完，请提出澄清。"
            )
            yield hint(case, table.SCORE_DEDUCTION, Verdict.WARNING, detail, (_row(row),))
            return


def check_price_weight(case: Case) -> Iterator[ComplianceCheck]:
    fact = case.fact("price_weight")
    if fact is None or isinstance(fact.value, bool | str) or case.setting.purchase is Purchase.WORKS:
        return
    weight = float(fact.value)
    detail = f"价格分 {weight:g} 分。"
    if case.setting.procedure is Procedure.CONSULTATION:
        yield _consultation_weight(case, weight, detail, fact.source)
        return
    if not case.setting.procedure.is_tender:
        return
    least = {Purchase.GOODS: 30.0, Purchase.SERVICES: 10.0}.get(case.setting.purchase)
    if least is None:
        least = 10.0 if weight < 10 else 30.0
        if 10 <= weight < 30:
            detail += "未能判断属于货物还是服务。"
            yield hint(case, table.PRICE_WEIGHT, Verdict.UNKNOWN, detail, (fact.source,))
            return
    yield judge(case, table.PRICE_WEIGHT, detail, broken=weight < least, evidence=(fact.source,))


def _consultation_weight(case: Case, weight: float, detail: str, source: Span) -> ComplianceCheck:
    low, high = {Purchase.GOODS: (30, 60), Purchase.SERVICES: (10, 30)}.get(case.setting.purchase, (10, 60))
    broken = not low <= weight <= high
    return judge(case, table.CONSULTATION_WEIGHT, detail, broken=broken, evidence=(source,))


def check_price_formula(case: Case) -> Iterator[ComplianceCheck]:
    """Only for the procurement law: the tender law leaves the method to the document."""
    if case.regime is not Regime.GOVERNMENT:
        return
    zones = frozenset({Zone.EVALUATION, Zone.INSTRUCTIONS})
    average = [*hits(case, _FORMULA_AVERAGE, zones=zones)]
    trims = [*hits(case, _FORMULA_TRIMS, zones=zones, without=_NOT_TRIMMED)]
    if average or trims:
        detail = "价格分以平均价为基准或去掉最高、最低报价，应当采用低价优先法，且不得去掉最高、最低报价。"
        evidence = quotes([*average, *trims])
        yield judge(case, table.PRICE_FORMULA, detail, broken=True, evidence=evidence)


def check_tie_break(case: Case) -> Iterator[ComplianceCheck]:
    """Equal scores rank by price from low to high (procurement law); high to low is wrong in any tender."""
    for hit in hits(case, _TIE, without=_SAME_BRAND):
        words, spans = _order(case.passages, hit)
        down, up, other = (p.search(words) for p in (_PRICE_DOWN, _PRICE_UP, _OTHER_ORDER))
        if down and not (up and up.start() < down.start()):
            detail = "得分相同时按投标报价由高到低排列，与报价由低到高排列的规定相反。"
            yield judge(case, table.TIE_BREAK, detail, broken=True, evidence=spans)
            return
        if case.regime is not Regime.GOVERNMENT or not case.setting.procedure.is_tender:
            continue
        if up and not (other and other.start() < up.start()):
            yield judge(case, table.TIE_BREAK, "得分相同的按报价由低到高排列。", broken=False, evidence=spans)
            return
        if other:
            detail = "得分相同时未首先按投标报价由低到高排列，请核对。"
            yield hint(case, table.TIE_BREAK, Verdict.WARNING, detail, spans)
            return


def _order(passages: list[Passage], hit: Hit) -> tuple[str, tuple[Span, ...]]:
    """The order named behind the tie: in the same passage, or in the first items of the list below it."""
    passage = hit.passage
    words = passage.compact[hit.match.start() : hit.match.end() + 70]
    if not passage.compact.endswith("：") or hit.match.end() < len(passage.compact) - 40:
        return words, (hit.quote,)
    below = passages[passage.index + 1 : passage.index + 1 + _TIE_REACH]
    listed = "；".join([words, *(p.compact for p in below)])
    first_item = [below[0].span(0, min(len(below[0].compact), 60))] if below else []
    return listed, (hit.quote, *first_item)


def check_sme_discount(case: Case) -> Iterator[ComplianceCheck]:
    if case.regime is not Regime.GOVERNMENT:
        return
    works = case.setting.purchase is Purchase.WORKS
    low, high = (3, 5) if works else (10, 20)
    issued = case.issued
    if issued is not None and issued < acts.SME_PREFERENCE.since and not works:
        low, high = _OUTDATED_DISCOUNT
    hit = first(hits(case, _DISCOUNT, without=_NO_DISCOUNT))
    if hit is None:
        return
    groups = hit.match.groupdict()
    rate = float(groups["low"] or groups["rate"])
    if not rate:
        return
    detail = f"小微企业价格扣除 {rate:g}%。"
    broken = not low <= rate <= high
    if broken and _OUTDATED_DISCOUNT[0] <= rate < _OUTDATED_DISCOUNT[1] and not works:
        detail += "6%—10% 为 2022 年以前的旧标准，请核对。"
    yield judge(case, table.SME_DISCOUNT, detail, broken=broken, evidence=(hit.quote,))


EVALUATION: tuple[Check, ...] = (
    check_score_total,
    check_score_parts,
    check_quantified,
    check_deduction,
    check_price_weight,
    check_price_formula,
    check_tie_break,
    check_sme_discount,
)
