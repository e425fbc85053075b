"""Every read of the task tables: plain functions over a Connection. Ownership stands in each WHERE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Text, bindparam, cast, func, literal, or_, select, true
from sqlalchemy.engine import Connection

from backend.app.db.models import (
    FILES,
    TASK_ATTEMPTS,
    TASK_EVENTS,
    TASK_PARTIALS,
    TASK_RESULTS,
    TASKS,
    WORKERS,
)
from backend.app.tasks.task import ACTIVE, JSON, Status

_tasks, _files, _events, _attempts = TASKS.c, FILES.c, TASK_EVENTS.c, TASK_ATTEMPTS.c
LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task as its owner sees it. `result_json` is None in lists; {"$stored": bytes} stands for a large
    result, whose body `large_result` reads."""

    id: int
    task_type: str
    status: str
    priority: int
    run_at: datetime
    retry_count: int
    max_retries: int
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    progress: dict[str, JSON] | None
    error: str | None
    error_en: str | None
    error_code: str | None
    meta: dict[str, JSON]
    file_id: int | None
    file_sha256: str | None
    document_sha256: str | None
    batch_id: str | None
    parent_id: int | None
    lease_seq: int
    result_json: str | None = None


@dataclass(frozen=True, slots=True)
class FileView:
    id: int
    user_id: int
    sha256: str
    filename: str
    size: int  # bytes
    media_type: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PartialView:
    """`body_json`: in the form of the result."""

    body_json: str
    document_sha256: str | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class EventView:
    id: int
    type: str
    status: str | None
    message: str | None
    data: JSON
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AttemptView:
    attempt: int
    worker: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    error_code: str | None
    error: str | None
    error_en: str | None
    usage: dict[str, JSON] | None


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """What a list is narrowed to; None and () narrow nothing."""

    statuses: Sequence[str] = ()
    task_type: str | None = None
    batch_id: str | None = None
    text: str | None = None  # part of the file name, or the id
    created_from: datetime | None = None
    created_to: datetime | None = None  # up to and with it


@dataclass(frozen=True, slots=True)
class Page:
    limit: int
    offset: int


_ROW = (
    _tasks.id,
    _tasks.task_type,
    _tasks.status,
    _tasks.priority,
    _tasks.run_at,
    _tasks.retry_count,
    _tasks.max_retries,
    _tasks.created_at,
    _tasks.started_at,
    _tasks.completed_at,
    _tasks.progress,
    _tasks.error,
    _tasks.error_en,
    _tasks.error_code,
    _tasks.metadata,
    _tasks.file_id,
    _tasks.file_sha256,
    _tasks.document_sha256,
    _tasks.batch_id,
    _tasks.parent_id,
    _tasks.lease_seq,
)
# The result goes from the database to the answer as text: parsing and writing it again would cost the loop
# milliseconds.
_MINE = (_tasks.id == bindparam("task_id"), _tasks.user_id == bindparam("user_id"))
# Made once: SQLAlchemy remembers the cache key of a statement, and making it costs more than running it.
_ONE: Select[Any] = select(*_ROW, cast(_tasks.result, Text)).where(*_MINE)
_ONE_SMALL: Select[Any] = select(*_ROW).where(*_MINE)
_STORED = '{"$stored":'


def task(conn: Connection, user_id: int, task_id: int) -> TaskView | None:
    """One task, with its result unless that is large: a row by its primary key."""
    row = conn.execute(_ONE, {"task_id": task_id, "user_id": user_id}).first()
    return None if row is None else TaskView(*row)


def is_large(result_json: str | None) -> bool:
    """Whether the body of this result lies elsewhere."""
    return result_json is not None and result_json.startswith(_STORED)


def large_result(conn: Connection, task_id: int) -> str | None:
    """The body of a large result, as JSON. The caller has made sure whose task it is."""
    body = cast(TASK_RESULTS.c.body, Text)
    return conn.execute(select(body).where(TASK_RESULTS.c.task_id == task_id)).scalar_one_or_none()


def partial(conn: Connection, task_id: int) -> PartialView | None:
    """What an unfinished task has found so far. The caller has made sure whose task it is."""
    found = TASK_PARTIALS.c
    row = conn.execute(
        select(cast(found.body, Text), found.document_sha256, found.updated_at).where(
            found.task_id == task_id
        )
    ).first()
    return None if row is None else PartialView(*row)


def task_row(conn: Connection, user_id: int, task_id: int) -> TaskView | None:
    """One task without its result: a small row by its primary key."""
    row = conn.execute(_ONE_SMALL, {"task_id": task_id, "user_id": user_id}).first()
    return None if row is None else TaskView(*row)


def task_list(conn: Connection, user_id: int, wanted: TaskFilter, page: Page) -> tuple[list[TaskView], int]:
    """A page of a user's tasks, newest first, and how many there are in all. One statement, so that both
    are of the same moment."""
    conditions = [_tasks.user_id == user_id, *_conditions(wanted)]
    rows = (
        select(*_ROW).where(*conditions).order_by(_tasks.id.desc()).limit(page.limit).offset(page.offset)
    ).subquery()
    total = select(func.count().label("total")).select_from(TASKS).where(*conditions).subquery()
    found = conn.execute(
        select(total.c.total, *rows.c).select_from(total.outerjoin(rows, true())).order_by(rows.c.id.desc())
    ).all()
    return [TaskView(*row[1:]) for row in found if row[1] is not None], found[0][0]


def _conditions(wanted: TaskFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.statuses:
        found.append(_tasks.status.in_(list(wanted.statuses)))
    if wanted.task_type is not None:
        found.append(_tasks.task_type == wanted.task_type)
    if wanted.batch_id is not None:
        found.append(_tasks.batch_id == wanted.batch_id)
    if wanted.created_from is not None:
        found.append(_tasks.created_at >= wanted.created_from)
    if wanted.created_to is not None:
        found.append(_tasks.created_at <= wanted.created_to)
    if wanted.text:
        name = func.lower(_tasks.metadata["filename"].as_string())
        by_name = name.contains(wanted.text.lower(), autoescape=True)
        number = int(wanted.text) if wanted.text.isascii() and wanted.text.isdigit() else 0
        found.append(or_(by_name, _tasks.id == number) if 0 < number <= LARGEST_ID else by_name)
    return found


def stats(conn: Connection, user_id: int) -> dict[str, int]:
    """How many tasks of each status; every status is present."""
    counted = conn.execute(
        select(_tasks.status, func.count()).where(_tasks.user_id == user_id).group_by(_tasks.status)
    )
    return {status.value: 0 for status in Status} | dict(row._tuple() for row in counted)


def active_count(conn: Connection, user_id: int) -> int:
    """Tasks that have not ended."""
    return conn.execute(
        select(func.count())
        .select_from(TASKS)
        .where(_tasks.user_id == user_id, _tasks.status.in_(sorted(ACTIVE)))
    ).scalar_one()


def events(conn: Connection, user_id: int, task_id: int, *, after: int, limit: int) -> list[EventView] | None:
    """A task's history from the oldest on, after that id; None when there is no such task."""
    if not _exists(conn, user_id, task_id):
        return None
    rows = conn.execute(
        select(_events.id, _events.type, _events.status, _events.message, _events.data, _events.created_at)
        .where(_events.task_id == task_id, _events.user_id == user_id, _events.id > after)
        .order_by(_events.id)
        .limit(limit)
    )
    return [EventView(*row) for row in rows]


def last_event_id(conn: Connection) -> int:
    """The newest event of anybody; 0 when there is none."""
    newest = select(_events.id).order_by(_events.id.desc()).limit(1)
    return int(conn.execute(newest).scalar_one_or_none() or 0)


def changed_since(conn: Connection, event_id: int, *, limit: int) -> list[tuple[int, int]]:
    """(event id, task id) of everybody's events after that one, from the oldest on."""
    after = select(_events.id, _events.task_id).where(_events.id > event_id)
    return [row._tuple() for row in conn.execute(after.order_by(_events.id).limit(limit))]


def attempts(conn: Connection, user_id: int, task_id: int, *, limit: int) -> list[AttemptView] | None:
    """The newest `limit` attempts, from the oldest on; None when there is no such task."""
    if not _exists(conn, user_id, task_id):
        return None
    rows = conn.execute(
        select(
            _attempts.attempt,
            _attempts.worker_id,
            _attempts.started_at,
            _attempts.ended_at,
            _attempts.outcome,
            _attempts.error_code,
            _attempts.error,
            _attempts.error_en,
            _attempts.usage,
        )
        .where(_attempts.task_id == task_id)
        .order_by(_attempts.lease_seq.desc())
        .limit(limit)
    ).all()
    return [AttemptView(*row) for row in reversed(rows)]


def _exists(conn: Connection, user_id: int, task_id: int) -> bool:
    found = select(literal(1)).where(_tasks.id == task_id, _tasks.user_id == user_id)
    return conn.execute(found).first() is not None


def file(conn: Connection, user_id: int, file_id: int) -> FileView | None:
    return _file(conn.execute(_FILE.where(_files.id == file_id, _files.user_id == user_id)).first())


def file_of_task(conn: Connection, user_id: int, task_id: int) -> FileView | None:
    """The upload that a task is about."""
    of_task = _FILE.join(TASKS, _tasks.file_id == _files.id)
    return _file(conn.execute(of_task.where(_tasks.id == task_id, _tasks.user_id == user_id)).first())


_FILE: Select[Any] = select(
    _files.id,
    _files.user_id,
    _files.sha256,
    _files.filename,
    _files.size,
    _files.media_type,
    _files.created_at,
)


def _file(row: Row[Any] | None) -> FileView | None:
    return None if row is None else FileView(*row)


def last_worker_seen(conn: Connection) -> datetime | None:
    """When a worker that has not stopped last gave a sign of life."""
    beat = WORKERS.c.heartbeat_at
    running = select(beat).where(WORKERS.c.stopped_at.is_(None))
    found: datetime | None = conn.execute(running.order_by(beat.desc()).limit(1)).scalar_one_or_none()
    return found
