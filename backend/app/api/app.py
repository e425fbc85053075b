"""The FastAPI application: routes, errors, middleware, lifespan."""

from __future__ import annotations

import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from backend.app.api import errors
from backend.app.api.deps import Services
from backend.app.api.limits import BodyLimit, BodyLimits
from backend.app.api.middleware import REQUEST_ID, LastResort, RequestContext, SecurityHeaders
from backend.app.api.openapi import DESCRIPTION
from backend.app.api.routes import (
    auth,
    company,
    comparison,
    exports,
    files,
    gates,
    health,
    legacy,
    pages,
    results,
    tasks,
)

VERSION = "1.0.0"


def assemble(services: Services, close: Callable[[], Awaitable[None]]) -> FastAPI:
    """The application around these services; `close` is awaited when it ends."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        services.waiters.start()
        restore = _release_waiters_on_signals(services.waiters.release)
        try:
            yield
        finally:
            restore()
            await services.waiters.close()
            await close()

    app = FastAPI(
        title="销售助手 Sales Assistant",
        version=VERSION,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.services = services
    errors.install(app)
    pages.mount_static(app, services.options.pages)
    for module in (auth, tasks, comparison, results, files, exports, company, gates, legacy, health, pages):
        app.include_router(module.router)
    _add_middleware(app, services)
    return app


def _add_middleware(app: FastAPI, services: Services) -> None:
    """The last one added is the outermost."""
    options = services.options
    app.add_middleware(LastResort)
    app.add_middleware(BodyLimit, limits=BodyLimits(options.max_upload_bytes, options.max_text_chars))
    if options.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=options.cors_origins,
            allow_credentials=True,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[
                "Authorization",
                "Content-Type",
                "Idempotency-Key",
                "If-Match",
                "If-None-Match",
                REQUEST_ID,
            ],
            expose_headers=["ETag", "Location", "Idempotent-Replayed", "Retry-After", REQUEST_ID],
        )
    app.add_middleware(SecurityHeaders)
    if options.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(options.trusted_proxies))
    app.add_middleware(RequestContext)


def _release_waiters_on_signals(release: Callable[[], None]) -> Callable[[], None]:
    """uvicorn ends the lifespan only after the last answer; those who wait for a task up to a minute must
    hear of the stop earlier. Its own handlers stay in charge and are called after ours."""
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    before: dict[signal.Signals, Any] = {}

    def wrapped(previous: Any) -> Callable[[int, FrameType | None], None]:
        def handler(number: int, frame: FrameType | None) -> None:
            release()
            previous(number, frame)

        return handler

    for number in (signal.SIGTERM, signal.SIGINT):
        previous = signal.getsignal(number)
        if callable(previous) and previous is not signal.default_int_handler:
            before[number] = previous
            signal.signal(number, wrapped(previous))

    def restore() -> None:
        for number, previous in before.items():
            signal.signal(number, previous)

    return restore
