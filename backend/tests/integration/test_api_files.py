"""Files and canonical texts over HTTP; uploads are streamed, never held whole in memory."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from PIL import Image

from backend.app import bootstrap
from backend.app.documents.canonical import Block, BlockKind, Cell, Document, FileAnchor, Page
from backend.app.settings import Settings
from backend.tests.api_client import PASSWORD, SECRET, Api, HandWorker, Person
from backend.tests.served import Served

MB = 1024 * 1024
DOCUMENT = Document(
    text="第一章 𠮷祥\n甲\t乙",
    blocks=(
        Block(0, 6, BlockKind.HEADING, page=1, level=1),
        Block(7, 8, BlockKind.TABLE_CELL, page=1, path=("第一章 𠮷祥",), cell=Cell(0, 0, 0)),
        Block(9, 10, BlockKind.TABLE_CELL, page=1, path=("第一章 𠮷祥",), cell=Cell(0, 0, 1)),
    ),
    pages=(Page(1, 595.0, 842.0, 0, 10),),
    warnings=("第 2 页没有文字",),
    files=(FileAnchor("公告/a.pdf", 0, 10, "application/pdf", 1, 1),),
    unread=(2,),
    ocr_pages=(1,),
)


async def _completed(api: Api, person: Person) -> int:
    made = await person.text_task()
    stored = api.services.storage.put_bytes(DOCUMENT.to_bytes())
    worker = HandWorker(api.database)
    worker.complete(worker.claim(), {"summary": "", "tabs": []}, stored.sha256)
    return int(made["id"])


async def test_the_canonical_text_comes_with_places_in_code_points(api: Api) -> None:
    person = await api.person("zhangsan")
    task_id = await _completed(api, person)

    answer = await person.http.get(f"/api/tasks/{task_id}/document")

    body = answer.json()
    assert answer.status_code == 200
    assert body["text"] == DOCUMENT.text
    assert [body["text"][b["start"] : b["end"]] for b in body["blocks"]] == ["第一章 𠮷祥", "甲", "乙"]
    assert body["blocks"][1]["path"] == "第一章 𠮷祥"
    assert body["blocks"][2]["cell"] == {"table": 0, "row": 0, "col": 1, "rowspan": 1, "colspan": 1}
    assert body["pages"] == [{"number": 1, "width": 595.0, "height": 842.0, "start": 0, "end": 10}]
    assert body["warnings"] == ["第 2 页没有文字"]
    assert (body["unread"], body["ocr_pages"]) == ([2], [1])
    assert body["files"] == [
        {
            "name": "公告/a.pdf",
            "start": 0,
            "end": 10,
            "media_type": "application/pdf",
            "first_page": 1,
            "pages": 1,
        }
    ]
    again = await person.http.get(
        f"/api/tasks/{task_id}/document", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert again.status_code == 304


async def test_a_photo_is_a_document_like_any_other(api: Api) -> None:
    person = await api.person("zhangsan")
    picture = io.BytesIO()
    Image.new("RGB", (60, 40), "white").save(picture, "JPEG")

    made = await person.http.post("/api/tasks/bidding/file", files={"file": ("招标.jpg", picture.getvalue())})
    back = await person.http.get(f"/api/tasks/{made.json()['id']}/file")

    assert made.status_code == 201
    assert back.content == picture.getvalue()


async def test_a_text_that_is_not_parsed_yet_or_was_removed_is_a_404(api: Api) -> None:
    person = await api.person("zhangsan")
    waiting = (await person.text_task())["id"]
    not_yet = await person.http.get(f"/api/tasks/{waiting}/document")
    await person.http.delete(f"/api/tasks/{waiting}")
    task_id = await _completed(api, person)
    for folder in ("document", "file"):
        assert (await person.http.get(f"/api/tasks/{task_id}/{folder}")).status_code == 200
    for file in api.services.storage.root.glob("??/??/*"):
        file.unlink()

    gone = [await person.http.get(f"/api/tasks/{task_id}/{part}") for part in ("document", "file")]

    assert (not_yet.status_code, not_yet.json()["code"]) == (404, "document_not_found")
    assert [(a.status_code, a.json()["code"]) for a in gone] == [
        (404, "document_not_found"),
        (404, "file_not_found"),
    ]


async def test_equal_uploads_share_their_bytes_and_keep_their_names(api: Api) -> None:
    one, two = await api.person("zhangsan"), await api.person("lisi")

    made = await asyncio.gather(
        *(
            person.http.post("/api/files", files={"file": (f"{n}.txt", b"the same tender")})
            for n in range(4)
            for person in (one, two)
        )
    )

    assert {answer.status_code for answer in made} == {201}
    assert len({answer.json()["file_id"] for answer in made}) == 8
    assert {answer.json()["sha256"] for answer in made} == {hashlib.sha256(b"the same tender").hexdigest()}
    assert len(list(api.services.storage.root.glob("??/??/*"))) == 1


async def test_a_part_of_the_original_can_be_asked_for(sqlite_api: Api) -> None:
    person = await sqlite_api.person("zhangsan")
    made = await person.http.post("/api/tasks/bidding/file", files={"file": ("a.txt", b"0123456789")})

    part = await person.http.get(f"/api/tasks/{made.json()['id']}/file", headers={"Range": "bytes=2-4"})

    assert (part.status_code, part.content) == (206, b"234")


@pytest.fixture
def served(sqlite_url: str, tmp_path: Path) -> Iterator[Served]:
    settings = Settings(
        _env_file=None, database_url=sqlite_url, data_dir=tmp_path / "data", jwt_secret=SECRET
    )
    with Served(bootstrap.build_api(settings)) as running:
        yield running


def test_fifty_megabytes_do_not_grow_the_process(served: Served) -> None:
    """Client and server share this process; both stream."""
    with httpx.Client(base_url=served.url, timeout=60) as http:
        http.post("/api/auth/register", json={"username": "zhangsan", "password": PASSWORD})
        login = http.post("/api/auth/login", data={"username": "zhangsan", "password": PASSWORD})
        http.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
        _upload(http, 1)  # what is loaded once
        process = psutil.Process()
        before, peak = process.memory_info().rss, 0

        def watch() -> None:
            nonlocal peak
            peak = max(peak, process.memory_info().rss)

        answer = _upload(http, 49, watch)

    assert answer.status_code == 201, answer.text
    assert answer.json()["size"] == 49 * MB
    assert answer.json()["sha256"] == hashlib.sha256(b"x" * 49 * MB).hexdigest()
    assert peak - before < 8 * MB, f"grew by {(peak - before) / MB:.1f} MB"


def _upload(http: httpx.Client, megabytes: int, watch=lambda: None) -> httpx.Response:  # type: ignore[no-untyped-def]
    def body() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
        for _ in range(megabytes * 16):
            watch()
            yield b"x" * (MB // 16)
        yield b"\r\n--b--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    return http.post("/api/files", content=body(), headers=headers)


def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(served: Served, tmp_path: Path) -> None:
    incoming = tmp_path / "data" / "storage" / "incoming"
    with httpx.Client(base_url=served.url, timeout=10) as http:
        http.post("/api/auth/register", json={"username": "zhangsan", "password": PASSWORD})
        login = http.post("/api/auth/login", data={"username": "zhangsan", "password": PASSWORD})
        http.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
        seen = []

        def watch() -> None:
            seen.extend(os.listdir(incoming))
            if len(seen) > 3:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            _upload(http, 40, watch)
    for _ in range(100):
        if not list(incoming.iterdir()):
            break
        asyncio.run(asyncio.sleep(0.05))

    assert seen
    assert list(incoming.iterdir()) == []
    with httpx.Client(base_url=served.url) as http:
        assert http.get("/health/ready").json()["status"] == "ok"
