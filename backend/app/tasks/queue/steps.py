"""The rows behind durable steps (`tasks.steps` has their use)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import case, insert, select, update
from sqlalchemy.engine import Connection

from backend.app.db.engine import database_now
from backend.app.db.models import TASK_STEPS, TASKS
from backend.app.tasks.task import JSON, Lease, Spent

_steps, _tasks = TASK_STEPS, TASKS


@dataclass(frozen=True, slots=True)
class StepBegin:
    """What `begin_step` found. `state`: "lost" (the attempt is no longer ours: do not call), "done"
    (use `result`), "reused" (done by an earlier task on the same content), "started" (call now)."""

    state: str
    result: JSON = None
    calls: int = 0  # made before, over all attempts
    in_doubt: bool = False  # a dead worker had started it: the call may have been paid for already


def begin_step(
    conn: Connection,
    lease: Lease,
    user_id: int,
    name: str,
    key: str,
    *,
    reserve: Decimal = Decimal(0),
    now: datetime | None = None,
) -> StepBegin:
    """Write the step's row as started, before the call; or say that it need not be made."""
    now = now or database_now(conn)
    # The row lock orders this against cancel and take-over: after either, no call is started.
    ours = conn.execute(
        select(_tasks.c.id)
        .where(_tasks.c.id == lease.task_id, _tasks.c.lease_seq == lease.seq, _tasks.c.status == "running")
        .with_for_update(key_share=True)
    ).first()
    if ours is None:
        return StepBegin("lost")
    row = conn.execute(
        select(_steps).where(_steps.c.task_id == lease.task_id, _steps.c.name == name, _steps.c.key == key)
    ).first()
    if row is None:
        return _insert(conn, lease, user_id, name, key, reserve, now)
    if row.status == "done":
        return StepBegin("done", row.result["value"], row.calls)
    in_doubt = row.status == "started" and row.lease_seq != lease.seq
    conn.execute(
        update(_steps)
        .where(_steps.c.id == row.id, _steps.c.status != "done")
        .values(
            status="started",
            lease_seq=lease.seq,
            in_doubt=row.in_doubt + int(in_doubt),
            reserved_cost=reserve,
            started_at=now,
        )
    )
    return StepBegin("started", None, row.calls, in_doubt)


def _insert(
    conn: Connection, lease: Lease, user_id: int, name: str, key: str, reserve: Decimal, now: datetime
) -> StepBegin:
    earlier = conn.execute(
        select(_steps.c.id, _steps.c.result, _steps.c.calls, _steps.c.provider, _steps.c.model)
        .where(
            _steps.c.user_id == user_id,
            _steps.c.key == key,
            _steps.c.name == name,
            _steps.c.status == "done",
        )
        .order_by(_steps.c.id.desc())
        .limit(1)
    ).first()
    values = {
        "task_id": lease.task_id,
        "user_id": user_id,
        "name": name,
        "key": key,
        "status": "started",
        "lease_seq": lease.seq,
        "calls": 0,
        "in_doubt": 0,
        "prompt_tokens": 0,
        "response_tokens": 0,
        "cost": Decimal(0),
        "reserved_cost": reserve,
        "started_at": now,
    }
    if earlier is not None:
        values |= {
            "status": "done",
            "result": earlier.result,
            "provider": earlier.provider,
            "model": earlier.model,
            "reused_from": earlier.id,
            "reserved_cost": Decimal(0),
            "done_at": now,
        }
    conn.execute(insert(_steps).values(**values))
    if earlier is None:
        return StepBegin("started")
    return StepBegin("reused", earlier.result["value"], earlier.calls)


def finish_step(
    conn: Connection,
    lease: Lease,
    name: str,
    key: str,
    result: JSON,
    *,
    spent: Spent,
    now: datetime | None = None,
) -> JSON:
    """started → done; the stored result, which is another's where that was first.

    No lease in the guard: what was paid for is kept even when the attempt is no longer ours. The task's
    count of deaths falls to 0, but only while the attempt is.
    """
    now = now or database_now(conn)
    mine = (_steps.c.task_id == lease.task_id, _steps.c.name == name, _steps.c.key == key)
    conn.execute(
        update(_steps)
        .where(*mine, _steps.c.status != "done")
        .values(status="done", result={"value": result}, done_at=now, **_costs(spent))
    )
    stored = conn.execute(select(_steps.c.result).where(*mine)).scalar_one_or_none()
    conn.execute(
        update(_tasks)
        .where(
            _tasks.c.id == lease.task_id,
            _tasks.c.lease_seq == lease.seq,
            _tasks.c.status == "running",
            _tasks.c.crash_count > 0,
        )
        .values(crash_count=0)
    )
    return result if stored is None else stored["value"]


def fail_step(conn: Connection, lease: Lease, name: str, key: str, *, spent: Spent) -> None:
    """started → failed: its calls are known to have ended, so nothing is in doubt.

    Of an attempt that lost its lease only the costs are kept: its successor may have started the step
    anew, and that call is in doubt until it has ended itself.
    """
    ours = _steps.c.lease_seq == lease.seq
    costs = _costs(spent)
    costs["reserved_cost"] = case((ours, costs["reserved_cost"]), else_=_steps.c.reserved_cost)
    conn.execute(
        update(_steps)
        .where(
            _steps.c.task_id == lease.task_id,
            _steps.c.name == name,
            _steps.c.key == key,
            _steps.c.status == "started",
        )
        .values(status=case((ours, "failed"), else_=_steps.c.status), **costs)
    )


def _costs(spent: Spent) -> dict[str, Any]:
    return {
        "calls": _steps.c.calls + spent.calls,
        "provider": spent.provider,
        "model": spent.model,
        "prompt_tokens": _steps.c.prompt_tokens + spent.prompt_tokens,
        "response_tokens": _steps.c.response_tokens + spent.response_tokens,
        "cost": _steps.c.cost + spent.cost,
        "reserved_cost": Decimal(0),
    }
