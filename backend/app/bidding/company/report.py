"""The result as the API shows it with a company's matches: a copy, the stored result stays as it is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from backend.app.bidding.company.match import HARD, SCORING, Match, Matches, match_result
from backend.app.bidding.company.profile import Profile
from backend.app.bidding.company.verdicts import State

_MOST_GAPS = 50


def with_matches(
    result: Mapping[str, Any], profile: Mapping[str, Any], *, today: date, version: int = 0
) -> dict[str, Any]:
    """A copy of a `bidding_analysis` result with `match` on items, `expected_points` on scoring rows, and
    `company`: {version, matched_at, counts, blockers, gaps, expected_score}.

    `profile`: JSON of `/api/company` of that version. Items that ask nothing of the company have no match.
    """
    found = match_result(result, Profile.of(profile), today=today)
    tabs = [_tab(tab, found) for tab in result.get("tabs", ())]
    company = {
        "version": version,
        "matched_at": today.isoformat(),
        "counts": _counts(found.items.values()),
        "blockers": _blockers(tabs),
        "gaps": _gaps(found),
        "expected_score": expected_score(result, found),
    }
    return {**result, "tabs": tabs, "company": company}


def _tab(tab: Mapping[str, Any], found: Matches) -> dict[str, Any]:
    if tab["id"] not in (HARD, SCORING):
        return dict(tab)
    return {**tab, "items": [_item(item, found) for item in tab["items"]]}


def _item(item: Mapping[str, Any], found: Matches) -> dict[str, Any]:
    shown = dict(item)
    match = found.items.get(item["id"])
    if match is not None:
        shown["match"] = match.as_json()
    if item["id"] in found.points:
        points = found.points[item["id"]]
        shown["expected_points"] = None if points is None else points.as_json()
    return shown


def _counts(matches: Iterable[Match]) -> dict[str, int]:
    counts = {state.value: 0 for state in State}
    for match in matches:
        counts[match.state.value] += 1
    return counts


def _blockers(tabs: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Hard requirements that are not met: each may void the bid."""
    return [
        {"id": item["id"], "title": item["title"], "reason": item["match"]["reason"]}
        for tab in tabs
        if tab["id"] == HARD
        for item in tab["items"]
        if item.get("match", {}).get("state") == State.NOT_MET.value
    ]


def _gaps(found: Matches) -> list[dict[str, Any]]:
    """What is missing, too low, expired or about to be, each once with the items that ask for it."""
    gaps: dict[tuple[str, str], list[str]] = {}
    for item_id, match in found.items.items():
        for lack in match.lacks:
            ids = gaps.setdefault((lack.kind, lack.text), [])
            if item_id not in ids:
                ids.append(item_id)
    return [{"kind": kind, "text": text, "items": ids} for (kind, text), ids in gaps.items()][:_MOST_GAPS]


def expected_score(result: Mapping[str, Any], found: Matches) -> dict[str, Any]:
    """{"sum": {"min","max"}, "max_of_computed", "of", "not_computed": [ids]}: the rows that can be computed,
    beside what all rows with points give together."""
    computed = {key: points for key, points in found.points.items() if points is not None}
    given = [
        item["points"]
        for tab in result.get("tabs", ())
        if tab["id"] == SCORING
        for item in tab["items"]
        if item.get("points")
    ]
    return {
        "sum": {
            "min": round(sum(points.least for points in computed.values()), 2),
            "max": round(sum(points.most for points in computed.values()), 2),
        },
        "max_of_computed": round(sum(points.of for points in computed.values()), 2),
        "of": round(sum(given), 2),
        "not_computed": [key for key, points in found.points.items() if points is None],
    }
