"""Bring the schema to the newest revision: one migrator at a time, all or nothing.

SQLite rebuilds a table to change it (create, copy, drop, rename). With foreign keys on, the drop would
delete every child row by its cascade; so they are off before BEGIN and checked before COMMIT.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.engine import Connection

from backend.app.db.engine import Database

_BACKEND = Path(__file__).resolve().parents[2]
_MIGRATION_LOCK = 0x5A11_0003


def config() -> Config:
    """Alembic's configuration, found from the code, so that any working folder will do."""
    return Config(str(_BACKEND / "alembic.ini"))


def head() -> str:
    """The newest revision that this code knows."""
    found = ScriptDirectory.from_config(config()).get_current_head()
    assert found is not None  # noqa: S101  the package ships at least one revision
    return found


def current(conn: Connection) -> str | None:
    """The revision of this database; None when it is empty."""
    return MigrationContext.configure(conn).get_current_revision()


def upgrade(database: Database, target: str = "head") -> tuple[str | None, str | None]:
    """Migrate to `target`; the revisions before and after. RuntimeError when rows would be orphaned."""
    return _migrate(database, target, command.upgrade)


def downgrade(database: Database, target: str) -> tuple[str | None, str | None]:
    """The way back, one revision ("-1") or to a named one."""
    return _migrate(database, target, command.downgrade)


def _migrate(database: Database, target: str, how: object) -> tuple[str | None, str | None]:
    with database.engine.execution_options(begin=None).connect() as conn:
        if database.dialect == "sqlite":
            return _on_sqlite(conn, target, how)
        return _on_postgresql(conn, target, how)


def _on_sqlite(conn: Connection, target: str, how: object) -> tuple[str | None, str | None]:
    conn.exec_driver_sql("PRAGMA busy_timeout=120000")
    conn.exec_driver_sql("PRAGMA foreign_keys=OFF")
    try:
        # The write lock is the migration lock: a second migrator waits here and then finds nothing to do.
        conn.exec_driver_sql("BEGIN EXCLUSIVE")
        try:
            before = current(conn)
            _run(conn, target, how)
            after = current(conn)
            if orphans := conn.exec_driver_sql("PRAGMA foreign_key_check").all():
                raise RuntimeError(f"the migration would orphan {len(orphans)} rows; nothing changed")
        except BaseException:
            conn.exec_driver_sql("ROLLBACK")
            raise
        conn.exec_driver_sql("COMMIT")
        return before, after
    finally:
        conn.exec_driver_sql("PRAGMA foreign_keys=ON")
        conn.invalidate()  # its pragmas differ from the pool's


def _on_postgresql(conn: Connection, target: str, how: object) -> tuple[str | None, str | None]:
    with conn.begin():
        conn.execute(text("SET LOCAL lock_timeout = '120s'"))
        conn.execute(text("SET LOCAL statement_timeout = 0"))
        conn.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        before = current(conn)
        _run(conn, target, how)
        return before, current(conn)


def _run(conn: Connection, target: str, how: object) -> None:
    settings = config()
    settings.attributes["connection"] = conn
    assert callable(how)  # noqa: S101
    how(settings, target)
