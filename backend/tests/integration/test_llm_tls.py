"""A TLS connection that goes bad while the answer comes."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time

import pytest

from backend.app.common.errors import LLMUnavailable
from backend.app.llm.transport import Transport
from backend.app.llm.types import ChatRequest, Deployment, Message
from backend.tests.fakes import llm_server as fake


async def test_a_broken_record_in_mid_stream_is_a_cut_answer_and_no_bug(
    certificate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes through httpx as ssl.SSLError, which is none of its own errors."""
    monkeypatch.setenv("SSL_CERT_FILE", certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    handling: list[asyncio.Task[None] | None] = []
    writers: list[asyncio.StreamWriter] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handling.append(asyncio.current_task())
        writers.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head)
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            for piece in fake.sse(*fake.events("好" * 200)):
                writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                await writer.drain()
                await asyncio.sleep(0.02)
        writer.close()

    model = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    behind = model.sockets[0].getsockname()[1]

    async def garble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Passes bytes on; from the ninth packet of the answer on the last byte of each is another."""
        handling.append(asyncio.current_task())
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", behind)
        writers.extend((writer, up_writer))

        async def up() -> None:
            while sent := await reader.read(65536):
                up_writer.write(sent)

        sending = asyncio.create_task(up())
        handling.append(sending)
        packets = 0
        with contextlib.suppress(ConnectionError):
            while came := await up_reader.read(65536):
                packets += 1
                writer.write(came if packets <= 8 else came[:-1] + bytes([came[-1] ^ 0xFF]))
                await writer.drain()
        sending.cancel()
        up_writer.close()
        writer.close()

    proxy = await asyncio.start_server(garble, "127.0.0.1", 0)
    address = f"https://127.0.0.1:{proxy.sockets[0].getsockname()[1]}/v1"
    target = Deployment("openai_compatible", "m", address, trust_env=True, timeout_s=10)
    transport = Transport()
    with pytest.raises(LLMUnavailable) as caught:
        await transport.stream_chat(ChatRequest((Message("user", "x"),)), target, time.monotonic() + 10)
    await transport.aclose()
    proxy.close()
    model.close()
    for task in handling:
        if task is not None:
            task.cancel()
    await asyncio.gather(*(task for task in handling if task is not None), return_exceptions=True)
    for writer in writers:
        writer.transport.abort()
    await asyncio.sleep(0.05)  # the aborted sockets close in the loop's next turns

    assert caught.value.params["kind"] == "truncated"
    assert "SSLError" in caught.value.params["detail"]
