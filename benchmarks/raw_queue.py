"""Two raw loops beside the queue's: what the database allows without our layers.

`drain_same`: the queue's own statements, in the same order and batches, through the bare driver: no
SQLAlchemy, no threads, no asyncio, no validation. `drain_least`: the least that writes the same rows: no
fairness between users, no locks in order, no JSON batches.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from sqlalchemy import make_url

from backend.app.db.types import json_text, time_text
from backend.app.tasks.queue.claim import _CLAIM, _OPEN_ATTEMPTS, _PICK, share
from backend.app.tasks.queue.events import _INSERT, _LOCK_CLAIMS
from backend.app.tasks.queue.finish import _CLOSE_ATTEMPTS, _FINISH
from backend.tests.databases import PostgresServer, postgres_programs

NO_QUOTA = 1_000_000
_TYPES = json.dumps(["noop"])


class Driver:
    """A bare connection that runs statements with `:name` binds."""

    def __init__(self, url: str) -> None:
        self.name = make_url(url).get_backend_name()
        self._texts: dict[str, str] = {}
        if self.name == "sqlite":
            self._conn: Any = sqlite3.connect(str(make_url(url).database), isolation_level=None)
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                self._conn.execute(f"PRAGMA {pragma}")
        else:
            self._conn = psycopg.connect(url.replace("+psycopg", ""), options="-c timezone=UTC")

    def begin(self) -> None:
        if self.name == "sqlite":
            self._conn.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self._conn.commit()

    def run(self, sql: str, values: dict[str, Any] | None = None) -> list[Any]:
        if self.name != "sqlite":
            text = self._texts.get(sql)
            if text is None:
                text = self._texts[sql] = re.sub(r"(?<!:):([a-z]\w*)", r"%(\1)s", sql)
            sql = text
        cursor = self._conn.execute(sql, values or {})
        return list(cursor.fetchall()) if cursor.description else []

    def now(self) -> datetime:
        if self.name == "sqlite":
            return datetime.now(UTC)
        return self.run("SELECT clock_timestamp()")[0][0]  # type: ignore[no-any-return]

    def time(self, value: datetime) -> Any:
        return time_text(value) if self.name == "sqlite" else value

    def close(self) -> None:
        self._conn.close()


# The queue's own statements


def drain_same(url: str, batch: int) -> float:
    """Claim and complete everything that is due; the seconds it took."""
    driver = Driver(url)
    began = time.monotonic()
    while rows := _claim(driver, batch):
        _complete(driver, rows)
    took = time.monotonic() - began
    driver.close()
    return took


def _claim(driver: Driver, batch: int) -> list[Any]:
    driver.begin()
    now = driver.now()
    if driver.name != "sqlite":
        now = driver.run(str(_LOCK_CLAIMS))[0][1]
    values: dict[str, Any] = {
        "now": driver.time(now),
        "most": batch,
        "crashes_from": 0,
        "crashes_to": 2,
        "texts": _TYPES,
    }
    queues = []
    for _, running, due in driver.run(_PICK.words(driver.name), values):
        ids = json.loads(due) if isinstance(due, str) else due
        if ids:
            queues.append((running, ids))
    ids = share(queues, limit=batch, cap=NO_QUOTA)
    rows: list[Any] = []
    if ids:
        until = driver.time(now + timedelta(seconds=20))
        values = {"ids": json.dumps(ids), "worker": "raw", "now": driver.time(now), "until": until}
        rows = driver.run(_CLAIM.words(driver.name), values)
        driver.run(_OPEN_ATTEMPTS.words(driver.name), {"ids": json.dumps(ids)})
        _record(driver, rows, "task_started", "running", now)
    driver.commit()
    return rows


def _complete(driver: Driver, rows: list[Any]) -> None:
    driver.begin()
    now = driver.now()
    reports = [
        {
            "id": row[0],
            "seq": row[7],
            "target": "completed",
            "used": 0,
            "final": 1,
            "result": {"ok": 1},
            "meta": {},
            "outcome": "completed",
            "usage": {"calls": 0},
        }
        for row in rows
    ]
    ids = json_text([row[0] for row in rows])
    values = {"rows": json_text(reports), "ids": ids, "now": driver.time(now)}
    driver.run(_FINISH.words(driver.name), values)
    driver.run(_CLOSE_ATTEMPTS.words(driver.name), values)
    _record(driver, rows, "task_completed", "completed", now)
    driver.commit()


def _record(driver: Driver, rows: list[Any], kind: str, status: str, now: datetime) -> None:
    lines = [
        {
            "task_id": row[0],
            "user_id": row[2],
            "type": kind,
            "status": status,
            "data": {"attempt": row[4]},
            "at": time_text(now),
        }
        for row in rows
    ]
    driver.run(_INSERT.words(driver.name), {"rows": json_text(lines)})


# The least

_LEAST_CLAIM = """
UPDATE tasks SET status = 'running', lease_seq = lease_seq + 1, lease_until = {now}, worker_id = 'raw',
       attempt = attempt + 1, progress = NULL, started_at = {now}
WHERE id {among}SELECT id FROM tasks WHERE status IN ('pending','retry') AND run_at <= {now}
                ORDER BY priority DESC, run_at, id LIMIT {batch}{close}
RETURNING id, user_id, lease_seq, payload
"""
_LEAST_ATTEMPTS = """
INSERT INTO task_attempts (task_id, attempt, lease_seq, worker_id, started_at)
SELECT id, attempt, lease_seq, worker_id, started_at FROM tasks WHERE id {among}{ids}{close}
"""
_LEAST_COMPLETE = """
UPDATE tasks SET status = 'completed', completed_at = {now}, result = '{{"ok":1}}', lease_until = NULL,
       worker_id = NULL, crash_count = 0, error = NULL
WHERE id {among}{ids}{close} RETURNING id
"""
_LEAST_CLOSE = """
UPDATE task_attempts SET ended_at = {now}, outcome = 'completed' WHERE task_id {among}{ids}{close}
"""
_LEAST_EVENTS = """
INSERT INTO task_events (task_id, user_id, type, status, data, created_at)
SELECT id, user_id, '{type}', '{status}', '{{"attempt":1}}', {now} FROM tasks WHERE id {among}{ids}{close}
"""
_LEAST_WORDS = {
    "sqlite": {
        "now": "strftime('%Y-%m-%d %H:%M:%f000','now')",
        "among": "IN (",
        "close": ")",
        "ids": "SELECT value FROM json_each(:ids)",
    },
    # Arrays instead of joins, for the reason given in db/types.py: without them the loop is half as fast.
    "postgresql": {
        "now": "clock_timestamp()",
        "among": "= ANY(ARRAY(",
        "close": "))",
        "ids": "SELECT CAST(value AS bigint) FROM json_array_elements_text(CAST(:ids AS json))",
    },
}


def drain_least(url: str, batch: int) -> float:
    """Claim and complete everything that is due; the seconds it took."""
    driver = Driver(url)
    words = _LEAST_WORDS[driver.name] | {"batch": str(batch)}
    started = _LEAST_EVENTS.format(type="task_started", status="running", **words)
    completed = _LEAST_EVENTS.format(type="task_completed", status="completed", **words)
    began = time.monotonic()
    while True:
        driver.begin()
        rows = driver.run(_LEAST_CLAIM.format(**words))
        if not rows:
            break
        ids = {"ids": json.dumps([row[0] for row in rows])}
        driver.run(_LEAST_ATTEMPTS.format(**words), ids)
        driver.run(started, ids)
        driver.commit()
        driver.begin()
        driver.run(_LEAST_COMPLETE.format(**words), ids)
        driver.run(_LEAST_CLOSE.format(**words), ids)
        driver.run(completed, ids)
        driver.commit()
    took = time.monotonic() - began
    driver.close()
    return took


@contextlib.contextmanager
def postgres(url: str) -> Iterator[str]:
    """The URL given, or that of a durable server started for this run."""
    if url:
        yield url
        return
    programs = postgres_programs()
    if programs is None:
        raise SystemExit("PostgreSQL is not installed")
    server = PostgresServer(programs, durable=True)
    try:
        server.start()
        yield server.url("postgres")
    finally:
        server.remove()
