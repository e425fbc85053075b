"""Puts the models together from the settings: which deployments there are, and their client with ledger,
gates and logs. Apart from `bootstrap_worker`, because commands ask as well."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

from backend.app.common import logging
from backend.app.db.engine import Database
from backend.app.handlers import PURPOSES
from backend.app.llm import providers, traces
from backend.app.llm.call_log import CallLog, CallObserver
from backend.app.llm.client import LLMClient
from backend.app.llm.deployments import DeploymentsError, load_deployments
from backend.app.llm.ledger import Ledger
from backend.app.llm.shared_gates import SharedGates
from backend.app.llm.types import Deployment
from backend.app.settings import Settings, SettingsError, variables
from backend.app.tasks.reports import patiently

log = logging.get_logger("bootstrap")


def deployments_of(settings: Settings) -> tuple[Deployment, ...]:
    """The file's deployments; for a purpose that none of them serves, the single one of the variables.

    Empty when the built-in rules work alone. Raises SettingsError with a sentence for the operator.
    """
    found: list[Deployment] = []
    if settings.llm_config is not None:
        try:
            found += load_deployments(settings.llm_config, key_of=variables().get)
        except DeploymentsError as error:
            raise SettingsError(str(error)) from None
    for purpose, single in (("bidding", _for_bidding(settings)), ("workload", _for_workload(settings))):
        if single is None or any(deployment.serves(purpose) for deployment in found):
            continue
        if any(deployment.label == single.label for deployment in found):
            single = replace(single, name=f"{single.label} ({purpose})")
        found.append(single)
    for deployment in found:
        if deployment.timeout_s == 0:
            log.warning("llm_timeout_unlimited", deployment=deployment.label)
    return tuple(found)


def _for_bidding(settings: Settings) -> Deployment | None:
    return _single(
        "bidding",
        ("BIDDING_ASSISTANT_LLM_", "PROVIDER", "MODEL"),
        settings.bidding_llm_provider,
        settings.bidding_llm_model,
        settings.bidding_llm_base_url,
        settings.bidding_llm_api_key,
        settings.bidding_llm_timeout,
    )


def _for_workload(settings: Settings) -> Deployment | None:
    return _single(
        "workload",
        ("SPLITWORKLOAD_MODEL_", "PROVIDER", "PATH"),
        settings.workload_model_provider,
        settings.workload_model_path,
        settings.workload_model_base_url,
        settings.workload_model_api_key,
        settings.workload_model_timeout,
    )


def _single(
    purpose: str,
    names: tuple[str, str, str],
    provider: str,
    model: str,
    base_url: str,
    api_key: str,
    timeout_s: float,
) -> Deployment | None:
    """One deployment from variables named `names[0]` + PROVIDER, …; None for the rules."""
    if provider == "rules":
        return None
    prefix, provider_name, model_name = names
    dialect = providers.PROVIDERS[provider]
    base_url = base_url or dialect.base_urls.get("", "")
    for value, name in (
        (model, model_name),
        (base_url, "BASE_URL"),
        (api_key or not dialect.needs_key, "API_KEY"),
    ):
        if not value:
            raise SettingsError(f"配置错误：{prefix}{provider_name}={provider} 需要设置 {prefix}{name}")
    if not base_url.startswith(("http://", "https://")):
        raise SettingsError(f"配置错误：{prefix}BASE_URL 应为 http:// 或 https:// 地址")
    return Deployment(
        provider=provider,
        model=model,
        base_url=base_url,
        api_key=api_key,
        timeout_s=timeout_s,
        structured=providers.structured_level(provider, model),
        purposes=frozenset({purpose}),
    )


def observers_of(settings: Settings) -> list[CallObserver]:
    """The log, and traces where an endpoint is set."""
    found: list[CallObserver] = [CallLog()]
    if settings.traces_endpoint:
        if not settings.traces_endpoint.startswith(("http://", "https://")):
            raise SettingsError("配置错误：SA_TRACES_ENDPOINT 应为 http:// 或 https:// 地址")
        try:
            found.append(traces.observer(settings.traces_endpoint))
        except traces.TracesUnavailable as error:
            raise SettingsError(f"配置错误：SA_TRACES_ENDPOINT：{error}") from None
    return found


class WorkerLLM:
    """The models of one worker process, with ledger and shared gates. Nothing at all where none is
    configured."""

    def __init__(self, settings: Settings, database: Database) -> None:
        deployments = deployments_of(settings)
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="llm-db")
        self._database = database
        self._keeper: asyncio.Task[None] | None = None
        self._observers = observers_of(settings)
        self._ledger = Ledger(self._patiently)
        self._gates = SharedGates(deployments, self._patiently, self._look)
        self.client = LLMClient(deployments, observers=(self._ledger, *self._observers), gates=self._gates)
        free = [deployment.label for deployment in deployments if not _has_price(deployment)]
        if settings.task_budget and free:
            log.warning("llm_budget_without_prices", setting="SA_TASK_BUDGET", deployments=free)

    def for_purpose(self, purpose: str) -> LLMClient | None:
        """The client, if any deployment serves this."""
        return self.client if self.client.serves(purpose) else None

    def blocked_types(self) -> frozenset[str]:
        """Task types that wait behind closed gates."""
        return frozenset(kind for kind, purpose in PURPOSES.items() if self.client.router.blocks(purpose))

    async def start(self) -> None:
        """Write the gates' rows and watch them from now on."""
        await self._gates.register()
        if self.client.deployments:
            self._keeper = asyncio.create_task(self._gates.keep(self.client.probe), name="llm-gates")

    async def aclose(self) -> None:
        """Stop watching, write what the ledger holds, close the connections."""
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ledger.aclose(), 5)
        await self.client.aclose()
        for observer in self._observers:
            if isinstance(observer, traces.CallTraces):
                await asyncio.to_thread(observer.close)
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _patiently(self, verb: Callable[..., Any], *args: object, **kwargs: object) -> Any:
        return await patiently(self._runner(self._database.write), verb, *args, **kwargs)

    async def _look(self, verb: Callable[..., Any], *args: object, **kwargs: object) -> Any:
        return await patiently(self._runner(self._database.read), verb, *args, **kwargs)

    def _runner(self, how: Callable[[], Any]) -> Callable[..., Awaitable[Any]]:
        async def run(verb: Callable[..., Any], *args: object, **kwargs: object) -> Any:
            def call() -> Any:
                with how() as conn:
                    return verb(conn, *args, **kwargs)

            return await asyncio.get_running_loop().run_in_executor(self._pool, call)

        return run


def _has_price(deployment: Deployment) -> bool:
    return bool(deployment.prices.prompt or deployment.prices.response)
