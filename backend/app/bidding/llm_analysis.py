"""A tender read by a model, part by part: asked through durable steps, grounded, verified, gathered.

What a model says is input: its quotes are looked up, its numbers read again from the source, and what the
source does not hold is dropped and counted. A part that is too long for the model is cut in two and asked
again; a part that no cure helps is a gap in the result, and when every part ends so, the error is the
task's.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from backend.app.bidding import prompts
from backend.app.bidding.findings import FACTS, Fact, Finding, Tab
from backend.app.bidding.grounding import Place, Source, adds_no_number, ground
from backend.app.bidding.llm_answers import SCHEMA_VERSION, PartFindings, StatedItem
from backend.app.bidding.llm_facts import dates_in, fact_of, points_in
from backend.app.bidding.merge import unite
from backend.app.common.errors import (
    InternalError,
    LLMContentRefused,
    LLMContextTooLong,
    LLMError,
    LLMGateClosed,
    LLMInvalidAnswer,
    LLMThrottled,
    LLMTimeout,
)
from backend.app.common.logging import get_logger
from backend.app.documents.canonical import Document
from backend.app.documents.chunk import LONGEST, TARGET, Chunk, bisect, split
from backend.app.llm.prompts import Prompt
from backend.app.llm.types import (
    JSON,
    Ask,
    Deployment,
    Message,
    Step,
    StepResult,
    estimate_tokens,
    spent_of,
)

log = get_logger(__name__)

MAX_HALVINGS = 3
COPIED_TITLE = 8  # characters; a shorter title may well stand in the instructions by chance
_SCHEMA_TOKENS = 800  # the schema, where it is told in words
# Errors of one part: another part of the same document may well be answered. They are kept like answers
# (`{"refused": code}`): a later attempt must not pay again to learn what is known.
_OF_THE_PART = (LLMInvalidAnswer, LLMContentRefused, LLMContextTooLong)
_BY_CODE = {kind.code: kind for kind in _OF_THE_PART}
# The way to the model is shut for a while: the task comes back, however many tries it has left.
_COMES_BACK = (LLMGateClosed, LLMThrottled)


@dataclass(frozen=True, slots=True)
class ReadingPlan:
    """How a document is cut and how many parts are asked at once. Sizes in characters."""

    target: int = TARGET
    longest: int = LONGEST
    whole: int = 12_000  # a document up to this size is asked in one call
    at_once: int = 4

    @classmethod
    def of(cls, deployment: Deployment, *, at_once: int = 4) -> ReadingPlan:
        """What a deployment's window has room for, beside the instructions and the answer."""
        fixed = estimate_tokens(prompts.load("extract").text) + _SCHEMA_TOKENS
        free = deployment.context_window - fixed - (deployment.max_tokens or 4096)
        room = max(1_000, round(free / 0.8))
        longest = min(LONGEST, room)
        return cls(min(TARGET, round(longest * 0.8)), longest, min(12_000, room), at_once)


@dataclass(frozen=True, slots=True)
class LLMFindings:
    """What a model found and the document proves."""

    facts: dict[str, Fact | None]
    findings: tuple[Finding, ...]
    ungrounded_dropped: int
    gaps: tuple[dict[str, str], ...]
    prompt_version: str


@dataclass(slots=True)
class _Reading:
    """The state of one document's reading."""

    document: Document
    ask: Ask
    step: Step
    goes_on: bool  # past errors that a retry of the task might cure, because there is none any more
    slots: asyncio.Semaphore
    prompt: Prompt
    parts: list[tuple[Chunk, PartFindings]] = field(default_factory=list)
    failed: list[tuple[Chunk, LLMError]] = field(default_factory=list)
    stopped: Exception | None = None

    def stop(self, error: Exception) -> None:
        """No further part is asked. Of several reasons the one counts that no waiting cures."""
        curable = isinstance(self.stopped, LLMError) and self.stopped.retryable
        if self.stopped is None or (curable and not getattr(error, "retryable", False)):
            self.stopped = error


async def analyse_with_llm(
    document: Document,
    *,
    ask: Ask,
    step: Step,
    plan: ReadingPlan | None = None,
    last_attempt: bool = False,
) -> LLMFindings:
    """Ask for every part and gather what holds.

    A part that no try cures (invalid answer, refused content, too long even in pieces) becomes a gap. Any
    other error is raised once the calls under way have ended and their answers are kept, so that a retry
    pays for what is missing only; with `last_attempt` an error that a retry might have cured becomes a gap
    as well. When no part at all was answered, the error is raised in any case.
    """
    plan = plan or ReadingPlan()
    reading = _Reading(
        document, ask, step, last_attempt, asyncio.Semaphore(plan.at_once), prompts.load("extract")
    )
    chunks = split(document, target=plan.target, longest=plan.longest, whole=plan.whole)
    async with asyncio.TaskGroup() as group:
        for chunk in chunks:
            group.create_task(_read_part(reading, chunk, MAX_HALVINGS))
    _check(reading)
    return _gather(reading)


async def _read_part(reading: _Reading, chunk: Chunk, halvings: int) -> None:
    """Ask for one part; cut it in two when it proves too long. Raises nothing but cancellation."""
    try:
        async with reading.slots:
            if reading.stopped is not None:
                return
            answer = await _ask_part(reading, chunk)
    except (LLMTimeout, LLMContextTooLong) as error:
        if not await _read_halves(reading, chunk, halvings):
            reading.failed.append((chunk, error))
        return
    except LLMError as error:
        goes_on = error.retryable and reading.goes_on and not isinstance(error, _COMES_BACK)
        if isinstance(error, _OF_THE_PART) or goes_on:
            reading.failed.append((chunk, error))
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
    reading.parts.append((chunk, answer))


async def _read_halves(reading: _Reading, chunk: Chunk, halvings: int) -> bool:
    """Ask for both halves instead; False when the part can't be cut any more."""
    halves = bisect(reading.document, chunk) if halvings > 0 else None
    if halves is None:
        return False
    log.info("llm_part_split", part=chunk.name, chars=chunk.size)
    async with asyncio.TaskGroup() as group:
        for half in halves:
            group.create_task(_read_part(reading, half, halvings - 1))
    return True


async def _ask_part(reading: _Reading, chunk: Chunk) -> PartFindings:
    """The answer for one part, from the store or from the model. Raises LLMError."""
    text = reading.document.text[chunk.start : chunk.end]
    messages = (
        Message("system", reading.prompt.text),
        Message("user", prompts.enclose(text, chunk.lead)),
    )

    async def call() -> StepResult:
        try:
            answer = await reading.ask(messages, PartFindings, step=chunk.name)
        except _OF_THE_PART as error:
            spent = spent_of(error)
            tokens = (spent.usage.prompt_tokens, spent.usage.response_tokens)
            refused = {"refused": error.code, "kind": error.params.get("kind")}
            return StepResult(refused, "", "", *tokens, spent.calls, spent.cost, is_provisional=True)
        usage = answer.usage
        return StepResult(
            answer.value.model_dump(mode="json"),
            answer.provider,
            answer.model,
            usage.prompt_tokens,
            usage.response_tokens,
            answer.calls,
            answer.cost,
        )

    inputs = _inputs(reading.prompt, chunk, text)
    tokens = sum(estimate_tokens(message.content) for message in messages) + _SCHEMA_TOKENS
    result = await reading.step(chunk.name, inputs, call, prompt_tokens=tokens)
    if "refused" in result:
        raise _BY_CODE[result["refused"]](kind=result.get("kind"))
    return PartFindings.model_validate(result)


def _inputs(prompt: Prompt, chunk: Chunk, text: str) -> Mapping[str, JSON]:
    """What makes one part's answer the same answer: content, prompt, schema, parameters; not the model."""
    content = f"{chunk.lead}\0{text}".encode("utf-8", "replace")
    return {
        "content": hashlib.sha256(content).hexdigest(),
        "prompt": f"{prompt.name}/{prompt.version}",
        "schema": SCHEMA_VERSION,
        "parameters": {"temperature": 0},
    }


def _check(reading: _Reading) -> None:
    """Raise what must not end as a gap."""
    if reading.stopped is not None:
        raise reading.stopped
    curable = [error for _, error in reading.failed if error.retryable]
    if curable and not reading.goes_on:
        raise curable[0]
    if reading.failed and not reading.parts:
        raise (curable or [error for _, error in reading.failed])[0]


def _gather(reading: _Reading) -> LLMFindings:
    """Ground and verify everything, part by part in the document's order."""
    stated: dict[str, list[Fact]] = {}
    findings: list[Finding] = []
    dropped = 0
    for chunk, answer in sorted(reading.parts, key=lambda part: (part[0].start, part[0].end)):
        source = Source.of(reading.document.text, chunk.start, chunk.end)
        for fact in answer.facts:
            place = ground(fact.quote, source)
            proved = fact_of(fact.name, fact.value, source.text, place.span) if place else None
            if proved is None:
                dropped += 1
            else:
                stated.setdefault(fact.name, []).append(proved)
        for item in answer.items:
            place = ground(item.quote, source) if _says_something(item.quote) else None
            if place is None:
                dropped += 1
            else:
                findings.append(_finding(item, place, source.text, reading.prompt))
    return LLMFindings(
        {name: _agreed(stated.get(name, [])) for name in FACTS},
        unite(findings),
        dropped,
        tuple(_gap(reading.document, chunk, error) for chunk, error in reading.failed),
        reading.prompt.version,
    )


def _agreed(found: Sequence[Fact]) -> Fact | None:
    """The value most parts agree on; of equals the earliest: notice and front table stand first."""
    if not found:
        return None
    votes = Counter(str(fact.value) for fact in found)
    return min(found, key=lambda fact: (-votes[str(fact.value)], fact.source))


def _says_something(quote: str) -> bool:
    """A clause's number by itself is in the document, and no requirement."""
    return sum(character.isalpha() for character in quote) >= 2


def _finding(item: StatedItem, place: Place, text: str, prompt: Prompt) -> Finding:
    """An item at its place. Words of the model's that bring in numbers the quote lacks are left out, and a
    title that it took from our instructions."""
    quote = text[place.span.start : place.span.end]
    is_copied = len(item.title) >= COPIED_TITLE and item.title in prompt.text
    is_own = bool(item.title) and not is_copied
    title = item.title if is_own and adds_no_number(item.title, quote) else _title_of(quote)
    moment = _moment(item.date, quote) if item.tab is Tab.BID_TIMELINE else None
    return Finding(
        tab=item.tab,
        title=title,
        span=place.span,
        priority=item.priority,
        why_important=item.why_important if adds_no_number(item.why_important, quote) else "",
        guidance=item.guidance if adds_no_number(item.guidance, quote) else "",
        points=points_in(item.points, quote) if item.tab is Tab.SCORING_ITEMS else None,
        milestone=(item.milestone or title) if item.tab is Tab.BID_TIMELINE else None,
        date=moment[0] if moment else None,
        date_text=moment[1] if moment else None,
        grounding=place.how,
        origin="llm",
    )


def _moment(stated: str | None, quote: str) -> tuple[str, str] | None:
    """The date the model named, if the quote has it; else the quote's only date."""
    found = dates_in(quote)
    named = [pair for pair in found if stated and pair[0][:10] == stated[:10]]
    return named[0] if named else found[0] if len(found) == 1 else None


def _title_of(quote: str) -> str:
    flat = " ".join(quote.split())
    return flat if len(flat) <= 30 else f"{flat[:29]}…"


def _gap(document: Document, chunk: Chunk, error: LLMError) -> dict[str, str]:
    """A part as its reader knows it: chapter and pages, or where in the text."""
    block = document.block_at(chunk.start)
    chapter = " > ".join(block.path) if block is not None and block.path else ""
    first, last = document.page_of(chunk.start), document.page_of(max(chunk.start, chunk.end - 1))
    if first is None:
        where = f"第 {chunk.start + 1}–{chunk.end} 字"
    else:
        where = f"第 {first} 页" if first == last else f"第 {first}–{last} 页"
    return {"part": f"{chapter}（{where}）" if chapter else where, "reason": error.sentence()}
