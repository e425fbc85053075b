"""The part of a bidding analysis that a model does: parts, partial results, merge, overview."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from backend.app.bidding import prompts
from backend.app.bidding.findings import Analysis
from backend.app.bidding.llm_analysis import Background, FindingsSoFar, ReadingPlan, Told, analyse_with_llm
from backend.app.bidding.llm_gather import LLMFindings
from backend.app.bidding.llm_overview import ROOM, Reduced, held_to, overview_of
from backend.app.bidding.merge import MODE, merge
from backend.app.bidding.outline import outline_of
from backend.app.bidding.rules.tabs import Reading
from backend.app.documents.canonical import Document
from backend.app.documents.chunk import split
from backend.app.handlers.asking import PartsProgress, ask_of, durable
from backend.app.handlers.partials import Partials
from backend.app.llm.client import LLMClient
from backend.app.tasks.runner import Context
from backend.app.tasks.task import JSON, Task

PURPOSE = "bidding"
# (analysis so far, engine) as the result's JSON.
Report = Callable[[Analysis, dict[str, Any]], dict[str, Any]]


# Both readers may work at once: the model is waited for, the rules compute in a thread.
Rules = Callable[[], Awaitable[Analysis]]


@dataclass(frozen=True, slots=True)
class ModelPass:
    """One tender's way through the model. `rules` makes the rules' analysis of what was read; `report` builds
    the JSON of an analysis."""

    client: LLMClient
    document: Document
    document_sha256: str
    reading: Reading
    rules: Rules
    report: Report

    async def run(self, task: Task, context: Context) -> tuple[Analysis, dict[str, Any]]:
        """The rules' analysis with the model's worked in, and the result's `engine`."""
        ruling = asyncio.ensure_future(self.rules())
        try:
            async with self._partials(ruling, context) as told:
                return await self._asked(task, context, ruling, told)
        finally:
            ruling.cancel()
            await asyncio.gather(ruling, return_exceptions=True)

    async def _asked(
        self, task: Task, context: Context, ruling: asyncio.Future[Analysis], told: Told
    ) -> tuple[Analysis, dict[str, Any]]:
        last = task.retry_count >= task.max_retries
        lots = frozenset(lot.id for lot in self.reading.lots)
        background = Background(outline_of(self.document, self.reading), lots)
        plan = ReadingPlan.of(self.client.roomiest(PURPOSE), outline=background.outline)
        parts = split(self.document, target=plan.target, longest=plan.longest, whole=plan.whole)
        progress = PartsProgress(context, len(parts) + (len(parts) > 1))
        ask = ask_of(self.client, task, context, PURPOSE, progress)
        step = durable(self.client, context, PURPOSE, progress)
        found = await analyse_with_llm(
            self.document,
            ask=ask,
            step=step,
            plan=plan,
            last_attempt=last,
            background=background,
            told=told,
        )
        merged = merge(await ruling, found)
        if found.overview is not None:
            reduced = held_to(found.overview, self.document.text)
        elif len(parts) > 1:
            reduced = await overview_of(
                self.document,
                merged,
                ask=ask,
                step=step,
                room=min(ROOM, plan.longest),
                last_attempt=last,
            )
        else:
            reduced = Reduced(None)
        analysis = _with_overview(merged, reduced)
        return analysis, self._engine(analysis, found.prompt_version, context)

    @contextlib.asynccontextmanager
    async def _partials(self, ruling: asyncio.Future[Analysis], context: Context) -> AsyncIterator[Told]:
        """Who tells of finished parts; they are shown as soon as the rules' findings are there to go with."""

        async def keep(body: JSON) -> None:
            await context.partial(body, self.document_sha256)

        partials: Partials[FindingsSoFar] = Partials(
            lambda so_far: self._partial(ruling.result(), so_far, context), keep
        )
        nothing = LLMFindings({}, (), 0, (), prompts.load("extract").version)
        latest: list[Callable[[], FindingsSoFar]] = [lambda: FindingsSoFar(nothing, ("全文",))]

        def told(news: Callable[[], FindingsSoFar]) -> None:
            latest[:] = [news]
            show()

        def show(_: object = None) -> None:
            if ruling.done() and not ruling.cancelled() and ruling.exception() is None:
                partials.see(latest[0])

        ruling.add_done_callback(show)
        async with partials.written():
            yield told

    def _partial(self, rules: Analysis, so_far: FindingsSoFar, context: Context) -> dict[str, Any]:
        analysis = merge(rules, so_far.found)
        body = self.report(analysis, self._engine(analysis, so_far.found.prompt_version, context))
        return {**body, "missing": [{"part": part} for part in so_far.waiting]}

    def _engine(self, analysis: Analysis, prompt_version: str, context: Context) -> dict[str, Any]:
        provider, model = context.answered_by() or (None, None)
        return {
            "mode": MODE,
            "provider": provider,
            "model": model,
            "prompt_version": prompt_version,
            "ungrounded_dropped": analysis.ungrounded_dropped,
        }


def _with_overview(analysis: Analysis, reduced: Reduced) -> Analysis:
    extra = analysis.extra if reduced.overview is None else {**analysis.extra, "overview": reduced.overview}
    return replace(
        analysis,
        extra=extra,
        ungrounded_dropped=analysis.ungrounded_dropped + reduced.dropped,
        gaps=analysis.gaps if reduced.gap is None else (*analysis.gaps, reduced.gap),
    )
