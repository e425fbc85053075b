"""The call that is measured, and what many of them take of this process's CPU."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

from backend.app.bidding import prompts
from backend.app.llm.types import Message

DOCUMENT = (
    "投标函未加盖公章的，其投标无效。投标有效期：自投标截止之日起90日。" + "供应商须按要求提供服务。" * 500
)
MESSAGES = (
    Message("system", prompts.load("extract").text),
    Message("user", prompts.enclose(DOCUMENT)),
)
Ask = Callable[[], Awaitable[object]]


async def cpu_of(ask: Ask, calls: int, at_once: int) -> float:
    """CPU milliseconds of this process a call."""
    slots = asyncio.Semaphore(at_once)

    async def one() -> None:
        async with slots:
            await ask()

    began = time.process_time()
    await asyncio.gather(*(one() for _ in range(calls)))
    return (time.process_time() - began) * 1000 / calls


def run_async(work: Awaitable[Any]) -> Any:
    """On the loop that the worker uses."""

    async def run() -> Any:
        return await work

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())
