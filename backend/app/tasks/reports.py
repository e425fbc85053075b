"""What attempts have to say goes to the database in batches: 50 at once cost a 25th of one by one.

Only the report is retried, never the work. While the database is away reports wait here; a report that
finds its attempt taken by another is dropped, logged as `stale_write` and counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import structlog

from backend.app.common.errors import InternalError
from backend.app.db.engine import is_outage
from backend.app.tasks import queue
from backend.app.tasks.queue import Report
from backend.app.tasks.task import JSON, AttemptOutcome, Lease, Status

log = structlog.get_logger("reports")

T = TypeVar("T")
Run = Callable[..., Awaitable[JSON]]  # (verb, *args) in a transaction of its own

_BATCH = 200
_RETRY_FIRST_S, _RETRY_LONGEST_S = 0.2, 5.0


async def patiently(run: Run, verb: Callable[..., T], *args: object, **kwargs: object) -> T:
    """Run a verb, again and again while the database is away (0.2 s → 5 s apart)."""
    pause = _RETRY_FIRST_S
    while True:
        try:
            made: T = await run(verb, *args, **kwargs)
            return made
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("database_away", verb=verb.__name__, error=type(error).__name__)
        await asyncio.sleep(pause)
        pause = min(2 * pause, _RETRY_LONGEST_S)


class ReportDesk:
    """Collects reports and progress notes; one task writes whatever is at hand."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._reports: list[tuple[Report, asyncio.Future[bool]]] = []
        self._progress: dict[Lease, tuple[int, dict[str, JSON]]] = {}
        self._wake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._stopped = False
        self.stale_writes = 0

    def start(self) -> None:
        self._writer = asyncio.get_running_loop().create_task(self._write_all(), name="report-desk")

    async def stop(self) -> None:
        """Reports not written by now are not: their leases will tell."""
        self._stopped = True
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
        for _, written in self._reports:
            _answer(written, effective=False)

    async def report(self, report: Report) -> bool:
        """Whether the report took effect; False when the attempt was no longer ours."""
        self._progress.pop(report.lease, None)
        if self._stopped:
            return False
        written: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._reports.append((report, written))
        self._wake.set()
        return await written

    def note(self, lease: Lease, user_id: int, progress: dict[str, JSON]) -> None:
        """The latest progress of an attempt; a newer note replaces one not yet written."""
        self._progress[lease] = (user_id, progress)
        self._wake.set()

    async def _write_all(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            # One turn of the loop: attempts that end together are written together.
            await asyncio.sleep(0)
            while self._reports:
                batch, self._reports = self._reports[:_BATCH], self._reports[_BATCH:]
                await self._write(batch)
            if self._progress:
                notes = [(lease, user, what) for lease, (user, what) in self._progress.items()]
                self._progress.clear()
                try:
                    await patiently(self._run, queue.record_progress, notes)
                except Exception:
                    log.exception("progress_not_written")

    async def _write(self, batch: list[tuple[Report, asyncio.Future[bool]]]) -> None:
        try:
            done = await patiently(self._run, queue.finish, [report for report, _ in batch])
            for report, _ in batch:
                # The answer to our own commit may have been lost.
                if report.lease not in done and await patiently(
                    self._run, queue.was_ours, report.lease, report.outcome
                ):
                    done.add(report.lease)
        except Exception:
            log.exception("report_refused", reports=len(batch))
            await self._write_singly(batch)
            return
        for report, written in batch:
            if report.lease not in done:
                self._stale(report)
            _answer(written, effective=report.lease in done)

    async def _write_singly(self, batch: list[tuple[Report, asyncio.Future[bool]]]) -> None:
        """One report that the database refuses must not take the others with it."""
        if len(batch) > 1:
            for one in batch:
                await self._write([one])
            return
        report, written = batch[0]
        error = InternalError()
        spare = replace(
            report,
            status=Status.FAILED,
            outcome=AttemptOutcome.FAILED,
            result=None,
            error=error.sentence(),
            error_en=error.sentence("en"),
            error_code=error.code,
            run_at=None,
            # The row's own words stay; what the attempt added may be what was refused.
            meta={name: value for name, value in report.meta.items() if name != "usage"},
            usage=None,
        )
        done: set[Lease] = set()
        try:
            done = await patiently(self._run, queue.finish, [spare])
        except Exception:
            log.exception("report_lost", task_id=report.lease.task_id)
        _answer(written, effective=spare.lease in done)

    def _stale(self, report: Report) -> None:
        self.stale_writes += 1
        log.warning(
            "stale_write",
            task_id=report.lease.task_id,
            attempt=report.attempt,
            status=report.status,
            ref=f"task_id={report.lease.task_id} attempt={report.attempt}",
        )


def _answer(written: asyncio.Future[bool], *, effective: bool) -> None:
    """Nothing when who asked is gone."""
    if not written.done():
        written.set_result(effective)
