"""How large a request's body may be: counted as it comes in, whatever Content-Length says."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.app.api.errors import language_of, problem
from backend.app.common.errors import AppError, BodyTooLarge, FileTooLarge, TextTooLong

MEGABYTE = 1024 * 1024
_MULTIPART_ROOM = MEGABYTE  # boundaries, part headers and the other fields around a file
_SMALL = 64 * 1024
_PER_CHARACTER = 9  # bytes: %XX%XX%XX, a Chinese character in a urlencoded form (JSON's \uXXXX takes 6)
_FILES = re.compile(r"/api/(files|tasks/[a-z]+/file|tasks/\d+/compare|bidding/analyze/file)/?")
_COMPANY = re.compile(r"/api/company(?P<sheets>/import)?/?")
COMPANY_SHEETS = 5 * MEGABYTE  # a workbook of a company's profile
_COMPANY_PROFILE = 3 * MEGABYTE // 2  # JSON: a profile has at most a megabyte, more of it with \uXXXX
_TEXTS = re.compile(r"/api/(tasks|tasks/[a-z]+/text|bidding/analyze/text)/?")


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """`max_upload` in bytes, `max_text` in characters."""

    max_upload: int
    max_text: int

    def of(self, path: str) -> tuple[int, Callable[[], AppError]]:
        """The most bytes a body sent to this path may have, and the error for more."""
        if _FILES.fullmatch(path):
            return self.max_upload + _MULTIPART_ROOM, self.file_too_large
        if _TEXTS.fullmatch(path):
            return _PER_CHARACTER * self.max_text + _SMALL, self.text_too_long
        if company := _COMPANY.fullmatch(path):
            if company["sheets"]:
                return COMPANY_SHEETS + _MULTIPART_ROOM, lambda: FileTooLarge(limit_mb=5)
            return _COMPANY_PROFILE, BodyTooLarge
        return _SMALL, BodyTooLarge

    def file_too_large(self) -> AppError:
        return FileTooLarge(limit_mb=self.max_upload // MEGABYTE)

    def text_too_long(self) -> AppError:
        return TextTooLong(limit=f"{self.max_text:,}")


class BodyLimit:
    """Refuses a body that announces too much before it is read, and stops one that turns out to be."""

    def __init__(self, app: ASGIApp, limits: BodyLimits) -> None:
        self._app, self._limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most, error = self._limits.of(scope["path"])
        headers = Headers(scope=scope)
        announced = headers.get("content-length", "")
        if announced.isascii() and announced.isdigit() and int(announced[:20]) > most:
            await problem(error(), language_of(headers))(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > most:
                raise error()
            return message

        await self._app(scope, counted, send)
