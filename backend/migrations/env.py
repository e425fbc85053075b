"""Alembic's entry: it runs on the connection that `db.migrate` gives it, inside that transaction."""

from __future__ import annotations

from alembic import context

from backend.app.db.models import Model

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Model.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
)
# The transaction is begun and ended by `db.migrate`: on SQLite PRAGMA foreign_keys must come before BEGIN.
context.run_migrations()
