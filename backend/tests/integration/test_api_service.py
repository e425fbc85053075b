"""Health, headers, ids and the process itself: what operators rely on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text, update

from backend.app.auth.tokens import Tokens
from backend.app.db.changes import ChangeWatch
from backend.app.db.engine import Database
from backend.app.db.models import WORKERS
from backend.app.tasks.queue.events import EVENTS_CHANNEL
from backend.tests.api_client import PASSWORD, SECRET, Api, HandWorker, running_api
from backend.tests.databases import free_port

ROOT = Path(__file__).resolve().parents[3]


async def test_ready_says_what_is_well_and_whether_a_worker_lives(api: Api) -> None:
    http = api.client()
    alone = (await http.get("/health/ready")).json()
    HandWorker(api.database)
    working = (await http.get("/health/ready")).json()
    with api.database.write() as conn:
        conn.execute(update(WORKERS).values(heartbeat_at=datetime.now(UTC) - timedelta(minutes=5)))
    silent = (await http.get("/health/ready")).json()

    assert (await http.get("/health/live")).json() == {"status": "ok"}
    assert {alone["status"], working["status"], silent["status"]} == {"ok"}
    assert alone["checks"]["worker"] == {"status": "not_seen", "last_seen": None}
    assert working["checks"]["worker"]["status"] == "ok"
    assert silent["checks"]["worker"]["status"] == "not_seen"
    assert {alone["checks"][name] for name in ("database", "migrations", "storage")} == {"ok"}


async def test_a_database_that_is_not_migrated_or_a_folder_that_is_gone_is_not_ready(
    tmp_path: Path,
) -> None:
    async with running_api(f"sqlite:///{tmp_path / 'empty.db'}", tmp_path / "data") as api:
        empty = await api.client().get("/health/ready")
        (tmp_path / "data" / "storage").rename(tmp_path / "elsewhere")
        gone = await api.client().get("/health/ready")

    assert (empty.status_code, empty.json()["checks"]["migrations"]) == (503, "pending")
    assert gone.json()["checks"]["storage"] == "unavailable"


@pytest.mark.postgres
async def test_a_database_that_is_gone_is_a_503_everywhere_and_live_stays_live(
    postgres_url: str, tmp_path: Path
) -> None:
    nobody = postgres_url.rsplit(":", 1)[0] + f":{free_port()}/none"
    async with running_api(nobody, tmp_path / "data") as api:
        token = Tokens(SECRET).issue(
            1, "s", now=datetime.now(UTC), expires_at=datetime.now(UTC) + timedelta(minutes=5)
        )
        http = api.client(token)
        tasks, ready, live = [await http.get(p) for p in ("/api/tasks", "/health/ready", "/health/live")]

    assert (tasks.status_code, tasks.json()["code"]) == (503, "service_unavailable")
    assert (ready.status_code, ready.json()["checks"]["database"]) == (503, "unavailable")
    assert live.status_code == 200


@pytest.mark.parametrize(
    ("given", "kept"),
    [("abc-123", True), ("a" * 64, True), ("a" * 65, False), ("a b", False), ("<x>", False), ("", False)],
)
async def test_a_sane_request_id_is_kept_and_any_other_replaced(
    sqlite_api: Api, given: str, kept: bool
) -> None:
    answer = await sqlite_api.client().get("/health/live", headers={"X-Request-ID": given})

    assert (answer.headers["x-request-id"] == given) is kept
    assert answer.headers["x-request-id"]


async def test_every_answer_carries_the_headers_that_browsers_obey(sqlite_api: Api) -> None:
    http = sqlite_api.client()
    for path in ("/", "/docs", "/api/tasks", "/api/nowhere", "/health/live", "/docs/assets/page.css"):
        headers = (await http.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert "access-control-allow-origin" not in headers
    assert (await http.get("/api/tasks")).headers["cache-control"] == "no-store"


async def test_other_origins_are_let_in_only_when_named(sqlite_url: str, tmp_path: Path) -> None:
    asked = {"Origin": "https://sales.example.cn", "Access-Control-Request-Method": "GET"}
    other = {**asked, "Origin": "https://evil.example"}
    async with running_api(sqlite_url, tmp_path / "data", cors_origins="https://sales.example.cn") as api:
        http = api.client()
        named = await http.options("/api/tasks", headers=asked)
        unnamed = await http.options("/api/tasks", headers=other)
        refused = await http.get("/api/tasks", headers=asked)

    assert named.headers["access-control-allow-origin"] == "https://sales.example.cn"
    assert "access-control-allow-origin" not in unnamed.headers
    assert refused.headers["access-control-allow-origin"] == "https://sales.example.cn"


@pytest.mark.parametrize(
    ("trusted", "status"), [("", 429), ("10.0.0.1", 401)], ids=["not trusted", "trusted"]
)
async def test_an_address_from_a_header_counts_only_behind_a_trusted_proxy(
    sqlite_url: str, tmp_path: Path, trusted: str, status: int
) -> None:
    """Otherwise whoever guesses passwords could claim a new address each time."""
    async with running_api(sqlite_url, tmp_path / "data", trusted_proxies=trusted) as api:
        http = api.client(address="10.0.0.1")
        for n in range(31):
            last = await http.post(
                "/api/auth/login",
                data={"username": f"user{n}", "password": "not this one"},
                headers={"X-Forwarded-For": f"203.0.113.{n}"},
            )

    assert last.status_code == status


def test_a_commit_of_another_connection_is_heard_of(database_url: str, database: Database) -> None:
    heard: list[float] = []
    watch = ChangeWatch(database_url, EVENTS_CHANNEL)
    watch.start(lambda: heard.append(time.monotonic()))
    try:
        time.sleep(0.3)
        heard.clear()
        began = time.monotonic()
        with database.write() as conn:
            conn.execute(text("INSERT INTO gates (name, updated_at) VALUES ('x', '2026-01-01 00:00:00')"))
            if database.dialect == "postgresql":
                conn.execute(text("SELECT pg_notify('sa_events', '')"))
        while not heard and time.monotonic() - began < 5:
            time.sleep(0.002)
        assert heard
        assert heard[0] - began < 1
    finally:
        stopping = time.monotonic()
        watch.stop()
        assert time.monotonic() - stopping < 1


@contextmanager
def _process(url: str, folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`uvicorn backend.app.main:create_app --factory`, as an operator starts it."""
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SA_")},
        "SA_DATABASE_URL": url,
        "SA_DATA_DIR": str(folder),
        "SA_JWT_SECRET": SECRET,
    }
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "backend.app.main:create_app",
        "--factory",
        "--port",
        str(port),
    ]
    with (folder / "api.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            base = f"http://127.0.0.1:{port}"
            until = time.monotonic() + 30
            while True:
                try:
                    httpx.get(f"{base}/health/live")
                    break
                except httpx.TransportError:
                    assert process.poll() is None, (folder / "api.log").read_text()
                    assert time.monotonic() < until
                    time.sleep(0.1)
            yield base, process
        finally:
            process.kill()
            process.wait()


async def test_sigterm_lets_those_who_wait_answer_and_ends_at_once(database_url: str, tmp_path: Path) -> None:
    with _process(database_url, tmp_path) as (base, process):
        async with httpx.AsyncClient(base_url=base, timeout=70) as http:
            await http.post("/api/auth/register", json={"username": "zhangsan", "password": PASSWORD})
            login = await http.post("/api/auth/login", data={"username": "zhangsan", "password": PASSWORD})
            http.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
            task = (await http.post("/api/tasks/bidding/text", data={"text": "x"})).json()
            waiting = asyncio.create_task(http.get(f"/api/tasks/{task['id']}?wait=60"))
            await asyncio.sleep(0.7)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            answer = await waiting
            await asyncio.to_thread(process.wait, 10)
            took = time.monotonic() - began

    assert answer.status_code == 200
    assert took < 5
    lines = [json.loads(line) for line in (tmp_path / "api.log").read_text().splitlines()]
    ours = [
        line for line in lines if line["event"] == "request" and line.get("path", "").startswith("/api/t")
    ]
    assert [line["path"] for line in ours] == ["/api/tasks/bidding/text", "/api/tasks/{task_id}"]
    assert all(line["request_id"] and line["user_id"] == 1 for line in ours)
    assert not any("error" in line["level"] for line in lines), lines
    assert PASSWORD not in (tmp_path / "api.log").read_text()
