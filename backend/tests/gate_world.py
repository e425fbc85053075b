"""Rows of gates for tests: short ways to close, to let time pass, and to see what all workers share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, update

from backend.app.db.engine import Database, database_now
from backend.app.db.models import GATES
from backend.app.llm import gate_rows
from backend.app.llm.gate_rows import GateRow
from backend.app.llm.shared_gates import SharedGates
from backend.app.llm.types import Deployment


def described(name: str, *, config: str = "c1", **more: Any) -> dict[str, Any]:
    told = {"provider": "openai", "model": "m", "purposes": ["bidding"], "config_hash": config}
    return {"name": name, **(told | more)}


class Rows:
    """The rows, verb by verb."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def clear(self) -> None:
        with self.database.write() as conn:
            conn.execute(delete(GATES))

    def write(self, verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with self.database.write() as conn:
            return verb(conn, *args, **kwargs)

    def all(self) -> dict[str, GateRow]:
        with self.database.read() as conn:
            return {row.name: row for row in gate_rows.read_gates(conn)}

    def close(self, name: str, seconds: float | None = None, reason: str = "auth") -> bool:
        return bool(
            self.write(
                gate_rows.close_gate, described(name), reason=reason, error_code="llm_auth", seconds=seconds
            )
        )

    def make_due(self, name: str) -> None:
        """Its next probe, or its opening, was a second ago."""
        with self.database.write() as conn:
            past = database_now(conn) - timedelta(seconds=1)
            conn.execute(update(GATES).where(GATES.c.name == name).values(closed_until=past))

    async def run(self, verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(self.write, verb, *args, **kwargs)

    async def look(self, verb: Callable[..., Any], *args: Any) -> Any:
        def call() -> Any:
            with self.database.read() as conn:
                return verb(conn, *args)

        return await asyncio.to_thread(call)

    def shared(self, *deployments: Deployment) -> SharedGates:
        """The gates of one more worker."""
        return SharedGates(deployments, self.run, self.look)
