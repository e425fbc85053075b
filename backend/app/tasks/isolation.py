"""Tasks that have killed their workers run in a worker process of their own, so that they can kill no
other's work: own id, own lock, own lease."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import structlog

log = structlog.get_logger("isolation")

# At most this many beside one worker.
MAX_ISOLATED = 4


class Isolation:
    """The isolated workers beside one worker. `suspects(room)` names due tasks, at most `room`; `command`
    starts a worker, `--only ID` is appended."""

    def __init__(
        self,
        suspects: Callable[[int], Awaitable[list[int]]],
        command: Sequence[str],
        *,
        look_every: float,
    ) -> None:
        self._suspects, self._command, self._look_every = suspects, tuple(command), look_every
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._next_look = 0.0

    async def look(self) -> None:
        """Start workers for suspects that have none; does nothing when it was called a moment ago."""
        now = asyncio.get_running_loop().time()
        if now < self._next_look:
            return
        self._next_look = now + self._look_every
        for task_id, process in list(self._processes.items()):
            if process.returncode is not None:
                del self._processes[task_id]
        room = MAX_ISOLATED - len(self._processes)
        if room <= 0:
            return
        for task_id in await self._suspects(room):
            if task_id in self._processes:
                continue
            process = await asyncio.create_subprocess_exec(*self._command, "--only", str(task_id))
            self._processes[task_id] = process
            log.warning("task_isolated", task_id=task_id, pid=process.pid)

    def terminate(self) -> None:
        """Tell them to stop; a second call makes them hand their tasks back at once."""
        for process in self._processes.values():
            if process.returncode is None:
                process.terminate()

    async def ended(self, *, within: float) -> None:
        """Wait for those told to stop; those that take longer go on alone, under their own leases."""
        waits = [process.wait() for process in self._processes.values() if process.returncode is None]
        if waits:
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(*waits), within)
