"""Random kills and freezes of real workers under load: nothing may be lost, poisoned or completed twice.

    python benchmarks/chaos.py [--tasks 2000] [--users 40] [--kills 50] [--freezes 8] [--workers 4] [--seed N]
                               [--postgres URL] [--only sqlite,postgresql]

A kill is SIGKILL, and another worker takes the place at once; a freeze is SIGSTOP for longer than the lease,
then SIGCONT: what the zombie reports must be refused. Counted are the database's rows and, beside them, the
lines that the handlers wrote themselves. Exits non-zero on any violation; a run that saw no late write
refused has not tested the fence and fails, too.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# First of all: this folder's `queue` must not stand before the standard library's.
sys.path[0] = str(ROOT)

import argparse
import random
import signal
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import func, select

from backend.app.db import migrate
from backend.app.db.engine import Database
from backend.app.db.models import TASK_ATTEMPTS, TASK_EVENTS, TASKS
from backend.app.tasks import queue
from backend.app.tasks.task import NewTask
from backend.tests.queue_world import World
from backend.tests.worker_processes import WorkerProcess, Workers, until, workers_on
from benchmarks import raw_queue


@dataclass(frozen=True)
class Plan:
    tasks: int = 2000
    users: int = 40
    kills: int = 50
    freezes: int = 8
    workers: int = 4
    concurrency: int = 10
    lease_seconds: float = 2.5
    # Seconds between two faults: some worker must outlive a lease, or nobody may sweep for a frozen one.
    pause: tuple[float, float] = (0.8, 1.8)
    longest_sleep: float = 2.5
    # A short run freezes first, when all have been steady for a lease: so it surely tries the fence.
    freezes_first: bool = False
    give_up_after: float = 600.0
    seed: int = 0


@dataclass
class Outcome:
    """The counts of one run, and what was wrong with it."""

    counts: dict[str, float] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def demand(self, what: str, *, true: bool) -> None:
        if not true:
            self.violations.append(what)


class Crew:
    """The workers of a run: always so many, whoever dies is replaced at once."""

    def __init__(self, workers: Workers, plan: Plan) -> None:
        self._workers, self._plan = workers, plan
        self.places = [self._hire() for _ in range(plan.workers)]
        self._thaws: list[tuple[float, WorkerProcess]] = []
        self._up: set[int] = set()

    def _hire(self) -> WorkerProcess:
        told = {"lease_seconds": self._plan.lease_seconds, "heartbeat_seconds": self._plan.lease_seconds / 5}
        return self._workers.launch(concurrency=self._plan.concurrency, batch_size=5, **told)

    def ready(self) -> list[int]:
        """Places whose worker has begun to work and is not frozen."""
        frozen = {worker.pid for _, worker in self._thaws}
        for worker in self.places:
            if worker.pid not in self._up and worker.lines("worker_started"):
                self._up.add(worker.pid)
        return [n for n, worker in enumerate(self.places) if worker.pid in self._up - frozen]

    def wait_until_steady(self) -> None:
        """All are up and have renewed for a full lease: from now on each may sweep."""
        until(lambda: len(self.ready()) == len(self.places))
        time.sleep(1.4 * self._plan.lease_seconds)

    def kill(self, place: int) -> None:
        self.places[place].kill()
        self.places[place] = self._hire()

    def freeze(self, place: int) -> None:
        self.places[place].freeze()
        thaw_at = time.monotonic() + 2.2 * self._plan.lease_seconds
        self._thaws.append((thaw_at, self.places[place]))

    def thaw_those_due(self, *, all_of_them: bool = False) -> None:
        now = time.monotonic()
        for thaw_at, worker in self._thaws:
            if all_of_them or thaw_at <= now:
                worker.thaw()
        self._thaws = [] if all_of_them else [pair for pair in self._thaws if pair[0] > now]

    def stop(self) -> set[int]:
        """Their exit codes."""
        for worker in self.places:
            # Before that SIGTERM just kills.
            until(lambda worker=worker: bool(worker.lines("worker_started")))
            worker.send(signal.SIGTERM)
        return {worker.ended(30) for worker in self.places}

    def replace_the_fallen(self) -> int:
        """Workers that ended although nobody told them to: a violation of its own."""
        fallen = [n for n, worker in enumerate(self.places) if not worker.is_running]
        for n in fallen:
            self.places[n] = self._hire()
        return len(fallen)


def submit(world: World, plan: Plan, luck: random.Random) -> list[int]:
    """Sleeps, durable steps and no-ops, mixed over all users."""
    users = [world.user() for _ in range(plan.users)]
    tasks = []
    for n in range(plan.tasks):
        kind = luck.choices(("sleep", "steps", "noop"), (6, 2, 1))[0]
        payload = {
            "sleep": {"seconds": round(luck.uniform(0.3, plan.longest_sleep), 2)},
            "steps": {"count": 4, "seconds": 0.2},
            "noop": {"n": n},
        }[kind]
        tasks.append(NewTask(users[n % len(users)], kind, payload, {}))
    ids: list[int] = []
    for at in range(0, len(tasks), 250):
        ids += world.write(queue.submit, tasks[at : at + 250])
    return ids


def left(database: Database) -> int:
    with database.read() as conn:
        open_ = TASKS.c.status.in_(("pending", "running", "retry"))
        return int(conn.execute(select(func.count()).select_from(TASKS).where(open_)).scalar_one())


def run(url: str, folder: Path, plan: Plan) -> Outcome:
    """One run on an empty, migrated database."""
    luck, outcome = random.Random(plan.seed), Outcome()
    database = Database(url)
    world = World(database)
    world.now = datetime.now(UTC)
    with workers_on(url, folder) as workers:
        crew = Crew(workers, plan)
        if plan.freezes_first:
            crew.wait_until_steady()
        ids = submit(world, plan, luck)
        _make_trouble(crew, database, plan, luck, outcome)
        crew.thaw_those_due(all_of_them=True)
        time.sleep(1.0)  # the last late reports
        outcome.demand("a worker did not stop in good order", true=crew.stop() == {0})
        _count_workers(workers, outcome)
        _count_rows(database, ids, outcome)
        _count_record(workers, database, outcome)
    database.dispose()
    return outcome


def _make_trouble(crew: Crew, database: Database, plan: Plan, luck: random.Random, outcome: Outcome) -> None:
    """One fault after the other, until every task has ended."""
    faults = ["kill"] * plan.kills + ["freeze"] * plan.freezes
    if not plan.freezes_first:
        luck.shuffle(faults)
    made, fallen = Counter[str](), 0
    began = time.monotonic()
    next_fault = began + 0.5
    while left(database) and time.monotonic() - began < plan.give_up_after:
        crew.thaw_those_due()
        fallen += crew.replace_the_fallen()
        places = crew.ready()
        if faults and places and time.monotonic() >= next_fault:
            fault = faults.pop()
            (crew.kill if fault == "kill" else crew.freeze)(luck.choice(places))
            made[fault] += 1
            next_fault = time.monotonic() + luck.uniform(*plan.pause)
        time.sleep(0.05)
    took = round(time.monotonic() - began, 1)
    outcome.counts |= {"seconds": took, "kills": made["kill"], "freezes": made["freeze"]}
    outcome.demand(f"{fallen} workers ended by themselves", true=not fallen)
    outcome.demand(f"{len(faults)} faults were never made: too little to do", true=not faults)


def _count_workers(workers: Workers, outcome: Outcome) -> None:
    stale = sum(len(worker.lines("stale_write")) for worker in workers.all)
    outcome.counts |= {
        "workers": len(workers.all),
        "rejected late writes": stale,
        "attempts dropped as lost": sum(len(worker.lines("task_lost")) for worker in workers.all),
        "isolated": sum(len(worker.lines("task_isolated")) for worker in workers.all),
    }
    outcome.demand("no late write was rejected: the fence was not tested", true=stale > 0)


def _count_rows(database: Database, ids: list[int], outcome: Outcome) -> None:
    with database.read() as conn:
        rows = {row.id: row for row in conn.execute(select(TASKS))}
        ends = Counter(
            conn.execute(
                select(TASK_EVENTS.c.task_id).where(TASK_EVENTS.c.type == "task_completed")
            ).scalars()
        )
        attempts = Counter(
            tuple(row) for row in conn.execute(select(TASK_ATTEMPTS.c.task_id, TASK_ATTEMPTS.c.outcome))
        )
    outcomes = Counter(
        {how: sum(n for (_, o), n in attempts.items() if o == how) for how in ("completed", "lost", None)}
    )
    completed = [i for i in ids if i in rows and rows[i].status == "completed"]
    poisoned = [i for i in ids if i in rows and rows[i].error_code == "poisoned"]
    twice = [i for i in ids if ends[i] > 1 or attempts[(i, "completed")] > 1]
    outcome.counts |= {
        "tasks": len(ids),
        "completed": len(completed),
        "lost": len(ids) - len(completed),
        "poisoned": len(poisoned),
        "completed twice": len(twice),
        "attempts": sum(attempts.values()),
        "attempts lost": outcomes["lost"],
    }
    outcome.demand(
        f"tasks not completed: {sorted(set(ids) - set(completed))[:10]}", true=len(completed) == len(ids)
    )
    outcome.demand(f"tasks poisoned: {poisoned[:10]}", true=not poisoned)
    outcome.demand(f"tasks completed twice: {twice[:10]}", true=not twice)
    outcome.demand(f"attempts left open: {outcomes[None]}", true=not outcomes[None])
    outcome.demand("tries were used up by deaths", true=all(row.retry_count == 0 for row in rows.values()))


def _count_record(workers: Workers, database: Database, outcome: Outcome) -> None:
    """The handlers' own lines: each attempt ran once at the most, and each completed task did run."""
    began = Counter((line["task"], line["attempt"]) for line in workers.recorded("run"))
    ended = Counter((line["task"], line["attempt"]) for line in workers.recorded("done"))
    with database.read() as conn:
        found = select(TASK_ATTEMPTS.c.task_id, TASK_ATTEMPTS.c.attempt, TASKS.c.task_type)
        joined = found.join_from(TASK_ATTEMPTS, TASKS).where(TASK_ATTEMPTS.c.outcome == "completed")
        completed = {(row[0], row[1]): row[2] for row in conn.execute(joined)}
    doubled = [key for key, n in [*began.items(), *ended.items()] if n > 1]
    unseen = [key for key, kind in completed.items() if kind == "sleep" and key not in ended]
    outcome.counts["runs recorded"] = sum(began.values())
    outcome.counts["finished in vain"] = len([key for key in ended if key not in completed])
    outcome.demand(f"attempts that ran twice: {doubled[:10]}", true=not doubled)
    outcome.demand(f"completed without having run: {unseen[:10]}", true=not unseen)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("tasks", "users", "kills", "freezes", "workers"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Plan, name))
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--postgres", default="")
    parser.add_argument("--only", default="sqlite,postgresql")
    options = parser.parse_args()
    plan = Plan(
        options.tasks, options.users, options.kills, options.freezes, options.workers, seed=options.seed
    )
    print(f"{plan.tasks} tasks of {plan.users} users, {plan.workers} workers, seed {plan.seed}")
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for name in options.only.split(","):
            if name == "sqlite":
                outcome = _on(f"sqlite:///{folder}/chaos.db", Path(folder) / name, plan)
            else:
                with raw_queue.postgres(options.postgres) as url:
                    outcome = _on(url, Path(folder) / name, plan)
            print(f"\n{name}")
            for what, count in outcome.counts.items():
                print(f"  {what:26s} {count}")
            for violation in outcome.violations:
                print(f"  VIOLATION: {violation}")
            failed = failed or bool(outcome.violations)
    return int(failed)


def _on(url: str, folder: Path, plan: Plan) -> Outcome:
    database = Database(url)
    migrate.upgrade(database)
    World(database).clear()
    database.dispose()
    return run(url, folder, plan)


if __name__ == "__main__":
    sys.exit(main())
