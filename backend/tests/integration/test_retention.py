"""What `cli purge` deletes and what it leaves, on both databases."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from backend.app import cli
from backend.app.db.engine import Database
from backend.app.db.models import FILES, TASK_ATTEMPTS, TASK_EVENTS, TASKS, WORKERS
from backend.app.documents.storage import Storage
from backend.app.tasks import queue, retention
from backend.app.tasks.task import Status
from backend.tests.queue_world import World

DAYS = 30


class House:
    """A queue with its storage, and a purge that happens `later` days after now."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.world, self.storage = World(database), Storage(folder)

    def purge(self, *, days: int = DAYS, later: float = 0, dry_run: bool = False) -> dict[str, int]:
        now = self.world.now + timedelta(days=later)
        database = self.world.database
        return retention.run(database, self.storage, now=now, days=days, dry_run=dry_run).counts

    def count(self, table: object) -> int:
        with self.world.database.read() as conn:
            return int(conn.execute(select(func.count()).select_from(table)).scalar_one())  # type: ignore[arg-type]

    def upload(self, user: int, content: bytes, at: datetime) -> tuple[int, str]:
        stored = self.storage.put_bytes(content)
        os.utime(self.storage.path(stored.sha256), (at.timestamp(), at.timestamp()))
        with self.world.database.write() as conn:
            row = {"user_id": user, "sha256": stored.sha256, "filename": "a.txt", "size": stored.size}
            made = conn.execute(
                insert(FILES).values(**row, media_type="text/plain", created_at=at).returning(FILES.c.id)
            )
            return int(made.scalar_one()), stored.sha256


@pytest.fixture
def house(database: Database, tmp_path: Path) -> House:
    return House(database, tmp_path / "files")


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.CANCELLED])
def test_an_ended_task_goes_with_all_its_rows_when_its_time_is_over(house: House, status: Status) -> None:
    house.world.in_state(status)

    assert house.purge(later=DAYS - 1)["tasks"] == 0
    assert house.count(TASKS) == 1
    assert house.purge(later=DAYS + 1)["tasks"] == 1

    assert [house.count(table) for table in (TASKS, TASK_ATTEMPTS, TASK_EVENTS)] == [0, 0, 0]


@pytest.mark.parametrize("status", [Status.RUNNING, Status.RETRY, Status.PENDING])
def test_a_task_that_has_not_ended_stays_however_old_it_is(house: House, status: Status) -> None:
    house.world.in_state(status)

    assert house.purge(later=1000)["tasks"] == 0

    assert house.count(TASKS) == 1


def test_nothing_ended_goes_when_it_is_kept_for_ever(house: House) -> None:
    house.world.in_state(Status.COMPLETED)

    assert "tasks" not in house.purge(days=0, later=1000)

    assert house.count(TASKS) == 1


def test_more_tasks_than_a_batch_all_go(house: House) -> None:
    user = house.world.user()
    for task_id in house.world.submit_many(user, 450):
        house.world.write(queue.cancel, user, task_id, now=house.world.now)

    assert house.purge(later=DAYS + 1)["tasks"] == 450


def test_a_dry_run_counts_the_same_and_deletes_nothing(house: House) -> None:
    house.world.in_state(Status.COMPLETED)
    house.upload(house.world.user(), b"unused", house.world.now)
    orphan = house.storage.put_bytes(b"orphan")
    os.utime(house.storage.path(orphan.sha256), (house.world.now.timestamp(),) * 2)

    counted = house.purge(later=DAYS + 1, dry_run=True)

    assert (counted["tasks"], counted["uploads"], counted["orphan_files"]) == (1, 1, 1)
    assert (house.count(TASKS), house.count(FILES)) == (1, 1)
    assert house.storage.exists(orphan.sha256)
    deleted = house.purge(later=DAYS + 1)
    assert (deleted["tasks"], deleted["uploads"]) == (1, 1)
    # The unused upload's bytes became an orphan when its row went.
    assert deleted["orphan_files"] == 2


def test_a_file_stays_while_a_task_needs_it(house: House) -> None:
    user = house.world.user()
    file_id, sha256 = house.upload(user, b"needed", house.world.now)
    house.world.submit(user, file_id=file_id, file_sha256=sha256)

    counts = house.purge(later=1000)

    assert (counts["uploads"], counts["orphan_files"]) == (0, 0)
    assert house.storage.read_bytes(sha256) == b"needed"


def test_an_upload_whose_row_is_still_to_come_stays(house: House) -> None:
    fresh = house.storage.put_bytes(b"on its way")
    at = house.world.now.timestamp()
    os.utime(house.storage.path(fresh.sha256), (at, at))

    assert house.purge(later=0.5 / 24)["orphan_files"] == 0
    assert house.purge(later=2 / 24)["orphan_files"] == 1

    assert not house.storage.exists(fresh.sha256)


def test_rows_of_workers_go_after_a_week_unless_they_hold_a_task(house: House) -> None:
    world = house.world
    for name in ("gone", "holds"):
        world.write(queue.register_worker, world.identity(name), now=world.now)
    world.running(worker="holds")

    assert house.purge(later=6)["workers"] == 0
    assert house.purge(later=8)["workers"] == 1

    with world.database.read() as conn:
        assert list(conn.execute(select(WORKERS.c.id)).scalars()) == ["holds"]


def test_the_command_says_what_it_deleted(
    house: House,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    house.world.in_state(Status.CANCELLED)
    monkeypatch.setenv("SA_DATABASE_URL", database_url)
    monkeypatch.setenv("SA_DATA_DIR", str(tmp_path))

    assert cli.run(["purge", "--days", "1", "--dry-run"]) == 0
    assert cli.run(["purge", "--days", "1"]) == 0

    said = capsys.readouterr().out
    assert "将删除：" in said
    assert said.count("已结束的任务 1") == 2
    assert house.count(TASKS) == 0
