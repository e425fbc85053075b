"""The OCR child seen from outside: started, asked, and ended with everything that belongs to it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from backend.app.common.errors import DocumentError, UnreadableDocument
from backend.app.documents.limits import MEGABYTE
from backend.app.documents.ocr.child import HEADER, READY
from backend.app.documents.ocr.limits import OcrLimits
from backend.app.documents.sandbox import MAX_TRACE, ROOT, command, ended_badly, environment, scratch

_MOST_THREADS = 4  # more gain little on one page and take memory
_CPU_SECONDS = 86_400  # of the whole child, which allows itself some for each page


@dataclass(frozen=True, slots=True)
class OcrFile:
    """What is read: a PDF or a picture, by itself or as `member` of a package."""

    path: Path
    is_pdf: bool
    member: str = ""


class OcrProcess:
    """One child. Use `start`, then `ask`; `end` however that went."""

    def __init__(self, limits: OcrLimits) -> None:
        self._limits = limits
        self._child: asyncio.subprocess.Process | None = None
        self._answers = asyncio.StreamReader()
        self._pipe: asyncio.BaseTransport | None = None
        self._complaint: IO[bytes] = scratch()

    async def start(self, module: str, file: OcrFile) -> None:
        """Raises ParseLimitExceeded or UnreadableDocument when it does not come up."""
        ours, theirs = os.pipe()
        loop = asyncio.get_running_loop()
        try:
            # A pipe of our own: that of `asyncio.subprocess` stays open when an answer was never read.
            self._pipe, _ = await loop.connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(self._answers), os.fdopen(ours, "rb")
            )
            self._child = await asyncio.create_subprocess_exec(
                *command(module),
                str(os.getpid()),
                stdin=asyncio.subprocess.PIPE,
                stdout=theirs,
                stderr=self._complaint,
                env=environment() | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                cwd=ROOT,
                close_fds=True,
                start_new_session=True,
            )
        finally:
            os.close(theirs)
        if await self._ask(self._order(file), self._limits.start_seconds) != READY:
            raise UnreadableDocument()

    async def ask(self, number: int) -> bytes:
        """The child's answer about a page. Raises as `start`."""
        return await self._ask({"page": number}, self._limits.page_seconds)

    async def end(self) -> None:
        """It is gone afterwards, whatever state it was in."""
        if self._pipe is not None:
            self._pipe.close()
        try:
            await self._killed()
        finally:
            self._complaint.close()

    async def _ask(self, question: dict[str, Any], seconds: float) -> bytes:
        assert self._child is not None  # noqa: S101  started
        assert self._child.stdin is not None  # noqa: S101  a pipe
        try:
            async with asyncio.timeout(seconds):
                self._child.stdin.write(json.dumps(question).encode() + b"\n")
                await self._child.stdin.drain()
                (length,) = HEADER.unpack(await self._answers.readexactly(HEADER.size))
                if length > self._limits.page_bytes:
                    raise UnreadableDocument()
                return await self._answers.readexactly(length)
        except TimeoutError:
            raise self._ended_badly(-signal.SIGKILL) from None
        except (ConnectionError, asyncio.IncompleteReadError):
            # It has ended or closes its mouth; in the second case it is killed now.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._child.wait(), 1.0)
            raise self._ended_badly(await self._killed()) from None

    def _order(self, file: OcrFile) -> dict[str, Any]:
        limits = self._limits
        return {
            "path": str(file.path.resolve()),
            "member": file.member,
            "is_pdf": file.is_pdf,
            # All cores: it is the only one of its kind, and of low priority.
            "threads": max(1, min(os.cpu_count() or 1, _MOST_THREADS)),
            "page_cpu_seconds": limits.page_cpu_seconds,
            "page_bytes": limits.page_bytes,
            "limits": {
                "memory_bytes": limits.memory_bytes,
                "cpu_seconds": _CPU_SECONDS,
                # A member of a package is unpacked in memory, which counts as a file.
                "output_bytes": limits.member_bytes if file.member else MEGABYTE,
                "open_files": limits.open_files,
            },
        }

    async def _killed(self) -> int:
        if self._child is None:
            return 0
        if self._child.stdin is not None:
            self._child.stdin.close()
        if self._child.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
        return await self._child.wait()

    def _ended_badly(self, status: int) -> DocumentError:
        self._complaint.seek(max(0, self._complaint.seek(0, os.SEEK_END) - MAX_TRACE))
        return ended_badly(status, self._complaint.read())
