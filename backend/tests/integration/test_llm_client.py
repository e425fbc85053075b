"""The one attempt loop over real sockets: retries, ladder, re-ask, logs."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from pydantic import BaseModel
from structlog.testing import capture_logs

from backend.app.common.errors import (
    LLMAuthFailed,
    LLMContextTooLong,
    LLMInvalidAnswer,
    LLMThrottled,
    LLMUnavailable,
)
from backend.app.llm.client import LLMClient
from backend.app.llm.types import (
    CallContext,
    Deployment,
    Message,
    Spending,
    StructuredLevel,
    spent_of,
)
from backend.tests.fakes import llm_server as fake
from backend.tests.fakes.llm_server import FakeLLM

SECRET = "机密标书正文"
MESSAGES = (Message("system", "指令"), Message("user", SECRET))
KEY = "sk-test-1234567"


class Shape(BaseModel):
    amount: int


GOOD = '{"amount": 5}'


class Asked:
    """A client whose waits take no time, and what it waited."""

    def __init__(self, llm: FakeLLM, **fields: Any) -> None:
        self.waits: list[float] = []
        self.deployment = Deployment("openai_compatible", "m-1", llm.base_url, KEY, timeout_s=5, **fields)
        self.client = LLMClient((self.deployment,), sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    async def ask(self, context: CallContext | None = None) -> Any:
        return await self.client.ask(MESSAGES, Shape, deadline=time.monotonic() + 60, context=context)


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    structlog.reset_defaults()
    with capture_logs() as captured:
        yield captured


async def test_an_answer_is_parsed_and_its_usage_told() -> None:
    async with FakeLLM(fake.stream(GOOD)) as llm:
        asked = Asked(llm)
        answer = await asked.ask()
        await asked.client.aclose()
    assert answer.value == Shape(amount=5)
    assert (answer.calls, answer.usage.prompt_tokens, answer.usage.response_tokens) == (1, 11, 7)
    assert llm.seen[0].body["response_format"]["json_schema"]["name"] == "Shape"


async def test_transient_failures_are_called_four_times_in_all() -> None:
    async with FakeLLM(default=lambda seen: fake.error(503)) as llm:
        asked = Asked(llm)
        with pytest.raises(LLMUnavailable) as caught:
            await asked.ask()
        await asked.client.aclose()
    assert len(llm.seen) == 4
    # Refused calls: nothing was generated, nothing is charged.
    assert spent_of(caught.value) == Spending(calls=4)
    for wait, planned in zip(asked.waits, [2, 4, 8], strict=True):
        assert planned * 0.75 <= wait <= planned * 1.25


async def test_a_cut_stream_is_asked_again_and_its_tokens_are_counted() -> None:
    async with FakeLLM(fake.stream(GOOD, finish=None), fake.error(429), fake.stream(GOOD)) as llm:
        asked = Asked(llm)
        answer = await asked.ask()
        await asked.client.aclose()
    assert answer.calls == 3
    assert answer.usage.response_tokens == 7 + 7
    assert answer.usage.estimated


async def test_a_wrong_key_is_called_once() -> None:
    async with FakeLLM(default=lambda seen: fake.error(401, "invalid_api_key")) as llm:
        asked = Asked(llm)
        with pytest.raises(LLMAuthFailed):
            await asked.ask()
        await asked.client.aclose()
    assert len(llm.seen) == 1


async def test_a_step_near_its_limit_is_called_once() -> None:
    async with FakeLLM(default=lambda seen: fake.error(500)) as llm:
        asked = Asked(llm)
        with pytest.raises(LLMUnavailable):
            await asked.ask(CallContext(calls=1))
        await asked.client.aclose()
    assert len(llm.seen) == 1


async def test_a_long_retry_after_is_handed_on() -> None:
    async with FakeLLM(fake.error(429, headers={"Retry-After": "120"})) as llm:
        asked = Asked(llm)
        with pytest.raises(LLMThrottled) as caught:
            await asked.ask()
        await asked.client.aclose()
    assert (caught.value.retry_after, asked.waits) == (120, [])


async def test_an_invalid_answer_is_asked_for_once_more_with_its_errors() -> None:
    async with FakeLLM(fake.stream('{"amount": "many"}'), fake.stream(GOOD)) as llm:
        asked = Asked(llm)
        answer = await asked.ask()
        await asked.client.aclose()
    assert answer.calls == 2
    again = llm.seen[1].body["messages"]
    assert [message["role"] for message in again] == ["system", "user", "assistant", "user"]
    assert "amount" in again[-1]["content"]


async def test_after_the_second_invalid_answer_there_is_no_third_call() -> None:
    async with FakeLLM(default=lambda seen: fake.stream("不会 JSON")) as llm:
        asked = Asked(llm)
        with pytest.raises(LLMInvalidAnswer) as caught:
            await asked.ask()
        await asked.client.aclose()
    assert len(llm.seen) == 2
    assert not caught.value.retryable
    assert asked.waits == []


async def test_an_answer_cut_at_its_limit_is_not_repaired() -> None:
    async with FakeLLM(fake.stream('{"amount": 5', finish="length")) as llm:
        asked = Asked(llm)
        with pytest.raises(LLMContextTooLong):
            await asked.ask()
        await asked.client.aclose()
    assert len(llm.seen) == 1


async def test_the_ladder_goes_down_and_stays_down() -> None:
    refuse_schema = fake.error(400, message="response_format json_schema is not supported")
    refuse_object = fake.error(400, param="response_format.type")
    async with FakeLLM(refuse_schema, refuse_object, default=lambda seen: fake.stream(GOOD)) as llm:
        asked = Asked(llm)
        assert (await asked.ask()).calls == 3
        assert (await asked.ask()).calls == 1
        await asked.client.aclose()
    forms = [seen.body.get("response_format", {}).get("type") for seen in llm.seen]
    assert forms == ["json_schema", "json_object", None, None]
    assert "JSON Schema" in llm.seen[3].body["messages"][0]["content"]
    assert llm.seen[3].body["messages"][1]["content"] == SECRET


async def test_a_deployment_may_start_lower() -> None:
    async with FakeLLM(fake.stream(GOOD)) as llm:
        asked = Asked(llm, structured=StructuredLevel.JSON_OBJECT)
        await asked.ask()
        await asked.client.aclose()
    assert llm.seen[0].body["response_format"] == {"type": "json_object"}
    assert "json" in llm.seen[0].text.lower()


async def test_each_call_has_two_lines_with_the_fields_of_the_document(logs: list[Any]) -> None:
    async with FakeLLM(fake.error(500), fake.stream(GOOD)) as llm:
        asked = Asked(llm)
        await asked.ask(CallContext(task_id=123, attempt=2, step="chunk/3"))
        await asked.client.aclose()

    assert [line["event"] for line in logs] == ["llm_request", "llm_response"] * 2
    request, failed, _, good = logs
    assert request.items() >= {
        "provider": "openai_compatible", "model": "m-1", "prompt_tokens": 5,
        "task_id": 123, "attempt": 2, "step": "chunk/3",
    }.items()  # fmt: skip
    assert request["call_id"] == failed["call_id"] != good["call_id"]
    assert (failed["success"], failed["error"], failed["error_kind"]) == (False, "HTTP 500", "transient")
    assert failed["duration_ms"] > 0
    assert {"response_tokens", "finish_reason", "first_token_ms"} <= failed.keys()
    assert (
        good.items()
        >= {"success": True, "response_tokens": 7, "finish_reason": "stop", "step": "chunk/3"}.items()
    )
    assert good["duration_ms"] >= good["first_token_ms"] > 0
    assert "error" not in good


async def test_logs_hold_neither_key_nor_document(logs: list[Any]) -> None:
    leak = fake.error(401, "invalid_api_key", f"Incorrect key {KEY}; you said {SECRET}")
    script = [fake.stream("坏 " + SECRET), fake.stream(GOOD), fake.error(400, message=SECRET), leak]
    async with FakeLLM(*script) as llm:
        asked = Asked(llm)
        await asked.ask()
        for _ in range(2):
            with pytest.raises(Exception):  # noqa: B017 — which one is not the point
                await asked.ask()
        await asked.client.aclose()
    told = json.dumps(logs, default=str, ensure_ascii=False) + repr(asked.deployment)
    assert [line["event"] for line in logs].count("llm_response") == 4
    assert len(logs) == 9  # and the gate that the wrong key closed
    assert KEY not in told
    assert SECRET not in told


async def test_a_cancelled_call_is_logged_as_such(logs: list[Any]) -> None:
    async with FakeLLM(fake.hang()) as llm:
        asked = Asked(llm)
        task = asyncio.create_task(asked.ask())
        await llm.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asked.client.aclose()
    assert logs[-1]["event"] == "llm_response"
    assert logs[-1]["error_kind"] == "cancelled"
    assert len(llm.seen) == 1


async def test_a_bound_client_names_the_step_of_each_call(logs: list[Any]) -> None:
    async with FakeLLM(fake.stream(GOOD)) as llm:
        asked = Asked(llm)
        ask = asked.client.bind(deadline=time.monotonic() + 9, context=CallContext(task_id=7))
        assert (await ask(MESSAGES, Shape, step="chunk/1")).value.amount == 5
        await asked.client.aclose()
    assert (logs[0]["task_id"], logs[0]["step"]) == (7, "chunk/1")
