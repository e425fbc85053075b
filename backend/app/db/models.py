"""The tables. CHECK constraints refuse rows that must not exist; each has a name.

The ORM classes describe; the hot path uses their `__table__` with Core or SQL.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, cast

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    MetaData,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from backend.app.db.types import BigId, Json, UTCDateTime

_FINAL = "status IN ('completed','failed','cancelled')"
_WAITING = text("status IN ('pending','retry')")
_RUNNING = text("status = 'running'")


class Model(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UTCDateTime,
        dict[str, Any]: Json,
        str: Text,
        int: BigId,
    }


class User(Model):
    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("role IN ('user','admin')", name="role"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(unique=True)  # case-folded
    display_name: Mapped[str]
    role: Mapped[str]
    password_hash: Mapped[str]
    is_active: Mapped[bool]
    created_at: Mapped[datetime]


class Session(Model):
    """One login: a family of refresh tokens, or one long-lived token of a program."""

    __tablename__ = "sessions"
    __table_args__ = (CheckConstraint("kind IN ('browser','program')", name="kind"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class RefreshToken(Model):
    """Only the SHA-256 of a token is stored; its successor is an HMAC of it, so it can be given again."""

    __tablename__ = "refresh_tokens"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class LoginFailure(Model):
    """Failures in a row of one account or one address (`subject` is a hash)."""

    __tablename__ = "login_failures"

    subject: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(index=True)
    blocked_until: Mapped[datetime | None]


class File(Model):
    """One upload of one user; the bytes lie in the storage under their SHA-256."""

    __tablename__ = "files"
    __table_args__ = (
        CheckConstraint("length(sha256) = 64", name="sha256"),
        CheckConstraint("size >= 0", name="size"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    sha256: Mapped[str] = mapped_column(index=True)
    filename: Mapped[str]
    size: Mapped[int]
    media_type: Mapped[str]
    created_at: Mapped[datetime]


class TaskRow(Model):
    __tablename__ = "tasks"
    __table_args__ = (
        CheckConstraint(
            "status IN ('pending','running','completed','failed','retry','cancelled')", name="status"
        ),
        CheckConstraint(f"(completed_at IS NOT NULL) = ({_FINAL})", name="completed_at_in_final"),
        CheckConstraint("(lease_until IS NOT NULL) = (status = 'running')", name="lease_while_running"),
        CheckConstraint("(worker_id IS NOT NULL) = (status = 'running')", name="worker_while_running"),
        CheckConstraint("(result IS NOT NULL) = (status = 'completed')", name="result_when_completed"),
        CheckConstraint("status <> 'failed' OR error IS NOT NULL", name="error_when_failed"),
        CheckConstraint("retry_count >= 0 AND retry_count <= max_retries", name="retry_count"),
        CheckConstraint("max_retries >= 0 AND max_retries <= 10", name="max_retries"),
        CheckConstraint("priority >= -10 AND priority <= 10", name="priority"),
        CheckConstraint("crash_count >= 0 AND lease_seq >= 0 AND attempt >= 0", name="counters"),
        # The claim walks each user's own queue. No other index covers waiting tasks: PostgreSQL's
        # statistics of a queue are always stale, and it would take the wrong one.
        Index(
            "ix_tasks_waiting",
            "user_id",
            text("priority DESC"),
            "run_at",
            "id",
            sqlite_where=_WAITING,
            postgresql_where=_WAITING,
        ),
        Index("ix_tasks_running", "user_id", sqlite_where=_RUNNING, postgresql_where=_RUNNING),
        Index("ix_tasks_lease", "lease_until", sqlite_where=_RUNNING, postgresql_where=_RUNNING),
        Index("ix_tasks_user_id_id", "user_id", "id"),
        Index("ix_tasks_user_id_status", "user_id", "status"),
        # Deleting an upload looks for tasks that use it: without this it reads them all.
        Index("ix_tasks_file_id", "file_id"),
        Index("ix_tasks_file_sha256", "file_sha256"),
        Index("ix_tasks_document_sha256", "document_sha256"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    task_type: Mapped[str]
    status: Mapped[str]
    priority: Mapped[int]
    run_at: Mapped[datetime]  # not before this time
    payload: Mapped[dict[str, Any]]
    attempt: Mapped[int]  # runs so far
    retry_count: Mapped[int]  # tries used up after the first
    max_retries: Mapped[int]
    crash_count: Mapped[int]  # deaths of its workers in a row
    lease_seq: Mapped[int]  # only grows
    lease_until: Mapped[datetime | None]
    worker_id: Mapped[str | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]  # of the latest attempt
    completed_at: Mapped[datetime | None]
    progress: Mapped[dict[str, Any] | None] = mapped_column(Json)
    result: Mapped[dict[str, Any] | None] = mapped_column(Json)  # {"$stored": bytes} when in task_results
    error: Mapped[str | None]
    error_en: Mapped[str | None]
    error_code: Mapped[str | None]
    meta: Mapped[dict[str, Any]] = mapped_column("metadata", Json)
    file_id: Mapped[int | None] = mapped_column(ForeignKey("files.id"))
    file_sha256: Mapped[str | None]
    document_sha256: Mapped[str | None]  # the canonical text, in the storage
    batch_id: Mapped[str | None]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("tasks.id", ondelete="SET NULL"), index=True)


class TaskResult(Model):
    """Results over 64 KB, out of the hot row."""

    __tablename__ = "task_results"

    task_id: Mapped[int] = mapped_column(
        ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    body: Mapped[dict[str, Any]]


class TaskPartial(Model):
    """What an unfinished task has found so far, in the form of its result."""

    __tablename__ = "task_partials"

    task_id: Mapped[int] = mapped_column(
        ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    lease_seq: Mapped[int]  # of the attempt that wrote it: an earlier one writes no more
    body: Mapped[dict[str, Any]]
    document_sha256: Mapped[str | None] = mapped_column(index=True)  # the text that its quotes point into
    updated_at: Mapped[datetime]


class TaskAttempt(Model):
    __tablename__ = "task_attempts"
    __table_args__ = (
        UniqueConstraint("task_id", "lease_seq"),
        CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="outcome_when_ended"),
        CheckConstraint(
            "outcome IN ('completed','retry','failed','released','cancelled','lost')", name="outcome"
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    lease_seq: Mapped[int]
    worker_id: Mapped[str]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    error: Mapped[str | None]
    error_en: Mapped[str | None]
    error_code: Mapped[str | None]
    usage: Mapped[dict[str, Any] | None] = mapped_column(Json)


class TaskStep(Model):
    """One paid or slow piece of an attempt; `done` rows are never paid for again."""

    __tablename__ = "task_steps"
    __table_args__ = (
        UniqueConstraint("task_id", "name", "key"),
        CheckConstraint("status IN ('started','done','failed')", name="status"),
        CheckConstraint("(status = 'done') = (result IS NOT NULL)", name="result_when_done"),
        CheckConstraint("calls >= 0 AND in_doubt >= 0", name="counters"),
        Index("ix_task_steps_user_id_key", "user_id", "key"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str]
    key: Mapped[str]  # hash of content, prompt version, schema version and parameters
    status: Mapped[str]
    lease_seq: Mapped[int]  # of the attempt that last started it
    calls: Mapped[int]  # over all attempts
    in_doubt: Mapped[int]  # started by a worker that died, and called again
    result: Mapped[Any | None] = mapped_column(Json)
    provider: Mapped[str | None]
    model: Mapped[str | None]
    prompt_tokens: Mapped[int]
    response_tokens: Mapped[int]
    cost: Mapped[Decimal] = mapped_column(Numeric(18, 6, asdecimal=True))  # yuan
    reserved_cost: Mapped[Decimal] = mapped_column(Numeric(18, 6, asdecimal=True))
    reused_from: Mapped[int | None]  # the step of an earlier task on the same content
    # Holds for this run of the task: a person's retry asks again, other tasks don't reuse it.
    is_provisional: Mapped[bool | None]
    started_at: Mapped[datetime]
    done_at: Mapped[datetime | None]


class TaskEvent(Model):
    """One line of a task's history, written with what it tells, ids in the order of their commits."""

    __tablename__ = "task_events"
    __table_args__ = (
        Index("ix_task_events_user_id_id", "user_id", "id"),
        Index("ix_task_events_task_id_id", "task_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    type: Mapped[str]
    status: Mapped[str | None]
    message: Mapped[str | None]
    data: Mapped[dict[str, Any] | None] = mapped_column(Json)
    created_at: Mapped[datetime]


class LLMCall(Model):
    """The ledger: one row per call, written before it is sent."""

    __tablename__ = "llm_calls"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[str] = mapped_column(unique=True)
    task_id: Mapped[int | None] = mapped_column(ForeignKey("tasks.id", ondelete="SET NULL"), index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    step: Mapped[str | None]
    attempt: Mapped[int | None]
    deployment: Mapped[str]
    provider: Mapped[str]
    model: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(index=True)
    duration_ms: Mapped[float | None]
    first_token_ms: Mapped[float | None]
    success: Mapped[bool | None]  # None while the call is out
    error_kind: Mapped[str | None]
    finish_reason: Mapped[str | None]
    prompt_tokens: Mapped[int]
    cached_tokens: Mapped[int]
    response_tokens: Mapped[int]
    cost: Mapped[Decimal] = mapped_column(Numeric(18, 6, asdecimal=True))


class Gate(Model):
    """The way to one provider deployment, for all workers: open, or closed until a time or a probe.

    A row stands here for each deployment of the workers started last, whether it is closed or not.
    """

    __tablename__ = "gates"

    name: Mapped[str] = mapped_column(primary_key=True)
    provider: Mapped[str | None]
    model: Mapped[str | None]
    purposes: Mapped[Any | None] = mapped_column(Json)  # ["bidding", …]; empty or null: any
    closed_until: Mapped[datetime | None]  # null: open; with `needs_probe` the time of the next probe
    needs_probe: Mapped[bool | None]  # wrong key, no credit: time alone opens nothing
    failures: Mapped[int | None]  # closings and failed probes in a row
    reason: Mapped[str | None]  # a kind of failure: throttle, auth, quota, …
    error_code: Mapped[str | None]
    config_hash: Mapped[str | None]  # of address, model and key: with another one it opens
    updated_at: Mapped[datetime]


class ItemReview(Model):
    """What a reader says of one finding. Keyed by content, so that it survives a new analysis of the file."""

    __tablename__ = "item_reviews"
    __table_args__ = (
        CheckConstraint("state IN ('open','confirmed','doubtful','not_applicable')", name="state"),
        CheckConstraint("occurrence >= 0", name="occurrence"),
    )

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    source_sha256: Mapped[str] = mapped_column(primary_key=True)  # the file's, or the pasted text's
    tab: Mapped[str] = mapped_column(primary_key=True)
    excerpt_hash: Mapped[str] = mapped_column(primary_key=True)  # SHA-256 of the excerpt without spaces
    # The same words may be a finding of the same tab several times: the first is 0.
    occurrence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[str]
    note: Mapped[str | None]
    updated_at: Mapped[datetime]


class CompanyProfile(Model):
    """What a user's company can show: qualifications, certificates, references, people. One a user."""

    __tablename__ = "company_profiles"

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    body: Mapped[dict[str, Any]]
    version: Mapped[int]  # only grows
    updated_at: Mapped[datetime]


class Worker(Model):
    """One worker process. Its lock file (device, inode) tells others of the same boot whether it lives."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    boot_id: Mapped[str]
    pid: Mapped[int]
    lock_device: Mapped[int | None]
    lock_inode: Mapped[int | None]
    concurrency: Mapped[int]
    started_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime] = mapped_column(index=True)
    stopped_at: Mapped[datetime | None]


class IdempotencyKey(Model):
    """A creating POST's key, for 24 hours."""

    __tablename__ = "idempotency_keys"

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    kind: Mapped[str]  # task | file
    resource_id: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(index=True)


def _table_of(model: type[Model]) -> Table:
    return cast(Table, model.__table__)


# The Core tables, for the hot path: the ORM would cost 1.7 times as much there.
USERS = _table_of(User)
SESSIONS = _table_of(Session)
REFRESH_TOKENS = _table_of(RefreshToken)
LOGIN_FAILURES = _table_of(LoginFailure)
FILES = _table_of(File)
TASKS = _table_of(TaskRow)
TASK_RESULTS = _table_of(TaskResult)
TASK_PARTIALS = _table_of(TaskPartial)
TASK_ATTEMPTS = _table_of(TaskAttempt)
TASK_STEPS = _table_of(TaskStep)
TASK_EVENTS = _table_of(TaskEvent)
LLM_CALLS = _table_of(LLMCall)
GATES = _table_of(Gate)
WORKERS = _table_of(Worker)
IDEMPOTENCY_KEYS = _table_of(IdempotencyKey)
ITEM_REVIEWS = _table_of(ItemReview)
COMPANY_PROFILES = _table_of(CompanyProfile)
