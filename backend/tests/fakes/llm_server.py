"""A model provider on a free loopback port that answers as scripted, faults included.

Written on bare asyncio streams, because dripping headers, resets and half an HTTP answer are below what an
ASGI application can play. `async with FakeLLM() as llm:` in a test's own loop; `serve_in_thread()` for tests
that start processes; `python -m backend.tests.fakes.llm_server PORT` by hand.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

JSON = Any
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


@dataclass
class Seen:
    """One request as the server saw it. `closed_after`: seconds until the client closed while we answered."""

    path: str
    headers: dict[str, str]
    body: JSON
    at: float = field(default_factory=time.monotonic)
    closed_after: float | None = None

    @property
    def text(self) -> str:
        """All messages, one after the other."""
        return "\n".join(str(message["content"]) for message in self.body["messages"])


Reply = Callable[[asyncio.StreamWriter, Seen], Awaitable[None]]


class FakeLLM:
    """`script` is used up reply by reply; after it, `default` answers each request."""

    def __init__(self, *script: Reply, default: Callable[[Seen], Reply] | None = None) -> None:
        self.script = list(script)
        self.default = default or (lambda seen: stream("{}"))
        self.seen: list[Seen] = []
        self.base_url = ""
        self.connections = 0
        self.asked = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._running: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> FakeLLM:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, port: int = 0) -> FakeLLM:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        port = self._server.sockets[0].getsockname()[1]
        self.base_url = f"http://127.0.0.1:{port}/v1"
        return self

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        self.connections += 1
        try:
            while (seen := await _read_request(reader)) is not None:
                self.seen.append(seen)
                self.asked.set()
                reply = self.script.pop(0) if self.script else self.default(seen)
                if not await _answer(reply, reader, writer, seen):
                    break
        except (ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            self._running.discard(task)
            with contextlib.suppress(Exception):
                writer.close()


async def _answer(
    reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Seen
) -> bool:
    """Run the reply while watching for the client's close. False when the connection is of no more use."""
    answering = asyncio.create_task(_run(reply, writer, seen))
    leaving = asyncio.create_task(reader.read(1))
    try:
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if leaving.done() and not answering.done():
            seen.closed_after = time.monotonic() - seen.at
        return answering.done() and not leaving.done() and not answering.result()
    finally:
        answering.cancel()
        leaving.cancel()
        await asyncio.gather(answering, leaving, return_exceptions=True)


async def _run(reply: Reply, writer: asyncio.StreamWriter, seen: Seen) -> bool:
    """True when the reply closed or broke the connection."""
    try:
        await reply(writer, seen)
    except (ConnectionError, RuntimeError):  # RuntimeError: the transport is gone
        return True
    return writer.is_closing()


async def _read_request(reader: asyncio.StreamReader) -> Seen | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in lines) if key}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(first.split(" ")[1], headers, json.loads(body))


# Pieces of answers.


def chunk(content: str | None, finish: str | None = None, **fields: JSON) -> JSON:
    """One event of a chat completion stream."""
    delta = {"content": content} if content is not None else {}
    return {
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        **fields,
    }


def events(text: str, finish: str | None = "stop", usage: JSON = USAGE, size: int = 20) -> list[JSON]:
    """A whole stream: role, text in pieces, finish_reason, usage with empty choices."""
    parts = [chunk("")] + [chunk(text[at : at + size]) for at in range(0, len(text), size)]
    if finish is not None:
        parts.append(chunk(None, finish))
    if usage is not None:
        parts.append({"choices": [], "usage": usage})
    return parts


def sse(*parts: JSON, done: bool = True) -> list[bytes]:
    lines = [f"data: {json.dumps(part, ensure_ascii=False)}\n\n".encode() for part in parts]
    return lines + ([b"data: [DONE]\n\n"] if done else [])


# Replies.


def stream(text: str, *, delay: float = 0.0, first: float = 0.0, done: bool = True, **shape: JSON) -> Reply:
    """A good answer (or, with finish=None, a cut one). `first` and `delay` in seconds."""
    return raw_events(sse(*events(text, **shape), done=done), delay=delay, first=first)


def raw_events(pieces: list[bytes], *, delay: float = 0.0, first: float = 0.0) -> Reply:
    """200 with these pieces as chunked body, `delay` seconds between them."""

    async def reply(writer: asyncio.StreamWriter, seen: Seen) -> None:
        await _start(writer, 200, {"Content-Type": "text/event-stream"})
        await asyncio.sleep(first)
        for piece in pieces:
            await _piece(writer, piece)
            if delay:
                await asyncio.sleep(delay)
        await _piece(writer, b"")

    return reply


def whole(body: JSON, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    """One JSON (or, when `body` is a str, any other) body with its length."""

    async def reply(writer: asyncio.StreamWriter, seen: Seen) -> None:
        kind = "text/html" if isinstance(body, str) else "application/json"
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        fields = {"Content-Type": kind, "Content-Length": str(len(content)), **(headers or {})}
        writer.write(_head(status, fields) + content)
        await writer.drain()

    return reply


def error(
    status: int, code: JSON = None, message: str = "", headers: dict[str, str] | None = None, **more: JSON
) -> Reply:
    """A problem as OpenAI writes it."""
    return whole({"error": {"message": message, "type": None, "code": code, **more}}, status, headers)


def hang() -> Reply:
    """Takes the request and says nothing."""

    async def reply(writer: asyncio.StreamWriter, seen: Seen) -> None:
        await asyncio.sleep(600)

    return reply


def stall_after(*parts: JSON) -> Reply:
    """Begins to answer and falls silent."""

    async def reply(writer: asyncio.StreamWriter, seen: Seen) -> None:
        await _start(writer, 200, {"Content-Type": "text/event-stream"})
        for piece in sse(*parts, done=False):
            await _piece(writer, piece)
        await asyncio.sleep(600)

    return reply


def drip_headers(interval: float = 0.02) -> Reply:
    """Status line and headers byte by byte, without end."""

    async def reply(writer: asyncio.StreamWriter, seen: Seen) -> None:
        for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Slow: 1\r\n" * 10_000:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(interval)

    return reply


def drip_body(prefix: list[bytes], dripped: bytes, interval: float = 0.02) -> Reply:
    """Some events, then `dripped` again and again."""

    async def reply(writer: asyncio.StreamWriter, seen: Seen) -> None:
        await _start(writer, 200, {"Content-Type": "text/event-stream"})
        for piece in prefix:
            await _piece(writer, piece)
        while True:
            await _piece(writer, dripped)
            await asyncio.sleep(interval)

    return reply


def flood(size: int, line: bytes = b"x" * 65536) -> Reply:
    """200 with `size` bytes of `line` and no end in sight."""

    async def reply(writer: asyncio.StreamWriter, seen: Seen) -> None:
        await _start(writer, 200, {"Content-Type": "text/event-stream"})
        await _piece(writer, sse(chunk("a"), done=False)[0])
        sent = 0
        while sent < size:
            await _piece(writer, line)
            sent += len(line)

    return reply


def zipped(content: bytes) -> Reply:
    """200 with gzip, though identity was asked for."""

    async def reply(writer: asyncio.StreamWriter, seen: Seen) -> None:
        packed = gzip.compress(content)
        fields = {
            "Content-Type": "text/event-stream",
            "Content-Encoding": "gzip",
            "Content-Length": str(len(packed)),
        }
        writer.write(_head(200, fields) + packed)
        await writer.drain()

    return reply


def raw(content: bytes, *, reset: bool = False) -> Reply:
    """These bytes, and the connection closed (or reset)."""

    async def reply(writer: asyncio.StreamWriter, seen: Seen) -> None:
        writer.write(content)
        await writer.drain()
        if reset:
            writer.transport.abort()
        writer.close()

    return reply


def cut_after(*parts: JSON) -> Reply:
    """A chunked stream whose connection closes in the middle."""
    head = _head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
    return raw(head + b"".join(_chunked(piece) for piece in sse(*parts, done=False)))


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} X"] + [f"{key}: {value}" for key, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _start(writer: asyncio.StreamWriter, status: int, headers: dict[str, str]) -> None:
    writer.write(_head(status, {**headers, "Transfer-Encoding": "chunked"}))
    await writer.drain()


def _chunked(piece: bytes) -> bytes:
    return f"{len(piece):x}\r\n".encode() + piece + b"\r\n"


async def _piece(writer: asyncio.StreamWriter, piece: bytes) -> None:
    writer.write(_chunked(piece))
    await writer.drain()


@contextlib.contextmanager
def serve_in_thread(llm: FakeLLM, port: int = 0) -> Iterator[FakeLLM]:
    """The same server in a loop of its own, for tests that are not asynchronous or start other processes."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(llm.start(port), loop).result(10)
    try:
        yield llm
    finally:
        asyncio.run_coroutine_threadsafe(llm.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


if __name__ == "__main__":
    answers = FakeLLM(default=lambda seen: stream('{"facts": [], "items": []}'))
    with serve_in_thread(answers, int(sys.argv[1]) if len(sys.argv) > 1 else 0):
        sys.stdout.write(answers.base_url + "\n")
        sys.stdout.flush()
        threading.Event().wait()
