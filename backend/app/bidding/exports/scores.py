"""The points of a scoring table, and their sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def points_of(item: Mapping[str, Any]) -> float | None:
    points = item.get("points")
    return float(points) if isinstance(points, int | float) and not isinstance(points, bool) else None


def total(items: Sequence[Mapping[str, Any]]) -> float:
    """The sum of what is scored; ratios such as 0.1 add up as decimals do on paper."""
    return round(sum(points for item in items if (points := points_of(item)) is not None), 6)


def lots_of(items: Sequence[Mapping[str, Any]]) -> list[str]:
    """The lots that items name, in the order in which they come; empty for a tender without lots."""
    return list(dict.fromkeys(str(item["lot"]) for item in items if item.get("lot")))
