"""The retry policy: which kinds, how often, how long, and never past the deadline."""

from __future__ import annotations

import asyncio

import pytest

from backend.app.common.errors import InternalError, LLMError, LLMThrottled, LLMUnavailable
from backend.app.common.llm_retry import (
    RETRIED_KINDS,
    RetryPolicy,
    is_retried,
    retrying,
    wait_before,
)
from backend.app.llm.classify import ERRORS, failure
from backend.app.llm.types import ErrorKind


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def read(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Flaky:
    """Fails with each of `errors` in turn, then answers."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


async def run(flaky: Flaky, clock: Clock, *, within: float = 100.0, policy: RetryPolicy | None = None) -> str:
    loop = retrying(
        clock.now + within,
        policy=policy or RetryPolicy(),
        clock=clock.read,
        sleep=clock.sleep,
        spread=lambda: 0.0,
    )
    return await loop(flaky)


def transient(retry_after: float | None = None) -> LLMError:
    return failure(ErrorKind.TRANSIENT, "HTTP 500", retry_after=retry_after)


async def test_four_calls_and_three_waits() -> None:
    clock, flaky = Clock(), Flaky(*[transient() for _ in range(9)])
    with pytest.raises(LLMUnavailable):
        await run(flaky, clock)
    assert flaky.calls == 4
    assert clock.slept == [2, 4, 8]


async def test_the_answer_after_two_failures() -> None:
    clock, flaky = Clock(), Flaky(transient(), transient())
    assert await run(flaky, clock) == "answer"
    assert clock.slept == [2, 4]


@pytest.mark.parametrize("kind", list(ErrorKind))
async def test_each_kind_is_retried_or_not(kind: ErrorKind) -> None:
    cured_by_waiting = {
        ErrorKind.THROTTLE,
        ErrorKind.BURST,
        ErrorKind.TRANSIENT,
        ErrorKind.TIMEOUT_CONNECT,
        ErrorKind.TIMEOUT_FIRST,
        ErrorKind.TIMEOUT_IDLE,
        ErrorKind.TRUNCATED,
    }
    flaky = Flaky(failure(kind, "x"))
    if kind in cured_by_waiting:
        assert await run(flaky, Clock()) == "answer"
    else:
        with pytest.raises(ERRORS[kind]):
            await run(flaky, Clock())
        assert flaky.calls == 1


def test_a_task_is_retried_for_the_same_kinds_as_a_call() -> None:
    """Else a step would give up what the task then repeats, or the other way round."""
    for kind in ErrorKind:
        assert ERRORS[kind].retryable is (kind.value in RETRIED_KINDS)


def test_every_retried_kind_exists() -> None:
    assert {kind.value for kind in ErrorKind} >= RETRIED_KINDS


def test_errors_that_are_not_of_a_call_are_not_retried() -> None:
    assert not is_retried(InternalError())
    assert not is_retried(ValueError())
    assert not is_retried(asyncio.CancelledError())
    assert not is_retried(LLMUnavailable())  # no kind: not from a call


async def test_a_short_retry_after_lengthens_our_wait_and_never_shortens_it() -> None:
    clock, flaky = Clock(), Flaky(failure(ErrorKind.THROTTLE, "x", retry_after=7), transient(1))
    assert await run(flaky, clock) == "answer"
    assert clock.slept == [7, 4]


async def test_a_long_retry_after_hands_the_error_back_at_once() -> None:
    clock, flaky = Clock(), Flaky(failure(ErrorKind.THROTTLE, "x", retry_after=600))
    with pytest.raises(LLMThrottled) as caught:
        await run(flaky, clock, within=10_000)
    assert (flaky.calls, clock.slept, caught.value.retry_after) == (1, [], 600)


async def test_no_wait_ends_behind_the_deadline() -> None:
    clock, flaky = Clock(), Flaky(*[transient() for _ in range(9)])
    with pytest.raises(LLMUnavailable):
        await run(flaky, clock, within=6.0)
    assert clock.slept == [2]
    assert flaky.calls == 2


async def test_a_cancelled_call_is_not_called_again() -> None:
    flaky = Flaky(asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await run(flaky, Clock())
    assert flaky.calls == 1


async def test_a_step_that_used_up_its_calls_is_called_once() -> None:
    clock, flaky = Clock(), Flaky(*[transient() for _ in range(9)])
    with pytest.raises(LLMUnavailable):
        await run(flaky, clock, policy=RetryPolicy().limited_to(1))
    assert (flaky.calls, clock.slept) == (1, [])


def test_waits_are_spread_by_a_quarter_and_never_undercut_what_was_asked() -> None:
    policy = RetryPolicy()
    assert wait_before(1, transient(), policy, lambda: -1.0) == 1.5
    assert wait_before(3, transient(), policy, lambda: 1.0) == 10.0
    assert wait_before(9, transient(), policy, lambda: 0.0) == 8.0
    for spread in (-1.0, 0.0, 1.0):
        assert 8 <= wait_before(1, transient(8), policy, lambda at=spread: at) <= 10
