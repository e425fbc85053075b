"""Where a question goes when a deployment fails it, by kind of failure; over real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from backend.app.common.errors import (
    LLMContentRefused,
    LLMContextTooLong,
    LLMUnavailable,
)
from backend.app.llm.types import CallContext, Message, Quotas
from backend.tests.fakes import llm_server as fake
from backend.tests.fakes.llm_server import FakeLLM
from backend.tests.llm_asking import Counting, Shape, asking, deployment, good, soon

TOO_LONG = fake.error(400, "context_length_exceeded", "maximum context length is 32000 tokens")
REFUSED = fake.error(400, "content_policy_violation")


async def test_a_prompt_too_long_goes_to_a_larger_window_only() -> None:
    async with (
        FakeLLM(default=lambda seen: TOO_LONG) as first,
        FakeLLM(default=lambda seen: TOO_LONG) as same,
        FakeLLM(default=good) as larger,
        asking(
            deployment(first, "first", weight=100),
            deployment(same, "same"),
            deployment(larger, "larger", context_window=128_000, weight=0.01),
        ) as asked,
    ):
        asked.lanes["same"].served = 50.0
        asked.lanes["larger"].served = 100.0
        answer = await soon(asked.ask())
    assert answer.calls == 2
    assert (len(first.seen), len(same.seen), len(larger.seen)) == (1, 0, 1)


async def test_a_prompt_too_long_for_the_largest_window_fails_as_such() -> None:
    async with (
        FakeLLM(default=lambda seen: TOO_LONG) as llm,
        asking(deployment(llm, "a"), deployment(llm, "b")) as asked,
    ):
        with pytest.raises(LLMContextTooLong):
            await soon(asked.ask())
        with pytest.raises(LLMContextTooLong):  # known without a call
            await soon(asked.ask([Message("user", "汉" * 80_000)]))
    assert len(llm.seen) == 1


async def test_refused_content_goes_to_another_provider_not_to_another_deployment_of_the_same() -> None:
    async with (
        FakeLLM(default=lambda seen: REFUSED) as strict,
        FakeLLM(default=lambda seen: REFUSED) as same,
        FakeLLM(default=good) as other,
        asking(
            deployment(strict, "strict", provider="openai"),
            deployment(same, "same", provider="openai"),
            deployment(other, "other", provider="deepseek"),
        ) as asked,
    ):
        asked.lanes["same"].served = asked.lanes["other"].served = 9.0
        answer = await soon(asked.ask())
        assert answer.provider == "deepseek"
        assert len(strict.seen) + len(same.seen) == 1
        other.default = lambda seen: REFUSED
        with pytest.raises(LLMContentRefused):
            await soon(asked.ask())
    assert len(other.seen) <= 2


async def test_a_throttled_question_goes_to_the_next_at_once_and_the_throttled_one_is_left_alone() -> None:
    throttle = fake.error(429, headers={"Retry-After": "20"})
    async with (
        FakeLLM(throttle, default=good) as busy,
        FakeLLM(default=good) as free,
        asking(deployment(busy, "busy"), deployment(free, "free")) as asked,
    ):
        asked.lanes["free"].served = 1.0
        answers = [await soon(asked.ask()) for _ in range(6)]
        assert asked.waits == []
    assert [answer.calls for answer in answers] == [2, 1, 1, 1, 1, 1]
    assert (len(busy.seen), len(free.seen)) == (1, 6)


async def test_a_model_that_is_not_there_is_asked_once() -> None:
    async with (
        FakeLLM(default=lambda seen: fake.error(404, "model_not_found")) as wrong,
        FakeLLM(default=good) as right,
        asking(deployment(wrong, "wrong"), deployment(right, "right")) as asked,
    ):
        asked.lanes["right"].served = 1.0
        assert (await soon(asked.ask())).calls == 2
        for _ in range(30):
            await soon(asked.ask())
        assert not asked.lanes["wrong"].breaker.is_closed
    assert len(wrong.seen) <= 6


async def test_a_wrong_key_costs_no_question_while_another_deployment_answers() -> None:
    wrong_key = fake.error(401, "invalid_api_key")
    async with (
        FakeLLM(default=lambda seen: wrong_key) as wrong,
        FakeLLM(default=good) as right,
        asking(deployment(wrong, "wrong"), deployment(right, "right")) as asked,
    ):
        asked.lanes["right"].served = 1.0
        answers = [await soon(asked.ask()) for _ in range(10)]
        closed = asked.client.gates.closed("wrong")
    assert [answer.calls for answer in answers] == [2] + [1] * 9
    assert len(wrong.seen) == 1
    assert closed is not None
    assert (closed.needs_probe, closed.reason) == (True, "auth")


@pytest.mark.parametrize("refusal", [TOO_LONG, REFUSED, fake.error(404), fake.error(401)])
async def test_the_only_other_one_that_may_answer_is_waited_for_when_it_is_full(refusal: Any) -> None:
    """What only another deployment cures must not fail because that one happens to be busy."""
    async with (
        FakeLLM(default=lambda seen: refusal) as first,
        FakeLLM(default=Counting(0.3)) as other,
        asking(
            deployment(first, "first", provider="openai"),
            deployment(
                other, "other", provider="deepseek", context_window=99_000, quotas=Quotas(concurrency=1)
            ),
        ) as asked,
    ):
        asked.lanes["first"].served = 9.0
        busy = asyncio.create_task(asked.ask())
        await other.asked.wait()
        asked.lanes["first"].served = 0.0
        assert (await soon(asked.ask())).value == Shape(amount=5)
        await soon(busy)
    assert len(first.seen) == 1


async def test_a_round_asks_nobody_twice_and_then_waits() -> None:
    """Falling back is for once around: a retry without a wait only adds to an outage."""
    async with (
        FakeLLM(default=lambda seen: fake.error(503)) as one,
        FakeLLM(default=lambda seen: fake.error(503)) as two,
        asking(deployment(one, "one"), deployment(two, "two")) as asked,
    ):
        for lane in asked.lanes.values():
            lane.breaker.threshold = 1000
        (end,) = await soon(asked.ask_many(1))
    assert isinstance(end, LLMUnavailable)
    assert (len(one.seen), len(two.seen), len(asked.waits)) == (4, 4, 3)
    order = [
        name for _, name in sorted([(s.at, "one") for s in one.seen] + [(s.at, "two") for s in two.seen])
    ]
    assert all(set(order[at : at + 2]) == {"one", "two"} for at in range(0, 8, 2))


async def test_a_step_with_few_calls_left_makes_no_more_of_them() -> None:
    """Falling back counts: two deployments must not double what a step may pay for."""
    async with (
        FakeLLM(default=lambda seen: fake.error(503)) as one,
        FakeLLM(default=lambda seen: fake.error(503)) as two,
        asking(deployment(one, "one"), deployment(two, "two")) as asked,
    ):
        for calls in (1, 2, 3):
            await soon(asked.ask_many(1, context=CallContext(calls=calls)))
    assert len(one.seen) + len(two.seen) <= 1 + 2 + 3
