"""Documents for the tests of the rules: a text with one block per line, and tables given as rows; and short
ways to see what the rules found in them."""

from __future__ import annotations

from collections.abc import Sequence

from backend.app.bidding.findings import Finding, Tab
from backend.app.bidding.rules.tabs import find_items, read
from backend.app.documents.canonical import Block, BlockKind, Cell, Document, Page


def lines(text: str, *, pages: bool = False) -> Document:
    """A document with a paragraph per line; with `pages` as a PDF gives them, on one page."""
    return mixed([text], pages=pages)


def table(rows: Sequence[Sequence[str]], *, above: str = "") -> Document:
    return mixed([above, rows] if above else [rows])


def mixed(parts: Sequence[str | Sequence[Sequence[str]]], *, pages: bool = False) -> Document:
    """Text parts become paragraphs, one a line; lists of rows become tables."""
    pieces: list[str] = []
    blocks: list[Block] = []
    at = tables = 0

    def add(words: str, separator: str, kind: BlockKind, cell: Cell | None) -> None:
        nonlocal at
        if pieces:
            pieces.append(separator)
            at += 1
        blocks.append(Block(at, at + len(words), kind, page=1 if pages else None, cell=cell))
        pieces.append(words)
        at += len(words)

    for part in parts:
        if isinstance(part, str):
            for line in part.strip("\n").split("\n"):
                if line.strip():
                    add(line, "\n", BlockKind.PARAGRAPH, None)
            continue
        for row, cells in enumerate(part):
            for col, words in enumerate(cells):
                if words:
                    add(words, "\t" if col else "\n", BlockKind.TABLE_CELL, Cell(tables, row, col))
        tables += 1
    text = "".join(pieces)
    page = (Page(1, 595.0, 842.0, 0, len(text)),) if pages else ()
    return Document(text, tuple(blocks), page)


def found(document: Document, tab: Tab) -> list[str]:
    return [quote(document, finding) for finding in findings(document, tab)]


def findings(document: Document, tab: Tab) -> list[Finding]:
    return [f for f in find_items(document, read(document)) if f.tab is tab]


def quote(document: Document, finding: Finding) -> str:
    return document.text[finding.span.start : finding.span.end]


def any_has(quotes: list[str], words: str) -> bool:
    return any(words in "".join(q.split()) for q in quotes)
