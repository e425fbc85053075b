"""What the operator does from the command line: plain functions inside one transaction of the caller."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from backend.app.auth import sessions, users
from backend.app.auth.passwords import PasswordHasher, check_strength
from backend.app.auth.tokens import Tokens
from backend.app.auth.users import NewUser, Role, User, normal_username
from backend.app.common.errors import NotFound

MAX_TOKEN_DAYS = 3650


def create_user(
    conn: Connection, hasher: PasswordHasher, username: str, password: str, *, role: Role, now: datetime
) -> User:
    """Raises UsernameTaken, ValidationFailed."""
    name = normal_username(username)
    check_strength(password, name)
    return users.create(conn, NewUser(name, name, hasher.hash(password), role), now=now)


def reset_password(
    conn: Connection, hasher: PasswordHasher, username: str, password: str, *, now: datetime
) -> None:
    """A new password; every session and token of the user ends. Raises NotFound, ValidationFailed."""
    user = _existing(conn, username)
    check_strength(password, user.username)
    users.set_password(conn, user.id, hasher.hash(password))
    sessions.revoke_all(conn, user.id, now=now)


def issue_token(conn: Connection, tokens: Tokens, username: str, days: int, *, now: datetime) -> str:
    """A long-lived access token for a program; ended by a change of the password. Raises NotFound."""
    user = _existing(conn, username)
    expires_at = now + timedelta(days=max(1, min(days, MAX_TOKEN_DAYS)))
    session_id = sessions.open_session(conn, user.id, "program", now=now, expires_at=expires_at)
    return tokens.issue(user.id, session_id, now=now, expires_at=expires_at)


def _existing(conn: Connection, username: str) -> User:
    found = users.find(conn, normal_username(username))
    if found is None:
        raise NotFound
    return found[0]
