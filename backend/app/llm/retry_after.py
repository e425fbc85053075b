"""How long a server asks us to wait, from its headers. Pure; the time is an argument."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST = 3600.0  # seconds; a longer wish is a mistake or an attack, an hour later we ask again

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|s|m|h|d)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait; None when nothing sensible is said (≤ 0, unreadable, absent). At most an hour.

    `retry-after-ms` before `retry-after` (seconds or HTTP date) before `x-ratelimit-reset-*` ("6m0s").
    `headers` must be caseless (httpx.Headers is). A date is measured against the server's own Date header.
    """
    for wish in (
        _number(headers.get("retry-after-ms", ""), 1e-3),
        _seconds_or_date(headers, now),
        _reset(headers),
    ):
        if wish is not None and wish > 0:
            return min(wish, LONGEST)
    return None


def duration(text: str) -> float | None:
    """Seconds of a Go-like duration: "6m0s", "1h2m", "120ms"; a bare number means seconds."""
    text = text.strip().lower()
    if (plain := _number(text, 1.0)) is not None:
        return plain
    parts = _PART.findall(text)
    if not parts or "".join(amount + unit for amount, unit in parts) != text:
        return None
    return float(sum(float(amount) * _UNITS[unit] for amount, unit in parts))


def _seconds_or_date(headers: Mapping[str, str], now: datetime) -> float | None:
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if (seconds := _number(text, 1.0)) is not None:
        return seconds
    at = _date(text)
    if at is None:
        return None
    return (at - (_date(headers.get("date", "")) or now)).total_seconds()


def _reset(headers: Mapping[str, str]) -> float | None:
    """The reset of the limit that is used up; of the later one when the server does not say which is."""
    waits: list[float] = []
    for what in ("requests", "tokens"):
        wait = duration(headers.get(f"x-ratelimit-reset-{what}", ""))
        left = _number(headers.get(f"x-ratelimit-remaining-{what}", ""), 1.0)
        if wait is not None and not (left is not None and left > 0):
            waits.append(wait)
    return max(waits, default=None)


def _number(text: str, unit: float) -> float | None:
    try:
        value = float(text) * unit
    except ValueError:
        return None
    if math.isnan(value):
        return None
    return value


def _date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
