"""CHECK constraints refuse rows that must not exist, whoever writes them; each names itself."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, inspect, select, update
from sqlalchemy.exc import IntegrityError

from backend.app.db.models import FILES, TASK_ATTEMPTS, TASK_STEPS, TASKS, USERS, Model
from backend.app.tasks.task import Status
from backend.tests.queue_world import START, World

RUNNING = {"status": "running", "lease_until": START, "worker_id": "w"}
COMPLETED = {"status": "completed", "completed_at": START, "result": {"ok": 1}}
FAILED = {"status": "failed", "completed_at": START, "error": "出错了"}
CANCELLED = {"status": "cancelled", "completed_at": START}
VALID: list[dict[str, Any]] = [
    {"status": "pending"},
    {"status": "retry", "error": "出错了", "retry_count": 1},
    RUNNING,
    COMPLETED,
    FAILED,
    CANCELLED,
]

IMPOSSIBLE: list[tuple[str, dict[str, Any]]] = [
    ("status", {"status": "done"}),
    ("status", {"status": ""}),
    ("completed_at_in_final", {"completed_at": START}),
    ("completed_at_in_final", RUNNING | {"completed_at": START}),
    ("completed_at_in_final", {"status": "retry", "completed_at": START}),
    ("completed_at_in_final", COMPLETED | {"completed_at": None}),
    ("completed_at_in_final", FAILED | {"completed_at": None}),
    ("completed_at_in_final", CANCELLED | {"completed_at": None}),
    ("lease_while_running", {"lease_until": START}),
    ("lease_while_running", RUNNING | {"lease_until": None}),
    ("lease_while_running", CANCELLED | {"lease_until": START}),
    ("worker_while_running", {"worker_id": "w"}),
    ("worker_while_running", RUNNING | {"worker_id": None}),
    ("worker_while_running", COMPLETED | {"worker_id": "w"}),
    ("result_when_completed", COMPLETED | {"result": None}),
    ("result_when_completed", FAILED | {"result": {}}),
    ("result_when_completed", CANCELLED | {"result": {}}),
    ("result_when_completed", RUNNING | {"result": {}}),
    ("error_when_failed", FAILED | {"error": None}),
    ("retry_count", {"retry_count": -1}),
    ("retry_count", {"retry_count": 4}),
    ("max_retries", {"max_retries": -1, "retry_count": 0}),
    ("max_retries", {"max_retries": 11}),
    ("priority", {"priority": 11}),
    ("priority", {"priority": -11}),
    ("counters", {"crash_count": -1}),
    ("counters", {"lease_seq": -1}),
    ("counters", {"attempt": -1}),
]


def _row(user_id: int) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "task_type": "noop",
        "status": "pending",
        "priority": 0,
        "run_at": START,
        "payload": {},
        "attempt": 0,
        "retry_count": 0,
        "max_retries": 3,
        "crash_count": 0,
        "lease_seq": 0,
        "created_at": START,
        "metadata": {},
    }


@pytest.mark.parametrize("fields", VALID, ids=lambda fields: fields["status"])
def test_each_status_has_a_row_that_is_accepted(world: World, fields: dict[str, Any]) -> None:
    user = world.user()

    with world.database.write() as conn:
        conn.execute(insert(TASKS).values(_row(user) | fields))

    assert len(world.everything()["tasks"]) == 1


@pytest.mark.parametrize(("name", "fields"), IMPOSSIBLE)
def test_an_impossible_task_is_refused_by_name(world: World, name: str, fields: dict[str, Any]) -> None:
    user = world.user()

    with pytest.raises(IntegrityError, match=f"ck_tasks_{name}"), world.database.write() as conn:
        conn.execute(insert(TASKS).values(_row(user) | fields))

    assert world.everything()["tasks"] == []


def test_what_is_refused_on_insert_is_refused_on_update(world: World) -> None:
    task_id = world.submit(world.user())

    for status in ("running", "completed", "failed", "cancelled", "gone"):
        with pytest.raises(IntegrityError, match="ck_tasks_"), world.database.write() as conn:
            conn.execute(update(TASKS).where(TASKS.c.id == task_id).values(status=status))

    assert world.status(task_id) == Status.PENDING


def test_impossible_attempts_and_steps_are_refused_by_name(world: World) -> None:
    task = world.running()
    attempt = {"task_id": task.id, "attempt": 1, "lease_seq": 77, "worker_id": "w", "started_at": START}
    step = {
        "task_id": task.id,
        "user_id": task.user_id,
        "name": "s",
        "key": "k",
        "status": "started",
        "lease_seq": 1,
        "calls": 0,
        "in_doubt": 0,
        "prompt_tokens": 0,
        "response_tokens": 0,
        "cost": 0,
        "reserved_cost": 0,
        "started_at": START,
    }
    refused = [
        (TASK_ATTEMPTS, "outcome_when_ended", attempt | {"ended_at": START}),
        (TASK_ATTEMPTS, "outcome_when_ended", attempt | {"outcome": "lost"}),
        (TASK_ATTEMPTS, "outcome", attempt | {"ended_at": START, "outcome": "won"}),
        (TASK_STEPS, "status", step | {"status": "running"}),
        (TASK_STEPS, "result_when_done", step | {"status": "done"}),
        (TASK_STEPS, "result_when_done", step | {"result": {"value": 1}}),
        (TASK_STEPS, "counters", step | {"calls": -1}),
        (TASK_STEPS, "counters", step | {"in_doubt": -1}),
        (USERS, "role", _user(role="root")),
        (FILES, "sha256", _file(task.user_id, sha256="ab")),
        (FILES, "size", _file(task.user_id, size=-1)),
    ]
    for table, name, values in refused:
        with pytest.raises(IntegrityError, match=f"ck_{table.name}_{name}"), world.database.write() as conn:
            conn.execute(insert(table).values(values))


def test_an_attempt_is_unique_by_its_lease_and_a_step_by_its_key(world: World) -> None:
    task = world.running()
    with world.database.read() as conn:
        made = conn.execute(select(TASK_ATTEMPTS)).one()._asdict()
    del made["id"]

    with pytest.raises(IntegrityError), world.database.write() as conn:
        conn.execute(insert(TASK_ATTEMPTS).values(made | {"task_id": task.id}))


def test_the_database_has_every_check_and_index_that_the_models_name(world: World) -> None:
    """The first migration was written by hand: nothing may be missing from it."""
    with world.database.read() as conn:
        there = inspect(conn)
        for table in Model.metadata.sorted_tables:
            checks = {check["name"] for check in there.get_check_constraints(table.name)}
            indexes = {index["name"] for index in there.get_indexes(table.name)}
            columns = {column["name"]: column["nullable"] for column in there.get_columns(table.name)}
            wanted = {str(made.name) for made in table.constraints if str(made.name).startswith("ck_")}
            assert checks == wanted, table.name
            assert {index.name for index in table.indexes} <= indexes, table.name
            assert columns == {c.name: bool(c.nullable) for c in table.columns}, table.name


def _user(**more: Any) -> dict[str, Any]:
    return {
        "username": "n",
        "display_name": "-",
        "role": "user",
        "password_hash": "-",
        "is_active": True,
        "created_at": START,
    } | more


def _file(user_id: int, **more: Any) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "sha256": "a" * 64,
        "filename": "-",
        "size": 1,
        "media_type": "-",
        "created_at": START,
    } | more
