"""Reads a workbook in a child process with limits. What the child says is data from a stranger."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.app.common.errors import AppError, EncryptedDocument, ParseLimitExceeded, UnreadableDocument
from backend.app.company.sheets_read import Sheet
from backend.app.documents.archive import open_archive
from backend.app.documents.limits import MEGABYTE, ExtractLimits
from backend.app.documents.sandbox import MAX_TRACE, ended_badly, finish, folder_of_its_own, scratch, started

MAX_ROWS = 2_100  # of one sheet: a profile has 2,000 in all
_MODULE = "backend.app.company.sheet_child"
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
    with scratch() as request, scratch() as answer, scratch() as complaint, folder_of_its_own() as folder:
        request.write(json.dumps({"path": str(path), **_REQUEST}).encode())
        request.seek(0)
        child = await started(_MODULE, folder, stdin=request, stdout=answer, stderr=complaint)
        status = await finish(child, _WALL_S)
        answer.seek(0)
        reply = answer.read(_LIMITS["output_bytes"] + 1)
        complaint.seek(0)
        if status != 0 or not reply:
            raise ended_badly(status, complaint.read(MAX_TRACE))
    return reply


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
