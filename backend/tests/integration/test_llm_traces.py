"""Traces over HTTP to a collector of our own, and what happens without the extra."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal

import pytest
import structlog
from opentelemetry import trace
from pydantic import BaseModel
from structlog.testing import capture_logs

from backend.app.llm import traces
from backend.app.llm.client import LLMClient
from backend.app.llm.types import CallContext, Deployment, Message, Prices
from backend.app.settings import REPOSITORY
from backend.tests.fakes import llm_server as fake
from backend.tests.fakes.llm_server import FakeLLM
from backend.tests.fakes.otlp_collector import Collector, told
from backend.tests.unit.test_llm_traces import ANSWER, CALL, KEY, SECRET


class Shape(BaseModel):
    amount: int


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("ENDPOINT", "TRACES_ENDPOINT", "HEADERS", "TIMEOUT", "COMPRESSION"):
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{name}", raising=False)
    for name in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_SDK_DISABLED", "OTEL_TRACES_SAMPLER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


# Over HTTP


async def test_calls_of_the_client_reach_the_collector(collector: Collector) -> None:
    """Four calls over real sockets: two that fail, one that is no JSON, one that is right."""
    observer = traces.observer(collector.url)
    script = (fake.error(503), fake.error(429), fake.stream(SECRET), fake.stream('{"amount": 5}'))
    async with FakeLLM(*script) as llm:
        deployment = Deployment(
            "openai_compatible", "m-1", llm.base_url, KEY, prices=Prices(Decimal(1000), Decimal(2000))
        )
        client = LLMClient([deployment], observers=[observer], sleep=lambda seconds: asyncio.sleep(0))
        answer = await client.ask(
            (Message("user", SECRET),),
            Shape,
            deadline=time.monotonic() + 30,
            context=CallContext(task_id=1, step="chunk/0"),
        )
        await client.aclose()
    observer.close()

    spans = [told(span.attributes) for span in collector.spans]
    assert [span.get("error.type", "") for span in spans] == ["transient", "throttle", "", ""]
    assert [span["sales_assistant.call"] for span in spans] == [1, 2, 3, 4]
    assert {span.name for span in collector.spans} == {"chat m-1"}
    assert sum(span["gen_ai.usage.output_tokens"] for span in spans) == answer.usage.response_tokens
    assert sum(span["sales_assistant.cost"] for span in spans) == pytest.approx(float(answer.cost))
    for hidden in (SECRET, KEY, llm.base_url):
        assert hidden.encode() not in collector.raw


async def test_the_standard_variables_say_where_and_how(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20abc")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "sales-test")
    observer = traces.observer()
    await observer.answered(CALL, ANSWER, Decimal(0))
    observer.close()

    ((path, headers, request),) = collector.requests
    assert path == "/v1/traces"
    assert headers["authorization"] == "Bearer abc"
    assert headers["content-encoding"] == "gzip"
    assert told(request.resource_spans[0].resource.attributes)["service.name"] == "sales-test"


async def test_the_service_has_a_name_of_its_own(collector: Collector) -> None:
    observer = traces.observer(f"{collector.url}/")
    await observer.answered(CALL, ANSWER, Decimal(0))
    observer.close()

    ((path, _, request),) = collector.requests
    assert path == "/v1/traces"
    assert told(request.resource_spans[0].resource.attributes)["service.name"] == "sales-assistant"


async def test_opentelemetry_can_be_disabled_as_everywhere(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    observer = traces.observer(collector.url)
    await observer.answered(CALL, ANSWER, Decimal(0))
    observer.close()

    assert collector.requests == []


async def test_calls_after_the_end_do_no_harm(collector: Collector) -> None:
    observer = traces.observer(collector.url)
    observer.close()
    observer.close()
    await observer.answered(CALL, ANSWER, Decimal(0))

    assert collector.requests == []


async def test_a_collector_that_hangs_does_not_hold_up_the_end(collector: Collector) -> None:
    collector.seconds = 2.0
    observer = traces.observer(collector.url)
    await observer.answered(CALL, ANSWER, Decimal(0))
    started = time.monotonic()
    observer.close(0.2)

    assert time.monotonic() - started < 1.0


async def test_a_collector_that_refuses_is_told_once_and_so_is_its_return(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each batch is a try, every five seconds for ever: a line for each would bury the log."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    structlog.reset_defaults()
    collector.status = 400
    with capture_logs() as lines:
        observer = traces.observer(collector.url)
        for status, event in ((400, "llm_traces_lost"), (400, None), (200, "llm_traces_sent_again")):
            collector.status, before = status, len(lines)
            await observer.answered(CALL, ANSWER, Decimal(0))
            assert await asyncio.to_thread(collector.answered.acquire, timeout=10)
            await asyncio.sleep(0.2)
            assert [line["event"] for line in lines[before:]] == ([event] if event else [])
        observer.close()

    assert len(collector.spans) == 1
    assert "Failed to export" not in capfd.readouterr().err


def test_other_users_of_opentelemetry_in_the_process_are_not_touched(collector: Collector) -> None:
    before = trace.get_tracer_provider()
    traces.observer(collector.url).close()

    assert trace.get_tracer_provider() is before


# Without the extra

_BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.startswith({blocked!r}):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocker())
from backend.app.llm import traces
assert not any(name.startswith("opentelemetry.sdk") for name in sys.modules)
try:
    traces.observer("http://127.0.0.1:4318")
except traces.TracesUnavailable as error:
    print(error)
"""


@pytest.mark.parametrize("blocked", ["opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry"])
def test_without_the_extra_the_operator_is_told_what_to_install(blocked: str) -> None:
    """The module itself can be imported; only the observer can't be had."""
    program = _BLOCKED.format(blocked=blocked)
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", program],
        cwd=REPOSITORY,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )

    assert done.stdout.strip() == (
        "发送调用追踪需要先安装 OpenTelemetry：pip install --require-hashes -r requirements-traces.txt"
    )
