"""Recognises pages of a foreign file in a child of its own, which loads the models once.

One such child lives at a time: the models and a dense page take about a gigabyte. Who reads many pages lets
the next one in from time to time. A page on which the child breaks or takes too long raises; the next page
is read by a new child.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from backend.app.common.errors import DocumentError, UnreadableDocument
from backend.app.common.logging import get_logger
from backend.app.documents.child import BROKEN, ERROR
from backend.app.documents.limits import MEGABYTE
from backend.app.documents.ocr.child import HEADER, PAGE, READY
from backend.app.documents.ocr.pages import OcrPage
from backend.app.documents.sandbox import ERRORS, MAX_TRACE, ROOT, command, ended_badly, environment, scratch

log = get_logger("ocr")

_MODULE = "backend.app.documents.ocr.child"
_MOST_THREADS = 4  # more gain little on one page and take memory


@dataclass(frozen=True, slots=True)
class OcrLimits:
    """What the child may use. `memory_bytes` are addresses: a dense page takes 2 GiB of them, 1 GB of memory.

    Seconds are for a machine that is busy with other things: alone it takes 3 to 7 for a page.
    """

    memory_bytes: int = 3072 * MEGABYTE
    start_seconds: float = 120.0
    page_seconds: float = 300.0
    page_cpu_seconds: int = 180
    page_bytes: int = 4 * MEGABYTE
    open_files: int = 64
    turn: int = 20  # pages, after which somebody who waits comes first


class OcrDesk:
    """The place of the one child."""

    def __init__(self, limits: OcrLimits | None = None, threads: int | None = None) -> None:
        self.limits = limits or OcrLimits()
        self.threads = threads or max(1, min(os.cpu_count() or 1, _MOST_THREADS))
        self._place = asyncio.Semaphore(1)
        self._waiting = 0

    @asynccontextmanager
    async def session(self, path: Path, *, is_pdf: bool) -> AsyncIterator[OcrSession]:
        """For the pages of one file. However it ends, its child is gone afterwards."""
        session = OcrSession(self, path, is_pdf=is_pdf)
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

    def __init__(self, desk: OcrDesk, path: Path, *, is_pdf: bool) -> None:
        self._desk, self._path, self._is_pdf = desk, path, is_pdf
        self._child: asyncio.subprocess.Process | None = None
        self._complaint: IO[bytes] | None = None
        self._entered = False
        self._pages = 0

    async def page(self, number: int) -> OcrPage:
        """What stands on a page (1-based). Raises ParseLimitExceeded when a limit is hit, UnreadableDocument
        when the child breaks, and what rendering the page raises."""
        if self._pages >= self._desk.limits.turn and self._desk.is_awaited:
            await self.close()
        try:
            child = await self._started()
            reply = await self._asked(child, {"page": number}, self._desk.limits.page_seconds)
            self._pages += 1
            return _understand(reply)
        except BaseException:
            await self._end()
            raise

    async def close(self) -> None:
        """End the child, if there is one, and leave the place to others."""
        try:
            await self._end()
        finally:
            if self._entered:
                self._entered, self._pages = False, 0
                self._desk.leave()

    async def _started(self) -> asyncio.subprocess.Process:
        if not self._entered:
            await self._desk.enter()
            self._entered = True
        if self._child is not None:
            return self._child
        limits = self._desk.limits
        self._complaint = scratch()
        self._child = await asyncio.create_subprocess_exec(
            *command(_MODULE),
            str(os.getpid()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=self._complaint,
            env=environment() | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            cwd=ROOT,
            close_fds=True,
            start_new_session=True,
        )
        reply = await self._asked(self._child, self._order(), limits.start_seconds)
        if reply != READY:
            raise UnreadableDocument()
        return self._child

    def _order(self) -> dict[str, Any]:
        limits = self._desk.limits
        return {
            "path": str(self._path.resolve()),
            "is_pdf": self._is_pdf,
            "threads": self._desk.threads,
            "page_cpu_seconds": limits.page_cpu_seconds,
            "page_bytes": limits.page_bytes,
            "limits": {
                "memory_bytes": limits.memory_bytes,
                "cpu_seconds": 86_400,  # of the whole child; the soft limit is set for each page
                "output_bytes": MEGABYTE,
                "open_files": limits.open_files,
            },
        }

    async def _asked(
        self, child: asyncio.subprocess.Process, question: dict[str, Any], seconds: float
    ) -> bytes:
        """The child's answer. Raises the error for a child that gives none in time."""
        assert child.stdin is not None  # noqa: S101  both are pipes
        assert child.stdout is not None  # noqa: S101
        try:
            async with asyncio.timeout(seconds):
                child.stdin.write(json.dumps(question).encode() + b"\n")
                await child.stdin.drain()
                (length,) = HEADER.unpack(await child.stdout.readexactly(HEADER.size))
                if length > self._desk.limits.page_bytes:
                    raise UnreadableDocument()
                return await child.stdout.readexactly(length)
        except TimeoutError:
            raise self._ended_badly(-signal.SIGKILL) from None
        except (ConnectionError, asyncio.IncompleteReadError):
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            raise self._ended_badly(await child.wait()) from None

    def _ended_badly(self, status: int) -> DocumentError:
        complaint = b""
        if self._complaint is not None:
            self._complaint.seek(max(0, self._complaint.seek(0, os.SEEK_END) - MAX_TRACE))
            complaint = self._complaint.read()
        return ended_badly(status, complaint)

    async def _end(self) -> None:
        child, self._child = self._child, None
        complaint, self._complaint = self._complaint, None
        if complaint is not None:
            complaint.close()
        if child is None:
            return
        if child.stdin is not None:
            child.stdin.close()
        if child.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        await child.wait()


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
