"""One attempt from claim to report, with handlers that do what real ones may do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend.app.common.errors import AppError, EmptyDocument, LLMThrottled, LLMTimeout
from backend.app.tasks import queue
from backend.app.tasks.reports import ReportDesk
from backend.app.tasks.runner import Context, HandlerResult, Runner
from backend.app.tasks.steps import LeaseLost, StepResult, current_call, step_key
from backend.app.tasks.task import Spent, Task
from backend.tests.queue_world import World

Handle = Callable[[Task, Context], Awaitable[HandlerResult]]


class Bench:
    """A runner on a real queue, with one handler that a test replaces."""

    def __init__(self, world: World) -> None:
        self.world, self.is_fresh = world, True
        world.now = datetime.now(UTC)
        self.desk = ReportDesk(self._run)

    async def _run(self, verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(self.world.write, verb, *args, **kwargs)

    def runner(self, handle: Handle, *, seconds: float = 30) -> Runner:
        return Runner({"noop": handle}, self.desk, self._run, lambda: self.is_fresh, timeout=seconds)

    async def attempt(self, handle: Handle, task: Task | None = None, *, seconds: float = 30) -> Any:
        """Run one attempt of a fresh task (or this one); its row afterwards."""
        task = task or self.world.running()
        await asyncio.create_task(self.runner(handle, seconds=seconds).run(task))
        return self.world.row(task.id)


@pytest.fixture
async def bench(world: World) -> AsyncIterator[Bench]:
    made = Bench(world)
    made.desk.start()
    yield made
    await made.desk.stop()


def raising(error: BaseException) -> Handle:
    async def handle(_task: Task, _context: Context) -> HandlerResult:
        raise error

    return handle


async def succeed(task: Task, _context: Context) -> HandlerResult:
    return HandlerResult({"n": task.payload["n"]}, document_sha256="d" * 64)


async def hang(_task: Task, _context: Context) -> HandlerResult:
    await asyncio.sleep(60)
    raise AssertionError("nobody waited for this")


async def test_what_a_handler_returns_is_the_result(bench: Bench) -> None:
    row = await bench.attempt(succeed)

    assert (row.status, row.result, row.document_sha256) == ("completed", {"n": 1}, "d" * 64)
    assert row.metadata["source"] == "text" and row.metadata["usage"]["calls"] == 0


async def test_a_curable_error_is_retried_later_with_its_sentence(bench: Bench) -> None:
    row = await bench.attempt(raising(LLMTimeout()))

    assert (row.status, row.retry_count, row.error_code) == ("retry", 1, "llm_timeout")
    assert row.error == LLMTimeout.message and row.error_en == LLMTimeout.message_en
    wait = row.run_at - datetime.now(UTC)
    assert timedelta(seconds=15) < wait < timedelta(seconds=40)
    assert bench.world.attempts(row.id) == ["retry"]


async def test_the_last_try_fails_and_says_that_it_was_the_last(bench: Bench) -> None:
    task = bench.world.running(max_retries=0)

    row = await bench.attempt(raising(LLMTimeout()), task)

    assert (row.status, row.metadata["retry_exhausted"]) == ("failed", True)


async def test_an_incurable_error_fails_at_once(bench: Bench) -> None:
    row = await bench.attempt(raising(EmptyDocument()))

    assert (row.status, row.error_code, row.retry_count) == ("failed", "empty_document", 0)
    assert "retry_exhausted" not in row.metadata


async def test_a_throttled_provider_hands_the_task_back_and_costs_no_try(bench: Bench) -> None:
    row = await bench.attempt(raising(LLMThrottled(retry_after=120)))

    assert (row.status, row.retry_count, row.error) == ("pending", 0, None)
    assert row.run_at - datetime.now(UTC) > timedelta(seconds=100)
    assert bench.world.attempts(row.id) == ["released"]


@pytest.mark.parametrize(
    "bug",
    [
        KeyError("secret"),
        RecursionError(),
        TimeoutError("the handler's own"),
        ExceptionGroup("several", [ValueError("secret")]),
        asyncio.CancelledError("of something it waited for"),
    ],
    ids=lambda bug: type(bug).__name__,
)
async def test_a_bug_of_ours_is_retried_and_tells_nothing_of_itself(bench: Bench, bug: BaseException) -> None:
    row = await bench.attempt(raising(bug))

    assert (row.status, row.error_code) == ("retry", "internal_error")
    assert "secret" not in row.error and "Error" not in row.error


async def test_a_result_that_cannot_be_stored_fails_the_task(bench: Bench) -> None:
    async def handle(_task: Task, _context: Context) -> HandlerResult:
        return HandlerResult({"n": float("nan")})

    row = await bench.attempt(handle)

    assert (row.status, row.error_code) == ("failed", "internal_error")
    assert row.metadata == {"source": "text"}


async def test_an_attempt_beyond_its_time_is_ended_and_retried(bench: Bench) -> None:
    row = await bench.attempt(hang, seconds=0.05)

    assert (row.status, row.error_code) == ("retry", "task_timeout")


async def test_a_lost_attempt_stops_and_reports_nothing(bench: Bench) -> None:
    task, ended = bench.world.running(), asyncio.Event()

    async def handle(task: Task, context: Context) -> HandlerResult:
        try:
            return await hang(task, context)
        finally:
            ended.set()

    runner = bench.runner(handle)
    run = asyncio.create_task(runner.run(task))
    await asyncio.sleep(0.02)
    bench.world.write(queue.cancel, task.user_id, task.id)
    before = bench.world.everything()
    runner.lose(task.lease)
    runner.lose(task.lease)  # the heartbeat tells until it is done
    await run

    assert ended.is_set() and bench.world.everything() == before and bench.desk.stale_writes == 0
    runner.lose(task.lease)


async def test_what_a_lost_attempt_had_spent_is_recorded(bench: Bench) -> None:
    task, called = bench.world.running(), asyncio.Event()

    async def handle(task: Task, context: Context) -> HandlerResult:
        await context.step("s", {"a": 1}, _answer)
        called.set()
        return await hang(task, context)

    runner = bench.runner(handle)
    run = asyncio.create_task(runner.run(task))
    await called.wait()
    bench.world.write(queue.cancel, task.user_id, task.id)
    runner.lose(task.lease)
    await run

    (attempt,) = bench.world.everything()["task_attempts"]
    assert "cancelled" in attempt and attempt[-1]["calls"] == 2


async def test_a_released_attempt_goes_back_as_pending_at_once(bench: Bench) -> None:
    task = bench.world.running()
    runner = bench.runner(hang)
    run = asyncio.create_task(runner.run(task))
    await asyncio.sleep(0.02)

    runner.release_all()
    await run

    row = bench.world.row(task.id)
    assert (row.status, row.retry_count, row.crash_count) == ("pending", 0, 0)
    assert row.run_at <= datetime.now(UTC)


async def test_a_report_that_waits_for_the_database_is_not_interrupted_by_a_stop(bench: Bench) -> None:
    """The work is done and paid for: only what still works is handed back."""
    task = bench.world.running()
    runner = bench.runner(succeed)
    run = asyncio.create_task(runner.run(task))
    for _ in range(20):  # the handler is through, its report on the way
        await asyncio.sleep(0)

    runner.release_all()
    await run

    assert bench.world.status(task.id) == "completed"


# Steps


async def _answer() -> StepResult:
    return StepResult({"v": 1}, Spent(2, "p", "m", 10, 5))


async def _answer_badly() -> StepResult:
    current_call.get().spent = Spent(3, "p", "m", 7, 0)
    raise LLMTimeout


async def test_a_step_is_called_once_over_all_attempts(bench: Bench) -> None:
    calls: list[int] = []

    async def call() -> StepResult:
        calls.append(1)
        return await _answer()

    async def fail_after_the_step(_task: Task, context: Context) -> HandlerResult:
        assert await context.step("s", {"a": 1}, call) == {"v": 1}
        raise EmptyDocument

    async def go_on(_task: Task, context: Context) -> HandlerResult:
        return HandlerResult({"kept": await context.step("s", {"a": 1}, call), "usage": context.usage()})

    first = await bench.attempt(fail_after_the_step)
    bench.world.write(queue.retry, first.user_id, first.id)
    bench.world.now = datetime.now(UTC)
    (again,) = bench.world.claim()
    row = await bench.attempt(go_on, again)

    assert calls == [1]
    assert row.result["kept"] == {"v": 1}
    assert (row.result["usage"]["calls"], row.result["usage"]["reused_calls"]) == (0, 1)


async def test_a_step_that_failed_tells_its_own_error_and_its_cost(bench: Bench) -> None:
    async def handle(_task: Task, context: Context) -> HandlerResult:
        await context.step("s", {"a": 1}, _answer_badly)
        raise AssertionError

    row = await bench.attempt(handle)

    assert (row.status, row.error_code) == ("retry", "llm_timeout")
    assert (row.metadata["usage"]["calls"], row.metadata["usage"]["prompt_tokens"]) == (3, 7)
    (step,) = bench.world.everything()["task_steps"]
    assert "failed" in step


async def test_a_free_step_that_failed_or_was_interrupted_is_no_call(bench: Bench) -> None:
    """Nobody paid for a parse: `usage` counts calls of models only."""

    async def broken() -> StepResult:
        raise EmptyDocument

    async def handle(_task: Task, context: Context) -> HandlerResult:
        return HandlerResult(await context.step("parse", {"a": 1}, broken, is_paid=False))

    dead = bench.world.running()
    bench.world.write(queue.begin_step, dead.lease, dead.user_id, "parse", step_key({"a": 1}))
    bench.world.die()
    (again,) = bench.world.claim("w2")
    row = await bench.attempt(handle, again)

    assert (row.status, row.error_code) == ("failed", "empty_document")
    assert (row.metadata["usage"]["calls"], row.metadata["usage"]["in_doubt_calls"]) == (0, 0)


@pytest.mark.parametrize("how", ["stale lease", "no renewal"])
async def test_an_attempt_that_may_be_lost_starts_no_call(bench: Bench, how: str) -> None:
    """After a take-over, and when the worker could not renew for long, nothing that costs is begun."""
    task = bench.world.running()
    if how == "stale lease":
        bench.world.die("w1")
    else:
        bench.is_fresh = False
    before = bench.world.everything()

    async def handle(_task: Task, context: Context) -> HandlerResult:
        with pytest.raises(LeaseLost):
            await context.step("s", {"a": 1}, _never)
        raise LeaseLost

    await bench.attempt(handle, task)

    assert bench.world.everything() == before


async def test_an_attempt_that_could_not_renew_is_handed_back_and_costs_nothing(bench: Bench) -> None:
    """An outage of the database is no death of the worker: dropped, the task would be swept as one."""
    bench.is_fresh = False

    async def handle(_task: Task, context: Context) -> HandlerResult:
        return HandlerResult(await context.step("s", {"a": 1}, _never))

    row = await bench.attempt(handle)

    assert (row.status, row.crash_count, row.retry_count) == ("pending", 0, 0)
    assert bench.world.attempts(row.id) == ["released"]


async def test_an_answer_that_was_paid_for_is_kept_though_the_attempt_is_handed_back(bench: Bench) -> None:
    """SIGTERM while the answer waits for the database."""
    answered, go_on = asyncio.Event(), asyncio.Event()

    async def slow(verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if verb is queue.finish_step:
            answered.set()
            await go_on.wait()
        return await asyncio.to_thread(bench.world.write, verb, *args, **kwargs)

    async def call() -> StepResult:
        return StepResult({"found": 1}, Spent(calls=1))

    async def handle(_task: Task, context: Context) -> HandlerResult:
        return HandlerResult(await context.step("s", {"a": 1}, call))

    task = bench.world.running()
    runner = Runner({"noop": handle}, bench.desk, slow, lambda: True, timeout=30)
    attempt = asyncio.create_task(runner.run(task))
    await answered.wait()
    runner.release_all()
    await asyncio.sleep(0)
    go_on.set()
    await attempt

    assert bench.world.status(task.id) == "pending"
    bench.world.later(60)
    (again,) = bench.world.claim("w2")
    begun = bench.world.write(queue.begin_step, again.lease, again.user_id, "s", step_key({"a": 1}))
    assert (begun.state, begun.result) == ("done", {"found": 1})


async def _never() -> StepResult:
    raise AssertionError("called")


async def test_progress_never_goes_back_and_is_told_once_a_second(bench: Bench) -> None:
    """The last word is told as well, only later."""

    async def handle(task: Task, context: Context) -> HandlerResult:
        shown = []
        for stage, percent in (("parse", 30), ("parse", 35), ("facts", 10), ("merge", 200)):
            context.progress(stage, percent, stage)
            await asyncio.sleep(0.05)
            shown.append(await asyncio.to_thread(lambda: bench.world.row(task.id).progress))
        await asyncio.sleep(1.2)
        shown.append(await asyncio.to_thread(lambda: bench.world.row(task.id).progress))
        return HandlerResult(shown)

    row = await bench.attempt(handle)

    told = [(p["stage"], p["percent"]) for p in row.result]
    assert told == [("parse", 30)] * 4 + [("merge", 99)]


async def test_an_unknown_kind_of_error_is_still_an_error(bench: Bench) -> None:
    class Strange(AppError):
        message = "{0.__class__}"

    row = await bench.attempt(raising(Strange()))

    assert row.status == "failed" and row.error
