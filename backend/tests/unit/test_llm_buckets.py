"""Requests and tokens a minute: never more than the limit and a burst, and nothing lost while waiting."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.app.llm.buckets import BURST_SHARE, Bucket

BURST = BURST_SHARE
# Arrivals: seconds since the one before, and the share of the burst that is asked for.
ARRIVALS = st.lists(st.tuples(st.floats(0, 30), st.floats(0.01, 1)), min_size=1, max_size=60)
LIMITS = st.floats(6, 1_000_000)


def served(limit: float, arrivals: list[tuple[float, float]], size: float) -> list[tuple[float, float]]:
    """When each of them went and with how much: in line, none before `wait` is over."""
    bucket, now, gone = Bucket(limit), 0.0, []
    for later, share in arrivals:
        now += later
        amount = share * size
        while (wait := bucket.wait(amount, now)) > 0:
            now = max(now + wait, now * (1 + 1e-15))
        bucket.take(amount, now)
        gone.append((now, amount))
    return gone


@settings(deadline=None, max_examples=50)
@given(LIMITS, ARRIVALS)
def test_no_minute_sees_more_than_the_limit_and_a_burst(
    limit: float, arrivals: list[tuple[float, float]]
) -> None:
    """The provider's minute need not begin with ours, so it must hold for every minute."""
    gone = served(limit, arrivals, limit * BURST)
    for start, _ in gone:
        within = sum(amount for at, amount in gone if start <= at < start + 60)
        assert within <= limit * (1 + BURST) * (1 + 1e-6)


@settings(deadline=None, max_examples=50)
@given(LIMITS, ARRIVALS)
def test_what_is_larger_than_the_bucket_goes_when_it_is_full_and_leaves_a_debt(
    limit: float, arrivals: list[tuple[float, float]]
) -> None:
    """A prompt of more than ten seconds' worth must not wait for ever; those behind it pay."""
    gone = served(limit, arrivals, 4 * limit)
    total = sum(amount for _, amount in gone)
    last_at, last = gone[-1]
    assert total - last <= limit * BURST + limit * last_at / 60 + 1e-6 * total + 1e-6


def test_a_full_bucket_is_there_at_the_start() -> None:
    bucket = Bucket(600)
    assert bucket.headroom(0) == 1.0
    assert bucket.wait(100, 0) == 0.0


def test_the_wait_is_as_long_as_filling_takes() -> None:
    bucket = Bucket(60)  # one a second, ten at once
    for _ in range(10):
        assert bucket.wait(1, 0) == 0.0
        bucket.take(1, 0)
    assert bucket.wait(1, 0) == pytest.approx(1)
    assert bucket.wait(5, 0) == pytest.approx(5)
    assert bucket.wait(5, 3) == pytest.approx(2)
    assert bucket.wait(5, 5) == 0.0


def test_a_few_a_minute_still_let_one_through() -> None:
    """A burst of a sixth of three would be half a request."""
    bucket = Bucket(3)
    assert bucket.wait(1, 0) == 0.0
    bucket.take(1, 0)
    assert bucket.wait(1, 0) == pytest.approx(20)


def test_no_limit_never_waits() -> None:
    bucket = Bucket(0)
    bucket.take(10**9, 0)
    bucket.give_back(10**12)
    assert (bucket.wait(10**9, 0), bucket.headroom(0)) == (0.0, 1.0)


def test_what_is_given_back_can_be_taken_again_and_never_overfills() -> None:
    bucket = Bucket(60)
    bucket.take(10, 0)
    bucket.give_back(4)
    assert bucket.wait(4, 0) == 0.0
    assert bucket.headroom(0) == pytest.approx(0.4)
    bucket.give_back(1000)
    assert bucket.headroom(0) == 1.0
    assert bucket.wait(10, 0) == 0.0
    bucket.take(10, 0)
    assert bucket.wait(1, 0) > 0


def test_a_debt_shows_as_no_headroom_and_is_paid_by_time() -> None:
    bucket = Bucket(60)
    bucket.take(30, 0)
    assert bucket.headroom(0) == 0.0
    assert bucket.wait(1, 0) == pytest.approx(21)
    assert bucket.headroom(25) == pytest.approx(0.5)


def test_a_clock_that_steps_back_gives_nothing() -> None:
    bucket = Bucket(60)
    bucket.take(10, 100)
    assert bucket.wait(1, 50) == pytest.approx(1)
    assert bucket.wait(1, 101) == 0.0


@given(LIMITS, st.floats(0, 1e9), st.floats(0, 1e9))
def test_a_wait_is_never_longer_than_filling_an_empty_bucket(limit: float, amount: float, at: float) -> None:
    assert 0 <= Bucket(limit).wait(amount, at) < inf
    assert Bucket(limit).wait(amount, at) == 0.0
