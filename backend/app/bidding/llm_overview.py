"""The whole in a few sentences, written by a model from what has been proved, and held to it.

The model sees compact lines of facts and findings, never the document again. A sentence that brings in a
number those lines lack, or whose words are not theirs, is left out; an id that is none of ours names nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from backend.app.bidding import prompts
from backend.app.bidding.findings import TAB_TITLES, Analysis, Finding, Priority, ids_of
from backend.app.bidding.grounding import adds_no_number
from backend.app.bidding.llm_answers import StatedOverview
from backend.app.bidding.llm_steps import answered, is_gap
from backend.app.common.errors import BudgetExceeded, LLMError
from backend.app.documents.canonical import Document
from backend.app.llm.types import Ask, Step

STEP = "overview"
PART = "概览与结论"
ROOM = 6_000  # characters of compact lines
_EXCERPT = 80
_SHARED = 0.4  # of a sentence's pairs of letters
_VALUE = 120
_FROM_RULES = "模型未能给出，已用规则生成的概览代替："
_ORDER = {priority: rank for rank, priority in enumerate(Priority)}
_SENTENCE = re.compile(r"[^。！？；\n]+[。！？；]?")


@dataclass(frozen=True, slots=True)
class Overview:
    """`items`: ids of findings that the reason rests on."""

    summary: str
    reason: str = ""
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reduced:
    """The overview, or why there is none; `dropped`: sentences that said more than was proved."""

    overview: Overview | None
    dropped: int = 0
    gap: dict[str, str] | None = None


async def overview_of(
    document: Document,
    analysis: Analysis,
    *,
    ask: Ask,
    step: Step,
    room: int = ROOM,
    last_attempt: bool = False,
) -> Reduced:
    """Ask for the overview of everything found. What a retry of the task might cure is raised (LLMError),
    unless it is the last attempt; anything else is a gap: the findings are worth more than their summary."""
    lines = compact(document, analysis, room)
    if not lines:
        return Reduced(None)
    try:
        stated = await answered(ask, step, STEP, prompts.load("overview"), StatedOverview, text=lines)
    except BudgetExceeded as error:
        return Reduced(None, gap=_gap(error.sentence()))
    except LLMError as error:
        if not is_gap(error, last_attempt=last_attempt):
            raise
        return Reduced(None, gap=_gap(error.sentence()))
    return held_to(stated, lines, frozenset(ids_of(analysis.findings)))


def held_to(stated: StatedOverview, proved: str, ids: frozenset[str] = frozenset()) -> Reduced:
    """What of an overview stands on the words it was made from."""
    summary, dropped = _proved_sentences(stated.summary, proved)
    reason, more = _proved_sentences(stated.reason, proved)
    items = tuple(dict.fromkeys(item for item in stated.items if item in ids))
    overview = Overview(summary, reason, items) if summary else None
    gap = None if overview else _gap("概览的内容在文件中没有依据")
    return Reduced(overview, dropped + more, gap)


def compact(document: Document, analysis: Analysis, room: int = ROOM) -> str:
    """Facts, then findings by priority, a line each, at most `room` characters."""
    lines = [
        f"{name}：{_flat(str(fact.value), _VALUE)}"
        for name, fact in analysis.facts.items()
        if fact is not None
    ]
    numbered = zip(ids_of(analysis.findings), analysis.findings, strict=True)
    by_priority = sorted(numbered, key=lambda pair: _ORDER[pair[1].priority])
    lines += [_line(document, item_id, finding) for item_id, finding in by_priority]
    return "\n".join(_fitting(lines, room))


def _fitting(lines: Sequence[str], room: int) -> list[str]:
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return kept


def _line(document: Document, item_id: str, finding: Finding) -> str:
    excerpt = _flat(document.text[finding.span.start : finding.span.end], _EXCERPT)
    lot = f"（标段 {finding.lot}）" if finding.lot else ""
    return f"[{item_id}] {TAB_TITLES[finding.tab]}{lot}·{finding.priority.value}·{finding.title}：{excerpt}"


def _flat(text: str, limit: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else f"{flat[:limit]}…"


def _proved_sentences(text: str, proved: str) -> tuple[str, int]:
    """The sentences without a number of their own, whose words are mostly those of what was proved."""
    sentences, known = _SENTENCE.findall(text), _pairs(proved)
    kept = [one for one in sentences if adds_no_number(one, proved) and _speaks_of(one, known)]
    return "".join(kept).strip(), len(sentences) - len(kept)


def _speaks_of(sentence: str, known: frozenset[str]) -> bool:
    """A paraphrase shares most pairs of letters with its source; what speaks of something else does not."""
    pairs = _pairs(sentence)
    return len(pairs & known) >= _SHARED * len(pairs) > 0


def _pairs(text: str) -> frozenset[str]:
    letters = "".join(char for char in text if char.isalpha())
    return frozenset(letters[at : at + 2] for at in range(len(letters) - 1))


def _gap(reason: str) -> dict[str, str]:
    return {"part": PART, "reason": f"{_FROM_RULES}{reason}"}
