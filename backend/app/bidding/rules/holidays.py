"""Working days in China.

The calendar is announced year by year: days are swapped with weekends. For the years in `_OFF` the State
Council's arrangement is known and working days are counted; for any other year `_WINDOWS` only say where a
count of weekdays is too high at worst.
"""

from __future__ import annotations

from datetime import date, timedelta

# (month, day) to (month, day), both off: 国务院办公厅关于部分节假日安排的通知 of each year, compared day by
# day with chinese_calendar 1.11.0.
_OFF: dict[int, tuple[tuple[tuple[int, int], tuple[int, int]], ...]] = {
    2023: (
        ((1, 1), (1, 2)), ((1, 21), (1, 27)), ((4, 5), (4, 5)), ((4, 29), (5, 3)), ((6, 22), (6, 24)),
        ((9, 29), (10, 6)), ((12, 30), (12, 31)),
    ),
    2024: (
        ((1, 1), (1, 1)), ((2, 10), (2, 17)), ((4, 4), (4, 6)), ((5, 1), (5, 5)), ((6, 8), (6, 10)),
        ((9, 15), (9, 17)), ((10, 1), (10, 7)),
    ),
    2025: (
        ((1, 1), (1, 1)), ((1, 28), (2, 4)), ((4, 4), (4, 6)), ((5, 1), (5, 5)), ((5, 31), (6, 2)),
        ((10, 1), (10, 8)),
    ),
    2026: (
        ((1, 1), (1, 3)), ((2, 15), (2, 23)), ((4, 4), (4, 6)), ((5, 1), (5, 5)), ((6, 19), (6, 21)),
        ((9, 25), (9, 27)), ((10, 1), (10, 7)),
    ),
}  # fmt: skip
# Saturdays and Sundays that are worked.
_WORKED: dict[int, frozenset[tuple[int, int]]] = {
    2023: frozenset({(1, 28), (1, 29), (4, 23), (5, 6), (6, 25), (10, 7), (10, 8)}),
    2024: frozenset({(2, 4), (2, 18), (4, 7), (4, 28), (5, 11), (9, 14), (9, 29), (10, 12)}),
    2025: frozenset({(1, 26), (2, 8), (4, 27), (9, 28), (10, 11)}),
    2026: frozenset({(1, 4), (2, 14), (2, 28), (5, 9), (9, 20), (10, 10)}),
}
# New Year, Spring Festival, Qingming, Labour Day, Dragon Boat, and Mid-Autumn with National Day, whatever
# the year. The lunar ones move by a month; swapped days lie next to them.
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
    return sum(day.weekday() < 5 for day in _days(start, end))


def working_days(start: date, end: date) -> int | None:
    """Working days, both ends included; None when a year's arrangement is not known."""
    if any(year not in _OFF for year in range(start.year, end.year + 1)):
        return None
    return sum(_is_worked(day) for day in _days(start, end))


def certain_working_days(start: date, end: date) -> int:
    """Working days, both ends included, that no holiday can take away."""
    known = working_days(start, end)
    if known is not None:
        return known
    return sum(day.weekday() < 5 and not _may_be_off(day) for day in _days(start, end))


def _days(start: date, end: date) -> list[date]:
    return [start + timedelta(n) for n in range((end - start).days + 1)]


def _is_worked(day: date) -> bool:
    at = (day.month, day.day)
    if at in _WORKED[day.year]:
        return True
    return day.weekday() < 5 and not any(low <= at <= high for low, high in _OFF[day.year])


def _may_be_off(day: date) -> bool:
    return any(low <= (day.month, day.day) <= high for low, high in _WINDOWS)
