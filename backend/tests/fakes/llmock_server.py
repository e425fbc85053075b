"""llmock (a package of others) as a process of its own: it breaks calls as told and judges whoever calls.

Our own fake proves what we thought of; this one's verdict was written by people who had other clients in
mind. It knows no clients: attempts with the same path and body are one call, an attempt that began after a
failed one of the same body had ended is its retry, and the time between the two is what the client waited.
Limits are kept by key (`Authorization`), so a test with a key of its own has a full minute's worth.

What its verdict can't tell apart, hence to be kept out of tests:
- questions with the same body at the same time: a retry may be put down to the wrong one;
- a question that goes on to another deployment, and so with another body: it "gave up" on the first;
- streams that are cut or garbled at every attempt, or cut after finish_reason: it says "accepted" of the
  last one, whatever the client made of it;
- a garbled chunk in a stream that has left the server before the client can hang up, hence PACE_MS.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import httpx

from backend.tests.databases import free_port

JSON = Any
PACE_MS = 50  # between two chunks of a stream
START_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What it holds against the client, one line a finding, warnings as well; and what it counted."""

    findings: tuple[str, ...] = ()
    calls: int
    attempts: int
    faults: int


class LLMock:
    """The running server; only one test may use it at a time."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = process
        self._admin = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10, trust_env=False)
        self.base_url = f"http://127.0.0.1:{port}/v1"

    def script(self, *behaviours: JSON) -> None:
        """Queue what the next requests meet: see `fail` and the others below."""
        answer = self._admin.post("/_llmock/scenario", json={"behaviors": behaviours})
        assert answer.status_code == 201, answer.text

    def requests(self) -> list[JSON]:
        """Each attempt with its `status`, `fault`, `model`, `started_at`, `ended_at` (its own clock)."""
        return list(self._admin.get("/_llmock/requests").json()["requests"])

    def verdict(self) -> Verdict:
        """Waits up to two seconds for requests under way; those that go on are not in it."""
        said = self._admin.get("/_llmock/verdict").json()
        findings = tuple(f"{found['code']}: {found['title']}" for found in said["findings"])
        return Verdict(
            findings=findings, calls=said["calls"], attempts=said["attempts"], faults=said["faults_injected"]
        )

    def reset(self) -> None:
        """Forget what was seen and queued, and fill the limits."""
        self._admin.post("/_llmock/reset").raise_for_status()

    def wait_until_up(self) -> None:
        until = time.monotonic() + START_SECONDS
        while True:
            if self._process.poll() is not None:
                raise RuntimeError(f"llmock ended with {self._process.returncode}")
            with contextlib.suppress(httpx.TransportError):
                if self._admin.get("/health").status_code == 200:
                    return
            if time.monotonic() > until:
                raise RuntimeError(f"llmock did not answer within {START_SECONDS} s")
            time.sleep(0.05)

    def close(self) -> None:
        """End it at once: it has nothing to keep, and asked politely it would sit out its own stalls."""
        self._admin.close()
        self._process.kill()
        self._process.wait(10)


@contextlib.contextmanager
def running_llmock(*options: str) -> Iterator[LLMock]:
    """`llmock serve` with these options on a free loopback port."""
    with tempfile.TemporaryFile() as output:
        try:
            server = _start(options, output)
        except PortTaken:
            server = _start(options, output)
        try:
            yield server
        finally:
            server.close()


class PortTaken(Exception):
    """Another program was quicker than we to bind the port that was free."""


def _start(options: tuple[str, ...], output: IO[bytes]) -> LLMock:
    port = free_port()
    command = [sys.executable, "-m", "llmock.cli", "serve", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--log-level", "warning", "--stream-chunk-delay-ms", str(PACE_MS), *options]
    # Settings of its own from outside would change what the tests mean; its banner is not ASCII.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LLMOCK_")}
    process = subprocess.Popen(
        command,
        env=clean | {"PYTHONIOENCODING": "utf-8"},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
    )
    server = LLMock(process, port)
    try:
        server.wait_until_up()
    except RuntimeError as error:
        server.close()
        output.seek(0)
        said = output.read().decode("utf-8", "replace")
        if "address already in use" in said:
            raise PortTaken(port) from None
        raise RuntimeError(f"{error}:\n{said}") from None
    return server


# Behaviours. `times=None`: for good. `model`: only for requests that name it (* and ? are wildcards).


def fail(
    status: int, *, retry_after: float | None = None, times: int | None = 1, model: str | None = None
) -> JSON:
    """A problem as OpenAI writes it. 429, 503, 504 and 529 ask for one second where nothing is said."""
    asked = {} if retry_after is None else {"retry_after": retry_after}
    return {"type": "fail", "status": status, "times": times, "match": {"model": model}, **asked}


def broken_stream(
    kind: str, *, after: int = 2, seconds: float = 30.0, times: int | None = 1, model: str | None = None
) -> JSON:
    """`kind`: disconnect, truncate (a clean end without finish_reason), malformed or stall (`seconds`).

    `after` this many chunks: the first is the role, then one a word of the answer, finish_reason, usage.
    """
    return {
        "type": "stream_fault",
        "kind": kind,
        "after_chunks": after,
        "stall_seconds": seconds,
        "times": times,
        "match": {"stream": True, "model": model},
    }


def slow_first_token(seconds: float, *, times: int | None = 1) -> JSON:
    """Headers at once, then silence."""
    return {"type": "slow_first_token", "seconds": seconds, "times": times}


def reply(text: str, *, times: int | None = 1) -> JSON:
    """This answer; unscripted it makes one that fits the schema asked for."""
    return {"type": "reply", "text": text, "times": times}
