"""One attempt, as a line of small steps: begin, call the handler, decide, report.

A handler turns a task's payload into a result and knows nothing of rows, leases or retries. It raises
`AppError`s, whose class says whether a later try can help; anything else is a bug of ours.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Protocol

import structlog
from structlog.contextvars import bind_contextvars

from backend.app.common.errors import AppError, InternalError, TaskTimeout
from backend.app.tasks import queue
from backend.app.tasks.outcome import Fail, Release, Retry, decide
from backend.app.tasks.queue import Report
from backend.app.tasks.reports import ReportDesk, Run, patiently
from backend.app.tasks.steps import LeaseLost, LeaseUncertain, StepResult, Steps
from backend.app.tasks.task import JSON, AttemptOutcome, Lease, Status, Task

log = structlog.get_logger("runner")

PROGRESS_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class HandlerResult:
    """A task's result, and the storage key of the canonical text that its quotes point into."""

    result: JSON
    document_sha256: str | None = None


class Context(Protocol):
    """What a handler may use of the world."""

    task: Task
    deadline: float  # time.monotonic() by which its calls must have ended

    async def step(
        self,
        name: str,
        inputs: Mapping[str, JSON],
        call: Callable[[], Awaitable[StepResult]],
        *,
        is_paid: bool = True,
        reserve: Decimal = Decimal(0),
    ) -> JSON:
        """A durable step: the kept result, or `call`'s, kept from now on. `is_paid`: it costs money, at the
        first call no more than `reserve` yuan; `steps.current_call` has the permit for further ones."""
        ...

    def progress(self, stage: str, percent: int, message: str, message_en: str | None = None) -> None:
        """Show how far it is; `percent` never goes back. Cheap to call often. Without `message_en` readers of
        English get the Chinese one."""
        ...

    async def partial(self, body: JSON, document_sha256: str) -> None:
        """Keep what has been found so far, for whoever looks meanwhile. Raises nothing: it is a courtesy."""
        ...

    def usage(self) -> dict[str, JSON]:
        """What the steps of this attempt have cost so far."""
        ...

    def answered_by(self) -> tuple[str, str] | None:
        """(provider, model) that gave most of the steps' results; None when none was asked."""
        ...


_UNTIL_RENEWED = timedelta(seconds=5)  # a heartbeat: by then the lease of whoever claims it is renewed

Handler = Callable[[Task, Context], Awaitable[HandlerResult]]


class AttemptContext:
    """The `Context` of one attempt."""

    def __init__(self, task: Task, steps: Steps, desk: ReportDesk, run: Run, timeout: float) -> None:
        self.task, self._steps, self._desk, self._run = task, steps, desk, run
        # A moment earlier than the attempt's own end: a call that fails at it can still say so.
        self.deadline = time.monotonic() + timeout - min(1.0, timeout / 20)
        self._percent, self._told_at = 0, -PROGRESS_EVERY_S
        self._shown: dict[str, JSON] = {}
        self._later: asyncio.TimerHandle | None = None

    async def step(
        self,
        name: str,
        inputs: Mapping[str, JSON],
        call: Callable[[], Awaitable[StepResult]],
        *,
        is_paid: bool = True,
        reserve: Decimal = Decimal(0),
    ) -> JSON:
        return await self._steps.run(name, inputs, call, is_paid=is_paid, reserve=reserve)

    def progress(self, stage: str, percent: int, message: str, message_en: str | None = None) -> None:
        self._percent = max(self._percent, min(percent, 99))
        self._shown = {"percent": self._percent, "stage": stage, "message": message}
        if message_en is not None:
            self._shown["message_en"] = message_en
        if self._later is not None:
            return
        wait = self._told_at + PROGRESS_EVERY_S - time.monotonic()
        if wait <= 0:
            self._tell()
        else:
            # A second at the least between two; the last word is told, only later.
            self._later = asyncio.get_running_loop().call_later(wait, self._tell)

    def close(self) -> None:
        """The handler has ended: nothing more is told."""
        if self._later is not None:
            self._later.cancel()

    def _tell(self) -> None:
        self._later, self._told_at = None, time.monotonic()
        self._desk.note(self.task.lease, self.task.user_id, self._shown)

    async def partial(self, body: JSON, document_sha256: str) -> None:
        try:
            await self._run(queue.keep_partial, self.task.lease, body, document_sha256)
        except Exception as error:
            # The attempt goes on without: the next one, or the result, will say it.
            log.warning("partial_not_kept", error=type(error).__name__)

    def usage(self) -> dict[str, JSON]:
        return self._steps.usage.as_json()

    def answered_by(self) -> tuple[str, str] | None:
        most = self._steps.usage.answered_by.most_common(1)
        return most[0][0] if most else None


class Runner:
    """Runs attempts. `lose` and `release` end one from outside, for two different reasons."""

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        desk: ReportDesk,
        run: Run,
        may_call: Callable[[], bool],
        *,
        timeout: float,
        budget: Decimal = Decimal(0),
    ) -> None:
        """`timeout`: seconds of one attempt; `budget`: yuan that one task may spend (0: no limit)."""
        self._handlers, self._desk, self._run, self._may_call = handlers, desk, run, may_call
        self._timeout, self._budget = timeout, budget
        # Only while the handler works: a report is never interrupted.
        self._working: dict[Lease, asyncio.Task[None]] = {}
        self._lost: set[Lease] = set()
        self.finished = 0

    async def run(self, task: Task) -> None:
        """One attempt from claim to report, in an asyncio task of its own. Never raises for what the task
        did."""
        bind_contextvars(task_id=task.id, attempt=task.attempt)
        log.info("task_started", task_type=task.task_type, user_id=task.user_id)
        began = time.monotonic()
        steps = Steps(task.lease, task.user_id, self._patient_write, self._may_call, budget=self._budget)
        report = await self._attempt(task, steps)
        if report is None:
            await self._give_up(task, steps)
            return
        if steps.was_used:
            report = replace(report, meta=await self._with_totals(report.meta, task))
        effective = await self._desk.report(report)
        self.finished += 1
        log.info(
            "task_finished",
            status=report.status,
            error=report.error_code,
            duration_ms=round((time.monotonic() - began) * 1000, 2),
            effective=effective,
        )

    def lose(self, lease: Lease) -> None:
        """The attempt is no longer ours: stop working on it. No report will be made."""
        work = self._working.get(lease)
        if work is not None:
            self._lost.add(lease)
            work.cancel()

    def release_all(self) -> None:
        """Hand everything back as pending."""
        for work in list(self._working.values()):
            work.cancel()

    async def _attempt(self, task: Task, steps: Steps) -> Report | None:
        """The handler's report; None when the attempt was lost."""
        lease = task.lease
        work = asyncio.current_task()
        assert work is not None  # noqa: S101  we are in a coroutine
        self._working[lease] = work
        try:
            return await self._call(task, steps)
        except LeaseUncertain:
            # The database was away. Dropped without a word the task would count as its worker's death.
            return self._released(task, steps, run_at=_now() + _UNTIL_RENEWED)
        except LeaseLost:
            return None
        except asyncio.CancelledError:
            if not work.cancelling():
                # Nobody cancelled us: the handler waited for something that was. Released, it would run
                # into the same again and again.
                log.exception("handler_failed", task_type=task.task_type)
                return self._failed(task, steps, InternalError())
            # Cancelled by `lose` or `release_all`; what is left to do (the report) must not be.
            while work.uncancel():
                pass
            return None if lease in self._lost else self._released(task, steps, run_at=_now())
        finally:
            self._working.pop(lease, None)
            self._lost.discard(lease)

    async def _call(self, task: Task, steps: Steps) -> Report:
        context = AttemptContext(task, steps, self._desk, self._run, self._timeout)
        limit = asyncio.timeout(self._timeout)
        try:
            async with limit:
                made = await self._handlers[task.task_type](task, context)
            return self._completed(task, steps, made)
        except LeaseLost:
            raise
        except AppError as error:
            return self._failed(task, steps, error)
        except Exception as error:
            if isinstance(error, TimeoutError) and limit.expired():
                return self._failed(task, steps, TaskTimeout(seconds=int(self._timeout)))
            log.exception("handler_failed", task_type=task.task_type)
            return self._failed(task, steps, InternalError())
        finally:
            context.close()

    def _completed(self, task: Task, steps: Steps, made: HandlerResult) -> Report:
        return Report(
            lease=task.lease,
            user_id=task.user_id,
            status=Status.COMPLETED,
            outcome=AttemptOutcome.COMPLETED,
            attempt=task.attempt,
            result=made.result,
            meta=_meta(task, steps),
            usage=steps.usage.as_json(),
            document_sha256=made.document_sha256,
        )

    def _failed(self, task: Task, steps: Steps, error: AppError) -> Report:
        decision = decide(task, error, now=_now(), chance=random.random())
        if isinstance(decision, Release):
            return self._released(task, steps, run_at=decision.run_at, why=error)
        retried = isinstance(decision, Retry)
        meta = _meta(task, steps)
        if isinstance(decision, Fail) and decision.retry_exhausted:
            meta["retry_exhausted"] = True
        return Report(
            lease=task.lease,
            user_id=task.user_id,
            status=Status.RETRY if retried else Status.FAILED,
            outcome=AttemptOutcome.RETRY if retried else AttemptOutcome.FAILED,
            attempt=task.attempt,
            error=error.sentence(),
            error_en=error.sentence("en"),
            error_code=error.code,
            run_at=decision.run_at if isinstance(decision, Retry) else None,
            meta=meta,
            usage=steps.usage.as_json(),
        )

    def _released(self, task: Task, steps: Steps, *, run_at: datetime, why: AppError | None = None) -> Report:
        """Back to the queue; whoever looks at the task is told `why` it waits."""
        return Report(
            lease=task.lease,
            user_id=task.user_id,
            status=Status.PENDING,
            outcome=AttemptOutcome.RELEASED,
            attempt=task.attempt,
            run_at=run_at,
            meta=_meta(task, steps),
            usage=steps.usage.as_json(),
            progress=None if why is None else _waiting(why),
        )

    async def _with_totals(self, meta: dict[str, JSON], task: Task) -> dict[str, JSON]:
        """What all attempts have cost together, those of killed workers among them."""
        calls, cost = await self._patient_write(queue.step_totals, task.id)
        totals = {"total_calls": calls, "total_cost": round(float(cost), 6)}
        return {**meta, "usage": {**(meta.get("usage") or {}), **totals}}

    async def _give_up(self, task: Task, steps: Steps) -> None:
        log.info("task_lost", user_id=task.user_id)
        if steps.usage.calls:
            await self._patient_write(queue.record_spent, task.lease, steps.usage.as_json())

    async def _patient_write(self, verb: Callable[..., JSON], *args: object, **kwargs: object) -> JSON:
        return await patiently(self._run, verb, *args, **kwargs)


def _meta(task: Task, steps: Steps) -> dict[str, JSON]:
    """The row's own, with what this attempt has cost."""
    return {**task.meta, "usage": {**steps.usage.as_json(), "calls_by_step": steps.usage.steps_as_json()}}


def _waiting(why: AppError) -> dict[str, JSON]:
    return {
        "percent": 0,
        "stage": "waiting_llm",
        "message": why.sentence(),
        "message_en": why.sentence("en"),
    }


def _now() -> datetime:
    return datetime.now(UTC)
