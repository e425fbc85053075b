"""Reads a workbook in a child process with limits. What the child says is data from a stranger."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from backend.app.common.errors import AppError, EncryptedDocument, ParseLimitExceeded, UnreadableDocument
from backend.app.common.logging import get_logger
from backend.app.company.sheets_read import Sheet
from backend.app.documents.archive import open_archive
from backend.app.documents.limits import MEGABYTE, ExtractLimits

log = get_logger("company")

MAX_ROWS = 2_100  # of one sheet: a profile has 2,000 in all
_ROOT = Path(__file__).resolve().parents[3]
_LIMITS = {
    "memory_bytes": 768 * MEGABYTE,
    "cpu_seconds": 15,
    "output_bytes": 24 * MEGABYTE,
    "open_files": 32,
}
_WALL_S = 20.0
_REQUEST = {"max_sheets": 20, "max_rows": MAX_ROWS, "max_columns": 64, "max_chars": 4_000, "limits": _LIMITS}
_PACKAGE = ExtractLimits(max_unpacked=64 * MEGABYTE, max_entries=500, max_xml_part=32 * MEGABYTE)
_KINDS = (str, int, float, bool, type(None))


@dataclass(slots=True)
class SheetReader:
    """One child at a time: imports are rare, and memory is not to be had twice."""

    free: asyncio.Semaphore

    @classmethod
    def alone(cls) -> SheetReader:
        return cls(asyncio.Semaphore(1))

    async def read(self, path: Path) -> list[Sheet]:
        """The sheets of an xlsx, xls or ods file.

        Raises UnreadableDocument, EncryptedDocument, ParseLimitExceeded.
        """
        whole = await asyncio.to_thread(_checked, path)
        async with self.free:
            reply = await _ask_child(whole)
        return await asyncio.to_thread(_understand, reply)


def _checked(path: Path) -> Path:
    """The absolute path: the child works elsewhere."""
    with path.open("rb") as file:
        zipped = file.read(2) == b"PK"
    if zipped:
        open_archive(path, _PACKAGE).close()
    return path.resolve()


async def _ask_child(path: Path) -> bytes:
    with tempfile.TemporaryFile() as request, tempfile.TemporaryFile() as answer:
        request.write(json.dumps({"path": str(path), **_REQUEST}).encode())
        request.seek(0)
        status = await _run(request, answer)
        answer.seek(0)
        reply = answer.read(_LIMITS["output_bytes"] + 1)
    if status != 0 or not reply:
        log.warning("sheet_child_died", status=status)
        too_much = status in (-signal.SIGKILL, -signal.SIGXCPU, -signal.SIGABRT, -signal.SIGXFSZ)
        raise ParseLimitExceeded() if too_much else UnreadableDocument()
    return reply


async def _run(request: IO[bytes], answer: IO[bytes]) -> int:
    """Whatever happens, the child is gone afterwards."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-s", "-m", "backend.app.company.sheet_child", str(os.getpid())),
        stdin=request,
        stdout=answer,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(_ROOT), "PYTHONUTF8": "1"},
        cwd=_ROOT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_WALL_S):
            return await child.wait()
    except TimeoutError:
        return -signal.SIGKILL
    finally:
        if child.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()


_ERRORS: dict[str, type[AppError]] = {
    error.code: error for error in (EncryptedDocument, UnreadableDocument, ParseLimitExceeded)
}


def _understand(reply: bytes) -> list[Sheet]:
    try:
        told: Any = json.loads(reply)
        if "error" in told:
            raise _ERRORS.get(told["error"], UnreadableDocument)()
        sheets = [Sheet(str(sheet["name"]), [list(row) for row in sheet["rows"]]) for sheet in told["sheets"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UnreadableDocument() from error
    if not all(isinstance(cell, _KINDS) for sheet in sheets for row in sheet.rows for cell in row):
        raise UnreadableDocument()
    if any(len(sheet.rows) > MAX_ROWS for sheet in sheets):
        raise ParseLimitExceeded()
    return sheets
