"""Leases and the workers that hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection

from backend.app.db.engine import database_now
from backend.app.db.models import WORKERS
from backend.app.db.types import Sql, UTCDateTime, json_text
from backend.app.tasks.task import Lease


@dataclass(frozen=True, slots=True)
class WorkerIdentity:
    """One worker process. `lock_device` and `lock_inode` name the file it holds locked while it lives."""

    id: str
    host: str
    boot_id: str
    pid: int
    concurrency: int
    lock_device: int | None = None
    lock_inode: int | None = None


_RENEW = Sql(
    """
    WITH locked AS MATERIALIZED (
        SELECT t.id FROM tasks t
        WHERE t.id {in_ids} AND {status} = 'running'
        ORDER BY t.id {for_update}
    )
    UPDATE tasks SET lease_until = :until FROM {rows e(id bigint, seq bigint)}
    WHERE tasks.id = e.id AND lease_seq = e.seq
      AND {status} = 'running' {and_locked}
    RETURNING tasks.id
    """,
    until=UTCDateTime(),
)

_HELD = Sql("SELECT t.id, t.lease_seq FROM tasks t WHERE t.id {in_ids} AND {status} = 'running'")


def _rows(leases: Sequence[Lease]) -> str:
    return json_text([{"id": lease.task_id, "seq": lease.seq} for lease in leases])


def _ids(leases: Sequence[Lease]) -> str:
    return json_text([lease.task_id for lease in leases])


def renew(
    conn: Connection,
    worker: WorkerIdentity,
    leases: Sequence[Lease],
    *,
    lease_seconds: float,
    now: datetime | None = None,
) -> set[int]:
    """Push `lease_until` of all leases ahead in one statement, and say that the worker lives.

    Returns the ids still held; the others were cancelled or taken over.
    """
    now = now or database_now(conn)
    ours: set[int] = set()
    if leases:
        until = now + timedelta(seconds=lease_seconds)
        values = {"rows": _rows(leases), "ids": _ids(leases), "until": until}
        ours = {row[0] for row in conn.execute(_RENEW.on(conn), values)}
    # After the tasks, as where a dead worker is buried: the other way round deadlocks.
    alive = conn.execute(
        update(WORKERS).where(WORKERS.c.id == worker.id).values(heartbeat_at=now, stopped_at=None)
    )
    if alive.rowcount == 0:  # new, or purged while the worker was cut off
        register_worker(conn, worker, now=now)
    return ours


def held(conn: Connection, leases: Sequence[Lease]) -> set[int]:
    """The ids among `leases` that are still ours: how a worker hears of a cancel between two renewals."""
    if not leases:
        return set()
    asked = set(leases)
    rows = conn.execute(_HELD.on(conn), {"ids": _ids(leases)})
    return {task_id for task_id, seq in rows if Lease(task_id, seq) in asked}


def neighbours(conn: Connection, me: WorkerIdentity) -> list[tuple[str, int | None, int | None]]:
    """The other workers of this host and boot that did not end in good order: id, lock device, inode."""
    rows = conn.execute(
        select(WORKERS.c.id, WORKERS.c.lock_device, WORKERS.c.lock_inode).where(
            WORKERS.c.host == me.host,
            WORKERS.c.boot_id == me.boot_id,
            WORKERS.c.stopped_at.is_(None),
            WORKERS.c.id != me.id,
        )
    )
    return [(row[0], row[1], row[2]) for row in rows]


def register_worker(conn: Connection, worker: WorkerIdentity, *, now: datetime | None = None) -> None:
    """The worker's row. Its file lock must be held already, or it could be taken for dead."""
    now = now or database_now(conn)
    conn.execute(
        insert(WORKERS).values(
            id=worker.id,
            host=worker.host,
            boot_id=worker.boot_id,
            pid=worker.pid,
            concurrency=worker.concurrency,
            lock_device=worker.lock_device,
            lock_inode=worker.lock_inode,
            started_at=now,
            heartbeat_at=now,
        )
    )


def worker_stopped(conn: Connection, worker_id: str, *, now: datetime | None = None) -> None:
    """The worker ended in good order or was found dead: nobody needs to look for it any more."""
    conn.execute(
        update(WORKERS).where(WORKERS.c.id == worker_id).values(stopped_at=now or database_now(conn))
    )
