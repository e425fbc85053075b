"""What a person does to tasks: submit, cancel, retry."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from backend.app.db.models import TASK_ATTEMPTS
from backend.app.tasks import queue
from backend.app.tasks.task import NewTask, Spent, Status
from backend.tests.queue_world import World, report


def test_a_submitted_task_waits_with_everything_it_was_given(world: World) -> None:
    user, parent = world.user(), world.submit(world.user())
    at = world.now + timedelta(hours=1)

    task_id = world.submit(
        user,
        payload={"文": 1},
        meta={"source": "text"},
        max_retries=0,
        priority=-10,
        run_at=at,
        batch_id="b",
        parent_id=parent,
    )

    row = world.row(task_id)
    assert (row.status, row.user_id, row.payload, row.metadata) == (
        "pending",
        user,
        {"文": 1},
        {"source": "text"},
    )
    assert (row.max_retries, row.priority, row.run_at, row.batch_id, row.parent_id) == (
        0,
        -10,
        at,
        "b",
        parent,
    )
    assert (row.attempt, row.retry_count, row.crash_count, row.lease_seq) == (0, 0, 0, 0)
    assert (row.created_at, row.started_at, row.completed_at) == (world.now, None, None)
    assert world.events(task_id) == ["task_created"]


def test_many_are_submitted_in_their_order_or_not_at_all(world: World) -> None:
    user = world.user()
    ids = world.submit_many(user, 20)
    assert ids == sorted(ids)
    before = world.everything()
    good = NewTask(user, "noop", {}, {})

    with pytest.raises(Exception, match="priority"):
        world.write(queue.submit, [good, NewTask(user, "noop", {}, {}, priority=11)], now=world.now)

    assert world.everything() == before


def test_a_running_task_is_cancelled_with_a_new_lease_seq(world: World) -> None:
    """So whatever its worker says later changes nothing."""
    task = world.running()
    world.later(4)

    assert world.write(queue.cancel, task.user_id, task.id, now=world.now) is True

    row = world.row(task.id)
    assert (row.status, row.completed_at, row.lease_seq) == ("cancelled", world.now, task.lease_seq + 1)
    assert (row.lease_until, row.worker_id, row.progress, row.result) == (None, None, None, None)
    assert world.attempts(task.id) == ["cancelled"]
    assert world.events(task.id)[-1] == "task_cancelled"
    before = world.everything()
    assert world.finish(report(task, Status.COMPLETED)) == set()
    assert world.everything() == before


def test_whoever_commits_first_wins_between_cancel_and_complete(world: World) -> None:
    task = world.running()
    world.finish(report(task, Status.COMPLETED))
    before = world.everything()

    assert world.write(queue.cancel, task.user_id, task.id) is False
    assert world.everything() == before


def test_a_failed_task_may_be_put_away(world: World) -> None:
    task = world.in_state(Status.FAILED)

    assert world.write(queue.cancel, task.user_id, task.id, now=world.later(1)) is True

    assert world.status(task.id) == "cancelled"
    assert world.attempts(task.id) == ["failed"]
    with world.database.read() as conn:
        assert conn.execute(select(TASK_ATTEMPTS.c.ended_at)).scalar_one() < world.now


@pytest.mark.parametrize("ended", [Status.FAILED, Status.CANCELLED])
def test_a_person_retries_what_ended_and_all_tries_are_there_again(world: World, ended: Status) -> None:
    task = world.running(max_retries=1)
    world.finish(report(task, Status.RETRY))
    (task,) = world.claim()
    if ended is Status.FAILED:
        world.finish(report(task, Status.FAILED, meta={"source": "text", "retry_exhausted": True}))
    else:
        world.write(queue.cancel, task.user_id, task.id, now=world.now)
    seq = world.row(task.id).lease_seq
    world.later(100)

    assert world.write(queue.retry, task.user_id, task.id, now=world.now) is True

    row = world.row(task.id)
    assert (row.status, row.retry_count, row.crash_count, row.run_at) == ("retry", 0, 0, world.now)
    assert (row.completed_at, row.metadata) == (None, {"source": "text"})
    assert world.events(task.id)[-1] == "task_retried"
    (again,) = world.claim()
    assert again.lease_seq > seq and again.attempt == 3


def test_a_persons_retry_reuses_finished_steps(world: World) -> None:
    task = world.running()
    world.write(queue.begin_step, task.lease, task.user_id, "s", "k", now=world.now)
    world.write(queue.finish_step, task.lease, "s", "k", {"v": 1}, spent=Spent(), now=world.now)
    world.finish(report(task, Status.FAILED))
    world.write(queue.retry, task.user_id, task.id, now=world.now)
    (again,) = world.claim()

    begun = world.write(queue.begin_step, again.lease, again.user_id, "s", "k", now=world.now)

    assert (begun.state, begun.result) == ("done", {"v": 1})


def test_the_lease_seq_of_a_task_only_grows(world: World) -> None:
    task = world.running()
    seen = [task.lease_seq]
    world.die()
    seen.append(world.row(task.id).lease_seq)
    (task,) = world.claim("w2")
    seen.append(task.lease_seq)
    world.write(queue.cancel, task.user_id, task.id, now=world.now)
    seen.append(world.row(task.id).lease_seq)
    world.write(queue.retry, task.user_id, task.id, now=world.now)
    (task,) = world.claim("w3")
    seen.append(task.lease_seq)

    assert seen == sorted(set(seen))


def test_a_cancelled_task_never_ends_before_it_was_made(world: World) -> None:
    """Even if a clock stepped back between the two."""
    task_id = world.submit(user := world.user())
    world.later(-5)

    assert world.write(queue.cancel, user, task_id, now=world.now)

    row = world.row(task_id)
    assert row.created_at <= row.completed_at


def test_a_cancel_that_waited_for_a_claim_ends_the_attempt_after_its_start(world: World) -> None:
    """The clock is read with the row in hand. (SQLite has one writer, and so no such moment.)"""
    task_id = world.submit(user := world.user())
    if world.database.dialect == "sqlite":
        assert world.write(queue.cancel, user, task_id)
        return
    with ThreadPoolExecutor(1) as pool, world.database.engine.begin() as holder:
        holder.execute(text(f"SELECT 1 FROM tasks WHERE id = {task_id} FOR NO KEY UPDATE"))
        cancelled = pool.submit(world.write, queue.cancel, user, task_id)
        time.sleep(0.3)  # it waits for the row by now
        assert queue.claim(holder, "w1", limit=1, cap=1, types=("noop",), lease_seconds=20)
        holder.commit()
        assert cancelled.result(5)
    with world.database.read() as conn:
        found = select(TASK_ATTEMPTS.c.started_at, TASK_ATTEMPTS.c.ended_at)
        attempt = conn.execute(found.where(TASK_ATTEMPTS.c.task_id == task_id)).one()
    assert attempt.started_at <= attempt.ended_at
