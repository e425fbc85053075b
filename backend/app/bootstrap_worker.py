"""Puts the worker process together from the settings. Apart from `bootstrap`, so that a worker does not
load the web framework."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from backend.app.common import logging
from backend.app.db.engine import Database
from backend.app.documents.sandbox import ParsePool, SandboxLimits
from backend.app.documents.storage import storage_from_url
from backend.app.handlers.bidding import BiddingHandler
from backend.app.llm import providers
from backend.app.llm.client import LLMClient
from backend.app.llm.types import Deployment
from backend.app.settings import Settings, SettingsError, load_settings
from backend.app.tasks.runner import Handler

log = logging.get_logger("bootstrap")


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
    database = Database(settings.database_url, pool_size=6)
    client = build_client(settings)

    async def close() -> None:
        if client is not None:
            await client.aclose()
        database.dispose()

    storage = storage_from_url(settings.storage_url, settings.data_dir)
    bidding = BiddingHandler(storage, ParsePool(settings.parse_processes), SandboxLimits(), client)
    return WorkerParts(
        database=database,
        handlers={"bidding_analysis": bidding},
        lock_folder=settings.data_dir / "workers",
        close=close,
        concurrency=settings.worker_concurrency,
        max_running_per_user=settings.max_running_per_user,
        lease_seconds=settings.lease_seconds,
        heartbeat_seconds=settings.heartbeat_seconds,
        shutdown_grace=settings.shutdown_grace,
        task_timeout=settings.task_timeout,
        poll_interval=settings.poll_interval,
        batch_size=settings.batch_size,
        max_consecutive_errors=settings.max_consecutive_errors,
    )


def build_client(settings: Settings) -> LLMClient | None:
    """The model for tenders; None when the built-in analyser works alone."""
    provider = settings.bidding_llm_provider
    if provider == "rules":
        return None
    if provider in providers.OTHER_DIALECTS:
        raise SettingsError(
            f"配置错误：BIDDING_ASSISTANT_LLM_PROVIDER={provider} 尚未支持，"
            "请改用 openai_compatible 并设置 BIDDING_ASSISTANT_LLM_BASE_URL"
        )
    base_url = settings.bidding_llm_base_url or providers.BASE_URLS.get(provider, "")
    for value, name in (
        (settings.bidding_llm_model, "MODEL"),
        (base_url, "BASE_URL"),
        (settings.bidding_llm_api_key or provider in providers.KEYLESS, "API_KEY"),
    ):
        if not value:
            raise SettingsError(
                f"配置错误：BIDDING_ASSISTANT_LLM_PROVIDER={provider} 需要设置 BIDDING_ASSISTANT_LLM_{name}"
            )
    if settings.bidding_llm_timeout == 0:
        log.warning("llm_timeout_unlimited", setting="BIDDING_ASSISTANT_LLM_TIMEOUT")
    return LLMClient(
        Deployment(
            provider=provider,
            model=settings.bidding_llm_model,
            base_url=base_url,
            api_key=settings.bidding_llm_api_key,
            timeout_s=settings.bidding_llm_timeout,
        )
    )
