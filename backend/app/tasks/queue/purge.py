"""Retention: what has ended long ago goes, a small batch a transaction, so that nobody waits for long.

A task takes its result, attempts, steps and events with it (cascades); its calls stay in the ledger.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, exists, func, select
from sqlalchemy.engine import Connection
from sqlalchemy.sql.elements import ColumnElement

from backend.app.db.models import FILES, TASK_PARTIALS, TASKS, WORKERS
from backend.app.tasks.task import FINAL, Status

_tasks, _files, _workers = TASKS.c, FILES.c, WORKERS.c


def _ended_before(before: datetime) -> ColumnElement[bool]:
    return _tasks.status.in_(sorted(FINAL)) & (_tasks.completed_at < before)


def count_ended_tasks(conn: Connection, *, before: datetime) -> int:
    """How many tasks ended before that time."""
    return int(
        conn.execute(select(func.count()).select_from(TASKS).where(_ended_before(before))).scalar_one()
    )


def delete_ended_tasks(conn: Connection, *, before: datetime, limit: int) -> int:
    """Delete up to `limit` of them; how many. The guard stands in the DELETE too: a person may have
    retried one since it was picked."""
    oldest = select(_tasks.id).where(_ended_before(before)).order_by(_tasks.id).limit(limit)
    ids = list(conn.execute(oldest).scalars())
    if not ids:
        return 0
    return conn.execute(delete(TASKS).where(_tasks.id.in_(ids), _ended_before(before))).rowcount


def _unused_before(before: datetime) -> ColumnElement[bool]:
    return (_files.created_at < before) & ~exists().where(_tasks.file_id == _files.id)


def count_unused_files(conn: Connection, *, before: datetime) -> int:
    """Uploads before that time that belong to no task (any more)."""
    return int(
        conn.execute(select(func.count()).select_from(FILES).where(_unused_before(before))).scalar_one()
    )


def delete_unused_files(conn: Connection, *, before: datetime, limit: int) -> int:
    """Delete up to `limit` of their rows; how many. The bytes go when no row names them."""
    oldest = select(_files.id).where(_unused_before(before)).order_by(_files.id).limit(limit)
    # Locked first: a task that is just being made of one holds its row, and is seen by the next statement.
    ids = list(conn.execute(oldest.with_for_update(skip_locked=True)).scalars())
    if not ids:
        return 0
    return conn.execute(delete(FILES).where(_files.id.in_(ids), _unused_before(before))).rowcount


def is_stored_for(conn: Connection, sha256: str) -> bool:
    """Whether a row still names this content: an upload, a task's file, its canonical text or that of its
    partial result."""
    named = select(_files.id).where(_files.sha256 == sha256).limit(1)
    used = (_tasks.file_sha256 == sha256) | (_tasks.document_sha256 == sha256)
    partial = select(TASK_PARTIALS.c.task_id).where(TASK_PARTIALS.c.document_sha256 == sha256).limit(1)
    return (
        conn.execute(named).first() is not None
        or conn.execute(partial).first() is not None
        or conn.execute(select(_tasks.id).where(used).limit(1)).first() is not None
    )


def _gone_before(before: datetime) -> ColumnElement[bool]:
    """Stopped in order or silent since then, and no task names it."""
    quiet = (_workers.stopped_at < before) | (_workers.heartbeat_at < before)
    holds = exists().where(_tasks.worker_id == _workers.id, _tasks.status == Status.RUNNING)
    return quiet & ~holds


def count_gone_workers(conn: Connection, *, before: datetime) -> int:
    return int(
        conn.execute(select(func.count()).select_from(WORKERS).where(_gone_before(before))).scalar_one()
    )


def delete_gone_workers(conn: Connection, *, before: datetime) -> int:
    """Delete the rows of workers that are no more; how many."""
    return conn.execute(delete(WORKERS).where(_gone_before(before))).rowcount
