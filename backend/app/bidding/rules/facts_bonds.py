"""Facts of money: the bid bond and the performance bond, 0 where the document asks for none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from backend.app.bidding.rules.checkboxes import is_rejected
from backend.app.bidding.rules.facts_money import BELOW_OR_ABOVE, UNIT_RATE, names_several_lots
from backend.app.bidding.rules.statements import TRUST, Candidate, Place, Source, Statement, choose
from backend.app.bidding.rules.values import Amount, find_amounts, find_percents, money_unit

BID_BOND = re.compile(
    r"(?:(?:投标|磋商|谈判|响应|应答|询价|比选|报价|竞价|参选|竞标|参与|申请|采购|询比|遴选|竞争性磋商|竞争性谈判)保证金|(?<!履约)(?<!质量)(?<!质保)(?<!期)"
    r"(?<!农民工工资)(?<!支付)保证金(?:金额|数额)|投标担保)"
    r"(?!有效期|账|帐|收据|缴纳(?:凭证|证明)|交纳(?:凭证|证明)|退|不予|将|函|的形式|形式|的?缴纳(?:方式|时间)|等)"
)
_PERFORMANCE = re.compile(
    r"(?:履约(?:保证金|担保(?:金额)?|保函|保证(?=：))|合同履约金)(?!有效期|账|帐|收据|退|不予|将不|格式)"
)
_STOP = re.compile(r"。|；(?![☑■√☒□])")  # the options of a choice are lines of one cell
_CONDITION = re.compile(r"鼓励|可以|中小|小微|符合|信用|如|若|凡|对于?|以外|联合体|[的时]$")
# "缴纳人民币拾万元整的履约保证金": the amount before its label.
_AMOUNT_BEFORE = re.compile(
    r"(?:缴纳|交纳|提交|递交|支付)[^。；，]{0,24}?(?:整|元)?(?:（[^）]{0,24}）)?(?:的|作为)$"
)
_NONE = re.compile(
    r"(?:本?(?:次)?(?:项目|采购|招标|标段|磋商|谈判)?(?:均)?(?:不(?:收取?|要求|需要?|须|需|缴|交|设(?:置|立)?|予收取|适用|涉及|再收取)|无需|无须|免"
    r"(?:予)?(?:收取?|于?缴纳?|交纳?|除)|免收|取消收取|零元|无(?=$|[。；，：（])|没有))"
)
_LOTS_REACH = 120
# "合同总价10%的履约保证金": the share before its label.
_SHARE_BEFORE = re.compile(
    r"(?:合同|中标|成交)(?:总?价(?:格|款)?|总?金额|总?额)的?(?P<share>(?:\d{1,2}(?:\.\d+)?%|百分之[一二三四五六七八九十]+))(?:的|作为)$"
)
_NONE_HEAD = re.compile(
    r"(?:（[^）]{0,12}）|[：:（、，\-]|金额|的?缴纳|的?交纳|及其?金额|要求|人民币|[☑■√☒□]|\d[、.）]"
    r"|是否(?:收取|缴纳|要求)|（?单位|元）|本项目(?=无))*"
)
_ZERO = re.compile(r"[：（]*(?:金额)?[：]?(?:为)?(?:人民币)?(?P<zero>[¥]?0(?:\.0+)?)(?:元|$)")
_NONE_BEFORE = re.compile(
    r"(?:不(?:收取|要求(?:提交|提供|缴纳|交纳)?|需要?(?:提交|缴纳|交纳|提供)?|设|予收取|再收取|须(?:提交|缴纳)?)|无需(?:提交|缴纳|交纳|提供)?|无须(?:提交"
    r"|缴纳|交纳)?|免(?:收取?|缴纳?|交纳?|除))(?:供应商|投标人|任何|的)?(?:(?:投标|磋商|谈判|响应)保证金[和及与、])?$"
)
_LEGAL = re.compile(
    r"不(?:得|应|能|可)?(?:超过|高于|大于)|最高(?:不)?(?:得)?(?:超|为)|上限|以内|以下|至多|不予退还|罚|赔偿|违约|扣除|扣减|服务费|工本费|售价|≤|不大于|应当"
    r"(?:与|在)"
)
_OF_CONTRACT = re.compile(
    r"(?:合同|中标|成交|协议|签约|结算|采购)(?:总?(?:价(?:格|款)?|金额|额|总额|报价|总金额)|价款?总额|（?含税）?(?:总?价|金额))(?:款)?"
    r"(?:（[^）]{0,12}）)?(?:的)?[：]?$"
)


def bid_bond(statements: list[Statement]) -> Candidate | None:
    return _bond(statements, BID_BOND)


def performance_bond(statements: list[Statement]) -> Candidate | None:
    """The value is "5%", yuan as a string, or "0"."""
    chosen = _bond(statements, _PERFORMANCE, percent=True)
    if chosen is None:
        return None
    value = chosen.value if isinstance(chosen.value, str) else str(chosen.value)
    return Candidate(value, chosen.statement, chosen.start, chosen.end, chosen.weight, chosen.label)


def _bond(statements: list[Statement], label: re.Pattern[str], *, percent: bool = False) -> Candidate | None:
    found: list[Candidate] = []
    for statement in statements:
        if statement.source is Source.FORMS:
            continue
        for place in statement.places(label):
            found.extend(_bond_at(statement, place, percent=percent))
    return choose(found, least=0.38)


def _bond_at(statement: Statement, place: Place, *, percent: bool) -> Iterator[Candidate]:
    compact = statement.compact
    weight = place.closeness * TRUST[statement.source]
    if place.label is not None and (before := _NONE_BEFORE.search(compact[: place.label])):
        clause = re.split(r"[。；]", compact[: before.start()])[-1] + compact[place.start : place.start + 1]
        if not is_rejected(compact, before.start()) and not _CONDITION.search(clause):
            yield Candidate(0, statement, before.start(), place.start, weight, before.start())
        return
    if place.label is not None and (ahead := _amount_ahead(compact, place.label)):
        yield Candidate(ahead.value_yuan, statement, ahead.start, ahead.end, weight, ahead.start)
        return
    if percent and place.label is not None and (share := _share_ahead(statement, place.label)):
        yield replace(share, weight=weight)
        return
    reach = _reach(statement, place)
    if (none := _none_in(compact, place.start, reach)) is not None:
        yield Candidate(0, statement, *none, weight, place.label)
    elif (amount := _amount_in(compact, place.start, reach)) is not None and not _in_columns(
        statement, amount
    ):
        yield Candidate(amount.value_yuan, statement, amount.start, amount.end, weight, place.label)
    elif percent:
        yield from _percent(statement, place, reach, weight)


def _reach(statement: Statement, place: Place) -> str:
    """The words that belong to the label: its sentence, or the cell when the label is the row's."""
    compact = statement.compact
    if statement.passage.cell is not None and place.closeness >= 0.9:
        return compact[place.start : place.start + 160]
    end = _STOP.search(compact, place.start)
    return compact[place.start : end.start() if end else len(compact)]


def _amount_in(compact: str, start: int, reach: str) -> Amount | None:
    for amount in find_amounts(reach, money_unit(reach[:8])):
        clause = re.split(r"[。；]", reach[: amount.start])[-1]
        if _LEGAL.search(clause) or BELOW_OR_ABOVE.match(reach[amount.end :]):
            continue
        if 0 < amount.value_yuan < 100 or len(clause) > 60 or UNIT_RATE.match(reach, amount.end):
            continue
        if is_rejected(compact, start + amount.start):
            continue
        if names_several_lots(compact[start : start + _LOTS_REACH]):
            return None
        return Amount(amount.value_yuan, start + amount.start, start + amount.end)
    return None


def _in_columns(statement: Statement, amount: Amount) -> bool:
    """Whether further amounts follow, apart by white space alone: the columns of lots, come as one line."""
    if statement.passage.cell is not None:
        return False
    text, places = statement.passage.spaced(amount.start, len(statement.compact))
    behind = text[places.index(amount.end) :] if amount.end in places else ""
    return behind.startswith(" ") and any(found.start == 0 for found in find_amounts(behind.lstrip()))


def _amount_ahead(compact: str, label: int) -> Amount | None:
    match = _AMOUNT_BEFORE.search(compact, max(0, label - 60), label)
    amounts = find_amounts(match.group()) if match else []
    if match is None or not amounts or _LEGAL.search(compact[max(0, match.start() - 20) : label]):
        return None
    amount = amounts[0]
    return Amount(amount.value_yuan, match.start() + amount.start, match.start() + amount.end)


def _share_ahead(statement: Statement, label: int) -> Candidate | None:
    compact = statement.compact
    match = _SHARE_BEFORE.search(compact, max(0, label - 40), label)
    if match is None or _LEGAL.search(compact[max(0, match.start() - 20) : match.start()]):
        return None
    value = f"{find_percents(match['share'])[0].value:g}%"
    return Candidate(value, statement, *match.span("share"), 0.0, match.start())


def _none_in(compact: str, start: int, reach: str) -> tuple[int, int] | None:
    """Where the words behind a label say that no bond is asked; options that are not ticked say nothing."""
    if names_several_lots(reach):
        return None
    head = _NONE_HEAD.match(reach)
    places = {head.end() if head else 0, *(m.end() for m in re.finditer(r"[☑■√☒：；]", reach[:120]))}
    for at in sorted(places):
        found = _NONE.match(reach, at)
        if found and not is_rejected(compact, start + found.start()):
            return start + found.start(), start + found.end()
    if zero := _ZERO.match(reach):
        return start + zero.start("zero"), start + zero.end()
    return None


def _percent(statement: Statement, place: Place, reach: str, weight: float) -> Iterator[Candidate]:
    for share in find_percents(reach):
        before = reach[: share.start]
        if _LEGAL.search(before[-24:]) or len(before) > 60:
            continue
        if not _OF_CONTRACT.search(before) and not re.search(
            r"(?:金额|比例|额度|数额|标准|：)[为：]?$", before
        ):
            continue
        if re.match(r"以[内下]|[-~—至]", reach[share.end : share.end + 2]):
            continue
        start, end = place.start + share.start, place.start + share.end
        if is_rejected(statement.compact, start):
            continue
        value = f"{share.value:g}%"
        yield Candidate(value, statement, start, end, weight, place.label)
        return
