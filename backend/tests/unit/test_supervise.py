"""The process behind `start_backend.sh --with-worker`, with small programs in place of API and worker."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from backend.app.settings import REPOSITORY
from backend.app.supervise import in_use, pause

# Writes its process id at each start; `{body}` says how it goes on.
_CHILD = """
import os, pathlib, signal, sys, time
with open({pids!r}, "a") as out: out.write(str(os.getpid()) + "\\n")
{body}
"""
_FOREVER = "time.sleep(60)"
_SUPERVISOR = """
import sys
from backend.app.supervise import Child, Supervisor
import os
children = [Child(name, [sys.executable, "-c", code], dict(os.environ), essential=name == "api")
            for name, code in zip(("api", "worker"), {codes!r})]
sys.exit(Supervisor(children, grace={grace}).run())
"""


class Family:
    """A running supervisor and what its children wrote."""

    def __init__(self, folder: Path, api: str, worker: str, grace: float) -> None:
        self.files = {"api": folder / "api", "worker": folder / "worker"}
        codes = [
            _CHILD.format(pids=str(self.files[name]), body=body)
            for name, body in (("api", api), ("worker", worker))
        ]
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SUPERVISOR.format(codes=codes, grace=grace)],
            cwd=REPOSITORY,
            stdout=subprocess.DEVNULL,
        )

    def pids(self, name: str) -> list[int]:
        file = self.files[name]
        return [int(line) for line in file.read_text().split()] if file.exists() else []

    def children(self) -> list[int]:
        return [pid for name in self.files for pid in self.pids(name) if is_alive(pid)]

    def until_started(self) -> None:
        until(lambda: len(self.children()) == 2)


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def start(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Family]:
    def start(api: str = _FOREVER, worker: str = _FOREVER, *, grace: float = 10) -> Family:
        family = Family(tmp_path, api, worker, grace)

        def end() -> None:
            family.process.kill()
            family.process.wait()
            for pid in family.children():
                os.kill(pid, signal.SIGKILL)

        request.addfinalizer(end)
        return family

    return start


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_one_signal_stops_both_and_ends_with_0(start: Callable[..., Family], number: int) -> None:
    family = start()
    family.until_started()

    family.process.send_signal(number)

    assert family.process.wait(timeout=10) == 0
    assert family.children() == []


def test_a_killed_worker_is_started_again(start: Callable[..., Family]) -> None:
    family = start()
    family.until_started()
    first = family.pids("worker")[0]

    os.kill(first, signal.SIGKILL)

    until(lambda: len(family.pids("worker")) == 2)
    assert len(family.pids("api")) == 1


def test_a_killed_api_is_started_again(start: Callable[..., Family]) -> None:
    family = start()
    family.until_started()

    os.kill(family.pids("api")[0], signal.SIGKILL)

    until(lambda: len(family.pids("api")) == 2)
    assert len(family.pids("worker")) == 1


def test_an_api_that_cannot_start_ends_everything_with_its_own_code(start: Callable[..., Family]) -> None:
    family = start(api="sys.exit(7)")

    assert family.process.wait(timeout=20) == 7
    assert family.children() == []


def test_a_worker_whose_settings_are_bad_ends_everything_too(start: Callable[..., Family]) -> None:
    """It would say the same at each start, while the API took tasks that nobody runs."""
    family = start(worker="sys.exit(2)")

    assert family.process.wait(timeout=20) == 2
    assert family.children() == []


def test_no_orphan_stays_when_the_supervisor_is_killed(start: Callable[..., Family]) -> None:
    family = start()
    family.until_started()

    family.process.kill()

    until(lambda: family.children() == [])


def test_what_does_not_stop_in_time_is_killed_and_the_exit_code_says_so(start: Callable[..., Family]) -> None:
    family = start(worker="signal.signal(signal.SIGTERM, signal.SIG_IGN); print(); " + _FOREVER, grace=1)
    family.until_started()
    time.sleep(0.3)

    family.process.terminate()

    assert family.process.wait(timeout=10) == 1
    assert family.children() == []


def test_a_second_signal_is_passed_on(start: Callable[..., Family]) -> None:
    """The worker hands its tasks back at once when it hears SIGTERM twice."""
    stubborn = "count = []\nsignal.signal(signal.SIGTERM, lambda *_: count.append(1))\n"
    family = start(worker=stubborn + "while len(count) < 2: time.sleep(0.02)")
    family.until_started()
    time.sleep(0.3)

    family.process.terminate()
    time.sleep(0.5)
    assert family.process.poll() is None
    family.process.terminate()

    assert family.process.wait(timeout=5) == 0


def test_pauses_double_up_to_half_a_minute() -> None:
    assert [pause(deaths) for deaths in (1, 2, 3, 5, 6, 50)] == [1, 2, 4, 16, 30, 30]


def test_a_taken_port_is_recognised() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = int(other.getsockname()[1])

        assert in_use("127.0.0.1", port)
    assert not in_use("127.0.0.1", port)
