"""What a person does with an account: register, log in, stay logged in, change the password, log out.

Each call commits before it returns, also what a refusal leaves behind (a failure counted, a family revoked).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from weakref import WeakValueDictionary

from sqlalchemy.engine import Connection

from backend.app.auth import sessions, throttle, users
from backend.app.auth.passwords import PasswordPool, check_strength
from backend.app.auth.throttle import Subjects
from backend.app.auth.tokens import ACCESS_LIFETIME, Claims, Tokens, is_refresh_token
from backend.app.auth.users import NewUser, User, normal_username
from backend.app.common.errors import (
    InvalidCredentials,
    InvalidToken,
    RegistrationClosed,
    TooManyAttempts,
    ValidationFailed,
)
from backend.app.common.logging import get_logger
from backend.app.db.engine import AsyncDatabase

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Login:
    """What a client gets: an access token, and the refresh token for its cookie."""

    user: User
    access_token: str
    expires_in: int  # seconds
    refresh_token: str


@dataclass(frozen=True, slots=True)
class Registration:
    open: bool
    first_is_admin: bool  # in development


class Accounts:
    def __init__(
        self,
        database: AsyncDatabase,
        passwords: PasswordPool,
        tokens: Tokens,
        registration: Registration,
        clock: Callable[[], datetime],
    ) -> None:
        self._db = database
        self._passwords = passwords
        self._tokens = tokens
        self._registration = registration
        self._now = clock
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def register(self, username: str, password: str, display_name: str | None) -> User:
        """Raises RegistrationClosed, UsernameTaken, ValidationFailed."""
        if not self._registration.open:
            raise RegistrationClosed
        name = normal_username(username)
        check_strength(password, name)
        new = NewUser(
            name,
            display_name or name,
            await self._passwords.hash(password),
            role=None if self._registration.first_is_admin else "user",
        )
        user = await self._db.write(users.create, new, now=self._now())
        log.info("user_registered", user_id=user.id, role=user.role)
        return user

    async def login(self, username: str, password: str, address: str) -> Login:
        """Raises InvalidCredentials, TooManyAttempts."""
        try:
            name = normal_username(username)
        except ValidationFailed:
            name = ""  # nobody has it; finding that out takes as long as for any other name
        async with self._turn(Subjects.of(name or username, address)) as subjects:
            found = await self._db.read(users.find, name)
            user, stored = await self._verified(found, password, subjects)
            begun = await self._db.write(_begin, user.id, stored, subjects, self._now())
        if begun is None:
            raise InvalidCredentials
        session_id, refresh_token = begun
        log.info("user_logged_in", user_id=user.id)
        return self._login(user, session_id, refresh_token)

    async def refresh(self, refresh_token: str) -> Login:
        """Raises InvalidToken."""
        rotation = None
        if is_refresh_token(refresh_token):
            rotation = await self._db.write(sessions.rotate, self._tokens, refresh_token, now=self._now())
        if rotation is None:
            log.info("refresh_refused")
            raise InvalidToken
        return self._login(rotation.user, rotation.session_id, rotation.refresh_token)

    async def logout(self, refresh_token: str | None, access_token: str | None) -> None:
        """End the session that either token belongs to; unknown ones are no error."""
        session_id = None
        if refresh_token is not None and is_refresh_token(refresh_token):
            session_id = await self._db.read(sessions.session_of, refresh_token)
        if session_id is None and access_token is not None:
            session_id = self.claims(access_token).session_id
        if session_id is not None:
            await self._db.write(sessions.revoke, session_id, now=self._now())

    async def change_password(
        self, user: User, session_id: str, current: str, new: str, address: str
    ) -> None:
        """Raises InvalidCredentials, TooManyAttempts, ValidationFailed. Ends every other session."""
        check_strength(new, user.username)
        async with self._turn(Subjects.of(user.username, address)) as subjects:
            found = await self._db.read(users.find_by_id, user.id)
            await self._verified(found, current, subjects)
            hashed = await self._passwords.hash(new)
            await self._db.write(_change_password, user.id, hashed, session_id, self._now())
        log.info("password_changed", user_id=user.id)

    def claims(self, access_token: str) -> Claims:
        """Raises InvalidToken."""
        return self._tokens.read(access_token, now=self._now())

    async def bearer(self, claims: Claims) -> User:
        """The user of an access token. Raises InvalidToken once its session has ended."""
        user = await self._db.row(sessions.bearer, claims, self._now())
        if user is None:
            raise InvalidToken
        return user

    @asynccontextmanager
    async def _turn(self, subjects: Subjects) -> AsyncIterator[Subjects]:
        """One attempt at a time for an account. Raises TooManyAttempts while it is slowed down."""
        lock = self._turns.setdefault(subjects.account, asyncio.Lock())
        async with lock:
            wait = await self._db.read(throttle.blocked_for, subjects, now=self._now())
            if wait > 0:
                log.info("login_throttled", wait_seconds=round(wait, 1))
                raise TooManyAttempts(retry_after=wait)
            yield subjects

    async def _verified(
        self, found: tuple[User, str] | None, password: str, subjects: Subjects
    ) -> tuple[User, str]:
        if await self._passwords.verify(password, None if found is None else found[1]) and found is not None:
            return found
        await self._db.write(throttle.failed, subjects, now=self._now())
        log.info("login_failed", user_id=None if found is None else found[0].id)
        raise InvalidCredentials

    def _login(self, user: User, session_id: str, refresh_token: str) -> Login:
        now = self._now()
        access = self._tokens.issue(user.id, session_id, now=now, expires_at=now + ACCESS_LIFETIME)
        return Login(user, access, int(ACCESS_LIFETIME.total_seconds()), refresh_token)


def _begin(
    conn: Connection, user_id: int, verified_hash: str, subjects: Subjects, now: datetime
) -> tuple[str, str] | None:
    """A session and its first refresh token; None when the password was changed meanwhile (a session
    that the old one opened would outlive the change)."""
    found = users.find_by_id(conn, user_id, lock=True)
    if found is None or found[1] != verified_hash:
        return None
    session_id = sessions.open_session(conn, user_id, "browser", now=now)
    throttle.succeeded(conn, subjects)
    return session_id, sessions.first_refresh_token(conn, session_id, now=now)


def _change_password(conn: Connection, user_id: int, hashed: str, keep: str, now: datetime) -> None:
    users.set_password(conn, user_id, hashed)
    sessions.revoke_all(conn, user_id, now=now, keep=keep)
