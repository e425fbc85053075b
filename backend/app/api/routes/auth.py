"""Accounts and sessions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Cookie, Form, Request, Response

from backend.app.api.deps import ClientAddress, OptionalToken, Parts, Session
from backend.app.api.openapi import problems
from backend.app.api.schemas_auth import PasswordChange, Registration, TokenOut, UserOut
from backend.app.auth.accounts import Login
from backend.app.auth.sessions import IDLE_LIFETIME
from backend.app.common.errors import NotAuthenticated

router = APIRouter(prefix="/api/auth", tags=["auth"])

COOKIE = "sa_refresh"
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
RefreshCookie = Annotated[str | None, Cookie(alias=COOKIE, include_in_schema=False)]


@router.post("/register", status_code=201, responses=problems(400, 403, 409, 413, 422, 503))
async def register(body: Registration, services: Parts) -> UserOut:
    """注册。开发环境中第一个注册的用户为管理员。"""
    return UserOut.of(await services.accounts.register(body.username, body.password, body.display_name))


@router.post("/login", responses=problems(400, 401, 413, 422, 429, 503))
async def login(
    request: Request,
    response: Response,
    services: Parts,
    address: ClientAddress,
    username: Annotated[str, Form(max_length=256)],
    password: Annotated[str, Form(max_length=1024)],
) -> TokenOut:
    """登录（OAuth2 密码表单）。刷新令牌在 HttpOnly Cookie 中。"""
    return _answer(request, response, await services.accounts.login(username, password, address))


@router.post("/refresh", responses=problems(401, 503))
async def refresh(
    request: Request, response: Response, services: Parts, cookie: RefreshCookie = None
) -> TokenOut:
    """用 Cookie 中的刷新令牌换取新的访问令牌。"""
    if cookie is None:
        raise NotAuthenticated
    return _answer(request, response, await services.accounts.refresh(cookie))


@router.post("/logout", status_code=204, responses=problems(401, 503))
async def logout(
    response: Response, services: Parts, token: OptionalToken, cookie: RefreshCookie = None
) -> None:
    """退出登录：该会话的全部令牌立即失效。"""
    await services.accounts.logout(cookie, token)
    response.delete_cookie(COOKIE, path="/api/auth", httponly=True, samesite="strict")


@router.get("/me", responses=problems(401, 503))
async def me(session: Session) -> UserOut:
    """当前用户。"""
    return UserOut.of(session.user)


@router.post("/password", status_code=204, responses=problems(400, 401, 413, 422, 429, 503))
async def change_password(
    body: PasswordChange, session: Session, services: Parts, address: ClientAddress
) -> None:
    """修改密码：其余会话与令牌立即失效。"""
    await services.accounts.change_password(
        session.user, session.session_id, body.current_password, body.new_password, address
    )


def _answer(request: Request, response: Response, login: Login) -> TokenOut:
    local = request.url.scheme == "http" and request.url.hostname in _LOCAL_HOSTS
    response.set_cookie(
        COOKIE,
        login.refresh_token,
        max_age=int(IDLE_LIFETIME.total_seconds()),
        path="/api/auth",
        httponly=True,
        samesite="strict",
        secure=not local,
    )
    response.headers["cache-control"] = "no-store"
    return TokenOut(access_token=login.access_token, expires_in=login.expires_in, user=UserOut.of(login.user))
