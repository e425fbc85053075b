"""Reads the document of a task in durable steps: its text layer, each page of OCR, then both as one text.

A later attempt finds what was done: no page is recognised twice, however the worker ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.app.common.errors import DocumentError, FileNotFound, UnreadableDocument
from backend.app.documents.canonical import READER_VERSION, Document
from backend.app.documents.extract import from_text
from backend.app.documents.ocr.pages import OCR_VERSION, OcrPage
from backend.app.documents.reading import Reader
from backend.app.documents.sandbox import ERRORS
from backend.app.documents.storage import Storage
from backend.app.tasks.runner import Context
from backend.app.tasks.steps import StepResult
from backend.app.tasks.task import JSON, Spent, Task

_FREE = Spent(calls=0)


@dataclass(frozen=True, slots=True)
class Source:
    """What a task reads. `step`: goes before the names of its steps, where a task reads several."""

    sha256: str
    filename: str
    is_text: bool = False
    step: str = ""

    @classmethod
    def of(cls, task: Task) -> Source:
        """A task's own document. Raises FileNotFound when it has none."""
        if task.file_sha256 is None:
            raise FileNotFound
        name = str(task.payload.get("filename") or "文本.txt")
        return cls(task.file_sha256, name, is_text=task.payload.get("source") == "text")


@dataclass(frozen=True, slots=True)
class DurableReader:
    """Reads sources out of the storage, and keeps their canonical text there."""

    storage: Storage
    reader: Reader

    async def read_document(
        self, source: Source, context: Context, *, percents: tuple[int, int] = (5, 30)
    ) -> tuple[Document, str]:
        """The canonical text and its storage key; progress goes from one of `percents` to the other.

        Raises FileNotFound and what reading raises. A page that cannot be read is named in the text's
        warnings and stays in `unread`.
        """
        if not await asyncio.to_thread(self.storage.exists, source.sha256):
            raise FileNotFound
        context.progress("parsing", percents[0], "解析文档", "Reading the document")
        inputs: dict[str, JSON] = {
            "file": source.sha256,
            "filename": source.filename,
            "reader": READER_VERSION,
        }
        document, kept = await self._kept(
            context, f"{source.step}parse", inputs, lambda: self._parsed(source)
        )
        if not document.unread:
            return document, kept
        found = await self._recognised(source, document, context, percents)
        pages: dict[str, JSON] = {
            "pages": sorted(found),
            "max_pages": self.reader.max_ocr_pages,
            "ocr": OCR_VERSION,
        }

        async def whole() -> Document:
            read = document if not found else await self.reader.parse(*self._file(source), found)
            return self.reader.finished(read)

        return await self._kept(context, f"{source.step}text", inputs | pages, whole)

    async def _recognised(
        self, source: Source, document: Document, context: Context, percents: tuple[int, int]
    ) -> dict[int, OcrPage]:
        """Each page in a step of its own."""
        first, last = percents

        def told(done: int, pages: int) -> None:
            percent = first + round((last - first) * done / pages)
            place = f"{done + 1}/{pages}"
            context.progress("ocr", percent, f"识别扫描页 {place}", f"Reading scanned page {place}")

        async def keep(number: int, call: Callable[[], Awaitable[dict[str, Any]]]) -> Any:
            async def recognise() -> StepResult:
                try:
                    return StepResult(await call(), _FREE)
                except DocumentError as error:
                    # Kept too: the next attempt need not break on it again; a person's retry tries again.
                    return StepResult({"failed": error.code}, _FREE, is_provisional=True)

            # Not by the file's name: a copy of it under another name is known already.
            inputs: dict[str, JSON] = {
                "file": source.sha256,
                "page": number,
                "reader": READER_VERSION,
                "ocr": OCR_VERSION,
            }
            page = await context.step(f"{source.step}ocr/{number}", inputs, recognise, is_paid=False)
            if "failed" in page:
                raise ERRORS.get(page["failed"], UnreadableDocument)()
            return page

        return await self.reader.recognise(self._file(source)[0], document, keep, told)

    async def _kept(
        self,
        context: Context,
        step: str,
        inputs: dict[str, JSON],
        make: Callable[[], Awaitable[Document]],
    ) -> tuple[Document, str]:
        """A document made once: a later attempt finds it in the storage."""

        async def store() -> StepResult:
            document = await make()
            stored = await asyncio.to_thread(self.storage.put_bytes, document.to_bytes())
            return StepResult({"document_sha256": stored.sha256}, _FREE)

        kept: str = (await context.step(step, inputs, store, is_paid=False))["document_sha256"]
        try:
            # No row names the text until this task has ended: made young, no purge takes it meanwhile.
            await asyncio.to_thread(self.storage.touch, kept)
        except FileNotFoundError:  # removed by retention since
            kept = (await store()).result["document_sha256"]
        content = await asyncio.to_thread(self.storage.read_bytes, kept)
        return await asyncio.to_thread(Document.from_bytes, content), kept

    async def _parsed(self, source: Source) -> Document:
        if source.is_text:
            content = await asyncio.to_thread(self.storage.read_bytes, source.sha256)
            return await asyncio.to_thread(from_text, content.decode("utf-8", "replace"))
        return await self.reader.parse(*self._file(source))

    def _file(self, source: Source) -> tuple[Path, str]:
        return self.storage.path(source.sha256), source.filename
