"""What follows an attempt that did not succeed (pure)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.common.errors import (
    AppError,
    EmptyDocument,
    InternalError,
    LLMAuthFailed,
    LLMThrottled,
    LLMTimeout,
    TaskTimeout,
)
from backend.app.tasks.outcome import (
    RETRY_LONGEST_S,
    Fail,
    Release,
    Retry,
    backoff,
    decide,
    is_poisoned,
)
from backend.app.tasks.task import Task

NOW = datetime(2026, 1, 5, tzinfo=UTC)
TASK = Task(
    id=1,
    task_type="noop",
    user_id=1,
    payload={},
    attempt=1,
    retry_count=0,
    max_retries=3,
    lease_seq=1,
    crash_count=0,
    created_at=NOW,
    started_at=NOW,
)


@pytest.mark.parametrize("error", [LLMTimeout(), InternalError(), TaskTimeout(seconds=3), LLMThrottled()])
def test_an_error_that_a_later_try_may_cure_is_retried_until_the_tries_are_used_up(error: AppError) -> None:
    decisions = [decide(replace(TASK, retry_count=used), error, now=NOW, chance=0.5) for used in range(4)]

    assert decisions == [
        Retry(NOW + timedelta(seconds=30)),
        Retry(NOW + timedelta(seconds=60)),
        Retry(NOW + timedelta(seconds=120)),
        Fail(retry_exhausted=True),
    ]


@pytest.mark.parametrize("error", [EmptyDocument(), LLMAuthFailed(), AppError()])
def test_an_error_without_a_cure_fails_at_once(error: AppError) -> None:
    assert decide(TASK, error, now=NOW, chance=0.5) == Fail(retry_exhausted=False)


def test_without_retries_the_first_error_is_the_last() -> None:
    assert decide(replace(TASK, max_retries=0), LLMTimeout(), now=NOW, chance=0) == Fail(retry_exhausted=True)


@pytest.mark.parametrize("used", [0, 3])
def test_a_provider_that_names_its_time_costs_no_try(used: int) -> None:
    throttled = LLMThrottled(retry_after=90)

    decision = decide(replace(TASK, retry_count=used), throttled, now=NOW, chance=0.9)

    assert decision == Release(NOW + timedelta(seconds=90 * 1.225))


@given(st.integers(0, 1000), st.floats(0, 1, exclude_max=True))
def test_the_wait_doubles_from_half_a_minute_to_a_quarter_of_an_hour(used: int, chance: float) -> None:
    seconds = backoff(used, chance=chance).total_seconds()
    middle = min(30 * 2**used, RETRY_LONGEST_S)

    assert 0.75 * middle - 1e-3 <= seconds <= 1.25 * middle + 1e-3


def test_the_third_death_in_a_row_is_one_too_many() -> None:
    assert [is_poisoned(deaths) for deaths in range(5)] == [False, False, False, True, True]
