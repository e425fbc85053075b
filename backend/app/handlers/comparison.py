"""`bidding_comparison`: a notice or a new version against a tender that was analysed before; rules only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass

from backend.app.bidding.comparison.compare import BaseTask, compare
from backend.app.bidding.report import DocumentSource
from backend.app.common.errors import BaseDocumentGone, BaseNotAnalysed
from backend.app.db.engine import Database
from backend.app.documents.canonical import Document
from backend.app.documents.reading import unread_gaps
from backend.app.documents.storage import Storage
from backend.app.handlers.reading import DurableReader, Source
from backend.app.tasks import queries
from backend.app.tasks.queries import TaskView
from backend.app.tasks.runner import Context, HandlerResult
from backend.app.tasks.task import Status, Task

# What it is compared with. Blocks on the database and the storage: called in a thread.
BaseOf = Callable[[Task], BaseTask]


@dataclass(frozen=True, slots=True)
class ComparisonHandler:
    """The handler; see docs/comparison.md for its result."""

    reading: DurableReader
    base_of: BaseOf

    async def __call__(self, task: Task, context: Context) -> HandlerResult:
        """Raises BaseDocumentGone, BaseNotAnalysed, and what reading the document raises."""
        # First of all: without a base there is no use in reading anything.
        base = await asyncio.to_thread(self.base_of, task)
        own = Source.of(task)
        document, document_sha256 = await self.reading.read_document(own, context, percents=(5, 40))
        context.progress("comparing", 40, "比对两份文件", "Comparing the two documents")
        source = DocumentSource(own.filename, own.sha256, document.ocr_pages)
        # In a thread: comparing is pure computing, and the loop holds other tasks' connections.
        result = await asyncio.to_thread(compare, base, document, source, context.usage())
        unread = unread_gaps(document, self.reading.reader.max_ocr_pages)
        return HandlerResult({**result, "gaps": [*unread, *result["gaps"]]}, document_sha256)


def stored_base(database: Database, storage: Storage) -> BaseOf:
    """The base from its row and its canonical text; only one of the same user."""

    def base_of(task: Task) -> BaseTask:
        base, result = _row(database, task)
        try:
            content = storage.read_bytes(base.document_sha256 or "")
            document = Document.from_bytes(content)
        except (FileNotFoundError, ValueError) as error:
            raise BaseDocumentGone from error
        source = DocumentSource(str(base.meta.get("filename") or "文本.txt"), base.file_sha256 or "")
        return BaseTask(base.id, document, base.document_sha256 or "", source, json.loads(result))

    return base_of


def _row(database: Database, task: Task) -> tuple[TaskView, str]:
    """The base's row and its result as JSON. The payload names it: a purge empties `parent_id`."""
    with database.read() as conn:
        base = queries.task(conn, task.user_id, int(task.payload["base_task_id"]))
        if base is None:
            raise BaseDocumentGone
        result = base.result_json
        if queries.is_large(result):
            result = queries.large_result(conn, base.id)
    if base.status != Status.COMPLETED or result is None:
        raise BaseNotAnalysed
    return base, result
