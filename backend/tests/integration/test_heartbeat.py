"""The heartbeat: when a worker may sweep or start something that costs, and who is dead. Short leases, real
clock; the lock files of `lockfile`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import connect

import pytest

from backend.app.db.engine import Database, normalise_url
from backend.app.tasks import lockfile, queue
from backend.app.tasks.heartbeat import Heartbeat, LeaseBook
from backend.app.tasks.task import Lease
from backend.tests.queue_world import World

ROOT = Path(__file__).resolve().parents[3]
LEASE, BEAT = 1.2, 0.15


def until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.01)


class Beating:
    def __init__(self, database: Database, folder: Path) -> None:
        self.folder = folder
        self.identity, self.lock = lockfile.new_identity(folder, 1)
        self.book, self.lost = LeaseBook(), list[Lease]()
        self.heart = Heartbeat(
            database,
            self.identity,
            self.book,
            self.lost.append,
            lock_folder=folder,
            lease_seconds=LEASE,
            every=BEAT,
        )


@pytest.fixture
def beating(world: World, tmp_path: Path) -> Iterator[Beating]:
    world.now = datetime.now(UTC)
    made = Beating(world.database, tmp_path / "locks")
    made.heart.start()
    yield made
    made.heart.stop()
    made.lock.release()


def test_leases_in_the_book_are_renewed_again_and_again(world: World, beating: Beating) -> None:
    task = world.running()
    beating.book.add(task.lease)
    first = world.row(task.id).lease_until

    until(lambda: world.row(task.id).lease_until != first)
    second = world.row(task.id).lease_until
    until(lambda: world.row(task.id).lease_until > second)

    assert beating.lost == []


def test_a_cancel_is_heard_soon_and_an_ended_attempt_is_not_missed(world: World, beating: Beating) -> None:
    task = world.running()
    beating.book.add(task.lease)
    world.write(queue.cancel, task.user_id, task.id)

    until(lambda: task.lease in beating.lost, seconds=2)

    beating.book.remove(task.lease)
    assert beating.book.all() == []


def test_only_after_a_full_lease_of_steady_renewals_may_a_worker_sweep(beating: Beating) -> None:
    began = time.monotonic()
    assert beating.heart.is_fresh() and not beating.heart.may_sweep()

    until(beating.heart.may_sweep)

    assert time.monotonic() - began >= LEASE - 0.1


def test_a_worker_that_cannot_write_grows_stale_and_must_be_steady_anew(
    sqlite_url: str, tmp_path: Path
) -> None:
    """While SQLite is held nobody renews: expired leases then say nothing about the others."""
    database = Database(sqlite_url)
    beating = Beating(database, tmp_path / "locks")
    beating.heart.start()
    until(beating.heart.may_sweep)
    with closing(connect(str(normalise_url(sqlite_url).database), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        until(lambda: not beating.heart.may_sweep())
        until(lambda: not beating.heart.is_fresh())
        other.rollback()
    let_go = time.monotonic()

    until(beating.heart.is_fresh)
    assert not beating.heart.may_sweep()
    until(beating.heart.may_sweep)

    assert time.monotonic() - let_go >= LEASE - 2 * BEAT
    beating.heart.stop()
    beating.lock.release()
    database.dispose()


def test_a_claim_that_waited_for_the_lock_asks_again_whether_it_may_sweep(world: World) -> None:
    """A write-blocked worker may get the lock before the others' renewals: it must not sweep them."""
    asked_within: list[bool] = []
    world.running()
    world.later(60)
    with world.database.write() as conn:

        def may_sweep() -> bool:
            asked_within.append(conn.in_transaction())
            return False

        queue.claim(
            conn, "w2", limit=1, cap=1, types=("noop",), lease_seconds=1, now=world.now, sweep=may_sweep
        )
    assert asked_within == [True]


def test_a_second_start_after_a_lost_answer_registers_once(world: World, beating: Beating) -> None:
    again = Heartbeat(
        world.database,
        beating.identity,
        LeaseBook(),
        beating.lost.append,
        lock_folder=beating.folder,
        lease_seconds=LEASE,
        every=BEAT,
    )
    again.start()
    again.stop()

    assert len(world.everything()["workers"]) == 1


def test_a_newer_lease_on_a_task_replaces_the_older_one_and_tells(world: World) -> None:
    book = LeaseBook()

    assert book.add(Lease(1, 1)) is None
    assert book.add(Lease(1, 3)) == Lease(1, 1)
    book.remove(Lease(1, 1))

    assert book.all() == [Lease(1, 3)]
    assert book.add(Lease(0, 1)) is None
    assert book.all() == [Lease(0, 1), Lease(1, 3)]


# The dead

_HOLD = """
import sys, time
from pathlib import Path
from backend.app.tasks import lockfile
identity, lock = lockfile.new_identity(Path(sys.argv[1]), 1)
print(identity.id, identity.lock_device, identity.lock_inode, flush=True)
time.sleep(60)
"""


class Neighbour:
    """Another process that holds a worker's lock."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _HOLD, str(folder)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert self.process.stdout is not None
        self.id, device, inode = self.process.stdout.readline().split()
        self.device, self.inode = int(device), int(inode)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def neighbour(tmp_path: Path) -> Iterator[Neighbour]:
    made = Neighbour(tmp_path / "locks")
    yield made
    made.kill()


def test_a_dead_neighbours_tasks_are_taken_over_at_once(
    world: World, beating: Beating, neighbour: Neighbour
) -> None:
    me = beating.identity
    other = replace(me, id=neighbour.id, lock_device=neighbour.device, lock_inode=neighbour.inode)
    world.write(queue.register_worker, other)
    task = world.running(worker=neighbour.id)
    time.sleep(0.4)
    assert world.status(task.id) == "running"  # alive, and nobody touches its tasks

    neighbour.kill()
    began = time.monotonic()
    until(lambda: world.status(task.id) == "pending", seconds=3)

    assert time.monotonic() - began < 2
    assert world.row(task.id).crash_count == 1
    until(lambda: world.read(queue.neighbours, me) == [])
    until(lambda: not (beating.folder / f"{neighbour.id}.lock").exists())


@pytest.mark.parametrize("difference", ["host", "boot_id", "lock_inode"])
def test_whoever_cannot_be_known_dead_is_left_to_its_lease(
    world: World, beating: Beating, neighbour: Neighbour, difference: str
) -> None:
    other = replace(
        beating.identity,
        **({"id": neighbour.id, "lock_device": neighbour.device, "lock_inode": neighbour.inode}
           | {difference: 7 if difference == "lock_inode" else "elsewhere"}),
    )  # fmt: skip
    world.write(queue.register_worker, other)
    task = world.running(worker=neighbour.id)
    neighbour.kill()

    time.sleep(0.6)

    assert world.status(task.id) == "running"


def test_a_lock_is_dead_only_when_its_holder_is_and_the_file_is_the_same(
    tmp_path: Path, neighbour: Neighbour
) -> None:
    folder = tmp_path / "locks"
    path = folder / f"{neighbour.id}.lock"
    known = (neighbour.id, neighbour.device, neighbour.inode)

    assert not lockfile.is_dead(folder, *known)
    neighbour.kill()
    assert lockfile.is_dead(folder, *known)
    assert lockfile.is_dead(folder, *known)  # asking changes nothing
    assert not lockfile.is_dead(folder, neighbour.id, neighbour.device, neighbour.inode + 1)
    assert not lockfile.is_dead(folder, neighbour.id, None, None)
    assert not lockfile.is_dead(tmp_path / "other", *known)
    assert not (tmp_path / "other").exists()
    path.unlink()
    assert not lockfile.is_dead(folder, *known)
    assert not path.exists()


def test_a_lock_is_not_inherited_by_children(tmp_path: Path) -> None:
    """A parser that outlives its worker must not make it look alive."""
    identity, lock = lockfile.new_identity(tmp_path, 1)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"], close_fds=False)
    os.close(lock._fd)  # type: ignore[arg-type]  as the kernel does at the end of the process
    lock._fd = None
    try:
        # The child's exec may still be closing descriptors.
        until(lambda: lockfile.is_dead(tmp_path, identity.id, identity.lock_device, identity.lock_inode))
    finally:
        child.kill()
        child.wait()
        lock.release()
