"""What follows an attempt that did not succeed (pure: time and chance are arguments)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from backend.app.common.errors import AppError, LLMGateClosed, LLMThrottled
from backend.app.tasks.task import POISONED_AFTER, Task

RETRY_FIRST_S = 30.0
RETRY_LONGEST_S = 900.0


@dataclass(frozen=True, slots=True)
class Retry:
    """running → retry; a try is used up."""

    run_at: datetime


@dataclass(frozen=True, slots=True)
class Fail:
    """running → failed."""

    retry_exhausted: bool


@dataclass(frozen=True, slots=True)
class Release:
    """running → pending; nothing is used up."""

    run_at: datetime


Decision = Retry | Fail | Release


def backoff(retry_count: int, *, chance: float) -> timedelta:
    """30 s · 2ⁿ, at most 15 min, times 0.75 to 1.25. `chance` is in [0, 1)."""
    seconds = min(RETRY_FIRST_S * 2**retry_count, RETRY_LONGEST_S)
    return timedelta(seconds=seconds * (0.75 + 0.5 * chance))


def decide(task: Task, error: AppError, *, now: datetime, chance: float) -> Decision:
    """Say what follows a failed attempt; touch nothing.

    A provider that throttles or whose gate is closed hands the task back: waiting is not the task's fault.
    The time it named is stretched by up to a quarter: tasks that were handed back together come back apart.
    """
    if isinstance(error, LLMThrottled | LLMGateClosed) and error.retry_after is not None:
        return Release(run_at=now + timedelta(seconds=error.retry_after * (1 + 0.25 * chance)))
    if not error.retryable:
        return Fail(retry_exhausted=False)
    if task.retry_count < task.max_retries:
        return Retry(run_at=now + backoff(task.retry_count, chance=chance))
    return Fail(retry_exhausted=True)


def is_poisoned(crash_count: int) -> bool:
    """Whether a task whose worker has just died for the `crash_count`th time in a row must stop."""
    return crash_count >= POISONED_AFTER
