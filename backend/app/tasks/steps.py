"""Durable steps: a paid or slow piece of an attempt is done once and its result kept.

The row is written as started before the call and as done after it. A retry, a take-over or a manual retry
finds the done rows and calls nobody; a started row left by a dead worker is in doubt: called again, counted.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field

from backend.app.db.types import json_text
from backend.app.tasks import queue
from backend.app.tasks.queue import StepBegin
from backend.app.tasks.task import JSON, Lease, Spent

Write = Callable[..., Awaitable[JSON]]


# How many calls earlier attempts have made for the step that is being called now.
calls_before: ContextVar[int] = ContextVar("calls_before", default=0)


class LeaseLost(Exception):
    """The attempt is no longer ours: stop, and do not report."""


class LeaseUncertain(LeaseLost):
    """The lease was not renewed lately, though nobody has taken it yet: start nothing, hand back."""


class StepCallFailed(Exception):
    """Lets a call say what it had cost before it failed; `__cause__` is the failure itself."""

    def __init__(self, spent: Spent) -> None:
        super().__init__("the calls of a step failed")
        self.spent = spent


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step's call brings back: JSON to keep, and what it cost."""

    result: JSON
    spent: Spent = field(default_factory=Spent)


@dataclass(slots=True)
class Usage:
    """Sums over the steps of one attempt, shown as `metadata.usage` and `result.usage`."""

    calls: int = 0
    reused_calls: int = 0
    in_doubt_calls: int = 0
    prompt_tokens: int = 0
    response_tokens: int = 0
    cost: float = 0.0

    def add(self, spent: Spent) -> None:
        self.calls += spent.calls
        self.prompt_tokens += spent.prompt_tokens
        self.response_tokens += spent.response_tokens
        self.cost = round(self.cost + float(spent.cost), 6)

    def as_json(self) -> dict[str, JSON]:
        return {
            "calls": self.calls,
            "reused_calls": self.reused_calls,
            "in_doubt_calls": self.in_doubt_calls,
            "prompt_tokens": self.prompt_tokens,
            "response_tokens": self.response_tokens,
            "cost": self.cost,
        }


def step_key(inputs: Mapping[str, JSON]) -> str:
    """SHA-256 over everything that decides a step's result: content, prompt and schema versions,
    parameters. Provider and model are not part of it, so that a retry elsewhere finds the work done."""
    ordered = {name: inputs[name] for name in sorted(inputs)}
    return hashlib.sha256(json_text(ordered).encode("utf-8", "surrogatepass")).hexdigest()


class Steps:
    """The steps of one attempt. `write` runs a queue verb in a transaction; `may_call` says whether the
    lease was renewed lately enough to start something that costs money."""

    def __init__(self, lease: Lease, user_id: int, write: Write, may_call: Callable[[], bool]) -> None:
        self._lease, self._user_id = lease, user_id
        self._write, self._may_call = write, may_call
        self.usage = Usage()

    async def run(
        self,
        name: str,
        inputs: Mapping[str, JSON],
        call: Callable[[], Awaitable[StepResult]],
        *,
        is_paid: bool = True,
    ) -> JSON:
        """The step's result: kept, or made now by `call`. Raises LeaseLost (LeaseUncertain when only the
        database is away), and whatever `call` raises. `is_paid` says whether it costs money: a parse that
        failed or was interrupted is no call that anybody paid for."""
        key = step_key(inputs)
        if not self._may_call():
            raise LeaseUncertain
        begun: StepBegin = await self._write(queue.begin_step, self._lease, self._user_id, name, key)
        if begun.state == "lost":
            raise LeaseLost
        if begun.state in {"done", "reused"}:
            # A step without calls (a parse) saved time, not money.
            self.usage.reused_calls += int(begun.calls > 0)
            return begun.result
        self.usage.in_doubt_calls += int(begun.in_doubt and is_paid)
        calls_before.set(begun.calls)
        try:
            done = await call()
        except StepCallFailed as failed:
            await self._failed(name, key, failed.spent)
            raise (failed.__cause__ or failed) from None
        except Exception:
            await self._failed(name, key, Spent(calls=int(is_paid)))
            raise
        self.usage.add(done.spent)
        return await self._keep(name, key, done)

    async def _keep(self, name: str, key: str, done: StepResult) -> JSON:
        """Written even when the attempt is cancelled meanwhile: it was paid for."""
        written = asyncio.ensure_future(
            self._write(queue.finish_step, self._lease, name, key, done.result, spent=done.spent)
        )
        try:
            return await asyncio.shield(written)
        except asyncio.CancelledError:
            await asyncio.wait({written})
            raise

    async def _failed(self, name: str, key: str, spent: Spent) -> None:
        self.usage.add(spent)
        await self._write(queue.fail_step, self._lease, name, key, spent=spent)
