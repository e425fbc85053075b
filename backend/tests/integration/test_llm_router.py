"""Several deployments over real sockets: one dies and comes back, shares, headroom, gates."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from backend.app.common.errors import (
    LLMAuthFailed,
    LLMGateClosed,
    LLMThrottled,
    LLMTimeout,
)
from backend.app.llm.types import Quotas
from backend.tests.databases import free_port
from backend.tests.fakes import llm_server as fake
from backend.tests.fakes.llm_server import FakeLLM
from backend.tests.llm_asking import Counting, Shape, asking, deployment, good, soon

TOO_LONG = fake.error(400, "context_length_exceeded", "maximum context length is 32000 tokens")
REFUSED = fake.error(400, "content_policy_violation")


def shortened(lane: Any) -> None:
    lane.breaker.first_s = lane.breaker.longest_s = 0.3


async def test_one_of_two_stops_and_comes_back() -> None:
    """No question fails, the other takes the share, and the half-open probe brings it back."""
    living = FakeLLM(default=good)
    dying = FakeLLM(default=good)
    async with living, dying:
        port = int(dying.base_url.split(":")[2].split("/")[0])
        async with asking(deployment(living, "living"), deployment(dying, "dying")) as asked:
            shortened(asked.lanes["dying"])
            await soon(asked.ask_many(20))
            before = len(dying.seen)
            assert before == 10
            await dying.stop()
            for _ in range(10):
                ends = await soon(asked.ask_many(4))
                assert all(end.value == Shape(amount=5) for end in ends)
            assert not asked.lanes["dying"].breaker.is_closed
            assert asked.waits == []  # the other is asked at once
            await dying.start(port)
            await asyncio.sleep(0.35)
            ends = await soon(asked.ask_many(20))
            assert all(end.value == Shape(amount=5) for end in ends)
            assert asked.lanes["dying"].breaker.is_closed
            await soon(asked.ask_many(20))
    assert len(dying.seen) - before >= 8


async def test_one_of_two_answers_503_and_comes_back() -> None:
    async with (
        FakeLLM(default=good) as living,
        FakeLLM(default=lambda seen: fake.error(503)) as dying,
        asking(deployment(living, "living"), deployment(dying, "dying")) as asked,
    ):
        lane = asked.lanes["dying"]
        shortened(lane)
        for _ in range(20):
            assert (await soon(asked.ask())).value == Shape(amount=5)
        assert not lane.breaker.is_closed
        assert 5 <= len(dying.seen) <= 9  # and the probes
        dying.default = good
        await asyncio.sleep(0.35)
        for _ in range(10):
            assert (await soon(asked.ask())).calls == 1
        assert lane.breaker.is_closed
        assert lane.served >= 4


async def test_an_address_where_nobody_listens_costs_no_question() -> None:
    async with FakeLLM(default=good) as llm:
        nobody = deployment(f"http://127.0.0.1:{free_port()}/v1", "nobody")
        async with asking(nobody, deployment(llm)) as asked:
            ends = await soon(asked.ask_many(30))
    assert all(end.value == Shape(amount=5) for end in ends)
    assert len(llm.seen) == 30


async def test_calls_one_by_one_follow_the_weights() -> None:
    async with (
        FakeLLM(default=good) as two,
        FakeLLM(default=good) as one,
        asking(deployment(two, "two", weight=2), deployment(one, "one")) as asked,
    ):
        for _ in range(15):
            await soon(asked.ask())
    assert (len(two.seen), len(one.seen)) == (10, 5)


async def test_calls_side_by_side_follow_the_weights() -> None:
    counts = Counting(0.05), Counting(0.05)
    async with (
        FakeLLM(default=counts[0]) as two,
        FakeLLM(default=counts[1]) as one,
        asking(deployment(two, "two", weight=2), deployment(one, "one")) as asked,
    ):
        await soon(asked.ask_many(30))
    assert (len(two.seen), len(one.seen)) == (20, 10)


async def test_a_deployment_short_of_tokens_gets_fewer_calls() -> None:
    """What a question may take is charged at once, so the smaller quota is used up first."""
    async with FakeLLM(default=Counting(0.1)) as small, FakeLLM(default=Counting(0.1)) as large:
        limits = {"max_tokens": 100}
        async with asking(
            deployment(small, "small", quotas=Quotas(tpm=6_000), **limits),
            deployment(large, "large", quotas=Quotas(tpm=600_000), **limits),
        ) as asked:
            ends = await soon(asked.ask_many(20))
    assert all(end.calls == 1 for end in ends)
    assert len(small.seen) <= 7
    assert len(small.seen) + len(large.seen) == 20


async def test_a_small_answer_limit_keeps_its_share_beside_a_large_one() -> None:
    """Room in the window is judged by each deployment's own limit, not by the largest of all."""
    async with (
        FakeLLM(default=good) as small,
        FakeLLM(default=good) as large,
        asking(
            deployment(small, "small", context_window=8_000, max_tokens=2_000),
            deployment(large, "large", context_window=128_000, max_tokens=16_000),
        ) as asked,
    ):
        for _ in range(10):
            await soon(asked.ask())
    assert len(small.seen) == 5


async def test_the_gate_of_the_throttled_one_closes_not_that_of_the_last_one_asked() -> None:
    async with (
        FakeLLM(default=lambda seen: fake.error(429)) as throttled,
        FakeLLM(default=lambda seen: fake.error(503)) as down,
        asking(deployment(throttled, "throttled"), deployment(down, "down")) as asked,
    ):
        for lane in asked.lanes.values():
            lane.breaker.threshold = 1000
        ends = [end for _ in range(4) for end in await soon(asked.ask_many(1))]
        gates = {name: asked.client.gates.closed(name) for name in asked.lanes}
    kinds = Counter(type(end).__name__ for end in ends)
    assert gates["down"] is None, kinds


async def test_every_gate_closed_tells_when_to_come_back() -> None:
    async with (
        FakeLLM(default=lambda seen: fake.error(503, headers={"Retry-After": "100"})) as llm,
        asking(deployment(llm, "a"), deployment(llm, "b")) as asked,
    ):
        for _ in range(2):
            with pytest.raises(LLMGateClosed) as caught:
                await soon(asked.ask())
            assert 90 < (caught.value.retry_after or 0) <= 100
            assert caught.value.params["reason"] == "outage"
        assert asked.waits == []
    assert len(llm.seen) == 2


async def test_of_many_questions_with_a_wrong_key_one_fails_and_the_others_wait_behind_the_gate() -> None:
    """The backlog must not fail because of a key that someone will mend."""
    async with (
        FakeLLM(default=Counting(0.1, fake.error(401, "invalid_api_key"))) as llm,
        asking(deployment(llm)) as asked,
    ):
        ends = await soon(asked.ask_many(8))
        later = (await soon(asked.ask_many(3))) + ends
    assert sum(isinstance(end, LLMAuthFailed) for end in later) == 1
    waiting = [end for end in later if isinstance(end, LLMGateClosed)]
    assert len(waiting) == 10
    assert all(end.params["reason"] == "auth" and (end.retry_after or 0) >= 1 for end in waiting)
    assert len(llm.seen) == 8  # those that were out already


async def test_four_throttled_calls_without_a_time_named_leave_the_provider_alone_for_a_while() -> None:
    async with FakeLLM(default=lambda seen: fake.error(429)) as llm, asking(deployment(llm)) as asked:
        with pytest.raises(LLMThrottled) as caught:
            await soon(asked.ask())
        assert caught.value.retry_after == 30
        assert len(asked.waits) == 3
        with pytest.raises(LLMGateClosed) as behind:
            await soon(asked.ask())
        assert behind.value.params["reason"] == "throttle"
        assert 25 < (behind.value.retry_after or 0) <= 30
    assert len(llm.seen) == 4


async def test_questions_that_came_too_late_say_nothing_of_the_server() -> None:
    """Nothing was sent, so nothing may count as the deployment's slowness."""
    async with FakeLLM(default=good) as llm, asking(deployment(llm)) as asked:
        for _ in range(6):
            with pytest.raises(LLMTimeout):
                await asked.ask(within=-1)
        assert asked.lanes["a"].breaker.is_closed
        assert llm.seen == []
