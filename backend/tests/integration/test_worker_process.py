"""Real worker processes: killed, frozen, stopped. Leases are short, so that losing one takes seconds."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend.app.db.engine import Database
from backend.app.tasks import queue
from backend.tests.queue_world import World
from backend.tests.worker_processes import Workers, until, workers_on

LEASE = 2.0


@pytest.fixture
def live(world: World) -> World:
    """The queue at the present time: worker processes use the real clock."""
    world.now = datetime.now(UTC)
    return world


@pytest.fixture
def workers(live: World, tmp_path: Path) -> Iterator[Workers]:
    with workers_on(live.database.url.render_as_string(hide_password=False), tmp_path / "workers") as made:
        yield made


@pytest.fixture
def quiet(sqlite_url: str, tmp_path: Path) -> Iterator[tuple[World, Workers]]:
    """The same on SQLite only, where the database makes no difference."""
    database = Database(sqlite_url)
    made = World(database)
    made.now = datetime.now(UTC)
    with workers_on(sqlite_url, tmp_path / "workers") as workers:
        yield made, workers
    database.dispose()


def sleeping(world: World, count: int, seconds: float, user: int | None = None) -> list[int]:
    about = {"task_type": "sleep", "payload": {"seconds": seconds}}
    return world.submit_many(world.user() if user is None else user, count, **about)


def test_a_killed_workers_tasks_run_again_on_another_within_seconds(live: World, workers: Workers) -> None:
    first, second = workers.start(), workers.start()
    second.freeze()  # so that the first gets them all
    ids = sleeping(live, 8, 0.8)
    until(lambda: live.statuses(ids) == {"running": 8})
    second.thaw()

    first.kill()
    recovery = until(lambda: all(live.row(i).attempt == 2 for i in ids), 10)

    assert recovery < 3
    until(lambda: live.statuses(ids) == {"completed": 8})
    assert all(live.attempts(task_id) == ["lost", "completed"] for task_id in ids)
    assert Counter(line["task"] for line in workers.recorded("done")) == dict.fromkeys(ids, 1)


def test_a_frozen_workers_late_reports_are_refused_and_counted(live: World, workers: Workers) -> None:
    """SIGSTOP beyond the lease: the others take over, and what the zombie then says changes nothing."""
    other = workers.start()
    time.sleep(LEASE + 0.8)  # it must have been steady for a lease before it may sweep
    other.freeze()  # so that the first gets the tasks
    first = workers.start()
    ids = sleeping(live, 3, 0.7)
    until(lambda: live.statuses(ids) == {"running": 3})
    first.freeze()
    other.thaw()
    until(lambda: live.statuses(ids) == {"completed": 3}, 15)
    before = live.everything()["tasks"]

    first.thaw()
    until(lambda: bool(first.lines("stale_write")) or bool(first.lines("task_lost")), 5)
    first.send(signal.SIGTERM)

    assert first.ended() == 0
    assert live.everything()["tasks"] == before
    (stopped,) = first.lines("worker_stopped")
    assert stopped["stale_writes"] + len(first.lines("task_lost")) >= 3
    assert all(live.attempts(task_id)[0] == "lost" for task_id in ids)
    assert all(live.events(task_id).count("task_completed") == 1 for task_id in ids)


def test_a_killed_worker_wastes_only_the_step_it_was_in(quiet: tuple[World, Workers]) -> None:
    """Finished steps are not called again; the one in flight is, and is counted as in doubt."""
    live, workers = quiet
    first = workers.start()
    task_id = live.submit(live.user(), task_type="steps", payload={"count": 6, "seconds": 0.25})
    until(lambda: len(workers.recorded("call")) == 4)
    first.kill()
    workers.start()

    until(lambda: live.status(task_id) == "completed")

    assert len(workers.recorded("call")) == 7
    result = live.row(task_id).result
    assert (result["calls"], result["reused_calls"], result["in_doubt_calls"]) == (3, 3, 1)


def test_a_task_that_kills_its_workers_is_poisoned_and_the_innocent_complete(
    live: World, workers: Workers
) -> None:
    killer = live.submit(live.user(), task_type="crash", payload={"times": 99})
    beside = sleeping(live, 1, 1.0)  # dies twice with it, and then has a process of its own, too
    for _ in range(2):
        victim = workers.start()
        assert victim.ended() == -signal.SIGKILL
    others = sleeping(live, 5, 0.2)
    survivor = workers.start()  # the third death happens beside this one

    until(lambda: live.status(killer) == "failed", 20)
    until(lambda: live.statuses(beside + others) == {"completed": 6}, 20)

    row = live.row(killer)
    assert (row.error_code, row.attempt, row.retry_count) == ("poisoned", 3, 0)
    assert live.attempts(killer) == ["lost", "lost", "lost"]
    assert survivor.is_running
    assert {line["task_id"] for line in survivor.lines("task_isolated")} == {killer, *beside}
    runs = [line["pid"] for line in workers.recorded() if line["task"] == killer]
    assert len(set(runs)) == 3 and survivor.pid not in runs


def test_a_cancel_is_heard_within_two_seconds(live: World, workers: Workers) -> None:
    worker = workers.start()
    user = live.user()
    ids = sleeping(live, 3, 30, user)
    until(lambda: live.statuses(ids) == {"running": 3})

    for task_id in ids:
        assert live.write(queue.cancel, user, task_id)

    until(lambda: len(worker.lines("task_lost")) == 3, 2)
    worker.send(signal.SIGTERM)
    assert worker.ended(3) == 0
    assert live.statuses(ids) == {"cancelled": 3}


def test_an_idle_worker_stops_at_once_when_told(quiet: tuple[World, Workers]) -> None:
    world, workers = quiet
    worker = workers.start()

    worker.send(signal.SIGTERM)

    assert worker.ended(2) == 0
    (row,) = world.everything()["workers"]
    assert row[-1] is not None  # stopped_at
    assert list((workers.folder / "locks").iterdir()) == []


def test_a_busy_worker_lets_short_work_end_and_hands_the_rest_back(quiet: tuple[World, Workers]) -> None:
    world, workers = quiet
    worker = workers.start(shutdown_grace=1.0)
    short, long = sleeping(world, 2, 0.6), sleeping(world, 2, 60)
    until(lambda: world.statuses(short + long) == {"running": 4})

    worker.send(signal.SIGTERM)
    late = sleeping(world, 1, 0)

    assert worker.ended(6) == 0
    assert world.statuses(short) == {"completed": 2}
    assert world.statuses(long) == {"pending": 2}
    assert world.statuses(late) == {"pending": 1}  # nothing new is claimed
    for task_id in long:
        row = world.row(task_id)
        assert (row.retry_count, row.crash_count) == (0, 0)
        assert world.attempts(task_id) == ["released"]


def test_a_second_signal_hands_back_at_once(quiet: tuple[World, Workers]) -> None:
    world, workers = quiet
    worker = workers.start(shutdown_grace=60)
    ids = sleeping(world, 2, 60)
    until(lambda: world.statuses(ids) == {"running": 2})
    worker.send(signal.SIGTERM)
    time.sleep(0.5)
    assert worker.is_running and world.statuses(ids) == {"running": 2}

    worker.send(signal.SIGTERM)

    assert worker.ended(3) == 0
    assert world.statuses(ids) == {"pending": 2}


def test_one_worker_runs_no_more_at_once_than_it_may_and_refills(quiet: tuple[World, Workers]) -> None:
    world, workers = quiet
    workers.start(concurrency=3, batch_size=2)
    ids = sleeping(world, 9, 0.3)

    most, began = 0, time.monotonic()
    while world.statuses(ids) != {"completed": 9}:
        assert time.monotonic() - began < 10
        most = max(most, world.statuses(ids)["running"])

    assert most == 3


def test_every_kind_of_end_reaches_the_row(quiet: tuple[World, Workers]) -> None:
    world, workers = quiet
    user = world.user()
    fine, broken = world.submit(user, payload={"n": 5}), world.submit(user, task_type="fail")
    unknown = world.submit(user, task_type="nobody_knows")
    workers.start()

    until(lambda: world.status(fine) == "completed" and world.status(broken) == "failed")

    assert world.row(fine).result == {"n": 5}
    assert world.row(broken).error_code == "empty_document"
    assert world.status(unknown) == "pending"
