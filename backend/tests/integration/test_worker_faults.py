"""Workers whose database goes away: nothing is lost, everything recovers without a hand, and who cannot go
on says so by its exit code."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend.app.db.engine import Database
from backend.tests.databases import PostgresServer, postgres_programs
from backend.tests.queue_world import World
from backend.tests.worker_processes import Workers, until, workers_on


def _world(url: str) -> World:
    made = World(Database(url))
    made.now = datetime.now(UTC)
    return made


def _all_completed(world: World, ids: list[int], workers: Workers, *, restarted: bool = False) -> None:
    """Each task once, by the database and by the handlers' own record."""
    assert world.statuses(ids) == {"completed": len(ids)}
    assert all(world.events(task_id).count("task_completed") == 1 for task_id in ids)
    done = Counter(line["task"] for line in workers.recorded("done"))
    assert set(done) == set(ids)
    if not restarted:
        assert set(done.values()) == {1}


@pytest.mark.postgres
def test_postgresql_crashes_twice_under_load_and_every_task_completes_once(tmp_path: Path) -> None:
    """`-m immediate`: connections cut, answers of commits lost, some seconds away."""
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    server = PostgresServer(programs, durable=True)
    try:
        server.start()
        server.make_template()
        with server.fresh() as url, workers_on(url, tmp_path / "workers") as workers:
            world = _world(url)
            started = [workers.start(lease_seconds=3.0, max_errors=1000) for _ in range(2)]
            ids: list[int] = []
            for round_ in range(4):
                about = {"task_type": "sleep", "payload": {"seconds": 0.1}}
                ids += world.submit_many(world.user(), 60, **about)
                time.sleep(0.15)
                if round_ % 2:
                    server.stop(signal.SIGQUIT)
                    world.database.dispose()
                    time.sleep(0.7)
                    server.start()

            until(lambda: {world.status(task_id) for task_id in ids} == {"completed"}, 40, every=0.3)

            _all_completed(world, ids, workers, restarted=True)
            assert all(worker.is_running for worker in started)
            world.database.dispose()
    finally:
        server.remove()


def test_sqlite_held_by_another_writer_beyond_the_lease_loses_and_doubles_nothing(
    sqlite_url: str, tmp_path: Path
) -> None:
    """Nobody can renew meanwhile; afterwards nobody may mistake the others for dead."""
    world = _world(sqlite_url)
    path = sqlite_url.removeprefix("sqlite:///")
    with workers_on(sqlite_url, tmp_path / "workers") as workers:
        started = [workers.start(), workers.start()]
        time.sleep(2.5)  # both are steady: they may sweep
        ids = world.submit_many(world.user(), 30, task_type="sleep", payload={"seconds": 0.8})
        until(lambda: world.statuses(ids)["running"] == 30)
        with closing(sqlite3.connect(path, isolation_level=None, timeout=20)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert all(world.status(task_id) == "running" for task_id in ids)  # readers go on
            time.sleep(3.0)
            other.rollback()

        until(lambda: {world.status(task_id) for task_id in ids} == {"completed"}, 20)

        assert all(world.attempts(task_id) == ["completed"] for task_id in ids)
        _all_completed(world, ids, workers)
        assert all(worker.is_running for worker in started)
    world.database.dispose()


def test_a_worker_whose_database_stays_away_gives_up_with_an_error_code(
    sqlite_url: str, tmp_path: Path
) -> None:
    """Ten errors in a row last five minutes; here five, a tenth of a second apart. Its supervisor starts it
    again."""
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    with workers_on(sqlite_url, tmp_path / "workers") as workers:
        worker = workers.start(max_errors=5, error_pause=0.1, shutdown_grace=0.5)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("ALTER TABLE tasks RENAME TO gone")  # what every claim needs

        assert worker.ended() == 1

        assert [line["errors"] for line in worker.lines("worker_error")] == [1, 2, 3, 4, 5]
        assert len(worker.lines("worker_gives_up")) == 1
        assert len(worker.lines("worker_stopped")) == 1


def test_a_few_errors_between_successes_never_end_a_worker(sqlite_url: str, tmp_path: Path) -> None:
    """Only errors in a row count."""
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    world = _world(sqlite_url)
    with workers_on(sqlite_url, tmp_path / "workers") as workers:
        worker = workers.start(max_errors=4, error_pause=0.3)
        for round_ in range(3):
            seen = len(worker.lines("worker_error"))
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("ALTER TABLE tasks RENAME TO gone")
                until(lambda seen=seen: len(worker.lines("worker_error")) > seen + 1)
                other.execute("ALTER TABLE gone RENAME TO tasks")
            task_id = world.submit(world.user(), payload={"n": round_})
            until(lambda task_id=task_id: world.status(task_id) == "completed")
        assert worker.is_running
    world.database.dispose()


@pytest.mark.postgres
def test_a_worker_that_never_finds_its_database_gives_up_too(tmp_path: Path) -> None:
    url = "postgresql://sa@127.0.0.1:1/nothing"
    with workers_on(url, tmp_path / "workers") as workers:
        worker = workers.launch(max_errors=3, error_pause=0.1)

        assert worker.ended() == 1

        assert len(worker.lines("worker_error")) == 3


@pytest.mark.postgres
def test_a_stop_while_the_database_is_still_missing_is_no_error(tmp_path: Path) -> None:
    url = "postgresql://sa@127.0.0.1:1/nothing"
    with workers_on(url, tmp_path / "workers") as workers:
        worker = workers.launch(max_errors=1000, error_pause=0.1)
        until(lambda: len(worker.lines("worker_error")) > 1)
        worker.send(signal.SIGTERM)

        assert worker.ended() == 0
