"""Idempotency-Key: one task for one key, user and content; on both databases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
from sqlalchemy import text, update

from backend.app.db.models import IDEMPOTENCY_KEYS
from backend.app.tasks import idempotency
from backend.tests.api_client import Api, Person

KEY = {"Idempotency-Key": "order-2026-0001"}


async def _text(person: Person, content: str, **fields: object) -> httpx.Response:
    return await person.http.post("/api/tasks/bidding/text", data={"text": content, **fields}, headers=KEY)


async def _file(person: Person, content: bytes, name: str = "a.txt") -> httpx.Response:
    return await person.http.post("/api/tasks/bidding/file", files={"file": (name, content)}, headers=KEY)


async def test_the_same_call_gives_the_first_task_again(api: Api) -> None:
    person = await api.person("zhangsan")

    first, again = await _text(person, "正文"), await _text(person, "正文")

    assert (first.status_code, again.status_code) == (201, 200)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert again.json() == first.json()
    assert (await person.http.get("/api/tasks")).json()["total"] == 1


async def test_equal_calls_at_once_make_one_task(api: Api) -> None:
    person = await api.person("zhangsan")

    answers = await asyncio.gather(*(_file(person, b"same bytes") for _ in range(12)))

    assert sorted(answer.status_code for answer in answers) == [200] * 11 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert (await person.http.get("/api/tasks")).json()["total"] == 1


async def test_the_same_key_with_other_content_is_a_conflict(api: Api) -> None:
    person = await api.person("zhangsan")
    await _text(person, "正文")

    others = [
        await _text(person, "别的正文"),
        await _text(person, "正文", max_retries=1),
        await _text(person, "正文", priority=1),
        await _file(person, "正文".encode()),
        await person.http.post("/api/files", files={"file": ("a.txt", b"x")}, headers=KEY),
    ]

    assert {(answer.status_code, answer.json()["code"]) for answer in others} == {
        (409, "idempotency_conflict")
    }


async def test_another_boundary_another_order_or_the_default_spelled_out_is_the_same_content(
    api: Api,
) -> None:
    person = await api.person("zhangsan")
    first = await _text(person, "正文")

    multipart = await person.http.post(
        "/api/tasks/bidding/text",
        files={"priority": (None, "0"), "max_retries": (None, "3"), "text": (None, "正文")},
        headers=KEY,
    )

    assert multipart.status_code == 200
    assert multipart.json()["id"] == first.json()["id"]


async def test_a_key_belongs_to_its_user(api: Api) -> None:
    one, two = await api.person("zhangsan"), await api.person("lisi")

    first, second = await _text(one, "正文"), await _text(two, "正文")

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]


async def test_a_key_is_forgotten_after_a_day_and_with_its_task(api: Api) -> None:
    person = await api.person("zhangsan")
    first = await _text(person, "正文")
    yesterday = datetime.now(UTC) - timedelta(hours=24, seconds=1)
    with api.database.write() as conn:
        conn.execute(update(IDEMPOTENCY_KEYS).values(created_at=yesterday))
    second = await _text(person, "别的正文")
    with api.database.write() as conn:
        conn.execute(text("DELETE FROM tasks WHERE id = :id"), {"id": second.json()["id"]})
    third = await _text(person, "别的正文")

    assert [first.status_code, second.status_code, third.status_code] == [201, 201, 201]
    with api.database.write() as conn:
        assert idempotency.purge(conn, now=datetime.now(UTC) + timedelta(days=2)) == 1


async def test_a_refused_call_leaves_its_key_free(api: Api) -> None:
    person = await api.person("zhangsan")

    refused = await _text(person, "正文", max_retries=11)
    accepted = await _text(person, "正文", max_retries=10)

    assert (refused.status_code, accepted.status_code) == (422, 201)


async def test_an_upload_is_kept_once_for_its_key(api: Api) -> None:
    person = await api.person("zhangsan")

    answers = [
        await person.http.post("/api/files", files={"file": (name, b"same bytes")}, headers=KEY)
        for name in ("a.txt", "a.txt")
    ]

    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].json() == answers[1].json()


async def test_a_key_that_is_no_sane_header_is_refused(sqlite_api: Api) -> None:
    person = await sqlite_api.person("zhangsan")

    for key in ("x" * 256, "a b", "é".encode("latin-1")):
        answer = await person.http.post(
            "/api/tasks/bidding/text", data={"text": "x"}, headers={"Idempotency-Key": key}
        )
        assert answer.status_code == 422, key
