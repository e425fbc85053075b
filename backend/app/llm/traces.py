"""Traces, when asked for: one OpenTelemetry client span a call, by OTLP over HTTP. Never text, never a key.

OpenTelemetry's SDK is an extra (requirements-traces.txt), imported only when an observer is built. The names
are those of its conventions for generative AI, which were still in development in November 2026; what they
have no name for is called `sales_assistant.…`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from backend.app.common.errors import LLMError
from backend.app.common.logging import get_logger
from backend.app.llm.call_log import Call, Ended, ids_of
from backend.app.llm.types import ChatAnswer, Usage

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

log = get_logger(__name__)

SERVICE = "sales-assistant"
CLOSE_SECONDS = 5.0  # a collector that is gone must not hold up the end of a worker
# The conventions' own names; the other providers have none there.
_PROVIDERS = {"azure_openai": "azure.ai.openai", "moonshot": "moonshot_ai"}

_Value = str | int | float | bool | list[str] | None


class TracesUnavailable(Exception):
    """The extra is not installed; the text is one sentence for the operator."""


def observer(endpoint: str | None = None) -> CallTraces:
    """Traces to the collector at `endpoint` (a base address: /v1/traces is appended); None: where the OTEL_*
    variables say. They also give headers, timeout, compression, sampling, batch sizes and the service's name.

    Raises TracesUnavailable.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise TracesUnavailable(
            "发送调用追踪需要先安装 OpenTelemetry：pip install --require-hashes -r requirements-traces.txt"
        ) from None
    # The exporter tells of each try; `_ToldOnce` tells when it begins and ends to fail.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
    address = f"{endpoint.rstrip('/')}/v1/traces" if endpoint else None
    provider = tracer_provider()
    told = cast("SpanExporter", _ToldOnce(OTLPSpanExporter(endpoint=address)))
    provider.add_span_processor(BatchSpanProcessor(told))
    return CallTraces(provider)


def tracer_provider() -> TracerProvider:
    """Nothing global, nothing at exit: other users of OpenTelemetry in this process are not touched."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    resource = Resource.create()
    if str(resource.attributes["service.name"]).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": SERVICE}))
    return TracerProvider(resource=resource, shutdown_on_exit=False)


class CallTraces:
    """A CallObserver. A span is made when its call has ended: nothing is kept meanwhile, nothing can leak."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.trace import SpanKind, StatusCode

        self._provider = provider
        self._tracer = provider.get_tracer("sales_assistant.llm")
        self._kind, self._error = SpanKind.CLIENT, StatusCode.ERROR

    async def started(self, call: Call) -> None:
        """A span is made at the end."""

    async def withdrawn(self, call: Call) -> None:
        """Nothing was sent: no span."""

    async def answered(self, call: Call, answer: ChatAnswer, cost: Decimal) -> None:
        result: dict[str, _Value] = {
            "gen_ai.response.finish_reasons": [answer.finish_reason],
            "sales_assistant.first_token_ms": answer.first_token_ms,
        }
        self._record(call, answer.duration_ms, result | _spent(answer.usage, cost))

    async def failed(self, call: Call, error: BaseException, ended: Ended) -> None:
        params = error.params if isinstance(error, LLMError) else {}
        reason, first = params.get("finish_reason"), params.get("first_token_ms")
        result: dict[str, _Value] = {
            "error.type": _type_of(error),
            "gen_ai.response.finish_reasons": [str(reason)] if reason else None,
            "sales_assistant.first_token_ms": first if isinstance(first, int | float) else None,
        }
        self._record(call, ended.duration_ms, result | _spent(ended.usage, ended.cost))

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Send what is waiting, for at most so many seconds; blocks meanwhile. Later calls leave no trace."""
        ending = threading.Thread(target=self._provider.shutdown, name="traces-close", daemon=True)
        ending.start()
        ending.join(seconds)

    def _record(self, call: Call, duration_ms: float, result: dict[str, _Value]) -> None:
        ended = time.time_ns()
        attributes = _asked(call) | result
        span = self._tracer.start_span(
            f"chat {call.deployment.model}",
            kind=self._kind,
            attributes={key: value for key, value in attributes.items() if value is not None},
            start_time=ended - round(duration_ms * 1_000_000),
        )
        if "error.type" in result:
            span.set_status(self._error)
        span.end(ended)


def _asked(call: Call) -> dict[str, _Value]:
    """What was known before the call."""
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": _PROVIDERS.get(call.deployment.provider, call.deployment.provider),
        "gen_ai.request.model": call.deployment.model,
        **{f"sales_assistant.{name}": value for name, value in ids_of(call).items()},
    }


def _spent(usage: Usage, cost: Decimal) -> dict[str, _Value]:
    """As in the ledger: yuan, and tokens, cached ones among those of the input."""
    return {
        "gen_ai.usage.input_tokens": usage.prompt_tokens,
        "gen_ai.usage.output_tokens": usage.response_tokens,
        "sales_assistant.cached_tokens": usage.cached_tokens,
        "sales_assistant.usage_estimated": usage.estimated,
        "sales_assistant.cost": float(cost),
    }


def _type_of(error: BaseException) -> str:
    """The kind of a failed call, as in log and ledger; "cancelled"; else the error's class."""
    if isinstance(error, LLMError) and "kind" in error.params:
        return str(error.params["kind"])
    return "cancelled" if isinstance(error, asyncio.CancelledError) else type(error).__name__


class _ToldOnce:
    """An exporter that logs when the collector stops answering and when it answers again."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._is_failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        is_failing = result.name != "SUCCESS"
        if is_failing and not self._is_failing:
            log.warning("llm_traces_lost", spans=len(spans))
        elif self._is_failing and not is_failing:
            log.info("llm_traces_sent_again")
        self._is_failing = is_failing
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)
