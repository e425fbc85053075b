"""What must hold when processes die, freeze and are told to stop, with the real scripts."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend.tests.acceptance.product import ROOT, Product, eventually, product
from backend.tests.fakes import llm_server as fake
from backend.tests.fakes.llm_server import FakeLLM, Seen, serve_in_thread

# Good for a part and for the overview of all parts.
ANSWER = json.dumps({"facts": [], "items": [], "summary": "某某项目。"}, ensure_ascii=False)
TEXT = "某某项目招标文件\n投标有效期：90天。"
QUICK = {"SA_LEASE_SECONDS": "2", "SA_HEARTBEAT_SECONDS": "0.5", "SA_POLL_INTERVAL": "0.5"}


def slow(_: Seen) -> fake.Reply:
    """An answer that takes its time: a task that calls it is running meanwhile."""
    return fake.stream(ANSWER, first=4.0)


@pytest.fixture
def model() -> Iterator[FakeLLM]:
    with serve_in_thread(FakeLLM(default=slow)) as served:
        yield served


@pytest.fixture
def made(tmp_path: Path, model: FakeLLM) -> Iterator[Product]:
    with product(tmp_path, **QUICK, **asking(model)) as started:
        yield started


def asking(model: FakeLLM) -> dict[str, str]:
    return {
        "BIDDING_ASSISTANT_LLM_PROVIDER": "openai_compatible",
        "BIDDING_ASSISTANT_LLM_MODEL": "fake",
        "BIDDING_ASSISTANT_LLM_BASE_URL": model.base_url,
    }


def asked(model: FakeLLM, times: int) -> Any:
    return eventually(lambda: len(model.seen) >= times)


def test_a_worker_killed_in_a_call_is_replaced_and_its_task_completes(made: Product, model: FakeLLM) -> None:
    """Nothing is lost, no retry is used up, and the call in doubt is counted."""
    made.start_backend("--with-worker")
    made.log_in()
    task_id = made.submit(TEXT)
    asked(model, 1)

    os.kill(made.worker_pid(), signal.SIGKILL)

    task = made.wait_for(task_id, "completed")
    assert task["retry_count"] == 0
    assert task["metadata"]["usage"]["in_doubt_calls"] == 1
    assert len(model.seen) == 2
    attempts = made.client.get(f"/api/tasks/{task_id}/attempts").json()["attempts"]
    assert [attempt["outcome"] for attempt in attempts] == ["lost", "completed"]


def test_a_frozen_worker_loses_its_task_and_its_late_report_changes_nothing(
    made: Product, model: FakeLLM
) -> None:
    """SIGSTOP beyond the lease: the other worker finishes; the thawed one is refused."""
    made.start_backend()
    made.log_in()
    made.start_worker()
    frozen = made.worker_pid()
    task_id = made.submit(TEXT)
    asked(model, 1)
    os.kill(frozen, signal.SIGSTOP)
    made.start_worker()

    task = made.wait_for(task_id, "completed")
    os.kill(frozen, signal.SIGCONT)

    # Either it notices before it reports (task_lost), or its report is refused (stale_write).
    eventually(lambda: made.lines("task_lost") or made.lines("stale_write"))
    later = made.task(task_id)
    assert later["completed_at"] == task["completed_at"]
    attempts = made.client.get(f"/api/tasks/{task_id}/attempts").json()["attempts"]
    assert [attempt["outcome"] for attempt in attempts] == ["lost", "completed"]


def test_a_stop_hands_work_back_and_leaves_no_process(made: Product, model: FakeLLM) -> None:
    made.start_backend("--with-worker")
    made.log_in()
    task_id = made.submit(TEXT)
    asked(model, 1)
    script = psutil.Process(made.processes[0].pid)
    family = [script, *script.children(recursive=True)]

    script.terminate()
    gone, alive = psutil.wait_procs(family, timeout=20)

    assert not alive
    assert len(gone) >= 2
    assert made.lines("worker_stopped")
    made.start_backend("--with-worker")
    task = made.wait_for(task_id, "completed")
    assert task["retry_count"] == 0
    attempts = made.client.get(f"/api/tasks/{task_id}/attempts").json()["attempts"]
    assert [attempt["outcome"] for attempt in attempts] == ["released", "completed"]


def test_a_cancel_closes_the_call_within_two_seconds(made: Product, model: FakeLLM) -> None:
    made.start_backend("--with-worker")
    made.log_in()
    task_id = made.submit(TEXT)
    asked(model, 1)

    began = time.monotonic()
    assert made.client.delete(f"/api/tasks/{task_id}").json()["status"] == "cancelled"

    eventually(lambda: model.seen[0].closed_after is not None, seconds=5)
    assert time.monotonic() - began < 2.0
    assert made.task(task_id)["status"] == "cancelled"


def test_two_start_commands_at_once_migrate_once(tmp_path: Path) -> None:
    with product(tmp_path, SA_LOG_FILE=str(tmp_path / "worker.log")) as made:
        made.start(str(ROOT / "start_backend.sh"))
        made.start(str(ROOT / "start_worker.sh"))
        eventually(made.is_up, seconds=60)
        eventually(lambda: made.lines("worker_started"), seconds=60)

        said = "".join((tmp_path / f"output-{n}.log").read_text(encoding="utf-8") for n in range(2))
        assert said.count("→") == 1
        made.log_in()
        made.wait_for(made.submit(TEXT), "completed")
