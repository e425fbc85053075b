"""What routes ask for: who calls, in which language, and the parts they speak to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import structlog
from fastapi import Depends, Header, Request
from fastapi.security import OAuth2PasswordBearer

from backend.app.api.errors import Language, language_of
from backend.app.api.gates import GateBoard
from backend.app.api.waiting import Waiters
from backend.app.auth.accounts import Accounts
from backend.app.auth.users import User
from backend.app.common.errors import Forbidden, NotAuthenticated
from backend.app.company.sheet_sandbox import SheetReader
from backend.app.db.engine import AsyncDatabase
from backend.app.documents.storage import Storage
from backend.app.tasks.service import TaskService


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """What the API needs to know of the settings."""

    max_upload_bytes: int
    max_text_chars: int
    legacy_wait: float  # seconds
    schema_revision: str  # of the database that this code expects
    pages: Path  # static files of the first page
    readmes: Path  # the folder of README.md
    cors_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Services:
    """The parts behind the routes, put together in bootstrap."""

    database: AsyncDatabase
    storage: Storage
    accounts: Accounts
    tasks: TaskService
    waiters: Waiters
    gates: GateBoard
    options: ApiOptions
    sheets: SheetReader = field(default_factory=SheetReader.alone)


@dataclass(frozen=True, slots=True)
class CurrentSession:
    """A caller whose token is good."""

    user: User
    session_id: str


_bearer = OAuth2PasswordBearer(
    tokenUrl="/api/auth/login", auto_error=False, description="POST /api/auth/login 返回的 access_token"
)


# All of them coroutines: FastAPI sends plain functions through a thread each, eight hops a request.
async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def _language(request: Request) -> Language:
    return language_of(request.headers)


async def _address(request: Request) -> str:
    return request.client.host if request.client is not None else ""


Parts = Annotated[Services, Depends(_services)]
ClientLanguage = Annotated[Language, Depends(_language)]
ClientAddress = Annotated[str, Depends(_address)]
OptionalToken = Annotated[str | None, Depends(_bearer)]


async def _session(services: Parts, token: OptionalToken) -> CurrentSession:
    if not token:
        raise NotAuthenticated
    claims = services.accounts.claims(token)
    user = await services.accounts.bearer(claims)
    structlog.contextvars.bind_contextvars(user_id=user.id)
    return CurrentSession(user, claims.session_id)


Session = Annotated[CurrentSession, Depends(_session)]


async def _user(session: Session) -> User:
    return session.user


CurrentUser = Annotated[User, Depends(_user)]


async def _admin(user: CurrentUser) -> User:
    if user.role != "admin":
        raise Forbidden
    return user


AdminUser = Annotated[User, Depends(_admin)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="同一键、同一用户、同一内容的请求只会创建一次（保留 24 小时）",
    ),
]
