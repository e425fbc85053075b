"""Facts of the evaluation: its method and the points that the price can win."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backend.app.bidding.rules.checkboxes import is_rejected, options
from backend.app.bidding.rules.statements import TRUST, Candidate, Source, Statement, choose

_METHOD = re.compile(
    r"综合(?:评分|评估|评标|评审|评价|打分|评定|评议)(?:办?法|方法)|综合比较与评价法|(?:经评审的?)?(?:合理)?最低(?:投标|评标|评审|响应|报)?(?:价|报价)"
    r"(?:中标|成交|法|评标法|评审法|优先法)法?|最低评标价法|性价比法|质量优先法|合理(?:定价|低价)(?:评审|评标)?(?:抽取)?法?|双信封(?:评标)?法|平均(?:值|价)法"
    r"|有效最低价法|票决法|两阶段评[标审]法|固定(?:价|报价)(?:竞争)?法"
)
_LOWEST = re.compile(
    r"(?:按照?|以)?(?:最后|最终|有效|评审|评标|经评审的?)*(?:投标|响应)?(?:报价|价格|价)(?:由|从)低(?:到|至)高(?:的?顺序)?[^。；]{0,16}(?:推荐"
    r"|排序|排列|确定|提出|推选|选择|选取)"
    r"|(?:二次|最后|最终|有效|评审|评标|总|投标|响应)*(?:报价|价格|价)最低(?:的|者)?(?:[^。；，]{0,4}(?:供应商|投标人|响应人|申请人|应答人|报价人|单位))?"
    r"(?:推荐|确定|作)?(?:为|成交|中标|中选)"
)
_BY_SCORE = re.compile(
    r"(?:总得分|综合得分|评审得分|总分|得分)(?:由|从)高(?:到|至)低(?:的?顺序)?[^。；]{0,16}(?:推荐|排序|排列|确定|排名)"
)
_DECLARED = re.compile(
    r"(?:本次|本项目|本(?:集中)?(?:招标|采购)(?:项目)?|评标|评审|磋商|谈判)[^。；]{0,16}(?:采用|采取|使用|选用|适用|按照|实行)[^。；]{0,24}$|评"
    r"(?:标|审|定|选)(?:办法|方法|原则)(?:及标准|和标准)?(?:采用|：|（|为|是)[^。；]{0,6}$|采用[“\"《]?$"
)
_DEFINES = re.compile(
    r"^[”\"]?(?:评标|评审)?[，,]?是指|^的(?!评)|^[/／、]|^(?:评审|评标)?时[：，]|^评[审标]的[，：]"
)
_UNDER_CONDITION = re.compile(r"(?:若|如果?|当)(?:本项目)?(?:采用|采取)$|^（\d）$")

_PRICE = (
    r"(?:价格项|(?:投标|响应|评标|磋商|最终|最后|评审)?(?:报价|价格|商务报价|总报价|总价)"
    r"(?:部分|评审|评分|得分|分|因素|分值|标|文件|权重|评价)?)"
)
_NUMBER = r"(?P<n>\d{1,2}(?:\.\d{1,2})?|100)"
_WEIGHT_PATTERNS: tuple[tuple[re.Pattern[str], float], ...] = (
    (re.compile(rf"价格分(?:值)?(?:为|占|的)?(?:满分|权重|：)*(?:为)?{_NUMBER}(?:分|%)"), 1.0),
    (
        re.compile(
            rf"{_PRICE}(?:（[^）]{{0,16}}）)?(?:[（）(：]|占|为|满分|（?满分|共|权重|分值|总分|的权重|计|、)+(?:权重|分值|满分|总分|标准分"
            rf"|最高)?(?:为|占|：|=)?{_NUMBER}(?:分(?!之)|%|[）)](?=$|[：；。，]))"
        ),
        0.95,
    ),
    (re.compile(rf"(?:价格|报价)(?:部分|得分|评分|分值|评审|因素|权重){_NUMBER}(?:分(?!之)|%)"), 0.9),
    (re.compile(rf"{_PRICE}[：；]{_NUMBER}(?:分|%)?(?=[：；]|$)"), 0.85),
    (re.compile(rf"[）)]?[*×xX＊]价格(?:权值|权重|分值)[（(：=]*{_NUMBER}%"), 0.8),
)
# 价格得分 = 评标基准价 / 投标报价 × 30 (or × 30% × 100): the factors multiplied are the points.
_FORMULA = re.compile(
    r"(?:基准价|最低[^。；，=]{0,10}价|评审价)[^。；=]{0,6}[/÷／][^。；=，]{2,22}?[）)]?(?P<factors>(?:[*×xX＊·]\d{1,3}"
    r"(?:\.\d+)?[%分]?)+)(?![\d.]|[*×xX＊·][^\d])"
)
_POINTS_CELL = re.compile(r"(?:0(?:\.0)?分?[~\-—－至]{1,2})?(?P<n>\d{1,3}(?:\.\d)?)(?:分|%)?")
_PRICE_ROW = re.compile(
    r"^(?:[^：]{0,6}：)?(?:投标|评标|磋商|最终|最后|商务)?(?:报价|价格)(?:部分|评审|评分|得分|分|因素)?(?:：|（|$)"
)
_NOT_PRICE = re.compile(
    r"扣除|折扣|优惠|下浮|上浮|单价|预付|付款|质保|偏差|税率|报价(?:文件|一览)?[^。；，]{0,6}(?:份|日|天)"
)
_PRICE_LINE = re.compile(
    r"(?:[\d一二三四五六七八九十]{1,2}[、.]? )?(?:投标|磋商|谈判|响应|最后|评标)?(?:总)?"
    r"(?:报价|价格)(?:部分|得分|评分|评审|分)?(?:（[^）]{0,8}）)? (?P<n>\d{1,2}(?:\.\d)?)分? "
)
_SCORING = re.compile(r"分值|满分|权重|得分|评分|评审|打分|总分|评标")


def evaluation_method(statements: list[Statement]) -> Candidate | None:
    found = [c for s in statements for c in _methods(s)]
    chosen = choose(found, least=0.3)
    if chosen is not None:
        return chosen
    rest = [c for s in statements for c in _by_order(s)]
    return choose(rest, least=0.3)


def price_weight(statements: list[Statement]) -> Candidate | None:
    return choose([c for s in statements for c in _weights(s)], least=0.3)


def _methods(statement: Statement) -> Iterator[Candidate]:
    if statement.source in (Source.FORMS, Source.CONTRACT):
        return
    compact = statement.compact
    ticked = {(s, e): t for t, s, e in options(compact)}
    for match in _METHOD.finditer(compact):
        if is_rejected(compact, match.start()):
            continue
        before, after = compact[: match.start()], compact[match.end() :]
        if _DEFINES.search(after) or _UNDER_CONDITION.search(before):
            continue
        chosen = any(t and s <= match.start() < e for (s, e), t in ticked.items())
        if chosen and re.search(r"评(?:标|审|定|选)", before + statement.label):
            weight = 1.0
        elif re.search(r"评(?:标|审|选)(?:办法|方法)", statement.label) or _DECLARED.search(before[-44:]):
            weight = 0.95
        elif statement.passage.is_heading or len(compact) <= 30:
            weight = 0.7
        elif re.search(r"采用[^。；]{0,14}$", before):
            weight = 0.6
        else:
            continue
        trust = max(TRUST[statement.source], 0.8)
        yield Candidate(match.group(), statement, match.start(), match.end(), weight * trust)


def _by_order(statement: Statement) -> Iterator[Candidate]:
    """Without a named method: the order in which bids are recommended."""
    if statement.source in (Source.FORMS, Source.CONTRACT):
        return
    compact = statement.compact
    for pattern, weight in ((_LOWEST, 0.6), (_BY_SCORE, 0.6)):
        for match in pattern.finditer(compact):
            condition = compact[max(0, match.start() - 30) : match.start()]
            if re.search(r"相同|并列|采用.{0,12}(?:法|的)|时[，：]?$", condition):
                continue
            yield Candidate(match.group(), statement, match.start(), match.end(), weight)


def _weights(statement: Statement) -> Iterator[Candidate]:
    if statement.source in (Source.FORMS, Source.CONTRACT):
        return
    compact = statement.compact
    scoring = statement.source is Source.EVALUATION or _SCORING.search(
        compact[:200] + statement.section + statement.label
    )
    if not scoring:
        return
    if found := _points_cell(statement) or _points_in_line(statement):
        yield found
    yield from _formulas(statement)
    for pattern, worth in _WEIGHT_PATTERNS:
        for match in pattern.finditer(compact):
            value = float(match["n"])
            if (
                not 5 <= value <= 100
                or _NOT_PRICE.search(match.group())
                or is_rejected(compact, match.start())
            ):
                continue
            number = int(value) if value == int(value) else value
            trust = {Source.EVALUATION: 1.0, Source.FRONT_TABLE: 0.95}.get(statement.source, 0.8)
            yield Candidate(number, statement, *match.span("n"), worth * trust, match.start())


def _formulas(statement: Statement) -> Iterator[Candidate]:
    compact = statement.compact
    for match in _FORMULA.finditer(compact):
        product = 1.0
        for factor in re.findall(r"(\d+(?:\.\d+)?)(%?)", match["factors"]):
            product *= float(factor[0]) * (0.01 if factor[1] else 1.0)
        if 5 <= product < 100 and not is_rejected(compact, match.start()):
            value = int(product) if abs(product - round(product)) < 1e-9 else round(product, 2)
            trust = 1.0 if statement.source is Source.EVALUATION else 0.8
            yield Candidate(value, statement, *match.span("factors"), 0.8 * trust, match.start())


def _points_in_line(statement: Statement) -> Candidate | None:
    """The row "1  投标报价  20  …" of a table whose cells came as one line, apart by tabs or blanks."""
    if statement.passage.cell is not None:
        return None
    text, places = statement.passage.spaced(0, len(statement.compact))
    points = _PRICE_LINE.match(text)
    if points is None or not 5 <= float(points["n"]) <= 100:
        return None
    value = float(points["n"])
    number = int(value) if value == int(value) else value
    start, end = (places[points.start("n")], places[points.end("n") - 1] + 1)
    return Candidate(number, statement, start, end, 0.8)


def _points_cell(statement: Statement) -> Candidate | None:
    """The points in a cell of their own, in the row that is named 价格 or 报价."""
    points = _POINTS_CELL.fullmatch(statement.compact)
    if points is None or not _PRICE_ROW.search(statement.label):
        return None
    value = float(points["n"])
    if not 5 <= value <= 100:
        return None
    number = int(value) if value == int(value) else value
    return Candidate(number, statement, *points.span("n"), 0.8)
