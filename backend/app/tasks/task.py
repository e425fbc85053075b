"""What a task is: statuses, the arrows between them, and the frozen values that travel (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

JSON = Any  # what json.loads can return


class Status(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    RETRY = "retry"
    CANCELLED = "cancelled"


FINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})
WAITING = frozenset({Status.PENDING, Status.RETRY})
ACTIVE = frozenset({Status.PENDING, Status.RETRY, Status.RUNNING})

# Nothing else, ever. A person's arrows are those that end in CANCELLED or leave FAILED | CANCELLED.
ARROWS: frozenset[tuple[Status, Status]] = frozenset(
    {
        (Status.PENDING, Status.RUNNING),
        (Status.RETRY, Status.RUNNING),
        (Status.RUNNING, Status.COMPLETED),
        (Status.RUNNING, Status.RETRY),
        (Status.RUNNING, Status.FAILED),
        (Status.RUNNING, Status.PENDING),
        (Status.PENDING, Status.CANCELLED),
        (Status.RETRY, Status.CANCELLED),
        (Status.RUNNING, Status.CANCELLED),
        (Status.FAILED, Status.CANCELLED),
        (Status.FAILED, Status.RETRY),
        (Status.CANCELLED, Status.RETRY),
    }
)

# From this many deaths of its workers in a row a task runs in a process of its own; one more and it fails.
ISOLATE_AFTER = 2
POISONED_AFTER = 3


class AttemptOutcome(StrEnum):
    """How one attempt ended, in `task_attempts.outcome`."""

    COMPLETED = "completed"
    RETRY = "retry"
    FAILED = "failed"
    RELEASED = "released"  # handed back: the worker was stopped or the provider's gate is closed
    CANCELLED = "cancelled"
    LOST = "lost"  # the worker died or its lease ran out


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write to one attempt. `seq` only grows; a write with an older one changes nothing."""

    task_id: int
    seq: int


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker needs to know of a task that it has claimed."""

    id: int
    task_type: str
    user_id: int
    payload: dict[str, JSON]
    attempt: int  # 1 for the first run; takes-over and releases count as runs
    retry_count: int  # tries used up after the first
    max_retries: int
    lease_seq: int
    crash_count: int  # deaths of its workers in a row
    created_at: datetime
    started_at: datetime
    file_sha256: str | None = None
    meta: dict[str, JSON] = field(default_factory=dict)

    @property
    def lease(self) -> Lease:
        return Lease(self.id, self.lease_seq)


@dataclass(frozen=True, slots=True)
class Spent:
    """What one step's calls cost: by whom, how many, tokens, yuan."""

    calls: int = 1
    provider: str | None = None
    model: str | None = None
    prompt_tokens: int = 0
    response_tokens: int = 0
    cost: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class NewTask:
    """What a person submits."""

    user_id: int
    task_type: str
    payload: dict[str, JSON]
    meta: dict[str, JSON]
    max_retries: int = 3
    priority: int = 0
    run_at: datetime | None = None  # None: at once
    file_id: int | None = None
    file_sha256: str | None = None
    batch_id: str | None = None
    parent_id: int | None = None
