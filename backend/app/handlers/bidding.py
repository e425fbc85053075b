"""`bidding_analysis`: one tender, parsed in a child process, read by the rules and, where one is
configured, by a model; every finding quoted at its place."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

from backend.app.bidding.analysis import analyse_with_rules
from backend.app.bidding.findings import Analysis
from backend.app.bidding.report import DocumentSource, build_report, rules_engine
from backend.app.bidding.rules.tabs import read
from backend.app.documents.reading import Reader, unread_gaps
from backend.app.documents.storage import Storage
from backend.app.handlers.bidding_model import ModelPass
from backend.app.handlers.reading import DurableReader, Source
from backend.app.llm.client import LLMClient
from backend.app.tasks.runner import Context, HandlerResult
from backend.app.tasks.task import Task


@dataclass(frozen=True, slots=True)
class BiddingHandler:
    """The handler; `client` is None when the built-in analyser works alone."""

    storage: Storage
    reader: Reader
    client: LLMClient | None = None

    async def __call__(self, task: Task, context: Context) -> HandlerResult:
        source = Source.of(task)
        reading = DurableReader(self.storage, self.reader)
        document, document_sha256 = await reading.read_document(source, context)
        context.progress("analysing", 30, "识别要点", "Looking for findings")
        # In threads: rules are pure computing, and the loop holds other tasks' connections.
        read_once = await asyncio.to_thread(read, document)
        unread = tuple(unread_gaps(document, self.reader.max_ocr_pages))

        async def rules() -> Analysis:
            found = await asyncio.to_thread(analyse_with_rules, document, read_once)
            return replace(found, gaps=(*unread, *found.gaps))

        shown = DocumentSource(source.filename, source.sha256, document.ocr_pages)

        def report(found: Analysis, engine: dict[str, Any]) -> dict[str, Any]:
            return build_report(document, found, source=shown, engine=engine, usage=context.usage())

        if self.client is not None:
            model = ModelPass(self.client, document, document_sha256, read_once, rules, report)
            analysis, engine = await model.run(task, context)
        else:
            analysis = await rules()
            engine = rules_engine(analysis)
        context.progress("grounding", 95, "核对原文", "Checking quotes against the text")
        return HandlerResult(await asyncio.to_thread(report, analysis, engine), document_sha256)
