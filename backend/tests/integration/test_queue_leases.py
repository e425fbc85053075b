"""Leases, and the rows of the workers that hold them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select

from backend.app.db.models import WORKERS
from backend.app.tasks import queue
from backend.app.tasks.task import Lease, Status
from backend.tests.queue_world import World, report


def test_a_renewal_pushes_all_leases_ahead_in_one_go(world: World) -> None:
    user = world.user()
    ids = world.submit_many(user, 60)
    leases = [task.lease for task in world.claim(limit=60, cap=60)]
    world.later(15)

    assert world.renew(list(reversed(leases))) == set(ids)

    until = {world.row(task_id).lease_until for task_id in ids}
    assert until == {world.now + timedelta(seconds=20)}


def test_a_renewal_says_which_leases_are_gone_and_leaves_those_alone(world: World) -> None:
    kept, cancelled, taken, ended = (world.running() for _ in range(4))
    world.write(queue.cancel, cancelled.user_id, cancelled.id, now=world.now)
    world.finish(report(ended, Status.COMPLETED))
    world.write(queue.take_over, "w1", now=world.now)
    (again,) = [task for task in world.claim("w2") if task.id == taken.id]
    kept_again = Lease(kept.id, world.row(kept.id).lease_seq)
    before = world.row(taken.id)
    world.later(5)

    leases = [kept_again, cancelled.lease, taken.lease, ended.lease, kept.lease]

    assert world.read(queue.held, leases) == {kept.id}
    assert world.renew(leases, worker="w2") == {kept.id}
    assert world.row(taken.id) == before
    assert world.read(queue.held, [again.lease]) == {taken.id}


def test_a_renewal_of_nothing_still_says_that_the_worker_lives(world: World) -> None:
    world.write(queue.register_worker, world.identity("w1"), now=world.now)
    world.later(7)

    assert world.renew([]) == set()

    assert _worker(world, "w1").heartbeat_at == world.now


def test_a_purged_worker_row_comes_back_with_the_next_renewal(world: World) -> None:
    task = world.running()
    world.renew([task.lease])
    with world.database.write() as conn:
        conn.execute(delete(WORKERS))

    assert world.renew([task.lease]) == {task.id}

    assert _worker(world, "w1").stopped_at is None


def test_a_worker_declared_dead_too_early_is_alive_again_after_its_renewal(world: World) -> None:
    world.renew([])
    world.write(queue.worker_stopped, "w1", now=world.now)
    assert _worker(world, "w1").stopped_at == world.now

    world.renew([])

    assert _worker(world, "w1").stopped_at is None


def test_neighbours_are_the_other_workers_of_this_host_and_boot_that_did_not_stop(world: World) -> None:
    me = world.identity("me")
    others = {
        "near": {"lock_device": 1, "lock_inode": 2},
        "stopped": {},
        "other-host": {"host": "x"},
        "other-boot": {"boot_id": "x"},
    }
    for identity in (me, *(world.identity(name, **more) for name, more in others.items())):
        world.write(queue.register_worker, identity, now=world.now)
    world.write(queue.worker_stopped, "stopped", now=world.now)

    assert world.read(queue.neighbours, me) == [("near", 1, 2)]


def test_two_leases_on_one_task_never_exist(world: World) -> None:
    task = world.running()

    assert world.claim("w2") == []
    world.later(21)
    (second,) = world.claim("w2", sweep=lambda: True)

    assert world.read(queue.held, [task.lease, second.lease]) == {task.id}
    assert world.renew([task.lease]) == set()
    assert world.renew([second.lease], worker="w2") == {task.id}


def _worker(world: World, worker_id: str):  # type: ignore[no-untyped-def]
    with world.database.read() as conn:
        return conn.execute(select(WORKERS).where(WORKERS.c.id == worker_id)).one()


def test_the_dead_are_found_on_the_29th_of_february_too(world: World) -> None:
    world.now = datetime(2028, 2, 29, 8, tzinfo=UTC)
    world.running()

    assert world.die("w1") == 1
