"""The task calls as in the user's document and the wire contract, on both databases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from backend.app.common.errors import LLMTimeout
from backend.app.tasks.queue.finish import LARGE_RESULT
from backend.tests.api_client import Api, HandWorker, running_api

STATUSES = ["pending", "running", "completed", "failed", "retry", "cancelled"]


async def test_a_text_task_is_created_as_the_document_shows(api: Api) -> None:
    person = await api.person("zhangsan")

    answer = await person.http.post(
        "/api/tasks/bidding/text",
        files={"text": (None, "这里是标书内容..."), "max_retries": (None, "3")},  # curl -F
    )

    body = answer.json()
    shown = {"task_type": "bidding_analysis", "status": "pending", "retry_count": 0, "max_retries": 3}
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/tasks/{body['id']}"
    assert body["metadata"] == {"source": "text"}
    assert body["created_at"].endswith("Z")
    assert {name: body[name] for name in shown} == shown
    assert body["progress"] == {"percent": 0, "stage": "queued", "message": "排队中"}
    task = HandWorker(api.database).claim()
    assert task.file_sha256 is not None
    stored = api.services.storage.read_bytes(task.file_sha256)
    assert stored.decode() == "这里是标书内容..."
    assert "text" not in task.payload


async def test_a_file_task_keeps_the_file_and_its_name(api: Api) -> None:
    person = await api.person("zhangsan")

    answer = await person.http.post(
        "/api/tasks/bidding/file",
        files={"file": ("招标文件 2026.txt", "第一章 招标公告".encode(), "application/pdf")},
        data={"max_retries": "0", "priority": "-10"},
    )

    body = answer.json()
    assert answer.status_code == 201
    assert (body["max_retries"], body["priority"]) == (0, -10)
    assert body["metadata"] == {"source": "file", "filename": "招标文件 2026.txt", "size": 22}
    back = await person.http.get(f"/api/tasks/{body['id']}/file")
    assert back.content.decode() == "第一章 招标公告"
    assert back.headers["content-disposition"] == (
        'attachment; filename="____ 2026.txt"; '
        "filename*=UTF-8''%E6%8B%9B%E6%A0%87%E6%96%87%E4%BB%B6%202026.txt"
    )
    assert back.headers["content-type"] == "application/octet-stream"
    assert back.headers["x-content-type-options"] == "nosniff"


async def test_a_program_creates_tasks_from_text_file_and_earlier_task(api: Api) -> None:
    person = await api.person("zhangsan")
    upload = await person.http.post("/api/files", files={"file": ("a.txt", b"tender text")})
    file = upload.json()

    async def create(payload: dict[str, Any], **more: Any) -> dict[str, Any]:
        body = {"task_type": "bidding_analysis", "payload": payload, **more}
        answer = await person.http.post("/api/tasks", json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    by_text = await create({"text": "正文"})
    by_file = await create({"file_id": file["file_id"]}, max_retries=1, priority=5)
    again = await create({"source_task_id": by_file["id"]})
    text_again = await create({"source_task_id": by_text["id"]})

    assert upload.status_code == 201
    assert set(file) == {"file_id", "filename", "size", "sha256"}
    assert by_text["metadata"] == text_again["metadata"] == {"source": "text"}
    assert by_file["metadata"] == again["metadata"] == {"source": "file", "filename": "a.txt", "size": 11}
    assert (again["parent_id"], by_file["parent_id"]) == (by_file["id"], None)


async def test_a_task_may_start_later(api: Api) -> None:
    person = await api.person("zhangsan")
    later = datetime.now(UTC) + timedelta(hours=1)
    body = {"task_type": "bidding_analysis", "payload": {"text": "x"}, "run_at": later.isoformat()}

    made = await person.http.post("/api/tasks", json=body)
    too_far = await person.http.post(
        "/api/tasks", json={**body, "run_at": (later + timedelta(days=400)).isoformat()}
    )

    assert (made.status_code, too_far.status_code) == (201, 422)
    with api.database.read() as conn:
        due = conn.execute(text("SELECT count(*) FROM tasks WHERE run_at > created_at")).scalar_one()
    assert due == 1


async def test_a_completed_task_shows_its_result_and_how_long_it_took(api: Api) -> None:
    person = await api.person("zhangsan")
    made = await person.text_task()
    worker = HandWorker(api.database)
    task = worker.claim()
    running = await person.task(made["id"])
    worker.progress(task, 40, "analysing", "分析第 2/5 部分")
    halfway = await person.task(made["id"])
    worker.complete(task, {"summary": "本项目为…", "tabs": []})

    done = await person.task(made["id"])

    assert (running["status"], running["result"]) == ("running", None)
    assert running["started_at"].endswith("Z")
    assert running["progress"]["stage"] == "started"
    assert halfway["progress"] == {"percent": 40, "stage": "analysing", "message": "分析第 2/5 部分"}
    assert (done["status"], done["progress"]["percent"]) == ("completed", 100)
    assert done["result"] == {"summary": "本项目为…", "tabs": []}
    assert 0 <= done["metadata"]["duration_ms"] <= done["metadata"]["total_ms"]
    assert done["created_at"] <= done["started_at"] <= done["completed_at"]


async def test_a_large_result_comes_back_whole(api: Api) -> None:
    person = await api.person("zhangsan")
    made = await person.text_task()
    worker = HandWorker(api.database)
    result = {"summary": "长", "tabs": [{"id": n, "text": "条款" * 50} for n in range(400)]}
    worker.complete(worker.claim(), result)

    body = await person.task(made["id"])

    with api.database.read() as conn:
        inline = conn.execute(text("SELECT CAST(result AS TEXT) FROM tasks")).scalar_one()
    assert len(inline) < 100 < LARGE_RESULT
    assert body["result"] == result


async def test_a_failed_task_says_why_in_the_language_asked_for(api: Api) -> None:
    person = await api.person("zhangsan")
    made = await person.text_task()
    worker = HandWorker(api.database)
    worker.fail(worker.claim(), LLMTimeout(), retry_exhausted=True)

    zh = await person.task(made["id"])
    answer = await person.http.get(
        f"/api/tasks/{made['id']}", headers={"Accept-Language": "en-GB,en;q=0.9,zh;q=0.3"}
    )
    attempts = (await person.http.get(f"/api/tasks/{made['id']}/attempts")).json()["attempts"]

    assert (zh["status"], zh["error"]) == ("failed", "LLM 请求超时，请检查网络或稍后再试")
    assert (zh["error_code"], zh["metadata"]["retry_exhausted"]) == ("llm_timeout", True)
    assert answer.json()["error"] == LLMTimeout.message_en
    assert answer.headers["vary"] == "Accept-Language"
    assert [(a["attempt"], a["outcome"], a["error_code"]) for a in attempts] == [(1, "failed", "llm_timeout")]
    assert set(attempts[0]) == {"attempt", "worker", "started_at", "ended_at", "outcome", "error_code",
                                "error", "usage"}  # fmt: skip


async def test_lists_are_newest_first_with_a_true_total(api: Api) -> None:
    person = await api.person("zhangsan")
    ids = [(await person.text_task(f"文本 {n}"))["id"] for n in range(7)]

    first = (await person.http.get("/api/tasks?limit=3")).json()
    second = (await person.http.get("/api/tasks?limit=3&offset=6")).json()
    beyond = (await person.http.get("/api/tasks?limit=3&offset=100")).json()

    assert [task["id"] for task in first["tasks"]] == ids[:-4:-1]
    assert [task["id"] for task in second["tasks"]] == ids[:1]
    assert (first["total"], second["total"], beyond["total"]) == (7, 7, 7)
    assert (beyond["tasks"], beyond["limit"], beyond["offset"]) == ([], 3, 100)
    assert "result" not in first["tasks"][0]


async def test_lists_are_narrowed_by_every_filter(api: Api) -> None:
    person = await api.person("zhangsan")
    names = ["甲方_100%_Final.TXT", "乙方.txt"]
    for name in names:
        await person.http.post("/api/tasks/bidding/file", files={"file": (name, b"text")})
    last = (await person.text_task())["id"]
    await person.http.delete(f"/api/tasks/{last}")

    async def found(query: str) -> list[Any]:
        answer = await person.http.get(f"/api/tasks?{query}")
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["total"] == len(body["tasks"])
        return [task["metadata"].get("filename", task["id"]) for task in body["tasks"]]

    now = datetime.now(UTC)
    assert await found("status=cancelled") == [last]
    assert await found("status=pending&status=cancelled") == [last, names[1], names[0]]
    assert await found("task_type=bidding_analysis&q=final") == [names[0]]
    assert await found("q=%25") == [names[0]]
    assert await found("q=_") == [names[0]]
    assert await found(f"q={last}") == [last]
    assert await found(f"q={2**80}") == []
    assert await found("task_type=other") == []
    assert await found("batch_id=x") == []
    assert len(await found(f"created_from={(now - timedelta(minutes=5)):%Y-%m-%dT%H:%M:%SZ}")) == 3
    assert await found(f"created_to={(now - timedelta(minutes=5)):%Y-%m-%dT%H:%M:%S}") == []
    assert await found("created_from=2999-01-01") == []


async def test_stats_name_every_status_and_agree_with_the_list(api: Api) -> None:
    person = await api.person("zhangsan")
    empty = (await person.http.get("/api/tasks/stats")).json()
    for _ in range(3):
        await person.text_task()
    worker = HandWorker(api.database)
    worker.complete(worker.claim(), {"summary": "", "tabs": []})
    worker.claim()

    stats = (await person.http.get("/api/tasks/stats")).json()["stats"]

    assert list(empty["stats"]) == STATUSES
    assert empty["stats"] == dict.fromkeys(STATUSES, 0)
    assert stats == {**empty["stats"], "pending": 1, "running": 1, "completed": 1}
    for status, count in stats.items():
        assert (await person.http.get(f"/api/tasks?status={status}")).json()["total"] == count


async def test_cancel_and_retry_follow_the_arrows(api: Api) -> None:
    person = await api.person("zhangsan")
    task_id = (await person.text_task())["id"]
    url = f"/api/tasks/{task_id}"

    not_yet = await person.http.post(f"{url}/retry")
    cancelled = await person.http.delete(url)
    twice = await person.http.delete(url)
    retried = await person.http.post(f"{url}/retry")
    worker = HandWorker(api.database)
    worker.complete(worker.claim(), {"summary": "", "tabs": []})
    too_late = await person.http.delete(url)
    events = (await person.http.get(f"{url}/events")).json()["events"]

    assert (not_yet.status_code, not_yet.json()["code"]) == (409, "not_retryable")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert (twice.status_code, twice.json()["code"]) == (409, "not_cancellable")
    assert (retried.status_code, retried.json()["status"]) == (200, "retry")
    assert retried.json()["next_retry_at"] is not None
    assert (too_late.status_code, too_late.json()["code"]) == (409, "not_cancellable")
    assert (await person.task(task_id))["status"] == "completed"
    assert [event["status"] for event in events] == ["pending", "cancelled", "retry", "running", "completed"]
    rest = (await person.http.get(f"{url}/events?after={events[2]['id']}&limit=1")).json()["events"]
    assert rest == events[3:4]


async def test_a_quota_is_exact_however_many_calls_come_at_once(database_url: str, tmp_path: Any) -> None:
    async with running_api(database_url, tmp_path / "data", max_active_tasks_per_user=5) as api:
        person, other = await api.person("zhangsan"), await api.person("lisi")

        answers = await asyncio.gather(
            *(person.http.post("/api/tasks/bidding/text", data={"text": f"文本 {n}"}) for n in range(20))
        )
        refused = [answer for answer in answers if answer.status_code != 201]
        stats = (await person.http.get("/api/tasks/stats")).json()["stats"]

        assert len(refused) == 15
        assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {
            (429, "quota_exceeded")
        }
        assert "5" in refused[0].json()["detail"]
        assert stats["pending"] == 5
        assert (await other.text_task())["status"] == "pending"
        one = (await person.http.get("/api/tasks?limit=1")).json()["tasks"][0]["id"]
        await person.http.delete(f"/api/tasks/{one}")
        await person.text_task("又一个")
        assert (await person.http.post(f"/api/tasks/{one}/retry")).status_code == 429


@pytest.mark.parametrize("path", ["/api/tasks/99", "/api/tasks/99/events", "/api/tasks/99/attempts",
                                  "/api/tasks/99/document", "/api/tasks/99/file"])  # fmt: skip
async def test_a_task_that_is_not_there_is_a_404(api: Api, path: str) -> None:
    person = await api.person("zhangsan")

    answer = await person.http.get(path)

    assert (answer.status_code, answer.json()["code"]) == (404, "task_not_found")
