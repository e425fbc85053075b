"""Renew leases, notice cancels and losses, find dead neighbours: a thread with a connection of its own,
so that neither a busy event loop nor a full pool makes a healthy worker look dead."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from backend.app.db.engine import Database, is_outage
from backend.app.tasks import lockfile, queue
from backend.app.tasks.queue import WorkerIdentity
from backend.app.tasks.task import Lease

log = structlog.get_logger("heartbeat")

# Cancels are to be heard within 2 s and dead neighbours within 3 s.
LOOK_S = 1.0
# No new LLM call when the last renewal is older than this share of the lease (15 s of 20 s).
FRESH_SHARE = 0.75

# It goes on while the machine is suspended: a worker that wakes up must not take its own leases for a dead
# neighbour's, nor believe that it renewed them a moment ago.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def _now() -> float:
    return time.clock_gettime(_CLOCK)


class LeaseBook:
    """The leases this worker holds; shared by the loop, which fills it, and the heartbeat, which renews."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[int, Lease] = {}

    def add(self, lease: Lease) -> Lease | None:
        """An older lease on the same task that this one replaces: its attempt is lost."""
        with self._lock:
            replaced = self._held.get(lease.task_id)
            self._held[lease.task_id] = lease
            return replaced

    def remove(self, lease: Lease) -> None:
        with self._lock:
            if self._held.get(lease.task_id) == lease:
                del self._held[lease.task_id]

    def all(self) -> list[Lease]:
        with self._lock:
            # By id: rows are locked in that order everywhere.
            return [self._held[task_id] for task_id in sorted(self._held)]


class Heartbeat:
    """`on_lost(lease)` is called from this thread for each attempt that is no longer ours."""

    def __init__(
        self,
        database: Database,
        identity: WorkerIdentity,
        book: LeaseBook,
        on_lost: Callable[[Lease], None],
        *,
        lock_folder: Path,
        lease_seconds: float,
        every: float,
    ) -> None:
        self._database, self._identity, self._book = database, identity, book
        self._on_lost, self._lock_folder = on_lost, lock_folder
        self._lease_seconds, self._every = lease_seconds, every
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._renewed_at = _now()
        self._steady_since = _now()

    def start(self) -> None:
        """Register the worker (raises when the database is not there) and begin to beat."""
        with self._database.write() as conn:
            # Not a plain insert: an earlier try may have been committed and its answer lost.
            queue.renew(conn, self._identity, [], lease_seconds=self._lease_seconds)
        self._renewed_at = self._steady_since = _now()
        self._thread.start()

    def stop(self) -> None:
        """The last thing a worker stops."""
        self._stopping.set()
        self._thread.join(timeout=30)

    def is_fresh(self) -> bool:
        """Whether the leases were renewed lately enough to start something that costs money."""
        return _now() - self._renewed_at < FRESH_SHARE * self._lease_seconds

    def may_sweep(self) -> bool:
        """Whether this worker has renewed without a gap for a full lease: then an expired lease means a
        dead worker and not that all of us were cut off from the database (or frozen) a moment ago."""
        now = _now()
        unbroken = now - self._renewed_at <= 2 * self._every
        return unbroken and now - self._steady_since >= self._lease_seconds

    def _run(self) -> None:
        next_renewal = _now() + self._every
        while not self._stopping.wait(min(LOOK_S, self._every)):
            try:
                if _now() >= next_renewal:
                    self._renew()
                    next_renewal = _now() + self._every
                else:
                    self._look()
                self._bury_the_dead()
            except Exception as error:
                if not is_outage(error):
                    log.exception("heartbeat_failed")
                else:
                    log.warning("heartbeat_missed", error=type(error).__name__)

    def _renew(self) -> None:
        leases = self._book.all()
        with self._database.write() as conn:
            # The leases count from here, however long the commit takes.
            now = _now()
            ours = queue.renew(conn, self._identity, leases, lease_seconds=self._lease_seconds)
        if now - self._renewed_at > 2 * self._every:
            self._steady_since = now
        self._renewed_at = now
        self._tell_lost(leases, ours)

    def _look(self) -> None:
        leases = self._book.all()
        if leases:
            with self._database.read() as conn:
                self._tell_lost(leases, queue.held(conn, leases))

    def _tell_lost(self, leases: list[Lease], ours: set[int]) -> None:
        for lease in leases:
            if lease.task_id not in ours:
                self._on_lost(lease)

    def _bury_the_dead(self) -> None:
        if not self._identity.boot_id:
            return
        with self._database.read() as conn:
            neighbours = queue.neighbours(conn, self._identity)
        for worker_id, device, inode in neighbours:
            if not lockfile.is_dead(self._lock_folder, worker_id, device, inode):
                continue
            with self._database.write() as conn:
                taken = queue.take_over(conn, worker_id)
                queue.worker_stopped(conn, worker_id)
            lockfile.forget(self._lock_folder, worker_id)
            log.warning("worker_found_dead", worker=worker_id, tasks=taken)
