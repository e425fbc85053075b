"""partial results, reviews of findings, company profiles

Revision: 0003
Follows: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from backend.app.db.types import BigId, Json, UTCDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "task_partials",
        sa.Column("task_id", BigId, autoincrement=False, nullable=False),
        sa.Column("lease_seq", BigId, nullable=False),
        sa.Column("body", Json, nullable=False),
        sa.Column("document_sha256", sa.Text(), nullable=True),
        sa.Column("updated_at", UTCDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["task_id"], ["tasks.id"], name=op.f("fk_task_partials_task_id_tasks"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_task_partials")),
    )
    op.create_index(op.f("ix_task_partials_document_sha256"), "task_partials", ["document_sha256"])
    op.create_table(
        "item_reviews",
        sa.Column("user_id", BigId, autoincrement=False, nullable=False),
        sa.Column("source_sha256", sa.Text(), nullable=False),
        sa.Column("tab", sa.Text(), nullable=False),
        sa.Column("excerpt_hash", sa.Text(), nullable=False),
        sa.Column("occurrence", BigId, autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("updated_at", UTCDateTime, nullable=False),
        sa.CheckConstraint("occurrence >= 0", name=op.f("ck_item_reviews_occurrence")),
        sa.CheckConstraint(
            "state IN ('open','confirmed','doubtful','not_applicable')", name=op.f("ck_item_reviews_state")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_item_reviews_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            "user_id", "source_sha256", "tab", "excerpt_hash", "occurrence", name=op.f("pk_item_reviews")
        ),
    )
    op.create_table(
        "company_profiles",
        sa.Column("user_id", BigId, autoincrement=False, nullable=False),
        sa.Column("body", Json, nullable=False),
        sa.Column("version", BigId, nullable=False),
        sa.Column("updated_at", UTCDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_company_profiles_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_company_profiles")),
    )


def downgrade() -> None:
    op.drop_table("company_profiles")
    op.drop_table("item_reviews")
    op.drop_index(op.f("ix_task_partials_document_sha256"), "task_partials")
    op.drop_table("task_partials")
