"""Sessions: one login is a family of refresh tokens, of which each is used once.

A token used again within the grace time (its answer was lost, a second tab was faster) gets the same
successor; used again later, somebody has a copy, and the family is revoked.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import bindparam, delete, insert, select, text, update
from sqlalchemy.engine import Connection

from backend.app.auth.tokens import Claims, Tokens, new_refresh_token, token_hash
from backend.app.auth.users import User
from backend.app.db.models import REFRESH_TOKENS, SESSIONS, USERS
from backend.app.db.types import UTCDateTime

Kind = Literal["browser", "program"]
IDLE_LIFETIME = timedelta(days=14)  # a browser that is not used for so long must log in again
LONGEST_LIFETIME = timedelta(days=90)
REUSE_GRACE = timedelta(seconds=30)

_sessions, _tokens, _users = SESSIONS.c, REFRESH_TOKENS.c, USERS.c


@dataclass(frozen=True, slots=True)
class Rotation:
    """A session that goes on: whose it is, and the refresh token that follows."""

    session_id: str
    user: User
    refresh_token: str


def open_session(
    conn: Connection, user_id: int, kind: Kind, *, now: datetime, expires_at: datetime | None = None
) -> str:
    """A new session's id."""
    session_id = secrets.token_urlsafe(18)
    conn.execute(
        insert(SESSIONS).values(
            id=session_id,
            user_id=user_id,
            kind=kind,
            created_at=now,
            expires_at=expires_at or now + IDLE_LIFETIME,
        )
    )
    return session_id


def first_refresh_token(conn: Connection, session_id: str, *, now: datetime) -> str:
    token = new_refresh_token()
    conn.execute(
        insert(REFRESH_TOKENS).values(token_hash=token_hash(token), session_id=session_id, created_at=now)
    )
    return token


def rotate(conn: Connection, tokens: Tokens, presented: str, *, now: datetime) -> Rotation | None:
    """Use up a refresh token. None when it is unknown, ended, or was used before; in the last case the
    family is revoked in this transaction, so the caller must commit it and refuse afterwards."""
    row = conn.execute(
        select(_tokens.session_id, _sessions.created_at, *_USER)
        .join(SESSIONS, _sessions.id == _tokens.session_id)
        .join(USERS, _users.id == _sessions.user_id)
        .where(_tokens.token_hash == token_hash(presented))
        .where(_sessions.revoked_at.is_(None), _sessions.expires_at > now, _users.is_active)
    ).first()
    if row is None:
        return None
    session_id, began, user = row[0], row[1], User(*row[2:])
    successor = tokens.successor(presented)
    first_use = conn.execute(
        update(REFRESH_TOKENS)
        .where(_tokens.token_hash == token_hash(presented), _tokens.used_at.is_(None))
        .values(used_at=now)
    ).rowcount
    if first_use:
        conn.execute(
            insert(REFRESH_TOKENS).values(
                token_hash=token_hash(successor), session_id=session_id, created_at=now
            )
        )
        until = min(now + IDLE_LIFETIME, began + LONGEST_LIFETIME)
        conn.execute(update(SESSIONS).where(_sessions.id == session_id).values(expires_at=until))
    elif not _within_grace(conn, presented, now):
        revoke(conn, session_id, now=now)
        return None
    return Rotation(session_id, user, successor)


def _within_grace(conn: Connection, presented: str, now: datetime) -> bool:
    used_at = conn.execute(
        select(_tokens.used_at).where(_tokens.token_hash == token_hash(presented))
    ).scalar_one()
    return used_at is not None and now - used_at <= REUSE_GRACE


def session_of(conn: Connection, refresh_token: str) -> str | None:
    """The session that a refresh token, used or not, belongs to."""
    found = select(_tokens.session_id).where(_tokens.token_hash == token_hash(refresh_token))
    return conn.execute(found).scalar_one_or_none()


def revoke(conn: Connection, session_id: str, *, now: datetime) -> None:
    """End a session: its refresh tokens, and its access tokens with the next request."""
    conn.execute(
        update(SESSIONS)
        .where(_sessions.id == session_id, _sessions.revoked_at.is_(None))
        .values(revoked_at=now)
    )


def revoke_all(conn: Connection, user_id: int, *, now: datetime, keep: str | None = None) -> None:
    """End all sessions of a user but one."""
    conn.execute(
        update(SESSIONS)
        .where(_sessions.user_id == user_id, _sessions.revoked_at.is_(None), _sessions.id != (keep or ""))
        .values(revoked_at=now)
    )


def purge(conn: Connection, *, before: datetime) -> int:
    """Delete sessions that ended before that time, with their tokens; how many."""
    ended = (_sessions.expires_at < before) | (_sessions.revoked_at < before)
    return conn.execute(delete(SESSIONS).where(ended)).rowcount


_USER = (_users.id, _users.username, _users.display_name, _users.role, _users.created_at)
# One joined primary-key read: it runs with every request.
_BEARER = (
    text(
        """
        SELECT u.id, u.username, u.display_name, u.role, u.created_at
        FROM sessions s JOIN users u ON u.id = s.user_id
        WHERE s.id = :session AND s.user_id = :user AND s.revoked_at IS NULL AND s.expires_at > :now
          AND u.is_active
        """
    )
    .bindparams(bindparam("now", type_=UTCDateTime()))
    .columns(*_USER)
)


def bearer(conn: Connection, claims: Claims, now: datetime) -> User | None:
    """The user of an access token; None once the session has ended or the user is not active."""
    row = conn.execute(_BEARER, {"session": claims.session_id, "user": claims.user_id, "now": now}).first()
    return None if row is None else User(*row)
