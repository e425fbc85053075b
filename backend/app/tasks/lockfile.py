"""The dead are known at once: each worker holds an exclusive file lock for its lifetime.

Whoever shares its host and boot and gets that lock knows that it is gone. The kernel drops the lock with
the process, however it ends; it is not inherited, since children are started with exec and the descriptor
is close-on-exec. Device and inode in the worker's row tell whether two processes mean the same file: in
another container or with another data folder they differ, nothing can be said, and the lease decides.
"""

from __future__ import annotations

import fcntl
import os
import socket
import uuid
from contextlib import suppress
from pathlib import Path

from backend.app.tasks.queue import WorkerIdentity


def boot_id() -> str:
    """This boot of this kernel; empty where the system does not tell (then only leases decide)."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


class WorkerLock:
    """Held from `acquire` to `release`, or to the end of the process."""

    def __init__(self, folder: Path, worker_id: str) -> None:
        self._path = folder / f"{worker_id}.lock"
        self._fd: int | None = None

    def acquire(self) -> tuple[int, int]:
        """Lock the file; its device and inode."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        stat = os.fstat(self._fd)
        return stat.st_dev, stat.st_ino

    def release(self) -> None:
        with suppress(OSError):
            self._path.unlink()
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def new_identity(lock_folder: Path, concurrency: int) -> tuple[WorkerIdentity, WorkerLock]:
    """An identity for this process, its lock held already (before any row tells of it)."""
    worker_id = uuid.uuid4().hex
    lock = WorkerLock(lock_folder, worker_id)
    device, inode = lock.acquire()
    identity = WorkerIdentity(
        id=worker_id,
        host=socket.gethostname(),
        boot_id=boot_id(),
        pid=os.getpid(),
        concurrency=concurrency,
        lock_device=device,
        lock_inode=inode,
    )
    return identity, lock


def is_dead(folder: Path, worker_id: str, device: int | None, inode: int | None) -> bool:
    """Whether the worker's lock is free. False when that cannot be told. Creates nothing; removes the
    file of a worker found dead."""
    path = folder / f"{worker_id}.lock"
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        stat = os.fstat(fd)
        if (stat.st_dev, stat.st_ino) != (device, inode):
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
    finally:
        os.close(fd)


def forget(folder: Path, worker_id: str) -> None:
    """Remove the lock file of a worker whose death is recorded."""
    with suppress(OSError):
        (folder / f"{worker_id}.lock").unlink()
