"""The set-up that every start script shares: environment, packages, database; then the command itself.

    python prepare.py [--dev] [--migrate] [-- ARGUMENT ...]

Standard library only: it runs before anything is installed. Everything happens under one file lock, so
that two scripts may be started at once; each step looks first and does nothing when nothing changed.
After the set-up this process *becomes* `.venv/bin/python ARGUMENT ...` (exec): no shell or helper stays
in between, and signals reach the program itself. Exit codes: 2 for bad settings (from the migration),
3 when the set-up is impossible, 130 and 143 after Ctrl-C and SIGTERM.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed.json"
LOCK = ROOT / ".tools" / "setup.lock"
OLDEST = (3, 11)


class SetupError(Exception):
    """The set-up cannot go on; the text tells the operator what to do."""


def say(text: str) -> None:
    sys.stderr.write(f"[准备] {text}\n")
    sys.stderr.flush()


@contextlib.contextmanager
def locked() -> Iterator[int]:
    """The lock of the whole set-up; yields its descriptor. Children that change things hold it too: when
    this process is killed, the next one still waits for a pip that goes on."""
    try:
        LOCK.parent.mkdir(exist_ok=True)
        descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise SetupError(f"无法写入目录 {LOCK.parent}（{error.strerror}），请检查权限") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("另一个脚本正在准备环境，等待它完成……")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def run(command: Sequence[str | Path], lock: int, *, quiet: bool = False) -> int:
    """Run one child to its end; on a signal it is killed before this process goes."""
    # PIP_* and everything else of the environment is respected, but for what would lead pip astray: other
    # folders' packages, and an installation outside the virtual environment.
    env = {k: v for k, v in os.environ.items() if k not in {"PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"}}
    env["PIP_USER"] = "0"
    sink = subprocess.DEVNULL if quiet else None
    done = subprocess.run(command, env=env, pass_fds=(lock,), stdout=sink, stderr=sink, check=False)
    return done.returncode


# The environment


def venv_version() -> str | None:
    """ "3.11" of a virtual environment that runs; None when there is none or it is broken."""
    if not PYTHON.exists():
        return None
    look = "import sys; print('%d.%d' % sys.version_info[:2] if sys.prefix != sys.base_prefix else '')"
    done = subprocess.run([PYTHON, "-c", look], capture_output=True, text=True, check=False)
    version = done.stdout.strip()
    if done.returncode or not version or tuple(map(int, version.split("."))) < OLDEST:
        return None
    # After an upgrade of the system's Python the packages lie in a folder that it does not look into.
    return version if (VENV / "lib" / f"python{version}").is_dir() else None


def make_environment(lock: int) -> None:
    """Create `.venv` where there is no usable one. The stamp tells a finished one from a half-made one."""
    if venv_version() is not None and (STAMP.exists() or has_pip(PYTHON)):
        return
    if Path(sys.prefix).resolve() == VENV.resolve():
        raise SetupError(f"虚拟环境 {VENV} 已损坏，请删除后重试")
    say(f"创建虚拟环境 .venv（Python {sys.version.split()[0]}）")
    make = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    made = run(make, lock, quiet=True) == 0
    if not made and has_pip(sys.executable):
        # Debian without python3-venv, but with pip: pip installs into an environment that has none itself.
        made = run([*make, "--without-pip"], lock) == 0
    elif not made and install_venv_package(lock):
        made = run(make, lock) == 0
    if not made:
        shutil.rmtree(VENV, ignore_errors=True)
        raise SetupError(
            "无法创建虚拟环境：系统的 Python 缺少 venv 或 pip。"
            f"请先安装后重试，例如：sudo apt install python{version_of_this()}-venv"
        )
    write_stamp({})


def version_of_this() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def has_pip(python: str | Path) -> bool:
    """Whether this interpreter has a pip that knows `--python` (22.3 and later)."""
    look = "import pip; raise SystemExit(tuple(map(int, pip.__version__.split('.')[:2])) < (22, 3))"
    return subprocess.run([python, "-c", look], capture_output=True, check=False).returncode == 0


def install_venv_package(lock: int) -> bool:
    """Debian splits venv off; root may fetch it."""
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        return False
    say(f"系统缺少 venv 模块，安装 python{version_of_this()}-venv")
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    run([apt, "-q", "update"], lock, quiet=True)
    install = [apt, "-qy", "-o", "DPkg::Lock::Timeout=120", "install", "--no-install-recommends"]
    return any(
        run([*install, package], lock, quiet=True) == 0
        for package in (f"python{version_of_this()}-venv", "python3-venv")
    )


# The packages


def fingerprint(requirements: Path) -> str:
    return hashlib.sha256(requirements.read_bytes()).hexdigest()


def installed() -> dict[str, str]:
    """What was installed before: file name → fingerprint."""
    try:
        found = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_stamp(content: dict[str, str]) -> None:
    draft = STAMP.with_suffix(".new")
    draft.write_text(json.dumps(content, indent=1), encoding="utf-8")
    draft.replace(STAMP)


def install_packages(lock: int, *, dev: bool) -> None:
    """Install the locked versions, when their list changed. The stamp is written after success only."""
    names = ["requirements.txt", "requirements-dev.txt"] if dev else ["requirements.txt"]
    wanted = {name: fingerprint(ROOT / name) for name in names}
    have = installed()
    if wanted.items() <= have.items():
        return
    say("安装依赖（首次需要一两分钟）……")
    arguments = ["install", "--quiet", "--no-input", "--disable-pip-version-check", "--require-hashes"]
    for name in names:
        arguments += ["-r", str(ROOT / name)]
    # Without a pip of its own the environment is filled from outside.
    outside = getattr(sys, "_base_executable", sys.executable)
    pip = [PYTHON, "-m", "pip"] if has_pip(PYTHON) else [outside, "-m", "pip", "--python", PYTHON]
    if run([*pip, *arguments], lock):
        raise SetupError("依赖安装失败，原因见上。请检查网络或 pip 的镜像设置（PIP_INDEX_URL）后重试")
    write_stamp(have | wanted)


# The database


def migrate(lock: int) -> None:
    code = run([PYTHON, ROOT / "backend" / "migrate_db.py"], lock)
    if code:
        if code != 2:  # 2: a setting is wrong, and the sentence above says which
            say("数据库迁移失败，原因见上")
        raise SystemExit(code if code > 0 else 128 - code)


def prepare(*, dev: bool, with_database: bool) -> None:
    """One line a step; each returns at once when there is nothing to do."""
    with locked() as lock:
        make_environment(lock)
        install_packages(lock, dev=dev)
        if with_database:
            migrate(lock)


def end(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def main(arguments: list[str]) -> int:
    options, command = arguments, []
    if "--" in arguments:
        at = arguments.index("--")
        options, command = arguments[:at], arguments[at + 1 :]
    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as it is for a script's background jobs
            signal.signal(number, end)
    if sys.version_info < OLDEST:
        raise SetupError(f"需要 Python 3.11 或更高版本，现为 {sys.version.split()[0]}")
    prepare(dev="--dev" in options, with_database="--migrate" in options)
    if command:
        os.execv(PYTHON, [str(PYTHON), *command])
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SetupError as error:
        say(str(error))
        sys.exit(3)
