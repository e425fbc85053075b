"""Whatever comes in: the right 4xx with a sentence and a code, never a 500, and nothing is left behind."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from backend.tests.api_client import PASSWORD, Api, Person, running_api

MB = 1024 * 1024
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
BIG = str(2**63)


def _code(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(body) - {"errors"} == {"type", "title", "status", "detail", "code"}
    assert body["status"] == answer.status_code
    assert body["detail"]
    return answer.status_code, body["code"]


async def _nothing_left(api: Api) -> None:
    with api.database.read() as conn:
        for table in ("tasks", "files", "task_events", "idempotency_keys"):
            assert conn.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() == 0, table
    incoming = api.services.storage.root / "incoming"
    assert not incoming.exists() or list(incoming.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("empty.pdf", b"", (422, "empty_document")),
        ("tender.pdf", b"MZ\x90\x00" + bytes(range(256)) * 8, (415, "unsupported_file_type")),
        ("tender.exe", b"hello", (415, "unsupported_file_type")),
        ("image.docx", b"\x89PNG\r\n\x1a\n" + b"\0" * 64, (415, "unsupported_file_type")),
        ("locked.docx", OLE + "EncryptedPackage".encode("utf-16-le") * 2, (422, "encrypted_document")),
        ("garbage.docx", b"PK\x03\x04" + b"\xff" * 500, (422, "unreadable_document")),
        ("garbage.txt", bytes(range(256)) * 64, (415, "unsupported_file_type")),
    ],
)
async def test_a_file_that_cannot_be_a_tender_is_refused(
    api: Api, name: str, content: bytes, expected: tuple[int, str]
) -> None:
    person = await api.person("zhangsan")

    answers = [
        await person.http.post(url, files={"file": (name, content)})
        for url in ("/api/tasks/bidding/file", "/api/files", "/api/bidding/analyze/file")
    ]

    assert [_code(answer) for answer in answers] == [expected] * 3
    await _nothing_left(api)


async def test_a_zip_that_announces_a_million_entries_is_not_opened(sqlite_api: Api) -> None:
    """Its directory is read into memory as a whole: a kilobyte for each 46 bytes of it."""
    person = await sqlite_api.person("zhangsan")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    raw = bytearray(content.getvalue())
    at = raw.rfind(b"PK\x05\x06")
    raw[at + 12 : at + 16] = (46 * 1_000_000).to_bytes(4, "little")

    answer = await person.http.post("/api/tasks/bidding/file", files={"file": ("a.docx", bytes(raw))})

    assert _code(answer) == (422, "parse_limit_exceeded")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("..\\..\\boot.txt", "boot.txt"),
        ("/abs/olute.txt", "olute.txt"),
        ("a\u202etxt.fdp.txt", "atxt.fdp.txt"),
        ("长" * 300 + ".txt", "长" * 196 + ".txt"),
        ("..txt", "txt"),
    ],
)
async def test_a_name_from_outside_is_for_eyes_only(sqlite_api: Api, given: str, shown: str) -> None:
    person = await sqlite_api.person("zhangsan")

    answer = await person.http.post("/api/files", files={"file": (given, b"plain text")})

    assert answer.status_code == 201, answer.text
    assert answer.json()["filename"] == shown
    root = sqlite_api.services.storage.root
    written = [file.name for file in root.glob("??/??/*")]
    assert written == [answer.json()["sha256"]]


async def _megabytes(count: int, *, head: bytes = b"", tail: bytes = b"") -> AsyncIterator[bytes]:
    yield head
    for _ in range(count):
        yield b"x" * MB
    yield tail


PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'


@pytest.mark.parametrize("length", [None, "10", str(60 * MB)], ids=["missing", "a lie", "true"])
async def test_sixty_megabytes_are_too_many_whatever_content_length_says(
    sqlite_api: Api, length: str | None
) -> None:
    person = await sqlite_api.person("zhangsan")
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    if length is not None:
        headers["Content-Length"] = length

    answer = await person.http.post(
        "/api/tasks/bidding/file", content=_megabytes(60, head=PART, tail=b"\r\n--b--\r\n"), headers=headers
    )

    assert _code(answer) == (413, "file_too_large")
    assert "50" in answer.json()["detail"]
    await _nothing_left(sqlite_api)


async def test_a_file_of_the_exact_limit_passes_and_one_byte_more_does_not(
    sqlite_url: str, tmp_path: Any
) -> None:
    async with running_api(sqlite_url, tmp_path / "data", max_upload_mb=1) as api:
        person = await api.person("zhangsan")
        exact, more = [
            await person.http.post("/api/files", files={"file": ("a.txt", b"x" * size)})
            for size in (MB, MB + 1)
        ]
    assert exact.status_code == 201
    assert _code(more) == (413, "file_too_large")


@pytest.mark.parametrize("path", ["/api/auth/register", "/api/auth/login", "/api/tasks", "/api/nowhere"])
async def test_a_body_without_end_is_stopped_on_every_path(sqlite_api: Api, path: str) -> None:
    person = await sqlite_api.person("zhangsan")

    answer = await person.http.post(
        path, content=_megabytes(200), headers={"Content-Type": "application/json"}
    )

    assert answer.status_code in {404, 413, 422}
    assert answer.status_code != 422 or path.endswith("login")  # a form: JSON is not even read


async def test_text_may_be_long_but_not_endless(sqlite_url: str, tmp_path: Any) -> None:
    async with running_api(sqlite_url, tmp_path / "data", max_text_chars=200_000) as api:
        person = await api.person("zhangsan")
        fits, long = "标" * 200_000, "标" * 200_001

        answers = [
            await person.http.post("/api/tasks/bidding/text", data={"text": fits}),
            await person.http.post("/api/tasks/bidding/text", files={"text": (None, fits)}),
            await person.http.post(
                "/api/tasks", json={"task_type": "bidding_analysis", "payload": {"text": fits}}
            ),
        ]
        refused = [
            await person.http.post("/api/tasks/bidding/text", data={"text": long}),
            await person.http.post("/api/tasks/bidding/text", files={"text": (None, long)}),
            await person.http.post("/api/tasks/bidding/text", files={"text": (None, long * 3)}),
            await person.http.post(
                "/api/tasks", json={"task_type": "bidding_analysis", "payload": {"text": long}}
            ),
        ]

    assert [answer.status_code for answer in answers] == [201] * 3
    assert [_code(answer) for answer in refused] == [(413, "text_too_long")] * 4


@pytest.mark.parametrize("blank", ["", "   \n\t ", "\x00\x00", "\u3000"])
async def test_a_text_of_nothing_is_an_empty_document(api: Api, blank: str) -> None:
    person = await api.person("zhangsan")

    by_form = await person.http.post("/api/tasks/bidding/text", files={"text": (None, blank)})
    by_json = await person.http.post(
        "/api/tasks", json={"task_type": "bidding_analysis", "payload": {"text": blank}}
    )

    assert _code(by_form) == _code(by_json) == (422, "empty_document")


async def test_nul_and_lone_surrogates_are_cleaned_or_refused(api: Api) -> None:
    person = await api.person("zhangsan")

    cleaned = await person.http.post("/api/tasks/bidding/text", files={"text": (None, "标\x00书")})
    surrogate = await person.http.post(
        "/api/tasks",
        content=b'{"task_type":"bidding_analysis","payload":{"text":"\\ud800"}}',
        headers={"Content-Type": "application/json"},
    )
    accounts = [
        await person.http.post(
            "/api/auth/register",
            content=json.dumps({"username": "wangwu", "password": PASSWORD, name: "\ud800abcdefgh"}),
            headers={"Content-Type": "application/json"},
        )
        for name in ("username", "password", "display_name")
    ]
    in_config = await person.http.post(
        "/api/tasks",
        content=b'{"task_type":"bidding_analysis","payload":{"text":"x"},"config":{"\\u0000":1}}',
        headers={"Content-Type": "application/json"},
    )

    back = await person.http.get(f"/api/tasks/{cleaned.json()['id']}/file")
    assert back.text == "标书"
    assert _code(surrogate) == (422, "empty_document")
    assert [_code(answer) for answer in accounts] == [(422, "validation_error")] * 3
    assert _code(in_config) == (422, "validation_error")


async def test_a_form_in_the_encoding_of_a_chinese_console_is_read(sqlite_api: Api) -> None:
    person = await sqlite_api.person("zhangsan")
    body = b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\n' + "招标文件".encode("gb18030")

    made = await person.http.post(
        "/api/tasks/bidding/text",
        content=body + b"\r\n--b--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=b"},
    )

    assert (await person.http.get(f"/api/tasks/{made.json()['id']}/file")).text == "招标文件"


QUERIES = [
    "limit=-1", "limit=0", "limit=201", "limit=1e20", f"limit={BIG}", "limit=x", "limit=", "limit=1.5",
    "offset=-1", f"offset={BIG}", "offset=" + "9" * 5000, "status=unknown", "status=COMPLETED",
    "created_from=yesterday", "created_from=12345", "created_from=0001-01-01T00:00:00%2B14:00",
    "created_to=9999-12-31T23:59:59-14:00", "q=%00", "task_type=%00", "batch_id=%00", "q=" + "x" * 201,
    "&".join(["status=pending"] * 7),
]  # fmt: skip


async def test_a_query_out_of_bounds_is_a_422_that_names_the_field(api: Api) -> None:
    person = await api.person("zhangsan")

    for query in QUERIES:
        answer = await person.http.get(f"/api/tasks?{query}")
        assert _code(answer) == (422, "validation_error"), query
        assert answer.json()["errors"][0]["field"].startswith(query.partition("=")[0]), query


async def test_an_id_that_no_row_can_have_is_refused(api: Api) -> None:
    person = await api.person("zhangsan")

    for task_id in ("0", "-1", BIG, "9" * 5000, "1e3", "x", "%00", "1.0", "٣", "%ff"):
        for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/events"), ("POST", "/retry")):
            answer = await person.http.request(method, f"/api/tasks/{task_id}{path}")
            assert answer.status_code in {404, 422}, (task_id, method, path)
            _code(answer)


async def test_the_largest_id_is_just_not_there(api: Api) -> None:
    person = await api.person("zhangsan")

    assert _code(await person.http.get(f"/api/tasks/{2**63 - 1}")) == (404, "task_not_found")


DEEP = b'{"a":' * 90 + b"1" + b"}" * 90
BODIES: list[tuple[bytes, int]] = [
    (b"", 400),
    (b"{", 400),
    (b"[" * 100_000, 400),
    (b'{"a":' * 50_000, 400),
    (b"\xff\xfe\x00", 400),
    (b"9" * 10_000, 400),
    (b"null", 422),
    (b"[]", 422),
    (b'"text"', 422),
    (b"{}", 422),
    (b'{"task_type":"bidding_analysis"}', 422),
    (b'{"task_type":"bidding_analysis","payload":{}}', 422),
    (b'{"task_type":"bidding_analysis","payload":[]}', 422),
    (b'{"task_type":"bidding_analysis","payload":{"text":"a","file_id":1}}', 422),
    (b'{"task_type":"bidding_analysis","payload":{"text":1}}', 422),
    (b'{"task_type":"bidding_analysis","payload":{"text":"a","more":1}}', 422),
    (b'{"task_type":"bidding_analysis","payload":{"file_id":"1"}}', 422),
    (b'{"task_type":"bidding_analysis","payload":{"file_id":9223372036854775808}}', 422),
    (b'{"task_type":"bidding_analysis","payload":{"file_id":1e20}}', 422),
    (b'{"task_type":"bidding_analysis","payload":{"file_id":9223372036854775807}}', 404),
    (b'{"task_type":"cost_estimation","payload":{"text":"a"}}', 422),
    (b'{"task_type":"\\u0000","payload":{"text":"a"}}', 422),
    (b'{"task_type":"bidding_analysis","payload":{"text":"a"},"max_retries":11}', 422),
    (b'{"task_type":"bidding_analysis","payload":{"text":"a"},"max_retries":NaN}', 422),
    (b'{"task_type":"bidding_analysis","payload":{"text":"a"},"priority":true}', 422),
    (b'{"task_type":"bidding_analysis","payload":{"text":"a"},"run_at":1e300}', 422),
    (b'{"task_type":"bidding_analysis","payload":{"text":"a"},"run_at":"9999-12-31T23:59:59-14:00"}', 422),
    (b'{"task_type":"bidding_analysis","payload":{"text":"a"},"config":{"a":NaN}}', 422),
    (b'{"task_type":"bidding_analysis","payload":{"text":"a"},"config":{"a":1}}', 422),
    (b'{"task_type":"bidding_analysis","payload":{"text":"a"},"config":' + DEEP + b"}", 422),
    (b'{"task_type":"bidding_analysis","payload":{"text":"a"},"unknown":1}', 422),
]  # fmt: skip


async def test_json_that_is_no_task_is_refused(api: Api) -> None:
    person = await api.person("zhangsan")

    for body, status in BODIES:
        answer = await person.http.post(
            "/api/tasks", content=body, headers={"Content-Type": "application/json"}
        )
        assert _code(answer)[0] == status, body[:200]
    await _nothing_left(api)


FORMS: list[tuple[str, bytes]] = [
    ("multipart/form-data", b""),
    ("multipart/form-data; boundary=b", b""),
    ("multipart/form-data; boundary=b", b"garbage"),
    ("multipart/form-data; boundary=b", PART + b"no end"),
    ("multipart/form-data; boundary=b", b"--b\r\n\r\nno headers\r\n--b--\r\n"),
    ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"),
    ("multipart/form-data; boundary=b", PART.replace(b'"file"', b'"text"') + b"x\r\n--b--\r\n"),
    ("multipart/form-data; boundary=b", (PART + b"x\r\n") * 2 + b"--b--\r\n"),
    ("multipart/form-data; boundary=b", PART.replace(b"; filename", b"; other") + b"x\r\n--b--\r\n"),
    ("multipart/form-data; boundary=" + "b" * 5000, b"x"),
    ("application/x-www-form-urlencoded", b"text"),
    ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 50)),
    ("application/x-www-form-urlencoded", b"file=x"),
    ("application/json", b'{"text":"x"}'),
    ("text/plain", b"text"),
    ("", b""),
]


async def test_a_form_that_is_none_is_refused_and_leaves_nothing(sqlite_api: Api) -> None:
    person = await sqlite_api.person("zhangsan")

    for kind, body in FORMS:
        for path in ("/api/tasks/bidding/text", "/api/tasks/bidding/file", "/api/files"):
            answer = await person.http.post(path, content=body, headers={"Content-Type": kind})
            assert answer.status_code in {400, 422}, (path, kind, body, answer.text)
            _code(answer)
    await _nothing_left(sqlite_api)


@pytest.mark.parametrize("field", ["max_retries", "priority"])
async def test_an_option_out_of_bounds_is_refused(sqlite_api: Api, field: str) -> None:
    person = await sqlite_api.person("zhangsan")

    for value in ("11", "-11", BIG, "1e20", "x", "1.5", "NaN", "９９"):
        answer = await person.http.post("/api/tasks/bidding/text", data={"text": "x", field: value})
        assert _code(answer) == (422, "validation_error"), value
        assert answer.json()["errors"][0]["field"] == field


async def test_an_option_left_empty_counts_as_left_out(sqlite_api: Api) -> None:
    person: Person = await sqlite_api.person("zhangsan")

    made = await person.text_task("x", max_retries="", priority="")

    assert (made["max_retries"], made["priority"]) == (3, 0)


async def test_unknown_paths_and_methods_are_problems_too(sqlite_api: Api) -> None:
    person = await sqlite_api.person("zhangsan")

    missing = await person.http.get("/api/tasks/1/nothing")
    later = await person.http.get("/api/monitoring/summary")
    method = await person.http.put("/api/tasks")

    assert _code(missing) == _code(later) == (404, "not_found")
    assert _code(method) == (405, "method_not_allowed")
    assert "GET" in method.headers["allow"]


async def test_a_bug_is_a_500_that_tells_nothing(sqlite_api: Api) -> None:
    @sqlite_api.app.get("/api/broken")
    async def broken() -> None:
        raise RuntimeError("password=secret SELECT * FROM users /srv/app")

    answer = await sqlite_api.client().get("/api/broken", headers={"X-Request-ID": "abc-123"})

    assert _code(answer) == (500, "internal_error")
    assert "secret" not in answer.text
    assert "SELECT" not in answer.text
    assert answer.headers["x-request-id"] == "abc-123"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_json_list_above_is_json_where_it_should_be() -> None:
    checked = [json.loads(body) for body, status in BODIES if status != 400 and b"NaN" not in body]
    assert checked
