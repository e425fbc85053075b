"""What a user does with tasks: submit, cancel, retry. Ownership, quotas and idempotency are here; each
call has committed when it returns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import insert, select
from sqlalchemy.engine import Connection

from backend.app.common.errors import (
    BaseNotAnalysed,
    EmptyDocument,
    FileNotFound,
    NotCancellable,
    NotRetryable,
    QuotaExceeded,
    TaskNotFound,
    TextTooLong,
    ValidationFailed,
)
from backend.app.common.logging import get_logger
from backend.app.common.text import clean_text
from backend.app.db.engine import AsyncDatabase, database_now
from backend.app.db.models import FILES, TASKS, USERS
from backend.app.documents.storage import Storage
from backend.app.tasks import idempotency, queries, queue
from backend.app.tasks.idempotency import Call
from backend.app.tasks.queries import FileView, TaskView
from backend.app.tasks.task import JSON, NewTask, Status

log = get_logger(__name__)

TEXT_FILE_NAME = "文本.txt"
FARTHEST_START = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class TaskType:
    """A kind of task that this installation runs."""

    name: str
    takes_text: bool = True
    takes_config: bool = False
    base: str | None = None  # the kind of a completed task that it is measured against


@dataclass(frozen=True, slots=True)
class Limits:
    max_text_chars: int
    max_active_tasks: int  # of one user


@dataclass(frozen=True, slots=True)
class NewText:
    """A text that came with the call."""

    text: str


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that came with the call and lies in the storage already."""

    sha256: str
    size: int
    filename: str
    media_type: str
    is_text: bool = False  # typed or pasted, not uploaded: it has no name of its own


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file uploaded before."""

    file_id: int


@dataclass(frozen=True, slots=True)
class SameAs:
    """The file or text of an earlier task."""

    task_id: int


Source = NewText | NewFile | KeptFile | SameAs


@dataclass(frozen=True, slots=True)
class Options:
    max_retries: int = 3
    priority: int = 0
    run_at: datetime | None = None
    config: Mapping[str, JSON] | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One creating call, as the API understood it."""

    user_id: int
    task_type: str
    source: Source
    options: Options = Options()
    idempotency_key: str | None = None
    base_task_id: int | None = None  # for kinds that have a base


@dataclass(frozen=True, slots=True)
class Created:
    """`replayed`: an earlier call with the same key and content has created it."""

    task: TaskView
    replayed: bool


@dataclass(frozen=True, slots=True)
class CreatedFile:
    file: FileView
    replayed: bool


class TaskService:
    def __init__(
        self,
        database: AsyncDatabase,
        storage: Storage,
        types: Mapping[str, TaskType],
        limits: Limits,
    ) -> None:
        self._db, self._storage = database, storage
        self._types, self._limits = types, limits

    @property
    def types(self) -> list[str]:
        """The kinds of tasks that this installation runs."""
        return sorted(self._types)

    async def submit(self, order: Order) -> Created:
        """Queue a task. Raises ValidationFailed, EmptyDocument, TextTooLong, FileNotFound, TaskNotFound,
        BaseNotAnalysed, QuotaExceeded, IdempotencyConflict."""
        kind = self._check(order)
        source = order.source
        if isinstance(source, NewText):
            source = await self._store(source.text)
        created = await self._db.write(_submit, order, source, kind.base, self._limits.max_active_tasks)
        log.info(
            "task_submitted",
            task_id=created.task.id,
            task_type=order.task_type,
            user_id=order.user_id,
            replayed=created.replayed,
        )
        return created

    async def keep_file(self, user_id: int, file: NewFile, key: str | None) -> CreatedFile:
        """Remember an upload for tasks to come. Raises IdempotencyConflict."""
        return await self._db.write(_keep_file, Call(user_id, key, "file", file.sha256), file)

    async def cancel(self, user_id: int, task_id: int) -> TaskView:
        """Raises TaskNotFound, NotCancellable."""
        task = await self._db.write(_cancel, user_id, task_id)
        log.info("task_cancelled", task_id=task_id, user_id=user_id)
        return task

    async def retry(self, user_id: int, task_id: int) -> TaskView:
        """Raises TaskNotFound, NotRetryable, QuotaExceeded."""
        task = await self._db.write(_retry, user_id, task_id, self._limits.max_active_tasks)
        log.info("task_retried", task_id=task_id, user_id=user_id)
        return task

    async def check_base(self, user_id: int, task_id: int, task_type: str) -> None:
        """Whether the task can be the base of one of that type: asked before a body is read.

        Raises TaskNotFound, BaseNotAnalysed.
        """
        await self._db.row(_base, user_id, task_id, self._types[task_type].base)

    def _check(self, order: Order) -> TaskType:
        kind = self._types.get(order.task_type)
        if kind is None:
            known = "、".join(sorted(self._types))
            raise ValidationFailed.of("task_type", f"只支持：{known}", f"must be one of: {known}")
        if isinstance(order.source, NewText) and not kind.takes_text:
            raise ValidationFailed.of("payload.text", "这类任务需要文件", "this kind of task needs a file")
        if order.options.config and not kind.takes_config:
            raise ValidationFailed.of("config", "这类任务没有可配置项", "this kind of task has no options")
        if kind.base is None and order.base_task_id is not None:
            raise ValidationFailed.of(
                "payload.base_task_id", "这类任务没有比对对象", "this kind of task has no base"
            )
        if kind.base is not None and order.base_task_id is None:
            raise ValidationFailed.of(
                "payload.base_task_id",
                "请指明与哪个任务比对（或使用 POST /api/tasks/{id}/compare）",
                "is required: the task to compare with (or use POST /api/tasks/{id}/compare)",
                type="missing",
            )
        return kind

    async def _store(self, text: str) -> NewFile:
        """Texts are kept like files: up to megabytes have no place in the hot row."""
        if len(text) > self._limits.max_text_chars:
            raise TextTooLong(limit=f"{self._limits.max_text_chars:,}")
        cleaned = clean_text(text)
        if not cleaned.strip():
            raise EmptyDocument
        stored = await asyncio.to_thread(lambda: self._storage.put_bytes(cleaned.encode()))
        return NewFile(stored.sha256, stored.size, TEXT_FILE_NAME, "text/plain", is_text=True)


def _submit(
    conn: Connection, order: Order, source: NewFile | KeptFile | SameAs, base_type: str | None, quota: int
) -> Created:
    _lock_user(conn, order.user_id)
    now = database_now(conn)
    call = Call(order.user_id, order.idempotency_key, "task", _content(order, source))
    earlier = _earlier_task(conn, call, now)
    if earlier is not None:
        return Created(earlier, replayed=True)
    if order.options.run_at is not None and order.options.run_at > now + FARTHEST_START:
        raise ValidationFailed.of("run_at", "最多一年以后", "must be within a year")
    _check_quota(conn, order.user_id, quota)
    task = _new_task(conn, order, source, now)
    if order.base_task_id is not None:
        task = _with_base(task, _base(conn, order.user_id, order.base_task_id, base_type))
    (task_id,) = queue.submit(conn, [task], now=now)
    idempotency.remember(conn, call, task_id, now=now)
    return Created(_seen(conn, order.user_id, task_id), replayed=False)


def _lock_user(conn: Connection, user_id: int) -> None:
    """One submission of a user at a time, so that counts are exact; SQLite has one writer anyway. Not
    FOR UPDATE: that would block the foreign-key checks of workers that write this user's events, and they
    hold the event lock that we need next."""
    conn.execute(select(USERS.c.id).where(USERS.c.id == user_id).with_for_update(key_share=True))


def _earlier_task(conn: Connection, call: Call, now: datetime) -> TaskView | None:
    task_id = idempotency.earlier(conn, call, now=now)
    if task_id is None:
        return None
    task = queries.task_row(conn, call.user_id, task_id)
    if task is None:
        idempotency.forget(conn, call)
    return task


def _check_quota(conn: Connection, user_id: int, quota: int) -> None:
    if queries.active_count(conn, user_id) >= quota:
        raise QuotaExceeded(limit=quota, retry_after=30)


def _content(order: Order, source: NewFile | KeptFile | SameAs) -> JSON:
    match source:
        case NewFile():
            about: JSON = {"text" if source.is_text else "file": source.sha256}
        case KeptFile():
            about = {"file_id": source.file_id}
        case SameAs():
            about = {"source_task_id": source.task_id}
    options = order.options
    run_at = None if options.run_at is None else options.run_at.isoformat()
    content = [order.task_type, about, options.max_retries, options.priority, run_at, options.config]
    return content if order.base_task_id is None else [*content, order.base_task_id]


def _new_task(conn: Connection, order: Order, source: NewFile | KeptFile | SameAs, now: datetime) -> NewTask:
    parent_id = source.task_id if isinstance(source, SameAs) else None
    file, is_text = _file_of(conn, order.user_id, source, now)
    meta: dict[str, JSON] = {"source": "text"}
    if not is_text:
        meta = {"source": "file", "filename": file.filename, "size": file.size}
    payload: dict[str, JSON] = {**meta, "file_id": file.id, "media_type": file.media_type}
    if order.options.config:
        payload["config"] = dict(order.options.config)
    return NewTask(
        user_id=order.user_id,
        task_type=order.task_type,
        payload=payload,
        meta=meta,
        max_retries=order.options.max_retries,
        priority=order.options.priority,
        run_at=order.options.run_at,
        file_id=file.id,
        file_sha256=file.sha256,
        parent_id=parent_id,
    )


def _base(conn: Connection, user_id: int, task_id: int, base_type: str | None) -> TaskView:
    """The completed task that a new one is measured against. Raises TaskNotFound, BaseNotAnalysed."""
    # Held until the new row names it as its parent: a purge at this moment waits, or has been.
    held = select(TASKS.c.id).where(TASKS.c.id == task_id, TASKS.c.user_id == user_id)
    conn.execute(held.with_for_update(read=True, key_share=True))
    base = _seen(conn, user_id, task_id)
    if base.task_type != base_type or base.status != Status.COMPLETED or base.document_sha256 is None:
        raise BaseNotAnalysed
    return base


def _with_base(task: NewTask, base: TaskView) -> NewTask:
    told = {"base_task_id": base.id, "base_filename": base.meta.get("filename")}
    return replace(task, payload={**task.payload, **told}, meta={**task.meta, **told}, parent_id=base.id)


def _file_of(
    conn: Connection, user_id: int, source: NewFile | KeptFile | SameAs, now: datetime
) -> tuple[FileView, bool]:
    """The file's row, and whether it is a text that was typed or pasted."""
    match source:
        case NewFile():
            return _insert_file(conn, user_id, source, now), source.is_text
        case KeptFile():
            kept, is_text = queries.file(conn, user_id, source.file_id), False
        case SameAs():
            earlier = queries.task_row(conn, user_id, source.task_id)
            if earlier is None:
                raise TaskNotFound
            kept = queries.file_of_task(conn, user_id, source.task_id)
            is_text = earlier.meta.get("source") == "text"
    # Held until the task's row is there: a purge at this moment waits, or has been and left nothing.
    if kept is None or not _is_kept(conn, kept.id):
        raise FileNotFound
    return kept, is_text


def _is_kept(conn: Connection, file_id: int) -> bool:
    found = select(FILES.c.id).where(FILES.c.id == file_id).with_for_update(read=True, key_share=True)
    return conn.execute(found).first() is not None


def _insert_file(conn: Connection, user_id: int, new: NewFile, now: datetime) -> FileView:
    made = conn.execute(
        insert(FILES)
        .values(
            user_id=user_id,
            sha256=new.sha256,
            filename=new.filename,
            size=new.size,
            media_type=new.media_type,
            created_at=now,
        )
        .returning(FILES.c.id)
    ).scalar_one()
    return FileView(made, user_id, new.sha256, new.filename, new.size, new.media_type, now)


def _keep_file(conn: Connection, call: Call, new: NewFile) -> CreatedFile:
    _lock_user(conn, call.user_id)
    now = database_now(conn)
    file_id = idempotency.earlier(conn, call, now=now)
    if file_id is not None:
        kept = queries.file(conn, call.user_id, file_id)
        if kept is not None:
            return CreatedFile(kept, replayed=True)
        idempotency.forget(conn, call)
    made = _insert_file(conn, call.user_id, new, now)
    idempotency.remember(conn, call, made.id, now=now)
    return CreatedFile(made, replayed=False)


def _cancel(conn: Connection, user_id: int, task_id: int) -> TaskView:
    if not queue.cancel(conn, user_id, task_id):
        _seen(conn, user_id, task_id)
        raise NotCancellable
    return _seen(conn, user_id, task_id)


def _retry(conn: Connection, user_id: int, task_id: int, quota: int) -> TaskView:
    _lock_user(conn, user_id)
    before = _seen(conn, user_id, task_id)
    if before.status in {"failed", "cancelled"}:
        _check_quota(conn, user_id, quota)
    if not queue.retry(conn, user_id, task_id):
        raise NotRetryable
    return _seen(conn, user_id, task_id)


def _seen(conn: Connection, user_id: int, task_id: int) -> TaskView:
    task = queries.task_row(conn, user_id, task_id)
    if task is None:
        raise TaskNotFound
    return task
