"""Amounts that contradict each other: words and figures, budget, ceiling and bonds in two places, lots."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from backend.app.bidding.amounts import yuan
from backend.app.bidding.findings import ComplianceCheck, Span, Verdict
from backend.app.bidding.rules.compliance import table
from backend.app.bidding.rules.compliance.case import (
    MOST_EVIDENCE,
    Case,
    Check,
    Hit,
    first,
    hint,
    hits,
    number_of,
)
from backend.app.bidding.rules.passages import Passage
from backend.app.bidding.rules.values import Amount, find_amounts, money_unit
from backend.app.bidding.rules.zones import Zone

_CAPITALS = re.compile(r"[壹贰叁肆伍陆柒捌玖拾佰仟]")
_BETWEEN_FORMS = re.compile(
    r"(?:整|正|[（(]|[）)]|人民币|大写|小写|[：:¥￥，,]|金额|即|为|/份|/套|（含税）|元)*"
)
_LABELS: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    (
        "budget",
        "预算",
        re.compile(
            r"(?<!超过)(?<!超出)(?<!低于)(?:采购|项目)?预算(?:总)?(?:金额|价|额)(?:（[^）]{0,8}）)?[：为](?:人民币|约|[¥])*"
        ),
    ),
    (
        "price_ceiling",
        "最高限价",
        re.compile(
            r"(?<!超过)(?<!高于)(?<!低于)最高(?:投标)?(?:总)?限价(?:（[^）]{0,8}）)?[：为](?:人民币|约|[¥])*"
        ),
    ),
    (
        "bid_bond",
        "投标保证金",
        re.compile(
            r"(?:投标|磋商|谈判|响应)保证金(?:的)?(?:金额|数额)?(?:（[^）]{0,8}）)?[：为](?:金额[：为])?(?:人民币|[¥])*"
        ),
    ),
)
_PARTLY = re.compile(
    r"(?:包|标段|标项|标包|分包|品目)[一二三四1-9]|第[一二三四1-9](?:包|标段)|单价|每|/(?:年|月|人)|年度|其中|单项|分项|首年|以[上下内]"
)
_SECOND_LOT = re.compile(r"(?:包|标段|标项|标包|品目)(?:二|2(?!\d))|第(?:二|2)(?:包|标段|标项)")
_STATED_IN = frozenset({Zone.NOTICE, Zone.INSTRUCTIONS, Zone.OTHER, Zone.REQUIREMENTS})
_NONE = re.compile(
    r"(?:不(?:再)?收取?|不要求(?:提交|缴纳|提供|交纳)?|无需(?:提交|缴纳|交纳)?|免收|免于?(?:缴纳|交纳)|不设(?:置)?)"
    r"(?:[^。；，：]{0,4})(?P<kind>投标|磋商|谈判|响应|履约)保证金(?!的?(?:情形|情况))"
    r"|(?P<kind2>投标|磋商|谈判|响应|履约)保证金(?:（[^）]{0,8}）)?[：，]?[☑■√]?(?:本项目)?(?:不(?:再)?收取?(?!的)|不要求|无需|免收|不需要)"
)
_DEMANDED = re.compile(
    r"(?:乙方|中标人|成交供应商|中标供应商|供应商|承包人|卖方)[^。；，]{0,10}(?:应|须|必须|需)[^。；]{0,30}?(?:提交|缴纳|交纳|支付)[^。；]{0,30}?"
    r"(?P<kind>履约)保证金"
    r"|(?P<kind2>投标|磋商|谈判|响应|履约)保证金(?:的)?(?:金额|数额)?[：为](?:人民币|[¥])*(?=[1-9壹贰叁肆伍陆柒捌玖])"
)
_CONDITIONAL = re.compile(
    r"如(?!下|期)|若|的，|要求(?:提交|缴纳|交纳)?的|不得超过|不超过|前附表|≤|未|拒绝|逾期|可以|上限|视为"
)
_LOT_ROW = re.compile(
    r"^(?:第?[一二三四五六七八九\d]{1,2}(?:标段|分?包|标项)|(?:采购)?(?:包|标段|标项|标包)[一二三四五六七八九\d]{1,2})[：（]"
)
_TOTAL_ROW = re.compile(r"^(?:合计|总计|共计)[：]")
_MONEY_HEAD = re.compile(r"预算|限价")
_FIGURE = re.compile(r"\d[\d,，]*(?:\.\d+)?")
_LOT_LINE = re.compile(
    r"^(?:标项|标段|采购包|分包|包)(?P<lot>[一二三四五六七八九]|\d{1,2})(?=[：（]).{0,60}?预算(?:金额)?(?:（(?P<unit>元|万元)）)?[：为]"
    r"(?P<sum>\d[\d,，]*(?:\.\d+)?)(?P<after>万元|元)?"
)
_TABLE_REACH = 24


def check_amount_words(case: Case) -> Iterator[ComplianceCheck]:
    """A sum in capitals beside the same sum in figures: 陆万元整（¥60,000.00）."""
    for passage in case.passages:
        if not _CAPITALS.search(passage.compact):
            continue
        found = find_amounts(passage.compact)
        for one, other in pairwise(found):
            texts = [passage.compact[a.start : a.end] for a in (one, other)]
            capitals = [bool(_CAPITALS.search(t)) for t in texts]
            between = passage.compact[one.end : other.start]
            if capitals[0] == capitals[1] or not _BETWEEN_FORMS.fullmatch(between):
                continue
            if abs(float(one.value_yuan) - float(other.value_yuan)) >= 0.01:
                detail = f"大写与小写金额不一致：{texts[0]} 与 {texts[1]}，请核对。"
                evidence = (passage.span(one.start, one.end), passage.span(other.start, other.end))
                yield hint(case, table.AMOUNT_WORDS, Verdict.WARNING, detail, evidence)
                return


def check_amount_conflict(case: Case) -> Iterator[ComplianceCheck]:
    """Budget, ceiling or bid bond with another figure than the one that was taken for the fact.

    Where lots are numbered a smaller figure is one of a lot.
    """
    several = first(hits(case, _SECOND_LOT)) is not None
    for name, words, label in _LABELS:
        fact, value = case.fact(name), case.amount(name)
        if fact is None or not value:
            continue
        for hit in hits(case, label, zones=_STATED_IN):
            amount = _amount_at(hit)
            if amount is None or abs(float(amount.value_yuan) - value) < 0.01 * value:
                continue
            if several and float(amount.value_yuan) < value:
                continue
            place = hit.passage.span(hit.match.start(), amount.end)
            detail = f"{words}一处为 {yuan(value)}，另一处为 {yuan(float(amount.value_yuan))}，请核对。"
            yield hint(case, table.AMOUNT_CONFLICT, Verdict.WARNING, detail, (fact.source, place))
            break


def _amount_at(hit: Hit) -> Amount | None:
    """The whole project's amount right behind the label."""
    text, at = hit.passage.compact, hit.match.end()
    context = text[max(0, hit.match.start() - 14) : at + 36]
    if _PARTLY.search(context):
        return None
    unit = money_unit(hit.match.group())
    amount = next(iter(find_amounts(text[at : at + 24], unit)), None)
    if amount is None or amount.start > 0 or amount.value_yuan < 1:
        return None
    return Amount(amount.value_yuan, at, at + amount.end)


def check_bond_contradiction(case: Case) -> Iterator[ComplianceCheck]:
    """One clause asks for no bond, another demands it or names its sum."""
    for kinds, words in (
        (frozenset({"投标", "磋商", "谈判", "响应"}), "投标保证金"),
        (frozenset({"履约"}), "履约保证金"),
    ):
        none = first(
            h for h in hits(case, _NONE) if _kind(h) in kinds and not _CONDITIONAL.search(h.sentence)
        )
        asked = first(
            h
            for h in hits(case, _DEMANDED)
            if _kind(h) in kinds and not _CONDITIONAL.search(h.sentence) and not _NONE.search(h.sentence)
        )
        if none is not None and asked is not None:
            detail = f"一处写明不收取{words}，另一处又要求缴纳，请核对以何处为准。"
            evidence = (none.passage.span(*none.match.span()), asked.quote)
            yield hint(case, table.BOND_CONTRADICTION, Verdict.WARNING, detail, evidence)


def _kind(hit: Hit) -> str:
    return hit.match["kind"] or hit.match["kind2"]


def check_lot_total(case: Case) -> Iterator[ComplianceCheck]:
    """Lots of a table whose budgets or ceilings do not make its total row."""
    for passage in case.passages:
        if passage.cell is None or not _TOTAL_ROW.match(passage.compact):
            continue
        rows, head = _lot_rows(case.passages, passage)
        if head is None or len(rows) < 2:
            continue
        totals = _figures(passage.compact)
        names = head.compact.split("：")
        for back in range(1, len(totals) + 1):
            if back > len(names) or not _MONEY_HEAD.search(names[-back]):
                continue
            parts = [f[-back] for row in rows if len(f := _figures(row.compact)) >= back]
            if len(parts) == len(rows) and abs(sum(parts) - totals[-back]) > 0.005:
                detail = f"{names[-back]}各包之和为 {sum(parts):g}，合计写为 {totals[-back]:g}，请核对。"
                yield hint(case, table.LOT_TOTAL, Verdict.WARNING, detail, _whole(rows[0], passage))
                return


def check_lot_lines(case: Case) -> Iterator[ComplianceCheck]:
    """Lots that name their budgets line by line, against the budget of the whole."""
    fact, whole = case.fact("budget"), case.amount("budget")
    lots: dict[int, tuple[float, Span]] = {}
    for passage in case.passages:
        match = _LOT_LINE.search(passage.compact)
        if match is None or passage.zone is not Zone.NOTICE:
            continue
        unit = 10_000 if "万元" in (match["unit"], match["after"]) else 1
        figure = unit * float(re.sub(r"[,，]", "", match["sum"]))
        lots.setdefault(number_of(match["lot"]), (figure, passage.span(*match.span())))
    if fact is None or not whole or sorted(lots) != list(range(1, len(lots) + 1)) or len(lots) < 2:
        return
    total = sum(figure for figure, _ in lots.values())
    if abs(total - whole) > 0.5:
        detail = f"{len(lots)} 个分包的预算之和为 {yuan(total)}，总预算写为 {yuan(whole)}，请核对。"
        evidence = (fact.source, *(span for _, span in lots.values()))
        yield hint(case, table.LOT_TOTAL, Verdict.WARNING, detail, evidence[:MOST_EVIDENCE])


def _lot_rows(passages: list[Passage], total: Passage) -> tuple[list[Passage], Passage | None]:
    """The lots above the total row of the same table, and the row that names its columns."""
    rows: list[Passage] = []
    for passage in reversed(passages[max(0, total.index - _TABLE_REACH) : total.index]):
        if passage.cell is None or total.cell is None or passage.cell.table != total.cell.table:
            break
        if _LOT_ROW.match(passage.compact):
            rows.append(passage)
        elif rows and _MONEY_HEAD.search(passage.compact):
            return rows, passage
    return rows, None


def _figures(row: str) -> list[float]:
    """The numbers that are whole cells of a row, from left to right."""
    cells = [cell for cell in row.split("：") if _FIGURE.fullmatch(cell)]
    return [float(re.sub(r"[,，]", "", cell)) for cell in cells]


def _whole(one: Passage, other: Passage) -> tuple[Span, ...]:
    return (one.span(0, len(one.compact)), other.span(0, len(other.compact)))


AMOUNTS: tuple[Check, ...] = (
    check_amount_words,
    check_amount_conflict,
    check_bond_contradiction,
    check_lot_total,
    check_lot_lines,
)
