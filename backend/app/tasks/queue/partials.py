"""What an unfinished task has found so far: one row a task, written by the attempt that holds its lease."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Connection

from backend.app.db.engine import database_now
from backend.app.db.models import TASK_PARTIALS, TASKS
from backend.app.tasks.task import JSON, Lease, Status

_partials, _tasks = TASK_PARTIALS, TASKS


def keep_partial(
    conn: Connection,
    lease: Lease,
    body: JSON,
    document_sha256: str | None,
    *,
    now: datetime | None = None,
) -> bool:
    """Replace the task's partial result; False when the attempt is no longer ours."""
    now = now or database_now(conn)
    mine = (
        select(_tasks.c.id)
        .where(
            _tasks.c.id == lease.task_id,
            _tasks.c.lease_seq == lease.seq,
            _tasks.c.status == Status.RUNNING,
        )
        .with_for_update(key_share=True)
    )
    if conn.execute(mine).first() is None:
        return False
    values = {
        "lease_seq": lease.seq,
        "body": body,
        "document_sha256": document_sha256,
        "updated_at": now,
    }
    changed = conn.execute(update(_partials).where(_partials.c.task_id == lease.task_id).values(values))
    if not changed.rowcount:
        conn.execute(insert(_partials).values(task_id=lease.task_id, **values))
    return True


def drop_partials(conn: Connection, task_ids: Sequence[int]) -> None:
    """The whole results are there."""
    conn.execute(delete(_partials).where(_partials.c.task_id.in_(list(task_ids))))
