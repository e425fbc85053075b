"""Partial results and reviews over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from backend.app.documents.canonical import Block, BlockKind, Document
from backend.app.tasks import queue
from backend.tests.api_client import Api, HandWorker, Person

TEXT = "投标函须盖章。\n投标函须盖章。\n须密封。"


def item(item_id: str, excerpt: str, start: int) -> dict[str, Any]:
    review = {"state": "open", "note": None, "by": None, "at": None}
    return {
        "id": item_id, "title": excerpt, "source_excerpt": excerpt, "source_start": start,
        "source_end": start + len(excerpt), "review": review,
    }  # fmt: skip


def result() -> dict[str, Any]:
    hard = [item("h-0", "投标函须盖章。", 0), item("h-8", "投标函须盖章。", 8)]
    return {
        "summary": "摘要",
        "tabs": [
            {"id": "hard_requirements", "title": "废标项", "items": hard},
            {"id": "submission_format", "title": "投标形式", "items": [item("s-16", "须密封。", 16)]},
        ],
    }


async def completed(api: Api, person: Person, text: str = "正文", shown: Any = None) -> int:
    made = await person.text_task(text)
    worker = HandWorker(api.database, f"hand-{made['id']}")
    worker.complete(worker.claim(), shown or result())
    return int(made["id"])


async def reviews(person: Person, task_id: int) -> dict[str, tuple[str, str | None]]:
    tabs = (await person.task(task_id))["result"]["tabs"]
    return {
        one["id"]: (one["review"]["state"], one["review"]["note"]) for tab in tabs for one in tab["items"]
    }


async def test_a_review_stands_on_its_item_and_on_no_other_of_the_same_words(api: Api) -> None:
    person = await api.person("zhangsan")
    task_id = await completed(api, person)

    answer = await person.http.patch(
        f"/api/tasks/{task_id}/items/h-8", json={"state": "confirmed", "note": "已盖章"}
    )

    review = answer.json()["review"]
    assert answer.status_code == 200
    assert (review["state"], review["note"], review["by"]) == ("confirmed", "已盖章", "zhangsan")
    assert review["at"].endswith("Z")
    assert await reviews(person, task_id) == {
        "h-0": ("open", None), "h-8": ("confirmed", "已盖章"), "s-16": ("open", None),
    }  # fmt: skip


async def test_what_is_left_out_stays_and_an_empty_note_goes(api: Api) -> None:
    person = await api.person("zhangsan")
    task_id = await completed(api, person)
    path = f"/api/tasks/{task_id}/items/s-16"
    await person.http.patch(path, json={"state": "doubtful", "note": "问代理"})

    await person.http.patch(path, json={"state": "not_applicable"})
    assert (await reviews(person, task_id))["s-16"] == ("not_applicable", "问代理")
    await person.http.patch(path, json={"note": ""})
    assert (await reviews(person, task_id))["s-16"] == ("not_applicable", None)
    await person.http.patch(path, json={"note": "再问"})
    await person.http.patch(path, json={"note": None})
    assert (await reviews(person, task_id))["s-16"] == ("not_applicable", None)


async def test_an_empty_change_leaves_the_time_of_the_review(sqlite_api: Api) -> None:
    person = await sqlite_api.person("zhangsan")
    task_id = await completed(sqlite_api, person)
    path = f"/api/tasks/{task_id}/items/s-16"
    first = (await person.http.patch(path, json={"state": "confirmed", "note": "  \n"})).json()["review"]

    again = (await person.http.patch(path, json={})).json()["review"]

    assert again == first
    assert first["note"] is None


async def test_a_review_changes_the_etag(api: Api) -> None:
    """Or a page that asks with If-None-Match would never show what its reader has just said."""
    person = await api.person("zhangsan")
    task_id = await completed(api, person)
    before = (await person.http.get(f"/api/tasks/{task_id}")).headers["etag"]

    await person.http.patch(f"/api/tasks/{task_id}/items/h-0", json={"state": "confirmed"})

    after = await person.http.get(f"/api/tasks/{task_id}", headers={"If-None-Match": before})
    assert after.status_code == 200


async def test_a_new_analysis_of_the_same_text_keeps_the_reviews(api: Api) -> None:
    person = await api.person("zhangsan")
    first = await completed(api, person)
    await person.http.patch(f"/api/tasks/{first}/items/h-8", json={"state": "confirmed"})
    moved = result()
    moved["tabs"][0]["items"] = [item("h-30", "投标函 须盖章。", 30), item("h-40", "投标函须盖章。", 40)]

    second = await completed(api, person, shown=moved)
    other_text = await completed(api, person, "别的正文")

    assert (await reviews(person, second))["h-40"] == ("confirmed", None)
    assert (await reviews(person, second))["h-30"] == ("open", None)
    assert set((await reviews(person, other_text)).values()) == {("open", None)}


async def test_a_review_is_seen_by_nobody_else_with_the_same_file(api: Api) -> None:
    owner, other = await api.person("zhangsan"), await api.person("lisi")
    mine, theirs = await completed(api, owner), await completed(api, other)

    await owner.http.patch(f"/api/tasks/{mine}/items/h-0", json={"state": "confirmed"})

    assert (await reviews(other, theirs))["h-0"] == ("open", None)


@pytest.mark.parametrize(
    "body", [{"state": "maybe"}, {"note": "x" * 2001}, {"note": "\x00"}, {"by": "someone"}, []]
)
async def test_a_bad_review_is_refused_with_the_field(sqlite_api: Api, body: Any) -> None:
    person = await sqlite_api.person("zhangsan")
    task_id = await completed(sqlite_api, person)

    answer = await person.http.patch(f"/api/tasks/{task_id}/items/h-0", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
    assert set((await reviews(person, task_id)).values()) == {("open", None)}


async def test_no_item_and_no_result_are_told_apart(sqlite_api: Api) -> None:
    person = await sqlite_api.person("zhangsan")
    task_id = await completed(sqlite_api, person)
    waiting = (await person.text_task())["id"]

    unknown = await person.http.patch(f"/api/tasks/{task_id}/items/h-9", json={"state": "confirmed"})
    early = await person.http.patch(f"/api/tasks/{waiting}/items/h-0", json={"state": "confirmed"})

    assert (unknown.status_code, unknown.json()["code"]) == (404, "item_not_found")
    assert (early.status_code, early.json()["code"]) == (409, "no_result")


async def test_what_is_found_so_far_can_be_read_while_the_task_runs(api: Api) -> None:
    person = await api.person("zhangsan")
    task_id = (await person.text_task(TEXT))["id"]
    path = f"/api/tasks/{task_id}/partial"
    nothing = (await person.http.get(path)).json()
    worker = HandWorker(api.database)
    task = worker.claim()
    document = Document(TEXT, (Block(0, 7, BlockKind.PARAGRAPH),))
    stored = api.services.storage.put_bytes(document.to_bytes())
    body = {**result(), "missing": [{"part": "第 2 页"}]}
    with api.database.write() as conn:
        queue.keep_partial(conn, task.lease, body, stored.sha256)

    answer = await person.http.get(path)
    text = (await person.http.get(f"/api/tasks/{task_id}/document")).json()["text"]

    found = answer.json()
    excerpt = found["tabs"][0]["items"][0]
    assert nothing == {"complete": False, "missing": [{"part": "全文"}]}
    assert (found["complete"], found["missing"]) == (False, [{"part": "第 2 页"}])
    assert text[excerpt["source_start"] : excerpt["source_end"]] == excerpt["source_excerpt"]
    unchanged = await person.http.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert unchanged.status_code == 304
    worker.complete(task, result(), stored.sha256)
    whole = (await person.http.get(path)).json()
    assert (whole["complete"], whole["missing"], whole["summary"]) == (True, [], "摘要")


async def test_a_company_profile_is_matched_when_the_result_is_read(api: Api) -> None:
    """The stored result stays as it is: a profile that changes tomorrow is matched tomorrow."""
    person = await api.person("zhangsan")
    shown = result()
    wanted = item("h-30", "投标人须具有有效的ISO9001质量管理体系认证证书。", 30)
    shown["tabs"][0]["items"].append(wanted)
    task_id = await completed(api, person, shown=shown)
    before = await person.http.get(f"/api/tasks/{task_id}")
    assert "company" not in before.json()["result"]

    certificate = {"name": "ISO9001质量管理体系认证", "valid_until": "2099-12-31"}
    put = await person.http.put("/api/company", json={"name": "某某公司", "certificates": [certificate]})
    assert put.status_code == 200, put.text
    after = await person.http.get(f"/api/tasks/{task_id}", headers={"If-None-Match": before.headers["etag"]})

    assert after.status_code == 200
    found = after.json()["result"]
    matches = {one["id"]: one.get("match", {}).get("state") for one in found["tabs"][0]["items"]}
    assert matches["h-30"] == "met"
    assert found["company"]["counts"]["met"] == 1
    await person.http.delete("/api/company")
    assert (await person.task(task_id))["result"] == before.json()["result"]
