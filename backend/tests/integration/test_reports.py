"""The report desk: batches, outages, refusals, late writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from backend.app.common.errors import ServiceUnavailable
from backend.app.tasks import queue
from backend.app.tasks.reports import ReportDesk
from backend.app.tasks.task import Status, Task
from backend.tests.queue_world import World, report


class Way:
    """How the desk reaches the database: real transactions, but for what a test lets go wrong."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.calls: list[tuple[str, int]] = []  # verb, how many rows
        self.before: list[BaseException] = []  # raised instead of the next transactions
        self.after: list[BaseException] = []  # raised after their commits: the answer is lost

    async def run(self, verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.calls.append((verb.__name__, len(args[0]) if isinstance(args[0], list) else 1))
        if self.before:
            raise self.before.pop(0)
        answer = (
            await asyncio.to_thread(self.world.write, verb, *args, now=self.world.now)
            if (verb in {queue.finish, queue.record_progress})
            else await asyncio.to_thread(self.world.write, verb, *args, **kwargs)
        )
        if self.after:
            raise self.after.pop(0)
        return answer


@pytest.fixture
def way(world: World) -> Way:
    return Way(world)


@pytest.fixture
async def desk(way: Way) -> AsyncIterator[ReportDesk]:
    made = ReportDesk(way.run)
    made.start()
    yield made
    await made.stop()


def _claimed(world: World, count: int) -> list[Task]:
    world.submit_many(world.user(), count)
    return world.claim(limit=count, cap=count)


async def test_attempts_that_end_together_are_written_together(
    world: World, way: Way, desk: ReportDesk
) -> None:
    tasks = _claimed(world, 50)

    answers = await asyncio.gather(*(desk.report(report(task, Status.COMPLETED)) for task in tasks))

    assert answers == [True] * 50
    assert way.calls == [("finish", 50)]
    assert {world.status(task.id) for task in tasks} == {"completed"}


async def test_reports_wait_while_the_database_is_away(world: World, way: Way, desk: ReportDesk) -> None:
    (task,) = _claimed(world, 1)
    way.before = [ServiceUnavailable(), ServiceUnavailable()]

    assert await desk.report(report(task, Status.COMPLETED)) is True

    assert way.calls == [("finish", 1)] * 3
    assert world.status(task.id) == "completed" and desk.stale_writes == 0


async def test_a_lost_answer_to_our_own_commit_is_a_success(world: World, way: Way, desk: ReportDesk) -> None:
    (task,) = _claimed(world, 1)
    way.after = [ServiceUnavailable()]

    assert await desk.report(report(task, Status.COMPLETED)) is True

    assert [verb for verb, _ in way.calls] == ["finish", "finish", "was_ours"]
    assert desk.stale_writes == 0
    assert world.events(task.id).count("task_completed") == 1


async def test_a_late_report_is_dropped_and_counted_and_its_batch_goes_on(
    world: World, way: Way, desk: ReportDesk
) -> None:
    late, timely = _claimed(world, 2)
    world.write(queue.cancel, late.user_id, late.id, now=world.now)

    answers = await asyncio.gather(
        desk.report(report(late, Status.COMPLETED)), desk.report(report(timely, Status.COMPLETED))
    )

    assert answers == [False, True] and desk.stale_writes == 1
    assert (world.status(late.id), world.status(timely.id)) == ("cancelled", "completed")


@pytest.mark.parametrize("bad", [{"n": float("nan")}, None])
async def test_a_report_that_is_refused_takes_no_others_with_it(
    world: World, way: Way, desk: ReportDesk, bad: object
) -> None:
    """NaN is refused on the way, a completed task without a result by the database."""
    first, broken, last = _claimed(world, 3)
    meta = {"source": "file", "filename": "招标.docx"}

    answers = await asyncio.gather(
        desk.report(report(first, Status.COMPLETED)),
        desk.report(report(broken, Status.COMPLETED, result=bad, meta=meta | {"usage": {"calls": 1}})),
        desk.report(report(last, Status.RETRY)),
    )

    assert answers == [True, True, True]
    assert [world.status(task.id) for task in (first, broken, last)] == ["completed", "failed", "retry"]
    row = world.row(broken.id)
    assert row.error_code == "internal_error" and row.metadata == meta
    assert await desk.report(report(first, Status.COMPLETED)) is True  # the desk is still there


async def test_a_desk_survives_whatever_a_transaction_raises(
    world: World, way: Way, desk: ReportDesk
) -> None:
    first, second = _claimed(world, 2)
    way.before = [IntegrityError("x", {}, Exception()), ValueError("no")]

    assert await desk.report(report(first, Status.COMPLETED)) is False
    assert await desk.report(report(second, Status.COMPLETED)) is True


async def test_only_the_latest_progress_is_written_and_none_after_the_end(
    world: World, way: Way, desk: ReportDesk
) -> None:
    (task,) = _claimed(world, 1)
    for percent in (1, 2, 3):
        desk.note(task.lease, task.user_id, {"percent": percent})
    await _until(lambda: world.row(task.id).progress == {"percent": 3})
    assert world.events(task.id).count("task_progress") == 1

    desk.note(task.lease, task.user_id, {"percent": 4})
    await desk.report(report(task, Status.COMPLETED))
    await asyncio.sleep(0.05)

    assert world.events(task.id)[-2:] == ["task_progress", "task_completed"]


async def test_a_desk_that_has_stopped_answers_at_once(world: World, way: Way) -> None:
    """An attempt must not hang on it when the process ends."""
    (task,) = _claimed(world, 1)
    desk = ReportDesk(way.run)  # never started: the report waits

    waiting = asyncio.ensure_future(desk.report(report(task, Status.COMPLETED)))
    await asyncio.sleep(0)
    await desk.stop()

    assert await waiting is False
    assert await desk.report(report(task, Status.COMPLETED)) is False
    assert world.status(task.id) == "running"


async def _until(true: Callable[[], bool]) -> None:
    for _ in range(500):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come true")
