"""Writes of the ledger."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path

from sqlalchemy import func, select

from backend.app.bidding.llm_answers import PartFindings
from backend.app.bootstrap_llm import WorkerLLM, deployments_of, observers_of
from backend.app.db import migrate
from backend.app.db.engine import Database
from backend.app.db.models import LLM_CALLS
from backend.app.llm.client import LLMClient
from backend.app.llm.types import CallContext
from backend.app.settings import Settings
from benchmarks.llm.calls import MESSAGES, cpu_of, run_async
from benchmarks.llm.figures import Table
from benchmarks.llm.server import model_server
from benchmarks.llm.surroundings import settings_for


async def rates(settings: Settings, database: Database, calls: int) -> dict[str, tuple[float, float]]:
    """Calls a second, and CPU ms of a call: the worker's own client, and the same without ledger."""
    models = WorkerLLM(settings, database)
    await models.start()
    plain = LLMClient(deployments_of(settings), observers=observers_of(settings))
    context = CallContext(step="part 1", purpose="bidding")
    found: dict[str, list[tuple[float, float]]] = {"without ledger": [], "with ledger": []}
    ways = [("without ledger", plain), ("with ledger", models.client)]
    for turn in range(6):
        for name, client in ways if turn % 2 else reversed(ways):

            def ask(client: LLMClient = client) -> Awaitable[object]:
                return client.ask(MESSAGES, PartFindings, deadline=time.monotonic() + 600, context=context)

            began = time.perf_counter()
            cpu = await cpu_of(ask, calls if turn else 50, at_once=50)
            if turn:
                found[name].append((calls / (time.perf_counter() - began), cpu))
    await models.aclose()
    await plain.aclose()
    return {name: (max(run[0] for run in runs), min(run[1] for run in runs)) for name, runs in found.items()}


def ledger(table: Table) -> None:
    calls = 600
    table.head(f"ledger on SQLite: {calls} calls of 20 events, 50 at once, best of 5")
    with model_server() as base_url, tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/bench.db", pool_size=8)
        migrate.upgrade(database)
        asked = settings_for(base_url, "at-once 20", Path(folder), str(database.url))
        found = run_async(rates(asked, database, calls))
        with database.read() as conn:
            rows = conn.execute(select(func.count()).select_from(LLM_CALLS)).scalar_one()
        database.dispose()
    for name, (rate, cpu) in found.items():
        table.row(name, f"{rate:7.0f} calls/s, CPU {cpu:.2f} ms a call", "informative")
    table.row("  rows written", f"{rows}", f"{5 * calls + 50}", met=rows == 5 * calls + 50)
