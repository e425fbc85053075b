"""The worker's process, started on a folder of its own and watched from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.llm.surroundings import ROOT, variables_of


@dataclass
class Worker:
    """The worker's process, watched from outside."""

    popen: subprocess.Popen[bytes]
    log: Path
    children: int = 0
    children_mb: float = 0.0

    def __post_init__(self) -> None:
        self.process = psutil.Process(self.popen.pid)

    def look(self) -> None:
        """Children at this moment; our own memory's peak the system keeps."""
        found = self.process.children(recursive=True)
        self.children = max(self.children, len(found))
        with suppress(psutil.NoSuchProcess):
            self.children_mb = max(self.children_mb, sum(c.memory_info().rss for c in found) / 2**20)

    def memory(self, name: str) -> float:
        """VmRSS or VmHWM (its peak), in MB."""
        status = Path(f"/proc/{self.popen.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith(name))) / 1024

    def cpu(self) -> float:
        return sum(self.process.cpu_times()[:2])

    def logged(self, event: str) -> int:
        return self.log.read_bytes().count(f'"event": "{event}"'.encode())


@contextmanager
def worker(folder: Path, url: str, base_url: str, streams: int) -> Iterator[Worker]:
    environment = {
        **os.environ,
        **variables_of(base_url, "drip"),
        "SA_DATABASE_URL": url,
        "SA_DATA_DIR": str(folder / "data"),
        "SA_WORKER_CONCURRENCY": str(streams),
        "SA_MAX_RUNNING_PER_USER": str(2 * streams),
        "SA_BATCH_SIZE": str(streams),
        "SA_SHUTDOWN_GRACE": "1",
    }
    log = folder / "worker.log"
    with log.open("wb") as out:
        popen = subprocess.Popen(
            [sys.executable, "-m", "backend.app.tasks.worker"],
            cwd=ROOT,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Worker(popen, log)
    finally:
        popen.send_signal(signal.SIGTERM)
        try:
            popen.wait(30)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.wait(10)


def until(true: Callable[[], bool], watched: Worker, seconds: float) -> tuple[float, float]:
    """Wait for it while watching the worker; seconds and CPU seconds of the worker that it took."""
    began, cpu = time.monotonic(), watched.cpu()
    while not true() and time.monotonic() - began < seconds:
        if watched.popen.poll() is not None:
            raise SystemExit(f"the worker ended: {watched.log.read_text()[-2000:]}")
        watched.look()
        time.sleep(0.1)
    return time.monotonic() - began, watched.cpu() - cpu
