"""Partial results while a document is read: a courtesy that costs the task nothing."""

from __future__ import annotations

import asyncio

import pytest

from backend.app.handlers.partials import Partials
from backend.app.tasks.task import JSON


async def test_news_that_cannot_be_built_or_written_are_passed_over() -> None:
    built: list[int] = []
    written: list[JSON] = []

    def build(number: int) -> JSON:
        built.append(number)
        return 1 // number

    async def write(body: JSON) -> None:
        written.append(body)
        if len(written) == 1:
            raise OSError

    partials: Partials[int] = Partials(build, write, every=0)
    async with partials.written():
        for count, number in enumerate((0, 1, 1), 1):
            partials.see(lambda number=number: number)  # type: ignore[misc]
            async with asyncio.timeout(10):
                while len(built) < count or len(written) < count - 1:  # noqa: ASYNC110 — built in a thread
                    await asyncio.sleep(0.01)

    assert written == [1, 1]


async def test_a_cancellation_while_the_writer_ends_is_not_lost() -> None:
    """Else a cancelled task would go on and pay for the next model call."""
    ending = asyncio.Event()

    async def write(_: JSON) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ending.set()
            await asyncio.sleep(0.05)

    async def work() -> None:
        partials: Partials[int] = Partials(lambda number: number, write, every=0)
        async with partials.written():
            partials.see(lambda: 1)
            await asyncio.sleep(0.05)

    task = asyncio.create_task(work())
    await ending.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
