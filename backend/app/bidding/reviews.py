"""A reader's reviews laid over a result. Pure.

A review belongs to words, not to a run: its key is the tab, the excerpt's hash and which of the equal
excerpts of that tab it is. So it is found again in a new analysis of the same file.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

JSON = Any


class ReviewState(StrEnum):
    OPEN = "open"
    CONFIRMED = "confirmed"
    DOUBTFUL = "doubtful"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, slots=True)
class ReviewKey:
    tab: str
    excerpt_hash: str
    occurrence: int  # among the equal excerpts of the tab, in the document's order, from 0


@dataclass(frozen=True, slots=True)
class Review:
    state: str
    note: str | None
    by: str  # the reader's display name
    at: datetime

    def as_json(self) -> dict[str, JSON]:
        at = self.at.isoformat().replace("+00:00", "Z")
        return {"state": self.state, "note": self.note, "by": self.by, "at": at}


def excerpt_hash(excerpt: str) -> str:
    """SHA-256 of the words without white space and width: line breaks differ from reader to reader."""
    flat = "".join(unicodedata.normalize("NFKC", excerpt).split())
    return hashlib.sha256(flat.encode("utf-8", "replace")).hexdigest()


def keyed_items(result: Mapping[str, JSON]) -> Iterator[tuple[ReviewKey, dict[str, JSON]]]:
    """Every item of a result with the key of its review."""
    for tab in result.get("tabs", ()):
        seen: dict[str, int] = {}
        for item in sorted(tab["items"], key=lambda item: item["source_start"]):
            name = excerpt_hash(item["source_excerpt"])
            yield ReviewKey(tab["id"], name, seen.get(name, 0)), item
            seen[name] = seen.get(name, 0) + 1


def key_of(result: Mapping[str, JSON], item_id: str) -> tuple[ReviewKey, dict[str, JSON]] | None:
    """An item and the key of its review; None when the result has no such item."""
    return next((pair for pair in keyed_items(result) if pair[1]["id"] == item_id), None)


def lay_over(result: dict[str, JSON], reviews: Mapping[ReviewKey, Review]) -> None:
    """Put each review on its item, in place."""
    for key, item in keyed_items(result):
        review = reviews.get(key)
        if review is not None:
            item["review"] = review.as_json()
