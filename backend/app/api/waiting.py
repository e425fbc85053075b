"""Waiting for a task to change, without asking the database again and again.

One watcher hears of commits; one read then tells which tasks have new events, and only those who wait for
one of them read it again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator

from backend.app.common.errors import ServiceUnavailable
from backend.app.common.logging import get_logger
from backend.app.db.changes import ChangeWatch
from backend.app.db.engine import AsyncDatabase
from backend.app.tasks import queries

log = get_logger(__name__)

_SETTLE_S = 0.02  # changes that come together are read together
_BATCH = 1000
_OUTAGE_PAUSE_S = 1.0


class Waiters:
    """Who waits for which task. `start` and `close` belong to the application's lifespan."""

    def __init__(self, database: AsyncDatabase, watch: ChangeWatch) -> None:
        self._db, self._watch = database, watch
        self._waiting: defaultdict[int, set[asyncio.Event]] = defaultdict(set)
        self._heard = asyncio.Event()
        self._last_event = 0
        self._reader: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def closed(self) -> bool:
        """True while the process is stopping: nobody shall wait any more."""
        return self._closed

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._reader = loop.create_task(self._read_changes(), name="task-changes")

        def heard() -> None:  # called from the watcher's thread
            loop.call_soon_threadsafe(self._heard.set)

        self._watch.start(heard)

    def release(self) -> None:
        """Let everybody answer now; called when the process is told to stop."""
        self._closed = True
        self._wake(list(self._waiting))

    async def close(self) -> None:
        self.release()
        await asyncio.to_thread(self._watch.stop)
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader

    @contextlib.contextmanager
    def joined(self, task_id: int) -> Iterator[asyncio.Event]:
        """An event that is set when the task changes. Join first, read then, or a change is missed."""
        event = asyncio.Event()
        self._waiting[task_id].add(event)
        try:
            yield event
        finally:
            self._waiting[task_id].discard(event)
            if not self._waiting[task_id]:
                del self._waiting[task_id]

    async def _read_changes(self) -> None:
        while True:
            await self._heard.wait()
            await asyncio.sleep(_SETTLE_S)
            self._heard.clear()
            if not self._waiting:
                self._last_event = 0
                continue
            try:
                await self._wake_changed()
            except ServiceUnavailable:
                log.warning("task_changes_unreadable")
                await asyncio.sleep(_OUTAGE_PAUSE_S)
                self._heard.set()

    async def _wake_changed(self) -> None:
        if self._last_event == 0:  # nobody waited until now: begin here, and wake whoever has come
            self._last_event = await self._db.read(queries.last_event_id)
            self._wake(list(self._waiting))
            return
        while True:
            changed = await self._db.read(queries.changed_since, self._last_event, limit=_BATCH)
            if changed:
                self._last_event = changed[-1][0]
                self._wake([task_id for _, task_id in changed])
            if len(changed) < _BATCH:
                return

    def _wake(self, task_ids: list[int]) -> None:
        for task_id in task_ids:
            for event in self._waiting.get(task_id, ()):
                event.set()
