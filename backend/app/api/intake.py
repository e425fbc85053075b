"""From a request to a source of a task: reads the body, stores the file, checks what it really is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from backend.app.api.deps import CurrentUser, IdempotencyKey, Parts, Services
from backend.app.api.forms import Form, FormLimits, Upload, read_form, read_json
from backend.app.api.schemas import TaskCreate, TaskOptions
from backend.app.auth.users import User
from backend.app.common.errors import ParseLimitExceeded, ValidationFailed
from backend.app.documents.sniff import IMAGE_TYPES, FileType, sniff
from backend.app.tasks.service import NewFile, NewText, Order

_MEDIA_TYPES = {
    FileType.PDF: "application/pdf",
    FileType.DOCX: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    FileType.DOC: "application/msword",
    FileType.RTF: "application/rtf",
    FileType.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    FileType.XLSM: "application/vnd.ms-excel.sheet.macroEnabled.12",
    FileType.XLSB: "application/vnd.ms-excel.sheet.binary.macroEnabled.12",
    FileType.XLS: "application/vnd.ms-excel",
    FileType.ODS: "application/vnd.oasis.opendocument.spreadsheet",
    FileType.MHTML: "multipart/related",
    FileType.ZIP: "application/zip",
    FileType.HTML: "text/html",
    FileType.MARKDOWN: "text/markdown",
    FileType.TXT: "text/plain",
    **{kind: f"image/{kind.name.lower()}" for kind in IMAGE_TYPES},
}
# A zip's directory is read as a whole, in this process: 46 bytes announce an entry that costs a kilobyte.
_LARGEST_DIRECTORY = 2 * 1024 * 1024
_END_OF_DIRECTORY = b"PK\x05\x06"


@dataclass(frozen=True, slots=True)
class Posted:
    """A form of a known caller."""

    user: User
    form: Form
    key: str | None

    def order_of_text(self, task_type: str) -> Order:
        """Raises ValidationFailed."""
        options = self.form.parsed(TaskOptions).options()
        return Order(self.user.id, task_type, NewText(self.form.require_text()), options, self.key)

    def order_of_file(self, task_type: str, file: NewFile) -> Order:
        return Order(self.user.id, task_type, file, self.form.parsed(TaskOptions).options(), self.key)


async def _posted(request: Request, user: CurrentUser, services: Parts, key: IdempotencyKey = None) -> Posted:
    options = services.options
    limits = FormLimits(max_upload=options.max_upload_bytes, max_text=options.max_text_chars)
    return Posted(user, await read_form(request, services.storage, limits), key)


PostedForm = Annotated[Posted, Depends(_posted)]


async def _new_file(posted: PostedForm, services: Parts) -> NewFile:
    """Raises ValidationFailed, EmptyDocument, UnsupportedFileType, EncryptedDocument, ParseLimitExceeded."""
    upload = posted.form.require_file()
    return await asyncio.to_thread(_checked, services, upload)


UploadedFile = Annotated[NewFile, Depends(_new_file)]


async def _new_document(posted: PostedForm, services: Parts) -> NewFile | NewText:
    """A file or a text, whichever came. Raises what `_new_file` raises, and ValidationFailed for both."""
    if "text" not in posted.form.fields:
        return await _new_file(posted, services)
    if posted.form.file is not None:
        raise ValidationFailed.of("text", "文件与文本只能提交一种", "must not come together with a file")
    return NewText(posted.form.require_text())


PostedDocument = Annotated[NewFile | NewText, Depends(_new_document)]


async def _posted_json(request: Request, user: CurrentUser, key: IdempotencyKey = None) -> Order:
    body = await read_json(request, TaskCreate)
    return Order(
        user.id, body.task_type, body.source(), body.options(), key, base_task_id=body.payload.base_task_id
    )


PostedOrder = Annotated[Order, Depends(_posted_json)]


def _checked(services: Services, upload: Upload) -> NewFile:
    path = services.storage.path(upload.stored.sha256)
    _check_directory(path)
    kind = sniff(path, upload.filename)
    media_type = _MEDIA_TYPES.get(kind, "application/octet-stream")
    return NewFile(upload.stored.sha256, upload.stored.size, upload.filename, media_type)


def _check_directory(path: Path) -> None:
    with path.open("rb") as file:
        if not file.read(4).startswith(b"PK"):
            return
        file.seek(max(0, path.stat().st_size - 65_557))
        tail = file.read()
    at = tail.rfind(_END_OF_DIRECTORY)
    if at >= 0 and int.from_bytes(tail[at + 12 : at + 16], "little") > _LARGEST_DIRECTORY:
        raise ParseLimitExceeded
