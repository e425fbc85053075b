"""The budget of a task: no set of parallel, repeated or doubtful calls passes it together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select

from backend.app.common.errors import BudgetExceeded, LLMGateClosed, LLMTimeout
from backend.app.db.models import TASK_STEPS
from backend.app.tasks import queue
from backend.app.tasks.reports import ReportDesk
from backend.app.tasks.runner import Context, HandlerResult, Runner
from backend.app.tasks.steps import StepResult, current_call, step_key
from backend.app.tasks.task import Spent, Task
from backend.tests.queue_world import World

BUDGET = Decimal("1.00")
WORST, ACTUAL = Decimal("0.40"), Decimal("0.10")


class Payer:
    """A worker's runner with a budget; `attempt` runs a handler on a fresh task."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.now = datetime.now(UTC)
        self.desk = ReportDesk(self._run)

    async def _run(self, verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(self.world.write, verb, *args, **kwargs)

    async def attempt(
        self,
        handle: Callable[[Task, Context], Awaitable[HandlerResult]],
        task: Task | None = None,
        *,
        budget: Decimal = BUDGET,
    ) -> Any:
        task = task or self.world.running()
        runner = Runner({"noop": handle}, self.desk, self._run, lambda: True, timeout=30, budget=budget)
        await asyncio.create_task(runner.run(task))
        return self.world.row(task.id)

    def committed(self) -> Decimal:
        """What all steps have cost or hold in reserve."""
        total = select(func.sum(TASK_STEPS.c.cost + TASK_STEPS.c.reserved_cost))
        with self.world.database.read() as conn:
            return Decimal(str(conn.execute(total).scalar_one() or 0)).quantize(Decimal("0.01"))


@pytest.fixture
async def payer(world: World) -> AsyncIterator[Payer]:
    made = Payer(world)
    made.desk.start()
    yield made
    await made.desk.stop()


def paid(cost: Decimal) -> StepResult:
    return StepResult({"v": 1}, Spent(1, "p", "m", 10, 5, cost))


async def test_parts_side_by_side_never_hold_more_than_the_budget(payer: Payer) -> None:
    """Two of them fit at once; the others wait for what is held in reserve, and all are done."""
    at_once, most, held = 0, 0, []

    async def call() -> StepResult:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.1)
        held.append(await asyncio.to_thread(payer.committed))
        at_once -= 1
        return paid(ACTUAL)

    async def handle(_task: Task, context: Context) -> HandlerResult:
        steps = (context.step(f"s{n}", {"n": n}, call, reserve=WORST) for n in range(7))
        await asyncio.gather(*steps)
        return HandlerResult({})

    row = await payer.attempt(handle)

    assert row.status == "completed"
    assert most == 2
    assert max(held) <= BUDGET
    assert row.metadata["usage"]["cost"] == row.metadata["usage"]["total_cost"] == 0.7


async def test_a_call_that_does_not_fit_is_not_made_and_what_is_done_is_kept(payer: Payer) -> None:
    calls = 0

    async def call() -> StepResult:
        nonlocal calls
        calls += 1
        return paid(WORST)

    async def handle(_task: Task, context: Context) -> HandlerResult:
        for n in range(4):
            await context.step(f"s{n}", {"n": n}, call, reserve=WORST)
        return HandlerResult({})

    first = await payer.attempt(handle)

    assert (first.status, first.error_code, calls) == ("failed", BudgetExceeded.code, 2)
    assert "1 元" in first.error or "1.00 元" in first.error
    assert payer.committed() == Decimal("0.80")

    payer.world.write(queue.retry, first.user_id, first.id)
    payer.world.now = datetime.now(UTC)
    (again,) = payer.world.claim()
    row = await payer.attempt(handle, again, budget=Decimal("2"))

    assert (row.status, calls) == ("completed", 4)
    assert (row.metadata["usage"]["reused_calls"], row.metadata["usage"]["total_calls"]) == (2, 4)


async def test_a_further_call_of_a_step_needs_room_as_well(payer: Payer) -> None:
    """The first one cost something though it failed: what is reserved for both must fit."""
    asked: list[Decimal] = []

    async def call() -> StepResult:
        for spent in (Decimal("0.40"), Decimal("0.80"), Decimal("1.20")):
            asked.append(spent)
            assert await current_call.get().permit(spent)
            current_call.get().spent = Spent(1, "p", "m", 1, 1, spent)
        raise AssertionError("the third call was permitted")

    async def handle(_task: Task, context: Context) -> HandlerResult:
        await context.step("s", {}, call, reserve=WORST)
        raise AssertionError

    row = await payer.attempt(handle)

    assert (row.status, row.error_code, len(asked)) == ("failed", BudgetExceeded.code, 3)
    assert payer.committed() == Decimal("0.80")


async def test_two_steps_that_wait_for_each_other_do_not_wait_for_ever(payer: Payer) -> None:
    both = asyncio.Barrier(2)

    async def call() -> StepResult:
        await both.wait()
        while not await current_call.get().permit(Decimal("0.70")):
            await current_call.get().room()
        return paid(Decimal("0.70"))

    async def handle(_task: Task, context: Context) -> HandlerResult:
        results = await asyncio.gather(
            *(context.step(f"s{n}", {"n": n}, call, reserve=WORST) for n in range(2)),
            return_exceptions=True,
        )
        return HandlerResult([type(result).__name__ for result in results])

    row = await payer.attempt(handle)

    assert sorted(row.result) == ["BudgetExceeded", "dict"]
    assert payer.committed() == Decimal("0.70")


async def test_a_call_in_doubt_counts_with_its_worst_cost(payer: Payer) -> None:
    task = payer.world.running()
    payer.world.write(queue.begin_step, task.lease, task.user_id, "s", "k", reserve=Decimal("0.70"))
    payer.world.die()
    (again,) = payer.world.claim("w2")

    begun = payer.world.write(
        queue.begin_step, again.lease, again.user_id, "s", "k", reserve=WORST, budget=BUDGET
    )

    assert (begun.state, begun.committed) == ("over_budget", Decimal("0.70"))
    wider = payer.world.write(
        queue.begin_step, again.lease, again.user_id, "s", "k", reserve=WORST, budget=Decimal("2")
    )
    assert (wider.state, wider.in_doubt) == ("started", True)
    assert payer.committed() == Decimal("1.10")


async def test_without_a_budget_nothing_is_refused(payer: Payer) -> None:
    async def call() -> StepResult:
        await current_call.get().permit(Decimal("99"))
        return paid(Decimal("99"))

    async def handle(_task: Task, context: Context) -> HandlerResult:
        await context.step("s", {}, call, reserve=Decimal("99"))
        return HandlerResult({})

    assert (await payer.attempt(handle, budget=Decimal(0))).status == "completed"


async def test_what_a_cancelled_step_had_cost_is_told_with_its_attempt(payer: Payer) -> None:
    async def call() -> StepResult:
        current_call.get().spent = Spent(1, "p", "m", 50, 5, ACTUAL)
        raise asyncio.CancelledError

    async def handle(_task: Task, context: Context) -> HandlerResult:
        try:
            await context.step("s", {}, call, reserve=WORST)
        except asyncio.CancelledError:
            raise LLMTimeout from None
        raise AssertionError

    row = await payer.attempt(handle)

    assert (row.metadata["usage"]["calls"], row.metadata["usage"]["cost"]) == (1, 0.1)


async def test_a_step_that_is_handed_back_costs_what_it_cost_and_is_not_in_doubt(payer: Payer) -> None:
    """A stop closes the socket and knows the cost; booked at its worst, each deploy would eat the budget."""
    started = asyncio.Event()

    async def call() -> StepResult:
        current_call.get().spent = Spent(1, "p", "m", 50, 5, ACTUAL)
        started.set()
        await asyncio.sleep(60)
        raise AssertionError

    async def handle(_task: Task, context: Context) -> HandlerResult:
        await context.step("s", {}, call, reserve=WORST)
        raise AssertionError

    task = payer.world.running()
    runner = Runner({"noop": handle}, payer.desk, payer._run, lambda: True, timeout=30, budget=BUDGET)
    attempt = asyncio.create_task(runner.run(task))
    await asyncio.wait_for(started.wait(), 10)
    runner.release_all()
    await attempt

    assert payer.world.status(task.id) == "pending"
    assert payer.committed() == ACTUAL
    payer.world.now = datetime.now(UTC) + timedelta(seconds=1)
    (again,) = payer.world.claim("w2")
    key = step_key({})
    begun = payer.world.write(
        queue.begin_step, again.lease, again.user_id, "s", key, reserve=WORST, budget=BUDGET
    )
    assert (begun.state, begun.in_doubt, begun.calls) == ("started", False, 1)


async def test_what_ends_before_anything_was_sent_is_no_call(payer: Payer) -> None:
    """A gate that is closed ten times must not use up the calls of a step."""

    async def call() -> StepResult:
        current_call.get().spent = Spent(calls=0)
        raise LLMGateClosed(retry_after=60, reason="throttle")

    async def handle(_task: Task, context: Context) -> HandlerResult:
        await context.step("s", {}, call, reserve=WORST)
        raise AssertionError

    row = await payer.attempt(handle)

    assert (row.status, row.progress["stage"], row.metadata["usage"]["calls"]) == (
        "pending",
        "waiting_llm",
        0,
    )
    assert payer.committed() == 0
