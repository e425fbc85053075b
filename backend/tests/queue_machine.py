"""A state machine that drives the queue's verbs and the model side by side, and compares them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import select
from sqlalchemy.engine import Connection

from backend.app.common.errors import EmptyDocument, LLMTimeout
from backend.app.db.models import TASK_ATTEMPTS, TASK_EVENTS, TASKS
from backend.app.tasks import outcome, queue
from backend.app.tasks.outcome import Decision, Retry
from backend.app.tasks.queue import Report
from backend.app.tasks.task import ARROWS, FINAL, Lease, Spent, Status, Task
from backend.tests.queue_model import Model, Modelled
from backend.tests.queue_world import START, World, report

CAP, LEASE_SECONDS, WORKERS = 3, 20.0, ("w1", "w2", "w3")
ENDS = ("done", "curable", "incurable", "released")
_FORETOLD = (
    TASKS.c.status,
    TASKS.c.run_at,
    TASKS.c.attempt,
    TASKS.c.retry_count,
    TASKS.c.crash_count,
    TASKS.c.lease_seq,
    TASKS.c.lease_until,
    TASKS.c.worker_id,
    TASKS.c.error_code,
)


class Verbs:
    """The verbs under test; a planted bug overrides one."""

    def finish(self, conn: Connection, reports: Sequence[Report], *, now: datetime) -> set[Lease]:
        return queue.finish(conn, reports, now=now)

    def cancel(self, conn: Connection, user_id: int, task_id: int, *, now: datetime) -> bool:
        return queue.cancel(conn, user_id, task_id, now=now)

    def decide(self, task: Task, *, now: datetime) -> Decision:
        """What follows an error that a later try may cure."""
        return outcome.decide(task, LLMTimeout(), now=now, chance=0.5)


class QueueMachine(RuleBasedStateMachine):
    def __init__(self, world: World, verbs: Verbs) -> None:
        super().__init__()
        self.world, self.verbs = world, verbs
        self.model = Model(CAP)
        self.issued: list[Task] = []  # every attempt ever given to a worker
        self.seen_event = 0
        self.last_status: dict[int, str] = {}

    @initialize()
    def empty(self) -> None:
        self.world.clear()
        self.world.now = START
        self.users = [self.world.user() for _ in range(3)]
        for user in range(3):
            self.submit(user, priority=0, max_retries=1, delay=0)
        self.claim("w1", 3, sweep=False)

    # People

    @rule(
        user=st.integers(0, 2),
        priority=st.integers(-1, 1),
        max_retries=st.integers(0, 2),
        delay=st.sampled_from((0, 0, 15)),
    )
    def submit(self, user: int, priority: int, max_retries: int, delay: int) -> None:
        run_at = self.world.now + timedelta(seconds=delay)
        task_id = self.world.submit(
            self.users[user], priority=priority, max_retries=max_retries, run_at=run_at
        )
        self.model.tasks[task_id] = Modelled(task_id, self.users[user], priority, run_at, max_retries)

    @precondition(lambda self: self.model.tasks)
    @rule(which=st.integers(0, 5), user=st.integers(0, 6))
    def cancel(self, which: int, user: int) -> None:
        task_id, who = self._aimed(which, user)
        done = self.world.write(self.verbs.cancel, who, task_id, now=self.world.now)
        assert done == self.model.cancel(who, task_id)

    @precondition(lambda self: self.model.tasks)
    @rule(which=st.integers(0, 5), user=st.integers(0, 6))
    def retry(self, which: int, user: int) -> None:
        task_id, who = self._aimed(which, user)
        done = self.world.write(queue.retry, who, task_id, now=self.world.now)
        assert done == self.model.retry(who, task_id, self.world.now)

    # Workers

    @rule(worker=st.sampled_from(WORKERS), limit=st.integers(1, 6), sweep=st.booleans())
    def claim(self, worker: str, limit: int, *, sweep: bool) -> None:
        now = self.world.now
        if sweep:
            self.model.expire(now)
        expected = self.model.pick(limit, now)
        if not sweep:
            look = self.world.claimable(limit=limit, cap=CAP)
            assert look == [task.id for task in expected]
        told = {"cap": CAP, "sweep": lambda: sweep, "lease_seconds": LEASE_SECONDS}
        self._started(self.world.claim(worker, limit=limit, **told), expected, worker)

    @rule(which=st.integers(0, 3))
    def claim_alone(self, which: int) -> None:
        suspects = self.model.pick(CAP, self.world.now, alone=True)
        assert self.world.claimable(limit=CAP, cap=CAP, isolated=True) == [task.id for task in suspects]
        if suspects:
            chosen = suspects[which % len(suspects)]
            self._started(self.world.claim("alone", cap=CAP, only=chosen.id), [chosen], "alone")

    @precondition(lambda self: self.issued)
    @rule(
        recent=st.lists(st.integers(0, 7), min_size=1, max_size=4, unique=True),
        ends=st.lists(st.sampled_from(("done", *ENDS)), min_size=4, max_size=4),
    )
    def finish(self, recent: list[int], ends: list[str]) -> None:
        """Any attempts, lost ones among them, in one batch."""
        chosen = {self._attempt(n).lease: self._attempt(n) for n in recent}
        reports = [self._report(task, end) for task, end in zip(chosen.values(), ends, strict=False)]
        done = self.world.write(self.verbs.finish, reports, now=self.world.now)
        expected = {r.lease for r in reports if self.model.end(r.lease, r.status, r.run_at, r.error_code)}
        assert done == expected

    @precondition(lambda self: self.issued)
    @rule(recent=st.integers(0, 4), end=st.sampled_from(ENDS))
    def race(self, recent: int, end: str) -> None:
        """A person cancels what a worker has just ended."""
        task = self._attempt(recent)
        self.finish([recent], [end])
        done = self.world.write(self.verbs.cancel, task.user_id, task.id, now=self.world.now)
        assert done == self.model.cancel(task.user_id, task.id)

    def _report(self, task: Task, end: str) -> Report:
        """What the runner makes of how an attempt ended; the model has its own rule for retries."""
        if end == "done":
            return report(task, Status.COMPLETED)
        if end == "released":
            return report(task, Status.PENDING, run_at=self.world.now)
        if end == "incurable":
            return report(task, Status.FAILED, error_code=EmptyDocument.code)
        decision = self.verbs.decide(task, now=self.world.now)
        assert isinstance(decision, Retry) == (task.retry_count < task.max_retries)
        if isinstance(decision, Retry):
            return report(task, Status.RETRY, run_at=decision.run_at)
        return report(task, Status.FAILED)

    @precondition(lambda self: self.issued)
    @rule(worker=st.sampled_from(WORKERS), recent=st.sets(st.integers(0, 9), max_size=6))
    def renew(self, worker: str, recent: set[int]) -> None:
        leases = [self._attempt(n).lease for n in recent]
        ours = {lease.task_id for lease in leases if self.model.holds(lease)}
        assert self.world.read(queue.held, leases) == ours
        assert self.world.renew(leases, worker=worker, lease_seconds=LEASE_SECONDS) == ours
        for task_id in ours:
            self.model.tasks[task_id].lease_until = self.world.now + timedelta(seconds=LEASE_SECONDS)

    @precondition(lambda self: self.issued)
    @rule(recent=st.integers(0, 9), name=st.sampled_from("ab"), finishes=st.booleans())
    def step(self, recent: int, name: str, finishes: bool) -> None:
        task = self._attempt(recent)
        begun = self.world.write(
            queue.begin_step, task.lease, task.user_id, name, f"{task.id}", now=self.world.now
        )
        assert (begun.state == "lost") is not self.model.holds(task.lease)
        if begun.state == "started" and finishes:
            told = {"spent": Spent(), "now": self.world.now}
            assert self.world.write(queue.finish_step, task.lease, name, f"{task.id}", name, **told) == name
            self.model.step_done(task.lease)
        if begun.state == "done":
            assert begun.result == name

    @precondition(lambda self: self.issued)
    @rule(recent=st.integers(0, 9))
    def progress(self, recent: int) -> None:
        task = self._attempt(recent)
        shown = self.world.write(
            queue.record_progress, [(task.lease, task.user_id, {"percent": 1})], now=self.world.now
        )
        assert shown == ({task.lease} if self.model.holds(task.lease) else set())

    @rule(worker=st.sampled_from((*WORKERS, "alone")))
    def die(self, worker: str) -> None:
        assert self.world.die(worker) == self.model.bury(worker, self.world.now)

    @rule()
    def sweep(self) -> None:
        lost = self.world.write(queue.sweep_expired, now=self.world.now)
        assert lost == self.model.expire(self.world.now)

    @rule(seconds=st.sampled_from((0.001, 7, 25, 90)))
    def wait(self, seconds: float) -> None:
        self.world.later(seconds)

    # What must always hold

    @invariant()
    def rows_are_as_foretold(self) -> None:
        with self.world.database.read() as conn:
            rows = {row[0]: tuple(row[1:]) for row in conn.execute(select(TASKS.c.id, *_FORETOLD))}
        assert rows == {task.id: task.row() for task in self.model.tasks.values()}

    @invariant()
    def rows_make_sense(self) -> None:
        """Results, errors and times; what the model does not carry."""
        with self.world.database.read() as conn:
            for row in conn.execute(select(TASKS)):
                assert (row.result is not None) == (row.status == "completed")
                assert row.status != "failed" or (row.error and row.error_en and row.error_code)
                assert (row.completed_at is not None) == (row.status in FINAL)
                times = [t for t in (row.created_at, row.started_at, row.completed_at) if t is not None]
                assert times == sorted(times)
                assert row.retry_count <= row.max_retries and row.progress in (None, {"percent": 1})

    @invariant()
    def each_running_task_has_one_open_attempt(self) -> None:
        with self.world.database.read() as conn:
            ended = TASK_ATTEMPTS.c.ended_at.is_(None)
            found = select(TASK_ATTEMPTS.c.task_id, TASK_ATTEMPTS.c.lease_seq, TASK_ATTEMPTS.c.worker_id)
            there = sorted(tuple(row) for row in conn.execute(found.where(ended)))
        running = [task for task in self.model.tasks.values() if task.status == "running"]
        assert there == sorted((task.id, task.lease_seq, task.worker) for task in running)

    @invariant()
    def the_history_follows_the_arrows(self) -> None:
        """Each event's status is reached from the one before by an arrow, and the last is the row's."""
        found = select(TASK_EVENTS.c.id, TASK_EVENTS.c.task_id, TASK_EVENTS.c.type, TASK_EVENTS.c.status)
        with self.world.database.read() as conn:
            news = conn.execute(
                found.where(TASK_EVENTS.c.id > self.seen_event).order_by(TASK_EVENTS.c.id)
            ).all()
        for event_id, task_id, kind, status in news:
            before = self.last_status.get(task_id)
            arrow = None if before is None else (Status(before), Status(status))
            if kind == "task_progress":
                assert before == status == "running"
            else:
                assert arrow is None or arrow in ARROWS, (kind, arrow)
            self.last_status[task_id], self.seen_event = status, event_id
        assert self.last_status == {task.id: task.status for task in self.model.tasks.values()}

    # Small things

    def _attempt(self, recent: int) -> Task:
        """An attempt counted from the latest."""
        return self.issued[-1 - recent % len(self.issued)]

    def _aimed(self, which: int, user: int) -> tuple[int, int]:
        """A task, and its owner or (user < 1) a stranger."""
        ids = sorted(self.model.tasks)
        task_id = ids[-1 - which % len(ids)]
        owner = self.model.tasks[task_id].user_id
        return task_id, self.users[0] if user < 1 else owner

    def _started(self, claimed: list[Task], expected: list[Modelled], worker: str) -> None:
        assert [task.id for task in claimed] == [task.id for task in expected]
        for task, modelled in zip(claimed, expected, strict=True):
            self.model.start(modelled, worker, self.world.now, LEASE_SECONDS)
            assert _carried(task) == (
                modelled.attempt,
                modelled.retry_count,
                modelled.lease_seq,
                modelled.crash_count,
            )
        self.issued += claimed


def _carried(task: Task) -> tuple[Any, ...]:
    return (task.attempt, task.retry_count, task.lease_seq, task.crash_count)
