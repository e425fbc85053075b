"""Durable steps: a paid or slow piece of an attempt is done once and its result kept.

The row is written as started before the call and as done after it. A retry, a take-over or a manual retry
finds the done rows and calls nobody; a started row left by a dead worker is in doubt: called again, counted.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal

from backend.app.common.errors import BudgetExceeded
from backend.app.db.types import json_text
from backend.app.tasks import queue
from backend.app.tasks.queue import StepBegin
from backend.app.tasks.task import JSON, Lease, Spent

Write = Callable[..., Awaitable[JSON]]
MAX_STEPS_SHOWN = 200  # of a task's metadata


class LeaseLost(Exception):
    """The attempt is no longer ours: stop, and do not report."""


class LeaseUncertain(LeaseLost):
    """The lease was not renewed lately, though nobody has taken it yet: start nothing, hand back."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step's call brings back: JSON to keep, and what it cost."""

    result: JSON
    spent: Spent = field(default_factory=Spent)
    is_provisional: bool = False  # a person's retry asks again, and other tasks don't reuse it


@dataclass(slots=True)
class Usage:
    """Sums over the steps of one attempt, shown as `metadata.usage` and `result.usage`."""

    calls: int = 0
    reused_calls: int = 0
    in_doubt_calls: int = 0
    prompt_tokens: int = 0
    response_tokens: int = 0
    cost: Decimal = Decimal(0)
    calls_by_step: dict[str, int] = field(default_factory=dict)
    answered_by: Counter[tuple[str, str]] = field(default_factory=Counter)  # (provider, model)

    def add(self, name: str, spent: Spent) -> None:
        self.calls += spent.calls
        self.prompt_tokens += spent.prompt_tokens
        self.response_tokens += spent.response_tokens
        self.cost += spent.cost
        if spent.calls:
            self.calls_by_step[name] = self.calls_by_step.get(name, 0) + spent.calls

    def answered(self, provider: str | None, model: str | None) -> None:
        """A step's result came from there, now or when it was first paid for."""
        if provider and model:
            self.answered_by[provider, model] += 1

    def as_json(self) -> dict[str, JSON]:
        return {
            "calls": self.calls,
            "reused_calls": self.reused_calls,
            "in_doubt_calls": self.in_doubt_calls,
            "prompt_tokens": self.prompt_tokens,
            "response_tokens": self.response_tokens,
            "cost": round(float(self.cost), 6),
        }

    def steps_as_json(self) -> dict[str, JSON]:
        """Calls by step, of at most the first `MAX_STEPS_SHOWN` steps."""
        return dict(list(self.calls_by_step.items())[:MAX_STEPS_SHOWN])


@dataclass(slots=True)
class StepCall:
    """What the call of a step may ask of the step around it, and must tell it (`current_call`)."""

    calls_before: int = 0  # of earlier attempts
    reserved: Decimal = Decimal(0)  # yuan; up to this no further permit is needed
    spent: Spent | None = None  # so far, should it fail or be cancelled
    extend: Callable[[Decimal], Awaitable[bool]] | None = None
    wait: Callable[[], Awaitable[None]] | None = None

    async def permit(self, worst: Decimal) -> bool:
        """May another call be made, after which the step has cost `worst` yuan at the most? False: not while
        other steps of the task hold what they hold; `room` waits for that to change.

        Raises LeaseUncertain, LeaseLost or BudgetExceeded.
        """
        return self.extend is None or await self.extend(worst)

    async def room(self) -> None:
        """Until another step has ended. Hold nothing meanwhile that it might need."""
        if self.wait is not None:
            await self.wait()


# The step that is being called now; each asyncio task has its own.
current_call: ContextVar[StepCall] = ContextVar("current_call")


def step_key(inputs: Mapping[str, JSON]) -> str:
    """SHA-256 over everything that decides a step's result: content, prompt and schema versions,
    parameters. Provider and model are not part of it, so that a retry elsewhere finds the work done."""
    ordered = {name: inputs[name] for name in sorted(inputs)}
    return hashlib.sha256(json_text(ordered).encode("utf-8", "surrogatepass")).hexdigest()


class Steps:
    """The steps of one attempt. `write` runs a queue verb in a transaction; `may_call` says whether the
    lease was renewed lately enough to start something that costs money; `budget` is the most that the task
    may spend, in yuan, over all its attempts (0: no limit)."""

    def __init__(
        self,
        lease: Lease,
        user_id: int,
        write: Write,
        may_call: Callable[[], bool],
        *,
        budget: Decimal = Decimal(0),
    ) -> None:
        self._lease, self._user_id = lease, user_id
        self._write, self._may_call, self._budget = write, may_call, budget
        self.usage = Usage()
        self.was_used = False
        self._out = 0  # steps that hold a reserve
        self._waiting = 0  # of these, steps that wait for another's
        self._ends = 0  # how many came free so far
        self._line: list[asyncio.Future[None]] = []

    async def run(
        self,
        name: str,
        inputs: Mapping[str, JSON],
        call: Callable[[], Awaitable[StepResult]],
        *,
        is_paid: bool = True,
        reserve: Decimal = Decimal(0),
    ) -> JSON:
        """The step's result: kept, or made now by `call`. Raises LeaseLost (LeaseUncertain when only the
        database is away), BudgetExceeded, and whatever `call` raises. `is_paid` says whether it costs
        money: a parse that failed or was interrupted is no call that anybody paid for. `reserve` is the
        worst cost of its first call in yuan."""
        key = step_key(inputs)
        self.was_used = True
        if not self._may_call():
            raise LeaseUncertain
        begun = await self._begin(name, key, reserve)
        self._check(begun)
        if begun.state in {"done", "reused"}:
            # A step without calls (a parse) saved time, not money.
            self.usage.reused_calls += int(begun.calls > 0)
            self.usage.answered(begun.provider, begun.model)
            return begun.result
        self.usage.in_doubt_calls += int(begun.in_doubt and is_paid)
        around = StepCall(begun.calls, reserve)
        around.extend = lambda worst: self._extend(around, name, key, worst)
        around.wait = self._room
        self._out += 1
        try:
            done = await self._called(name, key, call, around, is_paid=is_paid)
            self.usage.add(name, done.spent)
            self.usage.answered(done.spent.provider, done.spent.model)
            return await self._keep(name, key, done)
        finally:
            self._out -= 1
            self._settled()

    async def _begin(self, name: str, key: str, reserve: Decimal) -> StepBegin:
        """Started, found, or refused: what other steps of this attempt hold in reserve may come free."""
        while True:
            ends = self._ends
            begun: StepBegin = await self._write(
                queue.begin_step, self._lease, self._user_id, name, key, reserve=reserve, budget=self._budget
            )
            if begun.state != "over_budget":
                return begun
            if self._ends == ends:  # else one came free since the sum was made
                if self._out <= self._waiting:
                    return begun
                await self._another_ends()

    async def _called(
        self,
        name: str,
        key: str,
        call: Callable[[], Awaitable[StepResult]],
        around: StepCall,
        *,
        is_paid: bool,
    ) -> StepResult:
        token = current_call.set(around)
        try:
            return await call()
        except asyncio.CancelledError:
            if around.spent is not None:
                # Its socket is closed and its cost known: nothing is in doubt.
                await self._shielded(self._failed(name, key, around.spent))
            raise
        except Exception:
            await self._failed(name, key, around.spent or Spent(calls=int(is_paid)))
            raise
        finally:
            current_call.reset(token)

    async def _another_ends(self) -> None:
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(ended)
        await ended

    def _settled(self) -> None:
        self._ends += 1
        line, self._line = self._line, []
        for ended in line:
            if not ended.done():
                ended.set_result(None)

    def _check(self, begun: StepBegin) -> None:
        if begun.state == "lost":
            raise LeaseLost
        if begun.state == "over_budget":
            raise BudgetExceeded(budget=f"{self._budget:f}", spent=f"{begun.committed:.2f}")

    async def _extend(self, around: StepCall, name: str, key: str, worst: Decimal) -> bool:
        if not self._may_call():
            raise LeaseUncertain
        if not self._budget or worst <= around.reserved:
            return True
        ends = self._ends
        begun: StepBegin = await self._write(
            queue.reserve_step, self._lease, name, key, reserve=worst, budget=self._budget
        )
        if begun.state == "over_budget" and (self._ends != ends or self._out > self._waiting + 1):
            return False
        self._check(begun)
        around.reserved = worst
        return True

    async def _room(self) -> None:
        """For a step that is out itself. When all that are out wait like this, none will come free: the last
        one goes on, and is refused."""
        if self._out > self._waiting + 1:
            self._waiting += 1
            try:
                await self._another_ends()
            finally:
                self._waiting -= 1

    async def _keep(self, name: str, key: str, done: StepResult) -> JSON:
        return await self._shielded(
            self._write(
                queue.finish_step,
                self._lease,
                name,
                key,
                done.result,
                spent=done.spent,
                is_provisional=done.is_provisional,
            )
        )

    async def _shielded(self, writing: Awaitable[JSON]) -> JSON:
        """Written even when the attempt is cancelled meanwhile: it was paid for."""
        written = asyncio.ensure_future(writing)
        try:
            return await asyncio.shield(written)
        except asyncio.CancelledError:
            await asyncio.wait({written})
            raise

    async def _failed(self, name: str, key: str, spent: Spent) -> None:
        self.usage.add(name, spent)
        await self._write(queue.fail_step, self._lease, name, key, spent=spent)
