"""Questions to several deployments for tests: a client whose waits between rounds take no time, and servers
that count what reaches them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

from pydantic import BaseModel

from backend.app.llm.client import LLMClient
from backend.app.llm.types import CallContext, Deployment, Message
from backend.tests.fakes import llm_server as fake
from backend.tests.fakes.llm_server import FakeLLM, Reply, Seen

GOOD = '{"amount": 5}'
MESSAGES = (Message("system", "指令"), Message("user", "标书"))
KEY = "sk-test-1234567"


class Shape(BaseModel):
    amount: int


def good(_: Seen | None = None) -> Reply:
    return fake.stream(GOOD)


def deployment(llm: FakeLLM | str, name: str = "a", **fields: Any) -> Deployment:
    """`llm`: the server or its address."""
    address = llm if isinstance(llm, str) else llm.base_url
    told: dict[str, Any] = {"provider": "openai_compatible", "model": "m-1", "api_key": KEY, "timeout_s": 20}
    return Deployment(base_url=address, name=name, **(told | fields))


class Asked:
    """A client; `waits` are those between rounds, which take no time here."""

    def __init__(self, *deployments: Deployment, **more: Any) -> None:
        self.waits: list[float] = []
        self.client = LLMClient(deployments, sleep=self._sleep, **more)
        self.lanes = {lane.name: lane for lane in self.client.router.lanes}

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)

    async def ask(
        self,
        messages: Sequence[Message] = MESSAGES,
        *,
        within: float = 60.0,
        context: CallContext | None = None,
    ) -> Any:
        return await self.client.ask(messages, Shape, deadline=time.monotonic() + within, context=context)

    async def ask_many(self, count: int, **more: Any) -> list[Any]:
        """Side by side: answers, or the errors in their place."""
        return await asyncio.gather(*(self.ask(**more) for _ in range(count)), return_exceptions=True)


@asynccontextmanager
async def asking(*deployments: Deployment, **more: Any) -> Any:
    made = Asked(*deployments, **more)
    try:
        yield made
    finally:
        await made.client.aclose()


class Counting:
    """A `default` for FakeLLM: each answer takes `seconds`; `most` were being answered at once."""

    def __init__(self, seconds: float = 0.01, reply: Reply | None = None) -> None:
        self.seconds, self.reply = seconds, reply or good()
        self.now = self.most = 0
        self.order: list[str] = []

    def __call__(self, seen: Seen) -> Reply:
        async def reply(writer: asyncio.StreamWriter, seen: Seen) -> None:
            self.now += 1
            self.most = max(self.most, self.now)
            self.order.append(str(seen.body["messages"][-1]["content"]))
            try:
                await asyncio.sleep(self.seconds)
                await self.reply(writer, seen)
            finally:
                self.now -= 1

        return reply


async def soon(waited: Coroutine[Any, Any, Any], seconds: float = 10.0) -> Any:
    """What must not hang: a lost wake-up would sleep until the question's own deadline."""
    return await asyncio.wait_for(waited, seconds)
