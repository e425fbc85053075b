"""What was paid for is used again, and nothing is paid that need not be: the real scripts, real signals, and
models that count. One API serves most of the tests; each starts workers with settings of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.tests.acceptance.product import eventually
from backend.tests.acceptance.workers import (
    ANSWER,
    USAGE,
    Running,
    asking,
    deployment,
    parts_of,
    running,
    tender,
)
from backend.tests.databases import free_port
from backend.tests.fakes import llm_server as fake
from backend.tests.fakes.llm_dialects import KEY, bearer
from backend.tests.fakes.llm_server import FakeLLM, Reply, Seen, serve_in_thread


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("product")
    with running(folder, f"sqlite:///{folder / 'test.db'}") as made:
        yield made


# Kills


class Killer:
    """A model that answers slowly, and at some calls has its caller killed: as the request comes, in the
    middle of the answer, or after the answer's last byte, when nobody has written it down yet."""

    def __init__(self, **kills: int) -> None:
        self._at = {number: moment for moment, number in kills.items()}
        self._count, self.pid, self.times = 0, 0, len(kills)
        self.killed = threading.Semaphore(0)

    def __call__(self, seen: Seen) -> Reply:
        self._count += 1
        return self._reply(self._at.get(self._count), pause=0.5 + 0.1 * (self._count % 4))

    def _reply(self, kills: str | None, pause: float) -> Reply:
        whole = fake.stream(ANSWER, usage=USAGE, delay=pause / 8, size=4)

        async def reply(writer: asyncio.StreamWriter, seen: Seen) -> None:
            if kills == "middle":
                asyncio.get_running_loop().call_later(pause / 2, self._kill)
            if kills == "request":
                self._kill()
            await whole(writer, seen)
            if kills == "end":
                self._kill()

        return reply

    def _kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.killed.release()


@pytest.mark.parametrize(
    ("kind", "kills"),
    [
        ("sqlite", {"request": 3, "middle": 11, "end": 19}),
        pytest.param("postgresql", {"end": 9}, marks=pytest.mark.postgres),
    ],
)
def test_a_task_whose_workers_are_killed_pays_again_only_for_what_was_in_doubt(
    kind: str, kills: dict[str, int], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Twenty parts, four at once; each kill ends a worker, and the next one goes on."""
    killer = Killer(**kills)
    with contextlib.ExitStack() as stack:
        if kind == "sqlite":
            made: Running = request.getfixturevalue("here")
        else:
            url = stack.enter_context(request.getfixturevalue("postgres_server").fresh())
            made = stack.enter_context(running(tmp_path, url))
        model = stack.enter_context(serve_in_thread(FakeLLM(default=killer)))
        # A small window makes small parts: what is long here is the model, not the text.
        config = tmp_path / "llm.toml"
        config.write_text(deployment("slow", model.base_url, window=8_000))
        settings = {"SA_LLM_CONFIG": str(config)}
        task_id, in_doubt = _killed(made, killer, settings)
        with made.worker(**settings):
            task = made.product.wait_for(task_id, "completed", "failed", "retry", seconds=60)
        planned = made.books.steps(task_id, "done")
        rows, ended, _ = made.books.calls(task_id)

    usage = task["metadata"]["usage"]
    assert (task["status"], task["retry_count"]) == ("completed", 0)
    assert len(planned) == len(parts_of(model)) >= 20
    doubts = sum(len(names) for names in in_doubt)
    assert len(planned) <= len(model.seen) <= len(planned) + doubts
    # The last attempt: each part was there already or was asked for once.
    assert usage["calls"] + usage["reused_calls"] == len(planned)
    assert usage["in_doubt_calls"] == len(in_doubt[-1])
    assert task["result"]["usage"]["calls"] == usage["calls"]
    # Nothing is sent that is not written down; written down and not sent is what died between the two.
    assert ended <= len(model.seen) <= rows
    assert rows - ended <= doubts
    # All attempts together, the killed ones among them; a step may have died before its row was written.
    assert rows <= usage["total_calls"] <= len(planned) + doubts


def _killed(made: Running, killer: Killer, settings: dict[str, str]) -> tuple[int, list[set[str]]]:
    """One task and the workers killed over it; the steps that were out at each death."""
    task_id, in_doubt = 0, []
    for _ in range(killer.times):
        with made.worker(**settings) as process:
            killer.pid = made.product.worker_pid()
            task_id = task_id or made.product.submit(tender("多次中断", 22, lines=36))
            assert killer.killed.acquire(timeout=60)
            assert process.wait(10) == -signal.SIGKILL
            in_doubt.append(made.books.steps(task_id, "started"))
    return task_id, in_doubt


# Wrong keys


def test_a_wrong_key_fails_one_task_and_the_others_wait_until_it_is_accepted(here: Running) -> None:
    """Two of them come when the gate is closed already: they are not even claimed, and say so too."""
    accepted, made = ["another"], here.product
    with (
        serve_in_thread(FakeLLM(default=lambda seen: bearer(ANSWER, key=accepted[0])(seen))) as model,
        here.worker(**asking(model, KEY)),
    ):
        tasks = [made.submit(f"某某项目招标文件，第{n}次。投标有效期：90天。") for n in range(3)]
        failed = eventually(
            lambda: [task_id for task_id in tasks if made.task(task_id)["status"] == "failed"]
        )
        tasks += [made.submit(f"某某项目招标文件，第{n}次。投标有效期：90天。") for n in range(3, 5)]
        waiting = [task_id for task_id in tasks if task_id not in failed]
        eventually(lambda: all(_stage(made.task(task_id)) == "waiting_llm" for task_id in waiting))

        (gate,) = made.client.get("/api/gates").json()["gates"]
        assert [made.task(task_id)["error_code"] for task_id in failed] == ["llm_auth"]
        assert {made.task(task_id)["status"] for task_id in waiting} == {"pending"}
        assert all("API Key" in made.task(task_id)["progress"]["message"] for task_id in waiting)
        assert gate["state"] == "closed", gate

        accepted[0] = KEY
        ended = [made.wait_for(task_id, "completed", "failed", "retry", seconds=40) for task_id in waiting]
        (gate,) = made.client.get("/api/gates").json()["gates"]

    assert [(task["status"], task["retry_count"]) for task in ended] == [("completed", 0)] * 4
    assert gate["state"] == "open", gate


def _stage(task: dict[str, Any]) -> str | None:
    return (task["progress"] or {}).get("stage")


# Money


def test_parts_side_by_side_never_pass_the_budget_and_what_they_found_is_kept(
    here: Running, tmp_path: Path
) -> None:
    """Each call costs 0.7 yuan, at the worst more than one; four run together. With more money a retry by
    hand buys the rest, and the overview of all."""
    made = here.product
    with serve_in_thread(FakeLLM(default=lambda _: fake.stream(ANSWER, usage=USAGE, first=0.3))) as model:
        config = tmp_path / "llm.toml"
        config.write_text(deployment("dear", model.base_url, prices="{ prompt = 100, response = 100 }"))
        with here.worker(SA_LLM_CONFIG=str(config), SA_TASK_BUDGET="5"):
            # With a fact of its own: another test's overview, were it of the same words, would be used again.
            task_id = made.submit(tender("预算有限", 8) + "\n投标有效期：77天。")
            task = made.wait_for(task_id, "completed", "failed", "retry")
        kept = here.books.steps(task_id, "done")
        rows, _, cost = here.books.calls(task_id)

        assert (task["status"], task["error_code"]) == ("failed", "task_budget_exceeded")
        assert 3 <= len(kept) == len(model.seen) == rows
        assert cost <= 5

        with here.worker(SA_LLM_CONFIG=str(config), SA_TASK_BUDGET="600"):
            assert made.client.post(f"/api/tasks/{task_id}/retry").status_code == 200
            task = made.wait_for(task_id, "completed", "failed")
        rows, _, cost = here.books.calls(task_id)

    usage = task["metadata"]["usage"]
    assert task["status"] == "completed"
    assert usage["reused_calls"] == len(kept)
    assert usage["total_calls"] == rows == len(model.seen) == len(parts_of(model)) == 8 + 1
    assert round(usage["total_cost"], 6) == round(float(cost), 6) == 6.3


# Two deployments


def test_a_deployment_that_dies_and_returns_costs_no_task_and_no_try(here: Running, tmp_path: Path) -> None:
    """Ten tasks before it dies, in the middle of answers; some while it is away; ten as it returns."""
    made, port, config = here.product, free_port(), tmp_path / "llm.toml"

    def answering() -> FakeLLM:
        return FakeLLM(default=lambda _: fake.stream(ANSWER, first=0.4, delay=0.1))

    def submit(count: int) -> list[int]:
        return [
            made.submit(f"某某项目招标文件 {time.monotonic_ns()}，投标有效期90天。") for _ in range(count)
        ]

    with contextlib.ExitStack() as stack:
        steady = stack.enter_context(serve_in_thread(answering()))
        life = stack.enter_context(contextlib.ExitStack())
        mortal = life.enter_context(serve_in_thread(answering(), port))
        config.write_text(deployment("steady", steady.base_url) + deployment("mortal", mortal.base_url))
        stack.enter_context(here.worker(SA_LLM_CONFIG=str(config)))
        tasks = submit(10)
        eventually(lambda: len(mortal.seen) >= 3)
        life.close()
        # Each task meets it once or not at all; five failures one after the other open the breaker.
        until = time.monotonic() + 40
        while not made.lines("llm_breaker_opened") and time.monotonic() < until:
            tasks += submit(2)
            time.sleep(0.5)
        for task_id in tasks:
            made.wait_for(task_id, "completed", "failed", "retry")
        reborn = stack.enter_context(serve_in_thread(answering(), port))
        for _ in range(10):
            tasks += submit(1)
            time.sleep(1)
        ended = [made.wait_for(task_id, "completed", "failed", "retry") for task_id in tasks]

    assert [(task["status"], task["retry_count"]) for task in ended] == [("completed", 0)] * len(tasks)
    assert made.lines("llm_breaker_opened")
    assert len(steady.seen) >= 10 and reborn.seen
    assert made.lines("llm_breaker_closed")
