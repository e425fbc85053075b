"""What surrounds every request: its id and log line, the last resort for bugs, headers for browsers.

Plain ASGI: Starlette's BaseHTTPMiddleware costs a task and a queue per request and breaks contextvars.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.app.api.errors import language_of, problem
from backend.app.common.errors import InternalError
from backend.app.common.logging import get_logger

log = get_logger("api")

REQUEST_ID = "x-request-id"
_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_QUIET_PATHS = ("/health/", "/metrics", "/assets/", "/docs/")

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Mapping[str, str] = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class RequestContext:
    """Gives each request an id (the caller's, if it is a sane one), binds it to the log lines, and logs
    the request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope).get(REQUEST_ID))
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        began, status = time.perf_counter(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            _log_request(scope, status, began)


class LastResort:
    """Turns a bug into a 500 that tells nothing, and its traceback into a log line. A client that left in
    the middle of its body is no bug; nobody is there to be answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def send_noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        except ClientDisconnect:
            log.info("client_left", method=scope["method"], path=_route(scope))
        except Exception:
            log.exception("request_failed", method=scope["method"], path=_route(scope))
            if begun:  # all that is left is to cut the answer
                raise
            answer = problem(InternalError(), language_of(Headers(scope=scope)))
            await answer(scope, receive, send)


class SecurityHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("cache-control", "no-store")
                if scope.get("scheme") == "https":
                    headers.setdefault("strict-transport-security", "max-age=31536000")
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _request_id(given: str | None) -> str:
    return given if given is not None and _SANE_ID.fullmatch(given) else secrets.token_hex(8)


def _route(scope: Scope) -> str:
    """The path's template, so that lines of one route are found together; else the path itself."""
    route = scope.get("route")
    return getattr(route, "path", None) or str(scope["path"])[:200]


def _log_request(scope: Scope, status: int, began: float) -> None:
    write = log.debug if str(scope["path"]).startswith(_QUIET_PATHS) else log.info
    write(
        "request",
        method=scope["method"],
        path=_route(scope),
        status=status,
        duration_ms=round((time.perf_counter() - began) * 1000, 2),
    )
