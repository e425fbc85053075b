"""The breaker: when it opens, who probes, how it closes."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.strategies import floats, sampled_from

from backend.app.llm.breaker import CLASS_OF, OPEN_FIRST_S, OPEN_LONGEST_S, THRESHOLD, Breaker, FailureClass
from backend.app.llm.types import ErrorKind

OUTAGE, SLOW = FailureClass.OUTAGE, FailureClass.SLOW


def fail(breaker: Breaker, at: float, failure: FailureClass = OUTAGE) -> bool:
    """One call that begins and fails at this time."""
    return breaker.failed(failure, at, began=at, is_probe=breaker.begin())


def opened(at: float = 0.0) -> Breaker:
    breaker = Breaker()
    assert [fail(breaker, at) for _ in range(THRESHOLD)] == [False] * (THRESHOLD - 1) + [True]
    return breaker


def test_five_failures_in_a_row_open_it() -> None:
    breaker = opened(at=100)
    assert not breaker.is_closed
    assert breaker.wait(100) == OPEN_FIRST_S
    assert breaker.wait(107) == OPEN_FIRST_S - 7


def test_a_success_between_begins_the_count_anew() -> None:
    breaker = Breaker()
    for at in range(20):
        assert not fail(breaker, at)
        if at % 4 == 3:
            assert not breaker.succeeded(is_probe=False)
    assert breaker.is_closed


def test_each_class_of_failure_has_its_own_count() -> None:
    """A server that is slow now and then and resets now and then is not down."""
    breaker = Breaker()
    for at in range(THRESHOLD - 1):
        assert not fail(breaker, at, OUTAGE)
        assert not fail(breaker, at, SLOW)
    assert breaker.is_closed
    assert fail(breaker, 99, SLOW)


def test_calls_that_were_out_together_count_as_one() -> None:
    """A hundred calls cut by one reset are one failure, not twenty outages."""
    breaker = Breaker()
    for _ in range(100):
        assert not breaker.failed(OUTAGE, 10, began=5, is_probe=False)
    assert breaker.is_closed
    for at in (11, 12, 13):
        assert not breaker.failed(OUTAGE, at + 0.5, began=at, is_probe=False)
    assert breaker.failed(OUTAGE, 15, began=14, is_probe=False)


def test_one_call_probes_and_the_others_wait_for_its_end() -> None:
    breaker = opened()
    assert breaker.wait(OPEN_FIRST_S) == 0.0
    assert breaker.begin() is True
    assert breaker.wait(OPEN_FIRST_S) is None
    assert breaker.succeeded(is_probe=True) is True
    assert breaker.is_closed
    assert breaker.wait(OPEN_FIRST_S) == 0.0
    assert breaker.begin() is False


def test_a_probe_that_fails_opens_it_for_twice_as_long_up_to_a_limit() -> None:
    breaker, now, waits = opened(), 0.0, []
    for _ in range(6):
        now += breaker.wait(now) or 0.0
        assert breaker.begin()
        assert breaker.failed(OUTAGE, now, began=now, is_probe=True)
        waits.append(breaker.wait(now))
    assert waits == [20, 40, 80, OPEN_LONGEST_S, OPEN_LONGEST_S, OPEN_LONGEST_S]


def test_after_it_closed_it_opens_for_the_first_time_again() -> None:
    breaker = opened()
    breaker.begin()
    breaker.failed(OUTAGE, 10, began=10, is_probe=True)
    breaker.begin()
    breaker.succeeded(is_probe=True)
    for at in range(100, 100 + THRESHOLD):
        fail(breaker, at)
    assert breaker.wait(104) == OPEN_FIRST_S


def test_a_probe_of_another_class_of_failure_opens_it_again_too() -> None:
    breaker = opened()
    breaker.begin()
    assert breaker.failed(SLOW, 10, began=10, is_probe=True)
    assert breaker.wait(10) == 20


def test_calls_from_before_it_opened_tell_nothing_of_now() -> None:
    """Their answers may have been on the way already; their failures are the outage that opened it."""
    breaker = opened()
    assert not breaker.succeeded(is_probe=False)
    assert not breaker.failed(OUTAGE, 5, began=-1, is_probe=False)
    assert breaker.wait(5) == 5
    breaker.begin()
    assert not breaker.succeeded(is_probe=False)
    assert breaker.wait(20) is None


def test_a_probe_that_tells_nothing_leaves_the_next_call_to_probe() -> None:
    """A cancelled probe must not keep the deployment shut for ever."""
    breaker = opened()
    breaker.begin()
    breaker.abandoned(is_probe=True)
    assert breaker.wait(OPEN_FIRST_S) == 0.0
    assert breaker.begin() is True
    breaker.abandoned(is_probe=False)
    assert breaker.wait(OPEN_FIRST_S) is None


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_only_failures_of_the_server_count(kind: ErrorKind) -> None:
    """What a document or a key caused says nothing about whether the server is up."""
    counted = {
        ErrorKind.TRANSIENT: OUTAGE,
        ErrorKind.TIMEOUT_CONNECT: OUTAGE,
        ErrorKind.TRUNCATED: OUTAGE,
        ErrorKind.TIMEOUT_FIRST: SLOW,
        ErrorKind.TIMEOUT_IDLE: SLOW,
    }
    assert CLASS_OF.get(kind) == counted.get(kind)


class AnyOrder(RuleBasedStateMachine):
    """Whatever the order of calls and ends: one probe at most, and it never stays shut for ever."""

    @initialize()
    def make(self) -> None:
        self.breaker, self.now = Breaker(), 0.0
        self.out: list[tuple[float, bool]] = []

    @rule(seconds=floats(0.1, 200))
    def time_goes_on(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.breaker.wait(self.now) == 0.0)
    @rule()
    def a_call_goes(self) -> None:
        self.out.append((self.now, self.breaker.begin()))

    @precondition(lambda self: self.out)
    @rule(failure=sampled_from([None, *FailureClass]), is_good=sampled_from([True, False]), last=floats(0, 1))
    def a_call_ends(self, failure: FailureClass | None, is_good: bool, last: float) -> None:
        began, is_probe = self.out.pop(min(int(last * len(self.out)), len(self.out) - 1))
        was_closed = self.breaker.is_closed
        if is_good:
            assert self.breaker.succeeded(is_probe=is_probe) == (not was_closed and is_probe)
        elif failure is None:
            self.breaker.abandoned(is_probe=is_probe)
        else:
            opened = self.breaker.failed(failure, self.now, began=began, is_probe=is_probe)
            assert opened == ((was_closed or is_probe) and not self.breaker.is_closed)

    @invariant()
    def one_probe_at_most_and_never_shut_for_ever(self) -> None:
        probes = sum(is_probe for _, is_probe in self.out)
        assert probes <= 1
        wait = self.breaker.wait(self.now)
        assert (wait is None) == bool(probes)
        assert wait is None or wait <= OPEN_LONGEST_S


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
