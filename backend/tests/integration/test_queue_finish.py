"""The end of an attempt, what it says on its way, and who may say it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from backend.app.db.models import TASK_ATTEMPTS, TASK_EVENTS, TASK_RESULTS
from backend.app.tasks import queue
from backend.app.tasks.queue.finish import LARGE_RESULT
from backend.app.tasks.task import AttemptOutcome, Status
from backend.tests.queue_world import RESULT, World, report

USAGE = {"calls": 2, "cost": 0.01}


def test_a_completed_task_has_its_result_its_meta_and_no_error(world: World) -> None:
    first = world.running()
    world.finish(report(first, Status.RETRY))
    (task,) = world.claim()
    world.later(5)
    ended = report(task, Status.COMPLETED, meta={"a": 1}, usage=USAGE, document_sha256="d" * 64)

    assert world.finish(ended) == {task.lease}

    row = world.row(task.id)
    assert (row.status, row.result, row.error, row.error_en, row.error_code) == (
        "completed",
        RESULT,
        None,
        None,
        None,
    )
    assert (row.completed_at, row.metadata, row.document_sha256) == (world.now, {"a": 1}, "d" * 64)
    assert (row.lease_until, row.worker_id, row.progress) == (None, None, None)
    assert row.retry_count == 1
    assert world.attempts(task.id) == ["retry", "completed"]
    assert world.events(task.id)[-1] == "task_completed"


def test_a_failed_task_tells_why_in_both_languages(world: World) -> None:
    task = world.running()

    world.finish(report(task, Status.FAILED, usage=USAGE))

    row = world.row(task.id)
    assert (row.status, row.error, row.error_en, row.error_code) == (
        "failed",
        "出错了",
        "It failed.",
        "internal_error",
    )
    assert row.result is None and row.completed_at == world.now
    with world.database.read() as conn:
        attempt = conn.execute(select(TASK_ATTEMPTS)).one()
        event = conn.execute(select(TASK_EVENTS).order_by(TASK_EVENTS.c.id.desc())).first()
    assert (attempt.error, attempt.error_code, attempt.usage, attempt.ended_at) == (
        "出错了",
        "internal_error",
        USAGE,
        world.now,
    )
    assert event is not None
    assert (event.type, event.message, event.data) == (
        "task_failed",
        "出错了",
        {"attempt": 1, "error_code": "internal_error"},
    )


def test_a_retry_uses_up_a_try_and_waits_for_its_time(world: World) -> None:
    task = world.running(max_retries=1)
    at = world.now + timedelta(seconds=30)

    world.finish(report(task, Status.RETRY, run_at=at))

    row = world.row(task.id)
    assert (row.status, row.retry_count, row.run_at, row.error) == ("retry", 1, at, "出错了")
    assert world.claim() == []
    world.later(30)
    assert [again.retry_count for again in world.claim()] == [1]


def test_a_release_uses_up_nothing_and_keeps_the_last_error(world: World) -> None:
    first = world.running()
    world.finish(report(first, Status.RETRY))
    (task,) = world.claim()

    world.finish(report(task, Status.PENDING, run_at=world.now))

    row = world.row(task.id)
    assert (row.status, row.retry_count, row.error_code) == ("pending", 1, "internal_error")
    assert world.attempts(task.id) == ["retry", "released"]
    assert [again.attempt for again in world.claim()] == [3]


def test_one_try_too_many_is_refused_by_the_database(world: World) -> None:
    task = world.running(max_retries=0)
    before = world.everything()

    with pytest.raises(Exception, match="retry_count"):
        world.finish(report(task, Status.RETRY))

    assert world.everything() == before


def test_many_reports_in_one_batch_each_reach_their_own_task(world: World) -> None:
    user = world.user()
    world.submit_many(user, 60)
    tasks = world.claim(limit=60, cap=60)
    ends = (Status.COMPLETED, Status.FAILED, Status.RETRY, Status.PENDING)

    done = world.finish(*(report(task, ends[n % 4], meta={"n": n}) for n, task in enumerate(reversed(tasks))))

    assert done == {task.lease for task in tasks}
    for n, task in enumerate(reversed(tasks)):
        row = world.row(task.id)
        assert (row.status, row.metadata) == (ends[n % 4], {"n": n})


def test_in_a_batch_the_stale_ones_change_nothing_and_the_others_count(world: World) -> None:
    user = world.user()
    world.submit_many(user, 3)
    cancelled, lost, ours = world.claim(cap=3)
    world.write(queue.cancel, user, cancelled.id, now=world.now)
    world.die("w1")
    again = {task.id: task for task in world.claim("w1")}  # the same worker, with new leases

    done = world.finish(
        report(cancelled, Status.COMPLETED),
        report(lost, Status.FAILED),
        report(again[ours.id], Status.COMPLETED),
    )

    assert done == {again[ours.id].lease}
    assert world.status(cancelled.id) == "cancelled" and world.status(lost.id) == "running"


def test_a_lost_and_a_later_attempt_of_one_task_in_one_batch_are_told_apart(world: World) -> None:
    """A worker that lost a task and claimed it again may report both ends at once."""
    lost = world.running()
    world.die("w1")
    (ours,) = world.claim("w1")
    large = {"text": "旧" * LARGE_RESULT}

    done = world.finish(report(lost, Status.COMPLETED, result=large), report(ours, Status.FAILED))

    assert done == {ours.lease}
    assert world.status(ours.id) == "failed"
    assert world.attempts(ours.id) == ["lost", "failed"]
    assert world.events(ours.id).count("task_completed") == 0
    assert world.everything()["task_results"] == []
    notes = [(lost.lease, lost.user_id, {"percent": 9}), (ours.lease, ours.user_id, {"percent": 1})]
    assert world.write(queue.record_progress, notes, now=world.now) == set()


def test_progress_of_a_lost_and_a_later_attempt_is_told_apart(world: World) -> None:
    lost = world.running()
    world.die("w1")
    (ours,) = world.claim("w1")
    notes = [(lost.lease, lost.user_id, {"percent": 90}), (ours.lease, ours.user_id, {"percent": 1})]

    assert world.write(queue.record_progress, notes, now=world.now) == {ours.lease}

    assert world.row(ours.id).progress == {"percent": 1}
    assert world.events(ours.id).count("task_progress") == 1


def test_our_own_commit_whose_answer_was_lost_is_a_success(world: World) -> None:
    task = world.running()
    world.finish(report(task, Status.COMPLETED))

    assert world.finish(report(task, Status.COMPLETED)) == set()
    assert world.read(queue.was_ours, task.lease, AttemptOutcome.COMPLETED) is True
    assert world.read(queue.was_ours, task.lease, AttemptOutcome.FAILED) is False


def test_what_was_taken_from_us_was_not_ours(world: World) -> None:
    taken, cancelled = world.running(), world.running()
    world.die("w1")
    for task in world.claim("w2"):
        world.finish(report(task, Status.COMPLETED))
    world.write(queue.cancel, cancelled.user_id, cancelled.id)

    for task in (taken, cancelled):
        for outcome in (AttemptOutcome.COMPLETED, AttemptOutcome.FAILED, AttemptOutcome.RELEASED):
            assert world.read(queue.was_ours, task.lease, outcome) is False


@pytest.mark.parametrize("size", [LARGE_RESULT - 20, LARGE_RESULT + 20])
def test_a_large_result_lies_outside_the_hot_row(world: World, size: int) -> None:
    small, large = world.running(), world.running()
    result = {"text": "x" * size}

    world.finish(report(small, Status.COMPLETED), report(large, Status.COMPLETED, result=result))

    with world.database.read() as conn:
        stored = dict(conn.execute(select(TASK_RESULTS.c.task_id, TASK_RESULTS.c.body)).tuples().all())
    row = world.row(large.id)
    if size > LARGE_RESULT:
        assert stored == {large.id: result}
        assert row.result == {"$stored": size + len('{"text":""}')}
    else:
        assert stored == {} and row.result == result


def test_the_size_of_a_result_counts_bytes_not_characters(world: World) -> None:
    task = world.running()

    world.finish(report(task, Status.COMPLETED, result={"text": "标" * (LARGE_RESULT // 2)}))

    assert "$stored" in world.row(task.id).result


@pytest.mark.parametrize("result", [{}, [], 0, False, "", "null", "文", [None], {"a": None}, 1e-7, 2**70])
def test_any_json_but_null_is_a_result(world: World, result: object) -> None:
    task = world.running()

    assert world.finish(report(task, Status.COMPLETED, result=result)) == {task.lease}

    assert world.row(task.id).result == result


def test_what_postgresql_refuses_is_cleaned_on_both(world: World) -> None:
    """NUL and lone surrogates become U+FFFD; text that only looks like an escape stays."""
    dirty = {
        "nul": "a\x00b",
        "half": "a\ud800b",
        "key\x00": 1,
        "literal": r"\u0000 \ud800",
        "slash": "\\\x00",
    }
    clean = {
        "nul": "a\ufffdb",
        "half": "a\ufffdb",
        "key\ufffd": 1,
        "literal": r"\u0000 \ud800",
        "slash": "\\\ufffd",
    }
    task_id = world.submit(world.user(), payload=dirty, meta=dirty)
    (task,) = world.claim()
    assert (task.payload, task.meta) == (clean, clean)
    world.write(queue.record_progress, [(task.lease, task.user_id, {"message": "\x00"})], now=world.now)
    assert world.row(task_id).progress == {"message": "\ufffd"}

    world.finish(report(task, Status.FAILED, meta=dirty, error="坏\x00\udfff", usage=dirty))
    world.write(queue.retry, task.user_id, task.id, now=world.now)
    (task,) = world.claim()
    assert world.row(task_id).error == "坏\ufffd\ufffd"
    world.finish(report(task, Status.COMPLETED, result=dirty))

    assert world.row(task_id).result == clean


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_a_number_is_refused_before_the_database(world: World, number: float) -> None:
    task = world.running()
    before = world.everything()

    with pytest.raises(ValueError, match="JSON compliant"):
        world.finish(report(task, Status.COMPLETED, result={"n": number}))

    assert world.everything() == before


def test_progress_is_shown_with_an_event_and_gone_after_the_end(world: World) -> None:
    task = world.running()
    shown = {"percent": 40, "stage": "facts", "message": "正在识别"}

    assert world.write(queue.record_progress, [(task.lease, task.user_id, shown)], now=world.now) == {
        task.lease
    }

    assert world.row(task.id).progress == shown
    with world.database.read() as conn:
        event = conn.execute(select(TASK_EVENTS).where(TASK_EVENTS.c.type == "task_progress")).one()
    assert (event.status, event.message, event.data) == ("running", "正在识别", shown)
    world.finish(report(task, Status.COMPLETED))
    assert world.row(task.id).progress is None


def test_what_a_lost_attempt_had_spent_is_kept_with_the_attempt(world: World) -> None:
    task = world.running()
    world.write(queue.cancel, task.user_id, task.id, now=world.now)
    before = world.row(task.id)

    world.write(queue.record_spent, task.lease, USAGE)

    with world.database.read() as conn:
        attempt = conn.execute(select(TASK_ATTEMPTS)).one()
    assert (attempt.outcome, attempt.usage) == ("cancelled", USAGE)
    assert world.row(task.id) == before
