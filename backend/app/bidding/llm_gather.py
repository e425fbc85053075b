"""From a model's answers about the parts to what the document proves: grounded, verified, reconciled. Pure.

Each part is grounded once, when its answer comes; the parts so far can be gathered at any time.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from backend.app.bidding.findings import FACTS, Fact, Finding, Tab
from backend.app.bidding.grounding import Place, Source, adds_no_number, ground
from backend.app.bidding.llm_answers import PartFindings, StatedItem, StatedOverview
from backend.app.bidding.llm_facts import dates_in, fact_of, points_in
from backend.app.bidding.merge import agree, unite
from backend.app.bidding.rules.lots import lot_number, mentions
from backend.app.common.errors import AppError
from backend.app.documents.canonical import Document
from backend.app.documents.chunk import Chunk
from backend.app.llm.prompts import Prompt

COPIED_TITLE = 8  # characters; a shorter title may well stand in the instructions by chance

# How far a place is believed when two disagree: the front table says what holds here, the notice what was
# published; contract and form templates hold examples.
_FRONT_TABLE = re.compile(r"前附表|资料表|一览表")
_NOTICE = re.compile(r"公告|邀请|邀请函|通告")
_TEMPLATE = re.compile(r"合同|格式|样式|协议|附件")
# A title page has the names as their owners write them, and nothing else worth trusting more.
_TITLE_PAGE = 0.02  # share of the text
_ON_TITLE_PAGE = frozenset({"project_name", "project_number", "purchaser", "agency"})


@dataclass(frozen=True, slots=True)
class LLMFindings:
    """What a model found and the document proves. `conflicts`: other values of a fact, proved elsewhere."""

    facts: dict[str, Fact | None]
    findings: tuple[Finding, ...]
    ungrounded_dropped: int
    gaps: tuple[dict[str, str], ...]
    prompt_version: str
    conflicts: dict[str, tuple[Fact, ...]] = field(default_factory=dict)
    overview: StatedOverview | None = None  # of a document that was read in one part


@dataclass(frozen=True, slots=True)
class PartRead:
    """One part's answer, grounded."""

    chunk: Chunk
    facts: tuple[tuple[str, Fact], ...]
    findings: tuple[Finding, ...]
    dropped: int
    overview: StatedOverview | None = None


@dataclass(frozen=True, slots=True)
class Instructions:
    """What the parts were asked with. `lots`: ids of the lots that the document has."""

    prompt: Prompt
    lots: frozenset[str] = frozenset()


def read_part(document: Document, chunk: Chunk, answer: PartFindings, asked: Instructions) -> PartRead:
    """Look every quote up in its part; what is not there is dropped and counted."""
    source = Source.of(document.text, chunk.start, chunk.end)
    facts: list[tuple[str, Fact]] = []
    findings: list[Finding] = []
    for stated in answer.facts:
        place = ground(stated.quote, source)
        proved = fact_of(stated.name, stated.value, source.text, place.span) if place else None
        if proved is not None:
            facts.append((stated.name, proved))
    for item in answer.items:
        place = ground(item.quote, source) if _says_something(item.quote) else None
        if place is not None:
            findings.append(_finding(item, place, source.text, asked))
    kept = len(facts) + len(findings)
    dropped = len(answer.facts) + len(answer.items) - kept
    return PartRead(chunk, tuple(facts), tuple(findings), dropped, answer.overview)


def gather(
    document: Document,
    parts: Iterable[PartRead],
    failed: Sequence[tuple[Chunk, AppError]],
    prompt: Prompt,
) -> LLMFindings:
    """The parts so far as one, in the document's order."""
    ordered = sorted(parts, key=lambda part: (part.chunk.start, part.chunk.end))
    stated: dict[str, list[Fact]] = {}
    for part in ordered:
        for name, fact in part.facts:
            stated.setdefault(name, []).append(fact)
    facts, conflicts = _reconciled(stated, lambda name, fact: _trust(document, name, fact))
    overviews = [part.overview for part in ordered if part.overview is not None]
    return LLMFindings(
        facts,
        unite(finding for part in ordered for finding in part.findings),
        sum(part.dropped for part in ordered),
        tuple({"part": name_part(document, chunk), "reason": error.sentence()} for chunk, error in failed),
        prompt.version,
        conflicts,
        overviews[0] if len(ordered) == 1 and overviews else None,
    )


def name_part(document: Document, chunk: Chunk) -> str:
    """A part as its reader knows it: chapter and pages, or where in the text."""
    block = document.block_at(chunk.start)
    chapter = " > ".join(block.path) if block is not None and block.path else ""
    first, last = document.page_of(chunk.start), document.page_of(max(chunk.start, chunk.end - 1))
    if first is None:
        where = f"第 {chunk.start + 1}–{chunk.end} 字"
    else:
        where = f"第 {first} 页" if first == last else f"第 {first}–{last} 页"
    return f"{chapter}（{where}）" if chapter else where


def _reconciled(
    stated: Mapping[str, Sequence[Fact]], trust: Callable[[str, Fact], float]
) -> tuple[dict[str, Fact | None], dict[str, tuple[Fact, ...]]]:
    """The value that the most trusted places agree on, of equals the earliest; and the values that differ
    from it, where they stand outside templates."""
    facts: dict[str, Fact | None] = dict.fromkeys(FACTS)
    conflicts: dict[str, tuple[Fact, ...]] = {}
    for name, found in stated.items():
        weight: dict[str, float] = defaultdict(float)
        for fact in found:
            weight[str(fact.value)] += trust(name, fact)
        best = min(found, key=lambda fact: (-weight[str(fact.value)], fact.source))
        facts[name] = best
        others: dict[str, Fact] = {}
        for fact in found:
            if trust(name, fact) >= 1 and not agree(best, fact):
                others.setdefault(str(fact.value), fact)
        if others:
            conflicts[name] = tuple(others.values())
    return facts, conflicts


def _trust(document: Document, name: str, fact: Fact) -> float:
    block = document.block_at(fact.source.start)
    titles = " ".join(block.path) if block is not None else ""
    if _FRONT_TABLE.search(titles):
        return 3.0
    if _TEMPLATE.search(titles):
        return 0.25
    on_title_page = name in _ON_TITLE_PAGE and fact.source.start < _TITLE_PAGE * len(document.text)
    if _NOTICE.search(titles) or on_title_page:
        return 2.0
    return 1.0


def _says_something(quote: str) -> bool:
    """A clause's number by itself is in the document, and no requirement."""
    return sum(character.isalpha() for character in quote) >= 2


def _finding(item: StatedItem, place: Place, text: str, asked: Instructions) -> Finding:
    """An item at its place. Words of the model's that bring in numbers the quote lacks are left out, and a
    title that it took from our instructions."""
    quote = text[place.span.start : place.span.end]
    is_copied = len(item.title) >= COPIED_TITLE and item.title in asked.prompt.text
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
        lot=_lot(item.lot, asked.lots),
        grounding=place.how,
        origin="llm",
    )


def _lot(stated: str | None, known: frozenset[str]) -> str | None:
    """The lot the model named, if the document has it: "2", "第2包" and "二标段" are lot 2."""
    words = "".join((stated or "").split())
    if not words or not known:
        return None
    named, digits = mentions(words), re.search(r"\d+", words)
    number = named[0].id if named else lot_number(digits.group() if digits else words)
    return number if number in known else None


def _moment(stated: str | None, quote: str) -> tuple[str, str] | None:
    """The date the model named, if the quote has it; else the quote's only date."""
    found = dates_in(quote)
    named = [pair for pair in found if stated and pair[0][:10] == stated[:10]]
    return named[0] if named else found[0] if len(found) == 1 else None


def _title_of(quote: str) -> str:
    flat = " ".join(quote.split())
    return flat if len(flat) <= 30 else f"{flat[:29]}…"
