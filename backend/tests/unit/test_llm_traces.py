"""The span of a call: its names, its length, and nothing that was said."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from backend.app.common.logging import bound
from backend.app.llm import traces
from backend.app.llm.call_log import Call, CallObserver, Ended
from backend.app.llm.classify import failure
from backend.app.llm.types import CallContext, ChatAnswer, Deployment, ErrorKind, Usage

KEY, SECRET = "sk-test-1234567", "机密标书正文"
DEPLOYMENT = Deployment("dashscope", "qwen3-max", "https://llm.example.com/v1", KEY, "qwen-main")
CALL = Call(DEPLOYMENT, CallContext(task_id=7, attempt=2, step="chunk/3"), 100, 2, id="c0ffee")
ANSWER = ChatAnswer(SECRET, "stop", Usage(120, 30, 64), 1500.0, 200.0)


class Memory:
    """An observer whose spans stay in memory."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        provider = traces.tracer_provider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.observer: CallObserver = traces.CallTraces(provider)

    @property
    def only(self) -> ReadableSpan:
        (span,) = self.exporter.get_finished_spans()
        return span


@pytest.fixture
def memory() -> Memory:
    return Memory()


async def test_an_answer_becomes_one_client_span_by_the_names_of_the_conventions(memory: Memory) -> None:
    await memory.observer.started(CALL)
    await memory.observer.answered(CALL, ANSWER, Decimal("0.0125"))

    span = memory.only
    assert (span.name, span.kind, span.status.status_code) == (
        "chat qwen3-max",
        SpanKind.CLIENT,
        StatusCode.UNSET,
    )
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "dashscope",
        "gen_ai.request.model": "qwen3-max",
        "gen_ai.usage.input_tokens": 120,
        "gen_ai.usage.output_tokens": 30,
        "gen_ai.response.finish_reasons": ("stop",),
        "sales_assistant.deployment": "qwen-main",
        "sales_assistant.task_id": 7,
        "sales_assistant.attempt": 2,
        "sales_assistant.step": "chunk/3",
        "sales_assistant.call_id": "c0ffee",
        "sales_assistant.call": 2,
        "sales_assistant.cached_tokens": 64,
        "sales_assistant.usage_estimated": False,
        "sales_assistant.cost": 0.0125,
        "sales_assistant.first_token_ms": 200.0,
    }


async def test_a_span_lasts_as_long_as_its_call(memory: Memory) -> None:
    await memory.observer.answered(CALL, ANSWER, Decimal(0))

    span = memory.only
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.end_time - span.start_time == 1_500_000_000
    assert abs(time.time_ns() - span.end_time) < 5_000_000_000


async def test_a_failed_call_tells_its_kind_and_no_text(memory: Memory) -> None:
    error = failure(
        ErrorKind.THROTTLE, f"{SECRET} {KEY}", finish_reason=None, first_token_ms=None, response_tokens=0
    )
    await memory.observer.failed(CALL, error, Ended(30.0, Usage()))

    span = memory.only
    attributes = dict(span.attributes or {})
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description is None
    assert span.events == ()
    assert attributes["error.type"] == "throttle"
    assert "gen_ai.response.finish_reasons" not in attributes
    assert "sales_assistant.first_token_ms" not in attributes
    assert SECRET not in span.to_json()
    assert KEY not in span.to_json()


async def test_what_a_failed_call_has_used_is_told(memory: Memory) -> None:
    error = failure(ErrorKind.CONTENT, "filtered", finish_reason="content_filter", first_token_ms=80.5)
    await memory.observer.failed(CALL, error, Ended(90.0, Usage(100, 12, estimated=True), Decimal("0.001")))

    attributes = dict(memory.only.attributes or {})
    assert attributes["gen_ai.response.finish_reasons"] == ("content_filter",)
    assert attributes["gen_ai.usage.input_tokens"] == 100
    assert attributes["gen_ai.usage.output_tokens"] == 12
    assert attributes["sales_assistant.usage_estimated"] is True
    assert attributes["sales_assistant.cost"] == 0.001
    assert attributes["sales_assistant.first_token_ms"] == 80.5


@pytest.mark.parametrize(
    ("error", "kind"),
    [(asyncio.CancelledError(), "cancelled"), (ZeroDivisionError(SECRET), "ZeroDivisionError")],
)
async def test_a_cancelled_call_and_a_bug_have_types_too(
    memory: Memory, error: BaseException, kind: str
) -> None:
    await memory.observer.failed(CALL, error, Ended(5.0, Usage()))

    assert dict(memory.only.attributes or {})["error.type"] == kind


@pytest.mark.parametrize(
    ("ours", "theirs"), [("azure_openai", "azure.ai.openai"), ("moonshot", "moonshot_ai"), ("zhipu", "zhipu")]
)
async def test_providers_go_by_the_names_of_the_conventions(memory: Memory, ours: str, theirs: str) -> None:
    await memory.observer.answered(Call(Deployment(ours, "m", ""), CallContext(), 1), ANSWER, Decimal(0))

    assert dict(memory.only.attributes or {})["gen_ai.provider.name"] == theirs


async def test_ids_that_the_call_lacks_are_those_of_the_log(memory: Memory) -> None:
    with bound(task_id=8, attempt=1):
        await memory.observer.answered(Call(DEPLOYMENT, CallContext(), 1), ANSWER, Decimal(0))

    attributes = dict(memory.only.attributes or {})
    assert (attributes["sales_assistant.task_id"], attributes["sales_assistant.attempt"]) == (8, 1)
    assert "sales_assistant.step" not in attributes


async def test_a_call_that_was_not_sent_leaves_no_span(memory: Memory) -> None:
    await memory.observer.started(CALL)
    await memory.observer.withdrawn(CALL)

    assert memory.exporter.get_finished_spans() == ()
