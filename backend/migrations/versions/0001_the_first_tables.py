"""the first tables

Revision: 0001
Follows:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from backend.app.db.types import BigId, Json, UTCDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gates",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("closed_until", UTCDateTime(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("config_hash", sa.Text(), nullable=True),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_gates")),
    )
    op.create_table(
        "login_failures",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("failures", BigId, nullable=False),
        sa.Column("last_at", UTCDateTime(), nullable=False),
        sa.Column("blocked_until", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_login_failures")),
    )
    op.create_index("ix_login_failures_last_at", "login_failures", ["last_at"], unique=False)

    op.create_table(
        "users",
        sa.Column("id", BigId, nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.CheckConstraint("role IN ('user','admin')", name=op.f("ck_users_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("username", name=op.f("uq_users_username")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("pid", BigId, nullable=False),
        sa.Column("lock_device", BigId, nullable=True),
        sa.Column("lock_inode", BigId, nullable=True),
        sa.Column("concurrency", BigId, nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=False),
        sa.Column("heartbeat_at", UTCDateTime(), nullable=False),
        sa.Column("stopped_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.create_index("ix_workers_heartbeat_at", "workers", ["heartbeat_at"], unique=False)

    op.create_table(
        "files",
        sa.Column("id", BigId, nullable=False),
        sa.Column("user_id", BigId, nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("size", BigId, nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.CheckConstraint("length(sha256) = 64", name=op.f("ck_files_sha256")),
        sa.CheckConstraint("size >= 0", name=op.f("ck_files_size")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_files_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_files")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_files_sha256", "files", ["sha256"], unique=False)
    op.create_index("ix_files_user_id", "files", ["user_id"], unique=False)

    op.create_table(
        "idempotency_keys",
        sa.Column("user_id", BigId, autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("resource_id", BigId, nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_idempotency_keys_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"], unique=False)

    op.create_table(
        "sessions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", BigId, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("revoked_at", UTCDateTime(), nullable=True),
        sa.CheckConstraint("kind IN ('browser','program')", name=op.f("ck_sessions_kind")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_sessions_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"], unique=False)

    op.create_table(
        "refresh_tokens",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("used_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["sessions.id"],
            name=op.f("fk_refresh_tokens_session_id_sessions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_refresh_tokens")),
    )
    op.create_index("ix_refresh_tokens_session_id", "refresh_tokens", ["session_id"], unique=False)

    op.create_table(
        "tasks",
        sa.Column("id", BigId, nullable=False),
        sa.Column("user_id", BigId, nullable=False),
        sa.Column("task_type", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("priority", BigId, nullable=False),
        sa.Column("run_at", UTCDateTime(), nullable=False),
        sa.Column("payload", Json, nullable=False),
        sa.Column("attempt", BigId, nullable=False),
        sa.Column("retry_count", BigId, nullable=False),
        sa.Column("max_retries", BigId, nullable=False),
        sa.Column("crash_count", BigId, nullable=False),
        sa.Column("lease_seq", BigId, nullable=False),
        sa.Column("lease_until", UTCDateTime(), nullable=True),
        sa.Column("worker_id", sa.Text(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=True),
        sa.Column("completed_at", UTCDateTime(), nullable=True),
        sa.Column("progress", Json, nullable=True),
        sa.Column("result", Json, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("error_en", sa.Text(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("metadata", Json, nullable=False),
        sa.Column("file_id", BigId, nullable=True),
        sa.Column("file_sha256", sa.Text(), nullable=True),
        sa.Column("document_sha256", sa.Text(), nullable=True),
        sa.Column("batch_id", sa.Text(), nullable=True),
        sa.Column("parent_id", BigId, nullable=True),
        sa.CheckConstraint(
            "(completed_at IS NOT NULL) = (status IN ('completed','failed','cancelled'))",
            name=op.f("ck_tasks_completed_at_in_final"),
        ),
        sa.CheckConstraint(
            "(lease_until IS NOT NULL) = (status = 'running')", name=op.f("ck_tasks_lease_while_running")
        ),
        sa.CheckConstraint(
            "(result IS NOT NULL) = (status = 'completed')", name=op.f("ck_tasks_result_when_completed")
        ),
        sa.CheckConstraint(
            "(worker_id IS NOT NULL) = (status = 'running')", name=op.f("ck_tasks_worker_while_running")
        ),
        sa.CheckConstraint(
            "status <> 'failed' OR error IS NOT NULL", name=op.f("ck_tasks_error_when_failed")
        ),
        sa.CheckConstraint(
            "status IN ('pending','running','completed','failed','retry','cancelled')",
            name=op.f("ck_tasks_status"),
        ),
        sa.CheckConstraint(
            "crash_count >= 0 AND lease_seq >= 0 AND attempt >= 0", name=op.f("ck_tasks_counters")
        ),
        sa.CheckConstraint("max_retries >= 0 AND max_retries <= 10", name=op.f("ck_tasks_max_retries")),
        sa.CheckConstraint("priority >= -10 AND priority <= 10", name=op.f("ck_tasks_priority")),
        sa.CheckConstraint(
            "retry_count >= 0 AND retry_count <= max_retries", name=op.f("ck_tasks_retry_count")
        ),
        sa.ForeignKeyConstraint(["file_id"], ["files.id"], name=op.f("fk_tasks_file_id_files")),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["tasks.id"], name=op.f("fk_tasks_parent_id_tasks"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_tasks_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_tasks_document_sha256", "tasks", ["document_sha256"], unique=False)
    op.create_index("ix_tasks_file_id", "tasks", ["file_id"], unique=False)
    op.create_index("ix_tasks_file_sha256", "tasks", ["file_sha256"], unique=False)
    op.create_index(
        "ix_tasks_lease",
        "tasks",
        ["lease_until"],
        unique=False,
        sqlite_where=sa.text("status = 'running'"),
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_index("ix_tasks_parent_id", "tasks", ["parent_id"], unique=False)
    op.create_index(
        "ix_tasks_running",
        "tasks",
        ["user_id"],
        unique=False,
        sqlite_where=sa.text("status = 'running'"),
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_index("ix_tasks_user_id_id", "tasks", ["user_id", "id"], unique=False)
    op.create_index("ix_tasks_user_id_status", "tasks", ["user_id", "status"], unique=False)

    op.create_table(
        "llm_calls",
        sa.Column("id", BigId, nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("task_id", BigId, nullable=True),
        sa.Column("user_id", BigId, nullable=True),
        sa.Column("step", sa.Text(), nullable=True),
        sa.Column("attempt", BigId, nullable=True),
        sa.Column("deployment", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=False),
        sa.Column("duration_ms", sa.Float(), nullable=True),
        sa.Column("first_token_ms", sa.Float(), nullable=True),
        sa.Column("success", sa.Boolean(), nullable=True),
        sa.Column("error_kind", sa.Text(), nullable=True),
        sa.Column("finish_reason", sa.Text(), nullable=True),
        sa.Column("prompt_tokens", BigId, nullable=False),
        sa.Column("cached_tokens", BigId, nullable=False),
        sa.Column("response_tokens", BigId, nullable=False),
        sa.Column("cost", sa.Numeric(18, 6), nullable=False),
        sa.ForeignKeyConstraint(
            ["task_id"], ["tasks.id"], name=op.f("fk_llm_calls_task_id_tasks"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_llm_calls_user_id_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_llm_calls")),
        sa.UniqueConstraint("call_id", name=op.f("uq_llm_calls_call_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_llm_calls_started_at", "llm_calls", ["started_at"], unique=False)
    op.create_index("ix_llm_calls_task_id", "llm_calls", ["task_id"], unique=False)

    op.create_table(
        "task_attempts",
        sa.Column("id", BigId, nullable=False),
        sa.Column("task_id", BigId, nullable=False),
        sa.Column("attempt", BigId, nullable=False),
        sa.Column("lease_seq", BigId, nullable=False),
        sa.Column("worker_id", sa.Text(), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("error_en", sa.Text(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("usage", Json, nullable=True),
        sa.CheckConstraint(
            "outcome IN ('completed','retry','failed','released','cancelled','lost')",
            name=op.f("ck_task_attempts_outcome"),
        ),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (outcome IS NULL)", name=op.f("ck_task_attempts_outcome_when_ended")
        ),
        sa.ForeignKeyConstraint(
            ["task_id"], ["tasks.id"], name=op.f("fk_task_attempts_task_id_tasks"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_attempts")),
        sa.UniqueConstraint("task_id", "lease_seq", name=op.f("uq_task_attempts_task_id_lease_seq")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "task_events",
        sa.Column("id", BigId, nullable=False),
        sa.Column("task_id", BigId, nullable=False),
        sa.Column("user_id", BigId, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("data", Json, nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["task_id"], ["tasks.id"], name=op.f("fk_task_events_task_id_tasks"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_task_events_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_events")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_task_events_task_id_id", "task_events", ["task_id", "id"], unique=False)
    op.create_index("ix_task_events_user_id_id", "task_events", ["user_id", "id"], unique=False)

    op.create_table(
        "task_results",
        sa.Column("task_id", BigId, autoincrement=False, nullable=False),
        sa.Column("body", Json, nullable=False),
        sa.ForeignKeyConstraint(
            ["task_id"], ["tasks.id"], name=op.f("fk_task_results_task_id_tasks"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_task_results")),
    )
    op.create_table(
        "task_steps",
        sa.Column("id", BigId, nullable=False),
        sa.Column("task_id", BigId, nullable=False),
        sa.Column("user_id", BigId, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("lease_seq", BigId, nullable=False),
        sa.Column("calls", BigId, nullable=False),
        sa.Column("in_doubt", BigId, nullable=False),
        sa.Column("result", Json, nullable=True),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("prompt_tokens", BigId, nullable=False),
        sa.Column("response_tokens", BigId, nullable=False),
        sa.Column("cost", sa.Numeric(18, 6), nullable=False),
        sa.Column("reserved_cost", sa.Numeric(18, 6), nullable=False),
        sa.Column("reused_from", BigId, nullable=True),
        sa.Column("started_at", UTCDateTime(), nullable=False),
        sa.Column("done_at", UTCDateTime(), nullable=True),
        sa.CheckConstraint(
            "(status = 'done') = (result IS NOT NULL)", name=op.f("ck_task_steps_result_when_done")
        ),
        sa.CheckConstraint("status IN ('started','done','failed')", name=op.f("ck_task_steps_status")),
        sa.CheckConstraint("calls >= 0 AND in_doubt >= 0", name=op.f("ck_task_steps_counters")),
        sa.ForeignKeyConstraint(
            ["task_id"], ["tasks.id"], name=op.f("fk_task_steps_task_id_tasks"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_task_steps_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_steps")),
        sa.UniqueConstraint("task_id", "name", "key", name=op.f("uq_task_steps_task_id_name_key")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_task_steps_user_id_key", "task_steps", ["user_id", "key"], unique=False)
    op.create_index(
        "ix_tasks_waiting",
        "tasks",
        ["user_id", sa.text("priority DESC"), "run_at", "id"],
        sqlite_where=sa.text("status IN ('pending','retry')"),
        postgresql_where=sa.text("status IN ('pending','retry')"),
    )


def downgrade() -> None:
    for table in (
        "task_steps",
        "task_results",
        "task_events",
        "task_attempts",
        "llm_calls",
        "tasks",
        "refresh_tokens",
        "sessions",
        "idempotency_keys",
        "files",
        "workers",
        "users",
        "login_failures",
        "gates",
    ):
        op.drop_table(table)
