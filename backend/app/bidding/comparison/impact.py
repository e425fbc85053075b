"""What a change touches: findings of the base by overlap, facts by their quotes; and how much it matters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.app.bidding.comparison.changes import Change, ChangeType
from backend.app.bidding.comparison.facts import FactChange
from backend.app.bidding.comparison.units import fold
from backend.app.bidding.findings import Span, Tab
from backend.app.bidding.grounding import says_the_same

_HEAVY_FACTS = frozenset(
    {"budget", "price_ceiling", "bid_bond", "performance_bond", "bid_deadline", "opening_time",
     "price_weight", "evaluation_method", "payment_terms", "consortium_allowed", "bid_validity_days"}
)  # fmt: skip
# Read from folded text.
_FATAL = re.compile(
    r"[★※]|废标|否决(?:其)?投标|投标无效|无效(?:投标|响应)|(?:作为?|视为|按)无效|不予受理|拒收|资格审查不|实质性(?:要求|条款|响应)"
)
_CONDITION = re.compile(
    r"(?:资格|资质)(?:要求|条件)|(?:须|应|必须|应当)(?:具有|具备|提供|持有)|不得(?:参加|存在)|(?:得|扣|加)\d+(?:\.\d+)?分"
)
_BINDING = re.compile(r"应|须|必须|不得|不允许|\d")


@dataclass(frozen=True, slots=True)
class Item:
    """A finding of the base's result, as far as it matters here."""

    id: str
    tab: str
    priority: str
    span: Span


@dataclass(frozen=True, slots=True)
class Impact:
    severity: str  # high | medium | low
    items: tuple[str, ...]
    facts: tuple[str, ...]


def items_of(result: Mapping[str, Any]) -> list[Item]:
    """The findings of a `bidding_analysis` result."""
    return [
        Item(item["id"], tab["id"], item["priority"], Span(item["source_start"], item["source_end"]))
        for tab in result.get("tabs", ())
        for item in tab.get("items", ())
    ]


def impact_of(
    change: Change, texts: tuple[str, str], items: Sequence[Item], facts: Sequence[FactChange]
) -> Impact:
    """`texts`: the base's and the new document's."""
    touched = [item for item in items if _overlap(item.span, change.before)]
    named = tuple(
        one.name
        for one in facts
        if (one.before is not None and _overlap(one.before.source, change.before))
        or (one.after is not None and _overlap(one.after.source, change.after))
    )
    severity = _severity(change, texts, touched, named)
    return Impact(severity, tuple(dict.fromkeys(item.id for item in touched)), named)


def _severity(change: Change, texts: tuple[str, str], touched: Sequence[Item], named: tuple[str, ...]) -> str:
    if change.type is ChangeType.MOVED:
        return "low"
    if _HEAVY_FACTS & set(named):
        return "high"
    old, new = _words(texts[0], change.before), _words(texts[1], change.after)
    if change.type is ChangeType.CHANGED and change.before is not None and says_the_same(old, new):
        # Other words around the same numbers and modals: to be read, but no alarm.
        return "medium" if touched else "low"
    if any(_is_fatal(item) for item in touched) or any(_FATAL.search(text) for text in (old, new)):
        return "high"
    if _CONDITION.search(old) or _CONDITION.search(new):
        return "high" if change.type is not ChangeType.CLARIFIED else "medium"
    if touched or named or change.note is not None or change.type is ChangeType.CLARIFIED:
        return "medium"
    return "medium" if _BINDING.search(f"{old}{new}") else "low"


def _is_fatal(item: Item) -> bool:
    if item.tab == Tab.HARD_REQUIREMENTS:
        return item.priority == "critical"
    return item.tab == Tab.SCORING_ITEMS or (item.tab == Tab.BID_TIMELINE and item.priority == "critical")


def _words(text: str, span: Span | None) -> str:
    return "" if span is None else fold(text[span.start : span.end])


def _overlap(one: Span, other: Span | None) -> bool:
    return other is not None and one.start < other.end and other.start < one.end
