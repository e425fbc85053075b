"""Users: plain functions over a Connection."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Row, func, insert, select, text, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from backend.app.common.errors import UsernameTaken, ValidationFailed
from backend.app.db.models import USERS

Role = Literal["user", "admin"]
_REGISTER_LOCK = 0x5A11_0004
# A mobile number, an e-mail address, a name in Chinese: letters and digits of any script, and . _ - + @
_USERNAME = re.compile(r"[\w.+@-]{3,64}")
_users = USERS.c


@dataclass(frozen=True, slots=True)
class User:
    id: int
    username: str
    display_name: str
    role: Role
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewUser:
    """`role` None: the first user of an empty database becomes the admin, later ones do not."""

    username: str
    display_name: str
    password_hash: str
    role: Role | None = "user"


def normal_username(text: str) -> str:
    """The form that is stored and compared: NFKC, case-folded. Raises ValidationFailed."""
    name = unicodedata.normalize("NFKC", text).strip().casefold()
    if not _USERNAME.fullmatch(name):
        raise ValidationFailed.of(
            "username",
            "用户名应为 3 到 64 个字符，可用文字、数字和 . _ - + @",
            "The user name must have 3 to 64 characters: letters, digits and . _ - + @",
        )
    return name


def create(conn: Connection, new: NewUser, *, now: datetime) -> User:
    """Raises UsernameTaken."""
    role = new.role or ("admin" if _is_first(conn) else "user")
    taken = select(_users.id).where(_users.username == new.username)
    if conn.execute(taken).first() is not None:
        raise UsernameTaken
    try:
        made = conn.execute(
            insert(USERS)
            .values(
                username=new.username,
                display_name=new.display_name,
                role=role,
                password_hash=new.password_hash,
                is_active=True,
                created_at=now,
            )
            .returning(_users.id)
        )
    except IntegrityError as error:  # another transaction took the name since we looked
        raise UsernameTaken from error
    return User(made.scalar_one(), new.username, new.display_name, role, now)


def _is_first(conn: Connection) -> bool:
    """Two registrations at once must not both be first: on SQLite they are one after the other anyway."""
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _REGISTER_LOCK})
    return conn.execute(select(func.count()).select_from(USERS)).scalar_one() == 0


def find(conn: Connection, username: str) -> tuple[User, str] | None:
    """An active user and the password hash."""
    return _with_hash(conn.execute(_WITH_HASH.where(_users.username == username)).first())


def find_by_id(conn: Connection, user_id: int, *, lock: bool = False) -> tuple[User, str] | None:
    """`lock` holds the row to the end of the transaction, but not against rows that refer to it."""
    query = _WITH_HASH.where(_users.id == user_id)
    return _with_hash(conn.execute(query.with_for_update(key_share=True) if lock else query).first())


def set_password(conn: Connection, user_id: int, password_hash: str) -> None:
    conn.execute(update(USERS).where(_users.id == user_id).values(password_hash=password_hash))


_WITH_HASH = select(
    _users.id, _users.username, _users.display_name, _users.role, _users.created_at, _users.password_hash
).where(_users.is_active)


def _with_hash(row: Row[tuple[int, str, str, str, datetime, str]] | None) -> tuple[User, str] | None:
    return None if row is None else (User(*row[:5]), row[5])
