"""Closed gates as people see them: why a task waits, and which ways are open."""

from __future__ import annotations

import asyncio

import pytest

from backend.app.api import gates as board
from backend.app.llm import gate_rows
from backend.tests.api_client import Api

MAIN = {"name": "main", "provider": "dashscope", "model": "qwen3-max", "purposes": ["bidding"]} | {
    "config_hash": "secret-hash"
}
OTHER = MAIN | {"name": "other", "purposes": ["workload"]}


@pytest.fixture(autouse=True)
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test does not wait a second to see what it has written."""
    monkeypatch.setattr(board, "_FRESH_S", 0.0)


def close(api: Api, reason: str, seconds: float | None) -> None:
    with api.database.write() as conn:
        gate_rows.register_gates(conn, [MAIN, OTHER])
        gate_rows.close_gate(conn, MAIN, reason=reason, error_code=f"llm_{reason}", seconds=seconds)


async def test_a_waiting_task_says_why_it_waits_in_both_languages(api: Api) -> None:
    alice = await api.person("alice")
    task = await alice.text_task()
    assert (await alice.task(task["id"]))["progress"]["stage"] == "queued"

    close(api, "auth", None)

    shown = await alice.task(task["id"])
    assert shown["status"] == "pending"
    assert shown["progress"]["stage"] == "waiting_llm"
    assert "API Key" in shown["progress"]["message"]
    english = await alice.http.get(f"/api/tasks/{task['id']}", headers={"Accept-Language": "en"})
    assert "the API key was rejected" in english.json()["progress"]["message"]
    listed = (await alice.http.get("/api/tasks")).json()["tasks"]
    assert [row["progress"]["stage"] for row in listed] == ["waiting_llm"]


async def test_the_etag_changes_when_a_gate_closes_and_opens(api: Api) -> None:
    alice = await api.person("alice")
    task = await alice.text_task()
    url = f"/api/tasks/{task['id']}"
    first = (await alice.http.get(url)).headers["etag"]
    close(api, "throttle", 60)
    second = (await alice.http.get(url)).headers["etag"]
    with api.database.write() as conn:
        assert gate_rows.open_gate(conn, "main")
    third = (await alice.http.get(url)).headers["etag"]

    assert first == third != second


async def test_a_task_that_does_not_wait_is_not_touched(api: Api) -> None:
    alice = await api.person("alice")
    task = await alice.text_task()
    await alice.http.delete(f"/api/tasks/{task['id']}")
    close(api, "quota", None)

    assert (await alice.task(task["id"]))["progress"]["stage"] == "cancelled"


async def test_one_open_way_is_enough(api: Api) -> None:
    alice = await api.person("alice")
    task = await alice.text_task()
    close(api, "quota", None)
    with api.database.write() as conn:
        gate_rows.register_gates(conn, [MAIN, OTHER, MAIN | {"name": "spare"}])

    assert (await alice.task(task["id"]))["progress"]["stage"] == "queued"


async def test_gates_are_shown_without_what_is_secret(api: Api) -> None:
    alice = await api.person("alice")
    assert (await alice.http.get("/api/gates")).json() == {"gates": []}
    close(api, "throttle", 60)

    answer = await alice.http.get("/api/gates")

    main, other = answer.json()["gates"]
    assert (main["name"], main["state"], main["reason"]) == ("main", "closed", "throttle")
    assert main["closed_until"].endswith("Z") and "限流" in main["message"]
    assert (main["needs_probe"], main["purposes"]) == (False, ["bidding"])
    assert (other["state"], other["closed_until"], other["message"]) == ("open", None, None)
    assert "secret-hash" not in answer.text


async def test_gates_are_for_people_who_are_logged_in(api: Api) -> None:
    assert (await api.client().get("/api/gates")).status_code == 401


async def test_many_readers_at_once_make_one_read(api: Api) -> None:
    """Hundreds wait for pending tasks; the rows are read once a second, whoever asks."""
    made = board.GateBoard(api.services.database, {"bidding_analysis": "bidding"})
    reads = 0

    class Counting:
        async def read(self, verb: object) -> list[object]:
            nonlocal reads
            reads += 1
            await asyncio.sleep(0.01)
            return []

    made._database = Counting()  # type: ignore[assignment]
    board._FRESH_S = 1.0
    await asyncio.gather(*(made.closed_for("bidding_analysis") for _ in range(100)))
    assert reads == 1
    assert await made.closed_for("something_else") is None
