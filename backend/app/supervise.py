"""The process behind `start_backend.sh`: `python -m backend.app.supervise`, with the same options.

Alone, the API takes this process over (exec). With a worker, this process starts both, starts again
whichever dies (1 → 2 → … → 30 s between tries), and on SIGTERM, Ctrl-C or a closed terminal stops both and
waits for them; a second signal is passed on, which makes the worker hand its tasks back at once. When this
process itself is killed, the kernel sends its children SIGTERM, so that no orphan stays.

Exit codes: 0 stopped as asked; 1 when something had to be killed; 2 bad settings or arguments; 4 the port
is taken; the API's own code when it could not start.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from backend.app.common.logging import configure, get_logger
from backend.app.settings import REPOSITORY, SettingsError, load_settings

log = get_logger("supervise")

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
# A process that lived this long has started well: its next death begins the pauses anew.
_STARTED_WELL_S = 15.0
# What the API may take to end its connections, and both for the rest, before they are killed.
_API_GRACE_S = 10
_BAD_SETTINGS = 2  # a child that says so would say it again
_END_SLACK_S = 20.0
_PR_SET_PDEATHSIG = 1


@dataclass
class Child:
    """One process that should always run."""

    name: str
    command: Sequence[str]
    env: dict[str, str]
    essential: bool  # when it cannot even start, neither can the whole
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    starts_at: float = 0.0  # monotonic; when to start it (again)
    deaths: int = 0  # in a row
    well: bool = field(default=False)  # whether it ever lived long enough

    def start(self, now: float, in_child: Callable[[], None]) -> None:
        self.process = subprocess.Popen(
            self.command,
            env=self.env,
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            # A group of its own: Ctrl-C reaches only us, and each child hears of it once.
            process_group=0,
            preexec_fn=in_child,  # noqa: PLW1509  this process has one thread
        )
        self.started = now
        log.info("process_started", process=self.name, pid=self.process.pid)

    def look(self, now: float, *, asked: bool = False) -> int | None:
        """Reap it when it has ended: its exit code (negative: the signal that ended it). `asked`: it was
        told to."""
        if self.process is None:
            return None
        code = self.process.poll()
        if code is None:
            self.well = self.well or now - self.started >= _STARTED_WELL_S
            return None
        lived = now - self.started
        self.deaths = 1 if lived >= _STARTED_WELL_S else self.deaths + 1
        self.starts_at = now + pause(self.deaths)
        self.process = None
        tell = log.info if asked else log.warning
        tell("process_ended", process=self.name, exit_code=code, lived_s=round(lived, 1))
        return code

    def signal(self, number: int) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.send_signal(number)


def pause(deaths: int) -> float:
    """Seconds before a process is started again after its `deaths`th death in a row (1-based)."""
    return float(min(_FIRST_PAUSE_S * 2 ** (deaths - 1), _LONGEST_PAUSE_S))


class Supervisor:
    """Keeps its children running until it is told to stop."""

    def __init__(self, children: list[Child], *, grace: float) -> None:
        self._children, self._grace = children, grace
        self._signals = 0
        self._wake, self._woken = os.pipe()
        self._in_child = _dies_with(os.getpid())

    def run(self) -> int:
        self._listen()
        code = 0
        while not self._signals:
            gave_up = self._tend(time.monotonic())
            if gave_up is not None:
                code = gave_up
                break
            self._sleep(self._next_look())
        return self._stop() or code

    def _tend(self, now: float) -> int | None:
        """Reap the dead, start what is due; an exit code when it makes no sense to go on."""
        for child in self._children:
            code = child.look(now)
            hopeless = code == _BAD_SETTINGS or (child.essential and not child.well)
            if code is not None and code > 0 and hopeless:
                log.error("process_cannot_start", process=child.name, exit_code=code)
                return code
            if child.process is None and now >= child.starts_at:
                child.start(now, self._in_child)
        return None

    def _next_look(self) -> float:
        now = time.monotonic()
        return min(
            (max(child.starts_at - now, 0.0) for child in self._children if child.process is None),
            default=_STARTED_WELL_S,
        )

    def _stop(self) -> int:
        """Ask all to end and wait; what is left after the grace time is killed. 1 when that was needed."""
        self._signal_all(signal.SIGTERM)
        passed_on = max(self._signals, 1)
        until = time.monotonic() + self._grace
        while any(child.process is not None for child in self._children):
            now = time.monotonic()
            for child in self._children:
                child.look(now, asked=True)
            if self._signals > passed_on:
                passed_on = self._signals
                self._signal_all(signal.SIGTERM)
            if now >= until:
                log.error("process_killed", processes=[c.name for c in self._children if c.process])
                self._signal_all(signal.SIGKILL)
                for child in self._children:
                    if child.process is not None:
                        child.process.wait()
                return 1
            if any(child.process is not None for child in self._children):
                self._sleep(until - now)
        return 0

    def _signal_all(self, number: int) -> None:
        for child in self._children:
            child.signal(number)

    def _listen(self) -> None:
        for end in (self._wake, self._woken):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # Under nohup SIGHUP is ignored, and stays so.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._count)

    def _count(self, _number: int, _frame: object) -> None:
        self._signals += 1

    def _sleep(self, seconds: float) -> None:
        """Until a signal arrives (a child's end is one), or that long."""
        select.select([self._wake], [], [], seconds)
        with suppress(BlockingIOError):
            os.read(self._wake, 4096)


def _dies_with(parent: int) -> Callable[[], None]:
    """What a child does first (Linux): ask for SIGTERM when its parent dies, however that happens."""
    if not sys.platform.startswith("linux"):
        return lambda: None
    prctl = ctypes.CDLL(None).prctl

    def in_child() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the kernel was asked
            os._exit(1)

    return in_child


def api_command(host: str, port: int) -> list[str]:
    """uvicorn; the application itself decides whose forwarded address it believes."""
    command = [sys.executable, "-m", "uvicorn", "backend.app.main:create_app", "--factory"]
    return [*command, "--host", host, "--port", str(port), "--no-server-header", "--no-proxy-headers",
            "--timeout-graceful-shutdown", str(_API_GRACE_S)]  # fmt: skip


def environment() -> dict[str, str]:
    """This process's own, with the repository first on the path: the children may run from anywhere."""
    env = dict(os.environ)
    rest = [part for part in env.get("PYTHONPATH", "").split(os.pathsep) if part and part != str(REPOSITORY)]
    env["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY), *rest])
    return env


def _port(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= 65535:
        raise argparse.ArgumentTypeError("端口应为 1 至 65535 的整数")
    return number


def in_use(host: str, port: int) -> bool:
    """Whether another program listens there; any other trouble with the address uvicorn tells best."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="start_backend.sh", add_help=False)
    parser.add_argument("--with-worker", action="store_true")
    parser.add_argument("--host")
    parser.add_argument("--port", type=_port)
    options = parser.parse_args(arguments)
    try:
        settings = load_settings()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    host, port = options.host or settings.host, options.port or settings.port
    if in_use(host, port):
        sys.stderr.write(f"{host}:{port} 已被其他程序占用，请停止它，或用 --port 换一个端口\n")
        return 4
    env, api = environment(), api_command(host, port)
    if not options.with_worker:
        os.chdir(REPOSITORY)
        os.execve(sys.executable, api, env)
    configure(settings.log_format, settings.log_level)
    log_file = str(settings.log_file or REPOSITORY / "worker.log")
    worker = [sys.executable, "-m", "backend.app.tasks.worker"]
    children = [
        Child("api", api, env, essential=True),
        Child("worker", worker, env | {"SA_LOG_FILE": log_file}, essential=False),
    ]
    return Supervisor(children, grace=settings.shutdown_grace + _API_GRACE_S + _END_SLACK_S).run()


if __name__ == "__main__":
    sys.exit(main())
