"""Standing in line for a deployment over real sockets: limits kept, nobody forgotten, nothing leaked."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from backend.app.common.errors import LLMAuthFailed, LLMError, LLMGateClosed
from backend.app.llm.classify import failure
from backend.app.llm.gates import Gates
from backend.app.llm.router import Router, Wanted
from backend.app.llm.types import ErrorKind, Message, Quotas
from backend.tests.fakes import llm_server as fake
from backend.tests.fakes.llm_server import FakeLLM
from backend.tests.llm_asking import Counting, Shape, asking, deployment, good, soon


async def test_a_hundred_questions_and_three_places() -> None:
    """The server never sees more than three at once, and everyone is answered about in turn."""
    counting = Counting()
    async with (
        FakeLLM(default=counting) as llm,
        asking(deployment(llm, quotas=Quotas(concurrency=3))) as asked,
    ):
        questions = (asked.ask([Message("user", str(at))]) for at in range(100))
        answers = await soon(asyncio.gather(*questions), 30)
        assert asked.lanes["a"].in_flight == 0
    assert [answer.value for answer in answers] == [Shape(amount=5)] * 100
    assert len(llm.seen) == 100
    assert counting.most == 3
    for at, number in enumerate(counting.order):
        assert abs(int(number) - at) <= 10


async def test_a_cancelled_waiter_leaves_no_hole() -> None:
    counting = Counting(0.03)
    async with (
        FakeLLM(default=counting) as llm,
        asking(deployment(llm, quotas=Quotas(concurrency=1))) as asked,
    ):
        tasks = [asyncio.create_task(asked.ask()) for _ in range(12)]
        await llm.asked.wait()
        for task in tasks[1::2]:
            task.cancel()
        left = await soon(asyncio.gather(*tasks, return_exceptions=True))
        assert asked.lanes["a"].in_flight == 0
    assert sum(isinstance(end, asyncio.CancelledError) for end in left) == 6
    assert len(llm.seen) == 6


@pytest.mark.parametrize("seed", range(4))
async def test_a_storm_of_cancellations_strands_nobody(seed: int) -> None:
    """Cancelled while in line, when called, while calling: places and wake-ups go on to the next."""
    dice = random.Random(seed)
    counting = Counting(0.004)
    async with FakeLLM(default=counting) as llm:
        target = deployment(llm, quotas=Quotas(concurrency=3))
        async with asking(target) as asked:

            async def capricious() -> None:
                task = asyncio.create_task(asked.ask())
                if dice.random() < 0.5:
                    await asyncio.sleep(dice.random() * 0.15)
                    task.cancel()
                await asyncio.wait({task})
                if not task.cancelled():
                    assert task.result().value == Shape(amount=5)

            await soon(asyncio.gather(*(capricious() for _ in range(80))), 30)
            assert asked.lanes["a"].in_flight == 0
            assert (await soon(asked.ask())).calls == 1
    # A cancelled call's socket is closed after its place is free: the server may see it a moment longer.
    assert counting.most <= 6


async def test_when_whoever_waits_for_the_time_leaves_the_next_one_takes_over() -> None:
    """Woken by a call's end, the first in line waits for the bucket; if it is cancelled then, the ones
    behind it, who wait for a call's end, must not sleep until their deadline."""
    counting = Counting(0.05)
    async with (
        FakeLLM(default=counting) as llm,
        asking(deployment(llm, quotas=Quotas(concurrency=1, rpm=60))) as asked,
    ):
        bucket = asked.lanes["a"]._requests
        bucket.take(9, time.monotonic())  # one is left; the next comes after a second
        tasks = [asyncio.create_task(asked.ask()) for _ in range(5)]
        await soon(asyncio.shield(tasks[0]))
        await asyncio.sleep(0.05)
        for task in tasks[1:4]:  # an answer wakes two: the lane may have become wider
            task.cancel()
        assert (await soon(tasks[4])).value == Shape(amount=5)


async def test_a_gate_that_closes_sends_everyone_in_line_home() -> None:
    """With one place and ten questions, a wrong key is met by one; the others must not stand in line for a
    way that is closed."""
    async with (
        FakeLLM(default=Counting(0.02, fake.error(401, "invalid_api_key"))) as llm,
        asking(deployment(llm, quotas=Quotas(concurrency=1))) as asked,
    ):
        ends = await soon(asked.ask_many(10))
    assert sum(isinstance(end, LLMAuthFailed) for end in ends) == 1
    assert sum(isinstance(end, LLMGateClosed) for end in ends) == 9
    assert len(llm.seen) == 1


async def test_a_breaker_open_for_long_sends_everyone_in_line_home() -> None:
    """The probe failed and the breaker is open for longer than a step waits: whoever waited for the probe's
    end hears of it."""
    async with FakeLLM(default=Counting(0.05, fake.error(503))) as llm, asking(deployment(llm)) as asked:
        breaker = asked.lanes["a"].breaker
        breaker.threshold, breaker.first_s = 1, 0.1
        with pytest.raises(LLMError):
            await asked.ask(within=0.05)
        assert not breaker.is_closed
        breaker._open_s = 100.0
        ends = await soon(asked.ask_many(5))
    assert all(isinstance(end, LLMGateClosed) for end in ends[1:])


async def test_everyone_in_line_goes_as_soon_as_the_probe_succeeded() -> None:
    async with FakeLLM(fake.error(503), default=Counting(0.02)) as llm, asking(deployment(llm)) as asked:
        breaker = asked.lanes["a"].breaker
        breaker.threshold, breaker.first_s = 1, 0.1
        ends = await soon(asked.ask_many(20))
        assert breaker.is_closed
    assert all(end.value == Shape(amount=5) for end in ends)


async def test_a_throttled_deployment_is_narrowed_and_widens_again() -> None:
    counting = Counting(0.02)
    async with (
        FakeLLM(default=counting) as llm,
        asking(deployment(llm, quotas=Quotas(concurrency=8))) as asked,
    ):
        lane = asked.lanes["a"]
        llm.script = [fake.error(429) for _ in range(8)]
        assert all(end.value == Shape(amount=5) for end in await soon(asked.ask_many(8)))
        assert lane.limit < 8
        assert counting.most <= 5
        counting.most = 0
        await soon(asked.ask_many(80))
        assert lane.limit == 8
        counting.seconds, counting.most = 0.5, 0
        await soon(asked.ask_many(8))
        assert counting.most == 8


async def test_requests_a_minute_are_paced() -> None:
    """Fifty at once, then five a second."""
    async with FakeLLM(default=good) as llm, asking(deployment(llm, quotas=Quotas(rpm=300))) as asked:
        began = time.monotonic()
        await soon(asked.ask_many(60), 30)
    for at, seen in enumerate(llm.seen, start=1):
        assert seen.at - began >= (at - 50) / 5 - 0.05


async def test_a_question_without_a_place_before_its_deadline_comes_back() -> None:
    async with (
        FakeLLM(default=Counting(1.0)) as llm,
        asking(deployment(llm, quotas=Quotas(concurrency=1))) as asked,
    ):
        first = asyncio.create_task(asked.ask())
        await llm.asked.wait()
        with pytest.raises(LLMGateClosed) as caught:
            await asked.ask(within=2.2)
        assert (caught.value.params["reason"], caught.value.retry_after) == ("busy", 5.0)
        assert (await soon(first)).value == Shape(amount=5)
    assert len(llm.seen) == 1


async def test_a_gate_that_opens_by_itself_is_found_by_those_in_line() -> None:
    """They wait for a call of the other deployment to end, which may take minutes."""
    async with FakeLLM(default=Counting(3.0)) as slow, FakeLLM(default=good) as throttled:
        full = deployment(slow, "slow", quotas=Quotas(concurrency=1))
        other = deployment(throttled, "throttled")
        async with asking(full, other) as asked:
            error = failure(ErrorKind.THROTTLE, "HTTP 429")
            await asked.client.gates.close(other, error, seconds=0.5)
            first = asyncio.create_task(asked.ask())
            await slow.asked.wait()
            began = time.monotonic()
            await soon(asked.ask())
            assert time.monotonic() - began < 2
            first.cancel()
            await asyncio.wait({first})
    assert len(throttled.seen) == 1


async def test_our_own_limit_a_minute_is_stood_in_line_for_and_is_no_outage() -> None:
    """A call left a debt of a minute: the next one waits, for the provider is well and nobody is quicker."""
    lane = deployment("http://x/v1", max_tokens=100, quotas=Quotas(tpm=60))
    router = Router((lane,), Gates((lane,)))
    first = await router.acquire(Wanted("", 0), time.monotonic() + 60)
    router.answered(first, 100)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(router.acquire(Wanted("", 0), time.monotonic() + 60), 0.3)


async def test_a_limit_that_is_minutes_off_sends_the_task_back_as_busy() -> None:
    lane = deployment("http://x/v1", max_tokens=1000, quotas=Quotas(tpm=60))
    router = Router((lane,), Gates((lane,)))
    router.answered(await router.acquire(Wanted("", 0), time.monotonic() + 60), 1000)

    with pytest.raises(LLMGateClosed) as caught:
        await router.acquire(Wanted("", 0), time.monotonic() + 60)
    assert caught.value.params["reason"] == "busy"
