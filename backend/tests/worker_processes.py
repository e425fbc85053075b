"""Real worker processes for tests, started, stopped and watched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backend.tests.fakes.worker_main import Setup, read_record

ROOT = Path(__file__).resolve().parents[2]


def until(true: Callable[[], bool], seconds: float = 20.0, *, every: float = 0.02) -> float:
    """Wait until it is true; the seconds it took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, f"not within {seconds} s"
        time.sleep(every)
    return time.monotonic() - began


class WorkerProcess:
    def __init__(self, command: tuple[str, ...], log: Path) -> None:
        self._log = log
        with log.open("ab") as out:
            self.popen = subprocess.Popen(
                command, cwd=ROOT, stdout=out, stderr=out, start_new_session=True, env=dict(os.environ)
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def is_running(self) -> bool:
        return self.popen.poll() is None

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        """What it logged, JSON lines only; of one event when asked."""
        found = []
        for line in self._log.read_bytes().split(b"\n")[:-1]:
            if line.startswith(b"{"):
                told = json.loads(line)
                if not event or told["event"] == event:
                    found.append(told)
        return found

    def send(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def kill(self) -> None:
        if self.is_running:
            self.send(signal.SIGKILL)
            self.popen.wait()

    def freeze(self) -> None:
        self.send(signal.SIGSTOP)

    def thaw(self) -> None:
        self.send(signal.SIGCONT)

    def ended(self, seconds: float = 15.0) -> int:
        """Wait for its end; the exit code."""
        return self.popen.wait(seconds)


class Workers:
    """The workers of one test: one database, one lock folder, one record of what handlers did."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.record = folder / "record.jsonl"
        self._base: dict[str, Any] = {
            "url": url,
            "locks": str(folder / "locks"),
            "record": str(self.record),
        }
        self.all: list[WorkerProcess] = []

    def setup(self, **more: Any) -> Setup:
        return Setup(**(self._base | more))

    def launch(self, **more: Any) -> WorkerProcess:
        """Start one; it may not be up yet when this returns."""
        made = WorkerProcess(self.setup(**more).command(), self.folder / f"worker-{len(self.all)}.log")
        self.all.append(made)
        return made

    def start(self, **more: Any) -> WorkerProcess:
        made = self.launch(**more)
        until(lambda: bool(made.lines("worker_started")) or not made.is_running)
        assert made.is_running, made.lines()
        return made

    def recorded(self, what: str = "run") -> list[dict[str, Any]]:
        return [line for line in read_record(self.record) if line["what"] == what]

    def end_all(self) -> None:
        for worker in self.all:
            if worker.is_running:
                worker.thaw()
                worker.kill()
            _end_group(worker.pid)


def _end_group(group: int) -> None:
    """Isolated workers are children of a worker and may outlive it: its process group ends with the test."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


@contextmanager
def workers_on(url: str, folder: Path) -> Iterator[Workers]:
    made = Workers(url, folder)
    try:
        yield made
    finally:
        made.end_all()
