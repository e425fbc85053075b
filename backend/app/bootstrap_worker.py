"""Puts the worker process together from the settings. Apart from `bootstrap`, so that a worker does not
load the web framework."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from backend.app.bootstrap_llm import WorkerLLM
from backend.app.common import logging
from backend.app.db.engine import Database
from backend.app.documents.reading import Reader
from backend.app.documents.sandbox import ParsePool
from backend.app.documents.storage import storage_from_url
from backend.app.handlers.bidding import BiddingHandler
from backend.app.handlers.comparison import ComparisonHandler, stored_base
from backend.app.handlers.reading import DurableReader
from backend.app.settings import Settings, load_settings
from backend.app.tasks.runner import Handler


async def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What a worker is made of. `lock_folder`: on a local disk, shared by the workers of one host."""

    database: Database
    handlers: Mapping[str, Handler]
    lock_folder: Path
    close: Callable[[], Awaitable[None]]
    concurrency: int = 50
    max_running_per_user: int = 10
    lease_seconds: float = 20
    heartbeat_seconds: float = 5
    shutdown_grace: float = 30
    task_timeout: float = 1800
    task_budget: Decimal = Decimal(0)  # yuan; 0: no limit
    # What runs beside the worker; awaited before the first claim.
    start: Callable[[], Awaitable[None]] = _nothing
    # Task types that are left waiting for now. Asked on the worker's loop.
    blocked_types: Callable[[], frozenset[str]] = frozenset
    poll_interval: float = 2.0
    batch_size: int = 5
    max_consecutive_errors: int = 10
    # Starts a worker for one task that has killed others; `--only ID` is appended.
    isolated_command: tuple[str, ...] = (sys.executable, "-m", "backend.app.tasks.worker")


def build_worker(settings: Settings | None = None) -> WorkerParts:
    """Read the settings and wire handlers, storage, sandbox, model and database.

    Raises SettingsError with a sentence for the operator.
    """
    settings = settings or load_settings()
    logging.configure(settings.log_format, settings.log_level, settings.log_file)
    database = Database(settings.database_url, pool_size=8)
    models = WorkerLLM(settings, database)

    async def close() -> None:
        await models.aclose()
        database.dispose()

    storage = storage_from_url(settings.storage_url, settings.data_dir)
    reader = Reader(ParsePool(settings.parse_processes), max_ocr_pages=settings.ocr_max_pages)
    bidding = BiddingHandler(storage, reader, models.for_purpose("bidding"))
    comparison = ComparisonHandler(DurableReader(storage, reader), stored_base(database, storage))
    return WorkerParts(
        database=database,
        handlers={"bidding_analysis": bidding, "bidding_comparison": comparison},
        lock_folder=settings.data_dir / "workers",
        close=close,
        concurrency=settings.worker_concurrency,
        max_running_per_user=settings.max_running_per_user,
        lease_seconds=settings.lease_seconds,
        heartbeat_seconds=settings.heartbeat_seconds,
        shutdown_grace=settings.shutdown_grace,
        task_timeout=settings.task_timeout,
        task_budget=Decimal(str(settings.task_budget)),
        start=models.start,
        blocked_types=models.blocked_types,
        poll_interval=settings.poll_interval,
        batch_size=settings.batch_size,
        max_consecutive_errors=settings.max_consecutive_errors,
    )
