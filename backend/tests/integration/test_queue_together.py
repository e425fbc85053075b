"""Many at once, with the real clock and real threads: no task twice, no limit exceeded, no event missed, no
deadlock."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from backend.app.db.engine import Database
from backend.app.db.models import TASK_EVENTS, TASKS
from backend.app.tasks import queue
from backend.app.tasks.task import NewTask, Status, Task
from backend.tests.queue_world import World, report


@pytest.fixture
def wide(world: World) -> Iterator[Database]:
    """The same database with a connection for each of fifty threads."""
    database = Database(world.database.url.render_as_string(hide_password=False), pool_size=52)
    yield database
    database.dispose()


def _claim(database: Database, worker: str, *, limit: int, cap: int) -> list[Task]:
    with database.write() as conn:
        return queue.claim(conn, worker, limit=limit, cap=cap, types=("noop",), lease_seconds=60)


def _together(threads: int, work: Callable[[int], None]) -> None:
    """Each thread runs `work(n)` from the same moment on; the first error is raised."""
    start = threading.Barrier(threads)

    def run(n: int) -> None:
        start.wait()
        work(n)

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(run, n) for n in range(threads)]:
            done.result()


def test_fifty_workers_at_once_never_get_a_task_twice_nor_exceed_the_cap(
    world: World, wide: Database
) -> None:
    users = [world.user() for _ in range(12)]
    for user in users:
        world.submit_many(user, 20)
    got: list[Task] = []

    _together(50, lambda n: got.extend(_claim(wide, f"w{n}", limit=4, cap=7)))

    assert len({task.id for task in got}) == len(got) == 12 * 7
    assert Counter(task.user_id for task in got) == dict.fromkeys(users, 7)
    with world.database.read() as conn:
        running = conn.execute(select(func.count()).where(TASKS.c.status == "running")).scalar_one()
    assert running == len(got)


def test_between_cancel_and_complete_at_the_same_moment_exactly_one_wins(
    world: World, wide: Database
) -> None:
    tasks = [world.running() for _ in range(30)]
    cancelled, completed = set(), set()

    def race(n: int) -> None:
        for task in tasks if n else reversed(tasks):
            with wide.write() as conn:
                if n == 0 and queue.cancel(conn, task.user_id, task.id):
                    cancelled.add(task.id)
                if n == 1 and queue.finish(conn, [report(task, Status.COMPLETED)]):
                    completed.add(task.id)

    _together(2, race)

    assert cancelled & completed == set() and cancelled | completed == {task.id for task in tasks}
    assert {task_id for task_id in completed if world.status(task_id) == "completed"} == completed
    assert all(world.status(task_id) == "cancelled" for task_id in cancelled)


def test_a_reader_of_events_misses_none_while_eight_writers_commit(world: World, wide: Database) -> None:
    """A reader that asks for ids above the last one it saw: ids must become visible in their order."""
    users = [world.user() for _ in range(8)]
    rounds = 8 if world.database.dialect == "sqlite" else 25  # its writers wait in the dark, and long
    writing = threading.Event()
    seen: list[int] = []

    def read() -> None:
        while True:
            last = not writing.is_set()
            with wide.read() as conn:
                ids = select(TASK_EVENTS.c.id).where(TASK_EVENTS.c.id > (seen[-1] if seen else 0))
                seen.extend(conn.execute(ids.order_by(TASK_EVENTS.c.id)).scalars())
            if last:
                return

    def write(n: int) -> None:
        for round_ in range(rounds):
            with wide.write() as conn:
                queue.submit(conn, [NewTask(users[n], "noop", {}, {}) for _ in range(1 + round_ % 3)])
                # Others commit between our event's id and our commit, if anything lets them.
                time.sleep(0.001)

    writing.set()
    reader = threading.Thread(target=read)
    reader.start()
    _together(8, write)
    writing.clear()
    reader.join()

    with world.database.read() as conn:
        there = list(conn.execute(select(TASK_EVENTS.c.id).order_by(TASK_EVENTS.c.id)).scalars())
    assert len(there) == 8 * sum(1 + n % 3 for n in range(rounds))
    assert seen == there


def test_a_claim_never_waits_for_a_row_that_another_transaction_holds(postgres_url: str) -> None:
    """It locks twice, what it sweeps and what it takes, so not in the order of ids: if it waited, it could
    deadlock with late reports. Who holds such a row is ending, renewing or cancelling it."""
    database = Database(postgres_url)
    world = World(database)
    ended, swept, free = (world.running() for _ in range(3))
    world.finish(report(ended, Status.PENDING), report(free, Status.PENDING))
    held = select(TASKS.c.id).where(TASKS.c.id == ended.id).with_for_update()
    world.later(60)

    with database.write() as other:
        other.execute(held)
        assert {task.id for task in world.claim("w2", sweep=lambda: True)} == {swept.id, free.id}
    with database.write() as other:
        other.execute(select(TASKS.c.id).where(TASKS.c.id == swept.id).with_for_update())
        world.later(60)
        assert {task.id for task in world.claim("w3", sweep=lambda: True)} == {ended.id, free.id}
    database.dispose()


def test_all_verbs_from_many_threads_for_some_seconds_never_deadlock(world: World, wide: Database) -> None:
    """Claims, renewals, ends, progress, steps, cancels, retries, take-overs and burials, over few tasks so
    that they meet. A deadlock would be an error of the database."""
    users = [world.user() for _ in range(4)]
    for user in users:
        world.submit_many(user, 12)
    until = time.monotonic() + 3.0
    errors: list[str] = []
    done: Counter[str] = Counter()

    def work(n: int) -> None:
        luck = random.Random(n)
        me, mine = world.identity(f"w{n}"), list[Task]()
        while time.monotonic() < until:
            act = luck.choice(_ACTS)
            try:
                with wide.write() as conn:
                    act(conn, luck, me, mine, users)
                done[act.__name__] += 1
            except DBAPIError as error:
                errors.append(f"{act.__name__}: {error.orig}")

    _together(10, work)

    assert errors == []
    assert len(done) == len(_ACTS) and sum(done.values()) > 100


def _act_claim(conn, luck, me, mine, users) -> None:  # type: ignore[no-untyped-def]
    mine += queue.claim(
        conn, me.id, limit=5, cap=9, types=("noop",), lease_seconds=luck.choice((0, 60)), sweep=lambda: True
    )


def _act_renew(conn, luck, me, mine, users) -> None:  # type: ignore[no-untyped-def]
    queue.renew(conn, me, luck.sample([t.lease for t in mine], len(mine)), lease_seconds=60)


def _act_finish(conn, luck, me, mine, users) -> None:  # type: ignore[no-untyped-def]
    ends = (Status.PENDING, Status.PENDING, Status.COMPLETED, Status.FAILED)
    tasks = {task.id: task for task in luck.sample(mine, min(len(mine), 4))}
    queue.finish(conn, [report(task, luck.choice(ends)) for task in tasks.values()])


def _act_progress(conn, luck, me, mine, users) -> None:  # type: ignore[no-untyped-def]
    tasks = {task.id: task for task in luck.sample(mine, min(len(mine), 4))}
    queue.record_progress(conn, [(t.lease, t.user_id, {"percent": 1}) for t in tasks.values()])


def _act_step(conn, luck, me, mine, users) -> None:  # type: ignore[no-untyped-def]
    if mine:
        task = luck.choice(mine)
        queue.begin_step(conn, task.lease, task.user_id, "s", str(luck.randrange(5)))


def _act_cancel(conn, luck, me, mine, users) -> None:  # type: ignore[no-untyped-def]
    if mine:
        task = luck.choice(mine)
        queue.cancel(conn, task.user_id, task.id)


def _act_retry(conn, luck, me, mine, users) -> None:  # type: ignore[no-untyped-def]
    if mine:
        task = luck.choice(mine)
        queue.retry(conn, task.user_id, task.id)


def _act_bury(conn, luck, me, mine, users) -> None:  # type: ignore[no-untyped-def]
    """As the heartbeat does with a worker found dead, here one that still renews."""
    dead = f"w{luck.randrange(10)}"
    queue.take_over(conn, dead)
    queue.worker_stopped(conn, dead)


def _act_submit(conn, luck, me, mine, users) -> None:  # type: ignore[no-untyped-def]
    queue.submit(conn, [NewTask(luck.choice(users), "noop", {}, {}) for _ in range(2)])


_ACTS = (
    _act_claim,
    _act_renew,
    _act_finish,
    _act_progress,
    _act_step,
    _act_cancel,
    _act_retry,
    _act_bury,
    _act_submit,
)
