"""Repeated failures to log in are slowed down, by account and by address.

`Accounts` checks the passwords of one account one after the other, so that many guesses sent at once do not
all pass before the first failure is written; what one address can send at once is bounded by the pool.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from backend.app.db.models import LOGIN_FAILURES

_table, _failures = LOGIN_FAILURES, LOGIN_FAILURES.c
FORGET_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Rule:
    """After the `free`th failure in a row and each later one, wait 2, 4, 8 … seconds, at most `longest`."""

    free: int
    longest: float

    def wait(self, failures: int) -> float:
        if failures < self.free:
            return 0.0
        return min(float(1 << min(failures - self.free + 1, 16)), self.longest)


# Many people share one address (an office), so it is given more; and an account is never shut for long, or
# anybody could lock its owner out.
ACCOUNT = Rule(free=5, longest=300)
ADDRESS = Rule(free=30, longest=900)


@dataclass(frozen=True, slots=True)
class Subjects:
    """Who tries: hashes, so that the table tells nobody's name or address."""

    account: str
    address: str

    @classmethod
    def of(cls, username: str, address: str) -> Subjects:
        return cls(_hashed("account", username), _hashed("address", address))


def blocked_for(conn: Connection, subjects: Subjects, *, now: datetime) -> float:
    """Seconds until the next attempt may be made; 0.0 when it may be made now."""
    either = _failures.subject.in_([subjects.account, subjects.address])
    found = conn.execute(select(_failures.blocked_until).where(either)).scalars()
    waits: list[float] = [(until - now).total_seconds() for until in found if until is not None]
    return max([0.0, *waits])


def failed(conn: Connection, subjects: Subjects, *, now: datetime) -> None:
    """Count a failure. One order of rows, so that two of them cannot deadlock."""
    rules = {subjects.account: ACCOUNT, subjects.address: ADDRESS}
    for subject in sorted(rules):
        _count(conn, subject, rules[subject], now)


def succeeded(conn: Connection, subjects: Subjects) -> None:
    """The account starts anew. The address does not: whoever guesses may own an account, too."""
    conn.execute(delete(_table).where(_failures.subject == subjects.account))


def purge(conn: Connection, *, now: datetime) -> int:
    """Delete what is forgotten anyway; how many rows."""
    return conn.execute(delete(_table).where(_failures.last_at < now - FORGET_AFTER)).rowcount


def _count(conn: Connection, subject: str, rule: Rule, now: datetime) -> None:
    insert = sqlite.insert if conn.dialect.name == "sqlite" else postgresql.insert
    row = insert(_table).values(subject=subject, failures=0, last_at=now).on_conflict_do_nothing()
    conn.execute(row)
    forgotten = _failures.last_at < now - FORGET_AFTER
    conn.execute(
        update(_table).where(_failures.subject == subject, forgotten).values(failures=0, blocked_until=None)
    )
    counted = conn.execute(
        update(_table)
        .where(_failures.subject == subject)
        .values(failures=_failures.failures + 1, last_at=now)
        .returning(_failures.failures)
    ).scalar_one()
    wait = rule.wait(counted)
    if wait:
        until = now + timedelta(seconds=wait)
        conn.execute(update(_table).where(_failures.subject == subject).values(blocked_until=until))


def _hashed(kind: str, subject: str) -> str:
    return hashlib.sha256(f"{kind}:{subject}".encode(errors="replace")).hexdigest()
