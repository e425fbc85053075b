"""The test databases themselves."""

from __future__ import annotations

from sqlalchemy import text

from backend.app.db import migrate
from backend.app.db.engine import Database


def test_each_test_gets_a_migrated_and_empty_database(database: Database) -> None:
    with database.read() as conn:
        assert migrate.current(conn) == migrate.head()
        assert conn.execute(text("SELECT count(*) FROM users")).scalar_one() == 0
