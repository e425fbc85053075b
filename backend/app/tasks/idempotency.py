"""The Idempotency-Key of a creating call: kept 24 hours, written with what it created."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import delete, insert, select
from sqlalchemy.engine import Connection

from backend.app.common.errors import IdempotencyConflict
from backend.app.db.models import IDEMPOTENCY_KEYS
from backend.app.db.types import json_text
from backend.app.tasks.task import JSON

KEPT = timedelta(hours=24)
_table, _keys = IDEMPOTENCY_KEYS, IDEMPOTENCY_KEYS.c


@dataclass(frozen=True, slots=True)
class Call:
    """One creating call. `content` holds the parsed fields and the SHA-256 of its file: the bytes of a
    multipart body differ from call to call."""

    user_id: int
    key: str | None
    kind: Literal["task", "file"]
    content: JSON

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(json_text([self.kind, self.content]).encode()).hexdigest()


def earlier(conn: Connection, call: Call, *, now: datetime) -> int | None:
    """The id of what the same call has created before; None for a first call.

    Raises IdempotencyConflict when the key stood for other content. The user's row must be locked: of two
    equal calls at once, the second has to see what the first created.
    """
    if call.key is None:
        return None
    mine = (_keys.user_id == call.user_id, _keys.key == call.key)
    found = conn.execute(
        select(_keys.fingerprint, _keys.resource_id).where(*mine, _keys.created_at > now - KEPT)
    ).first()
    if found is None:
        conn.execute(delete(_table).where(*mine))  # one that has run out, if any
        return None
    if found[0] != call.fingerprint:
        raise IdempotencyConflict
    return int(found[1])


def remember(conn: Connection, call: Call, resource_id: int, *, now: datetime) -> None:
    if call.key is not None:
        conn.execute(
            insert(_table).values(
                user_id=call.user_id,
                key=call.key,
                fingerprint=call.fingerprint,
                kind=call.kind,
                resource_id=resource_id,
                created_at=now,
            )
        )


def forget(conn: Connection, call: Call) -> None:
    """What the key stood for was removed."""
    conn.execute(delete(_table).where(_keys.user_id == call.user_id, _keys.key == call.key))


def purge(conn: Connection, *, now: datetime) -> int:
    """Delete the keys that have run out; how many."""
    return conn.execute(delete(_table).where(_keys.created_at <= now - KEPT)).rowcount
