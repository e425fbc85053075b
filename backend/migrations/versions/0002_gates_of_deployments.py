"""gates tell whose they are, and whether a probe must open them

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
    ("provider", sa.Text()),
    ("model", sa.Text()),
    ("purposes", Json),
    ("needs_probe", sa.Boolean()),
    ("failures", BigId),
)


def upgrade() -> None:
    for name, kind in _COLUMNS:
        op.add_column("gates", sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    for name, _ in reversed(_COLUMNS):
        op.drop_column("gates", name)
