"""POST /api/tasks/{id}/compare: whose base it is, in which state, and what the new task says."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.app.bootstrap_worker import build_worker
from backend.app.common.errors import BaseDocumentGone
from backend.app.settings import Settings
from backend.app.tasks import queries, queue
from backend.app.tasks.queue import WorkerIdentity
from backend.app.tasks.reports import ReportDesk
from backend.app.tasks.runner import Runner
from backend.tests.api_client import Api, HandWorker, Person

TENDER = """第一章 招标公告
项目编号：BH-2031-07
项目名称：滨河市智慧档案馆软件开发项目
预算金额：120万元
投标截止时间：2031年3月10日9时30分
开标时间：2031年3月10日9时30分
第二章 资格要求
2.1 ★投标人须具有信息系统建设和服务能力CS2级及以上证书，否则投标无效。
2.2 投标有效期：自开标之日起90日历天。
"""
NOTICE = """滨河市智慧档案馆软件开发项目更正公告
1、原投标截止时间：2031年3月10日9时30分，现修改为：2031年3月24日9时30分。
2、删除第2.1条“投标人须具有信息系统建设和服务能力CS2级及以上证书”。
"""
KEY = {"Idempotency-Key": "compare-1"}


async def _analysed(api: Api, person: Person, text: str = TENDER) -> int:
    """A completed analysis, ended by hand."""
    task_id = int((await person.text_task(text))["id"])
    worker = HandWorker(api.database, f"hand{task_id}")
    worker.complete(worker.claim(), {"summary": "-", "tabs": []}, document_sha256="0" * 64)
    return task_id


async def _compare(person: Person, base: int, **form: Any) -> httpx.Response:
    return await person.http.post(f"/api/tasks/{base}/compare", data={"text": NOTICE, **form})


async def test_a_text_or_a_file_makes_a_task_below_its_base(api: Api) -> None:
    person = await api.person("zhangsan")
    base = await _analysed(api, person)

    text = await _compare(person, base, max_retries=1, priority=2)
    file = await person.http.post(f"/api/tasks/{base}/compare", files={"file": ("补遗.txt", NOTICE.encode())})

    assert [text.status_code, file.status_code] == [201, 201]
    made = text.json()
    assert text.headers["location"] == f"/api/tasks/{made['id']}"
    assert (made["task_type"], made["parent_id"], made["status"]) == ("bidding_comparison", base, "pending")
    assert (made["max_retries"], made["priority"]) == (1, 2)
    assert made["metadata"] == {"source": "text", "base_task_id": base, "base_filename": None}
    assert file.json()["metadata"]["filename"] == "补遗.txt"
    listed = (await person.http.get("/api/tasks?task_type=bidding_comparison")).json()
    assert listed["total"] == 2


async def test_only_ones_own_completed_analysis_can_be_the_base(api: Api) -> None:
    owner, other = await api.person("zhangsan"), await api.person("lisi")
    base = await _analysed(api, owner)
    waiting = int((await owner.text_task())["id"])
    comparison = (await _compare(owner, base)).json()["id"]

    foreign = await _compare(other, base)
    unknown = await _compare(owner, 10**9)
    early = await _compare(owner, waiting)
    second = await _compare(owner, comparison)

    assert [(a.status_code, a.json()["code"]) for a in (foreign, unknown, early, second)] == [
        (404, "task_not_found"),
        (404, "task_not_found"),
        (409, "base_not_analysed"),
        (409, "base_not_analysed"),
    ]


async def test_the_key_covers_the_base(api: Api) -> None:
    """The same notice against another tender is another call."""
    person = await api.person("zhangsan")
    first, second = await _analysed(api, person), await _analysed(api, person, f"{TENDER}另一份")

    answers = [
        await person.http.post(f"/api/tasks/{base}/compare", data={"text": NOTICE}, headers=KEY)
        for base in (first, first, second)
    ]

    assert [answer.status_code for answer in answers] == [201, 200, 409]
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert answers[1].json()["id"] == answers[0].json()["id"]


@pytest.mark.parametrize(
    ("form", "field"),
    [({}, "file"), ({"data": {"text": "x"}, "files": {"file": ("a.txt", b"y")}}, "text")],
    ids=["neither", "both"],
)
async def test_a_file_or_a_text_and_not_both(sqlite_api: Api, form: dict[str, Any], field: str) -> None:
    person = await sqlite_api.person("zhangsan")
    base = await _analysed(sqlite_api, person)

    answer = await person.http.post(f"/api/tasks/{base}/compare", **(form or {"data": {"priority": "1"}}))

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_programs_name_the_base_in_the_payload(api: Api) -> None:
    person = await api.person("zhangsan")
    base = await _analysed(api, person)
    first = (await _compare(person, base)).json()["id"]

    async def create(kind: str, payload: dict[str, Any]) -> httpx.Response:
        return await person.http.post("/api/tasks", json={"task_type": kind, "payload": payload})

    made = await create("bidding_comparison", {"text": NOTICE, "base_task_id": base})
    again = await create("bidding_comparison", {"source_task_id": first, "base_task_id": base})
    unnamed = await create("bidding_comparison", {"source_task_id": first})
    useless = await create("bidding_analysis", {"text": NOTICE, "base_task_id": base})

    assert [made.status_code, again.status_code] == [201, 201]
    assert again.json()["parent_id"] == base
    for refused in (unnamed, useless):
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == "payload.base_task_id"


async def test_a_comparison_is_cancelled_and_retried_like_any_task(api: Api) -> None:
    person = await api.person("zhangsan")
    made = (await _compare(person, await _analysed(api, person))).json()["id"]

    cancelled = await person.http.delete(f"/api/tasks/{made}")
    retried = await person.http.post(f"/api/tasks/{made}/retry")

    assert cancelled.json()["status"] == "cancelled"
    assert (retried.json()["status"], retried.json()["parent_id"] is not None) == ("retry", True)


class Worked:
    """The handlers of a real worker, run one task at a time over the API's database and storage."""

    def __init__(self, api: Api, folder: Path) -> None:
        self.database = api.database
        url = self.database.engine.url.render_as_string(hide_password=False)
        self.parts = build_worker(Settings(_env_file=None, database_url=url, data_dir=folder))
        self._write(queue.register_worker, WorkerIdentity("w", "host", "boot", 1, 1))

    async def __aenter__(self) -> Worked:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.parts.close()

    async def run(self, *types: str) -> None:
        async def write(verb: Any, *args: Any, **kwargs: Any) -> Any:
            return await asyncio.to_thread(self._write, verb, *args, **kwargs)

        desk = ReportDesk(write)
        desk.start()
        runner = Runner(self.parts.handlers, desk, write, lambda: True, timeout=60)
        (task,) = self._write(queue.claim, "w", limit=1, cap=10, types=list(types), lease_seconds=60)
        await asyncio.create_task(runner.run(task))
        await desk.stop()

    def _write(self, verb: Any, *args: Any, **kwargs: Any) -> Any:
        with self.database.write() as conn:
            return verb(conn, *args, **kwargs)


async def test_a_notice_is_compared_with_the_analysed_tender(api: Api, tmp_path: Path) -> None:
    """From the two calls to the result, through the handlers that a worker has."""
    person = await api.person("zhangsan")
    base = int((await person.text_task(TENDER))["id"])
    async with Worked(api, tmp_path / "data") as worker:
        await worker.run("bidding_analysis")
        made = (await _compare(person, base)).json()["id"]
        await worker.run("bidding_comparison")

    task = await person.task(made)
    assert task["status"] == "completed", task["error"]
    result = task["result"]
    assert (result["kind"], result["engine"]["mode"]) == ("amendment", "rules")
    assert [(c["type"], c["severity"]) for c in result["changes"]] == [
        ("changed", "high"),
        ("removed", "high"),
    ]
    deadline = next(one for one in result["facts"] if one["name"] == "bid_deadline")
    assert (deadline["before"]["value"], deadline["after"]["value"], deadline["verdict"]) == (
        "2031-03-10T09:30",
        "2031-03-24T09:30",
        "postponed",
    )
    touched = {item for change in result["changes"] for item in change["touches"]["items"]}
    items = {i["id"] for tab in (await person.task(base))["result"]["tabs"] for i in tab["items"]}
    assert touched and touched <= items
    assert result["base"]["task_id"] == base
    for change in result["changes"]:
        before = change["before"]
        assert TENDER.strip()[before["start"] : before["end"]] == before["excerpt"]
    with api.database.read() as conn:
        row = queries.task_row(conn, person.id, made)
    assert row is not None
    assert api.services.storage.exists(row.document_sha256 or "")
    page = await person.http.get(f"/api/tasks/{made}/export", params={"format": "md"})
    plain = await person.http.get(f"/api/tasks/{made}/export")
    assert page.status_code == 200
    assert plain.headers["content-type"] == page.headers["content-type"]
    assert page.text.startswith("# 变更比对：")
    assert "2031-03-24" in page.text
    word = await person.http.get(f"/api/tasks/{made}/export", params={"format": "docx"})
    assert (word.status_code, word.json()["errors"][0]["field"]) == (422, "format")


async def test_a_base_whose_text_is_gone_fails_with_its_reason(sqlite_api: Api, tmp_path: Path) -> None:
    person = await sqlite_api.person("zhangsan")
    made = (await _compare(person, await _analysed(sqlite_api, person))).json()["id"]

    async with Worked(sqlite_api, tmp_path / "data") as worker:
        await worker.run("bidding_comparison")

    task = await person.task(made)
    assert (task["status"], task["error_code"]) == ("failed", BaseDocumentGone.code)
    assert "重新分析" in task["error"]
