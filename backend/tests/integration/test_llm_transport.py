"""The transport against real sockets: every way a provider fails, within its limits."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from typing import Any

import pytest

from backend.app.common.errors import (
    LLMAuthFailed,
    LLMBadRequest,
    LLMConnectionFailed,
    LLMContentRefused,
    LLMContextTooLong,
    LLMError,
    LLMThrottled,
    LLMTimeout,
    LLMUnavailable,
)
from backend.app.llm.transport import Transport
from backend.app.llm.types import ChatAnswer, ChatRequest, Deployment, Message
from backend.tests.fakes import llm_server as fake
from backend.tests.fakes.llm_server import FakeLLM, Reply, Seen, serve_in_thread

REQUEST = ChatRequest((Message("system", "指令"), Message("user", "文本")))
STARTED = fake.chunk("半句")


def deployment(llm: FakeLLM, **limits: Any) -> Deployment:
    limits = {"timeout_s": 5.0, "idle_s": 1.0, **limits}
    return Deployment("openai_compatible", "m-1", llm.base_url, "sk-test-1234567", **limits)


async def call(llm: FakeLLM, *, within: float = 10.0, **limits: Any) -> ChatAnswer:
    transport = Transport()
    try:
        return await transport.stream_chat(REQUEST, deployment(llm, **limits), time.monotonic() + within)
    finally:
        await transport.aclose()


async def fails(reply: Reply, **limits: Any) -> LLMError:
    async with FakeLLM(reply) as llm:
        with pytest.raises(LLMError) as caught:
            await call(llm, **limits)
    return caught.value


async def test_a_streamed_answer_comes_with_usage_and_times() -> None:
    async with FakeLLM(fake.stream("你好，世界", first=0.05)) as llm:
        answer = await call(llm)

    assert answer.text == "你好，世界"
    assert answer.finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.response_tokens) == (11, 7)
    assert not answer.usage.estimated
    assert answer.first_token_ms is not None
    assert 40 <= answer.first_token_ms <= answer.duration_ms < 2000
    (seen,) = llm.seen
    assert seen.path == "/v1/chat/completions"
    assert seen.headers["authorization"] == "Bearer sk-test-1234567"
    assert seen.headers["accept-encoding"] == "identity"
    assert seen.body["stream"] is True
    assert seen.body["stream_options"] == {"include_usage": True}
    assert seen.body["messages"][0] == {"role": "system", "content": "指令"}
    assert "response_format" not in seen.body


async def test_the_connection_is_used_again() -> None:
    async with FakeLLM(default=lambda seen: fake.stream("a")) as llm:
        transport = Transport()
        for _ in range(3):
            await transport.stream_chat(REQUEST, deployment(llm), time.monotonic() + 5)
        await transport.aclose()
    assert llm.connections == 1


async def test_usage_is_estimated_when_the_server_does_not_count() -> None:
    async with FakeLLM(fake.stream("你好世界", usage=None)) as llm:
        answer = await call(llm)
    assert answer.usage.estimated
    assert answer.usage.response_tokens == 3


async def test_a_server_that_ignores_stream_is_understood() -> None:
    body = {
        "choices": [{"message": {"role": "assistant", "content": "整段"}, "finish_reason": "stop"}],
        "usage": fake.USAGE,
    }
    async with FakeLLM(fake.whole(body)) as llm:
        answer = await call(llm)
    assert (answer.text, answer.usage.response_tokens) == ("整段", 7)


async def test_odd_chunks_are_survived() -> None:
    parts = [
        {"choices": [], "prompt_filter_results": [{}]},
        {"choices": [{"index": 0, "content_filter_offsets": {}}]},
        {"choices": [None]},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {"content": [{"type": "text", "text": "甲"}]}}]},
        {"choices": [{"delta": {"content": None, "reasoning_content": "想"}}]},
        fake.chunk("乙\u2028\u0085丙", "stop"),
        {"choices": [], "usage": None},
    ]
    async with FakeLLM(fake.raw_events([b": hello\n\n", *fake.sse(*parts)])) as llm:
        answer = await call(llm)
    assert answer.text == "甲乙\u2028\u0085丙"


async def test_bytes_may_be_cut_anywhere() -> None:
    content = b"".join(fake.sse(*fake.events("三个字符：★①㎡")))
    pieces = [content[at : at + 1] for at in range(len(content))]
    async with FakeLLM(fake.raw_events(pieces)) as llm:
        assert (await call(llm)).text == "三个字符：★①㎡"


async def test_an_answer_without_its_end_mark_is_whole_once_it_has_a_finish_reason() -> None:
    """Some servers keep the connection open after the last chunk; the answer must not wait for them."""
    started = time.monotonic()
    parts = [*fake.events("好", usage=None), {"choices": [], "usage": fake.USAGE}]
    async with FakeLLM(fake.stall_after(*parts)) as llm:
        answer = await call(llm)
    assert (answer.text, answer.usage.response_tokens) == ("好", 7)
    assert time.monotonic() - started < 1.5


async def test_gzip_that_nobody_asked_for_is_undone() -> None:
    async with FakeLLM(fake.zipped(b"".join(fake.sse(*fake.events("压缩" * 50_000))))) as llm:
        assert (await call(llm, max_tokens=None)).text == "压缩" * 50_000


HTML = "<html><body>Sign in</body></html>"
ROWS: list[tuple[str, Reply, type[LLMError], str]] = [
    ("no finish_reason", fake.stream("半", finish=None), LLMUnavailable, "truncated"),
    (
        "no finish_reason, no end mark",
        fake.stream("半", finish=None, done=False),
        LLMUnavailable,
        "truncated",
    ),
    ("connection closed in the stream", fake.cut_after(STARTED), LLMUnavailable, "truncated"),
    ("connection closed before an answer", fake.raw(b""), LLMConnectionFailed, "transient"),
    ("connection reset", fake.raw(b"", reset=True), LLMConnectionFailed, "transient"),
    ("garbage on the wire", fake.raw(b"\x00\x01\x02garbage\r\n\r\n"), LLMConnectionFailed, "transient"),
    ("garbage in the stream", fake.raw_events([b"data: {not json\n\n"]), LLMUnavailable, "truncated"),
    ("nested brackets", fake.raw_events([b"data: " + b"[" * 200_000 + b"\n\n"]), LLMUnavailable, "truncated"),
    ("200 with HTML", fake.whole(HTML), LLMUnavailable, "truncated"),
    ("200 with nothing", fake.whole(""), LLMUnavailable, "truncated"),
    ("200 with a list", fake.whole([1]), LLMUnavailable, "truncated"),
    ("200 with no choices", fake.whole({"id": "x"}), LLMUnavailable, "truncated"),
    ("null content", fake.raw_events(fake.sse(fake.chunk(None, "stop"))), LLMUnavailable, "truncated"),
    ("empty choices only", fake.raw_events(fake.sse({"choices": []})), LLMUnavailable, "truncated"),
    ("error object in a 200 body", fake.whole({"error": {"message": "boom"}}), LLMUnavailable, "transient"),
    (
        "error in a 200 stream",
        fake.raw_events(fake.sse(STARTED, {"error": {"code": "data_inspection_failed"}})),
        LLMContentRefused,
        "content",
    ),
    (
        "integer code in a 200 stream",
        fake.raw_events(fake.sse(STARTED, {"error": {"code": 429, "message": "slow down"}})),
        LLMThrottled,
        "throttle",
    ),
    ("content filter", fake.stream("半", finish="content_filter"), LLMContentRefused, "content"),
    (
        "server out of room",
        fake.stream("半", finish="insufficient_system_resource"),
        LLMUnavailable,
        "transient",
    ),
    (
        "refusal",
        fake.raw_events(fake.sse({"choices": [{"delta": {"refusal": "no"}}]}, fake.chunk(None, "stop"))),
        LLMContentRefused,
        "content",
    ),
    ("400", fake.error(400, "unknown_parameter"), LLMBadRequest, "bad_request"),
    ("400 context", fake.error(400, "context_length_exceeded"), LLMContextTooLong, "context"),
    ("401", fake.error(401, "invalid_api_key"), LLMAuthFailed, "auth"),
    ("403", fake.error(403), LLMAuthFailed, "auth"),
    ("404", fake.error(404, "model_not_found"), LLMBadRequest, "bad_request"),
    ("408", fake.error(408), LLMUnavailable, "transient"),
    ("409", fake.error(409), LLMUnavailable, "transient"),
    ("413", fake.error(413), LLMContextTooLong, "context"),
    ("422", fake.error(422), LLMBadRequest, "bad_request"),
    ("429", fake.error(429), LLMThrottled, "throttle"),
    ("500", fake.error(500), LLMUnavailable, "transient"),
    ("502 with HTML", fake.whole(HTML, 502), LLMUnavailable, "transient"),
    ("503", fake.error(503), LLMUnavailable, "transient"),
    ("529", fake.error(529), LLMUnavailable, "transient"),
    (
        "redirect to a link-local address",
        fake.whole({}, 307, {"Location": "http://169.254.169.254/latest"}),
        LLMBadRequest,
        "bad_request",
    ),
]


@pytest.mark.parametrize(("reply", "error", "kind"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
async def test_every_failure_has_its_error_and_kind(reply: Reply, error: type[LLMError], kind: str) -> None:
    raised = await fails(reply)
    assert type(raised) is error
    assert raised.params["kind"] == kind
    assert raised.params["detail"]


async def test_nothing_listens() -> None:
    llm = await FakeLLM().start()
    await llm.stop()
    with pytest.raises(LLMConnectionFailed) as caught:
        await call(llm)
    assert caught.value.params["kind"] == "transient"


async def test_tls_that_is_no_tls() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    llm = FakeLLM()
    llm.base_url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    with pytest.raises(LLMConnectionFailed) as caught:
        await call(llm)
    server.close()
    assert caught.value.params["kind"] == "transient"


async def test_a_connection_that_is_not_made_in_time() -> None:
    """A TLS handshake that nobody answers stands for every slow way to connect."""
    async with FakeLLM() as llm:
        llm.base_url = llm.base_url.replace("http://", "https://")
        with pytest.raises(LLMConnectionFailed) as caught:
            await call(llm, connect_s=0.2)
    assert caught.value.params["kind"] == "timeout_connect"


@pytest.mark.parametrize(
    "base_url", ["ftp://127.0.0.1/v1", "http://", "no-scheme", "http://127.0.0.1:99999/v1"]
)
async def test_a_base_url_that_is_none_cannot_be_cured_by_retries(base_url: str) -> None:
    with pytest.raises(LLMBadRequest):
        await Transport().stream_chat(REQUEST, Deployment("x", "m", base_url), time.monotonic() + 5)


@pytest.mark.parametrize("key", ["密钥", "sk-1\r\nX-Evil: 1", "sk 1\x00"])
async def test_a_key_that_is_none_is_refused_before_it_is_sent(key: str) -> None:
    with pytest.raises(LLMAuthFailed) as caught:
        await Transport().stream_chat(
            REQUEST, Deployment("x", "m", "http://127.0.0.1:9/v1", key), time.monotonic() + 5
        )
    assert key not in str(caught.value.params)


@pytest.mark.parametrize(
    ("reply", "limits", "kind", "seconds"),
    [
        (fake.hang(), {"timeout_s": 0.3}, "timeout_first", 0.3),
        (fake.hang(), {"first_token_s": 0.3}, "timeout_first", 0.3),
        (fake.hang(), {"timeout_s": 0, "within": 0.3}, "timeout_first", 0.3),
        (fake.drip_headers(), {"timeout_s": 0.3}, "timeout_first", 0.3),
        (fake.drip_body([], b": keep-alive\n\n"), {"first_token_s": 0.3}, "timeout_first", 0.3),
        (
            fake.drip_body(fake.sse({"choices": []}, done=False), b"x"),
            {"first_token_s": 0.3},
            "timeout_first",
            0.3,
        ),
        (fake.stall_after(STARTED), {"idle_s": 0.3}, "timeout_idle", 0.3),
        (fake.stall_after(STARTED), {"idle_s": 0, "timeout_s": 0, "within": 0.3}, "timeout_idle", 0.3),
        (
            fake.drip_body(fake.sse(STARTED, done=False), b": keep-alive\n\n"),
            {"idle_s": 0.3},
            "timeout_idle",
            0.3,
        ),
        (fake.drip_body(fake.sse(STARTED, done=False), b"d"), {"idle_s": 0.3}, "timeout_idle", 0.3),
        (fake.stream("字" * 2000, delay=0.02, size=1), {"timeout_s": 0.4}, "timeout_idle", 0.4),
        (fake.stream("字" * 2000, delay=0.02, size=1), {"timeout_s": 0, "within": 0.4}, "timeout_idle", 0.4),
    ],
    ids=[
        "hang, total",
        "hang, first token",
        "hang, no limit but the deadline",
        "headers drip",
        "only keep-alives",
        "only empty chunks",
        "stall",
        "stall, no limit but the deadline",
        "keep-alives after a token",
        "half an event dripping",
        "slow stream, total",
        "slow stream, deadline",
    ],
)
async def test_no_slowness_outlives_its_limit(
    reply: Reply, limits: dict[str, Any], kind: str, seconds: float
) -> None:
    started = time.monotonic()
    raised = await fails(reply, **limits)
    took = time.monotonic() - started

    assert type(raised) is LLMTimeout
    assert raised.params["kind"] == kind
    assert str(raised.params["detail"]).startswith("Timeout after ")
    assert seconds - 0.05 <= took < seconds + 0.5


async def test_a_deadline_that_has_passed_sends_nothing() -> None:
    async with FakeLLM() as llm:
        with pytest.raises(LLMTimeout):
            await call(llm, within=0)
    assert llm.seen == []


async def test_an_error_body_that_drips_is_judged_by_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.app.llm.transport.COMPLAINT_SECONDS", 0.2)
    head = b"HTTP/1.1 503 X\r\nContent-Length: 1000\r\n\r\n{"

    async def reply(writer: asyncio.StreamWriter, seen: Seen) -> None:
        writer.write(head)
        await writer.drain()
        await asyncio.sleep(60)

    started = time.monotonic()
    assert type(await fails(reply)) is LLMUnavailable
    assert time.monotonic() - started < 1.5


_EVENT = b"data: " + json.dumps(fake.chunk("字" * 5000)).encode() + b"\n\n"


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (fake.flood(400 * 1024 * 1024), "LLMUnavailable"),
        # An answer that goes on and on: asked again it would do the same, a shorter part may not.
        (fake.flood(400 * 1024 * 1024, _EVENT), "LLMContextTooLong"),
        (fake.flood(400 * 1024 * 1024, b"\n" * 65536), "LLMUnavailable"),
        (fake.zipped(b"data: " + b"x" * (200 * 1024 * 1024)), "LLMUnavailable"),
        (fake.whole({"choices": [], "junk": "x" * (40 * 1024 * 1024)}), "LLMUnavailable"),
        (fake.error(500, message="x" * (40 * 1024 * 1024)), "LLMUnavailable"),
    ],
    ids=["endless line", "endless events", "endless blank lines", "gzip bomb", "huge JSON", "huge error"],
)
def test_a_huge_body_is_cut_off_and_costs_little_memory(reply: Reply, error: str) -> None:
    """In a process of its own: the fake server's copy of the body lives in this one."""
    with serve_in_thread(FakeLLM(reply)) as llm:
        done = subprocess.run(
            [sys.executable, "-m", "backend.tests.fakes.llm_caller", llm.base_url],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    outcome, grown = done.stdout.split()
    assert outcome == error
    assert int(grown) <= 64 * 1024


async def test_cancelling_closes_the_socket_at_once() -> None:
    async with FakeLLM(fake.stall_after(STARTED)) as llm:
        task = asyncio.create_task(call(llm, timeout_s=60, idle_s=60))
        await llm.asked.wait()
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.1)
        assert llm.seen[0].closed_after is not None
        assert llm.seen[0].closed_after < 0.5


async def test_cancelling_before_the_headers_closes_the_socket_too() -> None:
    async with FakeLLM(fake.hang()) as llm:
        task = asyncio.create_task(call(llm, timeout_s=60))
        await llm.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.1)
        assert llm.seen[0].closed_after is not None


async def test_retry_after_reaches_the_error() -> None:
    raised = await fails(fake.error(429, headers={"Retry-After": "7"}))
    assert raised.retry_after == 7
    raised = await fails(fake.error(503, headers={"retry-after-ms": "1500"}))
    assert raised.retry_after == 1.5
    raised = await fails(fake.error(401, headers={"Retry-After": "7"}))
    assert raised.retry_after is None


async def test_what_a_server_says_does_not_reach_the_error_text() -> None:
    """Providers quote the key, and may quote the prompt, in their messages."""
    raised = await fails(
        fake.error(401, "invalid_api_key", "Incorrect API key provided: sk-test-1234567; 机密文本")
    )
    told = str(raised) + str(raised.params)
    assert "sk-test" not in told
    assert "机密" not in told
    assert raised.params["detail"] == "HTTP 401 invalid_api_key"


async def test_a_failed_call_tells_how_far_it_came() -> None:
    raised = await fails(fake.cut_after(fake.chunk("一二三四五六七八九十")))
    assert raised.params["response_tokens"] == 7
    assert isinstance(raised.params["first_token_ms"], float)


async def test_fields_may_be_added_and_taken_away_by_deployment() -> None:
    async with FakeLLM() as llm:
        await call(llm, extra={"enable_thinking": False, "temperature": None}, max_tokens=None)
    assert llm.seen[0].body["enable_thinking"] is False
    assert "temperature" not in llm.seen[0].body
    assert "max_tokens" not in llm.seen[0].body
