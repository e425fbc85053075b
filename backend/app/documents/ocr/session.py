"""Recognises pages of a foreign file in a child of its own, which loads the models once.

One such child lives at a time: the models and a dense page take most of a gigabyte. Who reads many pages
lets the next one in from time to time. A page on which the child breaks or takes too long raises; the next
page is read by a new child.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from backend.app.common.errors import UnreadableDocument
from backend.app.common.logging import get_logger
from backend.app.documents.child import BROKEN, ERROR
from backend.app.documents.ocr.child import PAGE
from backend.app.documents.ocr.limits import OcrLimits
from backend.app.documents.ocr.pages import OcrPage
from backend.app.documents.ocr.process import OcrFile, OcrProcess
from backend.app.documents.sandbox import ERRORS, MAX_TRACE

log = get_logger("ocr")

_MODULE = "backend.app.documents.ocr.child"


class OcrDesk:
    """The place of the one child."""

    def __init__(self, limits: OcrLimits | None = None, *, module: str = _MODULE) -> None:
        """`module`: the program of the child."""
        self.limits, self.module = limits or OcrLimits(), module
        self._place = asyncio.Semaphore(1)
        self._waiting = 0

    @asynccontextmanager
    async def session(self, file: OcrFile) -> AsyncIterator[OcrSession]:
        """For the pages of one file. However it ends, its child is gone afterwards."""
        session = OcrSession(self, file)
        try:
            yield session
        finally:
            await session.close()

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for the place."""
        return self._waiting > 0

    async def enter(self) -> None:
        self._waiting += 1
        try:
            await self._place.acquire()
        finally:
            self._waiting -= 1

    def leave(self) -> None:
        self._place.release()


class OcrSession:
    """Pages of one file, one after the other. The child starts with the first of them."""

    def __init__(self, desk: OcrDesk, file: OcrFile) -> None:
        self._desk, self._file = desk, file
        self._child: OcrProcess | None = None
        self._entered = False
        self._pages = 0

    async def page(self, number: int) -> OcrPage:
        """What stands on a page (1-based). Raises ParseLimitExceeded when a limit is hit, UnreadableDocument
        when the child breaks, and what rendering the page raises."""
        if self._pages >= self._desk.limits.turn and self._desk.is_awaited:
            await self.close()
        try:
            child = await self._started()
            page = _understand(await child.ask(number))
        except BaseException:
            await self._end()
            raise
        self._pages += 1
        return page

    async def close(self) -> None:
        """End the child, if there is one, and leave the place to others."""
        try:
            await self._end()
        finally:
            if self._entered:
                self._entered, self._pages = False, 0
                self._desk.leave()

    async def _started(self) -> OcrProcess:
        if not self._entered:
            await self._desk.enter()
            self._entered = True
        if self._child is None:
            self._child = OcrProcess(self._desk.limits)
            await self._child.start(self._desk.module, self._file)
        return self._child

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            await child.end()


def _understand(reply: bytes) -> OcrPage:
    """The child's page; raises the error that it reported."""
    kind, content = reply[:1], reply[1:]
    try:
        if kind == PAGE:
            return OcrPage.from_json(json.loads(content))
        if kind == ERROR:
            told = json.loads(content)
            raise ERRORS.get(told["code"], UnreadableDocument)(**told.get("params", {}))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        log.warning("ocr_answer_malformed", error=type(error).__name__)
        raise UnreadableDocument() from error
    if kind == BROKEN:
        log.error("ocr_failed", traceback=content[:MAX_TRACE].decode("utf-8", "replace"))
    raise UnreadableDocument()
