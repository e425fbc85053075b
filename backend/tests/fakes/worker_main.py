"""A real worker process with handlers that do what a test asks: `python -m backend.tests.fakes.worker_main`.

Every run of a handler is written to the record file (one JSON line, one write: lines of several processes
do not mix), so that a test can count what was really done, whatever the database says.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import uvloop

from backend.app.bootstrap_worker import WorkerParts
from backend.app.common.errors import EmptyDocument
from backend.app.common.logging import configure
from backend.app.db.engine import Database
from backend.app.tasks.runner import Context, Handler, HandlerResult
from backend.app.tasks.steps import StepResult
from backend.app.tasks.task import Spent, Task
from backend.app.tasks.worker import TaskWorker


@dataclass(frozen=True)
class Setup:
    """What a test decides about a worker; travels as JSON on the command line."""

    url: str
    locks: str
    record: str
    lease_seconds: float = 2.0
    heartbeat_seconds: float = 0.4
    shutdown_grace: float = 10.0
    concurrency: int = 20
    batch_size: int = 10
    cap: int = 1000
    max_errors: int = 10
    error_pause: float = 0.2
    task_timeout: float = 60.0

    def command(self) -> tuple[str, ...]:
        return (sys.executable, "-m", "backend.tests.fakes.worker_main", json.dumps(asdict(self)))


class Handlers:
    """The task types that tests submit."""

    def __init__(self, record: Path) -> None:
        self._record = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def all(self) -> Mapping[str, Handler]:
        return {name: getattr(self, name) for name in ("noop", "sleep", "fail", "crash", "steps")}

    def _write(self, what: str, task: Task) -> None:
        line = {"what": what, "task": task.id, "attempt": task.attempt, "pid": os.getpid()}
        os.write(self._record, json.dumps(line).encode() + b"\n")

    async def noop(self, task: Task, _context: Context) -> HandlerResult:
        self._write("run", task)
        return HandlerResult({"n": task.payload.get("n")})

    async def sleep(self, task: Task, _context: Context) -> HandlerResult:
        self._write("run", task)
        await asyncio.sleep(float(task.payload["seconds"]))
        self._write("done", task)
        return HandlerResult({"n": task.payload.get("n")})

    async def fail(self, task: Task, _context: Context) -> HandlerResult:
        self._write("run", task)
        raise EmptyDocument

    async def crash(self, task: Task, _context: Context) -> HandlerResult:
        """Kills its worker, the first `times` times."""
        self._write("run", task)
        if task.attempt <= int(task.payload["times"]):
            await asyncio.sleep(0.05)
            os.kill(os.getpid(), signal.SIGKILL)
        return HandlerResult({"survived": task.attempt})

    async def steps(self, task: Task, context: Context) -> HandlerResult:
        """`count` durable steps of `seconds` each; every call made is recorded."""

        async def call() -> StepResult:
            self._write("call", task)
            await asyncio.sleep(float(task.payload["seconds"]))
            return StepResult({"pid": os.getpid()}, Spent(1, "fake", "fake", 10, 5))

        for n in range(int(task.payload["count"])):
            await context.step(f"step/{n}", {"task": task.id, "n": n}, call)
        return HandlerResult(context.usage())


def parts_of(setup: Setup) -> WorkerParts:
    database = Database(setup.url)

    async def close() -> None:
        database.dispose()

    return WorkerParts(
        database=database,
        handlers=Handlers(Path(setup.record)).all(),
        lock_folder=Path(setup.locks),
        close=close,
        concurrency=setup.concurrency,
        max_running_per_user=setup.cap,
        lease_seconds=setup.lease_seconds,
        heartbeat_seconds=setup.heartbeat_seconds,
        shutdown_grace=setup.shutdown_grace,
        task_timeout=setup.task_timeout,
        isolated_command=setup.command(),
    )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("setup", type=json.loads)
    parser.add_argument("--only", type=int)
    options = parser.parse_args()
    known = {field.name for field in fields(Setup)}
    setup = Setup(**{name: value for name, value in options.setup.items() if name in known})
    configure(format="json", level="INFO", file=None)

    async def run() -> int:
        worker = TaskWorker(
            parts_of(setup),
            poll_interval=0.5,
            batch_size=setup.batch_size,
            max_consecutive_errors=setup.max_errors,
            only=options.only,
            pause_after=lambda _errors: setup.error_pause,
        )
        return await worker.run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())


def read_record(path: Path) -> list[dict[str, Any]]:
    """What handlers wrote; a line cut off by a kill is left out."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]
    return [json.loads(line) for line in lines]


if __name__ == "__main__":
    sys.exit(main())
