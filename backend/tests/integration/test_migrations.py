"""Migrations: one migrator at a time, all or nothing, and no child row lost when SQLite rebuilds a table."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.config import Config
from sqlalchemy import inspect, text

from backend.app.db import migrate
from backend.app.db.engine import Database
from backend.app.tasks import queue
from backend.app.tasks.task import Spent, Status
from backend.tests.databases import PostgresServer
from backend.tests.queue_world import World, report

ROOT = Path(__file__).resolve().parents[3]
_MIGRATE = """
import sys
from backend.app.db import migrate
from backend.app.db.engine import Database
database = Database(sys.argv[1])
before, after = migrate.upgrade(database)
database.dispose()
print(before, after)
"""
# A later revision that changes `tasks` so that SQLite must build it anew, then what a test adds.
_REBUILD = """
from alembic import op
import sqlalchemy as sa
revision, down_revision, branch_labels, depends_on = "{revision}", "{follows}", None, None


def upgrade():
    anew = "always" if op.get_bind().dialect.name == "sqlite" else "auto"
    with op.batch_alter_table("tasks", recreate=anew) as table:
        table.add_column(sa.Column("colour", sa.Text(), nullable=True))
    {more}


def downgrade():
    with op.batch_alter_table("tasks") as table:
        table.drop_column("colour")
"""


class Scripts:
    """A copy of the product's migrations with more of them; `migrate` runs on the copy."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "migrations"
        shutil.copytree(ROOT / "backend" / "migrations", self.folder)

    def add(self, revision: str, more: str = "pass", *, follows: str | None = None) -> None:
        told = {"revision": revision, "follows": follows or migrate.head(), "more": more}
        (self.folder / "versions" / f"{revision}.py").write_text(_REBUILD.format(**told))

    def config(self) -> Config:
        made = Config(str(ROOT / "backend" / "alembic.ini"))
        made.set_main_option("script_location", str(self.folder))
        return made


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scripts:
    """From here on `migrate` runs a copy of the migrations."""
    made = Scripts(tmp_path)
    monkeypatch.setattr(migrate, "config", made.config)
    return made


def _lived_in(database: Database) -> World:
    """A database with a row in every table that points at a task."""
    world = World(database)
    task = world.running()
    world.write(queue.begin_step, task.lease, task.user_id, "s", "k", now=world.now)
    world.write(queue.finish_step, task.lease, "s", "k", {"v": 1}, spent=Spent(), now=world.now)
    world.finish(report(task, Status.COMPLETED, result={"text": "x" * 70_000}))
    world.submit(task.user_id, parent_id=task.id)
    everything = world.everything()
    assert all(everything[table] for table in everything if table != "workers")
    return world


def test_a_migration_that_rebuilds_tasks_keeps_every_child_row(database: Database, scripts: Scripts) -> None:
    """With foreign keys on, dropping the old table would delete all children by their cascades."""
    world = _lived_in(database)
    before = world.everything()
    scripts.add("0999")

    assert migrate.upgrade(database)[1] == "0999"

    with database.read() as conn:
        assert "colour" in {column["name"] for column in inspect(conn).get_columns("tasks")}
    assert world.everything() == before
    with pytest.raises(Exception, match="ck_tasks_"), database.write() as conn:
        conn.execute(text("UPDATE tasks SET status = 'gone'"))
    with database.write() as conn:  # the cascades are still there
        conn.execute(text("DELETE FROM tasks WHERE status = 'completed'"))
    assert world.everything()["task_steps"] == []


def test_a_migration_that_would_orphan_rows_is_refused_and_changes_nothing(
    sqlite_url: str, scripts: Scripts
) -> None:
    database = Database(sqlite_url)
    world = _lived_in(database)
    before = world.everything()
    scripts.add("0999", 'op.execute("DELETE FROM tasks")')

    with pytest.raises(RuntimeError, match="orphan"):
        migrate.upgrade(database)

    _assert_untouched(database, world, before)


def test_a_migration_that_fails_half_way_changes_nothing(database: Database, scripts: Scripts) -> None:
    world = _lived_in(database)
    before = world.everything()
    scripts.add("0998")
    scripts.add("0999", 'op.execute("SELECT * FROM no_such_table")', follows="0998")

    with pytest.raises(Exception, match=r"no_such_table|colour"):
        migrate.upgrade(database)

    _assert_untouched(database, world, before)


def _assert_untouched(database: Database, world: World, before: object) -> None:
    assert world.everything() == before
    with database.read() as conn:
        assert migrate.current(conn) not in {"0998", "0999"}
        assert "colour" not in {column["name"] for column in inspect(conn).get_columns("tasks")}
    (task,) = world.claim()  # the queue works as before
    assert world.finish(report(task, Status.COMPLETED)) == {task.lease}


def test_the_way_down_and_up_again_ends_with_the_same_schema(database: Database) -> None:
    with database.read() as conn:
        before = {table: repr(inspect(conn).get_columns(table)) for table in inspect(conn).get_table_names()}

    migrate.downgrade(database, "base")
    with database.read() as conn:
        assert set(inspect(conn).get_table_names()) <= {"alembic_version", "sqlite_sequence"}
    migrate.upgrade(database)

    with database.read() as conn:
        after = {table: repr(inspect(conn).get_columns(table)) for table in inspect(conn).get_table_names()}
    assert after == before


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database in which nothing was ever made."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.fresh(template="template0") as url:
        yield url


def test_three_migrators_at_once_migrate_once(empty_url: str) -> None:
    """Both start scripts migrate, and may be started together."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _MIGRATE, empty_url],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]

    ends = [process.communicate(timeout=60) for process in started]

    assert [process.returncode for process in started] == [0, 0, 0], ends
    head = migrate.head()
    assert sorted(out.strip() for out, _ in ends) == [f"{head} {head}", f"{head} {head}", f"None {head}"]
