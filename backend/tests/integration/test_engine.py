"""How SQL is run: one transaction or none, busy databases, outages, and hearing of others' commits."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import delete, select, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.app.common.errors import ServiceUnavailable
from backend.app.db.changes import ChangeWatch
from backend.app.db.engine import AsyncDatabase, Database, database_now, is_outage, normalise_url
from backend.app.db.models import USERS
from backend.app.tasks import queue
from backend.app.tasks.queue.events import DUE_CHANNEL, EVENTS_CHANNEL
from backend.app.tasks.task import NewTask
from backend.tests.queue_world import World


def _names(conn: Connection) -> list[str]:
    return list(conn.execute(select(USERS.c.username).order_by(USERS.c.id)).scalars())


def _remove_all(conn: Connection) -> None:
    conn.execute(delete(USERS))


def _broken(conn: Connection) -> None:
    conn.execute(text("SELECT no_such_column FROM users"))


@contextmanager
def _another_writer(url: str, *, seconds: float | None = None) -> Iterator[None]:
    """Holds SQLite's write lock for the whole block, or only for its first `seconds`."""
    path = str(normalise_url(url).database)
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        let_go = threading.Timer(seconds or 0, other.rollback)
        if seconds is not None:
            let_go.start()
        yield
        if seconds is not None:
            let_go.join()
        else:
            other.rollback()


def test_a_write_is_one_transaction(database: Database) -> None:
    world = World(database)
    world.user()

    def broken_half_way() -> None:
        with database.write() as conn:
            _remove_all(conn)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken_half_way()

    assert len(world.read(_names)) == 1


def test_a_read_sees_each_commit_and_a_snapshot_does_not(database: Database) -> None:
    world = World(database)
    world.user()

    with database.read() as reading, database.snapshot() as fixed:
        assert len(_names(reading)) == len(_names(fixed)) == 1
        world.user()
        assert (len(_names(reading)), len(_names(fixed))) == (2, 1)


def test_the_database_has_one_clock_that_runs_within_a_transaction(database: Database) -> None:
    with database.write() as conn:
        first = database_now(conn)
        time.sleep(0.01)
        assert database_now(conn) > first
        assert first.utcoffset() is not None


def test_foreign_keys_hold_on_each_connection(database: Database) -> None:
    with pytest.raises(Exception, match=r"(?i)foreign key"), database.write() as conn:
        queue.submit(conn, [NewTask(404, "noop", {}, {})])


def test_a_sqlite_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """It holds password hashes; the side files are made in the mode of the file itself."""
    database = Database(f"sqlite:///{tmp_path / 'data' / 'new.db'}")
    with database.write() as conn:
        conn.execute(text("CREATE TABLE x (a int)"))

        files = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "data").iterdir()}
    database.dispose()

    assert set(files) == {"new.db", "new.db-wal", "new.db-shm"}
    assert set(files.values()) == {0o600}


def test_a_writer_waits_for_another_and_then_goes_on(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with _another_writer(sqlite_url, seconds=0.4):
        began = time.monotonic()
        World(database).user()
        assert time.monotonic() - began > 0.3
    database.dispose()


def test_a_write_that_waits_too_long_is_an_outage_and_the_next_one_works(sqlite_url: str) -> None:
    database = Database(sqlite_url, busy_ms=100)
    with _another_writer(sqlite_url):
        with pytest.raises(OperationalError) as caught:
            World(database).user()
        assert is_outage(caught.value)
    World(database).user()
    database.dispose()


@pytest.fixture
async def shared(database_url: str) -> AsyncIterator[AsyncDatabase]:
    made = AsyncDatabase(database_url)
    yield made
    await made.dispose()


async def test_the_same_functions_run_for_the_api(shared: AsyncDatabase) -> None:
    World(shared.sync).user()

    assert await shared.row(_names) == await shared.read(_names) == ["user1"]
    await shared.write(_remove_all)

    assert await shared.row(_names) == []


async def test_many_at_once_get_their_answers(shared: AsyncDatabase) -> None:
    world = World(shared.sync)
    user = world.user()
    told = [NewTask(user, "noop", {}, {})]

    ids = await asyncio.gather(*(shared.write(queue.submit, told) for _ in range(40)))
    rows = await asyncio.gather(*(shared.row(_names) for _ in range(40)))

    assert len({one for (one,) in ids}) == 40
    assert all(row == ["user1"] for row in rows)


async def test_a_broken_statement_is_a_bug_and_no_outage(database_url: str) -> None:
    shared = AsyncDatabase(database_url)
    for run in (shared.read, shared.write):
        with pytest.raises(Exception, match="no_such_column") as caught:
            await run(_broken)
        assert not isinstance(caught.value, ServiceUnavailable)
    await shared.dispose()


async def test_while_sqlite_is_held_reads_go_on_and_writes_end_as_a_503(sqlite_url: str) -> None:
    shared = AsyncDatabase(sqlite_url, busy_ms=300)
    World(shared.sync).user()

    with _another_writer(sqlite_url):
        waiting = asyncio.ensure_future(shared.write(_remove_all))
        began = time.monotonic()
        for _ in range(20):
            assert await shared.row(_names) == await shared.read(_names) == ["user1"]
        assert time.monotonic() - began < 0.3
        with pytest.raises(ServiceUnavailable):
            await waiting

    await shared.write(_remove_all)
    assert await shared.row(_names) == []
    await shared.dispose()


@pytest.mark.postgres
def test_whoever_is_frozen_with_the_claim_lock_in_hand_stops_the_others_for_a_moment_only(
    postgres_url: str,
) -> None:
    """SIGSTOP between two statements: the server rolls back, which the thawed one takes for an outage."""
    frozen, other = Database(postgres_url), World(Database(postgres_url))
    task_id = other.submit(other.user())
    with pytest.raises(Exception) as caught, frozen.write() as conn:  # noqa: PT012
        conn.execute(text("SET LOCAL idle_in_transaction_session_timeout = '0.3s'"))
        queue.claim(conn, "frozen", limit=1, cap=1, types=("noop",), lease_seconds=20, now=other.now)

        assert [task.id for task in other.claim("other")] == [task_id]  # waits for the lock, then has it
        queue.claim(conn, "frozen", limit=1, cap=1, types=("noop",), lease_seconds=20, now=other.now)

    assert is_outage(caught.value)
    assert other.row(task_id).worker_id == "other"
    with frozen.read() as conn:
        shown = conn.execute(text("SHOW idle_in_transaction_session_timeout")).scalar_one()
    assert shown == "10s"  # less than the 15 s that others wait for a lock
    frozen.dispose()
    other.database.dispose()


@pytest.mark.postgres
async def test_a_postgresql_that_is_not_there_is_a_503() -> None:
    shared = AsyncDatabase("postgresql://sa@127.0.0.1:1/nothing")
    for run in (shared.row, shared.read, shared.write):
        with pytest.raises(ServiceUnavailable):
            await run(_names)
    await shared.dispose()


def test_an_exhausted_pool_is_an_outage() -> None:
    """Too much to do at once says nothing about the statement: the caller may try again."""
    assert is_outage(PoolTimeout("QueuePool limit"))
    assert is_outage(ServiceUnavailable()) and is_outage(ConnectionResetError())
    assert not is_outage(ValueError()) and not is_outage(KeyError())


# Hearing of commits


class _Bell:
    def __init__(self) -> None:
        self.rung = threading.Event()

    def ring(self) -> None:
        self.rung.set()

    def heard_within(self, seconds: float) -> bool:
        heard = self.rung.wait(seconds)
        self.rung.clear()
        return heard


@pytest.mark.parametrize("channel", [DUE_CHANNEL, EVENTS_CHANNEL])
def test_a_commit_of_another_is_heard_within_milliseconds(database: Database, channel: str) -> None:
    world, bell = World(database), _Bell()
    user = world.user()
    watch = ChangeWatch(database.url.render_as_string(hide_password=False), channel)
    watch.start(bell.ring)
    try:
        assert bell.heard_within(5)  # once for what may have been missed
        time.sleep(0.05)
        bell.rung.clear()
        waits = []
        for _ in range(10):
            world.submit(user)
            committed = time.monotonic()
            assert bell.heard_within(2)
            waits.append(time.monotonic() - committed)
            time.sleep(0.02)
            bell.rung.clear()
        assert sorted(waits)[5] < 0.025, waits
        assert not bell.heard_within(0.1)
    finally:
        watch.stop()
    world.submit(user)
    assert not bell.heard_within(0.05)


@pytest.mark.postgres
def test_after_a_cut_connection_the_watch_calls_once_and_listens_again(postgres_url: str) -> None:
    database, bell = Database(postgres_url), _Bell()
    world = World(database)
    user = world.user()
    watch = ChangeWatch(postgres_url, DUE_CHANNEL)
    watch.start(bell.ring)
    try:
        assert bell.heard_within(5)
        with database.write() as conn:
            conn.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
            )
        assert bell.heard_within(5)  # something may have been missed meanwhile
        time.sleep(0.05)
        bell.rung.clear()
        world.submit(user)
        assert bell.heard_within(2)
    finally:
        watch.stop()
        database.dispose()
