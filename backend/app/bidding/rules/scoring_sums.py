"""What the points of the scoring rows add up to: of all, of each lot, of tables of 100 with weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backend.app.bidding.rules.scoring import ScoreRow

FULL_SCORE, ROUNDING = 100.0, 1e-6
_ENOUGH = 3  # rows with points: fewer are no table of all criteria


@dataclass(frozen=True, slots=True)
class TableSum:
    """The points of one scoring table."""

    table: int
    points: float
    lot: str | None
    weight: float | None
    has_price: bool


def table_sums(rows: Iterable[ScoreRow]) -> tuple[TableSum, ...]:
    """Per table, in order; rows without points count as none."""
    by_table: dict[int, list[ScoreRow]] = {}
    for row in rows:
        by_table.setdefault(row.table, []).append(row)
    return tuple(
        TableSum(
            table,
            sum(row.points or 0.0 for row in own),
            own[0].lot,
            own[0].weight,
            any("价" in row.name for row in own),
        )
        for table, own in by_table.items()
    )


def total_points(rows: Sequence[ScoreRow], price_weight: float | None) -> float | None:
    """What a bid can score at most; None when there are too few rows for a table of all criteria.

    Lots with tables of their own are not added up: the total is theirs where they agree, else the one that
    is farthest from 100. The price is added where a formula outside the tables scores it, which shows in the
    sum alone.
    """
    lots = lot_totals(rows, price_weight)
    if lots:
        return max(lots.values(), key=lambda total: abs(total - FULL_SCORE))
    return _total(rows, price_weight)


def lot_totals(rows: Sequence[ScoreRow], price_weight: float | None) -> dict[str, float]:
    """Per lot: its own tables and those that all lots share; empty when no lot has one."""
    totals: dict[str, float] = {}
    for lot in dict.fromkeys(row.lot for row in rows if row.lot is not None):
        total = _total([row for row in rows if row.lot in (lot, None)], price_weight)
        if total is not None:
            totals[lot] = total
    return totals


def _total(rows: Sequence[ScoreRow], price_weight: float | None) -> float | None:
    if sum(row.points is not None for row in rows) < _ENOUGH:
        return None
    sums = [table for table in table_sums(rows) if table.points]
    total = sum(table.points for table in sums)
    if _is_full(total):
        return total
    priced = any(table.has_price for table in sums)
    if price_weight and not priced and _is_full(total + price_weight):
        return total + price_weight
    weighted = _weighted(sums, None if priced else price_weight)
    if weighted is not None:
        return weighted
    if len(sums) > 1 and all(_is_full(table.points) for table in sums):
        return FULL_SCORE  # each is a whole, for lots or rounds that the document does not name beside it
    return total


def _weighted(sums: Sequence[TableSum], price_weight: float | None) -> float | None:
    """Tables of 100 points each that count 20, 30 and 50 %; None when they do not all say their weight."""
    if any(table.weight is None for table in sums):
        return None
    return sum(table.points * (table.weight or 0.0) / FULL_SCORE for table in sums) + (price_weight or 0.0)


def _is_full(points: float) -> bool:
    return abs(points - FULL_SCORE) < ROUNDING
