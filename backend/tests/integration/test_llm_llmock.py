"""The client against llmock, which breaks calls and judges how they are taken: no finding, no warning either.

Every test also says what must have come out and how many calls it took: a verdict on nothing is clean, too.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from backend.app.common.errors import (
    LLMAuthFailed,
    LLMBadRequest,
    LLMContextTooLong,
    LLMError,
    LLMThrottled,
    LLMTimeout,
    LLMUnavailable,
)
from backend.app.common.llm_retry import DEFAULT_POLICY, RetryPolicy
from backend.app.llm.client import LLMClient
from backend.app.llm.types import CallContext, Deployment, ErrorKind, Message, StructuredAnswer, kind_of
from backend.tests.fakes.llmock_server import (
    LLMock,
    Verdict,
    broken_stream,
    fail,
    reply,
    running_llmock,
    slow_first_token,
)

RPM, TPM, WINDOW = 60, 90_000, 8_000
# As the product's, only shorter. Where growing waits are judged the tests take the product's own.
QUICK = RetryPolicy(waits=(0.2, 0.4, 0.8))


class Shape(BaseModel):
    amount: int
    place: str


# What llmock makes of the schema: four words, so six chunks with role and finish_reason.
ANSWER = Shape(amount=1, place="mock-place")
WORDS = 4


@pytest.fixture(scope="module")
def server() -> Iterator[LLMock]:
    limits = ("--rpm", str(RPM), "--tpm", str(TPM), "--context-window", str(WINDOW))
    with running_llmock(*limits) as started:
        yield started


@pytest.fixture
def llm(server: LLMock) -> LLMock:
    server.reset()
    return server


def client_of(llm: LLMock, policy: RetryPolicy = QUICK, *, model: str = "m-1", **fields: Any) -> LLMClient:
    target = Deployment("openai_compatible", model, llm.base_url, "sk-test", **({"timeout_s": 10} | fields))
    return LLMClient((target,), policy=policy)


async def ask(client: LLMClient, text: str = "标书正文") -> StructuredAnswer[Shape]:
    messages = (Message("system", "指令"), Message("user", text))
    return await client.ask(messages, Shape, deadline=time.monotonic() + 60, context=CallContext(step="test"))


async def asked(llm: LLMock, policy: RetryPolicy = QUICK, **fields: Any) -> StructuredAnswer[Shape]:
    """One question of a client of its own."""
    client = client_of(llm, policy, **fields)
    try:
        return await ask(client)
    finally:
        await client.aclose()


def waits(llm: LLMock) -> list[float]:
    """Seconds between the end of each attempt and the next."""
    seen = llm.requests()
    return [after["started_at"] - before["ended_at"] for before, after in itertools.pairwise(seen)]


async def test_an_answer_is_taken_at_the_first_call(llm: LLMock) -> None:
    answer = await asked(llm)

    assert (answer.value, answer.calls) == (ANSWER, 1)
    assert answer.usage.response_tokens > 0
    assert not answer.usage.estimated
    assert llm.verdict() == Verdict(calls=1, attempts=1, faults=0)


async def test_a_throttled_question_waits_as_long_as_it_is_told(llm: LLMock) -> None:
    """Longer than the policy's own waits."""
    llm.script(fail(429, retry_after=1.0, times=2))

    answer = await asked(llm)

    assert (answer.value, answer.calls) == (ANSWER, 3)
    assert min(waits(llm)) >= 1.0
    assert llm.verdict() == Verdict(calls=1, attempts=3, faults=2)


async def test_a_retry_after_too_long_for_a_step_is_for_the_task_to_wait_out(llm: LLMock) -> None:
    """One call and no more in this step; the task's next attempt comes when it was told."""
    llm.script(fail(429, retry_after=1.0))

    with pytest.raises(LLMThrottled) as caught:
        await asked(llm, RetryPolicy(waits=(0.2,), longest_wait=0.5))
    assert caught.value.retry_after == 1.0
    await asyncio.sleep(caught.value.retry_after)

    assert (await asked(llm)).value == ANSWER
    assert llm.verdict() == Verdict(calls=1, attempts=2, faults=1)


async def test_a_passing_failure_is_called_again(llm: LLMock) -> None:
    """Whatever its status; all at once, each to a model of its own."""
    statuses = (408, 409, 500, 502, 503, 504, 529)
    llm.script(*(fail(status, model=f"m-{status}") for status in statuses))

    answers = await asyncio.gather(*(asked(llm, model=f"m-{status}") for status in statuses))

    assert [(answer.value, answer.calls) for answer in answers] == [(ANSWER, 2)] * len(statuses)
    assert llm.verdict() == Verdict(calls=7, attempts=14, faults=7)


@pytest.mark.parametrize("after", [0, 3, 1 + WORDS])
@pytest.mark.parametrize("kind", ["truncate", "disconnect"])
async def test_a_stream_cut_before_its_finish_reason_is_not_believed(
    llm: LLMock, kind: str, after: int
) -> None:
    """Not even when the JSON in it is whole already."""
    llm.script(broken_stream(kind, after=after))

    answer = await asked(llm)

    assert (answer.value, answer.calls) == (ANSWER, 2)
    assert llm.verdict() == Verdict(calls=1, attempts=2, faults=1)


@pytest.mark.parametrize("after", [0, 2])
async def test_a_garbled_chunk_ends_the_call_at_once(llm: LLMock, after: int) -> None:
    llm.script(broken_stream("malformed", after=after))

    answer = await asked(llm)

    assert (answer.value, answer.calls) == (ANSWER, 2)
    assert llm.requests()[0]["completed"] is False
    assert llm.verdict() == Verdict(calls=1, attempts=2, faults=1)


async def test_a_stream_that_falls_silent_is_left(llm: LLMock) -> None:
    llm.script(broken_stream("stall", seconds=20))

    answer = await asked(llm, idle_s=0.5)

    assert (answer.value, answer.calls) == (ANSWER, 2)
    assert 0.4 < llm.requests()[0]["stall_waited"] < 2.0
    assert llm.verdict() == Verdict(calls=1, attempts=2, faults=1)


async def test_an_answer_that_does_not_begin_is_left(llm: LLMock) -> None:
    """llmock has no fault for it; the limit is the first token's alone."""
    llm.script(slow_first_token(20))

    answer = await asked(llm, first_token_s=0.5)

    assert (answer.value, answer.calls) == (ANSWER, 2)
    assert llm.requests()[0]["duration"] < 2.0
    assert llm.verdict() == Verdict(calls=1, attempts=2, faults=0)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, LLMBadRequest),
        (401, LLMAuthFailed),
        (403, LLMAuthFailed),
        (404, LLMBadRequest),
        (422, LLMBadRequest),
    ],
)
async def test_what_no_retry_cures_is_called_once(llm: LLMock, status: int, error: type[LLMError]) -> None:
    llm.script(fail(status, times=None))

    with pytest.raises(error):
        await asked(llm)

    assert llm.verdict() == Verdict(calls=1, attempts=1, faults=1)


async def test_a_key_that_was_refused_is_not_shown_again_by_the_next_question(llm: LLMock) -> None:
    llm.script(fail(401, times=None))
    client = client_of(llm)

    for text in ("第一章", "第二章"):
        with pytest.raises(LLMError):
            await ask(client, text)
    await client.aclose()

    assert llm.verdict() == Verdict(calls=1, attempts=1, faults=1)


async def test_a_prompt_beyond_the_window_is_called_once(llm: LLMock) -> None:
    """It is for whoever asks to cut it in two. Here the operator said more of the window than is true."""
    client = client_of(llm, context_window=100 * WINDOW)

    with pytest.raises(LLMContextTooLong):
        await ask(client, "超长标书" * (WINDOW + 10))
    assert (await ask(client, "超长标书" * 10)).value == ANSWER
    await client.aclose()

    assert [seen["fault"] for seen in llm.requests()] == ["context_window", None]
    assert llm.verdict() == Verdict(calls=2, attempts=2, faults=1)


async def test_an_answer_that_is_no_json_is_asked_for_again_with_the_reason(llm: LLMock) -> None:
    """Which makes it another body, so another call in the eyes of whoever judges."""
    llm.script(reply("不会 JSON"))

    answer = await asked(llm)

    assert (answer.value, answer.calls) == (ANSWER, 2)
    assert llm.verdict() == Verdict(calls=2, attempts=2, faults=0)


async def test_an_outage_costs_four_calls_with_growing_waits(llm: LLMock) -> None:
    """With the product's own waits: that they grow is judged. All kinds at once, to wait only once."""
    llm.script(
        fail(500, times=None, model="m-500"),
        fail(503, times=None, model="m-503"),
        broken_stream("disconnect", times=None, model="m-cut"),
        broken_stream("stall", times=None, model="m-stall"),
    )

    async def outcome(model: str) -> tuple[type[BaseException], ErrorKind | None]:
        with pytest.raises(LLMError) as caught:
            await asked(llm, DEFAULT_POLICY, model=model, idle_s=0.5)
        return caught.type, kind_of(caught.value)

    outcomes = await asyncio.gather(*map(outcome, ("m-500", "m-503", "m-cut", "m-stall")))

    assert outcomes == [
        (LLMUnavailable, ErrorKind.TRANSIENT),
        (LLMUnavailable, ErrorKind.TRANSIENT),
        (LLMUnavailable, ErrorKind.TRUNCATED),
        (LLMTimeout, ErrorKind.TIMEOUT_IDLE),
    ]
    assert llm.verdict() == Verdict(calls=4, attempts=16, faults=16)


@pytest.mark.parametrize(("limit", "max_tokens", "fitting"), [("requests", 100, RPM), ("tokens", 2000, 41)])
async def test_questions_beyond_a_minutes_limit_wait_their_turn(
    llm: LLMock, limit: str, max_tokens: int, fitting: int
) -> None:
    """`fitting` questions fill the limit at once; it refills by one in a second or so."""
    client = client_of(llm, DEFAULT_POLICY, max_tokens=max_tokens)
    many = fitting + 4

    answers = await asyncio.gather(*(ask(client, f"第{number}章") for number in range(many)))
    await client.aclose()

    assert [answer.value for answer in answers] == [ANSWER] * many
    verdict = llm.verdict()
    refused = [seen["fault"] for seen in llm.requests() if seen["fault"]]
    assert set(refused) == {f"ratelimit:{limit}"}
    assert verdict == Verdict(calls=many, attempts=many + len(refused), faults=len(refused))
    assert sum(answer.calls for answer in answers) == verdict.attempts
