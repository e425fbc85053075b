"""The model's server: a fake in a process of its own, on a free loopback port."""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.request import urlopen

import uvloop

from benchmarks.llm.surroundings import ROOT

DRIP_SECONDS = 0.2
LONGEST_SECONDS = 120  # of a stream whose companions never come
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
ITEM = {"tab": "hard_requirements", "title": "投标函须加盖公章", "quote": "投标函未加盖公章的，其投标无效"}
FACT = {"name": "bid_validity_days", "value": "90", "quote": "投标有效期：自投标截止之日起90日"}
FOUND = json.dumps({"facts": [FACT], "items": [{**ITEM, "priority": "critical"}]}, ensure_ascii=False)


def event(content: str | None, finish: str | None = None) -> bytes:
    """One event as OpenAI writes it, some 200 bytes."""
    choice = {
        "index": 0,
        "delta": {} if content is None else {"content": content},
        "logprobs": None,
        "finish_reason": finish,
    }
    return _event([choice], None)


def _event(choices: list[Any], usage: dict[str, int] | None) -> bytes:
    made = {"id": "chatcmpl-0123456789", "object": "chat.completion.chunk", "created": 1_790_000_000}
    made |= {"model": "fake", "choices": choices, "usage": usage}
    return b"data: " + json.dumps(made, ensure_ascii=False).encode() + b"\n\n"


END = event(None, "stop") + _event([], {"prompt_tokens": 900, "completion_tokens": 400}) + b"data: [DONE]\n\n"


def in_chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


@dataclass
class Fake:
    """`drip` keeps every stream open until `streams` have been open together for `hold` seconds;
    `at-once N` and `one-by-one N` answer in N events, written together or 2 ms apart."""

    streams: int
    hold: float
    open: int = 0
    most: int = 0
    calls: int = 0
    bodies: set[bytes] = field(default_factory=set)
    until: float | None = None

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"GET"):
                    told = json.dumps(self.told()).encode()
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told))
                    continue
                length = int(head.lower().partition(b"content-length:")[2].partition(b"\r")[0])
                await self.answer(await reader.readexactly(length), writer)
        writer.close()

    def told(self) -> dict[str, int]:
        return {"open": self.open, "most": self.most, "calls": self.calls, "bodies": len(self.bodies)}

    async def answer(self, body: bytes, writer: asyncio.StreamWriter) -> None:
        how, _, count = json.loads(body)["model"].partition(" ")
        self.calls += 1
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            if how == "drip":
                writer.write(HEAD)
                await self.drip(writer)
            else:
                self.bodies.add(hashlib.sha256(body).digest())
                events = answer_events(int(count))
                if how == "at-once":
                    writer.write(HEAD + in_chunk(b"".join(events)))
                else:
                    writer.write(HEAD)
                    for one in events:
                        writer.write(in_chunk(one))
                        await asyncio.sleep(0.002)
            writer.write(in_chunk(END) + b"0\r\n\r\n")
            await writer.drain()
        finally:
            self.open -= 1

    async def drip(self, writer: asyncio.StreamWriter) -> None:
        began = time.monotonic()
        piece = in_chunk(2 * event("本部分已"))
        writer.write(in_chunk(event('{"remark": "')))
        if self.open >= self.streams and self.until is None:
            self.until = began + self.hold
        while time.monotonic() < (self.until or began + LONGEST_SECONDS):
            writer.write(piece)
            await asyncio.sleep(DRIP_SECONDS)
            if writer.is_closing():
                raise ConnectionResetError
        writer.write(in_chunk(event(f'", {FOUND[1:]}')))


@cache
def answer_events(count: int) -> list[bytes]:
    """A whole answer of the schema in so many events of about four characters, the rest in a remark."""
    pieces = [FOUND[at : at + 4] for at in range(1, len(FOUND), 4)]
    filler = ["本部分已"] * max(count - len(pieces) - 2, 0)
    contents = ['{"remark": "', *filler, '", ', *pieces]
    if len(contents) > count:
        contents = [*contents[: count - 1], "".join(contents[count - 1 :])]
    return [event(content) for content in contents]


def serve(streams: int, hold: float) -> int:
    async def run() -> None:
        server = await asyncio.start_server(Fake(streams, hold).accept, "127.0.0.1", 0, backlog=1024)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
    return 0


@contextmanager
def model_server(streams: int = 1, hold: float = 0) -> Iterator[str]:
    """Its address, ending in /v1."""
    command = [sys.executable, "-m", "benchmarks.llm", "--serve", str(streams), str(hold)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.terminate()
        process.wait(10)


def told_by(base_url: str) -> dict[str, int]:
    with urlopen(f"{base_url}/told", timeout=30) as answer:
        told: dict[str, int] = json.load(answer)
        return told
