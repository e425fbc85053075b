"""How should the API run a read? 32 clients GET one task, with authentication, for some seconds.

    python -m benchmarks.api_reads [--seconds 4] [--clients 32]

Each way is a whole server process (uvicorn, one worker) over the same database; the clients are this process.
`db/engine.py` keeps what wins. PostgreSQL is a server of the benchmark's own, as in the tests.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import uvicorn
from sqlalchemy import create_engine

from backend.app import bootstrap
from backend.app.db import migrate
from backend.app.db.engine import AsyncDatabase, Database
from backend.app.settings import Settings
from backend.tests.databases import PostgresServer, free_port, postgres_programs

ROOT = Path(__file__).resolve().parents[1]
SECRET = "benchmark-benchmark-benchmark-benchmark"
PASSWORD = "correct horse battery"


class InThreads(AsyncDatabase):
    """Every read in a pool of threads with synchronous connections."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._threads = ThreadPoolExecutor(8)
        self._blocking = Database(url, pool_size=8)
        if self.dialect == "postgresql":  # as favourable as the chosen way has it
            engine = create_engine(
                self._blocking.url, pool_size=8, isolation_level="AUTOCOMMIT", pool_reset_on_return=None
            )
            self._blocking._reading = engine

    async def row(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        def run() -> Any:
            with self._blocking.read() as conn:
                return fn(conn, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)


WAYS = {"chosen": AsyncDatabase, "threads": InThreads}
NAMES = {
    ("sqlite", "chosen"): "straight on the loop (db/engine)",
    ("sqlite", "threads"): "thread pool",
    ("postgresql", "chosen"): "async engine, run_sync (db/engine)",
    ("postgresql", "threads"): "thread pool",
}


def serve(way: str, url: str, port: int, folder: str) -> None:
    bootstrap.AsyncDatabase = WAYS[way]  # type: ignore[misc]
    made = Settings(
        _env_file=None, database_url=url, data_dir=Path(folder), jwt_secret=SECRET, log_level="WARNING"
    )
    bootstrap.configure_logging(made)
    uvicorn.run(bootstrap.build_api(made), port=port, log_config=None, access_log=False)


async def client(port: int, request: bytes, until: float, times: list[float]) -> None:
    """One keep-alive connection; as little work per request as Python allows."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.monotonic() < until:
        began = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode())
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r")[0])
        await reader.readexactly(length)
        times.append(time.perf_counter() - began)
    writer.close()


def prepare(port: int) -> bytes:
    """The request that all clients send."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:
        until = time.monotonic() + 30
        while True:
            try:
                http.get("/health/live")
                break
            except httpx.TransportError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
        http.post("/api/auth/register", json={"username": "bench", "password": PASSWORD})
        login = http.post("/api/auth/login", data={"username": "bench", "password": PASSWORD})
        token = login.json()["access_token"]
        auth = {"Authorization": f"Bearer {token}"}
        task = http.post("/api/tasks/bidding/text", data={"text": "x"}, headers=auth).json()
    lines = (f"GET /api/tasks/{task['id']} HTTP/1.1", "Host: x", f"Authorization: Bearer {token}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def measure(port: int, request: bytes, clients: int, seconds: float) -> tuple[list[float], int]:
    """The sorted times of the measured requests, and how many were sent with those that warm up."""
    times: list[float] = []
    warming = 0
    for length in (0.5, seconds):
        warming = len(times)
        times.clear()
        until = time.monotonic() + length
        await asyncio.gather(*(client(port, request, until, times) for _ in range(clients)))
    return sorted(times), warming + len(times)


def run(dialect: str, way: str, url: str, clients: int, seconds: float) -> None:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.api_reads", "--serve", way, url, str(port), folder]
        server = subprocess.Popen(command, cwd=ROOT)
        try:
            request = prepare(port)
            process = psutil.Process(server.pid)
            before = process.cpu_times()
            times, asked = asyncio.run(measure(port, request, clients, seconds))
            after = process.cpu_times()
        finally:
            server.terminate()
            server.wait(20)
    rate = len(times) / seconds
    cpu = (sum(after[:2]) - sum(before[:2])) / asked * 1000
    p50, p99 = times[len(times) // 2] * 1000, times[int(len(times) * 0.99)] * 1000
    figures = f"{rate:>8,.0f}/s {p50:>8.1f} ms {p99:>8.1f} ms {cpu:>8.2f} ms"
    print(f"{dialect:<11} {NAMES[dialect, way]:<36} {figures}")


def migrated(url: str) -> str:
    database = Database(url)
    migrate.upgrade(database)
    database.dispose()
    return url


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", nargs=4)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--clients", type=int, default=32)
    given = parser.parse_args()
    if given.serve:
        way, url, port, folder = given.serve
        serve(way, url, int(port), folder)
        return
    shown = f"{given.clients} clients, {given.seconds:g} s, {os.cpu_count()} cores"
    print(f"GET of one task with authentication, {shown}")
    print(f"{'database':<11} {'way':<36} {'requests':>10} {'p50':>11} {'p99':>11} {'server CPU':>11}")
    with tempfile.TemporaryDirectory() as folder:
        url = migrated(f"sqlite:///{folder}/bench.db")
        for way in WAYS:
            run("sqlite", way, url, given.clients, given.seconds)
    programs = postgres_programs()
    if programs is None:
        print("postgresql  not installed")
        return
    postgres = PostgresServer(programs)
    try:
        postgres.start()
        with postgres.fresh(template="template0") as url:
            migrated(url)
            for way in WAYS:
                run("postgresql", way, url, given.clients, given.seconds)
    finally:
        postgres.remove()


if __name__ == "__main__":
    main()
