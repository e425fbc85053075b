"""`bidding_analysis`: one tender, parsed in a child process, read by the rules and, where one is
configured, by a model; every finding quoted at its place."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from backend.app.bidding.analysis import analyse_with_rules
from backend.app.bidding.findings import Analysis
from backend.app.bidding.report import DocumentSource, build_report, rules_engine
from backend.app.common.errors import FileNotFound
from backend.app.documents.canonical import READER_VERSION, Document
from backend.app.documents.extract import from_text
from backend.app.documents.sandbox import ParsePool, SandboxLimits
from backend.app.documents.storage import Storage
from backend.app.handlers.bidding_model import ModelPass
from backend.app.llm.client import LLMClient
from backend.app.tasks.runner import Context, HandlerResult
from backend.app.tasks.steps import StepResult
from backend.app.tasks.task import Spent, Task


@dataclass(frozen=True, slots=True)
class BiddingHandler:
    """The handler; `client` is None when the built-in analyser works alone."""

    storage: Storage
    pool: ParsePool
    limits: SandboxLimits
    client: LLMClient | None = None

    async def __call__(self, task: Task, context: Context) -> HandlerResult:
        context.progress("parsing", 5, "解析文档")
        document, document_sha256 = await self._document(task, context)
        context.progress("analysing", 30, "识别要点")
        # In a thread: rules are pure computing, and the loop holds other tasks' connections.
        analysis = await asyncio.to_thread(analyse_with_rules, document)
        source = DocumentSource(_filename(task), task.file_sha256 or "", document.ocr_pages)

        def report(found: Analysis, engine: dict[str, Any]) -> dict[str, Any]:
            return build_report(document, found, source=source, engine=engine, usage=context.usage())

        engine: dict[str, Any] = rules_engine(analysis)
        if self.client is not None:
            model = ModelPass(self.client, document, document_sha256, analysis, report)
            analysis, engine = await model.run(task, context)
        context.progress("grounding", 95, "核对原文")
        return HandlerResult(await asyncio.to_thread(report, analysis, engine), document_sha256)

    async def _document(self, task: Task, context: Context) -> tuple[Document, str]:
        """The canonical text, read once: a later attempt finds it in the storage."""
        sha256 = task.file_sha256
        if sha256 is None or not self.storage.exists(sha256):
            raise FileNotFound

        async def read() -> StepResult:
            document = await self._read(task, sha256)
            stored = await asyncio.to_thread(self.storage.put_bytes, document.to_bytes())
            return StepResult({"document_sha256": stored.sha256}, Spent(calls=0))

        inputs = {"file": sha256, "filename": _filename(task), "reader": READER_VERSION}
        kept: str = (await context.step("parse", inputs, read, is_paid=False))["document_sha256"]
        try:
            # No row names the text until this task has ended: made young, no purge takes it meanwhile.
            await asyncio.to_thread(self.storage.touch, kept)
        except FileNotFoundError:  # removed by retention since
            kept = (await read()).result["document_sha256"]
        content = await asyncio.to_thread(self.storage.read_bytes, kept)
        return await asyncio.to_thread(Document.from_bytes, content), kept

    async def _read(self, task: Task, sha256: str) -> Document:
        if task.payload.get("source") == "text":
            content = await asyncio.to_thread(self.storage.read_bytes, sha256)
            return await asyncio.to_thread(from_text, content.decode("utf-8", "replace"))
        return await self.pool.parse(self.storage.path(sha256), _filename(task), self.limits)


def _filename(task: Task) -> str:
    return str(task.payload.get("filename") or "文本.txt")
