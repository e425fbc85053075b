"""A tender read by a model, part by part: asked through durable steps, grounded, verified, gathered.

What a model says is input: its quotes are looked up, its numbers read again from the source, and what the
source does not hold is dropped and counted. A part that is too long for the model is cut in two and asked
again; a part that no cure helps is a gap in the result, and when every part ends so, the error is the
task's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from backend.app.bidding import prompts
from backend.app.bidding.llm_answers import PartFindings
from backend.app.bidding.llm_gather import (
    Instructions,
    LLMFindings,
    PartRead,
    gather,
    name_part,
    read_part,
)
from backend.app.bidding.llm_steps import SCHEMA_TOKENS, answered, is_gap
from backend.app.common.errors import InternalError, LLMContextTooLong, LLMError, LLMTimeout
from backend.app.common.logging import get_logger
from backend.app.documents.canonical import Document
from backend.app.documents.chunk import LONGEST, TARGET, Chunk, bisect, split
from backend.app.llm.types import Ask, Deployment, Step, estimate_tokens

log = get_logger(__name__)

MAX_HALVINGS = 3
WHOLE = "以下为全文。"


@dataclass(frozen=True, slots=True)
class ReadingPlan:
    """How a document is cut and how many parts are asked at once. Sizes in characters."""

    target: int = TARGET
    longest: int = LONGEST
    whole: int = 12_000  # a document up to this size is asked in one call
    at_once: int = 4

    @classmethod
    def of(cls, deployment: Deployment, *, outline: str = "", at_once: int = 4) -> ReadingPlan:
        """What a deployment's window has room for, beside the instructions, the outline and the answer."""
        fixed = estimate_tokens(prompts.load("extract").text + outline) + SCHEMA_TOKENS
        free = deployment.context_window - fixed - (deployment.max_tokens or 4096)
        room = max(1_000, round(free / 0.8))
        longest = min(LONGEST, room)
        return cls(min(TARGET, round(longest * 0.8)), longest, min(12_000, room), at_once)


@dataclass(frozen=True, slots=True)
class Background:
    """What is known of the whole before its parts are read. `outline` is shown with every part."""

    outline: str = ""
    lots: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class FindingsSoFar:
    """What has been read while the rest is still to come."""

    found: LLMFindings
    waiting: tuple[str, ...]  # the parts, as their reader knows them


# Told after each part; call what it is given to see what there is: it costs a moment.
Told = Callable[[Callable[[], FindingsSoFar]], None]


@dataclass(slots=True)
class _Reading:
    """The state of one document's reading."""

    document: Document
    ask: Ask
    step: Step
    goes_on: bool  # past errors that a retry of the task might cure, because there is none any more
    slots: asyncio.Semaphore
    asked: Instructions
    outline: str
    told: Told
    waiting: list[Chunk] = field(default_factory=list)
    parts: list[PartRead] = field(default_factory=list)
    failed: list[tuple[Chunk, LLMError]] = field(default_factory=list)
    stopped: Exception | None = None

    def stop(self, error: Exception) -> None:
        """No further part is asked. Of several reasons the one counts that no waiting cures."""
        curable = isinstance(self.stopped, LLMError) and self.stopped.retryable
        if self.stopped is None or (curable and not getattr(error, "retryable", False)):
            self.stopped = error

    def fail(self, chunk: Chunk, error: LLMError) -> None:
        """This part stays unread."""
        self.waiting.remove(chunk)
        self.failed.append((chunk, error))


async def analyse_with_llm(
    document: Document,
    *,
    ask: Ask,
    step: Step,
    plan: ReadingPlan | None = None,
    last_attempt: bool = False,
    background: Background | None = None,
    told: Told = lambda _: None,
) -> LLMFindings:
    """Ask for every part and gather what holds.

    A part that no try cures (invalid answer, refused content, too long even in pieces) becomes a gap. Any
    other error is raised once the calls under way have ended and their answers are kept, so that a retry
    pays for what is missing only; with `last_attempt` an error that a retry might have cured becomes a gap
    as well. When no part at all was answered, the error is raised in any case.
    """
    plan, background = plan or ReadingPlan(), background or Background()
    chunks = split(document, target=plan.target, longest=plan.longest, whole=plan.whole)
    reading = _Reading(
        document,
        ask,
        step,
        last_attempt,
        asyncio.Semaphore(plan.at_once),
        Instructions(prompts.load("extract"), background.lots),
        "\n".join(line for line in (WHOLE if len(chunks) == 1 else "", background.outline) if line),
        told,
        list(chunks),
    )
    async with asyncio.TaskGroup() as group:
        for chunk in chunks:
            group.create_task(_read_part(reading, chunk, MAX_HALVINGS))
    _check(reading)
    return await asyncio.to_thread(_so_far, reading)


def _so_far(reading: _Reading) -> LLMFindings:
    return gather(reading.document, tuple(reading.parts), tuple(reading.failed), reading.asked.prompt)


def _findings_so_far(reading: _Reading) -> FindingsSoFar:
    waiting = tuple(name_part(reading.document, chunk) for chunk in tuple(reading.waiting))
    return FindingsSoFar(_so_far(reading), waiting)


async def _read_part(reading: _Reading, chunk: Chunk, halvings: int) -> None:
    """Ask for one part; cut it in two when it proves too long. Raises nothing but cancellation."""
    try:
        async with reading.slots:
            if reading.stopped is not None:
                return
            answer = await _ask_part(reading, chunk)
        # Looking up hundreds of quotes takes a while, and the loop holds other answers' streams.
        part = await asyncio.to_thread(read_part, reading.document, chunk, answer, reading.asked)
    except (LLMTimeout, LLMContextTooLong) as error:
        if not await _read_halves(reading, chunk, halvings):
            reading.fail(chunk, error)
        return
    except LLMError as error:
        if is_gap(error, last_attempt=reading.goes_on):
            reading.fail(chunk, error)
        else:
            reading.stop(error)
        return
    except Exception as error:  # a lost lease, a spent budget, a bug: the attempt's affair, not the part's
        reading.stop(error)
        return
    except asyncio.CancelledError:
        current = asyncio.current_task()
        if current is None or current.cancelling():
            raise
        # Nobody cancelled us: something that we waited for was. The group would take that for an end.
        reading.stop(InternalError())
        return
    reading.waiting.remove(chunk)
    reading.parts.append(part)
    reading.told(lambda: _findings_so_far(reading))


async def _read_halves(reading: _Reading, chunk: Chunk, halvings: int) -> bool:
    """Ask for both halves instead; False when the part can't be cut any more."""
    halves = bisect(reading.document, chunk) if halvings > 0 else None
    if halves is None:
        return False
    log.info("llm_part_split", part=chunk.name, chars=chunk.size)
    reading.waiting.remove(chunk)
    reading.waiting.extend(halves)
    async with asyncio.TaskGroup() as group:
        for half in halves:
            group.create_task(_read_part(reading, half, halvings - 1))
    return True


async def _ask_part(reading: _Reading, chunk: Chunk) -> PartFindings:
    """The answer for one part, from the store or from the model. Raises LLMError."""
    return await answered(
        reading.ask,
        reading.step,
        chunk.name,
        reading.asked.prompt,
        PartFindings,
        text=reading.document.text[chunk.start : chunk.end],
        lead="\n".join(line for line in (reading.outline, chunk.lead) if line),
    )


def _check(reading: _Reading) -> None:
    """Raise what must not end as a gap."""
    if reading.stopped is not None:
        raise reading.stopped
    curable = [error for _, error in reading.failed if error.retryable]
    if curable and not reading.goes_on:
        raise curable[0]
    if reading.failed and not reading.parts:
        raise (curable or [error for _, error in reading.failed])[0]
