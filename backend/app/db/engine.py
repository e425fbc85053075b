"""How SQL is run. Every query and transition is a plain function over a SQLAlchemy `Connection`; here,
and only here, it is decided on which connection, in which thread and in which kind of transaction.

`Database` runs functions synchronously (worker, CLI, migrations). `AsyncDatabase` runs the same functions
for the API: on PostgreSQL through `AsyncConnection.run_sync`; on SQLite primary-key reads of small rows
straight on the loop (busy_timeout 0; when busy, in a thread), other reads in a small thread pool and
writes in one thread of their own. `benchmarks/api_reads.py` has the figures behind that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import URL, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from backend.app.common.errors import ServiceUnavailable
from backend.app.db.types import json_text

P = ParamSpec("P")
T = TypeVar("T")

# PostgreSQL: a statement that hangs must not hold a worker; waiting for the claim lock is a lock wait.
# A plan that was cached while a queue's tables were small would be kept while they grow (a look then read
# every task once for each user); foreign-key checks are such plans, too. Planning each time costs less.
# Who is frozen inside a transaction (SIGSTOP, a paused machine) may hold the claim lock: the server ends it
# before those who wait for that lock give up.
_PG_OPTIONS = (
    "-c timezone=UTC -c statement_timeout=30000 -c lock_timeout=15000 -c plan_cache_mode=force_custom_plan"
    " -c idle_in_transaction_session_timeout=10000"
)
# A host that falls silent must become an error: the server's timeouts are worth nothing when it is gone.
PG_LINK: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,  # milliseconds
}
_SQLITE_BUSY_MS = 20_000


def is_outage(error: BaseException) -> bool:
    """Whether the database, not the statement, is at fault: gone, restarting, locked, full."""
    if isinstance(error, DBAPIError):
        if getattr(error.orig, "sqlite_errorname", "") == "SQLITE_ERROR":
            return False  # no such table, a syntax error: sqlite3 calls these operational, too
        return isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
    return isinstance(error, ServiceUnavailable | PoolTimeout | TimeoutError | OSError)


def database_now(conn: Connection) -> datetime:
    """The one clock. PostgreSQL: `clock_timestamp()`, read after the locks are held; `now()` stands
    still from BEGIN. SQLite has one host, so its clock is the database's."""
    if conn.dialect.name == "sqlite":
        return datetime.now(UTC)
    return conn.execute(_CLOCK).scalar_one().astimezone(UTC)  # type: ignore[no-any-return]


_CLOCK = text("SELECT clock_timestamp()")


def normalise_url(url: str) -> URL:
    """`postgres://` and `postgresql://` mean psycopg 3 here."""
    made = make_url(url)
    if made.drivername in {"postgres", "postgresql"}:
        made = made.set(drivername="postgresql+psycopg")
    if made.get_backend_name() not in {"sqlite", "postgresql"}:
        raise ValueError(f"unsupported database: {made.drivername}")
    return made


class Database:
    """Synchronous access. `read()` gives a connection without write intent, `write()` one transaction."""

    def __init__(self, url: str, *, pool_size: int = 5, busy_ms: int = _SQLITE_BUSY_MS) -> None:
        self.url = normalise_url(url)
        self.dialect = self.url.get_backend_name()
        if self.dialect == "sqlite":
            self.engine = _sqlite_engine(self.url, pool_size, busy_ms)
        else:
            self.engine = _postgresql_engine(self.url, pool_size)
        self._writing = self.engine.execution_options(begin="IMMEDIATE")
        # A single SELECT needs no transaction around it: one round trip less on both.
        autocommit = {"begin": None} if self.dialect == "sqlite" else {"isolation_level": "AUTOCOMMIT"}
        self._reading = self.engine.execution_options(**autocommit)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """For SELECTs; each statement sees the latest commit."""
        with self._reading.connect() as conn:
            yield conn

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """For several SELECTs that must agree with each other."""
        with self.engine.connect() as conn:
            if self.dialect == "postgresql":
                conn.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            yield conn

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, committed at the end. SQLite: BEGIN IMMEDIATE, so that it never fails with
        SQLITE_BUSY_SNAPSHOT half-way; busy_timeout then holds for the wait."""
        with self._writing.begin() as conn:
            yield conn

    def dispose(self) -> None:
        self.engine.dispose()


class AsyncDatabase:
    """The API's way to the same functions: `await db.write(queue.cancel, user_id, task_id)`."""

    def __init__(self, url: str, *, pool_size: int = 10, busy_ms: int = _SQLITE_BUSY_MS) -> None:
        self.sync = Database(url, pool_size=4, busy_ms=busy_ms)
        self.dialect = self.sync.dialect
        self._async: AsyncEngine | None = None
        if self.dialect == "postgresql":
            self._async = _async_engine(self.sync.url, pool_size)
            # Connections of their own: to switch one to autocommit and back for each read, and to roll it
            # back when it is returned, takes as long as the read.
            self._async_reading = _async_engine(
                self.sync.url, pool_size, isolation_level="AUTOCOMMIT", pool_reset_on_return=None
            )
        else:
            self._on_loop = Database(url, pool_size=1, busy_ms=0)
            self._readers = ThreadPoolExecutor(4, thread_name_prefix="db-read")
            self._writer = ThreadPoolExecutor(1, thread_name_prefix="db-write")

    async def row(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A primary-key read of a small row."""
        if self._async is not None:
            return await self.read(fn, *args, **kwargs)
        try:
            with self._on_loop.read() as conn:
                return fn(conn, *args, **kwargs)
        except OperationalError:
            return await self.read(fn, *args, **kwargs)

    async def read(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Any other read; several SELECTs inside see one state on neither database unless they say so."""
        if self._async is not None:
            try:
                async with self._async_reading.connect() as conn:
                    return await conn.run_sync(lambda sync: fn(sync, *args, **kwargs))
            except (DBAPIError, PoolTimeout) as error:
                raise _as_unavailable(error) from error
        return await self._in_thread(self._readers, self.sync.read, lambda conn: fn(conn, *args, **kwargs))

    async def write(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """One transaction, committed before this returns (so before any answer is sent)."""
        if self._async is not None:
            try:
                async with self._async.begin() as conn:
                    return await conn.run_sync(lambda sync: fn(sync, *args, **kwargs))
            except (DBAPIError, PoolTimeout) as error:
                raise _as_unavailable(error) from error
        return await self._in_thread(self._writer, self.sync.write, lambda conn: fn(conn, *args, **kwargs))

    async def _in_thread(self, pool: ThreadPoolExecutor, how: Any, fn: Callable[[Connection], T]) -> T:
        def run() -> T:
            try:
                with how() as conn:
                    return fn(conn)
            except (DBAPIError, PoolTimeout) as error:
                raise _as_unavailable(error) from error

        # A client that leaves must not stop a write half-way: the thread goes on, its answer is dropped.
        return await asyncio.get_running_loop().run_in_executor(pool, run)

    async def dispose(self) -> None:
        if self._async is not None:
            await self._async.dispose()
            await self._async_reading.dispose()
        else:
            self._readers.shutdown(wait=True)
            self._writer.shutdown(wait=True)
            self._on_loop.dispose()
        self.sync.dispose()


def _as_unavailable(error: SQLAlchemyError) -> Exception:
    """An outage becomes a 503 with a sentence; a broken statement stays what it is (a bug)."""
    return ServiceUnavailable() if is_outage(error) else error


def _postgresql_engine(url: URL, pool_size: int) -> Engine:
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=15,
        json_serializer=json_text,
        connect_args={"options": _PG_OPTIONS, **PG_LINK},
    )


def _async_engine(url: URL, pool_size: int, **options: Any) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=15,
        json_serializer=json_text,
        connect_args={"options": _PG_OPTIONS, **PG_LINK},
        **options,
    )


def _sqlite_engine(url: URL, pool_size: int, busy_ms: int) -> Engine:
    if url.database and url.database != ":memory:":
        file = Path(url.database).expanduser()
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # It holds password hashes and customers' results; SQLite gives its side files the same mode.
        file.touch(mode=0o600, exist_ok=True)
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        json_serializer=json_text,
        connect_args={"check_same_thread": False, "timeout": busy_ms / 1000},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        # We write BEGIN ourselves: the driver's own begins are deferred and come too late.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={busy_ms}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA temp_store=MEMORY")
        cursor.execute("PRAGMA cache_size=-16000")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(conn: Connection) -> None:
        kind = conn.get_execution_options().get("begin", "DEFERRED")
        if kind is not None:
            conn.exec_driver_sql(f"BEGIN {kind}")

    return engine
