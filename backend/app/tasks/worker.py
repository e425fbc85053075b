"""The worker process: `python -m backend.app.tasks.worker`. Nobody imports this module.

One asyncio loop that polls the table in batches and holds many attempts at once; wake-ups make it quick,
polling alone makes it right. Claims, reports and steps run in a small pool of threads, the heartbeat in a
thread of its own, parsing in child processes.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import structlog
import uvloop

from backend.app.bootstrap_worker import WorkerParts, build_worker
from backend.app.db.changes import ChangeWatch
from backend.app.db.engine import is_outage
from backend.app.settings import SettingsError
from backend.app.tasks import queue
from backend.app.tasks.heartbeat import Heartbeat, LeaseBook
from backend.app.tasks.isolation import Isolation
from backend.app.tasks.lockfile import new_identity
from backend.app.tasks.queue.events import DUE_CHANNEL
from backend.app.tasks.reports import ReportDesk
from backend.app.tasks.runner import Runner
from backend.app.tasks.task import Lease, Task

log = structlog.get_logger("worker")

_DB_THREADS = 4
# How often SQLite is asked whether anything was committed: half of it is the mean delay of a pick-up.
WATCH_SECONDS = 0.002
# 2 → 4 → … → 60 s: ten errors in a row last five minutes.
_ERROR_FIRST_S, _ERROR_LONGEST_S = 2.0, 60.0


def error_pause(errors: int) -> float:
    """Seconds to wait after the `errors`th consecutive worker error (1-based)."""
    return float(min(_ERROR_FIRST_S * 2 ** (errors - 1), _ERROR_LONGEST_S))


class TaskWorker:
    """Polls, claims, runs and reports until it is told to stop.

    `max_consecutive_errors` counts errors of the worker itself (the database gone, and the like); tasks
    that fail do not count. `only`: run that one task and end.
    """

    def __init__(
        self,
        parts: WorkerParts | None = None,
        *,
        poll_interval: float = 2.0,
        batch_size: int = 5,
        max_consecutive_errors: int = 10,
        only: int | None = None,
        pause_after: Callable[[int], float] = error_pause,
    ) -> None:
        self._parts = parts or build_worker()
        self._poll_interval, self._batch_size = poll_interval, batch_size
        self._max_errors, self._only = max_consecutive_errors, only
        self._pause_after = pause_after
        self._pool = ThreadPoolExecutor(_DB_THREADS, thread_name_prefix="worker-db")
        self._book = LeaseBook()
        self._desk = ReportDesk(self._transaction)
        self._attempts: set[asyncio.Task[None]] = set()
        self._isolation = Isolation(self._suspects, self._parts.isolated_command, look_every=poll_interval)
        self._wake = asyncio.Event()
        self._stops = 0
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._last_was_full = False
        # PostgreSQL told us of due work: claim without a look. (SQLite tells of every commit.)
        self._announced = False

    async def run(self) -> int:
        """Until stopped; the process's exit code: 0, or 1 after too many errors."""
        parts, loop = self._parts, asyncio.get_running_loop()
        # Database threads come back from each round trip to a busy loop: the default 5 ms until they get
        # the interpreter would be most of a claim's time.
        sys.setswitchinterval(0.0005)
        identity, lock = new_identity(parts.lock_folder, parts.concurrency)
        structlog.contextvars.bind_contextvars(worker=identity.id[:8])
        self._worker_id = identity.id
        self._heartbeat = Heartbeat(
            parts.database,
            identity,
            self._book,
            lambda lease: _call_soon(loop, self._lost, lease),
            lock_folder=parts.lock_folder,
            lease_seconds=parts.lease_seconds,
            every=parts.heartbeat_seconds,
        )
        self._runner = Runner(
            parts.handlers,
            self._desk,
            self._transaction,
            self._heartbeat.is_fresh,
            timeout=parts.task_timeout,
            budget=parts.task_budget,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        url = parts.database.url.render_as_string(hide_password=False)
        watch = ChangeWatch(url, DUE_CHANNEL, poll_seconds=WATCH_SECONDS)
        try:
            if not await self._started():
                return 0 if self._stopping.is_set() else 1
            log.info("worker_started", pid=identity.pid, concurrency=parts.concurrency, only=self._only)
            self._desk.start()
            if not await self._unless_stopped(parts.start()):
                return 0
            watch.start(lambda: _call_soon(loop, self._woken))
            code = await self._poll()
            await self._wind_down()
            return code
        finally:
            watch.stop()
            await self._end(lock.release)

    async def _unless_stopped(self, starting: Awaitable[None]) -> bool:
        """Whether it ended before a stop came: the database may be away."""
        start = asyncio.ensure_future(starting)
        stop = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({start, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not start.done():
            start.cancel()
            return False
        await start
        return True

    async def _started(self) -> bool:
        """Register with the database, which may still be starting."""
        errors = 0
        while not self._stopping.is_set():
            try:
                await self._in_pool(self._heartbeat.start)
                return True
            except Exception as error:
                errors = self._count_error(errors, error)
                if errors >= self._max_errors:
                    return False
                await self._pause(self._pause_after(errors))
        return False

    async def _poll(self) -> int:
        errors = 0
        while not self._stopping.is_set():
            # Cleared before the look: a change during it is not lost.
            self._wake.clear()
            try:
                took = await self._fill()
                if self._only is None:
                    await self._isolation.look()
                errors = 0
            except Exception as error:
                errors = self._count_error(errors, error)
                if errors >= self._max_errors:
                    log.error("worker_gives_up", errors=errors)
                    return 1
                await self._pause(self._pause_after(errors))
                continue
            if self._only is not None:
                if not took:
                    log.info("worker_nothing_to_do", only=self._only)
                return 0
            if not self._last_was_full or self._free() == 0:
                await self._wait_for_work()
        return 0

    def _count_error(self, errors: int, error: Exception) -> int:
        if is_outage(error):
            log.warning("worker_error", errors=errors + 1, error=type(error).__name__)
        else:
            log.exception("worker_error", errors=errors + 1)
        return errors + 1

    def _free(self) -> int:
        return self._parts.concurrency - len(self._attempts)

    async def _fill(self) -> int:
        """Claim as many as are free and due, at most a batch; how many."""
        limit = min(self._batch_size, self._free()) if self._only is None else 1
        if limit <= 0:
            self._last_was_full = False
            return 0
        claimed: list[Task] = await self._in_pool(self._take, limit, self._types())
        for task in claimed:
            replaced = self._book.add(task.lease)
            if replaced is not None:
                self._lost(replaced)
            attempt = asyncio.get_running_loop().create_task(self._attempt(task))
            self._attempts.add(attempt)
            attempt.add_done_callback(self._attempts.discard)
        self._last_was_full = len(claimed) >= limit
        return len(claimed)

    def _types(self) -> list[str]:
        """What may be claimed now: tasks whose models are behind closed gates stay waiting."""
        return sorted(set(self._parts.handlers) - self._parts.blocked_types())

    def _take(self, limit: int, types: list[str]) -> list[Task]:
        """In a thread: a look that costs no lock, then a claim if there is something to claim."""
        parts = self._parts
        may_sweep = self._heartbeat.may_sweep
        announced, self._announced = self._announced, False
        if not announced and not self._last_was_full and self._only is None:
            with parts.database.read() as conn:
                due = queue.claimable(conn, limit=limit, cap=parts.max_running_per_user, types=types)
                if not due and not (may_sweep() and queue.has_expired(conn)):
                    return []
        with parts.database.write() as conn:
            return queue.claim(
                conn,
                self._worker_id,
                limit=limit,
                cap=parts.max_running_per_user,
                types=types,
                lease_seconds=parts.lease_seconds,
                sweep=may_sweep,
                only=self._only,
            )

    async def _attempt(self, task: Task) -> None:
        try:
            await self._runner.run(task)
        except Exception:
            log.exception("attempt_failed", task_id=task.id)
        finally:
            self._book.remove(task.lease)
            self._wake.set()

    async def _wait_for_work(self) -> None:
        """Until something changed, a place came free or the poll interval is over."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), self._poll_interval)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _suspects(self, room: int) -> list[int]:
        """Due tasks that have killed their workers."""

        types = self._types()

        def look() -> list[int]:
            with self._parts.database.read() as conn:
                return queue.claimable(
                    conn,
                    limit=room,
                    cap=self._parts.max_running_per_user,
                    types=types,
                    isolated=True,
                )

        found: list[int] = await self._in_pool(look)
        return found

    # Stopping

    def _stop(self) -> None:
        self._stops += 1
        self._stopping.set()
        self._wake.set()
        if self._stops > 1:
            self._hurry.set()
            self._isolation.terminate()
        log.info("worker_stopping", signals=self._stops, running=len(self._attempts))

    async def _wind_down(self) -> None:
        """Let short work finish within the grace time, hand the rest back."""
        self._isolation.terminate()
        grace = None if self._only is not None and not self._stopping.is_set() else self._parts.shutdown_grace
        await self._until_idle(grace)
        if self._attempts:
            log.info("worker_hands_back", tasks=len(self._attempts))
            self._runner.release_all()
            await asyncio.wait(self._attempts, timeout=self._parts.lease_seconds)
        await self._isolation.ended(within=self._parts.shutdown_grace + 5)

    async def _until_idle(self, grace: float | None) -> None:
        """Wait for the attempts: `grace` seconds from the stop, or (None) until they end or a stop comes."""
        if grace is None:
            stop = asyncio.ensure_future(self._stopping.wait())
            while self._attempts and not stop.done():
                await asyncio.wait({*self._attempts, stop}, return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
            if not self._attempts:
                return
            grace = self._parts.shutdown_grace
        hurry = asyncio.ensure_future(self._hurry.wait())
        until = asyncio.get_running_loop().time() + grace
        while self._attempts and not hurry.done():
            left = until - asyncio.get_running_loop().time()
            if left <= 0:
                break
            await asyncio.wait({*self._attempts, hurry}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()

    async def _end(self, release_lock: Callable[[], None]) -> None:
        await self._desk.stop()
        # The heartbeat stops last: until here every lease was renewed.
        with suppress(Exception):
            await self._in_pool(self._heartbeat.stop)
            await self._transaction(queue.worker_stopped, self._worker_id)
        release_lock()
        await self._parts.close()
        self._pool.shutdown(wait=False)
        log.info("worker_stopped", finished=self._runner.finished, stale_writes=self._desk.stale_writes)

    # Small things

    def _woken(self) -> None:
        self._announced = self._parts.database.dialect == "postgresql"
        self._wake.set()

    def _lost(self, lease: Lease) -> None:
        self._runner.lose(lease)

    async def _in_pool(self, fn: Callable[..., Any], *args: object) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, fn, *args)

    async def _transaction(self, verb: Callable[..., Any], *args: object, **kwargs: object) -> Any:
        def run() -> Any:
            with self._parts.database.write() as conn:
                return verb(conn, *args, **kwargs)

        return await self._in_pool(run)


def _call_soon(loop: asyncio.AbstractEventLoop, fn: Callable[..., object], *args: object) -> None:
    """From another thread; nothing when the loop has ended meanwhile."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(fn, *args)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m backend.app.tasks.worker", description="任务工作进程")
    parser.add_argument("--only", type=int, metavar="ID", help="只执行这一个任务，然后退出")
    options = parser.parse_args(arguments)
    try:
        parts = build_worker()
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201  nothing is set up yet that could log it
        return 2

    async def run() -> int:
        worker = TaskWorker(
            parts,
            poll_interval=parts.poll_interval,
            batch_size=parts.batch_size,
            max_consecutive_errors=parts.max_consecutive_errors,
            only=options.only,
        )
        return await worker.run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())


if __name__ == "__main__":
    sys.exit(main())
