"""Passwords: argon2id, a bounded pool of threads for it, and what is too weak to be one."""

from __future__ import annotations

import asyncio
import itertools
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import resources
from typing import TypeVar

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from backend.app.common.errors import ServiceUnavailable, ValidationFailed

T = TypeVar("T")

SHORTEST, LONGEST = 8, 128  # characters
_WAITING_MOST = 64


class PasswordHasher:
    """argon2id with 19 MiB, 2 passes, 1 lane (OWASP's first choice): about 25 ms of one core."""

    def __init__(self) -> None:
        self._hash = PasswordHash((Argon2Hasher(memory_cost=19_456, time_cost=2, parallelism=1),))
        # Verified when the user does not exist, so that this takes the same time.
        self._nobody = self._hash.hash("no such user")

    def hash(self, password: str) -> str:
        return self._hash.hash(_normal(password))

    def verify(self, password: str, stored: str | None) -> bool:
        """Whether the password is the one of this hash. None, for an unknown user, costs the same."""
        if len(password) > LONGEST:
            password, stored = "", None
        matches = self._hash.verify(_normal(password), stored or self._nobody)
        return matches and stored is not None


class PasswordPool:
    """Runs the hasher in a few threads: each hash takes 19 MiB and a core, so they must be bounded."""

    def __init__(self, hasher: PasswordHasher, *, threads: int) -> None:
        self._hasher = hasher
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._waiting = 0

    async def hash(self, password: str) -> str:
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, password: str, stored: str | None) -> bool:
        return await self._run(lambda: self._hasher.verify(password, stored))

    async def _run(self, work: Callable[[], T]) -> T:
        """Raises ServiceUnavailable when too many wait already: a flood of logins must not grow a queue."""
        if self._waiting >= _WAITING_MOST:
            raise ServiceUnavailable(retry_after=5)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def check_strength(password: str, username: str) -> None:
    """Raises ValidationFailed for a password that is too short, too long, common, or the user name.
    No rules of composition: they make passwords worse."""
    problem = _weakness(_normal(password), username)
    if problem:
        raise ValidationFailed.of("password", *problem, type="weak_password")


def _weakness(password: str, username: str) -> tuple[str, str] | None:
    """Chinese and English."""
    folded = password.casefold()
    if len(password) < SHORTEST:
        return f"密码至少需要 {SHORTEST} 个字符", f"The password needs at least {SHORTEST} characters."
    if len(password) > LONGEST:
        return f"密码最多 {LONGEST} 个字符", f"The password may have at most {LONGEST} characters."
    if not password.isprintable():
        return "密码不能包含控制字符", "The password must not contain control characters."
    if folded == username.casefold():
        return "密码不能与用户名相同", "The password must differ from the user name."
    if folded in common_passwords() or len(set(folded)) < 3 or _is_run(folded):
        return "密码过于常见，请换一个", "This password is too common; please choose another."
    return None


def _is_run(text: str) -> bool:
    """12345678, 87654321, abcdefgh: each character one more, or one less, than the one before."""
    steps = {ord(b) - ord(a) for a, b in itertools.pairwise(text)}
    return steps in ({1}, {-1})


@cache
def common_passwords() -> frozenset[str]:
    """Lower case; those of 8 characters and more among the most used ones, worldwide and in China."""
    text = resources.files(__package__).joinpath("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line.strip() for line in text.splitlines() if line.strip() and line[0] != "#")


def _normal(password: str) -> str:
    """The same password typed on another keyboard may be composed otherwise (RFC 8265)."""
    return unicodedata.normalize("NFC", password)
