"""Days on which a statutory holiday of China may fall, whatever the year.

The calendar is announced year by year (days are swapped with weekends), so working days cannot be counted
for certain. These windows only say where a count of weekdays is too high at worst; they claim nothing more.
"""

from __future__ import annotations

from datetime import date, timedelta

# (month, day) to (month, day): New Year, Spring Festival, Qingming, Labour Day, Dragon Boat, and
# Mid-Autumn with National Day. The lunar ones move by a month; swapped days lie next to them.
_WINDOWS = (
    ((1, 1), (1, 3)),
    ((1, 20), (2, 28)),
    ((4, 3), (4, 7)),
    ((4, 29), (5, 6)),
    ((5, 27), (6, 26)),
    ((9, 7), (10, 9)),
)


def weekdays(start: date, end: date) -> int:
    """Mondays to Fridays from `start` to `end`, both included."""
    return sum((start + timedelta(n)).weekday() < 5 for n in range((end - start).days + 1))


def certain_working_days(start: date, end: date) -> int:
    """Those of them that no holiday can take away, both ends included."""
    days = (start + timedelta(n) for n in range((end - start).days + 1))
    return sum(day.weekday() < 5 and not _may_be_off(day) for day in days)


def _may_be_off(day: date) -> bool:
    return any(low <= (day.month, day.day) <= high for low, high in _WINDOWS)
