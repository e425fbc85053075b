"""Hear of commits of other processes within milliseconds: LISTEN on PostgreSQL, `PRAGMA data_version`
(9 µs) on SQLite. Only a hint: whoever is woken reads again, and polling alone would be right, too.
"""

from __future__ import annotations

import os
import select
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing

import psycopg
import structlog
from psycopg import sql

from backend.app.db.engine import PG_LINK, normalise_url

log = structlog.get_logger("changes")

_RECONNECT_FIRST_S, _RECONNECT_LONGEST_S = 0.2, 10.0
_PROBE_S = 30.0  # a connection cut without a word is found out after this time


class ChangeWatch:
    """Calls back, from a thread of its own, when something was committed; several commits may be one call.

    SQLite tells of every commit to the file, PostgreSQL of those that notified `channel`. After a lost
    connection it calls back once, for what may have been missed. `poll_seconds` is for SQLite.
    """

    def __init__(self, url: str, channel: str, *, poll_seconds: float = 0.004) -> None:
        self._url, self._channel, self._poll = normalise_url(url), channel, poll_seconds
        self._stopped = threading.Event()
        self._callback: Callable[[], None] = _nothing
        self._thread: threading.Thread | None = None
        self._wake_read, self._wake_write = -1, -1

    def start(self, callback: Callable[[], None]) -> None:
        self._callback = callback
        self._stopped.clear()
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._run, name=f"changes-{self._channel}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Returns when the thread has ended; no call comes after that."""
        if self._thread is None:
            return
        self._stopped.set()
        os.write(self._wake_write, b"x")
        self._thread.join()
        os.close(self._wake_read)
        os.close(self._wake_write)
        self._thread = None

    def _run(self) -> None:
        watch = self._watch_sqlite if self._url.get_backend_name() == "sqlite" else self._watch_postgresql
        pause = _RECONNECT_FIRST_S
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                watch()
            except (sqlite3.Error, psycopg.Error, OSError) as error:
                if time.monotonic() - began > _RECONNECT_LONGEST_S:
                    pause = _RECONNECT_FIRST_S
                log.warning("change_watch_lost", error=type(error).__name__, retry_seconds=pause)
                self._stopped.wait(pause)
                pause = min(pause * 2, _RECONNECT_LONGEST_S)

    def _watch_sqlite(self) -> None:
        connection = sqlite3.connect(str(self._url.database), timeout=1.0, isolation_level=None)
        with closing(connection):
            seen = None
            while not self._stopped.is_set():
                (version,) = connection.execute("PRAGMA data_version").fetchone()
                if version != seen:
                    seen = version
                    self._callback()
                self._stopped.wait(self._poll)

    def _watch_postgresql(self) -> None:
        dsn = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = psycopg.connect(dsn, autocommit=True, **PG_LINK)
        with closing(connection):
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
            self._callback()
            while not self._stopped.is_set():
                ready, _, _ = select.select([connection.fileno(), self._wake_read], [], [], _PROBE_S)
                if not ready:
                    connection.execute("SELECT 1")
                    self._callback()  # the probe may have swallowed a notification
                    continue
                connection.pgconn.consume_input()
                heard = False
                while connection.pgconn.notifies() is not None:
                    heard = True
                if heard and not self._stopped.is_set():
                    self._callback()


def _nothing() -> None:
    """Until `start` says what to call."""
