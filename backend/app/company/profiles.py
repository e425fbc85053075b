"""Company profiles: plain functions over a Connection. One a user; ownership stands in each WHERE."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Connection

from backend.app.db.engine import database_now
from backend.app.db.models import COMPANY_PROFILES, USERS

_profiles = COMPANY_PROFILES.c


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """`body`: JSON of `/api/company`. Version 0 and no time: nothing was ever stored, or it was deleted."""

    body: Mapping[str, Any] = field(default_factory=dict)
    version: int = 0
    updated_at: datetime | None = None

    @property
    def etag(self) -> str:
        """The time is in it: a profile that was deleted and written anew begins at version 1 again."""
        text = json.dumps([self.version, str(self.updated_at), self.body], ensure_ascii=False)
        return f'"{self.version}-{hashlib.blake2b(text.encode(), digest_size=12).hexdigest()}"'


NOTHING = StoredProfile()


def find(conn: Connection, user_id: int) -> StoredProfile:
    """A user's profile; NOTHING where there is none."""
    row = conn.execute(
        select(_profiles.body, _profiles.version, _profiles.updated_at).where(_profiles.user_id == user_id)
    ).first()
    return NOTHING if row is None else StoredProfile(*row)


def write(
    conn: Connection, user_id: int, change: Callable[[StoredProfile], Mapping[str, Any]]
) -> StoredProfile:
    """Store what `change` makes of the present profile; what it raises leaves everything as it is."""
    _hold(conn, user_id)
    before = find(conn, user_id)
    made = StoredProfile(dict(change(before)), before.version + 1, database_now(conn))
    values = {"body": made.body, "version": made.version, "updated_at": made.updated_at}
    if before.version:
        conn.execute(update(COMPANY_PROFILES).where(_profiles.user_id == user_id).values(values))
    else:
        conn.execute(insert(COMPANY_PROFILES).values(user_id=user_id, **values))
    return made


def remove(conn: Connection, user_id: int, check: Callable[[StoredProfile], None]) -> None:
    """Delete the profile, if there is one; what `check` raises keeps it."""
    _hold(conn, user_id)
    check(find(conn, user_id))
    conn.execute(delete(COMPANY_PROFILES).where(_profiles.user_id == user_id))


def _hold(conn: Connection, user_id: int) -> None:
    """Two writers of one profile go one after the other, also when there is no row to lock yet."""
    conn.execute(select(USERS.c.id).where(USERS.c.id == user_id).with_for_update(key_share=True))
