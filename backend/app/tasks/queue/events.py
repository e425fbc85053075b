"""The history: one row per transition and progress step, in the transaction of what it tells."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.engine import Connection

from backend.app.db.engine import database_now
from backend.app.db.types import Sql, json_text, time_text
from backend.app.tasks.task import JSON

# Transaction-scoped advisory locks of PostgreSQL; SQLite has one writer, which is the same thing.
_CLAIM_LOCK = 0x5A11_0001
_EVENT_LOCK = 0x5A11_0002

# Wake-ups: workers listen to the first, API processes to the second.
DUE_CHANNEL = "sa_due"
EVENTS_CHANNEL = "sa_events"


@dataclass(frozen=True, slots=True)
class Event:
    task_id: int
    user_id: int
    type: str  # task_created, task_started, task_progress, task_completed …
    status: str | None = None
    message: str | None = None
    data: JSON = None


# On PostgreSQL `{event_lock}` takes the lock and wakes the readers in the same statement: no row can come
# out of the join, and so no id out of the sequence, before it is held.
_INSERT = Sql(
    """
    {event_lock}
    INSERT INTO task_events (task_id, user_id, type, status, message, data, created_at)
    SELECT e.task_id, e.user_id, e.type, e.status, e.message, e.data, e.at
    FROM {after_event_lock} {rows e(task_id bigint, user_id bigint, type text, status text, message text,
                                    data json, at timestamptz)}
    """,
    words={
        "sqlite": {"event_lock": "", "after_event_lock": ""},
        "postgresql": {
            "event_lock": f"WITH l AS MATERIALIZED (SELECT pg_advisory_xact_lock({_EVENT_LOCK}),"
            f" pg_notify('{EVENTS_CHANNEL}', ''))",
            "after_event_lock": "l,",
        },
    },
)
# The clock is read in the same round trip, after the lock: a target list is evaluated from the left.
_LOCK_CLAIMS = text(f"SELECT pg_advisory_xact_lock({_CLAIM_LOCK}), clock_timestamp()")
_NOTIFY = text("SELECT pg_notify(:channel, '')")


def record(conn: Connection, events: Iterable[Event], now: datetime) -> None:
    """Append events; the last thing a transaction does.

    The lock is held to the commit, so ids become visible in their order and a reader that remembers the
    last id it saw never skips one (a sequence alone commits out of order).
    """
    at = time_text(now)
    rows = [
        {
            "task_id": e.task_id,
            "user_id": e.user_id,
            "type": e.type,
            "status": e.status,
            "message": e.message,
            "data": e.data,
            "at": at,
        }
        for e in events
    ]
    if not rows:
        return
    conn.execute(_INSERT.on(conn), {"rows": json_text(rows)})


def lock_claims(conn: Connection) -> datetime:
    """Serialise claims, so that a user's limit of running tasks is exact; the time at which the lock was
    held. A statement of its own: what follows must see everything that its last holder committed."""
    if conn.dialect.name == "sqlite":
        return database_now(conn)
    return conn.execute(_LOCK_CLAIMS).one()[1].astimezone(UTC)  # type: ignore[no-any-return]


def announce_due(conn: Connection) -> None:
    """Wake the workers at commit. On SQLite they see `PRAGMA data_version` change."""
    if conn.dialect.name == "postgresql":
        conn.execute(_NOTIFY, {"channel": DUE_CHANNEL})
