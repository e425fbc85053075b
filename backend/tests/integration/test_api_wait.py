"""`?wait=`, ETags, and the older calls that wait; on both databases."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest

from backend.app.common.errors import EncryptedDocument, LLMTimeout
from backend.tests.api_client import Api, HandWorker, Person, running_api

RESULT = {"summary": "本项目为…", "tabs": [{"id": "hard_requirements", "items": []}]}


async def _timed(person: Person, url: str, **headers: str) -> tuple[httpx.Response, float]:
    began = time.monotonic()
    answer = await person.http.get(url, headers=headers)
    return answer, time.monotonic() - began


async def test_an_etag_gives_304_until_anything_in_the_body_changes(api: Api) -> None:
    person = await api.person("zhangsan")
    url = f"/api/tasks/{(await person.text_task())['id']}"
    first = await person.http.get(url)
    etag = first.headers["etag"]

    same = await person.http.get(url, headers={"If-None-Match": f'"other", W/{etag}'})
    english = await person.http.get(url, headers={"If-None-Match": etag, "Accept-Language": "en"})
    HandWorker(api.database).claim()
    changed = await person.http.get(url, headers={"If-None-Match": etag})

    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    assert same.headers["vary"] == first.headers["vary"] == "Accept-Language"
    assert english.status_code == 200
    assert english.json()["progress"]["message"] == "Queued"
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag


async def test_waiting_ends_as_soon_as_the_task_changes(api: Api) -> None:
    """Each names what it knows: one whose first look comes late must not wait for the change after."""
    person = await api.person("zhangsan")
    path = f"/api/tasks/{(await person.text_task())['id']}"
    url, known = f"{path}?wait=20", (await person.http.get(path)).headers["etag"]
    worker = HandWorker(api.database)
    waiting = [asyncio.create_task(_timed(person, url, **{"If-None-Match": known})) for _ in range(5)]
    await asyncio.sleep(0.4)
    assert not any(task.done() for task in waiting)

    began = time.monotonic()
    task = await asyncio.to_thread(worker.claim)
    answers = [answer for answer, _ in await asyncio.gather(*waiting)]
    took = time.monotonic() - began

    assert {answer.json()["status"] for answer in answers} == {"running"}
    assert took < 2
    etag = answers[0].headers["etag"]
    next_one = asyncio.create_task(_timed(person, url, **{"If-None-Match": etag}))
    await asyncio.sleep(0.2)
    await asyncio.to_thread(worker.progress, task, 30, "analysing", "分析中")
    answer, _ = await next_one
    assert answer.json()["progress"]["percent"] == 30


async def test_waiting_answers_at_once_what_the_client_does_not_know(api: Api) -> None:
    person = await api.person("zhangsan")
    url = f"/api/tasks/{(await person.text_task())['id']}?wait=20"

    unknown, took = await _timed(person, url, **{"If-None-Match": '"older"'})
    await person.http.delete(url)
    ended, took_too = await _timed(person, url)
    ended_known, took_three = await _timed(person, url, **{"If-None-Match": ended.headers["etag"]})

    assert [unknown.status_code, ended.status_code, ended_known.status_code] == [200, 200, 304]
    assert max(took, took_too, took_three) < 2


async def test_waiting_ends_with_its_time(api: Api) -> None:
    person = await api.person("zhangsan")
    url = f"/api/tasks/{(await person.text_task())['id']}?wait=0.5"

    answer, took = await _timed(person, url)
    known, _ = await _timed(person, url, **{"If-None-Match": answer.headers["etag"]})

    assert answer.json()["status"] == "pending"
    assert 0.4 < took < 3
    assert known.status_code == 304


@pytest.mark.parametrize("wait", ["-1", "61", "nan", "inf", "1e400", "x"])
async def test_a_wait_out_of_bounds_is_refused(sqlite_api: Api, wait: str) -> None:
    person = await sqlite_api.person("zhangsan")
    task = await person.text_task()

    assert (await person.http.get(f"/api/tasks/{task['id']}?wait={wait}")).status_code == 422


async def test_those_who_wait_answer_when_the_process_is_told_to_stop(sqlite_api: Api) -> None:
    person = await sqlite_api.person("zhangsan")
    task = await person.text_task()
    waiting = asyncio.create_task(_timed(person, f"/api/tasks/{task['id']}?wait=60"))
    await asyncio.sleep(0.2)

    sqlite_api.services.waiters.release()
    answer, took = await waiting

    assert answer.status_code == 200
    assert took < 5


async def test_an_older_call_answers_with_the_result(api: Api) -> None:
    person = await api.person("zhangsan")
    call = asyncio.create_task(person.http.post("/api/bidding/analyze/text", data={"text": "标书"}))
    task = await _claimed(api)
    await asyncio.to_thread(task.worker.complete, task.task, RESULT)

    answer = await call

    body = answer.json()
    assert answer.status_code == 200
    assert set(body) == {"summary", "tabs", "metadata"}
    assert (body["summary"], body["tabs"]) == (RESULT["summary"], RESULT["tabs"])
    assert body["metadata"]["task_id"] == task.task.id
    assert body["metadata"]["duration_ms"] >= 0
    assert answer.headers["deprecation"].startswith("@")
    assert answer.headers["link"] == '</api/tasks/bidding/text>; rel="successor-version"'


@pytest.mark.parametrize(
    ("error", "status"), [(LLMTimeout(), 504), (EncryptedDocument(), 422)], ids=["llm", "document"]
)
async def test_an_older_call_tells_the_failure_of_its_task(
    api: Api, error: LLMTimeout | EncryptedDocument, status: int
) -> None:
    person = await api.person("zhangsan")
    call = asyncio.create_task(
        person.http.post("/api/bidding/analyze/file", files={"file": ("a.txt", b"tender")})
    )
    task = await _claimed(api)
    await asyncio.to_thread(task.worker.fail, task.task, error)

    answer = await call

    assert (answer.status_code, answer.json()["code"]) == (status, error.code)
    assert answer.json()["detail"] == error.message
    assert answer.headers["content-type"] == "application/problem+json"
    assert "deprecation" in answer.headers


async def test_an_older_call_that_takes_too_long_answers_with_the_task(
    sqlite_url: str, tmp_path: object
) -> None:
    async with running_api(sqlite_url, tmp_path / "data", legacy_wait=0.3) as api:  # type: ignore[operator]
        person = await api.person("zhangsan")

        answer = await person.http.post("/api/bidding/analyze/text", data={"text": "标书"})
        cancelled = await person.http.delete(answer.headers["location"])

    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    assert cancelled.json()["status"] == "cancelled"


class _Claimed:
    def __init__(self, api: Api) -> None:
        self.worker = HandWorker(api.database)
        self.task = self.worker.claim()


async def _claimed(api: Api) -> _Claimed:
    """The one task, as soon as it has been submitted."""
    for _ in range(100):
        with api.database.read() as conn:
            if conn.exec_driver_sql("SELECT count(*) FROM tasks").scalar_one():
                break
        await asyncio.sleep(0.05)
    return await asyncio.to_thread(_Claimed, api)
