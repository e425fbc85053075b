"""The end of an attempt and what it says on its way; every write carries its lease."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import and_, select, update
from sqlalchemy.engine import Connection

from backend.app.db.engine import database_now
from backend.app.db.models import TASK_ATTEMPTS
from backend.app.db.types import Sql, UTCDateTime, json_text, time_text
from backend.app.tasks.queue.events import Event, announce_due, record
from backend.app.tasks.queue.partials import drop_partials
from backend.app.tasks.task import FINAL, JSON, AttemptOutcome, Lease, Status

# Results over this size live in `task_results`, out of the hot row (bytes of JSON).
LARGE_RESULT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Report:
    """How an attempt ended. `status` is where the task goes; PENDING hands it back."""

    lease: Lease
    user_id: int
    status: Status
    outcome: AttemptOutcome
    attempt: int
    result: JSON = None
    error: str | None = None
    error_en: str | None = None
    error_code: str | None = None
    run_at: datetime | None = None  # for RETRY and PENDING
    meta: dict[str, JSON] = field(default_factory=dict)  # replaces the row's
    usage: dict[str, JSON] | None = None  # of this attempt
    document_sha256: str | None = None
    progress: dict[str, JSON] | None = None  # for PENDING: why it waits


_FINISH = Sql(
    """
    WITH r AS MATERIALIZED (
        SELECT * FROM {rows e(id bigint, seq bigint, target text, used bigint, final bigint, result json,
                              error text, error_en text, error_code text, run_at timestamptz, meta json,
                              document text, progress json)}
    ), locked AS MATERIALIZED (
        SELECT t.id FROM tasks t WHERE t.id {in_ids} ORDER BY t.id {for_update}
    )
    UPDATE tasks SET
        status = r.target,
        completed_at = CASE WHEN r.final = 0 THEN NULL
                            WHEN started_at > :now THEN started_at ELSE :now END,
        result = r.result,
        retry_count = retry_count + r.used,
        crash_count = CASE WHEN r.target = 'pending' THEN crash_count ELSE 0 END,
        error = CASE r.target WHEN 'completed' THEN NULL WHEN 'pending' THEN tasks.error ELSE r.error END,
        error_en = CASE r.target WHEN 'completed' THEN NULL WHEN 'pending' THEN tasks.error_en
                                 ELSE r.error_en END,
        error_code = CASE r.target WHEN 'completed' THEN NULL WHEN 'pending' THEN tasks.error_code
                                   ELSE r.error_code END,
        run_at = CASE WHEN r.run_at IS NULL THEN tasks.run_at ELSE r.run_at END,
        metadata = r.meta,
        document_sha256 = COALESCE(r.document, tasks.document_sha256),
        progress = r.progress, lease_until = NULL, worker_id = NULL
    FROM r
    WHERE tasks.id = r.id AND tasks.lease_seq = r.seq AND {status} = 'running' {and_locked}
    RETURNING tasks.id, tasks.lease_seq
    """,
    now=UTCDateTime(),
)

_CLOSE_ATTEMPTS = Sql(
    """
    UPDATE task_attempts SET ended_at = :now, outcome = e.outcome, error = e.error, error_en = e.error_en,
                             error_code = e.error_code, usage = e.usage
    FROM {rows e(id bigint, seq bigint, outcome text, error text, error_en text, error_code text, usage json)}
    WHERE task_id = e.id AND lease_seq = e.seq AND task_id {in_ids}
    """,
    now=UTCDateTime(),
)

_STORE_RESULTS = Sql(
    """
    INSERT INTO task_results (task_id, body)
    SELECT e.id, e.body FROM {rows e(id bigint, body json)} WHERE true
    ON CONFLICT (task_id) DO UPDATE SET body = excluded.body
    """
)

_PROGRESS = Sql(
    """
    WITH locked AS MATERIALIZED (
        SELECT t.id FROM tasks t
        WHERE t.id {in_ids} AND {status} = 'running'
        ORDER BY t.id {for_update}
    )
    UPDATE tasks SET progress = e.progress FROM {rows e(id bigint, seq bigint, progress json)}
    WHERE tasks.id = e.id AND lease_seq = e.seq
      AND {status} = 'running' {and_locked}
    RETURNING tasks.id, tasks.lease_seq
    """
)

_EVENT_OF = {
    Status.COMPLETED: "task_completed",
    Status.FAILED: "task_failed",
    Status.RETRY: "task_retry_scheduled",
    Status.PENDING: "task_released",
}


def finish(conn: Connection, reports: Sequence[Report], *, now: datetime | None = None) -> set[Lease]:
    """running → completed | failed | retry | pending, each only while its attempt is still ours.

    Returns the leases whose reports took effect. For the others ask `was_ours`: an answer of the database
    may have been lost after its commit.
    """
    now = now or database_now(conn)
    rows: list[dict[str, JSON]] = []
    bodies: dict[Lease, JSON] = {}
    for report in reports:
        result = report.result
        size = 0 if result is None else len(json_text(result).encode())
        if size > LARGE_RESULT:
            bodies[report.lease] = result
            result = {"$stored": size}
        rows.append(_row(report, result))
    # By lease, not by id: one batch may hold a lost attempt of a task and a later one that is ours.
    done = {Lease(*row) for row in conn.execute(_FINISH.on(conn), {**_batch(rows), "now": now})}
    if not done:
        return set()
    kept = [_closing(row) for row in rows if Lease(row["id"], row["seq"]) in done]
    conn.execute(_CLOSE_ATTEMPTS.on(conn), {**_batch(kept), "now": now})
    large = [{"id": lease.task_id, "body": body} for lease, body in bodies.items() if lease in done]
    if large:
        conn.execute(_STORE_RESULTS.on(conn), {"rows": json_text(large)})
    effective = [report for report in reports if report.lease in done]
    # Only who read a document may have kept a partial result: the queue's own work costs no statement more.
    whole = [r.lease.task_id for r in effective if r.document_sha256 and r.status is Status.COMPLETED]
    if whole:
        drop_partials(conn, whole)
    if any(report.status in {Status.PENDING, Status.RETRY} for report in effective):
        announce_due(conn)
    record(conn, [_event(report) for report in effective], now)
    return done


def _batch(rows: Sequence[dict[str, JSON]]) -> dict[str, str]:
    """The rows, and their ids once more: the way in by the primary key, whatever the statistics say."""
    return {"rows": json_text(rows), "ids": json_text([row["id"] for row in rows])}


def _row(report: Report, result: JSON) -> dict[str, JSON]:
    return {
        "id": report.lease.task_id,
        "seq": report.lease.seq,
        "target": report.status,
        "used": 1 if report.status is Status.RETRY else 0,
        "final": 1 if report.status in FINAL else 0,
        "result": result,
        "error": report.error,
        "error_en": report.error_en,
        "error_code": report.error_code,
        "run_at": time_text(report.run_at),
        "meta": report.meta,
        "document": report.document_sha256,
        "progress": report.progress,
        "outcome": report.outcome,
        "usage": report.usage,
    }


def _closing(row: dict[str, JSON]) -> dict[str, JSON]:
    return {key: row[key] for key in ("id", "seq", "outcome", "error", "error_en", "error_code", "usage")}


def _event(report: Report) -> Event:
    data: dict[str, JSON] = {"attempt": report.attempt}
    if report.error_code:
        data["error_code"] = report.error_code
    if report.run_at is not None:
        data["run_at"] = report.run_at.isoformat().replace("+00:00", "Z")
    return Event(
        report.lease.task_id, report.user_id, _EVENT_OF[report.status], report.status, report.error, data
    )


def was_ours(conn: Connection, lease: Lease, outcome: AttemptOutcome) -> bool:
    """Whether an attempt was ended by this very lease with this outcome: our own commit whose answer
    was lost. False means that the attempt was taken from us."""
    attempts = TASK_ATTEMPTS
    found = conn.execute(
        select(attempts.c.outcome).where(
            and_(attempts.c.task_id == lease.task_id, attempts.c.lease_seq == lease.seq)
        )
    ).scalar_one_or_none()
    return found == outcome


def record_progress(
    conn: Connection, notes: Sequence[tuple[Lease, int, dict[str, JSON]]], *, now: datetime | None = None
) -> set[Lease]:
    """Show how far attempts are: (lease, user_id, {"percent", "stage", "message"}); those still ours."""
    now = now or database_now(conn)
    # By id, as everywhere: rows are locked in the order in which they are met.
    notes = sorted(notes, key=lambda note: note[0].task_id)
    rows = [{"id": lease.task_id, "seq": lease.seq, "progress": p} for lease, _, p in notes]
    changed = {Lease(*row) for row in conn.execute(_PROGRESS.on(conn), _batch(rows))}
    record(
        conn,
        [
            Event(lease.task_id, user_id, "task_progress", "running", progress.get("message"), progress)
            for lease, user_id, progress in notes
            if lease in changed
        ],
        now,
    )
    return changed


def record_spent(conn: Connection, lease: Lease, usage: dict[str, JSON]) -> None:
    """What an attempt had cost when it was cancelled or lost: kept with the attempt, not the task."""
    attempts = TASK_ATTEMPTS
    conn.execute(
        update(attempts)
        .where(attempts.c.task_id == lease.task_id, attempts.c.lease_seq == lease.seq)
        .values(usage=usage)
    )
