"""Every request of the user's document, with curl, against the product that one command starts."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docx
import pytest

from backend.tests.acceptance.product import Product, product

TENDER = [
    "某某区政务云平台运维服务采购项目招标公告",
    "项目编号：ZFCG-2026-0815",
    "采购人：某某区大数据管理局",
    "预算金额：186.5万元",
    "投标截止时间：2026年12月18日09时30分",
    "投标人不得有下列情形之一，否则其投标无效：",
    "（1）未按照招标文件要求提交投标保证金的；",
    "（2）投标文件未按照招标文件要求签署、盖章的；",
    "投标有效期：自提交投标文件的截止之日起90日历天。",
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Product, str]]:
    folder = tmp_path_factory.mktemp("product")
    document = docx.Document()
    for line in TENDER:
        document.add_paragraph(line)
    document.save(str(folder / "tender.docx"))
    with product(folder) as made:
        made.start_backend("--with-worker")
        yield made, made.log_in()


def curl(running: tuple[Product, str], command: str) -> tuple[int, Any]:
    """The document's command as printed, but for host, token and file; status and JSON of the answer."""
    made, token = running
    command = command.replace("localhost:8000", f"localhost:{made.port}").replace("YOUR_JWT_TOKEN", token)
    done = subprocess.run(
        ["bash", "-c", f"{command} -s --noproxy '*' -w '\\n%{{http_code}}'"],
        cwd=made.folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body)


def test_a_text_is_queued_and_answered_as_the_document_shows(running: tuple[Product, str]) -> None:
    status, task = curl(
        running,
        'curl -X POST "http://localhost:8000/api/tasks/bidding/text"'
        ' -H "Authorization: Bearer YOUR_JWT_TOKEN" -F "text=这里是标书内容..." -F "max_retries=3"',
    )

    assert status == 201
    shown = {"task_type": "bidding_analysis", "status": "pending", "retry_count": 0, "max_retries": 3}
    assert shown.items() <= task.items()
    assert task["metadata"] == {"source": "text"}
    assert task["created_at"].endswith("Z")


def test_a_file_completes_with_every_excerpt_in_its_place(running: tuple[Product, str]) -> None:
    """The law of the house, seen from outside."""
    status, task = curl(
        running,
        'curl -X POST "http://localhost:8000/api/tasks/bidding/file"'
        ' -H "Authorization: Bearer YOUR_JWT_TOKEN" -F "file=@tender.docx" -F "max_retries=3"',
    )
    assert status == 201
    made, _ = running
    made.wait_for(task["id"], "completed")

    status, done = curl(
        running,
        f'curl "http://localhost:8000/api/tasks/{task["id"]}" -H "Authorization: Bearer YOUR_JWT_TOKEN"',
    )

    assert status == 200
    assert done["metadata"]["duration_ms"] > 0
    assert done["started_at"] <= done["completed_at"]
    assert done["result"]["facts"]["budget"]["value"] == 1_865_000
    assert done["result"]["facts"]["bid_deadline"]["value"] == "2026-12-18T09:30"
    assert len(done["result"]["tabs"]) == 6
    text = made.client.get(f"/api/tasks/{task['id']}/document").json()["text"]
    quotes = list(quotes_of(done["result"]))
    assert len(quotes) >= 8
    for start, end, excerpt in quotes:
        assert text[start:end] == excerpt


def quotes_of(value: Any) -> Iterator[tuple[int, int, str]]:
    """Every quote anywhere in a result."""
    if isinstance(value, dict):
        if "source_excerpt" in value:
            yield value["source_start"], value["source_end"], value["source_excerpt"]
        if "excerpt" in value:
            yield value["start"], value["end"], value["excerpt"]
        for inner in value.values():
            yield from quotes_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from quotes_of(inner)


def test_the_list_the_statistics_and_a_cancel_answer(running: tuple[Product, str]) -> None:
    made, _ = running
    task_id = made.submit("要取消的标书", priority="-10")
    status, listed = curl(
        running,
        'curl "http://localhost:8000/api/tasks?limit=20&offset=0" -H "Authorization: Bearer YOUR_JWT_TOKEN"',
    )
    assert status == 200
    assert listed["tasks"][0]["id"] == task_id
    assert listed["total"] == len(listed["tasks"])

    status, stats = curl(
        running, 'curl "http://localhost:8000/api/tasks/stats" -H "Authorization: Bearer YOUR_JWT_TOKEN"'
    )
    assert status == 200
    assert sorted(stats["stats"]) == ["cancelled", "completed", "failed", "pending", "retry", "running"]
    assert sum(stats["stats"].values()) == listed["total"]

    status, cancelled = curl(
        running,
        f'curl -X DELETE "http://localhost:8000/api/tasks/{task_id}"'
        ' -H "Authorization: Bearer YOUR_JWT_TOKEN"',
    )
    # A quick worker may have been first; then the document's own rule is a 409.
    assert (status, cancelled.get("status")) == (200, "cancelled") or cancelled["code"] == "not_cancellable"


def test_the_one_command_without_a_token_says_why_it_is_refused(running: tuple[Product, str]) -> None:
    status, problem = curl(running, 'curl "http://localhost:8000/api/tasks/123"')

    assert status == 401
    assert problem["code"] == "not_authenticated"
    assert "Authorization: Bearer" in problem["detail"]


def test_the_worker_log_is_json_and_is_found_by_task_id(running: tuple[Product, str]) -> None:
    """`grep "task_id=123" worker.log`, as the document says."""
    made, token = running
    task_id = made.submit("日志里要找得到的标书")
    made.wait_for(task_id, "completed")

    def grep() -> list[str]:
        pattern = f"task_id={task_id} "
        done = subprocess.run(["grep", pattern, str(made.log)], capture_output=True, text=True, check=False)
        return done.stdout.splitlines()

    lines = [json.loads(line) for line in grep()]
    assert {"task_started", "task_finished"} <= {line["event"] for line in lines}
    assert all(line["task_id"] == task_id for line in lines)
    assert token not in made.log.read_text(encoding="utf-8")


def test_the_older_calls_answer_at_once_and_point_to_the_new_ones(running: tuple[Product, str]) -> None:
    made, _ = running
    answer = made.client.post("/api/bidding/analyze/text", data={"text": "\n".join(TENDER)})

    assert answer.status_code == 200
    assert set(answer.json()) >= {"summary", "tabs", "metadata"}
    assert answer.json()["metadata"]["task_id"] > 0
    assert "Deprecation" in answer.headers
    assert "/api/tasks/bidding/text" in answer.headers["Link"]


@pytest.mark.parametrize("script", ["migrate_db.py"])
def test_the_database_command_works_from_another_folder(
    running: tuple[Product, str], script: str, tmp_path: Path
) -> None:
    from backend.tests.acceptance.product import ROOT

    made, _ = running
    done = subprocess.run(
        [str(ROOT / ".venv" / "bin" / "python"), str(ROOT / "backend" / script)],
        cwd=tmp_path,
        env=made.environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "最新版本" in done.stdout
