"""Faults of a model provider, each met by a whole task: claimed from a real database, run by the real runner
with the real handler, client, ledger and shared gates. `Bench(world, folder).play(rows)` tells what differs
from what the rows say; rows run side by side.

`python -m backend.tests.fakes.llm_faults BASE_URL DATABASE FOLDER` runs two tasks in a process of its own and
prints what became of the second, and by how many KiB the process's peak memory grew with it, as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import ssl
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select

from backend.app.common.llm_retry import RetryPolicy
from backend.app.db.engine import Database
from backend.app.db.models import GATES, LLM_CALLS
from backend.app.documents.reading import Reader
from backend.app.documents.sandbox import ParsePool
from backend.app.documents.storage import Storage
from backend.app.handlers.bidding import BiddingHandler
from backend.app.llm.call_log import CallLog
from backend.app.llm.client import LLMClient
from backend.app.llm.ledger import Ledger
from backend.app.llm.providers import structured_level
from backend.app.llm.shared_gates import SharedGates
from backend.app.llm.types import Deployment, Prices
from backend.app.tasks.reports import ReportDesk, patiently
from backend.app.tasks.runner import Runner
from backend.app.tasks.task import Task
from backend.tests.fakes.llm_dialects import KEY, at
from backend.tests.fakes.llm_fault_rows import Row, completes
from backend.tests.fakes.llm_server import FakeLLM
from backend.tests.queue_world import World

TYPE = "bidding_analysis"
# As the product's, only quicker: what is tried is what follows, not how long people wait.
POLICY = RetryPolicy(waits=(0.05, 0.1, 0.2), longest_wait=1.5)
AT_ONCE = 12  # rows; more would only be slow together
SLACK_S = 1.0  # beyond the attempt's deadline


class SecureLLM(FakeLLM):
    """The same behind TLS."""

    def __init__(self, certificate: str, **more: Any) -> None:
        super().__init__(**more)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)

    async def start(self, port: int = 0) -> FakeLLM:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._accept(reader, writer)

        def talk() -> asyncio.StreamReaderProtocol:
            self.connections += 1  # before the handshake, which is where it ends
            reader = asyncio.StreamReader()
            return asyncio.StreamReaderProtocol(reader, accept)

        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(talk, "127.0.0.1", port, ssl=self._context)
        self.base_url = f"https://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self


class Bench:
    """Real tasks for rows of faults; `world` is empty, `folder` holds the storage."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.storage = world, Storage(folder)
        self.desk = ReportDesk(self._write)
        self._reader = Reader(ParsePool(1))

    async def play(self, rows: list[Row]) -> list[str]:
        """Every row once, side by side; what is not as it must be, one line each."""
        with self.world.database.write() as conn:
            conn.execute(delete(GATES))
        slots = asyncio.Semaphore(AT_ONCE)
        # All at first: it would hold up the loop in which others keep time.
        tasks = [self._claimed(row) for row in rows]

        async def one(row: Row, task: Task) -> list[str]:
            async with slots:
                return await self._play(row, task)

        self.desk.start()
        try:
            found = await asyncio.gather(*(one(row, task) for row, task in zip(rows, tasks, strict=True)))
        finally:
            await self.desk.stop()
        return [line for lines in found for line in lines]

    async def _play(self, row: Row, task: Task) -> list[str]:
        llm = SecureLLM(row.certificate) if row.certificate else FakeLLM()
        llm.script, llm.default = list(row.first), row.then
        async with llm:
            if row.counted == "nothing":
                await llm.stop()
            llm.base_url = llm.base_url.replace("http://", f"{row.scheme or 'http'}://")
            deployments = self.deployments(row, llm)
            async with self.client(deployments) as client:
                took = await self.run(client, task, row.seconds)
        return [f"{row.name}: {line}" for line in self._differences(row, task.id, took, llm)]

    def deployments(self, row: Row, llm: FakeLLM) -> tuple[Deployment, ...]:
        """The row's own, under its name, and others that it names."""
        common = {"provider": row.provider, "model": row.model, "base": row.base, "name": row.name}
        made = []
        for told in ({**common, **row.limits}, *({**common, **other} for other in row.others)):
            told = {"api_key": KEY, "timeout_s": 5.0, "idle_s": 2.0, "connect_s": 2.0, **told}
            level = structured_level(told["provider"], told["model"])
            told = {"structured": level, "prices": Prices(2, 8), **told}
            made.append(Deployment(base_url=at(llm, told.pop("base")), **told))
        return tuple(made)

    @contextlib.asynccontextmanager
    async def client(self, deployments: tuple[Deployment, ...]) -> AsyncIterator[LLMClient]:
        """As the worker makes it. The gates are not registered: that would take away other rows' rows."""
        ledger = Ledger(self._patiently)
        gates = SharedGates(deployments, self._patiently, self._look)
        client = LLMClient(deployments, policy=POLICY, observers=(ledger, CallLog()), gates=gates)
        try:
            yield client
        finally:
            await ledger.aclose()
            await client.aclose()

    async def attempt(self, client: LLMClient, row: Row) -> tuple[int, float]:
        """Submit, claim, run: the task and its seconds."""
        task = self._claimed(row)
        return task.id, await self.run(client, task, row.seconds)

    async def run(self, client: LLMClient, task: Task, seconds: float) -> float:
        """One attempt of a claimed task; the seconds it took."""
        handler = BiddingHandler(self.storage, self._reader, client)
        runner = Runner({TYPE: handler}, self.desk, self._write, lambda: True, timeout=seconds)
        began = time.monotonic()
        await asyncio.create_task(runner.run(task))
        return time.monotonic() - began

    def claim(self) -> Task:
        (task,) = self.world.claim("w1", types=(TYPE,), lease_seconds=600.0, cap=10_000)
        return task

    def _claimed(self, row: Row) -> Task:
        """A fresh task of a fresh user: steps are reused within a user."""
        stored = self.storage.put_bytes(row.text.encode())
        told = {"task_type": TYPE, "payload": {"source": "text"}, "file_sha256": stored.sha256}
        self.world.now = datetime.now(UTC)
        task_id = self.world.submit(self.world.user(), max_retries=row.max_retries, **told)
        task = self.claim()
        assert task.id == task_id
        return task

    # What became of it

    def _differences(self, row: Row, task_id: int, took: float, llm: FakeLLM) -> list[str]:
        ends, found = row.ends, self.seen(task_id)
        wanted = {
            "status": ends.status,
            "error_code": ends.code,
            "retry_count": int(ends.status == "retry"),
            "calls": ends.calls,
            "usage": found["ledger"],
            "open": 0,
            "exhausted": ends.exhausted,
            "gate": (ends.gate, ends.probe) if ends.gate else None,
        }
        found["gate"] = self._gate(row.name)
        if row.counted != "nothing":
            found["server"] = len(llm.seen) if row.counted == "requests" else llm.connections
            wanted["server"] = ends.calls
        lines = [
            f"{name} {found[name]}, not {value}" for name, value in wanted.items() if found[name] != value
        ]
        if ends.waits is not None and not ends.waits[0] <= found["runs_in"] <= ends.waits[1]:
            lines.append(f"runs again in {found['runs_in']} s, not {ends.waits}")
        if not row.at_least <= took <= row.seconds + SLACK_S:
            lines.append(f"took {took:.2f} s of {row.seconds}")
        return lines

    def seen(self, task_id: int) -> dict[str, Any]:
        """The task as row, ledger and usage tell it."""
        row = self.world.row(task_id)
        with self.world.database.read() as conn:
            calls = conn.execute(select(LLM_CALLS).where(LLM_CALLS.c.task_id == task_id)).all()
        usage = row.metadata["usage"]
        prompt, answer = (
            sum(call.prompt_tokens for call in calls),
            sum(call.response_tokens for call in calls),
        )
        cost = round(float(sum(call.cost for call in calls)), 6)
        tokens = (usage["prompt_tokens"], usage["response_tokens"])
        return {
            "status": row.status,
            "error_code": row.error_code,
            "retry_count": row.retry_count,
            "calls": len(calls),
            "open": sum(call.success is None for call in calls),
            "ledger": (len(calls), prompt, answer, cost),
            "usage": (usage["total_calls"], *tokens, usage["total_cost"]),
            "exhausted": bool(row.metadata.get("retry_exhausted")),
            "runs_in": round((row.run_at - datetime.now(UTC)).total_seconds(), 1) if row.run_at else None,
        }

    def _gate(self, name: str) -> tuple[str, bool] | None:
        with self.world.database.read() as conn:
            row = conn.execute(select(GATES).where(GATES.c.name == name)).first()
        if row is None or row.closed_until is None:
            return None
        return row.reason, bool(row.needs_probe)

    # The database, as the worker uses it

    async def _write(self, verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(self.world.write, verb, *args, **kwargs)

    async def _patiently(self, verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await patiently(self._write, verb, *args, **kwargs)

    async def _look(self, verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(self.world.read, verb, *args, **kwargs)


async def main(base_url: str, database: str, folder: str) -> None:
    bench, llm = Bench(World(Database(database)), Path(folder)), FakeLLM()
    llm.base_url = base_url
    row = Row(name="alone", ends=completes(), seconds=30.0)
    bench.desk.start()
    async with bench.client(bench.deployments(row, llm)) as client:
        await bench.attempt(client, row)  # loads what is loaded once
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        task_id, took = await bench.attempt(client, row)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    await bench.desk.stop()
    sys.stdout.write(json.dumps({**bench.seen(task_id), "took": took, "grown": grown}, default=str))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
