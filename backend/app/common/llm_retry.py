"""When a call to a model is tried again inside one step: the first call and 3 more, after 2 → 4 → 8 s.

Whether a failure is tried again depends on its kind (`error.params["kind"]`, see llm/types.py), not on its
HTTP status: 429 may mean "wait a second" or "pay your bill". A provider's Retry-After lengthens our wait,
never shortens it: four calls within four seconds outlive no outage. When it is longer than `longest_wait`,
or would not end before the deadline, the error is raised at once and carries `retry_after`, so that the
task can be handed back instead of holding its worker.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception
from tenacity.stop import stop_base
from tenacity.wait import wait_exception

from backend.app.common.errors import LLMError

# Kinds that the same call, sent again a little later, may not meet again.
RETRIED_KINDS = frozenset(
    ("throttle", "burst", "transient", "timeout_connect", "timeout_first", "timeout_idle", "truncated")
)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`waits` in seconds before the second, third, … call, each spread by ±`spread` of itself."""

    waits: tuple[float, ...] = (2.0, 4.0, 8.0)
    spread: float = 0.25
    longest_wait: float = 30.0  # a longer Retry-After is not slept out inside a step

    @property
    def calls(self) -> int:
        """How many calls there are at most."""
        return len(self.waits) + 1

    def limited_to(self, calls: int) -> RetryPolicy:
        """The same policy with at most `calls` calls (at least one)."""
        return replace(self, waits=self.waits[: max(calls, 1) - 1])


DEFAULT_POLICY = RetryPolicy()


def is_retried(error: BaseException) -> bool:
    """Whether the step calls again after this error, time and tries permitting."""
    return isinstance(error, LLMError) and error.params.get("kind") in RETRIED_KINDS


def wait_before(retry: int, error: BaseException, policy: RetryPolicy, spread: Callable[[], float]) -> float:
    """Seconds to wait before retry number `retry` (1 is the first). `spread` answers from -1 to 1.

    A Retry-After is never undercut, only stretched: fifty tasks that failed together come back apart.
    """
    planned = policy.waits[min(retry, len(policy.waits)) - 1] if policy.waits else 0.0
    asked = (error.retry_after if isinstance(error, LLMError) else None) or 0.0
    by = policy.spread * spread()
    return max(planned * (1 + by), asked * (1 + abs(by)))


def retrying(
    deadline: float,
    *,
    policy: RetryPolicy = DEFAULT_POLICY,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    spread: Callable[[], float] = lambda: random.uniform(-1, 1),
    is_over: Callable[[], bool] = lambda: False,
) -> AsyncRetrying:
    """A tenacity loop for one call: `await retrying(deadline)(call)`. `deadline` is a reading of `clock`;
    `is_over` tells that no further call is allowed for a reason of the caller's own.

    Raises the last error itself. A wait that would end at or after the deadline is not begun.
    """
    state = _Waits(policy, spread)
    return AsyncRetrying(
        sleep=sleep,
        stop=_StopInTime(deadline, policy, clock, is_over),
        wait=wait_exception(state),
        retry=retry_if_exception(is_retried),
        reraise=True,
    )


class _Waits:
    """Counts the retries of one loop: tenacity's `wait_exception` hands over the exception only."""

    def __init__(self, policy: RetryPolicy, spread: Callable[[], float]) -> None:
        self._policy, self._spread, self._retry = policy, spread, 0

    def __call__(self, error: BaseException) -> float:
        self._retry += 1
        return wait_before(self._retry, error, self._policy, self._spread)


class _StopInTime(stop_base):
    """tenacity computes the upcoming wait before it asks whether to stop, so both limits can be kept here."""

    def __init__(
        self, deadline: float, policy: RetryPolicy, clock: Callable[[], float], is_over: Callable[[], bool]
    ) -> None:
        self._deadline, self._policy, self._clock, self._is_over = deadline, policy, clock, is_over

    def __call__(self, retry_state: RetryCallState) -> bool:
        wait = retry_state.upcoming_sleep
        longest = self._policy.longest_wait * (1 + self._policy.spread)
        return (
            self._is_over()
            or retry_state.attempt_number >= self._policy.calls
            or wait > longest
            or self._clock() + wait >= self._deadline
        )
