"""Bodies that FastAPI's own parameters cannot take: forms with megabytes of text, files that go straight
to the storage, and JSON that is read only after the caller is known.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from backend.app.common.errors import (
    BadRequestBody,
    EmptyDocument,
    FileTooLarge,
    TextTooLong,
    ValidationFailed,
)
from backend.app.common.text import clean_filename, decode_text
from backend.app.documents.storage import Storage, StoredFile

M = TypeVar("M", bound=BaseModel)

_FIELDS_MOST = 20
_FIELD_BYTES = 64 * 1024
_FLUSH_BYTES = 512 * 1024
_FORM = b"application/x-www-form-urlencoded"
_MULTIPART = b"multipart/form-data"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with a form: its bytes lie in the storage, its name is for eyes only."""

    stored: StoredFile
    filename: str


@dataclass(slots=True)
class Form:
    """The fields, and the one file."""

    fields: dict[str, str] = field(default_factory=dict)
    file: Upload | None = None

    def require_file(self) -> Upload:
        """Raises ValidationFailed, EmptyDocument."""
        if self.file is None:
            raise ValidationFailed.of("file", "请选择要上传的文件", "is required", type="missing")
        if self.file.stored.size == 0:
            raise EmptyDocument
        return self.file

    def require_text(self) -> str:
        text = self.fields.get("text")
        if text is None:
            raise ValidationFailed.of("text", "缺少必填项", "is required", type="missing")
        return text

    def parsed(self, model: type[M]) -> M:
        """The fields that the model knows. One left empty counts as left out, as Swagger sends it."""
        given = {name: self.fields[name] for name in model.model_fields if self.fields.get(name, "") != ""}
        return validated(model, given)


@dataclass(frozen=True, slots=True)
class FormLimits:
    max_upload: int  # bytes
    max_text: int  # characters of the field "text"

    def check(self, name: str, value: bytes | bytearray) -> None:
        """Raises TextTooLong, ValidationFailed. A character takes four bytes at the most."""
        if name == "text" and len(value) > 4 * self.max_text:
            raise TextTooLong(limit=f"{self.max_text:,}")
        if name != "text" and len(value) > _FIELD_BYTES:
            raise ValidationFailed.of(name[:100], "内容过长", "is too long", type="too_long")


def validated(model: type[M], values: object) -> M:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise RequestValidationError(
            [{**item, "loc": ("body", *item["loc"])} for item in error.errors()]
        ) from error


async def read_json(request: Request, model: type[M]) -> M:
    """Raises BadRequestBody for what is not JSON, RequestValidationError for what is not the model."""
    kind, _ = parse_options_header(request.headers.get("content-type"))
    if kind != b"application/json":
        raise BadRequestBody
    try:
        values: Any = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise BadRequestBody from error
    return validated(model, values)


async def read_form(request: Request, storage: Storage, limits: FormLimits) -> Form:
    """Read a form to its end. A file part goes to the storage while it comes in; nothing of it is held in
    memory, and nothing is left in the storage when the body turns out to be bad."""
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind == _FORM:
        return _urlencoded(await request.body(), limits)
    if kind != _MULTIPART or b"boundary" not in options:
        raise BadRequestBody
    reader = _MultipartReader(storage, limits)
    try:
        parser = MultipartParser(options[b"boundary"], reader.callbacks())
        async for chunk in request.stream():
            parser.write(chunk)
            await reader.flush()
        parser.finalize()
        return await reader.finish()
    except FormParserError as error:
        raise BadRequestBody from error
    finally:
        await reader.discard()


def _urlencoded(body: bytes, limits: FormLimits) -> Form:
    try:
        # latin-1 keeps the bytes as they are; which encoding they are in is found out afterwards.
        text = body.decode("latin-1")
        pairs = parse_qsl(text, keep_blank_values=True, encoding="latin-1", max_num_fields=_FIELDS_MOST)
    except ValueError as error:
        raise BadRequestBody from error
    form = Form()
    for name, value in pairs:
        _put(form.fields, _decoded(name.encode("latin-1")), value.encode("latin-1"), limits)
    return form


def _put(fields: dict[str, str], name: str, value: bytes, limits: FormLimits) -> None:
    limits.check(name, value)
    fields[name] = _decoded(value, name)


def _decoded(raw: bytes, name: str = "") -> str:
    try:
        return decode_text(raw)
    except UnicodeDecodeError as error:
        raise ValidationFailed.of(name[:100], "编码应为 UTF-8", "must be UTF-8", type="encoding") from error


@dataclass(slots=True)
class _Part:
    """The part that is being read."""

    headers: dict[bytes, bytes] = field(default_factory=dict)
    header: bytearray = field(default_factory=bytearray)
    name: str = ""
    filename: str | None = None
    value: bytearray = field(default_factory=bytearray)


class _MultipartReader:
    """Collects fields, and sends the part named "file" to the storage in pieces of half a megabyte."""

    def __init__(self, storage: Storage, limits: FormLimits) -> None:
        self._storage, self._limits = storage, limits
        self._part = _Part()
        self._form = Form()
        self._parts = 0
        self._filename = ""
        self._writer: Any = None
        self._buffer = bytearray()
        self._size = 0
        self._ended = False

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._finished,
        }

    async def flush(self, *, all_of_it: bool = False) -> None:
        """Hand what is buffered to the storage, in a thread: it hashes and writes."""
        if self._writer is not None and (len(self._buffer) >= _FLUSH_BYTES or (all_of_it and self._buffer)):
            piece, self._buffer = bytes(self._buffer), bytearray()
            await asyncio.to_thread(self._writer.write, piece)

    async def finish(self) -> Form:
        if not self._ended:
            raise BadRequestBody  # the closing boundary never came
        if self._writer is not None:
            await self.flush(all_of_it=True)
            stored = await asyncio.to_thread(self._writer.commit)
            self._form.file = Upload(stored, self._filename)
        return self._form

    async def discard(self) -> None:
        """Drop a file that was not committed; after `finish` there is nothing to do."""
        if self._writer is not None and self._form.file is None:
            await asyncio.to_thread(self._writer.abort)

    def _begin(self) -> None:
        self._part = _Part()
        self._parts += 1
        if self._parts > _FIELDS_MOST:
            raise BadRequestBody

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._part.header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        name = bytes(self._part.header).lower()
        self._part.headers[name] = self._part.headers.get(name, b"") + data[start:end]

    def _header_end(self) -> None:
        self._part.header = bytearray()

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._part.headers.get(b"content-disposition"))
        if b"name" not in options:
            raise BadRequestBody
        self._part.name = _decoded(options[b"name"])
        if b"filename" not in options:
            return
        self._part.filename = clean_filename(_decoded(options[b"filename"]))
        if self._part.name != "file" or self._writer is not None:
            raise ValidationFailed.of(
                self._part.name[:100], "只接受一个名为 file 的文件", "only one file, named file, is accepted"
            )
        self._filename = self._part.filename
        self._writer = self._storage.writer()

    def _data(self, data: bytes, start: int, end: int) -> None:
        part = self._part
        if part.filename is not None:
            self._size += end - start
            if self._size > self._limits.max_upload:
                raise FileTooLarge(limit_mb=self._limits.max_upload // (1024 * 1024))
            self._buffer += data[start:end]
            return
        part.value += data[start:end]
        self._limits.check(part.name, part.value)

    def _end(self) -> None:
        if self._part.filename is None:
            _put(self._form.fields, self._part.name, bytes(self._part.value), self._limits)
            self._part.value = bytearray()

    def _finished(self) -> None:
        self._ended = True
