"""Statuses and arrows (pure)."""

from __future__ import annotations

import re
from pathlib import Path

from backend.app.tasks.task import ACTIVE, ARROWS, FINAL, WAITING, AttemptOutcome, Lease, Status
from backend.tests.unit.test_outcome import TASK


def test_each_status_is_either_final_or_active() -> None:
    assert set(Status) == FINAL | ACTIVE
    assert not FINAL & ACTIVE
    assert {Status.RUNNING} == ACTIVE - WAITING


def test_the_arrows_are_those_of_the_plan_and_no_others() -> None:
    """Retold from the drawing under "States" in the architecture."""
    drawn = """
        pending running, retry running
        running completed, running retry, running failed, running pending
        pending cancelled, retry cancelled, running cancelled, failed cancelled
        failed retry, cancelled retry
    """
    arrows = {tuple(map(Status, arrow.split())) for arrow in re.split(r"[,\n]", drawn) if arrow.strip()}

    assert arrows == ARROWS


def test_completed_is_the_end_and_everything_else_leads_somewhere() -> None:
    assert {status for status, _ in ARROWS} == set(Status) - {Status.COMPLETED}
    assert {target for _, target in ARROWS} == set(Status)


def test_only_running_leads_to_completed_and_only_waiting_to_running() -> None:
    assert {start for start, end in ARROWS if end is Status.COMPLETED} == {Status.RUNNING}
    assert {start for start, end in ARROWS if end is Status.RUNNING} == WAITING


def test_the_words_in_the_database_are_these() -> None:
    """The first migration spells them out."""
    (migration,) = (Path(__file__).parents[2] / "migrations" / "versions").glob("0001*")
    text = migration.read_text()

    for word in (*Status, *AttemptOutcome):
        assert f"'{word}'" in text


def test_a_tasks_lease_is_its_id_and_number() -> None:
    assert TASK.lease == Lease(1, 1)
