"""Requests and tokens a minute. Pure: time is an argument, in seconds of one steady clock."""

from __future__ import annotations

from math import inf

# A minute's worth at once would be refused as a burst, and the provider's minute need not begin with ours.
BURST_SHARE = 1 / 6


class Bucket:
    """A token bucket; `per_minute` 0 is no limit. What one call needs may exceed the bucket: then it waits
    until the bucket is full, and leaves a debt behind."""

    def __init__(self, per_minute: float) -> None:
        self._rate = per_minute / 60
        self._size = max(per_minute * BURST_SHARE, 1.0)
        self._level, self._at = self._size, -inf

    def wait(self, amount: float, now: float) -> float:
        """Seconds until `amount` may be taken."""
        if not self._rate:
            return 0.0
        self._fill(now)
        return max(min(amount, self._size) - self._level, 0.0) / self._rate

    def take(self, amount: float, now: float) -> None:
        """Take it, whatever is there: what was asked for turned out larger, or `wait` was 0."""
        if self._rate:
            self._fill(now)
            self._level -= amount

    def give_back(self, amount: float) -> None:
        """What was taken and not used."""
        if self._rate:
            self._level = min(self._level + amount, self._size)

    def headroom(self, now: float) -> float:
        """Share of the bucket that is free: 1 is full, 0 is empty or in debt."""
        if not self._rate:
            return 1.0
        self._fill(now)
        return max(self._level, 0.0) / self._size

    def _fill(self, now: float) -> None:
        if now > self._at:
            gained = (now - self._at) * self._rate
            self._level = min(self._level + gained, self._size) if gained < inf else self._size
            self._at = now
