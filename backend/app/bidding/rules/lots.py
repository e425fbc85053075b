"""Lots (标段, 包): recognised only where the document counts at least two of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from backend.app.bidding.findings import Fact, Span
from backend.app.bidding.rules.passages import Passage
from backend.app.bidding.rules.tables import CellText, Table
from backend.app.bidding.rules.zones import Zone

_CN = "一二三四五六七八九十"
_ROMAN = "ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩ"
_NUMBER = rf"(?:[{_CN}]|[{_ROMAN}]|\d{{1,2}}|[A-H](?![A-Za-z]))"
_KIND = r"(?:标段|标包|标项|采购包|合同包|分包|包件|包组|子包|包)"
# 包 also wraps, contains and guarantees; a Chinese number before it needs 第, or 三包 would be a lot.
_NOT_A_LOT = r"(?!括|含|装|干|工|封|件费|裹|容|修|退|换|赔)"
_MENTION = re.compile(
    rf"(?<![{_CN}\d.])第?(?P<one>{_NUMBER})号?(?:标段|标包|标项|采购包|合同包)"
    rf"|第(?P<two>{_NUMBER})号?(?:分包|包){_NOT_A_LOT}"
    rf"|(?<![{_CN}\d.A-Za-z第])(?P<three>\d{{1,2}}|[A-H])号?包{_NOT_A_LOT}"
    rf"|(?<!分){_KIND}号?(?P<four>{_NUMBER})(?![\d{_CN}]|[.．、]\d|[个家份万元年月日%])"
)
# A number column with such a head names the lot of each row.
LOT_HEAD = re.compile(rf"(?:序号|{_KIND}(?:编?号|序号|名称)?|{_KIND}(?:号)?/品目号?)")
_LOT_NUMBER = re.compile(rf"(?:第|0)?(?P<id>{_NUMBER})(?:号)?(?:{_KIND})?")
_NAME = re.compile(r"(?:（(?P<inner>[^）]{2,40})）|[：:、]?(?P<outer>[^；。，：（）]{2,40}))")
_MOST = 40  # characters of a cell that names a lot
_NO_NAME = re.compile(r"\d|预算|限价|保证金|金额|采购|评分|评审|报价|要求|费|不|应|须|供应商|投标人")


@dataclass(frozen=True, slots=True)
class Lot:
    """`score_total`: points of the lot's own scoring tables, None when they are the whole tender's."""

    id: str
    name: str
    span: Span
    budget: Fact | None = None
    price_ceiling: Fact | None = None
    bid_bond: Fact | None = None
    score_total: float | None = None


@dataclass(frozen=True, slots=True)
class Mention:
    id: str
    start: int
    end: int


def whole_facts(facts: dict[str, Fact | None], lots: tuple[Lot, ...]) -> dict[str, Fact | None]:
    """The facts of the whole tender: an amount that only one of several lots has is none of them."""
    checked = dict(facts)
    for name in ("budget", "price_ceiling", "bid_bond"):
        whole, own = facts.get(name), [fact.value for lot in lots if (fact := getattr(lot, name)) is not None]
        if whole is not None and len(set(own)) > 1 and whole.value in own:
            checked[name] = None
    return checked


def mentions(compact: str) -> list[Mention]:
    """Every place that names a lot by its number, in order."""
    found = ((m, next(g for g in m.groups() if g)) for m in _MENTION.finditer(compact))
    return [Mention(lot_number(number), m.start(), m.end()) for m, number in found]


def lot_number(text: str) -> str:
    """一, Ⅰ, 01 and 1 are one lot; letters stay."""
    if text in _CN:
        return str(_CN.index(text) + 1)
    if text in _ROMAN:
        return str(_ROMAN.index(text) + 1)
    return text.lstrip("0") or text


def find_lots(passages: list[Passage], tables: Iterable[Table] = ()) -> tuple[Lot, ...]:
    """The lots in order of their number; none when the document has only one."""
    found: dict[str, Lot] = {}
    for lot in (*_in_tables(tables), *_in_text(passages)):
        known = found.get(lot.id)
        if known is None or (not known.name and lot.name):
            found[lot.id] = lot
    return _in_sequence(found)


def _in_sequence(found: dict[str, Lot]) -> tuple[Lot, ...]:
    for first in ("1", "A"):
        run = [found[first]] if first in found else []
        while run and (following := _after(run[-1].id)) in found:
            run.append(found[following])
        if len(run) > 1 and len(run) == sum(lot.isdecimal() == first.isdecimal() for lot in found):
            return tuple(run)
    return ()


def _after(number: str) -> str:
    return str(int(number) + 1) if number.isdecimal() else chr(ord(number) + 1)


def _in_text(passages: list[Passage]) -> Iterator[Lot]:
    """Mentions that begin a passage or a clause; the words behind are the name where they can be one."""
    for passage in passages:
        if passage.zone in (Zone.CONTRACT, Zone.FORMS):
            continue
        text = passage.compact
        for mention in mentions(text):
            begins = mention.start == (passage.marker.length if passage.marker else 0)
            if begins or mention.start == 0 or text[mention.start - 1] in "；。：，、":
                yield Lot(mention.id, _name(text, mention.end), passage.span(mention.start, mention.end))


def _name(text: str, at: int) -> str:
    found = _NAME.match(text, at)
    words = (found["inner"] or found["outer"]).strip() if found else ""
    return "" if _NO_NAME.search(words) else words


def _in_tables(tables: Iterable[Table]) -> Iterator[Lot]:
    """Rows under a column head such as 包号, where the notice lists what is bought."""
    for table in tables:
        if table.zone in (Zone.CONTRACT, Zone.FORMS, Zone.EVALUATION):
            continue
        for row, cell, number in lot_rows(table):
            names = [c for c in row if c.col > cell.col and not _NO_NAME.search(c.compact)]
            name = names[0].compact.replace("\n", "")[:_MOST] if names else ""
            yield Lot(number, name, cell.span(0, len(cell.compact)))


def lot_rows(table: Table) -> Iterator[tuple[tuple[CellText, ...], CellText, str]]:
    """(row, its cell that names the lot, the lot) below a head such as 包号; 序号 is no such head."""
    head = next(
        (
            c
            for row in table.rows[:2]
            for c in row
            if LOT_HEAD.fullmatch(c.compact.replace("\n", "")) and not c.compact.startswith("序号")
        ),
        None,
    )
    if head is None:
        return
    for row in table.rows:
        cell = next((c for c in row if c.col == head.col and c.row > head.row), None)
        found = _LOT_NUMBER.match(cell.compact) if cell is not None and len(cell.compact) <= _MOST else None
        if cell is not None and found is not None:
            yield row, cell, lot_number(found["id"])
