"""Results as files over HTTP."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any
from urllib.parse import quote

import docx
import openpyxl
import pytest
from icalendar import Calendar
from sqlalchemy import update

from backend.app.api import exporting
from backend.app.api.exporting import OFFERED, FormatName
from backend.app.api.openapi import document
from backend.app.common.errors import UnreadableDocument
from backend.app.db.models import TASKS
from backend.tests.api_client import Api, HandWorker, Person
from backend.tests.exported import items, many, reviewed, tender

FORMATS = list(FormatName.__args__)


async def completed(api: Api, person: Person, result: Any) -> int:
    made = await person.text_task()
    worker = HandWorker(api.database)
    worker.complete(worker.claim(), result)
    return int(made["id"])


def exported(task_id: int, name: str, more: str = "") -> str:
    return f"/api/tasks/{task_id}/export?format={name}{more}"


async def test_each_format_opens_in_the_library_that_reads_it(api: Api) -> None:
    person = await api.person("zhangsan")
    task_id = await completed(api, person, reviewed())

    got = {name: await person.http.get(exported(task_id, name)) for name in FORMATS}

    assert {answer.status_code for answer in got.values()} == {200}
    cells = [c.text for t in docx.Document(io.BytesIO(got["docx"].content)).tables for c in t._cells]
    assert str(task_id) in cells
    assert openpyxl.load_workbook(io.BytesIO(got["xlsx"].content)).sheetnames[0] == "概览"
    assert Calendar.from_ical(got["ics"].content).walk("VEVENT")
    assert f"- 任务编号：{task_id}\n" in got["md"].text
    shown = got["json"].json()
    assert shown.pop("export")["task_id"] == task_id
    assert shown == reviewed() == (await person.task(task_id))["result"]


async def test_a_file_has_its_type_its_name_and_is_for_its_owner_only(sqlite_api: Api) -> None:
    person = await sqlite_api.person("zhangsan")
    task_id = await completed(sqlite_api, person, reviewed())

    for name in FORMATS:
        answer = await person.http.get(exported(task_id, name, "&only=confirmed"))
        headers = answer.headers
        filename = f"图书馆物业-分析报告（仅已确认）.{name}"
        assert headers["content-disposition"].startswith('attachment; filename="')
        assert headers["content-disposition"].endswith(f"filename*=UTF-8''{quote(filename, safe='')}")
        assert headers["cache-control"] == "private, no-cache"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-type"] == OFFERED["bidding_analysis"][name].media_type


async def test_what_a_client_has_already_is_not_made_again(sqlite_api: Api) -> None:
    person = await sqlite_api.person("zhangsan")
    task_id = await completed(sqlite_api, person, tender())
    first = await person.http.get(exported(task_id, "md"))
    tags = {first.headers["etag"]}

    again = await person.http.get(exported(task_id, "md"), headers={"If-None-Match": first.headers["etag"]})
    for more in ("json", "md&only=confirmed"):
        other = await person.http.get(
            exported(task_id, more), headers={"If-None-Match": first.headers["etag"]}
        )
        assert other.status_code == 200
        tags.add(other.headers["etag"])

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"].startswith('W/"')
    assert len(tags) == 3


async def test_only_confirmed_items_are_exported_on_demand(sqlite_api: Api) -> None:
    person = await sqlite_api.person("zhangsan")
    task_id = await completed(sqlite_api, person, reviewed())

    shown = (await person.http.get(exported(task_id, "json", "&only=confirmed"))).json()

    assert [item["review"]["state"] for tab in shown["tabs"] for item in tab["items"]] == ["confirmed"]


async def test_without_a_format_it_is_the_word_document(sqlite_api: Api) -> None:
    person = await sqlite_api.person("zhangsan")
    task_id = await completed(sqlite_api, person, tender())

    answer = await person.http.get(f"/api/tasks/{task_id}/export")

    assert answer.headers["content-type"] == OFFERED["bidding_analysis"]["docx"].media_type


async def test_a_task_without_a_result_is_a_conflict(sqlite_api: Api) -> None:
    """Waiting, running, cancelled and failed: there is nothing to export, and the code says so."""
    person = await sqlite_api.person("zhangsan")
    worker = HandWorker(sqlite_api.database)
    answers = []

    waiting = (await person.text_task())["id"]
    answers.append(await person.http.get(exported(waiting, "docx")))
    task = worker.claim()
    answers.append(await person.http.get(exported(waiting, "json")))
    worker.fail(task, UnreadableDocument())
    answers.append(await person.http.get(exported(waiting, "md")))
    cancelled = (await person.text_task())["id"]
    await person.http.delete(f"/api/tasks/{cancelled}")
    answers.append(await person.http.get(exported(cancelled, "md"), headers={"Accept-Language": "en"}))

    assert [(a.status_code, a.json()["code"]) for a in answers] == [(409, "no_result")] * 4
    assert "尚未完成" in answers[0].json()["detail"]
    assert "no result" in answers[-1].json()["detail"]


async def test_a_calendar_without_dates_is_a_conflict(sqlite_api: Api) -> None:
    person = await sqlite_api.person("zhangsan")
    result = tender()
    result["facts"] = dict.fromkeys(result["facts"])
    items(result, "bid_timeline").clear()
    task_id = await completed(sqlite_api, person, result)

    answer = await person.http.get(exported(task_id, "ics"))

    assert (answer.status_code, answer.json()["code"]) == (409, "no_dates")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("query", ["format=pdf", "format=", "format=DOCX", "only=all", "format=md&only="])
async def test_an_unknown_format_or_choice_is_a_422(sqlite_api: Api, query: str) -> None:
    person = await sqlite_api.person("zhangsan")
    task_id = await completed(sqlite_api, person, tender())

    answer = await person.http.get(f"/api/tasks/{task_id}/export?{query}")

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")


async def test_a_format_that_this_kind_of_task_does_not_offer_is_a_422(sqlite_api: Api) -> None:
    person = await sqlite_api.person("zhangsan")
    task_id = await completed(sqlite_api, person, {"sheets": []})
    with sqlite_api.database.write() as conn:
        conn.execute(update(TASKS).where(TASKS.c.id == task_id).values(task_type="workload_analysis"))

    answer = await person.http.get(exported(task_id, "ics"))

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
    assert answer.json()["errors"][0]["field"] == "format"


async def test_a_result_of_another_user_or_of_nobody_is_a_404(api: Api) -> None:
    owner, other = await api.person("zhangsan"), await api.person("lisi")
    task_id = await completed(api, owner, tender())

    for path in (exported(task_id, "json"), exported(task_id + 1, "json")):
        answer = await other.http.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "task_not_found")


async def test_a_large_result_is_exported_while_others_are_answered(api: Api) -> None:
    """Its body lies in a table of its own, and seconds of work must not hold the loop."""
    person = await api.person("zhangsan")
    task_id = await completed(api, person, many(2_000))
    http = person.http
    making = asyncio.create_task(http.get(exported(task_id, "docx")))
    slowest, answered = 0.0, 0
    loop = asyncio.get_running_loop()
    while not making.done():
        began = loop.time()
        assert (await http.get("/health/live")).status_code == 200
        slowest, answered = max(slowest, loop.time() - began), answered + 1
        await asyncio.sleep(0.01)

    assert (await making).status_code == 200
    assert answered > 10
    assert slowest < 1


async def test_a_result_beyond_measure_is_refused_but_as_json(
    sqlite_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await sqlite_api.person("zhangsan")
    task_id = await completed(sqlite_api, person, tender())
    monkeypatch.setattr(exporting, "MOST_CHARS", len(json.dumps(tender())) // 4)

    refused, given = [await person.http.get(exported(task_id, name)) for name in ("docx", "json")]

    assert (refused.status_code, refused.json()["code"]) == (422, "export_too_large")
    assert given.status_code == 200


async def test_the_api_document_names_every_format_and_media_type(sqlite_api: Api) -> None:
    operation = document(sqlite_api.app)["paths"]["/api/tasks/{task_id}/export"]["get"]

    offered = {made.media_type.partition(";")[0] for made in OFFERED["bidding_analysis"].values()}
    assert set(operation["responses"]["200"]["content"]) == offered
    (named,) = [p for p in operation["parameters"] if p["name"] == "format"]
    assert named["schema"]["anyOf"][0]["enum"] == FORMATS
    assert {name for formats in OFFERED.values() for name in formats} == set(FORMATS)
