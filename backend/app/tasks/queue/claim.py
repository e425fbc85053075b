"""Claim, sweep and take-over: how tasks come into a worker's hands."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy.engine import Connection

from backend.app.common.errors import Poisoned
from backend.app.db.engine import database_now
from backend.app.db.models import TASKS
from backend.app.db.types import Sql, UTCDateTime, json_text
from backend.app.tasks.queue.events import Event, lock_claims, record
from backend.app.tasks.task import ISOLATE_AFTER, POISONED_AFTER, Task

_tasks = TASKS.c

# Without these SQLite walks the whole table, or everything that a user has ever completed.
_HINTS = {
    "sqlite": {
        "waiting_index": "INDEXED BY ix_tasks_waiting",
        "running_index": "INDEXED BY ix_tasks_lease",
    },
    "postgresql": {"waiting_index": "", "running_index": ""},
}

# Each waiting user's next tasks in order. The recursive part hops from user to user along the partial
# index instead of reading the whole backlog; `status IN (…)` stands literally, or the index is not used.
_PICK = Sql(
    """
    WITH RECURSIVE waiting(user_id) AS (
        SELECT min(user_id) FROM tasks {waiting_index} WHERE status IN ('pending','retry')
        UNION ALL
        SELECT (SELECT min(t.user_id) FROM tasks t {waiting_index}
                WHERE t.status IN ('pending','retry') AND t.user_id > waiting.user_id)
        FROM waiting WHERE waiting.user_id IS NOT NULL
    )
    SELECT w.user_id,
           (SELECT count(*) FROM tasks r WHERE r.status = 'running' AND r.user_id = w.user_id) AS running,
           (SELECT {array}(d.id) FROM (
                SELECT t.id FROM tasks t {waiting_index}
                WHERE t.status IN ('pending','retry') AND t.user_id = w.user_id AND t.run_at <= :now
                  AND t.crash_count >= :crashes_from AND t.crash_count < :crashes_to
                  AND t.task_type {in_texts}
                ORDER BY t.priority DESC, t.run_at, t.id LIMIT :most) d) AS due
    FROM waiting w WHERE w.user_id IS NOT NULL
    """,
    words=_HINTS,
    now=UTCDateTime(),
)

# A claim locks rows twice, what it sweeps and what it takes, so not in one order of ids: it waits for none.
# Who holds such a row is ending, renewing or cancelling it.
_CLAIM = Sql(
    """
    WITH locked AS MATERIALIZED (
        SELECT t.id FROM tasks t
        WHERE t.id {in_ids} AND {status} IN ('pending','retry')
        ORDER BY t.id {for_update} {skip_locked}
    )
    UPDATE tasks SET status = 'running', lease_seq = lease_seq + 1, lease_until = :until,
           worker_id = :worker, attempt = attempt + 1, progress = NULL,
           started_at = CASE WHEN created_at > :now THEN created_at ELSE :now END
    WHERE id {in_locked} AND {status} IN ('pending','retry')
    RETURNING id, task_type, user_id, payload, attempt, retry_count, max_retries, lease_seq, crash_count,
              created_at, started_at, file_sha256, metadata
    """,
    columns=(
        _tasks.id,
        _tasks.task_type,
        _tasks.user_id,
        _tasks.payload,
        _tasks.attempt,
        _tasks.retry_count,
        _tasks.max_retries,
        _tasks.lease_seq,
        _tasks.crash_count,
        _tasks.created_at,
        _tasks.started_at,
        _tasks.file_sha256,
        _tasks.metadata,
    ),
    now=UTCDateTime(),
    until=UTCDateTime(),
)

_OPEN_ATTEMPTS = Sql(
    """
    INSERT INTO task_attempts (task_id, attempt, lease_seq, worker_id, started_at)
    SELECT id, attempt, lease_seq, worker_id, started_at FROM tasks
    WHERE id {in_ids} AND {status} = 'running'
    """
)

# A dead or silent worker's tasks. The last death that a task survives is the one before POISONED_AFTER.
_LOSE = """
    WITH locked AS MATERIALIZED (
        SELECT t.id FROM tasks t {running_index} WHERE t.status = 'running'
          AND (t.lease_until < :expired OR t.worker_id = :worker) ORDER BY t.id {for_update} {wait}
    )
    UPDATE tasks SET
        status = CASE WHEN crash_count + 1 >= :poisoned THEN 'failed' ELSE 'pending' END,
        completed_at = CASE WHEN crash_count + 1 < :poisoned THEN NULL
                            WHEN started_at > :now THEN started_at ELSE :now END,
        error = CASE WHEN crash_count + 1 >= :poisoned THEN :error ELSE error END,
        error_en = CASE WHEN crash_count + 1 >= :poisoned THEN :error_en ELSE error_en END,
        error_code = CASE WHEN crash_count + 1 >= :poisoned THEN :error_code ELSE error_code END,
        crash_count = crash_count + 1, lease_seq = lease_seq + 1, lease_until = NULL, worker_id = NULL,
        run_at = :now, progress = NULL
    WHERE id {in_locked} AND {status} = 'running'
      AND (lease_until < :expired OR worker_id = :worker)
    RETURNING id, user_id, status, attempt
"""
_TAKE_OVER = Sql(_LOSE.replace("{wait}", ""), words=_HINTS, now=UTCDateTime(), expired=UTCDateTime())
_SWEEP = Sql(
    _LOSE.replace("{wait}", "{skip_locked}"),
    words=_HINTS,
    now=UTCDateTime(),
    expired=UTCDateTime(),
)

_EXPIRED = Sql(
    "SELECT 1 FROM tasks WHERE status = 'running' AND lease_until < :now LIMIT 1", now=UTCDateTime()
)

_BEFORE_ALL_LEASES = datetime(1970, 1, 1, tzinfo=UTC)  # in a take-over only the worker counts

_CLOSE_ATTEMPTS = Sql(
    "UPDATE task_attempts SET ended_at = :now, outcome = 'lost' WHERE task_id {in_ids} AND ended_at IS NULL",
    now=UTCDateTime(),
)


def share(queues: Iterable[tuple[int, Sequence[int]]], *, limit: int, cap: int) -> list[int]:
    """Deal out `limit` places fairly: always to the user with the fewest running tasks.

    `queues`: per user the number of running tasks and the ids of the due ones in the user's own order.
    Between equals the oldest task goes first. Nobody gets more than `cap` running. Pure.
    """
    heap = [(running, due[0], at, due) for at, (running, due) in enumerate(queues) if due and running < cap]
    heapq.heapify(heap)
    taken: list[int] = []
    used: dict[int, int] = {}
    while heap and len(taken) < limit:
        running, first, at, due = heapq.heappop(heap)
        taken.append(first)
        used[at] = used.get(at, 0) + 1
        if running + 1 < cap and used[at] < len(due):
            heapq.heappush(heap, (running + 1, due[used[at]], at, due))
    return taken


def _pick(
    conn: Connection, limit: int, cap: int, types: Sequence[str], *, isolated: bool, now: datetime
) -> list[int]:
    rows = conn.execute(
        _PICK.on(conn),
        {
            "now": now,
            "most": min(limit, cap),
            "crashes_from": ISOLATE_AFTER if isolated else 0,
            "crashes_to": POISONED_AFTER if isolated else ISOLATE_AFTER,
            "texts": json_text(list(types)),
        },
    )
    queues = []
    for _, running, due in rows:
        ids = json.loads(due) if isinstance(due, str) else due
        if ids:
            queues.append((running, ids))
    return share(queues, limit=limit, cap=cap)


def claimable(
    conn: Connection,
    *,
    limit: int,
    cap: int,
    types: Sequence[str],
    isolated: bool = False,
    now: datetime | None = None,
) -> list[int]:
    """A read-only look: the ids that a claim would take now. `isolated`: only tasks that have cost
    `ISOLATE_AFTER` workers their lives, which run in a process of their own; else only the others."""
    return _pick(conn, limit, cap, types, isolated=isolated, now=now or database_now(conn))


def has_expired(conn: Connection, *, now: datetime | None = None) -> bool:
    """A read-only look: whether a lease ran out."""
    found = conn.execute(_EXPIRED.on(conn), {"now": now or database_now(conn)}).first()
    return found is not None


def claim(
    conn: Connection,
    worker_id: str,
    *,
    limit: int,
    cap: int,
    types: Sequence[str],
    lease_seconds: float,
    sweep: Callable[[], bool] | None = None,
    only: int | None = None,
    now: datetime | None = None,
) -> list[Task]:
    """pending | retry → running, up to `limit` tasks, fairly; at most `cap` running per user.

    `sweep` says whether tasks whose lease ran out are put back first (see `heartbeat` for who may). It is
    asked once the lock is held: whoever waited long for that may have missed renewals meanwhile. `only`
    takes that one task, and only if it is due and isolated.
    """
    locked_at = lock_claims(conn)
    now = now or locked_at
    lost = _lose(conn, _SWEEP, expired=now, worker="", now=now) if sweep is not None and sweep() else []
    ids = _pick(conn, limit if only is None else cap, cap, types, isolated=only is not None, now=now)
    if only is not None:
        ids = [only] if only in ids else []
    claimed: list[Task] = []
    if ids:
        rows = conn.execute(
            _CLAIM.on(conn),
            {
                "ids": json_text(ids),
                "worker": worker_id,
                "now": now,
                "until": now + timedelta(seconds=lease_seconds),
            },
        ).all()
        order = {task_id: at for at, task_id in enumerate(ids)}
        claimed = sorted((Task(*row) for row in rows), key=lambda task: order[task.id])
        conn.execute(_OPEN_ATTEMPTS.on(conn), {"ids": json_text([task.id for task in claimed])})
    started = [
        Event(task.id, task.user_id, "task_started", "running", data={"attempt": task.attempt})
        for task in claimed
    ]
    record(conn, [*lost, *started], now)
    return claimed


def sweep_expired(conn: Connection, *, now: datetime | None = None) -> int:
    """running → pending (or failed as poisoned) for tasks whose lease ran out; how many."""
    locked_at = lock_claims(conn)
    now = now or locked_at
    events = _lose(conn, _SWEEP, expired=now, worker="", now=now)
    record(conn, events, now)
    return len(events)


def take_over(conn: Connection, dead_worker_id: str, *, now: datetime | None = None) -> int:
    """The same for all tasks of a worker that is known to be dead, without waiting for its leases."""
    locked_at = lock_claims(conn)
    now = now or locked_at
    events = _lose(conn, _TAKE_OVER, expired=_BEFORE_ALL_LEASES, worker=dead_worker_id, now=now)
    record(conn, events, now)
    return len(events)


def _lose(conn: Connection, how: Sql, *, expired: datetime, worker: str, now: datetime) -> list[Event]:
    error = Poisoned()
    rows = conn.execute(
        how.on(conn),
        {
            "expired": expired,
            "worker": worker,
            "now": now,
            "poisoned": POISONED_AFTER,
            "error": error.sentence(),
            "error_en": error.sentence("en"),
            "error_code": error.code,
        },
    ).all()
    if not rows:
        return []
    conn.execute(_CLOSE_ATTEMPTS.on(conn), {"ids": json_text([row[0] for row in rows]), "now": now})
    return [
        Event(
            task_id,
            user_id,
            "task_poisoned" if status == "failed" else "task_lost",
            status,
            data={"attempt": attempt},
        )
        for task_id, user_id, status, attempt in rows
    ]
