"""Databases for tests: SQLite files and a PostgreSQL server of the tests' own.

`PostgresServer` runs on a free loopback port with its own data folder, as user `postgres` when the tests
run as root (it refuses to run as root), and dies with the process that started it. Each test gets a fresh
database, copied from a migrated template.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from backend.app.db import migrate
from backend.app.db.engine import Database

TEMPLATE = "sa_template"
_PR_SET_PDEATHSIG = 1
_START_SECONDS = 30.0
_ROOM = 2 * 1024**3  # bytes
_ALWAYS = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=200",
    "shared_buffers=64MB",
    "dynamic_shared_memory_type=mmap",  # in the data folder, so that it goes away with it
    "log_min_messages=fatal",
)
# Nothing here outlives the test run, so durability would only cost time; tests that crash the server on
# purpose start one with `durable=True`.
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


def postgres_programs() -> Path | None:
    """The folder of the newest installed PostgreSQL's programs; None when there is none."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3].split(".")[0])
    )
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def _memory() -> str | None:
    """A folder in memory with room enough: a fresh database takes 50 ms there and 500 ms on a disk."""
    try:
        roomy = shutil.disk_usage("/dev/shm").free > _ROOM and os.access("/dev/shm", os.W_OK)
    except OSError:
        return None
    return "/dev/shm" if roomy else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class PostgresServer:
    """One server. `start` and `stop` may be called again and again: the data folder stays."""

    def __init__(self, programs: Path, *, durable: bool = False) -> None:
        self._programs = programs
        self._options = () if durable else _FAST
        self.folder = Path(tempfile.mkdtemp(prefix="sa-postgres-", dir=None if durable else _memory()))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._serial = itertools.count(1)
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self.folder, account.pw_uid, account.pw_gid)
            self._as_owner = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        else:
            self._as_owner = {}
        self._run("initdb", "-D", str(self.folder / "data"), "-U", "sa", "-A", "trust", "-E", "UTF8",
                  "--locale=C", "--no-sync")  # fmt: skip

    def url(self, name: str = "postgres") -> str:
        return f"postgresql://sa@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        options = [*_ALWAYS, *self._options]
        command = [str(self._programs / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *itertools.chain.from_iterable(("-c", option) for option in options)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C in the terminal is for the tests
                preexec_fn=_end_with_parent,
                **self._as_owner,
            )
        self._wait()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT cuts connections and ends in order; SIGQUIT is the crash (`-m immediate`)."""
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.wait(timeout=30)
        self._process = None

    def remove(self) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def make_template(self) -> None:
        """The migrated database that `fresh` copies."""
        self._execute(f"CREATE DATABASE {TEMPLATE}")
        database = Database(self.url(TEMPLATE))
        try:
            migrate.upgrade(database)
        finally:
            database.dispose()

    @contextlib.contextmanager
    def fresh(self, *, template: str = TEMPLATE) -> Iterator[str]:
        """The URL of a database of its own, dropped at the end. `template="template0"`: an empty one."""
        name = f"sa_test_{next(self._serial)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            if self._process is not None:
                self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _execute(self, sql: str) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(sql.encode())

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            **self._as_owner,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr[-2000:]}")

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                dead = self._process is None or self._process.poll() is not None
                if dead or time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "server.log").read_text()[-2000:]) from None
                time.sleep(0.05)


def _end_with_parent() -> None:
    """Runs in the child, after it has become `postgres`: a killed test run leaves no server behind."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def migrated_sqlite(folder: Path) -> Path:
    """A migrated, empty database file (with no WAL beside it, so that copying the file is enough)."""
    file = folder / "template.db"
    database = Database(f"sqlite:///{file}")
    try:
        migrate.upgrade(database)
    finally:
        database.dispose()
    return file
