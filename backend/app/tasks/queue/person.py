"""What a person does to tasks: submit, cancel, retry. Ownership stands in the guard."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Case, case, insert, or_, select, update
from sqlalchemy.engine import Connection

from backend.app.db.engine import database_now
from backend.app.db.models import TASK_ATTEMPTS, TASK_STEPS, TASKS
from backend.app.tasks.queue.events import Event, announce_due, record
from backend.app.tasks.task import AttemptOutcome, NewTask, Status

_table, _attempts, _steps = TASKS, TASK_ATTEMPTS, TASK_STEPS


def submit(conn: Connection, tasks: Sequence[NewTask], *, now: datetime | None = None) -> list[int]:
    """Queue new tasks, all or none; their ids in the order given."""
    now = now or database_now(conn)
    ids: list[int] = []
    for task in tasks:
        made = conn.execute(
            insert(_table)
            .values(
                user_id=task.user_id,
                task_type=task.task_type,
                status=Status.PENDING,
                priority=task.priority,
                run_at=max(task.run_at or now, now),
                payload=task.payload,
                attempt=0,
                retry_count=0,
                max_retries=task.max_retries,
                crash_count=0,
                lease_seq=0,
                created_at=now,
                metadata=task.meta,
                file_id=task.file_id,
                file_sha256=task.file_sha256,
                batch_id=task.batch_id,
                parent_id=task.parent_id,
            )
            .returning(_table.c.id)
        )
        ids.append(made.scalar_one())
    announce_due(conn)
    record(
        conn,
        [
            Event(task_id, task.user_id, "task_created", Status.PENDING)
            for task_id, task in zip(ids, tasks, strict=True)
        ],
        now,
    )
    return ids


def cancel(conn: Connection, user_id: int, task_id: int, *, now: datetime | None = None) -> bool:
    """pending | retry | running | failed → cancelled, with a new `lease_seq` in the same statement, so
    that whatever its worker says later changes nothing. False when it has ended otherwise."""
    # The clock is read with the row in hand: whoever had it may have started the task meanwhile.
    mine = (_table.c.id == task_id, _table.c.user_id == user_id)
    conn.execute(select(_table.c.id).where(*mine).with_for_update(key_share=True))
    now = now or database_now(conn)
    done = conn.execute(
        update(_table)
        .where(
            *mine,
            _table.c.status.in_([Status.PENDING, Status.RETRY, Status.RUNNING, Status.FAILED]),
        )
        .values(
            status=Status.CANCELLED,
            completed_at=_not_before(now),
            lease_seq=_table.c.lease_seq + 1,
            lease_until=None,
            worker_id=None,
            progress=None,
        )
        .returning(_table.c.id)
    ).first()
    if done is None:
        return False
    conn.execute(
        update(_attempts)
        .where(_attempts.c.task_id == task_id, _attempts.c.ended_at.is_(None))
        .values(
            ended_at=case((_attempts.c.started_at > now, _attempts.c.started_at), else_=now),
            outcome=AttemptOutcome.CANCELLED,
        )
    )
    record(conn, [Event(task_id, user_id, "task_cancelled", Status.CANCELLED)], now)
    return True


def retry(conn: Connection, user_id: int, task_id: int, *, now: datetime | None = None) -> bool:
    """failed | cancelled → retry, due at once, counters reset; finished steps stay and are reused, but for
    provisional ones."""
    now = now or database_now(conn)
    done = conn.execute(
        update(_table)
        .where(
            _table.c.id == task_id,
            _table.c.user_id == user_id,
            or_(_table.c.status == Status.FAILED, _table.c.status == Status.CANCELLED),
        )
        .values(
            status=Status.RETRY,
            completed_at=None,
            retry_count=0,
            crash_count=0,
            run_at=now,
            progress=None,
        )
        .returning(_table.c.metadata)
    ).first()
    if done is None:
        return False
    conn.execute(
        update(_steps)
        .where(_steps.c.task_id == task_id, _steps.c.status == "done", _steps.c.is_provisional.is_(True))
        .values(status="failed", result=None, is_provisional=None)
    )
    cleaned = {key: value for key, value in done[0].items() if key not in _OF_THE_LAST_RUN}
    conn.execute(update(_table).where(_table.c.id == task_id).values(metadata=cleaned))
    announce_due(conn)
    record(conn, [Event(task_id, user_id, "task_retried", Status.RETRY)], now)
    return True


_OF_THE_LAST_RUN = frozenset({"retry_exhausted", "duration_ms", "total_ms"})


def _not_before(now: datetime) -> Case[datetime]:
    """created_at ≤ started_at ≤ completed_at even if a clock stepped back."""
    return case(
        (_table.c.started_at > now, _table.c.started_at),
        (_table.c.created_at > now, _table.c.created_at),
        else_=now,
    )
