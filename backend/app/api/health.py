"""Whether this process can serve: database, migrations, storage; and whether a worker was seen lately."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from backend.app.api.deps import Services
from backend.app.common.errors import AppError
from backend.app.db import migrate
from backend.app.tasks import queries

_PATIENCE_S = 5.0
_WORKER_SILENT_S = 60.0


@dataclass(frozen=True, slots=True)
class Readiness:
    ready: bool
    checks: dict[str, Any]


async def readiness(services: Services) -> Readiness:
    """All checks; a database that does not answer within five seconds counts as gone."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            revision = await services.database.read(migrate.current)
            seen = await services.database.read(queries.last_worker_seen) if revision else None
        database = "ok"
    except (AppError, SQLAlchemyError, TimeoutError, OSError):
        database, revision, seen = "unavailable", None, None
    current = revision == services.options.schema_revision
    storage = await asyncio.to_thread(_writable, services.storage.root)
    checks = {
        "database": database,
        "migrations": "ok" if current else "unknown" if database != "ok" else "pending",
        "storage": "ok" if storage else "unavailable",
        "worker": _worker(seen, datetime.now(UTC)),
    }
    return Readiness(database == "ok" and current and storage, checks)


def _writable(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _worker(seen: datetime | None, now: datetime) -> dict[str, Any]:
    """No worker is no failure of this process: tasks wait until one comes."""
    alive = seen is not None and (now - seen).total_seconds() < _WORKER_SILENT_S
    last = None if seen is None else seen.isoformat().replace("+00:00", "Z")
    return {"status": "ok" if alive else "not_seen", "last_seen": last}
