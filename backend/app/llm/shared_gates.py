"""The gates of all workers: what one process knows of them, kept equal to the rows."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from backend.app.common.errors import LLMError
from backend.app.common.logging import get_logger
from backend.app.llm import gate_rows
from backend.app.llm.gate_rows import GateRow
from backend.app.llm.gates import Closed, Gates, reason_of
from backend.app.llm.types import Deployment

log = get_logger(__name__)

Run = Callable[..., Awaitable[Any]]  # (verb, *args, **kwargs) in a transaction of its own
Probe = Callable[[Deployment], Awaitable[LLMError | None]]  # None: the way is open

REFRESH_SECONDS = 1.0


class SharedGates(Gates):
    """`Gates`, kept equal to the rows. `run` writes, `look` reads; both wait for a database that is away."""

    def __init__(self, deployments: Sequence[Deployment], run: Run, look: Run) -> None:
        super().__init__(deployments)
        self._run, self._look = run, look
        self._unwritten: set[str] = set()  # closed here, and not yet in the rows

    async def register(self) -> None:
        """At the start: rows for these deployments; a gate whose configuration changed opens."""
        rows = [_as_row(deployment) for deployment in self._deployments.values()]
        for name in await self._run(gate_rows.register_gates, rows):
            log.info("llm_gate_opened", gate=name, why="configuration")
        await self.refresh()

    async def close(self, deployment: Deployment, error: LLMError, *, seconds: float | None) -> bool:
        if not await super().close(deployment, error, seconds=seconds):
            return False
        self._unwritten.add(deployment.label)
        try:
            closed: bool = await self._run(
                gate_rows.close_gate,
                _as_row(deployment),
                reason=reason_of(error),
                error_code=error.code,
                seconds=seconds,
            )
        finally:
            self._unwritten.discard(deployment.label)
        return closed

    async def refresh(self) -> None:
        """Take over what other workers and people have written."""
        unwritten = set(self._unwritten)
        rows: list[GateRow] = await self._look(gate_rows.read_gates)
        await self._restore({row.name for row in rows})
        now = self._clock()
        for row in rows:
            # What is being closed here is not in the answer yet.
            if row.name not in self._deployments or row.name in unwritten | self._unwritten:
                continue
            if row.closed_for is None:
                self._open(row.name)
            else:
                self._closed[row.name] = Closed(
                    now + row.closed_for, row.needs_probe, row.reason, row.error_code
                )

    async def _restore(self, there: set[str]) -> None:
        """A worker of another configuration took our rows away: put them back as we know them."""
        for name, deployment in self._deployments.items():
            if name in there:
                continue
            closed = self.closed(name)
            row = _as_row(deployment)
            if closed is None:
                await self._run(gate_rows.restore_gate, row)
                continue
            seconds = None if closed.needs_probe else closed.until - self._clock()
            await self._run(
                gate_rows.close_gate, row, reason=closed.reason, error_code=closed.error_code, seconds=seconds
            )

    async def keep(self, probe: Probe) -> None:
        """For ever: look at the rows, and probe what is due."""
        probing: set[asyncio.Task[None]] = set()
        try:
            while True:
                await asyncio.sleep(REFRESH_SECONDS)
                try:
                    await self.refresh()
                except Exception:
                    # Nothing that a row may hold must end the watch.
                    log.exception("llm_gates_unread")
                    continue
                for name, closed in list(self._closed.items()):
                    if closed.needs_probe and closed.until <= self._clock():
                        self._closed[name] = Closed(
                            self._clock() + gate_rows.PROBE_PATIENCE_S, True, closed.reason, closed.error_code
                        )
                        task = asyncio.create_task(self._probe(self._deployments[name], probe))
                        probing.add(task)
                        task.add_done_callback(probing.discard)
        finally:
            for task in probing:
                task.cancel()

    async def _probe(self, deployment: Deployment, probe: Probe) -> None:
        """One tiny call, by one worker at a time."""
        try:
            await self._probe_once(deployment, probe)
        except Exception:
            # The row lets another worker try when this one's time is over.
            log.exception("llm_probe_broke", gate=deployment.label)

    async def _probe_once(self, deployment: Deployment, probe: Probe) -> None:
        name = deployment.label
        if not await self._run(gate_rows.begin_probe, name):
            return
        failed = await probe(deployment)
        if failed is None:
            await self._run(gate_rows.open_gate, name)
            self._open(name)
            return
        log.info("llm_probe_failed", gate=name, error=failed.params.get("detail"))
        await self._run(
            gate_rows.probe_failed,
            name,
            reason=reason_of(failed),
            error_code=failed.code,
        )


def config_hash(deployment: Deployment) -> str:
    """Changes with everything that may cure a closed gate; tells nothing of the key."""
    parts = (
        deployment.provider,
        deployment.model,
        deployment.base_url,
        deployment.api_version,
        deployment.api_key,
    )
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _as_row(deployment: Deployment) -> dict[str, Any]:
    return {
        "name": deployment.label,
        "provider": deployment.provider,
        "model": deployment.model,
        "purposes": sorted(deployment.purposes),
        "config_hash": config_hash(deployment),
    }
