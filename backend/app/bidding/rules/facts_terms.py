"""Facts of terms: validity, consortium, service period, payment."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backend.app.bidding.rules.checkboxes import is_rejected, options
from backend.app.bidding.rules.dates import find_dates
from backend.app.bidding.rules.statements import BLANK, TRUST, Candidate, Place, Source, Statement, choose
from backend.app.bidding.rules.values import Duration, find_durations

_VALIDITY = re.compile(
    r"(?:投标|响应|应答|磋商|谈判|报价|申请|竞标|询价|比选|参选|竞价)(?:文件|书|函)?(?:的)?(?:保证金)?有效(?:期限?|性)(?!的?延长|内|满|期满|届满|截止|不足|的，)"
)
_VALIDITY_REACH = 60
_DAYS_IN_MONTH = 30

_CONSORTIUM = re.compile(r"联合体")
_REFUSED = re.compile(
    r"(?:不接受|不允许|不得(?:以|组成|采用)?|不可(?:以)?|不能|不予接受|不接收|拒绝|禁止|谢绝|不支持|不组成|不采用)[^。；，]{0,12}联合体"
    r"|联合体(?:形式)?(?:的)?(?:投标|响应|磋商|谈判|报价|参加|参与|应答|竞标)?[^。；，☑√■□]{0,8}(?:[：:（]|是否[^：]{0,6}：)?(?:☑|√|■)?"
    r"(?:不接受|不允许|不可以|不得|否(?![则决认])|不组成|禁止|不予接受)"
    r"|（不接受）联合体|联合体[^。；]{0,10}不予(?:接受|受理)"
)
_ACCEPTED = re.compile(
    r"(?:本(?:项目|次|标段|采购项目|次招标|次采购)[^。；，不]{0,8}|：|^|[☑√■]|（)(?:可以)?(?:接受|允许)(?:供应商|投标人)?(?:以|组成)?联合体"
    r"(?:形式)?(?:投标|响应|参加|参与|磋商|谈判|报价)?(?!的)"
    r"|联合体(?:形式)?(?:投标|响应|参加|参与|磋商|谈判|报价)?(?:[^。；，不☑√■□]{0,6})?(?:：|（)(?:☑|√|■)?(?:接受|允许|是)(?![^。；]{0,8}的)"
)
_CONDITIONAL = re.compile(
    r"如(?:果|本项目|招标|允许|接受)?[^。；]{0,8}(?:接受|允许|组成)|若|(?:接受|允许)联合体[^。；]{0,8}的|不接受联合体[^。；]{0,6}(?:的)?(?:项目"
    r"|情况|情形)|允许/不允许|接受/不接受"
)

_PERIOD = re.compile(
    r"(?:(?:合同|项目|服务|履约|采购|供货|本项目|保洁|物业|维保|维护|运维|租赁|委托|外包|计划|施工|建设|实施|总|物业管理|框架协议|协议|承包|经营|管理)(?:合同)?"
    r"(?:的)?(?:履行|服务|有效|供货|实施|施工|交付|承包)?(?:期限?|时间|周期|日期|年限|工期)(?!内|届|满|为准)|(?:合同)?履行期限|工期(?:要求)?(?!内|延)"
    r"|交货(?:期限?|时间|日期)|供货(?:期限?|时间)|交付(?:（服务）)?(?:期限?|时间)|完工(?:期限?|时间)|完成(?:期限|时间)|合同期(?!内|满|间|限)|服务期"
    r"|实施周期|供货服务期|交货和服务期|标的提供的时间)"
    r"(?:（[^）]{0,12}）)?(?:要求|和地点|及地点|、地点)?(?!、|和|及|与|的)"
)
_NOT_PERIOD = re.compile(
    r"延长|违约|逾期|顺延|质保|保修|响应时间|到达|整改|上门|故障|考核|社保|业绩|付款|支付|届满前|有效期内|类似|签订(?:时间|日期)|开具|工作时间|验收合格后|学年|每天|工资"
    r"|加班|休息|早班|晚班"
)
_PERIOD_END = re.compile(r"[。；]|：(?=\d)")
# The next field in the same line: "240日历天 计划开工日期：".
_FIELD = re.compile(r"(?:计划)?[开竣完]工(?:日期|时间)|(?:地点|地址|质量(?:要求|标准)|联系人)：")
_EACH = re.compile(r"每(?:份|年度?|个|期)?$")
# "一次招标三年有效": one tender for several yearly contracts.
_ONCE_FOR_YEARS = re.compile(
    r"(?:一次(?:性)?(?:公开)?(?:招标|采购|磋商)|一招)[^。；，]{0,4}[一二三四五两2-5]年(?:有效|沿用|使用|延续)?[^。；]{0,40}"
)

_PAYMENT = re.compile(
    r"(?:(?:合同|费用|款项|服务费|货款|价款|工程款|资金|进度款)?(?:的)?(?:付款|支付|结算)(?:方式|条件|办法|方法|时间|周期|节点|比例|进度|安排|要求|计划|条款"
    r"|程序|及结算)(?:和|与|及|、)?(?:条件|方式|时间|进度|比例|要求)?(?:（[^）]{0,12}）)?|(?:合同)?付款(?=$|：)|(?:合同)?结算(?=$|：)|结算(?:与|和|及)(?:支付|付款)(?=$|：)|"
    r"(?:合同|费用|款项)支付(?=$|：)|资金支付)"
)
_PAYS = re.compile(
    r"支付|付款|付清|拨付|转账|月结|季结|年结|预付|付至|结账|结付|[按每]\S{1,4}结算|一次性结算|分期|付\d"
)
_WHEN = re.compile(
    r"按[年月季]|每[个年月季半]|次[月年]|季度|年度|[日天月]内|一次性|预付|首付|分[期\d一二三四五两]|%|\d期|验收[^。；]{0,12}后|当月|上月|签订[^。；]{0,8}后"
    r"|进度|之日起"
)
_NOT_PAYMENT = re.compile(
    r"保证金|代理(?:服务)?费|中标服务费|工资支付|农民工|违约|滞纳|标书|招标文件(?:费|售|工本)|响应表|偏离|投标函|知识产权|报名费"
)
_PAYS_WITHIN = re.compile(
    r"(?:甲方|采购人|招标人|采购单位|买方|业主方?|发包人)[^。；]{0,60}(?:\d|[一二三四五六七八九十])个?(?:工作|日历)?[日天月]内[^。；]{0,24}(?:支付|付清"
    r"|付款|转账)[^。；，]{0,30}"
)
_PAYS_BY = re.compile(
    r"[^。；，]{0,30}，?(?:采用|以|按照?|通过)[^。；，]{1,14}(?:方式|形式)(?:进行)?(?:付款|支付|结算)"
)
_TERMS_BLANK = re.compile(
    r"[_＿]{2,}|(?<!\d)%|[（(]\s*[）)]|(?<![\d一二三四五六七八九十几个作历）])(?:个?工作)?日内|(?<!\d)元(?=（小写)|小写[¥￥]?[）)]|/%"
)


def bid_validity_days(statements: list[Statement]) -> Candidate | None:
    """Days as stated; months count 30 days each, as the agencies' systems do."""
    found = [c for s in statements if s.source is not Source.CONTRACT for c in _validity(s)]
    return choose(found, least=0.35)


def consortium_allowed(statements: list[Statement]) -> Candidate | None:
    found = [c for s in statements for c in _consortium(s)]
    return choose(found, least=0.35)


def service_period(statements: list[Statement]) -> Candidate | None:
    return choose([c for s in statements for c in _periods(s)], least=0.35)


def payment_terms(statements: list[Statement]) -> Candidate | None:
    named = choose([c for s in statements for c in _payments(s)], least=0.3)
    return named or choose([c for s in statements for c in _duty_to_pay(s)], least=0.3)


def _validity(statement: Statement) -> Iterator[Candidate]:
    compact = statement.compact
    for place in statement.places(_VALIDITY):
        named = compact[place.label : place.start] if place.label is not None else ""
        if "保证金" in named or (place.label is None and place.closeness < 0.9):
            continue
        end = min((at for at in (compact.find("。", place.start),) if at >= 0), default=len(compact))
        reach = compact[place.start : min(end, place.start + _VALIDITY_REACH)]
        for period in find_durations(reach):
            days = _days(period)
            if days is None or not 15 <= days <= 730 or re.search(r"保证金|延长|保函", reach[: period.start]):
                break
            start = place.start + period.start
            if is_rejected(compact, start):
                continue
            weight = place.closeness * max(TRUST[statement.source], 0.35)
            yield Candidate(days, statement, start, place.start + period.end, weight, place.label)
            break


def _days(period: Duration) -> int | None:
    return period.days or (period.amount * _DAYS_IN_MONTH if period.unit == "month" else None)


def _consortium(statement: Statement) -> Iterator[Candidate]:
    if statement.source in (Source.FORMS, Source.CONTRACT):
        return
    compact = statement.compact
    if "联合体" not in compact and not ("联合体" in statement.label and len(statement.label) <= 30):
        return
    head = "" if "联合体" in compact else f"{statement.label}："
    text = head + compact
    weight = TRUST[statement.source]
    if options(compact):
        yield from _ticked_consortium(statement, head, weight)
        return
    for sentence in re.finditer(r"[^。；]+", text):
        words = sentence.group()
        if not _CONSORTIUM.search(words) or _CONDITIONAL.search(words):
            continue
        for pattern, value in ((_REFUSED, False), (_ACCEPTED, True)):
            if match := pattern.search(words):
                start = max(0, sentence.start() + match.start() - len(head))
                end = max(start + 1, sentence.start() + match.end() - len(head))
                yield Candidate(value, statement, start, end, weight * (1.0 if value is False else 0.9))
                break


def _ticked_consortium(statement: Statement, head: str, weight: float) -> Iterator[Candidate]:
    compact = statement.compact
    chosen = [(start, end) for ticked, start, end in options(compact) if ticked]
    for start, end in chosen:
        words = compact[start:end]
        before = (head + compact)[: start + len(head)]
        if "联合体" not in words and "联合体" not in before[-40:]:
            continue
        if re.match(r"不接受|不允许|否|不可|不得|不组成", words):
            yield Candidate(False, statement, start, end, weight, max(0, start - 1))
        elif re.match(r"接受|允许|是|可以", words):
            yield Candidate(True, statement, start, end, weight, max(0, start - 1))


def _periods(statement: Statement) -> Iterator[Candidate]:
    if statement.source is Source.FORMS:
        return
    compact = statement.compact
    for place in statement.places(_PERIOD):
        if place.label is None and place.closeness < 0.9 and len(compact) > 80:
            continue
        start, end = _value_range(compact, place)
        words = compact[start:end]
        if BLANK.search(words) or not _is_period(words) or is_rejected(compact, start):
            continue
        # Only the clause that holds the period: what follows it may speak of other things.
        around = compact[max(0, (place.label or 0) - 12) : start] + _first_clauses(words)
        if _EACH.search(compact[max(0, (place.label or 0) - 4) : place.label or 0]):
            continue
        if _NOT_PERIOD.search(around) or start - place.start > 8:
            continue
        weight = place.closeness * TRUST[statement.source]
        yield Candidate(words, statement, start, end, weight, place.label)
    for match in _ONCE_FOR_YEARS.finditer(compact):
        start, end = match.start(), _after_value(compact, *match.span())
        yield Candidate(compact[start:end], statement, start, end, 0.9 * TRUST[statement.source])


def _first_clauses(words: str) -> str:
    """The words up to the comma behind the first period or date."""
    ends = [p.end for p in find_durations(words)] + [d.end for d in find_dates(words)]
    comma = words.find("，", min(ends, default=0))
    return words if comma < 0 else words[:comma]


def _value_range(compact: str, place: Place) -> tuple[int, int]:
    connector = re.compile(r"(?:（[^）]{0,20}）|[：:为是,，]|要求|如下)*").match(compact, place.start)
    start = connector.end() if connector else place.start
    stop = _PERIOD_END.search(compact, start)
    end = stop.start() if stop else len(compact)
    if end - start > 40:
        end = _after_value(compact, start, end)
    if field := _FIELD.search(compact, start + 2, end + 1):
        end = field.start()
    return start, end


def _after_value(compact: str, start: int, end: int) -> int:
    """Long terms end behind the clause that holds the last period or date of the first clauses."""
    words = compact[start:end]
    ends = [p.end for p in find_durations(words)] + [d.end for d in find_dates(words)]
    marks = [end for end in ends if end <= 60]
    if not marks:
        return end
    cut = re.compile(r"[，。；：]").search(words, max(marks))
    return start + (cut.start() if cut else len(words))


def _is_period(words: str) -> bool:
    """A term holds a period or a date near its begin and no blank."""
    if not 2 <= len(words) <= 120:
        return False
    starts = [p.start for p in find_durations(words)] + [d.start for d in find_dates(words)]
    return any(start <= 24 for start in starts) and not re.search(r"小时", words[:16])


def _payments(statement: Statement) -> Iterator[Candidate]:
    if statement.source is Source.FORMS:
        return
    compact = statement.compact
    for place in statement.places(_PAYMENT):
        start = _past_connector(statement, place)
        if not statement.is_assigned(place, start):
            continue
        end = _payment_end(compact, start)
        words = compact[start:end]
        if len(words) < 6 or BLANK.search(words) or _TERMS_BLANK.search(words) or not _PAYS.search(words):
            continue
        if _NOT_PAYMENT.search(compact[max(0, (place.label or start) - 16) : end]) or is_rejected(
            compact, start
        ):
            continue
        trust = max(TRUST[statement.source], 0.55) * (1.0 if _WHEN.search(words) else 0.6)
        yield Candidate(words, statement, start, end, place.closeness * trust, place.label)


def _duty_to_pay(statement: Statement) -> Iterator[Candidate]:
    """Without any label: the clause of the contract that says within which time the buyer pays."""
    if statement.source not in (Source.CONTRACT, Source.REQUIREMENTS, Source.FRONT_TABLE):
        return
    compact = statement.compact
    for match in _PAYS_WITHIN.finditer(compact):
        words = match.group()
        around = compact[max(0, match.start() - 30) : match.end()]
        if _NOT_PAYMENT.search(around) or _TERMS_BLANK.search(around) or is_rejected(compact, match.start()):
            continue
        yield Candidate(words, statement, *match.span(), 0.9 * TRUST[statement.source])
    by = _PAYS_BY.search(compact) if statement.source is Source.REQUIREMENTS else None
    if by is not None and not _NOT_PAYMENT.search(compact):
        start = by.start() + _marker_length(statement, by)
        yield Candidate(compact[start : by.end()], statement, start, by.end(), 0.4)


def _marker_length(statement: Statement, match: re.Match[str]) -> int:
    marker = statement.passage.marker
    return marker.length if match.start() == 0 and marker is not None else 0


def _past_connector(statement: Statement, place: Place) -> int:
    at = place.start
    if at == 0 and statement.passage.marker is not None:
        at = statement.passage.marker.length
    connector = re.compile(r"(?:（[^）]{0,20}）|[：:为是,，]|如下|\d[、.）]|（\d）)*").match(
        statement.compact, at
    )
    return connector.end() if connector else at


def _payment_end(compact: str, start: int) -> int:
    """Two sentences or about a hundred characters: what is paid when."""
    end = start
    for sentence in re.compile(r"[^。；]+[。；]?").finditer(compact, start):
        if end > start and sentence.end() - start > 110:
            break
        end = sentence.end()
        if end - start > 60:
            break
    while end > start and compact[end - 1] in "。；，":
        end -= 1
    return end
