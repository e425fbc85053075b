"""A queue for tests: short ways to bring tasks into a state, and to see everything that a verb changed.

Time stands still unless a test moves it (`world.later(seconds)`), so that nothing depends on a clock.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.engine import Row

from backend.app.db.engine import Database
from backend.app.db.models import (
    TASK_ATTEMPTS,
    TASK_EVENTS,
    TASK_RESULTS,
    TASK_STEPS,
    TASKS,
    USERS,
    WORKERS,
)
from backend.app.tasks import queue
from backend.app.tasks.queue import Report, WorkerIdentity
from backend.app.tasks.task import AttemptOutcome, Lease, NewTask, Status, Task

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
TYPES = ("noop",)
RESULT = {"ok": 1}


def report(task: Task, status: Status, **more: Any) -> Report:
    """How `task`'s attempt ended: COMPLETED with a result, FAILED and RETRY with an error."""
    outcome = AttemptOutcome.RELEASED if status is Status.PENDING else AttemptOutcome(status.value)
    told: dict[str, Any] = {"meta": task.meta, "attempt": task.attempt}
    if status is Status.COMPLETED:
        told |= {"result": RESULT}
    if status in {Status.FAILED, Status.RETRY}:
        told |= {"error": "出错了", "error_en": "It failed.", "error_code": "internal_error"}
    return Report(lease=task.lease, user_id=task.user_id, status=status, outcome=outcome, **(told | more))


class World:
    """One database with the queue's verbs, run at `now`."""

    def __init__(self, database: Database) -> None:
        self.database, self.now = database, START
        self._names = itertools.count(1)

    def later(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now

    def write(self, verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with self.database.write() as conn:
            return verb(conn, *args, **kwargs)

    def read(self, query: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with self.database.read() as conn:
            return query(conn, *args, **kwargs)

    def clear(self) -> None:
        with self.database.write() as conn:
            for table in (TASKS, WORKERS, USERS):  # the others go with them
                conn.execute(delete(table))

    # People

    def user(self) -> int:
        with self.database.write() as conn:
            made = conn.execute(
                insert(USERS)
                .values(
                    username=f"user{next(self._names)}",
                    display_name="-",
                    role="user",
                    password_hash="-",
                    is_active=True,
                    created_at=self.now,
                )
                .returning(USERS.c.id)
            )
            return int(made.scalar_one())

    def submit(self, user_id: int, **more: Any) -> int:
        return self.submit_many(user_id, 1, **more)[0]

    def submit_many(self, user_id: int, count: int, **more: Any) -> list[int]:
        """`more`: fields of NewTask."""
        told = {"task_type": "noop", "payload": {"n": 1}, "meta": {"source": "text"}} | more
        tasks = [NewTask(user_id=user_id, **told) for _ in range(count)]
        return list(self.write(queue.submit, tasks, now=self.now))

    # Workers

    def claim(self, worker: str = "w1", *, limit: int = 10, cap: int = 10, **more: Any) -> list[Task]:
        told = {"types": TYPES, "lease_seconds": 20.0, "now": self.now} | more
        return list(self.write(queue.claim, worker, limit=limit, cap=cap, **told))

    def claimable(self, *, limit: int = 10, cap: int = 10, **more: Any) -> list[int]:
        told = {"types": TYPES, "now": self.now} | more
        return list(self.read(queue.claimable, limit=limit, cap=cap, **told))

    def finish(self, *reports: Report) -> set[Lease]:
        return set(self.write(queue.finish, reports, now=self.now))

    def identity(self, worker_id: str, **more: Any) -> WorkerIdentity:
        return WorkerIdentity(
            **({"id": worker_id, "host": "h", "boot_id": "b", "pid": 1, "concurrency": 1} | more)
        )

    def renew(self, leases: Sequence[Lease], *, worker: str = "w1", lease_seconds: float = 20.0) -> set[int]:
        told = {"lease_seconds": lease_seconds, "now": self.now}
        return set(self.write(queue.renew, self.identity(worker), leases, **told))

    # Tasks in a state

    def running(self, user_id: int | None = None, *, worker: str = "w1", **more: Any) -> Task:
        """A fresh task, claimed. No other task may be waiting."""
        task_id = self.submit(self.user() if user_id is None else user_id, **more)
        (task,) = self.claim(worker, cap=10_000)
        assert task.id == task_id
        return task

    def in_state(self, status: Status, user_id: int | None = None) -> Task:
        """A task that has had one attempt (its lease is in the value) and is now in `status`."""
        task = self.running(user_id)
        if status is Status.CANCELLED:
            assert self.write(queue.cancel, task.user_id, task.id, now=self.now)
        elif status is not Status.RUNNING:
            assert self.finish(report(task, status)) == {task.lease}
        return task

    def die(self, worker: str = "w1") -> int:
        """The worker is found dead: how many tasks it lost."""
        return int(self.write(queue.take_over, worker, now=self.now))

    # What is there

    def row(self, task_id: int) -> Row[Any]:
        with self.database.read() as conn:
            return conn.execute(select(TASKS).where(TASKS.c.id == task_id)).one()

    def status(self, task_id: int) -> str:
        return str(self.row(task_id).status)

    def statuses(self, task_ids: Sequence[int]) -> Counter[str]:
        """How many are in which state, all seen at one moment."""
        with self.database.read() as conn:
            found = select(TASKS.c.status).where(TASKS.c.id.in_(task_ids))
            return Counter(conn.execute(found).scalars())

    def events(self, task_id: int) -> list[str]:
        with self.database.read() as conn:
            found = select(TASK_EVENTS.c.type).where(TASK_EVENTS.c.task_id == task_id)
            return list(conn.execute(found.order_by(TASK_EVENTS.c.id)).scalars())

    def attempts(self, task_id: int) -> list[str | None]:
        """Outcomes, oldest first; None while it runs."""
        with self.database.read() as conn:
            found = select(TASK_ATTEMPTS.c.outcome).where(TASK_ATTEMPTS.c.task_id == task_id)
            return list(conn.execute(found.order_by(TASK_ATTEMPTS.c.id)).scalars())

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table that a verb may touch."""
        tables = (TASKS, TASK_ATTEMPTS, TASK_EVENTS, TASK_RESULTS, TASK_STEPS, WORKERS)
        with self.database.read() as conn:
            return {
                table.name: [
                    tuple(row) for row in conn.execute(select(table).order_by(*table.primary_key.columns))
                ]
                for table in tables
            }
