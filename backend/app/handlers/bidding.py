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
from backend.app.common.errors import LLMContextTooLong
from backend.app.documents.canonical import Document
from backend.app.documents.chunk import split
from backend.app.documents.reading import Reader, unread_gaps
from backend.app.documents.storage import Storage
from backend.app.handlers.reading import DurableReader, Source
from backend.app.llm import types as llm
from backend.app.llm.client import LLMClient
from backend.app.tasks.runner import Context, HandlerResult
from backend.app.tasks.steps import StepResult, current_call
from backend.app.tasks.task import JSON, Spent, Task

# Once a step has made this many calls over all attempts, each further attempt makes one.
CALLS_OF_A_STEP = 10
PURPOSE = "bidding"
TYPICAL_ANSWER = 1_000  # tokens


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
        context.progress("analysing", 30, "识别要点")
        # In a thread: rules are pure computing, and the loop holds other tasks' connections.
        analysis = await asyncio.to_thread(analyse_with_rules, document)
        engine: dict[str, Any] = rules_engine(analysis)
        if self.client is not None:
            analysis, engine = await self._with_model(self.client, document, analysis, task, context)
        context.progress("grounding", 95, "核对原文")
        gaps = (*unread_gaps(document, self.reader.max_ocr_pages), *analysis.gaps)
        report = await asyncio.to_thread(
            build_report,
            document,
            replace(analysis, gaps=gaps),
            source=DocumentSource(source.filename, source.sha256, document.ocr_pages),
            engine=engine,
            usage=context.usage(),
        )
        return HandlerResult(report, document_sha256)

    async def _with_model(
        self, client: LLMClient, document: Document, rules: Analysis, task: Task, context: Context
    ) -> tuple[Analysis, dict[str, Any]]:
        """The rules' analysis with the model's worked in."""
        plan = ReadingPlan.of(client.roomiest(PURPOSE))
        parts = len(split(document, target=plan.target, longest=plan.longest, whole=plan.whole))
        progress = _PartsProgress(context, parts)
        found = await analyse_with_llm(
            document,
            ask=_ask(client, task, context, progress),
            step=_durable(client, context, progress),
            plan=plan,
            last_attempt=task.retry_count >= task.max_retries,
        )
        merged = merge(rules, found)
        provider, model = context.answered_by() or (None, None)
        engine = {
            "mode": "hybrid",
            "provider": provider,
            "model": model,
            "prompt_version": found.prompt_version,
            "ungrounded_dropped": merged.ungrounded_dropped,
        }
        return merged, engine


def _ask(client: LLMClient, task: Task, context: Context, progress: _PartsProgress) -> llm.Ask:
    """The client for this attempt; a step that has cost many calls already gets one more and no further."""

    async def ask(messages: Any, schema: type[llm.Model], *, step: str) -> llm.StructuredAnswer[llm.Model]:
        around = current_call.get()
        around.spent = around.spent or Spent(calls=0)  # until the first call is made, and told
        call = llm.CallContext(
            task_id=task.id,
            attempt=task.attempt,
            user_id=task.user_id,
            step=step,
            purpose=PURPOSE,
            calls=1 if around.calls_before >= CALLS_OF_A_STEP else None,
            permit=around.permit,
            room=around.room,
            spent=lambda spending: setattr(around, "spent", _spent(spending)),
            tokens=lambda tokens: progress.heard(step, tokens),
        )
        return await client.ask(messages, schema, deadline=context.deadline, context=call)

    return ask


def _durable(client: LLMClient, context: Context, progress: _PartsProgress) -> llm.Step:
    """`context.step` in the words of the LLM layer, with its worst cost reserved and its progress told."""

    async def step(
        name: str,
        inputs: Mapping[str, JSON],
        call: Callable[[], Awaitable[llm.StepResult]],
        *,
        prompt_tokens: int = 0,
    ) -> JSON:
        async def paid() -> StepResult:
            made = await call()
            spent = Spent(
                calls=made.calls,
                provider=made.provider,
                model=made.model,
                prompt_tokens=made.prompt_tokens,
                response_tokens=made.response_tokens,
                cost=made.cost,
            )
            return StepResult(made.result, spent, made.is_provisional)

        reserve = client.worst_cost(PURPOSE, prompt_tokens)
        result = await context.step(f"llm/{name}", inputs, paid, reserve=reserve)
        progress.finished(name)
        if isinstance(result, dict) and result.get("refused") == LLMContextTooLong.code:
            progress.add(2)  # its halves
        return result

    return step


def _spent(spending: llm.Spending) -> Spent:
    usage = spending.usage
    return Spent(
        calls=spending.calls,
        prompt_tokens=usage.prompt_tokens,
        response_tokens=usage.response_tokens,
        cost=spending.cost,
    )


class _PartsProgress:
    """From finished parts, and from the tokens of those being answered, to a percentage from 30 to 90."""

    def __init__(self, context: Context, parts: int) -> None:
        self._context, self._parts = context, max(parts, 1)
        self._done = 0
        self._coming: dict[str, int] = {}

    def heard(self, part: str, tokens: int) -> None:
        self._coming[part] = tokens
        self._tell()

    def finished(self, part: str) -> None:
        self._coming.pop(part, None)
        self._done += 1
        self._tell()

    def add(self, parts: int) -> None:
        self._parts += parts

    def _tell(self) -> None:
        # An answer's length is not known before it ends: it is never more than nearly done.
        coming = sum(0.9 * tokens / (tokens + TYPICAL_ANSWER) for tokens in self._coming.values())
        share = min((self._done + coming) / self._parts, 1.0)
        message = f"识别要点 {min(self._done, self._parts)}/{self._parts}"
        tokens = sum(self._coming.values())
        if tokens:
            message += f"，正在接收模型回答（约 {tokens} 词元）"
        self._context.progress("analysing", 30 + round(60 * share), message)
