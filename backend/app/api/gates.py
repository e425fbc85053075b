"""What the API knows of closed gates: for whoever asks why a task waits."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import monotonic

from backend.app.common.errors import LLMGateClosed
from backend.app.db.engine import AsyncDatabase
from backend.app.llm.gate_rows import GateRow, read_gates

_FRESH_S = 1.0


class GateBoard:
    """The gates' rows, read at most once a second. `purposes`: task type → what its calls are for."""

    def __init__(self, database: AsyncDatabase, purposes: Mapping[str, str]) -> None:
        self._database, self._purposes = database, purposes
        self._rows: list[GateRow] = []
        self._read_at = float("-inf")
        self._lock = asyncio.Lock()

    async def rows(self) -> list[GateRow]:
        """All gates, as they stand or stood a second ago."""
        if monotonic() - self._read_at > _FRESH_S:
            async with self._lock:
                if monotonic() - self._read_at > _FRESH_S:
                    self._rows = await self._database.read(read_gates)
                    self._read_at = monotonic()
        return self._rows

    async def closed_for(self, task_type: str) -> LLMGateClosed | None:
        """Why waiting tasks of this type are not run now; None when a way is open."""
        purpose = self._purposes.get(task_type)
        if purpose is None:
            return None
        serving = [row for row in await self.rows() if row.serves(purpose)]
        if not serving or any(row.closed_for is None for row in serving):
            return None
        first = min(serving, key=lambda row: (row.needs_probe, row.closed_for))
        return LLMGateClosed(reason=first.reason)
