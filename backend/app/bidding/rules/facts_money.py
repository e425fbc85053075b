"""Facts of money: budget and ceiling. The bonds are in `facts_bonds`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backend.app.bidding.rules.checkboxes import is_rejected
from backend.app.bidding.rules.statements import TRUST, Candidate, Place, Source, Statement, choose
from backend.app.bidding.rules.values import Amount, find_amounts, money_unit

BUDGET = re.compile(
    r"(?<!超过)(?<!超出)(?<!高于)(?:(?:项目|采购|本项目|资金|服务|年度|招标|总|合同)?(?:的)?预算(?:总)?(?:金额|价|总额|总价|控制(?:价|金额|数)|资金"
    r"|限额|额度?|经费|费用)?"
    r"|(?:采购|招标)控制金额|(?:合同|项目|招标项目)估算(?:价|金额|总价)|预估(?:总)?金额)(?!单位|编制|评审|执行|法|内|标准|书|的\d|范围|管理|员|和|明细)"
)
CEILING = re.compile(
    r"(?<!超过)(?<!超出)(?<!高于)(?:最高(?:投标|响应|应答|磋商|谈判|报价|采购|总价)?(?:总)?限价|最高(?:投标|响应|磋商|谈判)?(?:总)?报价限[价额]|"
    r"(?:招标|采购|投标|项目)?(?:最高)?控制价|拦标价|(?:投标|采购|报价|响应|磋商)(?:总)?(?:限价|上限价?)|限价金额|(?:投标)?报价上限|最高限额)"
    r"(?!单位|编制|的\d|清单|文件|范围|或者其计算)"
)
# What may stand between a label and its amount; anything else ("的2%", "在500万元以下") is another matter.
_GAP = re.compile(
    r"(?:（[^）]{0,30}）|[：:为是即，,、）]|人民币|约|共计?|总计|合计|总额|总价|金额|总金额|大写|小写|[¥￥]|RMB|CNY|本项目|设定|设为|预算|最高限价|元|万元"
    r"|其中|包?[一1]?号?包|采购|第[一1]包|包[一1][\-—：]?|(?:[1一][\-—：.、]))*"
)
UNIT_RATE = re.compile(
    r"[/／每](?:人|组|列|台|套|件|份|次|吨|公里|平方米?|㎡|m|米|月|天|日|小时|课时|个|班|本|只|辆|车|亩|桶|斤|公斤|千克|kg|餐|位|例|人次|张|元|棵|株|条"
    r"|户|年[·/]人|人[·/])"
)
_RATE_WORDS = re.compile(r"单价|折扣|费率|下浮|优惠率|综合费率|每(?:人|月|台|次|天|套|餐)|人均")
BELOW_OR_ABOVE = re.compile(r"^(?:（[^）]{0,8}）)?(?:以[下上内]|及以[下上]|（?含）?以|的\d|的百分)")

_NOT_HEAD = re.compile(r"\d{3}|[。；☑■√□]|\d[.]\d")


# "第2包：30万元": each lot has its own amount, so the tender has none.
_SECOND_LOT = re.compile(
    r"(?:第?[二2](?:标段|分?包|标项|标包|包件)|(?:标段|分包|标项|标包|包件|采购包|包)[二2](?!\d))"
)


_TOTAL = re.compile(r"(?:合计|总计|共计)")
_ROWS_READ = 40
_LEAST_IN_CELL = 1000  # yuan; a smaller number in a table is a quantity
_MORE_IN_CELL = 4  # characters that may stand beside the amount in its cell: 元整
_SAME_AS_BUDGET = re.compile(
    r"最高(?:投标|响应|磋商)?(?:总)?限价[：，]?(?:即为?|同|与|等同于|为)(?:本项目)?(?:采购|项目)?预算(?:金额|价)?(?:一致|相同|相等|$|[。；，：])"
)
_STATING = frozenset({Source.FRONT_TABLE, Source.NOTICE, Source.REQUIREMENTS})


def names_several_lots(words: str) -> bool:
    return _SECOND_LOT.search(words) is not None


def budget(statements: list[Statement]) -> Candidate | None:
    found = [c for s in statements for c in _amounts(s, BUDGET)]
    found.extend(_columns(statements, BUDGET))
    return _only(found)


def price_ceiling(statements: list[Statement]) -> Candidate | None:
    found = [c for s in statements for c in _amounts(s, CEILING)]
    found.extend(_columns(statements, CEILING))
    if not found and any(_SAME_AS_BUDGET.search(s.compact) for s in statements if s.source in _STATING):
        # The proof shown is the budget's own words.
        return budget(statements)
    return _only(found)


def _only(found: list[Candidate]) -> Candidate | None:
    """The amount, unless lots have different ones; then the one that is their total."""
    chosen = choose(found, least=0.4)
    if chosen is None:
        return None
    equals = {c.value for c in found if c.weight >= chosen.weight - 0.02}
    if len(equals) == 1:
        return chosen
    for value in equals:
        others = [float(other) for other in equals if other != value]
        if len(others) > 1 and abs(float(value) - sum(others)) < 1:
            return next(c for c in found if c.value == value)
    lots = sum(c.weight >= chosen.weight - 0.02 and c.value == chosen.value for c in found)
    others_count = max(
        sum(c.weight >= chosen.weight - 0.02 and c.value == value for c in found)
        for value in equals
        if value != chosen.value
    )
    return chosen if lots > others_count else None


def _amounts(statement: Statement, label: re.Pattern[str]) -> Iterator[Candidate]:
    if statement.source in (Source.FORMS, Source.CONTRACT):
        return
    compact = statement.compact
    for place in statement.places(label):
        if place.label is None and place.closeness < 0.9 and len(compact) > 40:
            continue
        amount = _amount_after(compact, place, money_unit(_label_words(statement, place)))
        if amount is None or _is_rate(compact, place, amount) or is_rejected(compact, amount.start):
            continue
        weight = place.closeness * TRUST[statement.source]
        yield Candidate(amount.value_yuan, statement, amount.start, amount.end, weight, place.label)


def _label_words(statement: Statement, place: Place) -> str:
    if place.label is None:
        return statement.label or statement.lead or statement.section
    return re.split(r"[：；。]", statement.compact[place.start :], maxsplit=1)[0][:16]


def _amount_after(compact: str, place: Place, unit: int | None) -> Amount | None:
    """The amount right behind the label, nothing but connecting words between."""
    reach = compact[place.start : place.start + 90]
    for amount in find_amounts(reach, unit):
        between = reach[: amount.start]
        if not _GAP.fullmatch(between) or BELOW_OR_ABOVE.match(reach[amount.end :]):
            return None
        if amount.value_yuan < 100:  # "预算金额：1." of a broken line, "包1-"
            continue
        start, end = amount.start + place.start, amount.end + place.start
        return Amount(amount.value_yuan, start, end, amount.exact_unit)
    return None


def _is_rate(compact: str, place: Place, amount: Amount) -> bool:
    """Whether the amount is a price per piece instead of a whole."""
    before = compact[max(0, (place.start if place.label is None else place.label) - 8) : amount.start]
    return UNIT_RATE.match(compact, amount.end) is not None or _RATE_WORDS.search(before) is not None


def _columns(statements: list[Statement], label: re.Pattern[str]) -> Iterator[Candidate]:
    """Amounts under a column head: taken when the rows agree on one, or from the row of the total."""
    for at, statement in enumerate(statements):
        cell = statement.passage.cell
        if cell is None or not label.search(statement.compact) or len(statement.compact) > 160:
            continue
        heads = statement.compact.split("：")
        if len(heads) < 3 or any(len(head) > 24 or _NOT_HEAD.search(head) for head in heads):
            continue
        named = next((n for n, head in enumerate(heads) if label.search(head)), None)
        if named is None:
            continue
        below = (s for s in statements[at + 1 : at + _ROWS_READ] if _same_table(s, cell.table))
        unit = money_unit(heads[named])
        found = [c for row in below for c in _in_column(row, named, len(heads), unit)]
        totals = [c for c in found if _TOTAL.match(c.statement.compact)]
        if len({c.value for c in totals or found}) == 1:
            yield (totals or found)[0]


def _same_table(statement: Statement, table: int) -> bool:
    return statement.passage.cell is not None and statement.passage.cell.table == table


def _in_column(row: Statement, named: int, columns: int, unit: int | None) -> Iterator[Candidate]:
    """Amounts that fill a cell: of the named column where the row has all its cells, else of any."""
    parts = row.compact.split("：")
    cell = row.passage.cell
    at = 0
    for n, part in enumerate(parts):
        if len(parts) == columns:
            in_column = n == named
        elif _TOTAL.match(row.compact):  # its label spans the columns before
            in_column = n - len(parts) == named - columns
        else:  # a cell of its own, or a row with empty cells
            in_column = len(parts) > 1 or (cell is not None and cell.col in (0, named))
        found = find_amounts(part, unit) if in_column else []
        if len(found) == 1 and found[0].value_yuan >= _LEAST_IN_CELL:
            start, end = at + found[0].start, at + found[0].end
            if len(part) - (end - start) <= _MORE_IN_CELL:
                yield Candidate(found[0].value_yuan, row, start, end, 0.8 * TRUST[row.source])
        at += len(part) + 1
