"""The product as its users start it: the real scripts, real processes, real signals.

Each product has a data folder, a log and a free port of its own; whatever it started is ended with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

from backend.tests.databases import free_port

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "correct horse battery"
T = TypeVar("T")


def eventually(look: Callable[[], T], *, seconds: float = 20.0, every: float = 0.05) -> T:
    """The first true answer of `look`."""
    until = time.monotonic() + seconds
    while True:
        answer = look()
        if answer:
            return answer
        assert time.monotonic() < until, f"not within {seconds} s: {look}"
        time.sleep(every)


class Product:
    """A started product; `client` is logged in as its first user."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.log = folder / "worker.log"
        # Nothing of this process's own settings may leak in.
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SA_")}
        self.environment = clean | {
            "SA_DATA_DIR": str(folder / "data"),
            "SA_PORT": str(self.port),
            "SA_LOG_FILE": str(self.log),
            "SA_SHUTDOWN_GRACE": "1",
            **environment,
        }
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=40, trust_env=False)
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Run a script of the repository's, in a process group of its own."""
        output = (self.folder / f"output-{len(self.processes)}.log").open("wb")
        process = subprocess.Popen(
            list(arguments),
            cwd=self.folder,
            env=self.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        output.close()
        self.processes.append(process)
        return process

    def start_backend(self, *options: str) -> subprocess.Popen[bytes]:
        process = self.start(str(ROOT / "start_backend.sh"), *options)
        eventually(self.is_up, seconds=60)
        return process

    def start_worker(self) -> subprocess.Popen[bytes]:
        began = self.lines("worker_started")
        process = self.start(str(ROOT / "start_worker.sh"))
        eventually(lambda: len(self.lines("worker_started")) > len(began), seconds=60)
        return process

    def is_up(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return self.client.get("/health/live").status_code == 200
        return False

    def log_in(self) -> str:
        """Register and log in; the access token."""
        self.client.post("/api/auth/register", json={"username": "alice", "password": PASSWORD})
        answer = self.client.post("/api/auth/login", data={"username": "alice", "password": PASSWORD})
        token = str(answer.json()["access_token"])
        self.client.headers["Authorization"] = f"Bearer {token}"
        return token

    def submit(self, text: str, **fields: str) -> int:
        answer = self.client.post("/api/tasks/bidding/text", data={"text": text, **fields})
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def task(self, task_id: int) -> dict[str, Any]:
        answer = self.client.get(f"/api/tasks/{task_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def wait_for(self, task_id: int, *statuses: str, seconds: float = 30.0) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            task = self.task(task_id)
            return task if task["status"] in statuses else None

        found = eventually(reached, seconds=seconds)
        assert found is not None
        return found

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The worker log's lines of one event; every line must be JSON."""
        if not self.log.exists():
            return []
        # The last line may be half written.
        complete = self.log.read_text(encoding="utf-8").rpartition("\n")[0]
        lines = [json.loads(line) for line in complete.splitlines()]
        return [line for line in lines if line["event"] == event]

    def worker_pid(self) -> int:
        """The process that started last as a worker."""
        return int(self.lines("worker_started")[-1]["pid"])

    def end(self) -> None:
        self.client.close()
        for process in self.processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                family = psutil.Process(process.pid).children(recursive=True)
                for member in family:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        member.send_signal(signal.SIGCONT)
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)


@contextlib.contextmanager
def product(folder: Path, **environment: str) -> Iterator[Product]:
    made = Product(folder, **environment)
    try:
        yield made
    finally:
        made.end()
