"""Fixtures shared by all tests: databases of both kinds, fresh for each test."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from backend.app.db.engine import Database
from backend.tests.api_client import Api, running_api
from backend.tests.databases import PostgresServer, migrated_sqlite, postgres_programs


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for the whole run. Without PostgreSQL the tests that need it are skipped, unless
    SA_TESTS_SKIP_NOTHING is set (as it is in CI)."""
    programs = postgres_programs()
    if programs is None:
        if os.environ.get("SA_TESTS_SKIP_NOTHING"):
            pytest.fail("PostgreSQL is not installed and nothing may be skipped")
        pytest.skip("PostgreSQL is not installed")
    server = PostgresServer(programs)
    try:
        server.start()
        server.make_template()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated_sqlite(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite database of the test's own."""
    file = tmp_path / "test.db"
    shutil.copyfile(sqlite_template, file)
    return f"sqlite:///{file}"


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A migrated PostgreSQL database of the test's own."""
    with postgres_server.fresh() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of the test's own: each test that asks runs on both kinds."""
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    return str(request.getfixturevalue(name))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.dispose()


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    """The API over a fresh database of each kind."""
    async with running_api(database_url, tmp_path / "data") as made:
        yield made


@pytest.fixture
async def sqlite_api(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    """The API on SQLite, for what does not depend on the database."""
    async with running_api(sqlite_url, tmp_path / "data") as made:
        yield made
