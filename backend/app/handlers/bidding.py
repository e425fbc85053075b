"""`bidding_analysis`: one tender, parsed in a child process, read by the rules and, where one is
configured, by a model; every finding quoted at its place."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from backend.app.bidding.analysis import analyse_with_rules
from backend.app.bidding.findings import Analysis
from backend.app.bidding.llm_analysis import ReadingPlan, analyse_with_llm
from backend.app.bidding.merge import merge
from backend.app.bidding.report import DocumentSource, build_report, rules_engine
from backend.app.common.errors import FileNotFound, LLMError
from backend.app.documents.canonical import READER_VERSION, Document
from backend.app.documents.chunk import split
from backend.app.documents.extract import from_text
from backend.app.documents.sandbox import ParsePool, SandboxLimits
from backend.app.documents.storage import Storage
from backend.app.llm import types as llm
from backend.app.llm.client import LLMClient
from backend.app.tasks.runner import Context, HandlerResult
from backend.app.tasks.steps import StepCallFailed, StepResult, calls_before
from backend.app.tasks.task import JSON, Spent, Task

# Once a step has made this many calls over all attempts, each further attempt makes one.
CALLS_OF_A_STEP = 10


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
        engine: dict[str, Any] = rules_engine(analysis)
        if self.client is not None:
            analysis, engine = await self._with_model(self.client, document, analysis, task, context)
        context.progress("grounding", 95, "核对原文")
        source = DocumentSource(filename=_filename(task), sha256=task.file_sha256 or "")
        report = await asyncio.to_thread(
            build_report, document, analysis, source=source, engine=engine, usage=context.usage()
        )
        return HandlerResult(report, document_sha256)

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

    async def _with_model(
        self, client: LLMClient, document: Document, rules: Analysis, task: Task, context: Context
    ) -> tuple[Analysis, dict[str, Any]]:
        """The rules' analysis with the model's worked in."""
        plan = ReadingPlan.of(client.deployment)
        parts = len(split(document, target=plan.target, longest=plan.longest, whole=plan.whole))
        found = await analyse_with_llm(
            document,
            ask=_ask(client, task, context),
            step=_durable(context, parts),
            plan=plan,
            last_attempt=task.retry_count >= task.max_retries,
        )
        merged = merge(rules, found)
        engine = {
            "mode": "hybrid",
            "provider": client.deployment.provider,
            "model": client.deployment.model,
            "prompt_version": found.prompt_version,
            "ungrounded_dropped": merged.ungrounded_dropped,
        }
        return merged, engine


def _filename(task: Task) -> str:
    return str(task.payload.get("filename") or "文本.txt")


def _ask(client: LLMClient, task: Task, context: Context) -> llm.Ask:
    """The client for this attempt; a step that has cost many calls already gets one more and no further."""

    async def ask(messages: Any, schema: type[llm.Model], *, step: str) -> llm.StructuredAnswer[llm.Model]:
        call = llm.CallContext(task_id=task.id, attempt=task.attempt, step=step)
        if calls_before.get() >= CALLS_OF_A_STEP:
            call = replace(call, calls=1)
        return await client.ask(messages, schema, deadline=context.deadline, context=call)

    return ask


def _durable(context: Context, parts: int) -> llm.Step:
    """`context.step` in the words of the LLM layer, telling how many parts are done."""
    done = 0

    async def step(
        name: str, inputs: Mapping[str, JSON], call: Callable[[], Awaitable[llm.StepResult]]
    ) -> JSON:
        nonlocal done

        async def paid() -> StepResult:
            try:
                made = await call()
            except LLMError as error:
                raise StepCallFailed(_spent_on(error)) from error
            return StepResult(
                made.result,
                Spent(
                    calls=made.calls,
                    provider=made.provider,
                    model=made.model,
                    prompt_tokens=made.prompt_tokens,
                    response_tokens=made.response_tokens,
                    cost=made.cost,
                ),
            )

        result = await context.step(f"llm/{name}", inputs, paid)
        done += 1
        context.progress(
            "analysing", 30 + round(60 * min(done / max(parts, 1), 1)), f"识别要点 {done}/{parts}"
        )
        return result

    return step


def _spent_on(error: LLMError) -> Spent:
    calls, usage = llm.spent_of(error)
    return Spent(calls=calls, prompt_tokens=usage.prompt_tokens, response_tokens=usage.response_tokens)
