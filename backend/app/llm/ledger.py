"""The ledger: one row per call, written before the call is sent and closed when it ended.

A row without `success` is a call whose end nobody saw: its worker died. It keeps the call's worst cost.
Rows of calls that start together are written together: a commit costs more than a row.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy.engine import Connection

from backend.app.common.errors import LLMError
from backend.app.db.engine import database_now
from backend.app.db.types import Sql, UTCDateTime, json_text
from backend.app.llm.call_log import Call, Ended
from backend.app.llm.types import ChatAnswer

Run = Callable[..., Awaitable[Any]]  # (verb, *args) in a transaction of its own
Entry = tuple[Literal["open", "close", "withdraw"], dict[str, Any]]

_OPEN = Sql(
    """
    INSERT INTO llm_calls (call_id, task_id, user_id, step, attempt, deployment, provider, model, started_at,
                           prompt_tokens, cached_tokens, response_tokens, cost)
    SELECT e.call_id, e.task_id, e.user_id, e.step, e.attempt, e.deployment, e.provider, e.model, :now,
           e.prompt_tokens, 0, 0, CAST(e.cost AS numeric)
    FROM {rows e(call_id text, task_id bigint, user_id bigint, step text, attempt bigint, deployment text,
                 provider text, model text, prompt_tokens bigint, cost text)}
    WHERE true ON CONFLICT (call_id) DO NOTHING
    """,
    now=UTCDateTime(),
)

_CLOSE = Sql(
    """
    UPDATE llm_calls SET
        success = e.success = 1, duration_ms = CAST(e.duration_ms AS double precision),
        first_token_ms = CAST(e.first_token_ms AS double precision), error_kind = e.error_kind,
        finish_reason = e.finish_reason, prompt_tokens = e.prompt_tokens, cached_tokens = e.cached_tokens,
        response_tokens = e.response_tokens, cost = CAST(e.cost AS numeric)
    FROM {rows e(call_id text, success bigint, duration_ms text, first_token_ms text, error_kind text,
                 finish_reason text, prompt_tokens bigint, cached_tokens bigint, response_tokens bigint,
                 cost text)}
    WHERE llm_calls.call_id = e.call_id
    """
)

_WITHDRAW = Sql("DELETE FROM llm_calls WHERE success IS NULL AND call_id {in_texts}")


def write_entries(conn: Connection, entries: list[Entry]) -> None:
    """Carry out what belongs together, in this order: rows are opened, closed, taken back."""
    for verb, sql in (("open", _OPEN), ("close", _CLOSE)):
        rows = [row for kind, row in entries if kind == verb]
        if rows:
            extra = {"now": database_now(conn)} if verb == "open" else {}
            conn.execute(sql.on(conn), {"rows": json_text(rows), **extra})
    withdrawn = [row["call_id"] for kind, row in entries if kind == "withdraw"]
    if withdrawn:
        conn.execute(_WITHDRAW.on(conn), {"texts": json_text(withdrawn)})


class Ledger:
    """A `CallObserver` that keeps the books. `run` waits for a database that is away."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._entries: list[tuple[Entry, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def started(self, call: Call) -> None:
        named = call.context
        await self._write(
            (
                "open",
                {
                    "call_id": call.id,
                    "task_id": named.task_id,
                    "user_id": named.user_id,
                    "step": named.step,
                    "attempt": named.attempt,
                    "deployment": call.deployment.label,
                    "provider": call.deployment.provider,
                    "model": call.deployment.model,
                    "prompt_tokens": call.prompt_tokens,
                    "cost": str(call.worst_cost),
                },
            )
        )

    async def withdrawn(self, call: Call) -> None:
        await self._write(("withdraw", {"call_id": call.id}))

    async def answered(self, call: Call, answer: ChatAnswer, cost: Decimal) -> None:
        usage = answer.usage
        await self._write(
            (
                "close",
                {
                    "call_id": call.id,
                    "success": 1,
                    "duration_ms": answer.duration_ms,
                    "first_token_ms": answer.first_token_ms,
                    "error_kind": None,
                    "finish_reason": answer.finish_reason,
                    "prompt_tokens": usage.prompt_tokens,
                    "cached_tokens": usage.cached_tokens,
                    "response_tokens": usage.response_tokens,
                    "cost": str(cost),
                },
            )
        )

    async def failed(self, call: Call, error: BaseException, ended: Ended) -> None:
        params = error.params if isinstance(error, LLMError) else {}
        await self._write(
            (
                "close",
                {
                    "call_id": call.id,
                    "success": 0,
                    "duration_ms": ended.duration_ms,
                    "first_token_ms": params.get("first_token_ms"),
                    "error_kind": params.get("kind", "cancelled"),
                    "finish_reason": params.get("finish_reason"),
                    "prompt_tokens": ended.usage.prompt_tokens,
                    "cached_tokens": ended.usage.cached_tokens,
                    "response_tokens": ended.usage.response_tokens,
                    "cost": str(ended.cost),
                },
            )
        )

    async def aclose(self) -> None:
        """Until everything is written."""
        while self._writer is not None and not self._writer.done():
            await asyncio.wait({self._writer})

    async def _write(self, entry: Entry) -> None:
        """Until it is committed; whoever is cancelled meanwhile leaves the writing to the writer."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._entries.append((entry, written))
        if self._writer is None or self._writer.done():
            # Of nobody's context: what it logs is not about the task that happened to come first.
            self._writer = asyncio.create_task(
                self._write_all(), name="llm-ledger", context=contextvars.Context()
            )
        await asyncio.shield(written)

    async def _write_all(self) -> None:
        await asyncio.sleep(0)  # calls of the same turn of the loop go together
        while self._entries:
            batch, self._entries = self._entries, []
            await self._write_batch(batch)

    async def _write_batch(self, batch: list[tuple[Entry, asyncio.Future[None]]]) -> None:
        """Together; one by one when the database refuses: an entry must not fail for another's sake."""
        try:
            await self._run(write_entries, [entry for entry, _ in batch])
        except Exception as error:
            if len(batch) > 1:
                for one in batch:
                    await self._write_batch([one])
                return
            for _, written in batch:
                if not written.done():
                    written.set_exception(error)
                    written.exception()  # read, should nobody wait for it any more
        else:
            for _, written in batch:
                if not written.done():
                    written.set_result(None)
