"""The rows behind the gates, verb by verb, on both databases; several workers at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from backend.app.db.engine import Database
from backend.app.llm import gate_rows
from backend.app.llm.gate_rows import GateRow
from backend.tests.gate_world import Rows, described


@pytest.fixture
def rows(shared_database: Database) -> Rows:
    made = Rows(shared_database)
    made.clear()
    return made


def test_each_deployment_has_an_open_row_from_the_start(rows: Rows) -> None:
    assert rows.write(gate_rows.register_gates, [described("b"), described("a", purposes=[])]) == []
    found = rows.all()
    assert list(found) == ["a", "b"]
    assert found["b"] == GateRow("b", "openai", "m", ("bidding",), None, None, False, "", "", 0)
    assert found["a"].serves("workload")
    assert not found["b"].serves("workload")


def test_a_deployment_that_is_no_longer_configured_loses_its_row(rows: Rows) -> None:
    rows.write(gate_rows.register_gates, [described("a"), described("b")])
    rows.write(gate_rows.register_gates, [described("b"), described("c")])
    assert list(rows.all()) == ["b", "c"]
    rows.write(gate_rows.register_gates, [])
    assert rows.all() == {}


def test_a_changed_configuration_opens_a_gate_and_an_equal_one_does_not(rows: Rows) -> None:
    """A restart must not send the backlog against a key that is still wrong; it is probed at once, though."""
    rows.write(gate_rows.register_gates, [described("a"), described("b")])
    assert rows.close("a")
    assert rows.close("b")
    both = [described("a"), described("b", config="c2", model="m2")]
    assert rows.write(gate_rows.register_gates, both) == ["b"]
    found = rows.all()
    assert (found["a"].needs_probe, found["a"].closed_for, found["a"].failures) == (True, 0.0, 0)
    assert (found["b"].closed_for, found["b"].failures, found["b"].model) == (None, 0, "m2")
    assert rows.write(gate_rows.register_gates, both) == []


def test_a_gate_without_a_row_is_closed_with_one(rows: Rows) -> None:
    assert rows.close("a", 60, "throttle")
    found = rows.all()["a"]
    assert not found.needs_probe
    assert 55 < (found.closed_for or 0) <= 60
    assert (found.reason, found.failures) == ("throttle", 0)


def test_a_gate_closed_for_a_time_opens_by_itself(rows: Rows) -> None:
    rows.close("a", 60)
    rows.make_due("a")
    assert rows.all()["a"].closed_for is None
    assert rows.close("a", 5)


def test_only_a_longer_closing_changes_anything(rows: Rows) -> None:
    assert rows.close("a", 60, "throttle")
    assert not rows.close("a", 10)
    assert rows.close("a", 120, "outage")
    assert rows.all()["a"].reason == "outage"
    assert rows.close("a", None)  # a wrong key outweighs a throttle
    assert not rows.close("a", 3000, "throttle")
    assert not rows.close("a", None)
    assert rows.all()["a"].reason == "auth"


def test_opening_tells_whether_it_was_closed(rows: Rows) -> None:
    rows.write(gate_rows.register_gates, [described("a")])
    assert not rows.write(gate_rows.open_gate, "a")
    rows.close("a")
    assert rows.write(gate_rows.open_gate, "a")
    assert rows.all()["a"] == GateRow("a", "openai", "m", ("bidding",), None, None, False, "", "", 0)
    assert not rows.write(gate_rows.open_gate, "unknown")


def test_a_probe_begins_when_it_is_due_and_not_again_until_its_patience_is_over(rows: Rows) -> None:
    rows.close("a")
    assert not rows.write(gate_rows.begin_probe, "a")
    rows.make_due("a")
    assert rows.write(gate_rows.begin_probe, "a")
    assert not rows.write(gate_rows.begin_probe, "a")
    rows.make_due("a")  # its worker died
    assert rows.write(gate_rows.begin_probe, "a")


@pytest.mark.parametrize("seconds", [None, 60.0])
def test_an_open_gate_and_one_closed_for_a_time_are_not_probed(rows: Rows, seconds: float | None) -> None:
    rows.close("a", seconds)
    rows.make_due("a")
    if seconds is None:
        rows.write(gate_rows.open_gate, "a")
    assert not rows.write(gate_rows.begin_probe, "a")


def test_a_probe_that_fails_puts_the_next_one_off_for_longer(rows: Rows) -> None:
    rows.close("a")
    pauses = []
    for _ in range(7):
        rows.make_due("a")
        rows.write(gate_rows.begin_probe, "a")
        rows.write(gate_rows.probe_failed, "a", reason="quota", error_code="llm_quota")
        pauses.append(round(rows.all()["a"].closed_for or 0, -1) or 5)
    assert pauses == [10, 20, 40, 80, 160, 300, 300]
    assert rows.all()["a"].reason == "quota"


def test_a_probe_that_fails_after_someone_opened_the_gate_leaves_it_open(rows: Rows) -> None:
    """An administrator mended the configuration meanwhile."""
    rows.close("a")
    rows.write(gate_rows.open_gate, "a")
    rows.write(gate_rows.probe_failed, "a", reason="auth", error_code="llm_auth")
    assert rows.all()["a"].closed_for is None


@pytest.mark.parametrize("verb", ["begin_probe", "open_gate", "close"])
def test_of_two_workers_at_once_one_is_told_yes(rows: Rows, verb: str) -> None:
    if verb == "close":
        rows.write(gate_rows.register_gates, [described("a")])
    else:
        rows.close("a")
        rows.make_due("a")
    start = threading.Barrier(4)

    def try_it(_: int) -> bool:
        start.wait(10)
        if verb == "close":
            return rows.close("a")
        return bool(rows.write(getattr(gate_rows, verb), "a"))

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(try_it, range(4))) == [False, False, False, True]


def test_workers_that_start_together_register_without_harm(rows: Rows) -> None:
    told = [described(name) for name in ("a", "b", "c")]
    start = threading.Barrier(4)

    def register(_: int) -> Any:
        start.wait(10)
        return rows.write(gate_rows.register_gates, told)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(register, range(4))) == [[]] * 4
    assert list(rows.all()) == ["a", "b", "c"]
