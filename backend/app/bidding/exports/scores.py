"""The points of a scoring table, their sums, and what the company's profile lets expect of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backend.app.bidding.exports.wording import number


def points_of(item: Mapping[str, Any]) -> float | None:
    points = item.get("points")
    return float(points) if isinstance(points, int | float) and not isinstance(points, bool) else None


def expected_of(item: Mapping[str, Any]) -> float | str:
    """A number, a range such as "0～5", or "" where the profile tells nothing (see docs/company.md)."""
    points = item.get("expected_points")
    if not points:
        return ""
    low, high = points["min"], points["max"]
    return float(low) if low == high else f"{number(low)}～{number(high)}"


def expects(items: Sequence[Mapping[str, Any]]) -> bool:
    """Whether anything can be expected of any of them: else no export has a column for it."""
    return any(item.get("expected_points") for item in items)


def total(items: Sequence[Mapping[str, Any]]) -> float:
    """The sum of what is scored; ratios such as 0.1 add up as decimals do on paper."""
    return round(sum(points for item in items if (points := points_of(item)) is not None), 6)


def lots_of(items: Sequence[Mapping[str, Any]]) -> list[str]:
    """The lots that items name, in the order in which they come; empty for a tender without lots."""
    return list(dict.fromkeys(str(item["lot"]) for item in items if item.get("lot")))
