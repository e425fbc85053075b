"""Reads foreign files in a child process with limits, so that no file can harm or stall this one.

The child is executed anew (nothing of this process's memory or secrets reaches it), stands in a process
group of its own, dies with this process, and is killed with its group when its time is up or the caller is
cancelled. What it says is taken as data from a stranger: its size is bounded and it is parsed strictly.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from backend.app.common.errors import (
    AppError,
    DocumentError,
    EmptyDocument,
    EncryptedDocument,
    ParseLimitExceeded,
    UnreadableDocument,
    UnsupportedFileType,
)
from backend.app.common.logging import get_logger
from backend.app.documents.canonical import Document
from backend.app.documents.child import BROKEN, DOCUMENT, ERROR, PROBE
from backend.app.documents.limits import MEGABYTE, ExtractLimits
from backend.app.documents.ocr.pages import OcrPage

log = get_logger("sandbox")

Ocr = Mapping[int, OcrPage]

_MODULE = "backend.app.documents.child"
ROOT = Path(__file__).resolve().parents[3]
ERRORS: dict[str, type[AppError]] = {
    error.code: error
    for error in (
        EmptyDocument,
        EncryptedDocument,
        ParseLimitExceeded,
        UnreadableDocument,
        UnsupportedFileType,
    )
}
# Ends that mean "too much": killed (wall clock, the system out of memory), processor time, file size, and
# the traps by which PDFium ends itself when memory is refused.
_TOO_MUCH = frozenset((signal.SIGKILL, signal.SIGXCPU, signal.SIGXFSZ, signal.SIGTRAP, signal.SIGILL))
_NO_MEMORY = (b"MemoryError", b"memory allocation of")  # Python's words, and those of Rust (calamine)
MAX_TRACE = 8192


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """What one child may use. `wall_seconds` begin when the child starts."""

    memory_bytes: int = 1536 * MEGABYTE
    cpu_seconds: int = 120
    wall_seconds: float = 180.0
    output_bytes: int = 256 * MEGABYTE
    open_files: int = 64
    extract: ExtractLimits = field(default_factory=ExtractLimits)


DEFAULT_LIMITS = SandboxLimits()


async def parse_in_child(
    path: Path, filename: str, limits: SandboxLimits = DEFAULT_LIMITS, ocr: Ocr | None = None
) -> Document:
    """Read a file in a child process of its own; `ocr`: what was found on its pages (see `extract`).

    Raises what `extract` raises; ParseLimitExceeded when a limit is hit; UnreadableDocument when the child
    breaks. Cancelling kills the child at once.
    """
    with scratch() as request, scratch() as answer, scratch() as complaint, folder_of_its_own() as folder:
        # In a thread: what OCR found on hundreds of pages is megabytes of numbers.
        await asyncio.to_thread(_write_request, request, path, filename, limits, ocr)
        child = await started(_MODULE, folder, stdin=request, stdout=answer, stderr=complaint)
        status = await finish(child, limits.wall_seconds)
        answer.seek(0)
        reply = answer.read(limits.output_bytes + 1)
        complaint.seek(0)
        if status != 0 or not reply:
            raise ended_badly(status, complaint.read(MAX_TRACE))
    return await asyncio.to_thread(_understand, reply, limits)


class ParsePool:
    """Lets so many children run at once; the others wait, and their clocks do not run meanwhile."""

    def __init__(self, processes: int) -> None:
        self._free = asyncio.Semaphore(max(processes, 1))

    async def parse(
        self, path: Path, filename: str, limits: SandboxLimits = DEFAULT_LIMITS, ocr: Ocr | None = None
    ) -> Document:
        """As `parse_in_child`."""
        async with self._free:
            return await parse_in_child(path, filename, limits, ocr)


def network_isolation_works() -> bool:
    """Whether children get a network namespace of their own on this system (for `doctor`). Blocks."""
    probe = subprocess.run(  # noqa: S603 — our own interpreter and module
        [*command(), PROBE], env=environment(), cwd=ROOT, capture_output=True, timeout=30, check=False
    )
    return probe.returncode == 0


async def started(
    module: str, folder: str, *, stdin: IO[bytes], stdout: IO[bytes], stderr: IO[bytes]
) -> asyncio.subprocess.Process:
    """A child with one of our own modules; `folder`: for its temporary files.

    Files instead of pipes: nothing to pump, nothing to block on, and the file-size limit bounds them.
    """
    return await asyncio.create_subprocess_exec(
        *command(module),
        str(os.getpid()),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env={**environment(), "TMPDIR": folder},
        cwd=ROOT,
        close_fds=True,
        start_new_session=True,
    )


async def finish(child: asyncio.subprocess.Process, seconds: float) -> int:
    """Wait for the child's end, at most so long; whatever happens, it is gone afterwards."""
    try:
        async with asyncio.timeout(seconds):
            return await child.wait()
    except TimeoutError:
        return -signal.SIGKILL
    finally:
        # Also when it has ended: LibreOffice may have been started by a child that then crashed. A group's
        # number is not given away while it has a member.
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        if child.returncode is None:
            await child.wait()


def command(module: str = _MODULE) -> list[str]:
    """Our interpreter with one of our own modules."""
    # -P: the working folder is not searched for modules; -s: nor the user's own site-packages.
    return [sys.executable, "-P", "-s", "-m", module]


def environment() -> dict[str, str]:
    """Nothing of our own environment, which holds secrets, but the search path."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(ROOT),
        "LANG": "C.UTF-8",
        "PYTHONUTF8": "1",
        "MALLOC_ARENA_MAX": "1",
    }


def _write_request(
    file: IO[bytes], path: Path, filename: str, limits: SandboxLimits, ocr: Ocr | None
) -> None:
    told: dict[str, Any] = {"path": str(path.resolve()), "filename": filename, "limits": asdict(limits)}
    if ocr:
        told["ocr"] = {number: page.as_json() for number, page in ocr.items()}
    file.write(json.dumps(told).encode())
    file.seek(0)


def scratch() -> IO[bytes]:
    """A file that only its openers see; in memory where the system can."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("parse", os.MFD_CLOEXEC), "w+b")
    return tempfile.TemporaryFile()


def folder_of_its_own() -> tempfile.TemporaryDirectory[str]:
    """The child's folder for temporary files, gone with it however it ends."""
    return tempfile.TemporaryDirectory(prefix="parse-", ignore_cleanup_errors=True)


def ended_badly(status: int, complaint: bytes) -> DocumentError:
    """The error for a child that gave no answer; `complaint`: the end of what it wrote to stderr."""
    too_much = -status in _TOO_MUCH or any(words in complaint for words in _NO_MEMORY)
    log.warning("parse_died", status=status, stderr=complaint.decode("utf-8", "replace"))
    return ParseLimitExceeded() if too_much else UnreadableDocument()


def _understand(reply: bytes, limits: SandboxLimits) -> Document:
    """The child's document; raises the error that it reported."""
    kind, content = reply[:1], reply[1:]
    try:
        if kind == DOCUMENT:
            return Document.from_bytes(content, most=4 * limits.output_bytes)
        if kind == ERROR:
            told = json.loads(content)
            raise ERRORS.get(told["code"], UnreadableDocument)(**told.get("params", {}))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        log.warning("parse_answer_malformed", error=type(error).__name__)
        raise UnreadableDocument() from error
    if kind == BROKEN:
        log.error("parse_failed", traceback=content[:MAX_TRACE].decode("utf-8", "replace"))
    raise UnreadableDocument()
