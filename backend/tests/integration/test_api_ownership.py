"""Own rows only: every route, two users."""

from __future__ import annotations

import re

import pytest

from backend.app.api.openapi import document
from backend.tests.api_client import Api, HandWorker

# What needs no token at all.
PUBLIC = {
    ("POST", "/api/auth/register"),
    ("POST", "/api/auth/login"),
    ("POST", "/api/auth/refresh"),
    ("POST", "/api/auth/logout"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
}


def _routes(api: Api) -> list[tuple[str, str]]:
    paths = document(api.app)["paths"]
    found = [(method.upper(), path) for path, operations in paths.items() for method in operations]
    assert len(found) > 20
    return found


async def test_every_other_route_needs_a_token(sqlite_api: Api) -> None:
    http = sqlite_api.client()
    for method, path in _routes(sqlite_api):
        if (method, path) in PUBLIC:
            continue
        answer = await http.request(method, re.sub(r"\{\w+\}", "1", path))
        assert answer.status_code == 401, (method, path)
        assert answer.json()["code"] == "not_authenticated"
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_row_of_another_user_is_a_404_on_every_route(api: Api) -> None:
    owner, other = await api.person("zhangsan"), await api.person("lisi")
    task_id = (await owner.text_task("机密正文"))["id"]
    worker = HandWorker(api.database)
    worker.complete(worker.claim(), {"summary": "机密", "tabs": []})
    seen = set()

    for method, path in _routes(api):
        if "{task_id}" not in path:
            continue
        answer = await other.http.request(method, path.replace("{task_id}", str(task_id)))
        seen.add((method, path))
        assert (answer.status_code, answer.json()["code"]) == (404, "task_not_found"), (method, path)

    assert len(seen) >= 8
    assert ("GET", "/api/tasks/{task_id}/export") in seen
    assert (await owner.task(task_id))["result"] == {"summary": "机密", "tabs": []}


async def test_lists_counts_files_and_sources_are_those_of_the_caller(api: Api) -> None:
    owner, other = await api.person("zhangsan"), await api.person("lisi")
    task_id = (await owner.text_task())["id"]
    file = await owner.http.post("/api/files", files={"file": ("a.txt", b"tender")})

    assert (await other.http.get("/api/tasks")).json()["total"] == 0
    assert (await other.http.get(f"/api/tasks?q={task_id}")).json()["total"] == 0
    assert set((await other.http.get("/api/tasks/stats")).json()["stats"].values()) == {0}
    for payload, code in (
        ({"file_id": file.json()["file_id"]}, "file_not_found"),
        ({"source_task_id": task_id}, "task_not_found"),
    ):
        answer = await other.http.post(
            "/api/tasks", json={"task_type": "bidding_analysis", "payload": payload}
        )
        assert (answer.status_code, answer.json()["code"]) == (404, code)
    with api.database.read() as conn:
        count = conn.exec_driver_sql("SELECT count(*) FROM tasks").scalar_one()
    assert count == 1


@pytest.mark.parametrize("method", ["get", "delete"])
async def test_an_admin_sees_own_tasks_only(api: Api, method: str) -> None:
    admin, person = await api.person("boss"), await api.person("zhangsan")
    task_id = (await person.text_task())["id"]

    answer = await admin.http.request(method, f"/api/tasks/{task_id}")

    assert answer.status_code == 404
