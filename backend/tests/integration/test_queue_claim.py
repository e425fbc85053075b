"""Claims: who goes first, how many, and what becomes of tasks whose workers died."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import update

from backend.app.db.models import TASKS
from backend.app.tasks import queue
from backend.app.tasks.task import Spent, Status
from backend.tests.queue_world import World, report

# Order


def test_a_users_tasks_go_by_priority_then_due_time_then_age(world: World) -> None:
    user = world.user()
    first, second = world.submit_many(user, 2)
    world.later(1)
    third, urgent = world.submit(user), world.submit(user, priority=5)
    put_off = world.submit(user, priority=-3)

    assert [task.id for task in world.claim()] == [urgent, first, second, third, put_off]


def test_priority_orders_only_ones_own_tasks(world: World) -> None:
    """Nobody gets before others by calling everything urgent."""
    modest, loud = world.user(), world.user()
    (waiting,) = world.submit_many(modest, 1)
    world.submit_many(loud, 3, priority=10)

    claimed = world.claim(limit=2)

    assert waiting in {task.id for task in claimed}


def test_the_user_with_the_fewest_running_tasks_goes_first(world: World) -> None:
    busy, idle = world.user(), world.user()
    world.submit_many(busy, 10)
    world.claim(limit=3)
    late = world.submit_many(idle, 10)

    claimed = world.claim(limit=4)

    assert [task.user_id for task in claimed] == [idle, idle, idle, busy]
    assert [task.id for task in claimed[:3]] == late[:3]


def test_between_equals_the_oldest_task_goes_first(world: World) -> None:
    users = [world.user() for _ in range(4)]
    ids = [world.submit(user) for user in reversed(users)]

    assert [task.id for task in world.claim(limit=4)] == ids


def test_nobody_starves_behind_one_who_submits_thousands(world: World) -> None:
    greedy, others = world.user(), [world.user() for _ in range(9)]
    world.submit_many(greedy, 300)
    last = [world.submit(user) for user in others]

    claimed = [task.id for task in world.claim(limit=10)]

    assert set(last) < set(claimed)


def test_what_is_not_due_is_left_alone_until_it_is(world: World) -> None:
    task_id = world.submit(world.user(), run_at=world.now + timedelta(seconds=30))

    assert world.claimable() == [] and world.claim() == []
    world.later(29.9)
    assert world.claim() == []
    world.later(0.1)
    assert world.claimable() == [task_id]
    assert [task.id for task in world.claim()] == [task_id]


def test_a_run_at_in_the_past_means_now(world: World) -> None:
    task_id = world.submit(world.user(), run_at=world.now - timedelta(days=400))

    assert world.row(task_id).run_at == world.now


def test_only_the_types_that_a_worker_knows_are_claimed(world: World) -> None:
    user = world.user()
    world.submit(user, task_type="other")
    mine = world.submit(user)

    assert [task.id for task in world.claim(types=("noop", "third"))] == [mine]
    assert world.claim(types=("third",)) == []


def test_a_claimed_task_carries_what_a_handler_needs(world: World) -> None:
    user = world.user()
    task_id = world.submit(user, payload={"n": 7, "名": "值"}, meta={"source": "file"}, max_retries=2)
    created = world.now
    world.later(3)

    (task,) = world.claim()

    assert (task.id, task.user_id, task.task_type) == (task_id, user, "noop")
    assert (task.payload, task.meta) == ({"n": 7, "名": "值"}, {"source": "file"})
    assert (task.attempt, task.retry_count, task.max_retries, task.crash_count) == (1, 0, 2, 0)
    assert (task.created_at, task.started_at) == (created, world.now)
    row = world.row(task_id)
    assert row.lease_until == world.now + timedelta(seconds=20)
    assert (row.worker_id, row.lease_seq) == ("w1", task.lease_seq)
    assert world.attempts(task_id) == [None]
    assert world.events(task_id) == ["task_created", "task_started"]


def test_a_clock_that_steps_back_never_starts_a_task_before_its_creation(world: World) -> None:
    task_id = world.submit(world.user())
    created = world.now
    with world.database.write() as conn:
        conn.execute(update(TASKS).values(run_at=created - timedelta(hours=1)))
    world.later(-60)

    (task,) = world.claim()
    world.finish(report(task, Status.COMPLETED))

    row = world.row(task_id)
    assert row.created_at <= row.started_at <= row.completed_at


# Limits


def test_a_claim_takes_no_more_than_asked(world: World) -> None:
    for _ in range(3):
        world.submit_many(world.user(), 5)

    assert len(world.claim(limit=7)) == 7
    assert len(world.claim(limit=100)) == 8


def test_a_user_never_runs_more_than_the_cap(world: World) -> None:
    user, other = world.user(), world.user()
    world.submit_many(user, 5)
    world.submit_many(other, 1)

    claimed = world.claim(limit=50, cap=2)

    assert Counter(task.user_id for task in claimed) == {user: 2, other: 1}
    assert world.claimable(cap=2) == [] and world.claim(cap=2) == []
    world.finish(report(next(task for task in claimed if task.user_id == user), Status.COMPLETED))
    assert len(world.claim(cap=2)) == 1


@pytest.mark.parametrize("isolated", [False, True])
def test_a_look_says_what_a_claim_would_take(world: World, isolated: bool) -> None:
    for _ in range(3):
        world.submit_many(world.user(), 4)
    world.claim(limit=5, cap=3)

    expected = world.claimable(limit=6, cap=3, isolated=isolated)

    assert expected == ([] if isolated else [task.id for task in world.claim(limit=6, cap=3)])


# Deaths


def test_an_expired_lease_is_swept_and_the_task_claimed_in_the_same_breath(world: World) -> None:
    task = world.running()
    world.later(20.001)

    (again,) = world.claim("w2", sweep=lambda: True)

    assert again.id == task.id and again.lease_seq > task.lease_seq
    assert (again.attempt, again.crash_count, again.retry_count) == (2, 1, 0)
    assert world.attempts(task.id) == ["lost", None]
    assert world.events(task.id) == ["task_created", "task_started", "task_lost", "task_started"]


def test_a_lease_that_still_runs_is_not_swept(world: World) -> None:
    world.running()
    world.later(20)

    assert world.read(queue.has_expired, now=world.now) is False
    assert world.claim("w2", sweep=lambda: True) == []
    assert world.write(queue.sweep_expired, now=world.now) == 0


def test_who_may_not_sweep_leaves_expired_leases_alone(world: World) -> None:
    world.running()
    world.later(60)

    assert world.read(queue.has_expired, now=world.now) is True
    assert world.claim("w2") == [] and world.claim("w2", sweep=lambda: False) == []


def test_take_over_takes_the_dead_workers_tasks_and_no_others(world: World) -> None:
    dead, alive = world.running(worker="dead"), world.running(worker="alive")

    assert world.die("dead") == 1

    assert world.status(dead.id) == Status.PENDING and world.status(alive.id) == Status.RUNNING
    assert world.row(dead.id).crash_count == 1
    assert world.die("dead") == 0


def test_after_the_first_death_a_task_runs_again_at_once_like_any_other(world: World) -> None:
    task = world.running()
    world.die()

    assert [again.id for again in world.claim("w2")] == [task.id]


def test_from_the_second_death_on_only_a_worker_of_its_own_takes_the_task(world: World) -> None:
    suspect = _killer(world, deaths=2)
    innocent = world.submit(world.user())

    assert world.claimable() == [innocent]
    assert world.claimable(isolated=True) == [suspect]
    assert [task.id for task in world.claim("w3")] == [innocent]
    assert world.claim("own", only=innocent) == []
    assert [task.id for task in world.claim("own", only=suspect)] == [suspect]


def test_the_third_death_in_a_row_fails_the_task_as_poisoned(world: World) -> None:
    task_id = _killer(world, deaths=2)
    (task,) = world.claim("own", only=task_id)
    world.later(2)

    assert world.die("own") == 1

    row = world.row(task_id)
    assert (row.status, row.error_code, row.completed_at) == ("failed", "poisoned", world.now)
    assert row.error and row.error_en and row.retry_count == 0
    assert world.attempts(task_id) == ["lost", "lost", "lost"]
    assert world.events(task_id)[-1] == "task_poisoned"
    assert world.finish(report(task, Status.COMPLETED)) == set()


def test_a_poisoned_task_never_ends_before_it_started(world: World) -> None:
    """The dead worker's clock was ahead: completed_at is not before started_at."""
    task_id = _killer(world, deaths=2)
    world.later(30)
    world.claim("own", only=task_id)
    world.later(-10)

    world.die("own")

    row = world.row(task_id)
    assert row.status == "failed" and row.started_at <= row.completed_at


def test_a_finished_step_lets_the_count_of_deaths_begin_anew(world: World) -> None:
    """Who gets on is no killer: three deaths in a row without anything done are."""
    task_id = _killer(world, deaths=2)
    (task,) = world.claim("own", only=task_id)
    world.write(queue.begin_step, task.lease, task.user_id, "s", "k")
    world.write(queue.finish_step, task.lease, "s", "k", {"a": 1}, spent=Spent())
    assert world.row(task_id).crash_count == 0

    world.die("own")

    assert world.status(task_id) == Status.PENDING
    assert [again.id for again in world.claim("w4")] == [task_id]


def test_a_finished_step_of_a_fenced_worker_leaves_the_count_of_deaths_alone(world: World) -> None:
    old = world.running()
    world.write(queue.begin_step, old.lease, old.user_id, "s", "k")
    world.die()

    world.write(queue.finish_step, old.lease, "s", "k", {"a": 1}, spent=Spent())

    assert world.row(old.id).crash_count == 1


@pytest.mark.parametrize(
    ("how", "left"), [(Status.PENDING, 1), (Status.RETRY, 0), (Status.FAILED, 0), (Status.COMPLETED, 0)]
)
def test_an_attempt_that_ends_in_order_ends_the_row_of_deaths(world: World, how: Status, left: int) -> None:
    """But a release says nothing about the task: its worker was told to stop."""
    world.running()
    world.die()
    (task,) = world.claim("w2")

    world.finish(report(task, how))

    assert world.row(task.id).crash_count == left


def _killer(world: World, *, deaths: int) -> int:
    """The id of a waiting task that cost that many workers their lives."""
    task_id = world.submit(world.user())
    for n in range(deaths):
        assert [task.id for task in world.claim(f"victim{n}")] == [task_id]
        world.die(f"victim{n}")
    return task_id
