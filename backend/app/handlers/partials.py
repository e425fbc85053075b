"""Partial results: what has been found so far, written now and then while the rest is being asked."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Generic, TypeVar

from backend.app.common.logging import get_logger
from backend.app.tasks.task import JSON

log = get_logger(__name__)

T = TypeVar("T")
EVERY_S = 2.0


class Partials(Generic[T]):
    """`see` tells of news; what it gives is built in a thread and written, once in `every` s at most."""

    def __init__(
        self, build: Callable[[T], JSON], write: Callable[[JSON], Awaitable[None]], *, every: float = EVERY_S
    ) -> None:
        self._build, self._write, self._every = build, write, every
        self._news: Callable[[], T] | None = None
        self._came = asyncio.Event()

    def see(self, news: Callable[[], T]) -> None:
        """There is more to show; only the latest is."""
        self._news = news
        self._came.set()

    @contextlib.asynccontextmanager
    async def written(self) -> AsyncIterator[None]:
        """While this lasts, news are written. Whatever goes wrong with them is no error of the task's."""
        writer = asyncio.create_task(self._write_news(), name="partials")
        try:
            yield
        finally:
            writer.cancel()
            await asyncio.wait([writer])  # unlike awaiting it, this swallows no cancellation of our own

    def _built(self, news: Callable[[], T]) -> JSON:
        return self._build(news())

    async def _write_news(self) -> None:
        while True:
            await self._came.wait()
            self._came.clear()
            news, began = self._news, time.monotonic()
            if news is not None:
                try:
                    await self._write(await asyncio.to_thread(self._built, news))
                except Exception:
                    log.exception("partial_failed")
            # Building takes longer the longer the document: never more than half of one thread's time.
            await asyncio.sleep(max(self._every, time.monotonic() - began))
