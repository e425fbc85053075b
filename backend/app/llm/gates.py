"""Gates: the way to each deployment, open or closed, as this worker knows it and as all workers share it.

A throttling provider closes its gate for the time it named. A wrong key or an empty account closes it until
a probe succeeds or the configuration changes: the task that met it fails, those behind it wait. Memory is
what calls look at; `SharedGates` keeps it equal to the rows.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from backend.app.common.errors import LLMError, LLMGateClosed
from backend.app.common.logging import get_logger
from backend.app.llm import gate_rows
from backend.app.llm.gate_rows import GateRow
from backend.app.llm.types import Deployment, ErrorKind

log = get_logger(__name__)

Run = Callable[..., Awaitable[Any]]  # (verb, *args, **kwargs) in a transaction of its own
Probe = Callable[[Deployment], Awaitable[LLMError | None]]  # None: the way is open

REFRESH_SECONDS = 1.0
# Kinds that no wait cures: someone must pay, or mend the key.
NEEDS_PROBE = frozenset((ErrorKind.AUTH, ErrorKind.QUOTA))


@dataclass(frozen=True, slots=True)
class Closed:
    """`until`: a reading of the steady clock; with `needs_probe` the time of the next probe."""

    until: float
    needs_probe: bool
    reason: str
    error_code: str = ""


class Gates:
    """What one process knows. Alone (without `SharedGates`) it serves commands and tests."""

    def __init__(
        self, deployments: Sequence[Deployment], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._deployments = {deployment.label: deployment for deployment in deployments}
        self._clock = clock
        self._closed: dict[str, Closed] = {}
        self.on_open: Callable[[str], None] = lambda _name: None

    def closed(self, name: str) -> Closed | None:
        """How the gate is closed; None when it is open."""
        found = self._closed.get(name)
        if found is not None and not found.needs_probe and found.until <= self._clock():
            del self._closed[name]
            return None
        return found

    async def close(self, deployment: Deployment, error: LLMError, *, seconds: float | None) -> bool:
        """Close for `seconds`, or (None) until a probe succeeds. False when it was closed so already."""
        name, reason = deployment.label, _reason(error)
        found = self.closed(name)
        if found is not None and found.needs_probe:
            return False
        wait = gate_rows.pause(0) if seconds is None else seconds
        until = self._clock() + wait
        if seconds is not None and found is not None and found.until >= until:
            return False
        self._closed[name] = Closed(until, seconds is None, reason, error.code)
        log.warning("llm_gate_closed", gate=name, reason=reason, seconds=wait, needs_probe=seconds is None)
        return True

    def _open(self, name: str) -> None:
        if self._closed.pop(name, None) is not None:
            log.info("llm_gate_opened", gate=name)
            self.on_open(name)


class SharedGates(Gates):
    """The same, kept equal to the rows. `run` writes, `look` reads; both wait for a database that is away."""

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
                reason=_reason(error),
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
            reason=_reason(failed),
            error_code=failed.code,
        )


def _reason(error: LLMError) -> str:
    """One of the reasons that people have words for."""
    kind = str(error.params.get("kind"))
    return kind if kind in LLMGateClosed.reasons else "outage"


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
