"""The shape a model's answer about one part of a tender must have.

Lenient where a slip does no harm (an unknown priority, a title too long, an item of an unknown tab), strict
where it would: a quote is always there. The limits stand in the schema as well, for servers that enforce it.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from backend.app.bidding.findings import FACTS, Priority, Tab

SCHEMA_VERSION = "2"
MAX_FACTS = 30
MAX_ITEMS = 40


def _short(limit: int) -> BeforeValidator:
    def cut(value: Any) -> Any:
        if isinstance(value, bool | int | float):
            value = str(value)
        return value.strip()[:limit] if isinstance(value, str) else value

    return BeforeValidator(cut)


def _or_empty(value: Any) -> Any:
    return "" if value is None else value


def _number_or_none(value: Any) -> Any:
    """ "15分" and "15.0" are read; anything else is no number."""
    if isinstance(value, str):
        try:
            return float(value.strip().removesuffix("分"))
        except ValueError:
            return None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _known_priority(value: Any) -> Any:
    return value if value in set(Priority) else Priority.MEDIUM


def _only_words(value: Any) -> Any:
    return [item for item in value if isinstance(item, str)][:20] if isinstance(value, list) else []


def _overview_or_none(value: Any) -> Any:
    """An overview that is not one costs no second call: the rules have theirs."""
    if isinstance(value, StatedOverview):
        return value
    return value if isinstance(value, dict) and isinstance(value.get("summary"), str) else None


def _only_known(field: str, known: frozenset[str], limit: int) -> BeforeValidator:
    """Drop what names no tab or fact of ours, and what comes after the limit; the rest is still of use."""

    def keep(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return [item for item in value if not isinstance(item, dict) or item.get(field) in known][:limit]

    return BeforeValidator(keep)


class StatedFact(BaseModel):
    model_config = ConfigDict(extra="ignore")

    name: str = Field(json_schema_extra={"enum": list(FACTS)})
    value: Annotated[str, _short(400)] = Field(max_length=400)
    quote: Annotated[str, _short(600)] = Field(max_length=600)


class StatedItem(BaseModel):
    model_config = ConfigDict(extra="ignore")

    tab: Tab
    title: Annotated[str, _short(60)] = Field(max_length=60)
    quote: Annotated[str, _short(600)] = Field(max_length=600)
    priority: Annotated[Priority, BeforeValidator(_known_priority)] = Priority.MEDIUM
    why_important: Annotated[str, BeforeValidator(_or_empty), _short(200)] = Field("", max_length=200)
    guidance: Annotated[str, BeforeValidator(_or_empty), _short(200)] = Field("", max_length=200)
    points: Annotated[float | None, BeforeValidator(_number_or_none)] = None
    milestone: Annotated[str | None, _short(60)] = Field(None, max_length=60)
    date: Annotated[str | None, _short(20)] = Field(None, max_length=20)
    lot: Annotated[str | None, _short(20)] = Field(None, max_length=20)


class StatedOverview(BaseModel):
    """The whole in a few sentences. `items`: ids of the findings that the reason rests on."""

    model_config = ConfigDict(extra="ignore")

    summary: Annotated[str, BeforeValidator(_or_empty), _short(600)] = Field(max_length=600)
    reason: Annotated[str, BeforeValidator(_or_empty), _short(200)] = Field("", max_length=200)
    items: Annotated[list[str], BeforeValidator(_only_words)] = Field(default_factory=list, max_length=20)


class PartFindings(BaseModel):
    """What a model says about one part."""

    model_config = ConfigDict(extra="ignore")

    facts: Annotated[list[StatedFact], _only_known("name", frozenset(FACTS), MAX_FACTS)] = Field(
        max_length=MAX_FACTS
    )
    items: Annotated[list[StatedItem], _only_known("tab", frozenset(Tab), MAX_ITEMS)] = Field(
        max_length=MAX_ITEMS
    )
    # Only of a document that was shown as a whole.
    overview: Annotated[StatedOverview | None, BeforeValidator(_overview_or_none)] = None
