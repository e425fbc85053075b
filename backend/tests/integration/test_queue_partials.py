"""Partial results: written by the attempt that holds the lease, gone when the whole result is there."""

from __future__ import annotations

from typing import Any

from backend.app.tasks import queries, queue
from backend.app.tasks.queries import PartialView
from backend.app.tasks.queue import purge
from backend.app.tasks.task import Status
from backend.tests.queue_world import World, report

TEXT = "ab" * 32


def kept(world: World, task_id: int) -> PartialView | None:
    with world.database.read() as conn:
        return queries.partial(conn, task_id)


def keep(world: World, task: Any, body: Any = None) -> bool:
    return bool(world.write(queue.keep_partial, task.lease, body or {"n": 1}, TEXT, now=world.now))


def test_the_latest_replaces_the_one_before(world: World) -> None:
    task_id = world.submit(world.user())
    (task,) = world.claim()

    assert keep(world, task)
    assert keep(world, task, {"n": 2})

    found = kept(world, task_id)
    assert found is not None
    assert found.body_json.replace(" ", "") == '{"n":2}'
    assert found.document_sha256 == TEXT


def test_an_attempt_that_was_taken_over_writes_no_more(world: World) -> None:
    """What a zombie finds must not hide what its successor has found."""
    task_id = world.submit(world.user())
    (zombie,) = world.claim()
    world.write(queue.finish, [report(zombie, Status.PENDING, run_at=world.now)], now=world.now)
    (successor,) = world.claim()

    assert successor.lease.seq > zombie.lease.seq
    assert keep(world, successor, {"n": 2})
    assert not keep(world, zombie)
    found = kept(world, task_id)
    assert found is not None
    assert found.body_json.replace(" ", "") == '{"n":2}'


def test_a_cancelled_attempt_writes_no_more(world: World) -> None:
    user = world.user()
    task_id = world.submit(user)
    (task,) = world.claim()
    world.write(queue.cancel, user, task_id)

    assert not keep(world, task)
    assert kept(world, task_id) is None


def test_it_goes_when_the_whole_result_comes_and_stays_when_the_task_fails(world: World) -> None:
    user = world.user()
    done, failed = world.submit(user), world.submit(user)
    for task in world.claim(limit=2):
        keep(world, task)
        status = Status.COMPLETED if task.id == done else Status.FAILED
        more = {"document_sha256": TEXT} if status is Status.COMPLETED else {}
        world.write(queue.finish, [report(task, status, **more)], now=world.now)
        assert not keep(world, task, "too late")

    assert kept(world, done) is None
    assert kept(world, failed) is not None


def test_a_purge_keeps_the_text_that_a_partial_result_points_into(world: World) -> None:
    world.submit(world.user())
    (task,) = world.claim()
    with world.database.read() as conn:
        assert not purge.is_stored_for(conn, TEXT)
    keep(world, task)
    with world.database.read() as conn:
        assert purge.is_stored_for(conn, TEXT)
