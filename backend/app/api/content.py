"""The canonical text and the original file of a task, ready to be sent."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from backend.app.api.deps import Services
from backend.app.common.errors import DocumentNotFound, FileNotFound
from backend.app.documents.canonical import Block, Document
from backend.app.documents.storage import Storage
from backend.app.tasks import queries
from backend.app.tasks.queries import FileView


async def document_json(services: Services, sha256: str | None) -> bytes:
    """`{text, blocks, pages?, warnings, files?, unread?, ocr_pages?}`. Raises DocumentNotFound."""
    if sha256 is None:
        raise DocumentNotFound
    # Megabytes to read, unpack and write: not on the loop.
    return await asyncio.to_thread(_document_json, services.storage, sha256)


def _document_json(storage: Storage, sha256: str) -> bytes:
    try:
        document = Document.from_bytes(storage.read_bytes(sha256))
    except (FileNotFoundError, FileNotFound, ValueError) as error:
        raise DocumentNotFound from error
    shown: dict[str, Any] = {
        "text": document.text,
        "blocks": [_block(block) for block in document.blocks],
        "warnings": list(document.warnings),
    }
    if document.files:
        shown["files"] = [
            {
                "name": file.name,
                "start": file.start,
                "end": file.end,
                "media_type": file.media_type,
                "first_page": file.first_page,
                "pages": file.pages,
            }
            for file in document.files
        ]
    if document.unread:
        shown["unread"] = list(document.unread)
    if document.ocr_pages:
        shown["ocr_pages"] = list(document.ocr_pages)
    if document.pages:
        shown["pages"] = [
            {"number": p.number, "width": p.width, "height": p.height, "start": p.start, "end": p.end}
            for p in document.pages
        ]
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()


def _block(block: Block) -> dict[str, Any]:
    shown: dict[str, Any] = {"start": block.start, "end": block.end, "kind": block.kind.value}
    if block.page is not None:
        shown["page"] = block.page
    if block.path:
        shown["path"] = " > ".join(block.path)
    if block.level is not None:
        shown["level"] = block.level
    if block.cell is not None:
        cell = block.cell
        shown["cell"] = {"table": cell.table, "row": cell.row, "col": cell.col,
                         "rowspan": cell.rowspan, "colspan": cell.colspan}  # fmt: skip
    return shown


async def original(services: Services, user_id: int, task_id: int) -> tuple[FileView, Path]:
    """The upload of a task and where it lies. Raises TaskNotFound by way of the caller, FileNotFound."""
    file = await services.database.read(queries.file_of_task, user_id, task_id)
    if file is None:
        raise FileNotFound
    path = services.storage.path(file.sha256)
    if not await asyncio.to_thread(path.is_file):
        raise FileNotFound
    return file, path


def attachment(filename: str) -> str:
    """Content-Disposition by RFC 6266: an ASCII name for old clients, the real one for all others."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
