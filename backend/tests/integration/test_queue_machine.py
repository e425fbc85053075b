"""The queue against its model, and the machine against three bugs that it must find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import select, update
from sqlalchemy.engine import Connection

from backend.app.db.engine import Database
from backend.app.db.models import TASKS
from backend.app.tasks.outcome import Decision
from backend.app.tasks.queue import Report
from backend.app.tasks.task import Lease, Task
from backend.tests.queue_machine import QueueMachine, Verbs
from backend.tests.queue_world import World

QUICK = settings(
    max_examples=35,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
# Looking only: how small the example is that shows a planted bug does not matter.
HUNT = settings(QUICK, max_examples=300, phases=[Phase.generate], database=None, print_blob=False)


def test_the_queue_does_what_its_model_does(world: World) -> None:
    run_state_machine_as_test(lambda: QueueMachine(world, Verbs()), settings=QUICK)


class NoFence(Verbs):
    """A report counts for whatever attempt is running now."""

    def finish(self, conn: Connection, reports: Sequence[Report], *, now: datetime) -> set[Lease]:
        seqs = dict(conn.execute(select(TASKS.c.id, TASKS.c.lease_seq)).tuples().all())
        late = [replace(one, lease=Lease(one.lease.task_id, seqs[one.lease.task_id])) for one in reports]
        done = super().finish(conn, list({one.lease: one for one in late}.values()), now=now)
        return {one.lease for one, moved in zip(reports, late, strict=True) if moved.lease in done}


class OneTryTooFew(Verbs):
    def decide(self, task: Task, *, now: datetime) -> Decision:
        return super().decide(replace(task, retry_count=task.retry_count + 1), now=now)


class CancelAfterComplete(Verbs):
    def cancel(self, conn: Connection, user_id: int, task_id: int, *, now: datetime) -> bool:
        gone: dict[str, Any] = {"status": "cancelled", "result": None}
        mine = (TASKS.c.id == task_id, TASKS.c.user_id == user_id, TASKS.c.status == "completed")
        took = conn.execute(update(TASKS).where(*mine).values(gone)).rowcount
        return bool(took) or super().cancel(conn, user_id, task_id, now=now)


@pytest.mark.parametrize("planted", [NoFence, OneTryTooFew, CancelAfterComplete])
def test_the_machine_finds_a_planted_bug(sqlite_url: str, planted: type[Verbs]) -> None:
    database = Database(sqlite_url)
    world = World(database)

    with pytest.raises(AssertionError):
        run_state_machine_as_test(lambda: QueueMachine(world, planted()), settings=HUNT)

    database.dispose()
