"""gates tell whose they are and whether a probe must open them; steps may hold for one run only

Revision: 0002
Follows: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from backend.app.db.types import BigId, Json

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Nullable, all of them: a worker of the version before writes rows without them during a rolling update.
_COLUMNS = (
    ("gates", "provider", sa.Text()),
    ("gates", "model", sa.Text()),
    ("gates", "purposes", Json),
    ("gates", "needs_probe", sa.Boolean()),
    ("gates", "failures", BigId),
    ("task_steps", "is_provisional", sa.Boolean()),
)


def upgrade() -> None:
    for table, name, kind in _COLUMNS:
        op.add_column(table, sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    for table, name, _ in reversed(_COLUMNS):
        op.drop_column(table, name)
