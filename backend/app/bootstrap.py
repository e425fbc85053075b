"""The one place where parts are put together from the settings."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from logging import getLogger

from fastapi import FastAPI

from backend.app.api.app import assemble
from backend.app.api.deps import ApiOptions, Services
from backend.app.api.gates import GateBoard
from backend.app.api.waiting import Waiters
from backend.app.auth import secret
from backend.app.auth.accounts import Accounts, Registration
from backend.app.auth.passwords import PasswordHasher, PasswordPool
from backend.app.auth.tokens import Tokens
from backend.app.common import logging
from backend.app.db import migrate
from backend.app.db.changes import ChangeWatch
from backend.app.db.engine import AsyncDatabase
from backend.app.documents.storage import Storage, storage_from_url
from backend.app.handlers import PURPOSES
from backend.app.settings import REPOSITORY, Settings
from backend.app.tasks.queue.events import EVENTS_CHANNEL
from backend.app.tasks.service import Limits, TaskService, TaskType

# The kinds of tasks that are submitted and run here; each later one is a line.
TASK_TYPES = {
    kind.name: kind
    for kind in (TaskType("bidding_analysis"), TaskType("bidding_comparison", base="bidding_analysis"))
}

# One API process serves people who wait for seconds: 20 ms are nothing to them.
_API_POLL_S = 0.02


def configure_logging(settings: Settings) -> None:
    logging.configure(settings.log_format, settings.log_level, settings.log_file)
    # Each request has a line of our own, with its id.
    getLogger("uvicorn.access").disabled = True


def build_api(settings: Settings) -> FastAPI:
    """The API of one process."""
    database = AsyncDatabase(settings.database_url)
    watch = ChangeWatch(settings.database_url, EVENTS_CHANNEL, poll_seconds=_API_POLL_S)
    storage = storage_from_url(settings.storage_url, settings.data_dir)
    passwords = PasswordPool(PasswordHasher(), threads=min(4, os.cpu_count() or 1))
    services = Services(
        database=database,
        storage=storage,
        accounts=_accounts(settings, database, passwords),
        tasks=_tasks(settings, database, storage),
        waiters=Waiters(database, watch),
        gates=GateBoard(database, PURPOSES),
        options=_options(settings),
    )
    return assemble(services, _closer(database, passwords))


def build_tokens(settings: Settings) -> Tokens:
    """SA_JWT_SECRET; without it, in development, one that is made once and kept in the data folder."""
    return Tokens(settings.jwt_secret or secret.load_or_create(settings.data_dir))


def utc_now() -> datetime:
    return datetime.now(UTC)


def _accounts(settings: Settings, database: AsyncDatabase, passwords: PasswordPool) -> Accounts:
    registration = Registration(
        open=settings.registration == "open", first_is_admin=settings.env == "development"
    )
    return Accounts(database, passwords, build_tokens(settings), registration, utc_now)


def _tasks(settings: Settings, database: AsyncDatabase, storage: Storage) -> TaskService:
    limits = Limits(settings.max_text_chars, settings.max_active_tasks_per_user)
    return TaskService(database, storage, TASK_TYPES, limits)


def _options(settings: Settings) -> ApiOptions:
    return ApiOptions(
        max_upload_bytes=settings.max_upload_bytes,
        max_text_chars=settings.max_text_chars,
        legacy_wait=settings.legacy_wait,
        schema_revision=migrate.head(),
        pages=REPOSITORY / "frontend" / "public",
        readmes=REPOSITORY,
        cors_origins=settings.cors_origins,
        trusted_proxies=settings.trusted_proxies,
    )


def _closer(database: AsyncDatabase, passwords: PasswordPool) -> Callable[[], Awaitable[None]]:
    async def close() -> None:
        passwords.close()
        await database.dispose()

    return close
