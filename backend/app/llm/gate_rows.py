"""The rows behind the gates: what all workers must know of the way to each deployment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, or_, select, update
from sqlalchemy.engine import Connection

from backend.app.db.engine import database_now
from backend.app.db.models import GATES
from backend.app.db.types import Json, Sql, UTCDateTime
from backend.app.llm.gates import pause

_gates = GATES.c

_INSERT = Sql(
    """
    INSERT INTO gates (name, provider, model, purposes, config_hash, updated_at)
    VALUES (:name, :provider, :model, :purposes, :config_hash, :now)
    ON CONFLICT (name) DO NOTHING
    """,
    purposes=Json,
    now=UTCDateTime(),
)

# A probe that was begun and never reported (its worker died) may be tried by another after this.
PROBE_PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class GateRow:
    """One gate. `closed_for`: seconds until it opens or, with `needs_probe`, until the next probe; None
    when it is open."""

    name: str
    provider: str
    model: str
    purposes: tuple[str, ...]
    closed_until: datetime | None
    closed_for: float | None
    needs_probe: bool
    reason: str
    error_code: str
    failures: int

    def serves(self, purpose: str) -> bool:
        return not self.purposes or purpose in self.purposes


def read_gates(conn: Connection) -> list[GateRow]:
    """All of them, in the order of their names."""
    now = database_now(conn)
    return [_row(row, now) for row in conn.execute(select(GATES).order_by(_gates.name))]


def register_gates(conn: Connection, deployments: Sequence[Mapping[str, Any]]) -> list[str]:
    """Write a row for each deployment of this configuration and take the others away.

    `deployments`: name, provider, model, purposes, config_hash. A gate whose configuration changed opens:
    its names come back.
    """
    now = database_now(conn)
    names = [deployment["name"] for deployment in deployments]
    # By name, as everywhere: workers that start together lock the rows in one order.
    known = {row.name: row for row in conn.execute(select(GATES).order_by(_gates.name).with_for_update())}
    gone = sorted(set(known) - set(names))
    if gone:
        conn.execute(delete(GATES).where(_gates.name.in_(gone)))
    opened = []
    for deployment in sorted(deployments, key=lambda deployment: str(deployment["name"])):
        row = known.get(deployment["name"])
        if row is None:
            _insert(conn, deployment, now)
            continue
        values = dict(deployment)
        if row.config_hash != deployment["config_hash"]:
            values |= _opened(now)
            if row.closed_until is not None:
                opened.append(row.name)
        elif row.needs_probe and row.closed_until is not None:
            # Somebody restarted a worker: perhaps the account was topped up. Probe at once.
            values |= {"closed_until": now, "failures": 0}
        conn.execute(update(GATES).where(_gates.name == row.name).values(**values))
    return opened


def restore_gate(conn: Connection, deployment: Mapping[str, Any]) -> None:
    """An open gate's row, if there is none."""
    _insert(conn, deployment, database_now(conn))


def close_gate(
    conn: Connection,
    deployment: Mapping[str, Any],
    *,
    reason: str,
    error_code: str,
    seconds: float | None,
) -> bool:
    """Close for `seconds`, or (None) until a probe succeeds. False when that changes nothing: closed longer
    already, or behind a probe already."""
    now = database_now(conn)
    name = deployment["name"]
    row = conn.execute(select(GATES).where(_gates.name == name).with_for_update()).first()
    if row is None:
        _insert(conn, deployment, now)
    elif row.needs_probe and row.closed_until is not None:
        return False
    failures = (row.failures or 0) if row is not None else 0
    until = now + timedelta(seconds=pause(failures) if seconds is None else seconds)
    if seconds is not None and row is not None and row.closed_until is not None and row.closed_until >= until:
        return False
    changed = conn.execute(
        update(GATES)
        .where(
            _gates.name == name,
            or_(_gates.closed_until.is_(None), _gates.needs_probe.is_not(True)),
        )
        .values(
            closed_until=until,
            needs_probe=seconds is None,
            failures=failures + (seconds is None),
            reason=reason,
            error_code=error_code,
            updated_at=now,
        )
    )
    return changed.rowcount == 1


def open_gate(conn: Connection, name: str) -> bool:
    """Open it; False when it was open."""
    changed = conn.execute(
        update(GATES)
        .where(_gates.name == name, _gates.closed_until.is_not(None))
        .values(**_opened(database_now(conn)))
    )
    return changed.rowcount == 1


def begin_probe(conn: Connection, name: str) -> bool:
    """Whether it is this worker's turn to probe: the gate is due and nobody else has begun."""
    now = database_now(conn)
    changed = conn.execute(
        update(GATES)
        .where(_gates.name == name, _gates.needs_probe.is_(True), _gates.closed_until <= now)
        .values(closed_until=now + timedelta(seconds=PROBE_PATIENCE_S), updated_at=now)
    )
    return changed.rowcount == 1


def probe_failed(conn: Connection, name: str, *, reason: str, error_code: str) -> None:
    """The gate stays closed; the next probe comes later than this one did."""
    now = database_now(conn)
    failures = conn.execute(select(_gates.failures).where(_gates.name == name)).scalar_one_or_none() or 0
    conn.execute(
        update(GATES)
        .where(_gates.name == name, _gates.needs_probe.is_(True))
        .values(
            closed_until=now + timedelta(seconds=pause(failures)),
            failures=failures + 1,
            reason=reason,
            error_code=error_code,
            updated_at=now,
        )
    )


def _insert(conn: Connection, deployment: Mapping[str, Any], now: datetime) -> None:
    """An open gate; nothing where there is a row: two workers may start at once."""
    conn.execute(_INSERT.on(conn), {**deployment, "now": now})


def _opened(now: datetime) -> dict[str, Any]:
    return {
        "closed_until": None,
        "needs_probe": False,
        "failures": 0,
        "reason": None,
        "error_code": None,
        "updated_at": now,
    }


def _row(row: Any, now: datetime) -> GateRow:
    until, needs_probe = row.closed_until, bool(row.needs_probe)
    closed_for = None if until is None else max((until - now).total_seconds(), 0.0)
    if closed_for == 0.0 and not needs_probe:
        closed_for = None  # its time is over
    return GateRow(
        name=row.name,
        provider=row.provider or "",
        model=row.model or "",
        purposes=tuple(row.purposes or ()),
        closed_until=until if closed_for is not None else None,
        closed_for=closed_for,
        needs_probe=needs_probe,
        reason=row.reason or "",
        error_code=row.error_code or "",
        failures=row.failures or 0,
    )
