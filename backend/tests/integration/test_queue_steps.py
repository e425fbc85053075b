"""The rows behind durable steps: what is paid for is kept, what is doubtful is counted."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.engine import Row

from backend.app.db.models import TASK_STEPS
from backend.app.tasks import queue
from backend.app.tasks.queue import StepBegin
from backend.app.tasks.task import Spent, Status, Task
from backend.tests.queue_world import World, report

SPENT = Spent(2, "deepseek", "chat", 100, 20, Decimal("0.0125"))
ANSWERS = [{"a": [1, "二"]}, [], "text", 0, None, False]


def _begin(world: World, task: Task, name: str = "chunk/1", key: str = "k") -> StepBegin:
    made = world.write(queue.begin_step, task.lease, task.user_id, name, key, now=world.now)
    assert isinstance(made, StepBegin)
    return made


def _finish(world: World, task: Task, result: Any, name: str = "chunk/1", key: str = "k") -> Any:
    return world.write(queue.finish_step, task.lease, name, key, result, spent=SPENT, now=world.now)


def _steps(world: World) -> list[Row[Any]]:
    with world.database.read() as conn:
        return list(conn.execute(select(TASK_STEPS).order_by(TASK_STEPS.c.id)))


def _again(world: World, task: Task) -> Task:
    """The same task in the hands of another worker, the first one dead."""
    world.die("w1")
    (again,) = world.claim("w2")
    assert again.id == task.id
    return again


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_finished_step_is_found_again_by_a_later_attempt(world: World, answer: Any) -> None:
    task = world.running()
    assert _begin(world, task) == StepBegin("started")
    assert _finish(world, task, answer) == answer
    world.finish(report(task, Status.RETRY))
    (again,) = world.claim("w2")

    assert _begin(world, again) == StepBegin("done", answer, 2, provider="deepseek", model="chat")

    (row,) = _steps(world)
    assert (row.status, row.calls, row.provider, row.model) == ("done", 2, "deepseek", "chat")
    assert (row.prompt_tokens, row.response_tokens, row.cost) == (100, 20, Decimal("0.012500"))


def test_other_inputs_or_another_name_are_another_step(world: World) -> None:
    task = world.running()
    _begin(world, task)
    _finish(world, task, 1)

    assert _begin(world, task, key="other").state == "started"
    assert _begin(world, task, name="chunk/2").state == "started"


def test_a_step_left_by_a_dead_worker_is_in_doubt_and_counted(world: World) -> None:
    task = world.running()
    _begin(world, task)
    again = _again(world, task)

    assert _begin(world, again) == StepBegin("started", None, 0, in_doubt=True)

    (row,) = _steps(world)
    assert (row.status, row.in_doubt, row.lease_seq) == ("started", 1, again.lease_seq)


def test_a_step_begun_twice_by_one_attempt_is_not_in_doubt(world: World) -> None:
    """Its own first begin was committed and the answer lost."""
    task = world.running()

    assert _begin(world, task) == _begin(world, task) == StepBegin("started")
    assert [row.in_doubt for row in _steps(world)] == [0]


def test_a_step_whose_calls_ended_badly_is_called_again_without_doubt(world: World) -> None:
    task = world.running()
    _begin(world, task)
    world.write(queue.fail_step, task.lease, "chunk/1", "k", spent=SPENT)
    world.finish(report(task, Status.RETRY))
    (again,) = world.claim("w2")

    assert _begin(world, again) == StepBegin("started", None, 2, in_doubt=False)
    _finish(world, again, "fine")

    (row,) = _steps(world)
    assert (row.status, row.calls, row.prompt_tokens, row.cost) == ("done", 4, 200, Decimal("0.025"))


def test_the_first_answer_wins_and_the_later_caller_gets_it(world: World) -> None:
    zombie = world.running()
    _begin(world, zombie)
    again = _again(world, zombie)
    _begin(world, again)

    assert _finish(world, again, "first") == "first"
    assert _finish(world, zombie, "late") == "first"

    (row,) = _steps(world)
    assert row.result == {"value": "first"} and row.calls == 2


def test_a_fenced_worker_starts_no_step_but_keeps_the_one_it_paid_for(world: World) -> None:
    zombie = world.running()
    _begin(world, zombie)
    again = _again(world, zombie)

    assert _begin(world, zombie, "chunk/2").state == "lost"
    assert _finish(world, zombie, "paid") == "paid"

    assert _begin(world, again) == StepBegin("done", "paid", 2, provider="deepseek", model="chat")


def test_a_failed_call_of_a_fenced_worker_does_not_undo_the_finished_step(world: World) -> None:
    zombie = world.running()
    _begin(world, zombie)
    again = _again(world, zombie)
    _begin(world, again)
    _finish(world, again, "done")

    world.write(queue.fail_step, zombie.lease, "chunk/1", "k", spent=SPENT)

    assert [(row.status, row.result) for row in _steps(world)] == [("done", {"value": "done"})]


def test_a_new_task_of_the_same_user_reuses_the_step(world: World) -> None:
    user = world.user()
    first = world.running(user)
    _begin(world, first)
    _finish(world, first, {"v": 1})
    second = world.running(user)

    assert _begin(world, second) == StepBegin("reused", {"v": 1}, 2, provider="deepseek", model="chat")

    source, copy = _steps(world)
    assert (copy.task_id, copy.status, copy.reused_from, copy.calls) == (second.id, "done", source.id, 0)
    assert copy.cost == 0
    assert _begin(world, second).state == "done"


def test_nothing_is_shared_between_users(world: World) -> None:
    first, second = world.running(), world.running()
    _begin(world, first)
    _finish(world, first, {"secret": 1})

    assert _begin(world, second) == StepBegin("started")


def test_an_unfinished_step_of_another_task_is_not_reused(world: World) -> None:
    user = world.user()
    first = world.running(user)
    _begin(world, first)

    assert _begin(world, world.running(user)) == StepBegin("started")


def test_a_reserved_cost_is_settled_by_the_end_of_the_step(world: World) -> None:
    task = world.running()
    for name in ("good", "bad"):
        world.write(queue.begin_step, task.lease, task.user_id, name, "k", reserve=Decimal("1.5"))
    assert [row.reserved_cost for row in _steps(world)] == [Decimal("1.5")] * 2

    _finish(world, task, 1, "good")
    world.write(queue.fail_step, task.lease, "bad", "k", spent=SPENT)

    assert [row.reserved_cost for row in _steps(world)] == [0, 0]


def test_a_cancelled_task_starts_no_step(world: World) -> None:
    task = world.running()
    world.write(queue.cancel, task.user_id, task.id)

    assert _begin(world, task).state == "lost"
    assert _steps(world) == []


def test_a_zombies_failed_call_leaves_its_successors_call_in_doubt(world: World) -> None:
    """Its costs are kept; that the step has ended is not its to say."""
    first = world.running()
    told = (first.user_id, "llm/1", "k")
    assert world.write(queue.begin_step, first.lease, *told, now=world.now).state == "started"
    world.die()
    (second,) = world.claim("w2")
    assert world.write(queue.begin_step, second.lease, *told, now=world.now).in_doubt

    world.write(queue.fail_step, first.lease, "llm/1", "k", spent=Spent(calls=1))
    world.die("w2")
    (third,) = world.claim("w3", only=first.id)
    begun = world.write(queue.begin_step, third.lease, *told, now=world.now)

    assert begun.in_doubt
    assert begun.calls == 1
