"""What a comparison finds: changes with their places in both texts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from backend.app.bidding.comparison.segments import Segment
from backend.app.bidding.findings import Span


class Kind(StrEnum):
    """What the new document is."""

    REVISION = "revision"  # a full new version
    AMENDMENT = "amendment"  # 补遗, 澄清, 答疑, 更正: it says what changes


class ChangeType(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"
    CLARIFIED = "clarified"  # a question answered; nothing need be replaced


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `before` is a place in the base, `after` one in the new document.

    `grounding`: how `before` was found where an amendment quotes it (exact | normalized | fuzzy | reference
    | fact). `note`: what a reader has to know, such as a quote that the base does not hold.
    """

    type: ChangeType
    before: Span | None
    after: Span | None
    segments: tuple[Segment, ...] = ()
    title: str = ""
    grounding: str | None = None
    note: str | None = None

    @property
    def order(self) -> tuple[int, int]:
        """By place in the new document; what went stands where it was in the base."""
        first = self.after or self.before or Span(0, 0)
        return first.start, self.before.start if self.before else -1
