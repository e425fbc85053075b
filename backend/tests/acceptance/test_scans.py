"""A scan through the whole product: its worker is killed in the middle, and no page is read twice."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
from sqlalchemy import select

from backend.app.db.engine import Database
from backend.app.db.models import TASK_STEPS
from backend.tests.acceptance.product import eventually
from backend.tests.acceptance.workers import running
from backend.tests.scans_made import page_picture, scanned_pdf

SIZE = (900, 700)
TERMS = ["项目名称：江州市图书馆物业服务", "投标截止时间：2031年3月24日9时30分", "投标保证金：人民币30000元"]


def _times(url: str, task_id: int) -> dict[str, tuple[str, object, int]]:
    """Each step of OCR: state, when it was done, how often its worker died over it."""
    steps = TASK_STEPS.c
    database = Database(url)
    with database.read() as conn:
        rows = conn.execute(
            select(steps.name, steps.status, steps.done_at, steps.in_doubt).where(
                steps.task_id == task_id, steps.name.like("ocr/%")
            )
        )
        found = {row.name: (row.status, row.done_at, row.in_doubt) for row in rows}
    database.dispose()
    return found


def test_a_scan_goes_on_after_its_worker_is_killed_and_no_page_is_read_twice(tmp_path: Path) -> None:
    pages = [page_picture([f"第{n}页", *TERMS], size=SIZE) for n in range(1, 4)]
    scan = scanned_pdf(tmp_path / "scan.pdf", *pages)
    url = f"sqlite:///{tmp_path / 'scans.db'}"
    with running(tmp_path, url) as made:
        with made.worker() as process:
            with scan.open("rb") as content:
                answer = made.product.client.post(
                    "/api/tasks/bidding/file", files={"file": (scan.name, content)}
                )
            task_id = int(answer.json()["id"])
            eventually(
                lambda: any(state == "done" for state, *_ in _times(url, task_id).values()), seconds=90
            )
            children = psutil.Process(made.product.worker_pid()).children(recursive=True)
            process.send_signal(signal.SIGKILL)
            process.wait(10)
            psutil.wait_procs(children, 10)
            before = {name: at for name, (state, at, _) in _times(url, task_id).items() if state == "done"}
        assert 1 <= len(before) < 3
        assert not any(child.is_running() for child in children)  # they die with their worker
        with made.worker():
            task = made.product.wait_for(task_id, "completed", "failed", seconds=120)

    after = _times(url, task_id)
    assert (task["status"], task["retry_count"]) == ("completed", 0), task["error"]
    assert {name: after[name][1] for name in before} == before
    assert all(state == "done" for state, *_ in after.values())
    result = task["result"]
    assert result["document"]["ocr_pages"] == [1, 2, 3]
    assert result["facts"]["bid_deadline"]["value"] == "2031-03-24T09:30"
    assert result["facts"]["bid_bond"]["value"] == 30000
    source = result["facts"]["bid_bond"]["source"]
    assert source["page"] == 1 and source["rects"]
