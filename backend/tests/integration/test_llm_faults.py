"""Every fault of a model provider, met by a whole task: what follows is what architecture.md's table says.

Rows of one group run side by side against real sockets. Each must end within its attempt's deadline, with as
many calls on the server as in the ledger and in the usage. Dialects have a file of their own.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from backend.tests.fakes import llm_server as fake
from backend.tests.fakes.llm_fault_rows import (
    ANSWER,
    Row,
    always,
    comes_again,
    completes,
    fails,
    once,
    shuts,
    waits,
)
from backend.tests.fakes.llm_faults import Bench
from backend.tests.fakes.llm_server import FakeLLM, Reply, serve_in_thread
from backend.tests.queue_world import World

HTML = "<html><body>Sign in</body></html>"
STARTED = fake.chunk('{"facts": [')
# Long enough for a busy machine: here client and server share one loop.
SHORT = {"timeout_s": 2.5, "idle_s": 1.2}
NOW = datetime.now(UTC)
DOWN = comes_again("llm_unavailable")
SLOW = comes_again("llm_timeout")
CUT_OFF = comes_again("llm_connection")


def asking(status: int, wish: str, *, date: datetime | None = None) -> Reply:
    headers = {"Retry-After": wish}
    if date is not None:
        headers["Date"] = format_datetime(date, usegmt=True)
    return fake.error(status, headers=headers)


def later(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


STATUSES = [
    Row(name="no fault", ends=completes(), everywhere=True),
    always("500", fake.error(500), DOWN, everywhere=True),
    always("502 with HTML", fake.whole(HTML, 502), DOWN),
    always("503", fake.error(503), DOWN),
    always("529", fake.error(529, "overloaded_error"), DOWN),
    always("408", fake.error(408), DOWN),
    always("409", fake.error(409), DOWN),
    once("500, then well", fake.error(500)),
    always(
        "500 at the last try", fake.error(500), fails("llm_unavailable", 4, exhausted=True), max_retries=0
    ),
    always("400", fake.error(400, "unknown_parameter"), fails("llm_bad_request")),
    always("401", fake.error(401, "invalid_api_key"), shuts("llm_auth", "auth"), everywhere=True),
    always("402", fake.error(402), shuts("llm_quota", "quota")),
    always("403", fake.error(403), shuts("llm_auth", "auth")),
    always("404", fake.error(404, "model_not_found"), fails("llm_bad_request")),
    always("413", fake.error(413), fails("llm_context_too_long")),
    always("422", fake.error(422), fails("llm_bad_request")),
    always(
        "redirect to a link-local address",
        fake.whole({}, 307, {"Location": "http://169.254.169.254/latest"}),
        fails("llm_bad_request"),
    ),
]

THROTTLES = [
    once("429, back in a second", asking(429, "1"), at_least=1.0),
    once("429, back in a second by date", asking(429, later(1), date=NOW), at_least=1.0),
    once("503, back in a second", asking(503, "1"), at_least=1.0),
    always("429, back in ten minutes", asking(429, "600"), waits(600, "throttle"), everywhere=True),
    always("429, back at a date", asking(429, later(300), date=NOW), waits(300, "throttle")),
    always("503, back in ten minutes", asking(503, "600"), waits(600, "outage")),
    # An hour later we ask again, whatever the server says.
    always("429, back in a billion years", asking(429, "3e16"), waits(3600, "throttle")),
    always("429, back yesterday", asking(429, later(-86_400), date=NOW), waits(30, "throttle", 4)),
    always("429, back before", asking(429, "-5"), waits(30, "throttle", 4)),
    always("429, back soon", asking(429, "soon"), waits(30, "throttle", 4)),
    always("429", fake.error(429), waits(30, "throttle", 4)),
    once("429, back before, then well", asking(429, "-5")),
]

SLOWNESS = [
    always("hang", fake.hang(), SLOW, limits=SHORT, everywhere=True),
    always(
        "hang to the deadline",
        fake.hang(),
        comes_again("llm_timeout", 1),
        limits={"timeout_s": 0},
        seconds=6,
    ),
    always("headers drip", fake.drip_headers(), SLOW, limits=SHORT),
    always("body drips keep-alives", fake.drip_body([], b": k\n\n"), SLOW, limits=SHORT),
    always(
        "body drips half an event", fake.drip_body(fake.sse(STARTED, done=False), b"d"), SLOW, limits=SHORT
    ),
    always("body drips a token", fake.stream(ANSWER, delay=0.05, size=1), SLOW, limits=SHORT),
    always("silent after a token", fake.stall_after(STARTED), SLOW, limits=SHORT),
    always("an answer after our timeout", fake.stream(ANSWER, first=4), SLOW, limits=SHORT),
    once("an answer after our timeout, then well", fake.stream(ANSWER, first=4), limits={"timeout_s": 2.5}),
]

BROKEN = [
    always("truncated", fake.stream('{"facts": [', finish=None), DOWN),
    always("truncated without an end mark", fake.stream(ANSWER, finish=None, done=False), DOWN),
    always("closed in the stream", fake.cut_after(STARTED), DOWN),
    always("closed before an answer", fake.raw(b""), CUT_OFF),
    always("reset", fake.raw(b"", reset=True), CUT_OFF, everywhere=True),
    always("garbage", fake.raw(b"\x00\x01garbage\r\n\r\n"), CUT_OFF),
    always("garbage in the stream", fake.raw_events([b"data: {not json\n\n"]), DOWN),
    once("cut, then well", fake.cut_after(STARTED), everywhere=True),
    always("200 with HTML", fake.whole(HTML), DOWN),
    always("200 with an error object", fake.whole({"error": {"message": "boom"}}), DOWN),
    always("200 with no choices", fake.whole({"id": "x"}), DOWN),
    always("200 with a stream of no choices", fake.raw_events(fake.sse({"choices": []})), DOWN),
    always("200 with null content", fake.raw_events(fake.sse(fake.chunk(None, "stop"))), DOWN),
    always("nothing listens", fake.hang(), CUT_OFF, counted="nothing"),
]

ANSWERS = [
    always("not JSON", fake.stream("不是 JSON"), fails("llm_invalid_answer", 2), everywhere=True),
    always("another schema", fake.stream('{"facts": 7}'), fails("llm_invalid_answer", 2)),
    always("a list", fake.stream("[]"), fails("llm_invalid_answer", 2)),
    once("not JSON, then well", fake.stream("不是 JSON")),
    once("another schema, then well", fake.stream('{"items": {}}')),
    always("fenced", fake.stream(f"```json\n{ANSWER}\n```"), completes()),
    always("amid prose", fake.stream(f"好的，结果如下：\n{ANSWER}\n以上。"), completes()),
    always("cut at max_tokens", fake.stream('{"facts": [', finish="length"), fails("llm_context_too_long")),
    # A bad answer and then an outage: what a later try may cure is tried.
    Row(name="not JSON, then down", ends=DOWN,
        first=(fake.stream("不是 JSON"),), then=lambda _: fake.error(500)),
]  # fmt: skip

GROUPS = {
    "statuses": STATUSES,
    "throttles": THROTTLES,
    "slowness": SLOWNESS,
    "broken": BROKEN,
    "answers": ANSWERS,
}


@pytest.mark.parametrize("group", GROUPS)
async def test_every_fault_is_followed_by_what_the_table_says(
    world: World, tmp_path: Path, group: str
) -> None:
    """On PostgreSQL a handful: what differs there is the database, and the queue's own tests are for that."""
    is_sqlite = world.database.dialect == "sqlite"
    rows = [row for row in GROUPS[group] if is_sqlite or row.everywhere]

    assert await Bench(world, tmp_path).play(rows) == []


_EVENT = b"data: " + json.dumps(fake.chunk("字" * 5000)).encode() + b"\n\n"
MB = 1024 * 1024


def bomb() -> Reply:
    """200 MB of an event in 900 KB, packed once: four calls get it."""
    packed = gzip.compress(b"data: " + b"x" * (200 * MB), 1)
    head = f"HTTP/1.1 200 X\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    return fake.raw(head.encode() + packed)


@pytest.mark.parametrize(
    ("huge", "status", "code", "calls"),
    [
        (lambda: fake.flood(400 * MB), "retry", "llm_unavailable", 4),
        # An answer that goes on and on: asked again it would do the same, a shorter part may not.
        (lambda: fake.flood(400 * MB, _EVENT), "failed", "llm_context_too_long", 1),
        (bomb, "retry", "llm_unavailable", 4),
    ],
    ids=["400 MB line", "400 MB of events", "gzip bomb"],
)
def test_a_huge_answer_costs_little_memory(
    sqlite_url: str, tmp_path: Path, huge: Callable[[], Reply], status: str, code: str, calls: int
) -> None:
    """In a process of its own: the fake server's copy of the body lives in this one."""
    command, reply = [sys.executable, "-m", "backend.tests.fakes.llm_faults"], huge()
    with serve_in_thread(FakeLLM(fake.stream(ANSWER, size=500), default=lambda _: reply)) as llm:
        done = subprocess.run(
            [*command, llm.base_url, sqlite_url, str(tmp_path / "files")],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        served = len(llm.seen) - 1

    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["status"], found["error_code"], found["calls"], served) == (status, code, calls, calls)
    assert found["usage"] == found["ledger"] and found["open"] == 0
    assert found["took"] < 30.0 + 1.0
    assert found["grown"] <= 64 * 1024  # KiB


async def test_tls_that_fails_is_a_connection_that_fails(
    world: World, tmp_path: Path, certificate: str
) -> None:
    """Nothing is sent to who can't prove its name, nor to who speaks no TLS."""
    outside: dict[str, Any] = {"counted": "connections", "limits": {"connect_s": 0.5}}
    rows = [
        always("unknown signer", fake.hang(), CUT_OFF, certificate=certificate, **outside),
        always("no TLS", fake.hang(), CUT_OFF, scheme="https", **outside),
    ]

    assert await Bench(world, tmp_path).play(rows) == []


async def test_after_ten_calls_of_a_step_each_attempt_calls_it_once(world: World, tmp_path: Path) -> None:
    """Four attempts of a task whose provider is down: 4 + 4 + 4 calls, and one. Each meets a worker that has
    just started: a breaker that opened meanwhile is another matter."""
    bench, row, calls = Bench(world, tmp_path), always("down", fake.error(500), DOWN), []
    bench.desk.start()
    async with FakeLLM(default=row.then) as llm:
        async with bench.client(bench.deployments(row, llm)) as client:
            task_id, _ = await bench.attempt(client, row)
        for _ in range(3):
            calls.append(len(llm.seen))
            world.later(1000)
            async with bench.client(bench.deployments(row, llm)) as client:
                await bench.run(client, bench.claim(), row.seconds)
    await bench.desk.stop()

    found = bench.seen(task_id)
    assert [*calls, len(llm.seen)] == [4, 8, 12, 13]
    assert (found["status"], found["error_code"], found["retry_count"]) == ("failed", "llm_unavailable", 3)
    assert found["exhausted"] and found["ledger"][0] == found["usage"][0] == 13
