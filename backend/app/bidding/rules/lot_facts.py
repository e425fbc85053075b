"""The amounts that each lot has for itself: budget, ceiling and bid bond, from its row, column or clause.

The facts of the whole tender keep to its totals (see `facts_money`); what only one lot has stands here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from backend.app.bidding.findings import Fact, Span
from backend.app.bidding.rules.checkboxes import is_rejected
from backend.app.bidding.rules.facts_bonds import BID_BOND
from backend.app.bidding.rules.facts_money import BELOW_OR_ABOVE, BUDGET, CEILING, UNIT_RATE
from backend.app.bidding.rules.lot_places import LotPlaces
from backend.app.bidding.rules.lots import Lot, mentions
from backend.app.bidding.rules.passages import Passage
from backend.app.bidding.rules.tables import CellText, Table
from backend.app.bidding.rules.values import Amount, find_amounts, money_unit
from backend.app.bidding.rules.zones import Zone

_LABELS = {"budget": BUDGET, "price_ceiling": CEILING, "bid_bond": BID_BOND}
_LEAST = 100  # yuan; a smaller number is a count
_HEAD_ROWS = 3
_HEAD_LENGTH = 24
_NOT_OURS = re.compile(r"履约|不(?:得)?超过|不予退还|没收|代理|服务费|售价|违约")
_ELSEWHERE = (Zone.CONTRACT, Zone.FORMS)


@dataclass(frozen=True, slots=True)
class _Found:
    lot: str
    name: str  # of the fact
    fact: Fact


def with_facts(
    lots: tuple[Lot, ...], passages: list[Passage], tables: Iterable[Table], places: LotPlaces, text: str
) -> tuple[Lot, ...]:
    """The lots with their own amounts; the first that the document states counts."""
    if not lots:
        return lots
    known: dict[str, dict[str, Fact]] = {lot.id: {} for lot in lots}
    for found in (*_in_tables(tables, places, text), *_in_text(passages, places, text)):
        known.get(found.lot, {}).setdefault(found.name, found.fact)
    return tuple(
        replace(
            lot,
            budget=known[lot.id].get("budget"),
            price_ceiling=known[lot.id].get("price_ceiling"),
            bid_bond=known[lot.id].get("bid_bond"),
        )
        for lot in lots
    )


def _in_tables(tables: Iterable[Table], places: LotPlaces, text: str) -> Iterator[_Found]:
    """Amounts under a column head or behind a row label that names them, in a cell of one lot."""
    for table in tables:
        if table.zone in _ELSEWHERE:
            continue
        heads = {c.col: c.compact for row in reversed(table.rows[:_HEAD_ROWS]) for c in row if _is_head(c)}
        for row in table.rows:
            label = "：".join(c.compact for c in row if len(c.compact) <= _HEAD_LENGTH and not _digits(c))
            for cell in row:
                lot = places.lot_of(cell.span(0, len(cell.compact)))
                if lot is None or _is_head(cell):
                    continue
                for named in (heads.get(cell.col, ""), label):
                    if name := _fact_name(named):
                        yield from _of_cell(cell, lot, name, named, text)
                        break


def _digits(cell: CellText) -> bool:
    return any(ch.isdecimal() for ch in cell.compact)


def _is_head(cell: CellText) -> bool:
    short = len(cell.compact) <= _HEAD_LENGTH and not find_amounts(cell.compact)
    return short and _fact_name(cell.compact) is not None


def _fact_name(words: str) -> str | None:
    if _NOT_OURS.search(words):
        return None
    return next((name for name, label in reversed(_LABELS.items()) if label.search(words)), None)


def _of_cell(cell: CellText, lot: str, name: str, named: str, text: str) -> Iterator[_Found]:
    amounts = [a for a in find_amounts(cell.compact, money_unit(named)) if a.value_yuan >= _LEAST]
    if amounts and not UNIT_RATE.match(cell.compact, amounts[0].end):
        yield _Found(lot, name, _fact(amounts[0], cell.span(amounts[0].start, amounts[0].end), text))


def _in_text(passages: list[Passage], places: LotPlaces, text: str) -> Iterator[_Found]:
    """ "预算金额：包1 68万元，包2 42.5万元", and the sentences of a clause or section of one lot."""
    for passage in passages:
        if passage.zone in _ELSEWHERE:
            continue
        for start, end in passage.sentences():
            yield from _in_sentence(passage, start, end, places, text)


def _in_sentence(passage: Passage, start: int, end: int, places: LotPlaces, text: str) -> Iterator[_Found]:
    compact = passage.compact
    before = start
    for amount in find_amounts(compact[start:end]):
        low, high = start + amount.start, start + amount.end
        words = compact[before:low]
        named = _nearest(compact[start:low]) or _fact_name(passage.label) or _fact_name(passage.section)
        lots = mentions(words)
        if not lots and _nearest(words) is not None:
            # "第一标段：预算60万元，保证金1万元": an amount with its own name, of the only lot before it.
            said = mentions(compact[start:low])
            lots = said if len({one.id for one in said}) == 1 else lots
        if named is None and lots:
            named = _nearest(compact[:low])  # "保证金：包1 3000元；包2 4500元"
        lot = lots[-1].id if lots else places.lot_of(passage.span(start, high))
        if before == start or lots:  # a second amount of one lot is its repetition in words
            usable = lot is not None and named is not None and amount.value_yuan >= _LEAST
            rejected = BELOW_OR_ABOVE.match(compact[high:]) or UNIT_RATE.match(compact, high)
            if usable and not rejected and not _NOT_OURS.search(words) and not is_rejected(compact, low):
                yield _Found(str(lot), str(named), _fact(amount, passage.span(low, high), text))
        before = high


def _nearest(words: str) -> str | None:
    """The label that stands last in the words."""
    best: tuple[int, str] | None = None
    for name, label in _LABELS.items():
        for found in label.finditer(words):
            if best is None or found.end() >= best[0]:
                best = (found.end(), name)
    return best[1] if best else None


def _fact(amount: Amount, span: Span, text: str) -> Fact:
    return Fact(amount.value_yuan, text[span.start : span.end], span)
