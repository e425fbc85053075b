"""The API in this process, and people who use it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from backend.app import bootstrap
from backend.app.api.deps import Services
from backend.app.common.errors import AppError
from backend.app.db.engine import Database
from backend.app.settings import Settings
from backend.app.tasks import queue
from backend.app.tasks.queue import Report, WorkerIdentity
from backend.app.tasks.task import AttemptOutcome, Status, Task

PASSWORD = "correct horse battery"
SECRET = "0123456789abcdef0123456789abcdef-tests"


@dataclass
class Person:
    """Somebody who is logged in. Cookies are kept, as a browser does."""

    id: int
    name: str
    http: httpx.AsyncClient

    async def text_task(self, text: str = "招标文件正文", **fields: object) -> dict[str, Any]:
        answer = await self.http.post("/api/tasks/bidding/text", data={"text": text, **fields})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def task(self, task_id: int) -> dict[str, Any]:
        answer = await self.http.get(f"/api/tasks/{task_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


class Api:
    """One running application over one database."""

    def __init__(self, app: FastAPI, url: str) -> None:
        self.app = app
        self.services: Services = app.state.services
        self.database = Database(url)
        self._clients: list[httpx.AsyncClient] = []

    def client(self, token: str | None = None, address: str = "127.0.0.1") -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.app, client=(address, 50000), raise_app_exceptions=False)
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        made = httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers)
        self._clients.append(made)
        return made

    async def person(self, name: str) -> Person:
        """Register and log in."""
        http = self.client()
        made = await http.post("/api/auth/register", json={"username": name, "password": PASSWORD})
        assert made.status_code == 201, made.text
        login = await http.post("/api/auth/login", data={"username": name, "password": PASSWORD})
        http.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
        return Person(made.json()["id"], name, http)

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()
        self.database.dispose()


class HandWorker:
    """A worker moved by hand: claims one task, and ends it as the test says."""

    def __init__(self, database: Database, name: str = "hand") -> None:
        self.database, self.name = database, name
        with database.write() as conn:
            queue.register_worker(conn, WorkerIdentity(name, "host", "boot", 1, 1))

    def claim(self) -> Task:
        with self.database.write() as conn:
            (task,) = queue.claim(
                conn, self.name, limit=1, cap=100, types=["bidding_analysis"], lease_seconds=60
            )
        return task

    def progress(self, task: Task, percent: int, stage: str, message: str) -> None:
        told = {"percent": percent, "stage": stage, "message": message}
        with self.database.write() as conn:
            queue.record_progress(conn, [(task.lease, task.user_id, told)])

    def complete(self, task: Task, result: Any, document_sha256: str | None = None) -> None:
        self._end(task, Status.COMPLETED, result=result, document_sha256=document_sha256)

    def fail(self, task: Task, error: AppError, *, retry_exhausted: bool = False) -> None:
        meta = {**task.meta, "retry_exhausted": True} if retry_exhausted else task.meta
        told = {"error": error.sentence(), "error_en": error.sentence("en"), "error_code": error.code}
        self._end(task, Status.FAILED, meta=meta, **told)

    def _end(self, task: Task, status: Status, **said: Any) -> None:
        outcome = AttemptOutcome.COMPLETED if status is Status.COMPLETED else AttemptOutcome.FAILED
        said.setdefault("meta", task.meta)
        report = Report(task.lease, task.user_id, status, outcome, task.attempt, **said)
        with self.database.write() as conn:
            assert queue.finish(conn, [report]) == {task.lease}


@contextlib.asynccontextmanager
async def running_api(url: str, folder: Path, **settings: Any) -> AsyncIterator[Api]:
    """The application as in production, but for where it keeps its things."""
    defaults = {"database_url": url, "data_dir": folder, "jwt_secret": SECRET, "legacy_wait": 5}
    app = bootstrap.build_api(Settings(_env_file=None, **{**defaults, **settings}))
    async with app.router.lifespan_context(app):
        api = Api(app, url)
        try:
            yield api
        finally:
            await api.close()
