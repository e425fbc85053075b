"""What the hot statements read, counted by the databases themselves, while their statistics are stale.

PostgreSQL counts rows fetched from tables, SQLite the steps of its virtual machine: neither depends on how
busy the machine is. A queue's statistics are always stale, so the tables are analysed while empty.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from sqlalchemy import insert, text
from sqlalchemy.engine import Connection

from backend.app.db.engine import Database
from backend.app.db.models import TASKS
from backend.app.tasks import queue
from backend.app.tasks.task import Status, Task
from backend.tests.queue_world import TYPES, World, report

USERS = 10
_READ = text(
    "SELECT sum(COALESCE(seq_tup_read, 0) + COALESCE(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
)


@pytest.fixture
def stale(database: Database) -> World:
    """A database whose planner believes that all tables are empty."""
    with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as conn:
        conn.exec_driver_sql("ANALYZE")
        if database.dialect == "postgresql":
            conn.exec_driver_sql("ALTER TABLE tasks SET (autovacuum_enabled = off)")
    return World(database)


def _cost(conn: Connection, act: Callable[[Connection], object]) -> int:
    if conn.dialect.name == "postgresql":
        before = int(conn.execute(_READ).scalar_one() or 0)
        act(conn)
        return int(conn.execute(_READ).scalar_one() or 0) - before
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    raw = conn.connection.driver_connection
    assert raw is not None
    raw.set_progress_handler(count, 100)
    act(conn)
    raw.set_progress_handler(None, 0)
    return steps


def _claim(conn: Connection, world: World, limit: int) -> list[Task]:
    told = {"types": TYPES, "lease_seconds": 20.0, "now": world.now, "sweep": lambda: True}
    return queue.claim(conn, "w", limit=limit, cap=10**6, **told)  # type: ignore[arg-type]


def _fill(world: World, users: list[int], count: int) -> None:
    """So many waiting tasks for each, and as many that have ended; without a word to their history."""
    about = {"task_type": "noop", "priority": 0, "run_at": world.now, "payload": {}, "metadata": {}}
    about |= {"created_at": world.now, "max_retries": 3}
    about |= dict.fromkeys(("attempt", "retry_count", "crash_count", "lease_seq"), 0)
    ended = {"status": "completed", "completed_at": world.now, "result": {}}
    with world.database.write() as conn:
        for more in ({"status": "pending", "completed_at": None, "result": None}, ended):
            conn.execute(
                insert(TASKS), [about | more | {"user_id": user} for user in users for _ in range(count)]
            )


def _costs(world: World, batch: int) -> dict[str, int]:
    """What each verb costs for a batch."""
    costs: dict[str, int] = {}
    tasks: list[Task] = []
    renewing = {"lease_seconds": 20.0, "now": world.now}
    acts: dict[str, Callable[[Connection], object]] = {
        "look": lambda conn: queue.claimable(conn, limit=batch, cap=10**6, types=TYPES, now=world.now),
        "claim": lambda conn: tasks.extend(_claim(conn, world, batch)),
        "renew": lambda conn: queue.renew(conn, world.identity("w"), [t.lease for t in tasks], **renewing),
        "held": lambda conn: queue.held(conn, [t.lease for t in tasks]),
        "progress": lambda conn: queue.record_progress(
            conn, [(t.lease, t.user_id, {"percent": 1}) for t in tasks], now=world.now
        ),
        "finish": lambda conn: queue.finish(
            conn, [report(t, Status.COMPLETED) for t in tasks], now=world.now
        ),
    }
    for name, act in acts.items():
        with world.database.write() as conn:
            costs[name] = _cost(conn, act)
    assert len(tasks) == batch
    return costs


@pytest.mark.parametrize("warm", [False, True])
def test_a_long_backlog_makes_no_verb_dearer(stale: World, *, warm: bool) -> None:
    """`warm`: the connection has seen each statement often enough, over small tables, for the driver to
    prepare it and the server to cache its plan (5 and 5 times); the tables then grow under it."""
    users = [stale.user() for _ in range(USERS)]
    for _ in range(12 if warm else 0):
        _fill(stale, users, 2)
        _costs(stale, 10)
    _fill(stale, users, 80)
    if not warm:
        stale.database.dispose()
    short = _costs(stale, 40)
    _fill(stale, users, 800)
    if not warm:
        stale.database.dispose()

    long = _costs(stale, 40)

    for verb, cost in long.items():
        assert cost <= 1.5 * short[verb] + 30, (verb, short, long)


def test_a_larger_batch_costs_in_proportion(stale: World) -> None:
    for user in [stale.user() for _ in range(USERS)]:
        stale.submit_many(user, 100)
    small = _costs(stale, 25)

    large = _costs(stale, 200)

    for verb, cost in large.items():
        assert cost <= 8 * 1.5 * small[verb] + 200, (verb, small, large)


def test_the_time_of_a_batch_grows_with_its_size_and_not_with_its_square(stale: World) -> None:
    """Joins of the batch with itself show in no count of rows: eight times the reports may take 24 times as
    long here, with the machine's noise; a square would be 64."""
    _fill(stale, [stale.user() for _ in range(USERS)], 400)

    def seconds(batch: int) -> float:
        with stale.database.write() as conn:
            tasks = _claim(conn, stale, batch)
        began = time.perf_counter()
        with stale.database.write() as conn:
            assert len(queue.finish(conn, [report(t, Status.COMPLETED) for t in tasks])) == batch
        return time.perf_counter() - began

    small = min(seconds(150) for _ in range(4))
    large = min(seconds(1200) for _ in range(2))

    assert large < 24 * small, (small, large)
