"""Fixtures of the queue's tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.app.db.engine import Database
from backend.tests.queue_world import World


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def shared_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """One database for all tests that clear it first: making one for each would take most of their time."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        file = tmp_path_factory.mktemp("shared") / "shared.db"
        shutil.copyfile(template, file)
        database = Database(f"sqlite:///{file}")
        yield database
        database.dispose()
        return
    with request.getfixturevalue("postgres_server").fresh() as url:
        database = Database(url)
        yield database
        database.dispose()


@pytest.fixture
def world(shared_database: Database) -> World:
    """An empty queue; each test that asks runs on both kinds of database."""
    made = World(shared_database)
    made.clear()
    return made
