"""The queue as one would write it down on a page: a dictionary of tasks and the rules of the plan, without
SQL, locks or batches. The state machine compares the real one with it after every step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from backend.app.tasks.task import Lease

DEADS_ALONE, DEADS_END = 2, 3  # deaths in a row: from here on alone, from here on failed


@dataclass
class Modelled:
    """What the model knows of one task."""

    id: int
    user_id: int
    priority: int
    run_at: datetime
    max_retries: int
    status: str = "pending"
    attempt: int = 0
    retry_count: int = 0
    crash_count: int = 0
    lease_seq: int = 0
    lease_until: datetime | None = None
    worker: str | None = None
    error_code: str | None = None

    @property
    def is_waiting(self) -> bool:
        return self.status in {"pending", "retry"}

    def row(self) -> tuple[object, ...]:
        """The part of the row that the model foretells."""
        return (
            self.status,
            self.run_at,
            self.attempt,
            self.retry_count,
            self.crash_count,
            self.lease_seq,
            self.lease_until,
            self.worker,
            self.error_code,
        )


class Model:
    def __init__(self, cap: int) -> None:
        self.tasks: dict[int, Modelled] = {}
        self.cap = cap

    def holds(self, lease: Lease) -> bool:
        """Whether this attempt may still write."""
        task = self.tasks[lease.task_id]
        return task.status == "running" and task.lease_seq == lease.seq

    # What workers do

    def due(self, user_id: int, now: datetime, *, alone: bool) -> list[Modelled]:
        mine = [
            task
            for task in self.tasks.values()
            if task.user_id == user_id
            and task.is_waiting
            and task.run_at <= now
            and (task.crash_count >= DEADS_ALONE) is alone
        ]
        return sorted(mine, key=lambda task: (-task.priority, task.run_at, task.id))

    def pick(self, limit: int, now: datetime, *, alone: bool = False) -> list[Modelled]:
        """One after the other: the user with the fewest running, the older task between equals."""
        users = {task.user_id for task in self.tasks.values()}
        running = {
            user: sum(t.user_id == user and t.status == "running" for t in self.tasks.values())
            for user in users
        }
        queues = {user: self.due(user, now, alone=alone) for user in users}
        picked: list[Modelled] = []
        while len(picked) < limit:
            free = [user for user in users if queues[user] and running[user] < self.cap]
            if not free:
                break
            user = min(free, key=lambda user: (running[user], queues[user][0].id))
            picked.append(queues[user].pop(0))
            running[user] += 1
        return picked

    def start(self, task: Modelled, worker: str, now: datetime, lease_seconds: float) -> None:
        task.status, task.worker = "running", worker
        task.attempt += 1
        task.lease_seq += 1
        task.lease_until = now + timedelta(seconds=lease_seconds)

    def expire(self, now: datetime) -> int:
        lost = [t for t in self.tasks.values() if t.lease_until is not None and t.lease_until < now]
        for task in lost:
            self._lose(task, now)
        return len(lost)

    def bury(self, worker: str, now: datetime) -> int:
        lost = [task for task in self.tasks.values() if task.worker == worker]
        for task in lost:
            self._lose(task, now)
        return len(lost)

    def _lose(self, task: Modelled, now: datetime) -> None:
        task.crash_count += 1
        task.lease_seq += 1
        task.run_at = now
        poisoned = task.crash_count >= DEADS_END
        self._leave(task, "failed" if poisoned else "pending")
        if poisoned:
            task.error_code = "poisoned"

    def end(self, lease: Lease, status: str, run_at: datetime | None, error_code: str | None) -> bool:
        """An attempt's own end; whether it was still its own."""
        if not self.holds(lease):
            return False
        task = self.tasks[lease.task_id]
        self._leave(task, status)
        if status == "retry":
            task.retry_count += 1
        if status != "pending":
            task.crash_count = 0
            task.error_code = error_code
        if run_at is not None:
            task.run_at = run_at
        return True

    def _leave(self, task: Modelled, status: str) -> None:
        task.status, task.lease_until, task.worker = status, None, None

    def step_done(self, lease: Lease) -> None:
        if self.holds(lease):
            self.tasks[lease.task_id].crash_count = 0

    # What people do

    def cancel(self, user_id: int, task_id: int) -> bool:
        task = self.tasks[task_id]
        if task.user_id != user_id or task.status in {"completed", "cancelled"}:
            return False
        task.lease_seq += 1
        self._leave(task, "cancelled")
        return True

    def retry(self, user_id: int, task_id: int, now: datetime) -> bool:
        task = self.tasks[task_id]
        if task.user_id != user_id or task.status not in {"failed", "cancelled"}:
            return False
        task.status, task.run_at = "retry", now
        task.retry_count = task.crash_count = 0
        return True
