"""The rows behind durable steps (`tasks.steps` has their use)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import case, func, insert, select, update
from sqlalchemy.engine import Connection

from backend.app.db.engine import database_now
from backend.app.db.models import TASK_STEPS, TASKS
from backend.app.tasks.task import JSON, Lease, Spent

_steps, _tasks = TASK_STEPS, TASKS


@dataclass(frozen=True, slots=True)
class StepBegin:
    """What `begin_step` found. `state`: "lost" (the attempt is no longer ours: do not call), "done"
    (use `result`), "reused" (done by an earlier task on the same content), "over_budget" (the task's money
    does not reach: do not call), "started" (call now)."""

    state: str
    result: JSON = None
    calls: int = 0  # made before, over all attempts
    in_doubt: bool = False  # a dead worker had started it: the call may have been paid for already
    provider: str | None = None  # who gave the result
    model: str | None = None
    committed: Decimal = Decimal(0)  # yuan that the task has spent or reserved


def begin_step(
    conn: Connection,
    lease: Lease,
    user_id: int,
    name: str,
    key: str,
    *,
    reserve: Decimal = Decimal(0),
    budget: Decimal = Decimal(0),
    now: datetime | None = None,
) -> StepBegin:
    """Write the step's row as started, before the call; or say that it must not or need not be made.

    `reserve`: the worst cost of the call in yuan, held against the task's `budget` (0: no limit) until the
    step has ended: calls made side by side can't pass the budget together.
    """
    now = now or database_now(conn)
    if not _is_ours(conn, lease):
        return StepBegin("lost")
    row = conn.execute(
        select(_steps).where(_steps.c.task_id == lease.task_id, _steps.c.name == name, _steps.c.key == key)
    ).first()
    if row is None:
        return _insert(conn, lease, user_id, name, key, reserve, budget, now)
    if row.status == "done":
        return StepBegin("done", row.result["value"], row.calls, provider=row.provider, model=row.model)
    in_doubt = row.status == "started" and row.lease_seq != lease.seq
    # A call in doubt may have been paid for: what was reserved for it counts as spent.
    doubtful = row.reserved_cost if in_doubt else Decimal(0)
    committed = (
        _committed(conn, lease.task_id, besides=row.id) + row.cost + doubtful if budget else Decimal(0)
    )
    if budget and committed + reserve > budget:
        return StepBegin("over_budget", committed=committed)
    conn.execute(
        update(_steps)
        .where(_steps.c.id == row.id, _steps.c.status != "done")
        .values(
            status="started",
            lease_seq=lease.seq,
            in_doubt=row.in_doubt + int(in_doubt),
            cost=_steps.c.cost + doubtful,
            reserved_cost=reserve,
            started_at=now,
        )
    )
    return StepBegin("started", None, row.calls, in_doubt)


def reserve_step(
    conn: Connection, lease: Lease, name: str, key: str, *, reserve: Decimal, budget: Decimal
) -> StepBegin:
    """Hold `reserve` yuan in all for a step that goes on calling; "lost", "over_budget" or "started"."""
    if not _is_ours(conn, lease):
        return StepBegin("lost")
    mine = (_steps.c.task_id == lease.task_id, _steps.c.name == name, _steps.c.key == key)
    row = conn.execute(select(_steps.c.id, _steps.c.cost).where(*mine)).one()
    committed = _committed(conn, lease.task_id, besides=row.id) + row.cost
    if committed + reserve > budget:
        return StepBegin("over_budget", committed=committed)
    conn.execute(update(_steps).where(*mine, _steps.c.status == "started").values(reserved_cost=reserve))
    return StepBegin("started")


def _is_ours(conn: Connection, lease: Lease) -> bool:
    """The row lock orders this against cancel and take-over, after which no call is started, and against
    the task's other steps, which spend of the same budget."""
    ours = conn.execute(
        select(_tasks.c.id)
        .where(_tasks.c.id == lease.task_id, _tasks.c.lease_seq == lease.seq, _tasks.c.status == "running")
        .with_for_update(key_share=True)
    ).first()
    return ours is not None


def step_totals(conn: Connection, task_id: int) -> tuple[int, Decimal]:
    """Calls and yuan of all attempts of a task, killed ones among them: a step in doubt is one call more."""
    total = select(
        func.coalesce(func.sum(_steps.c.calls + _steps.c.in_doubt), 0),
        func.coalesce(func.sum(_steps.c.cost), 0),
    ).where(_steps.c.task_id == task_id)
    calls, cost = conn.execute(total).one()
    return int(calls), Decimal(str(cost)).quantize(Decimal("0.000001"))


def _committed(conn: Connection, task_id: int, *, besides: int | None = None) -> Decimal:
    """Yuan that a task's steps have cost or hold in reserve."""
    total = select(func.coalesce(func.sum(_steps.c.cost + _steps.c.reserved_cost), 0)).where(
        _steps.c.task_id == task_id
    )
    if besides is not None:
        total = total.where(_steps.c.id != besides)
    return Decimal(str(conn.execute(total).scalar_one())).quantize(Decimal("0.000001"))


def _insert(
    conn: Connection,
    lease: Lease,
    user_id: int,
    name: str,
    key: str,
    reserve: Decimal,
    budget: Decimal,
    now: datetime,
) -> StepBegin:
    earlier = conn.execute(
        select(_steps.c.id, _steps.c.result, _steps.c.calls, _steps.c.provider, _steps.c.model)
        .where(
            _steps.c.user_id == user_id,
            _steps.c.key == key,
            _steps.c.name == name,
            _steps.c.status == "done",
            _steps.c.is_provisional.is_not(True),
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
    elif budget and (committed := _committed(conn, lease.task_id)) + reserve > budget:
        return StepBegin("over_budget", committed=committed)
    conn.execute(insert(_steps).values(**values))
    if earlier is None:
        return StepBegin("started")
    return StepBegin(
        "reused", earlier.result["value"], earlier.calls, provider=earlier.provider, model=earlier.model
    )


def finish_step(
    conn: Connection,
    lease: Lease,
    name: str,
    key: str,
    result: JSON,
    *,
    spent: Spent,
    is_provisional: bool = False,
    now: datetime | None = None,
) -> JSON:
    """started → done; the stored result, which is another's where that was first. A provisional one is
    forgotten by a person's retry, and other tasks don't reuse it.

    No lease in the guard: what was paid for is kept even when the attempt is no longer ours. The task's
    count of deaths falls to 0, but only while the attempt is.
    """
    now = now or database_now(conn)
    mine = (_steps.c.task_id == lease.task_id, _steps.c.name == name, _steps.c.key == key)
    conn.execute(
        update(_steps)
        .where(*mine, _steps.c.status != "done")
        .values(
            status="done",
            result={"value": result},
            done_at=now,
            is_provisional=is_provisional,
            **_costs(spent),
        )
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
