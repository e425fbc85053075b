"""One deployment at work: places, pauses, buckets, what it learns from failures; and fair shares."""

from __future__ import annotations

from collections import Counter
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.app.llm.breaker import THRESHOLD
from backend.app.llm.gates import Gates
from backend.app.llm.lane import COOLDOWN_LONGEST_S, Lane, Ticket
from backend.app.llm.router import Router, Wanted
from backend.app.llm.types import Deployment, ErrorKind, Quotas, StructuredLevel


def lane(weight: float = 1.0, name: str = "a", **quotas: int) -> Lane:
    return Lane.of(
        Deployment("openai", "m", "http://x/v1", name=name, weight=weight, quotas=Quotas(**quotas))
    )


def began(made: Lane, count: int, now: float = 0.0, tokens: float = 0) -> list[Ticket]:
    return [made.begin(tokens, now) for _ in range(count)]


def test_it_starts_as_configured() -> None:
    deployment = Deployment(
        "openai", "m", "http://x", structured=StructuredLevel.PROMPT, quotas=Quotas(concurrency=7)
    )
    made = Lane.of(deployment)
    assert (made.name, made.level, made.limit) == ("openai/m", StructuredLevel.PROMPT, 7)
    assert lane().limit == inf


def test_it_is_full_when_as_many_are_out_as_may_be() -> None:
    made = lane(concurrency=2)
    tickets = began(made, 2)
    assert made.is_full()
    made.failed(tickets[0], None, 1)
    assert not made.is_full()


def test_one_call_is_always_allowed() -> None:
    made = lane(concurrency=4)
    for at in range(1, 9):
        ticket = made.begin(0, at)
        made.told_to_wait(ticket, ErrorKind.THROTTLE, None, at)
        made.failed(ticket, ErrorKind.THROTTLE, at)
    assert made.limit == 1
    assert not made.is_full()


def test_throttled_calls_that_were_out_together_narrow_it_once() -> None:
    made = lane(concurrency=16)
    for ticket in began(made, 16):
        made.told_to_wait(ticket, ErrorKind.THROTTLE, None, 1)
        made.failed(ticket, ErrorKind.THROTTLE, 1)
    assert made.limit == 8


def test_an_unlimited_one_narrows_to_half_of_what_was_out() -> None:
    made = lane()
    tickets = began(made, 20)
    made.told_to_wait(tickets[0], ErrorKind.THROTTLE, None, 1)
    assert 10 <= made.limit <= 10.5


def test_good_answers_widen_it_one_a_round_up_to_what_is_configured() -> None:
    """Additive: a whole round of answers brings one place more."""
    made = lane(concurrency=16)
    made.limit = 4.0
    for _ in range(4):
        made.answered(made.begin(0, 0), 0)
    assert 4.8 < made.limit <= 5
    for _ in range(1000):
        made.answered(made.begin(0, 0), 0)
    assert made.limit == 16


@pytest.mark.parametrize(
    ("kind", "retry_after", "pause"),
    [
        (ErrorKind.THROTTLE, 7.0, 7.0),
        (ErrorKind.THROTTLE, None, 0.0),
        (ErrorKind.BURST, None, 1.0),
        (ErrorKind.BURST, 0.2, 0.2),
        (ErrorKind.TRANSIENT, 3.0, 3.0),
        (ErrorKind.TRANSIENT, None, 0.0),
    ],
)
def test_nobody_calls_before_the_time_that_was_named(
    kind: ErrorKind, retry_after: float | None, pause: float
) -> None:
    made = lane()
    ticket = made.begin(0, 100)
    made.told_to_wait(ticket, kind, retry_after, 100)
    made.failed(ticket, kind, 100)
    assert made.wait(0, 100) == pytest.approx(pause)
    assert made.wait(0, 100 + pause) == 0.0


def test_a_shorter_wish_does_not_shorten_a_longer_one() -> None:
    made = lane()
    tickets = began(made, 2)
    made.told_to_wait(tickets[0], ErrorKind.THROTTLE, 20, 1)
    made.told_to_wait(tickets[1], ErrorKind.THROTTLE, 2, 1)
    assert made.wait(0, 1) == 20


def test_a_wish_with_an_outage_narrows_nothing() -> None:
    made = lane(concurrency=8)
    made.told_to_wait(made.begin(0, 0), ErrorKind.TRANSIENT, 5, 1)
    assert made.limit == 8


def test_requests_and_tokens_are_paced_and_unused_tokens_come_back() -> None:
    made = lane(rpm=60, tpm=6000)  # 10 requests and 1000 tokens at once
    ticket = made.begin(1000, 0)
    assert made.wait(500, 0) == pytest.approx(5)
    made.answered(ticket, used=300)
    assert made.wait(500, 0) == 0.0
    for _ in range(9):
        made.begin(0, 0)
    assert made.wait(0, 0) == pytest.approx(1)


@pytest.mark.parametrize("kind", [None, *ErrorKind])
def test_only_a_refused_call_gives_its_tokens_back(kind: ErrorKind | None) -> None:
    """Providers charge when they admit; a call that was cut or cancelled has been admitted."""
    refused = {ErrorKind.THROTTLE, ErrorKind.BURST, ErrorKind.AUTH, ErrorKind.BAD_REQUEST}
    made = lane(tpm=6000)
    made.failed(made.begin(1000, 0), kind, 0)
    assert made.wait(1000, 0) == pytest.approx(0 if kind in refused else 10)


def test_failures_of_the_server_open_its_breaker_and_others_do_not() -> None:
    for kind in ErrorKind:
        made = lane()
        opened = [made.failed(made.begin(0, at), kind, at) for at in range(THRESHOLD)]
        outage = kind in {ErrorKind.TRANSIENT, ErrorKind.TRUNCATED} or kind.startswith("timeout")
        assert opened[-1] is outage, kind
        assert (made.wait(0, THRESHOLD) or 0) > 0 if outage else made.wait(0, THRESHOLD) == 0


@pytest.mark.parametrize(("status", "opens"), [(404, True), (400, False), (None, False)])
def test_a_model_that_is_not_there_opens_it_too(status: int | None, opens: bool) -> None:
    made = lane()
    told = [made.failed(made.begin(0, at), ErrorKind.BAD_REQUEST, at, status=status) for at in range(5)]
    assert told[-1] is opens


def test_a_cancelled_probe_leaves_its_place_and_the_probe_to_the_next() -> None:
    made = lane()
    for at in range(THRESHOLD):
        made.failed(made.begin(0, at), ErrorKind.TRANSIENT, at)
    probe = made.begin(0, 100)
    assert probe.is_probe
    assert made.wait(0, 100) is None
    made.failed(probe, None, 101)
    assert (made.in_flight, made.wait(0, 101)) == (0, 0.0)
    assert made.answered(made.begin(0, 102), 0) is True
    assert made.breaker.is_closed


def test_a_provider_that_throttles_on_and_on_is_left_alone_longer_each_time() -> None:
    made, now, pauses = lane(), 0.0, []
    for _ in range(7):
        pauses.append(made.cooldown(now))
        assert made.cooldown(now + 10) == pauses[-1] - 10  # a question that was out together with it
        now += pauses[-1]
    assert pauses == [30, 60, 120, 240, 480, COOLDOWN_LONGEST_S, COOLDOWN_LONGEST_S]
    made.answered(made.begin(0, now), 0)
    assert made.cooldown(now) == 30


def test_less_token_headroom_means_more_load() -> None:
    busy, idle = lane(tpm=6000), lane(tpm=6000)
    busy.begin(900, 0)
    idle.begin(100, 0)
    assert idle.load(0) < busy.load(0)


def test_an_empty_bucket_does_not_divide_by_nothing() -> None:
    made = lane(tpm=60)
    made.begin(10_000, 0)
    assert made.load(0)[0] < inf


def router_of(*weights: float) -> Router:
    """A router whose clock stands still, with deployments named "0", "1", …"""
    deployments = [
        Deployment("openai", "m", "http://x/v1", name=str(at), weight=weight)
        for at, weight in enumerate(weights)
    ]
    return Router(deployments, Gates(deployments, clock=lambda: 0.0), clock=lambda: 0.0)


def picked(router: Router, count: int, out: int = 1, without: frozenset[str] = frozenset()) -> Counter[str]:
    """How often each is picked when `out` calls are out at a time, the oldest ending first."""
    counted: Counter[str] = Counter()
    running: list[Ticket] = []
    for _ in range(count):
        ticket = router.acquire_now(Wanted("", without=without))
        assert ticket is not None
        running.append(ticket)
        counted[ticket.lane.name] += 1
        if len(running) >= out:
            router.answered(running.pop(0), 0)
    for ticket in running:
        router.answered(ticket, 0)
    return counted


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 8), min_size=2, max_size=4))
def test_shares_follow_the_weights_one_by_one(weights: list[int]) -> None:
    counted = picked(router_of(*weights), 10 * sum(weights))
    for at, weight in enumerate(weights):
        assert abs(counted[str(at)] - 10 * weight) <= 1 + len(weights)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 8), min_size=2, max_size=4))
def test_shares_follow_the_weights_side_by_side(weights: list[int]) -> None:
    """With few calls out, less than the weights add up to, least in flight wins over the shares."""
    counted = picked(router_of(*weights), 10 * sum(weights), out=3 * sum(weights))
    for at, weight in enumerate(weights):
        assert abs(counted[str(at)] - 10 * weight) <= 2 + weight


def test_who_was_away_does_not_catch_up_on_what_it_missed() -> None:
    """A deployment back from an outage would otherwise get every call until it had served as many."""
    router = router_of(1, 1)
    picked(router, 50, without=frozenset({"1"}))
    assert picked(router, 20) == {"0": 10, "1": 10}
