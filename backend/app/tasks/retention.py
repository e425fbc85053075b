"""What is kept no longer: `python -m backend.app.cli purge`. May run at any time beside API and workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from backend.app.auth import sessions, throttle
from backend.app.db.engine import Database
from backend.app.db.models import IDEMPOTENCY_KEYS, LOGIN_FAILURES, SESSIONS
from backend.app.documents.storage import GRACE, Storage
from backend.app.tasks import idempotency
from backend.app.tasks.queue import purge

# Rows of workers and sessions that ended are of use to an investigation for a while.
ENDED_AGE = timedelta(days=7)
_BATCH = 200


@dataclass
class Purged:
    """How many of each kind went, or would go."""

    counts: dict[str, int] = field(default_factory=dict)


def run(database: Database, storage: Storage, *, now: datetime, days: int, dry_run: bool) -> Purged:
    """Delete what is past its time. `days`: how long ended tasks and unused uploads are kept; 0 for ever."""
    purged = Purged()
    for name, count, delete in _kinds(now, days):
        if dry_run:
            with database.read() as conn:
                purged.counts[name] = count(conn)
        else:
            purged.counts[name] = _in_batches(database, delete)
    purged.counts["orphan_files"] = _orphans(database, storage, now, dry_run=dry_run)
    return purged


Counting = Callable[[Connection], int]


def _kinds(now: datetime, days: int) -> Iterator[tuple[str, Counting, Counting]]:
    """Name, how many, and one batch of the deletion (0 when nothing is left)."""
    if days > 0:
        cutoff = now - timedelta(days=days)
        yield (
            "tasks",
            lambda conn: purge.count_ended_tasks(conn, before=cutoff),
            lambda conn: purge.delete_ended_tasks(conn, before=cutoff, limit=_BATCH),
        )
        yield (
            "uploads",
            lambda conn: purge.count_unused_files(conn, before=cutoff),
            lambda conn: purge.delete_unused_files(conn, before=cutoff, limit=_BATCH),
        )
    ended = now - ENDED_AGE
    yield (
        "sessions",
        lambda conn: _count_sessions(conn, ended),
        lambda conn: sessions.purge(conn, before=ended),
    )
    yield (
        "login_failures",
        lambda conn: _count_failures(conn, now),
        lambda conn: throttle.purge(conn, now=now),
    )
    yield (
        "idempotency_keys",
        lambda conn: _count_keys(conn, now),
        lambda conn: idempotency.purge(conn, now=now),
    )
    yield (
        "workers",
        lambda conn: purge.count_gone_workers(conn, before=ended),
        lambda conn: purge.delete_gone_workers(conn, before=ended),
    )


def _in_batches(database: Database, delete: Counting) -> int:
    total = 0
    while True:
        with database.write() as conn:
            gone = delete(conn)
        total += gone
        if not gone:
            return total


def _orphans(database: Database, storage: Storage, now: datetime, *, dry_run: bool) -> int:
    """Stored bytes that no row names, when they are an hour old: an upload is a file before it is a row.
    The storage asks under the content's lock, so that the same content uploaded at this moment stays."""

    def used(sha256: str) -> bool:
        with database.read() as conn:
            return purge.is_stored_for(conn, sha256)

    at = now.timestamp()
    if dry_run:
        return sum(storage.age(f.sha256, now=at) >= GRACE and not used(f.sha256) for f in storage.files())
    removed = sum(storage.remove_unreferenced(f.sha256, used, now=at) for f in storage.files())
    return removed + storage.sweep(now=at)


def _count_sessions(conn: Connection, before: datetime) -> int:
    table = SESSIONS.c
    ended = (table.expires_at < before) | (table.revoked_at < before)
    return int(conn.execute(select(func.count()).select_from(SESSIONS).where(ended)).scalar_one())


def _count_failures(conn: Connection, now: datetime) -> int:
    old = LOGIN_FAILURES.c.last_at < now - throttle.FORGET_AFTER
    return int(conn.execute(select(func.count()).select_from(LOGIN_FAILURES).where(old)).scalar_one())


def _count_keys(conn: Connection, now: datetime) -> int:
    old = IDEMPOTENCY_KEYS.c.created_at <= now - idempotency.KEPT
    return int(conn.execute(select(func.count()).select_from(IDEMPOTENCY_KEYS).where(old)).scalar_one())
