"""The queue's figures on SQLite and PostgreSQL, as one table, with the same loop in raw SQL beside it.

    python benchmarks/queue.py [--tasks 4000] [--postgres URL] [--only drain,pickup,sleep,recovery]

Without --postgres a server of its own is started on a free loopback port (durable: fsync on) and ended.
Settings of each scenario stand in the table; no quota is in the way. Ratios come from one run.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# First of all: this folder's `queue` must not stand before the standard library's.
sys.path[0] = str(ROOT)

import argparse
import asyncio
import os
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import uvloop
from sqlalchemy import insert, select, text

from backend.app.bootstrap_worker import WorkerParts
from backend.app.db import migrate
from backend.app.db.engine import Database
from backend.app.db.models import TASKS, USERS
from backend.app.tasks import queue
from backend.app.tasks.runner import Context, HandlerResult
from backend.app.tasks.task import NewTask, Task
from benchmarks import raw_queue

USERS_COUNT = 40
NO_QUOTA = 1_000_000


# The worker under test


async def _noop(task: Task, _context: Context) -> HandlerResult:
    return HandlerResult({"began": time.time(), "n": task.payload.get("n")})


async def _sleep(task: Task, _context: Context) -> HandlerResult:
    await asyncio.sleep(float(task.payload["seconds"]))
    return HandlerResult({"ok": True})


def run_worker(url: str, concurrency: int, batch: int, locks: str) -> int:
    """In the worker process: a TaskWorker with two handlers that cost nothing."""
    from backend.app.common.logging import configure
    from backend.app.tasks.worker import TaskWorker

    configure(format="json", level="WARNING", file=None)
    database = Database(url)

    async def close() -> None:
        database.dispose()

    parts = WorkerParts(
        database=database,
        handlers={"noop": _noop, "sleep": _sleep},
        lock_folder=Path(locks),
        close=close,
        concurrency=concurrency,
        max_running_per_user=NO_QUOTA,
        shutdown_grace=2,
    )

    async def run() -> int:
        return await TaskWorker(parts, batch_size=batch).run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())


@contextmanager
def worker(url: str, locks: Path, *, concurrency: int, batch: int) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [
            sys.executable,
            __file__,
            "--worker",
            url,
            "--concurrency",
            str(concurrency),
            "--batch",
            str(batch),
            "--locks",
            str(locks),
        ],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)


# Fixtures


def fresh(url: str) -> Database:
    database = Database(url)
    migrate.upgrade(database)
    with database.write() as conn:
        conn.execute(text("DELETE FROM tasks"))
        conn.execute(text("DELETE FROM workers"))
        conn.execute(text("DELETE FROM users"))
        now = datetime.now(UTC)
        for n in range(USERS_COUNT):
            conn.execute(
                insert(USERS).values(
                    username=f"user{n}",
                    display_name="-",
                    role="user",
                    password_hash="-",
                    is_active=True,
                    created_at=now,
                )
            )
    return database


def submit(database: Database, count: int, kind: str, payload: dict[str, object]) -> None:
    with database.write() as conn:
        users = list(conn.execute(select(USERS.c.id)).scalars())
        tasks = [NewTask(users[n % len(users)], kind, {"n": n, **payload}, {}) for n in range(count)]
        queue.submit(conn, tasks)


def counted(database: Database, where: str) -> int:
    with database.read() as conn:
        return int(conn.execute(text(f"SELECT count(*) FROM tasks WHERE {where}")).scalar_one())


def wait_until(database: Database, where: str, count: int, seconds: float) -> None:
    until = time.monotonic() + seconds
    while counted(database, where) < count:
        if time.monotonic() > until:
            raise SystemExit(f"{counted(database, where)} of {count} tasks {where} after {seconds} s")
        time.sleep(0.01)


def span(database: Database) -> float:
    """Seconds from the first start to the last end, by the database's clock."""
    with database.read() as conn:
        rows = conn.execute(select(TASKS.c.started_at, TASKS.c.completed_at)).all()
    return (max(row[1] for row in rows) - min(row[0] for row in rows)).total_seconds()


# Scenarios: each returns (figure, settings)


def drain(url: str, locks: Path, tasks: int, batch: int) -> list[tuple[str, str]]:
    """The three loops in turn, three times: the machine's mood falls on all of them."""
    ours, same, least = [], [], []
    for _ in range(3):
        database = fresh(url)
        submit(database, tasks, "noop", {})
        with worker(url, locks, concurrency=2 * batch, batch=batch):
            wait_until(database, "status = 'completed'", tasks, 120)
        ours.append(tasks / span(database))
        for rates, loop in ((same, raw_queue.drain_same), (least, raw_queue.drain_least)):
            fresh(url).dispose()
            submit(database, tasks, "noop", {})
            rates.append(tasks / loop(url, batch))
        database.dispose()
    rate, raw, floor = statistics.median(ours), statistics.median(same), statistics.median(least)
    settings = (
        f"{tasks} no-op tasks, {USERS_COUNT} users, batch {batch}, concurrency {2 * batch}, median of 3"
    )
    return [
        (f"no-op drain             {rate:8.0f} tasks/s", settings),
        (f"  same loop in raw SQL  {raw:8.0f} tasks/s", f"ratio {rate / raw:.2f}"),
        (
            f"  least that could be   {floor:8.0f} tasks/s",
            f"ratio {rate / floor:.2f} (no fairness, no fence)",
        ),
    ]


def pickup(url: str, locks: Path) -> list[tuple[str, str]]:
    database = fresh(url)
    waits = []
    with worker(url, locks, concurrency=50, batch=5):
        submit(database, 1, "noop", {})
        wait_until(database, "status = 'completed'", 1, 30)
        for n in range(200):
            time.sleep(0.02 + (n % 7) * 0.01)
            submit(database, 1, "noop", {})
            committed = time.time()
            wait_until(database, "status = 'completed'", n + 2, 30)
            with database.read() as conn:
                last = conn.execute(select(TASKS.c.result).order_by(TASKS.c.id.desc()).limit(1)).scalar_one()
            waits.append(1000 * (last["began"] - committed))
    database.dispose()
    waits.sort()
    return [
        (
            f"pick-up                p50 {waits[100]:.1f} ms, p99 {waits[197]:.1f} ms",
            "200 tasks one by one, commit → first line of the handler, batch 5",
        )
    ]


def sleep(url: str, locks: Path) -> list[tuple[str, str]]:
    database = fresh(url)
    with worker(url, locks, concurrency=500, batch=100) as process:
        submit(database, 1, "noop", {})
        wait_until(database, "status = 'completed'", 1, 30)
        began = time.monotonic()
        submit(database, 500, "sleep", {"seconds": 1})
        committed = time.monotonic()
        wait_until(database, "status = 'completed'", 501, 60)
        took = time.monotonic() - committed
        status = Path(f"/proc/{process.pid}/status").read_text()
        peak = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024
    database.dispose()
    return [
        (
            f"500 tasks of 1 s       {took:.2f} s, {peak:.0f} MB peak",
            "one worker, concurrency 500, batch 100; from the commit until all are completed"
            f" (submit {committed - began:.2f} s)",
        )
    ]


def recovery(url: str, locks: Path) -> list[tuple[str, str]]:
    rows = []
    for title, apart in (("same host", False), ("otherwise", True)):
        database = fresh(url)
        other = locks / "elsewhere" if apart else locks
        with worker(url, locks, concurrency=20, batch=20) as first:
            submit(database, 20, "sleep", {"seconds": 120})
            wait_until(database, "status = 'running'", 20, 30)
            with worker(url, other, concurrency=50, batch=20):
                # The survivor must have been steady for a full lease before it may sweep.
                time.sleep(22 if apart else 4)
                os.kill(first.pid, signal.SIGKILL)
                killed = time.monotonic()
                wait_until(database, "status = 'running' AND attempt = 2", 20, 60)
                took = time.monotonic() - killed
        database.dispose()
        rows.append(
            (f"recovery, {title:12s} {took:.1f} s", "20 running tasks, kill -9, until all run elsewhere")
        )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=4000)
    parser.add_argument("--postgres", default="")
    parser.add_argument("--only", default="drain,pickup,sleep,recovery")
    parser.add_argument("--worker", default="")
    parser.add_argument("--concurrency", type=int, default=50)
    parser.add_argument("--batch", type=int, default=5)
    parser.add_argument("--locks", default="")
    options = parser.parse_args()
    if options.worker:
        return run_worker(options.worker, options.concurrency, options.batch, options.locks)
    chosen = options.only.split(",")
    with tempfile.TemporaryDirectory() as folder, raw_queue.postgres(options.postgres) as postgres:
        locks = Path(folder) / "locks"
        for name, url in (("SQLite", f"sqlite:///{folder}/queue.db"), ("PostgreSQL", postgres)):
            print(f"\n{name}")
            rows: list[tuple[str, str]] = []
            if "drain" in chosen:
                rows += drain(url, locks, options.tasks, 50)
                rows += drain(url, locks, options.tasks, 200)
            if "pickup" in chosen:
                rows += pickup(url, locks)
            if "sleep" in chosen:
                rows += sleep(url, locks)
            if "recovery" in chosen:
                rows += recovery(url, locks)
            for figure, settings in rows:
                print(f"  {figure:45s} {settings}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
