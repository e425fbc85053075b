"""A circuit breaker with a count for each class of failure. Pure: time is an argument, in seconds.

closed → open after so many failures of one class in a row; open → half-open when its time is over: one call
goes through as a probe. Its success closes the breaker, its failure opens it for twice as long.

In a row means one after the other: of calls that were out together only one counts. Failures come back in
milliseconds and answers in seconds, so counted as they come five of a hundred would look like an outage.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

from backend.app.llm.types import ErrorKind


class FailureClass(StrEnum):
    """Failures that tell of the same trouble; one class does not hide another's beginning."""

    OUTAGE = "outage"  # refused, reset, 5xx, cut
    SLOW = "slow"  # no token in time
    MISSING = "missing"  # 404: the model or the address is not there


CLASS_OF: dict[ErrorKind, FailureClass] = {
    ErrorKind.TRANSIENT: FailureClass.OUTAGE,
    ErrorKind.TIMEOUT_CONNECT: FailureClass.OUTAGE,
    ErrorKind.TRUNCATED: FailureClass.OUTAGE,
    ErrorKind.TIMEOUT_FIRST: FailureClass.SLOW,
    ErrorKind.TIMEOUT_IDLE: FailureClass.SLOW,
}

THRESHOLD = 5
OPEN_FIRST_S, OPEN_LONGEST_S = 10.0, 120.0


@dataclass(slots=True)
class Breaker:
    """`threshold`: failures in a row; `first_s`, `longest_s`: how long it stays open, doubling."""

    threshold: int = THRESHOLD
    first_s: float = OPEN_FIRST_S
    longest_s: float = OPEN_LONGEST_S
    _in_a_row: dict[FailureClass, int] = field(default_factory=dict)
    _counted_at: float = -inf
    _open_until: float | None = None
    _open_s: float = 0.0
    _is_probing: bool = False

    @property
    def is_closed(self) -> bool:
        return self._open_until is None

    def wait(self, now: float) -> float | None:
        """Seconds until a call may go; None while a probe is out: its end will tell."""
        if self._open_until is None:
            return 0.0
        return None if self._is_probing else max(self._open_until - now, 0.0)

    def begin(self) -> bool:
        """A call goes, after `wait` was 0. True when it is the probe."""
        if self._open_until is None:
            return False
        self._is_probing = True
        return True

    def succeeded(self, *, is_probe: bool) -> bool:
        """True when this closed the breaker. A call from before it opened proves nothing of now."""
        if self._open_until is not None and not is_probe:
            return False
        was_open = self._open_until is not None
        self._in_a_row.clear()
        self._open_until, self._open_s, self._is_probing = None, 0.0, False
        return was_open

    def failed(self, failure: FailureClass, now: float, *, began: float, is_probe: bool) -> bool:
        """True when this opened the breaker, or opened it again. `began`: when the call was sent."""
        if is_probe:
            self._is_probing = False
            return self._open(now)
        if self._open_until is not None or began < self._counted_at:
            return False
        self._counted_at = now
        self._in_a_row[failure] = self._in_a_row.get(failure, 0) + 1
        return self._in_a_row[failure] >= self.threshold and self._open(now)

    def abandoned(self, *, is_probe: bool) -> None:
        """A call ended without telling anything: cancelled, or refused for what it asked."""
        if is_probe:
            self._is_probing = False

    def _open(self, now: float) -> bool:
        self._open_s = min(self._open_s * 2, self.longest_s) if self._open_s else self.first_s
        self._open_until = now + self._open_s
        self._in_a_row.clear()
        return True
