"""Every verb in every state: the arrows of task.py and no others; a refused verb changes nothing at all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from backend.app.tasks import queue
from backend.app.tasks.task import ARROWS, Status, Task
from backend.tests.queue_world import World, report

Act = Callable[[World, Task], Any]


def _finish(target: Status) -> Act:
    return lambda world, task: world.finish(report(task, target))


def _begin_step(world: World, task: Task) -> bool:
    begun = world.write(queue.begin_step, task.lease, task.user_id, "s", "k", now=world.now)
    return bool(begun.state != "lost")


# verb → (how it is called, where it leads; None where the status stays)
VERBS: dict[str, tuple[Act, Status | None]] = {
    "claim": (lambda world, task: world.claim("w2"), Status.RUNNING),
    "complete": (_finish(Status.COMPLETED), Status.COMPLETED),
    "fail": (_finish(Status.FAILED), Status.FAILED),
    "schedule_retry": (_finish(Status.RETRY), Status.RETRY),
    "release": (_finish(Status.PENDING), Status.PENDING),
    "take_over": (lambda world, task: world.die("w1"), Status.PENDING),
    "sweep": (
        lambda world, task: world.write(queue.sweep_expired, now=world.now + timedelta(hours=1)),
        Status.PENDING,
    ),
    "cancel": (
        lambda world, task: world.write(queue.cancel, task.user_id, task.id, now=world.now),
        Status.CANCELLED,
    ),
    "retry": (
        lambda world, task: world.write(queue.retry, task.user_id, task.id, now=world.now),
        Status.RETRY,
    ),
    "progress": (
        lambda world, task: world.write(
            queue.record_progress, [(task.lease, task.user_id, {"percent": 5})], now=world.now
        ),
        None,
    ),
    "begin_step": (_begin_step, None),
    "held": (lambda world, task: world.read(queue.held, [task.lease]), None),
}
# A person retries only what has ended; a worker's retry starts from running.
_PERSON_RETRIES = {Status.FAILED, Status.CANCELLED}


def _is_allowed(verb: str, state: Status) -> bool:
    target = VERBS[verb][1]
    if verb == "retry":
        return state in _PERSON_RETRIES
    if verb == "schedule_retry":
        return state is Status.RUNNING
    if target is None:
        return state is Status.RUNNING
    return (state, target) in ARROWS


@pytest.mark.parametrize("state", list(Status))
def test_a_verb_follows_its_arrow_or_changes_nothing_and_says_so(world: World, state: Status) -> None:
    """One fresh task for each verb, in this state; the whole database is compared."""
    for verb, (act, target) in VERBS.items():
        task = world.in_state(state)
        before = world.everything()

        answer = act(world, task)

        if _is_allowed(verb, state):
            assert answer, f"{verb} of a {state} task was refused"
            assert world.status(task.id) == (target or state), verb
        else:
            assert not answer, f"{verb} of a {state} task was allowed"
            assert world.everything() == before, f"{verb} of a {state} task changed something"
        world.clear()


@pytest.mark.parametrize("state", list(Status))
def test_a_stranger_cancels_and_retries_nothing(world: World, state: Status) -> None:
    task, stranger = world.in_state(state), world.user()
    before = world.everything()

    assert world.write(queue.cancel, stranger, task.id, now=world.now) is False
    assert world.write(queue.retry, stranger, task.id, now=world.now) is False

    assert world.everything() == before


@pytest.mark.parametrize("target", [Status.COMPLETED, Status.FAILED, Status.RETRY, Status.PENDING])
def test_an_old_lease_writes_nothing_while_another_worker_runs_the_task(world: World, target: Status) -> None:
    """The fence: the zombie's report meets a higher lease_seq."""
    old = world.running()
    world.die("w1")
    (new,) = world.claim("w2")
    before = world.everything()

    assert world.finish(report(old, target)) == set()
    assert (
        world.write(queue.record_progress, [(old.lease, old.user_id, {"percent": 9})], now=world.now) == set()
    )
    assert world.write(queue.begin_step, old.lease, old.user_id, "s", "k", now=world.now).state == "lost"
    assert world.read(queue.held, [old.lease]) == set()

    assert world.everything() == before
    assert world.finish(report(new, Status.COMPLETED)) == {new.lease}


def test_an_unknown_task_is_refused_by_every_verb(world: World) -> None:
    task = world.running()
    world.clear()
    before = world.everything()

    for verb, (act, _) in VERBS.items():
        assert not act(world, task), verb

    assert world.everything() == before
