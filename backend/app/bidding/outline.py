"""What a reader of one part of a tender should know of the whole: chapters, what marks mean, lots. Pure.

A ★ is explained once, often a hundred pages before the row that carries it: without the explanation a part
can't be read right.
"""

from __future__ import annotations

from backend.app.bidding.rules.tabs import Reading
from backend.app.documents.canonical import BlockKind, Document

MAX_CHARS = 1_200
_MAX_TITLE = 40
_MAX_LINE = 160


def outline_of(document: Document, reading: Reading) -> str:
    """At most `MAX_CHARS` characters of the document's own words; "" where there is nothing to tell."""
    told: list[str] = []
    room = MAX_CHARS
    for line in (*_marks(document, reading), *_lots(reading), *_chapters(document)):
        room -= len(line) + 1
        if room < 0:
            break
        told.append(line)
    return "\n".join(told)


def _marks(document: Document, reading: Reading) -> list[str]:
    spans = (one.span for one in reading.definitions.values())
    return [f"标记说明：{_words(document, span.start, span.end)}" for span in spans]


def _lots(reading: Reading) -> list[str]:
    return [f"标段/包 {lot.id}：{' '.join(lot.name.split())[:_MAX_LINE]}" for lot in reading.lots]


def _chapters(document: Document) -> list[str]:
    """Headings of the outermost two levels in use."""
    heads = [block for block in document.blocks if block.kind is BlockKind.HEADING]
    levels = sorted({block.level or 1 for block in heads})[:2]
    return [
        "　" * levels.index(block.level or 1) + _words(document, block.start, block.end)[:_MAX_TITLE]
        for block in heads
        if (block.level or 1) in levels
    ]


def _words(document: Document, start: int, end: int) -> str:
    return " ".join(document.text[start:end].split())[:_MAX_LINE]
