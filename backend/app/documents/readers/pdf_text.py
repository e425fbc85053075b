"""The pages of a PDF as one canonical text: running headers and footers apart, wrapped lines joined.

On each page the running header and footer come first, but after whatever continues from the page before,
so that a sentence or a table cell over two pages stays one block.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import takewhile

from backend.app.documents.builder import DocumentBuilder
from backend.app.documents.canonical import BlockKind, Document
from backend.app.documents.headings import heading_level, is_title_like, starts_item
from backend.app.documents.limits import ExtractLimits
from backend.app.documents.ocr.pages import page_list
from backend.app.documents.readers.pdf_cells import Continuation, OpenTable, TableWriter
from backend.app.documents.readers.pdf_lines import (
    Column,
    Line,
    Paragraph,
    continues,
    join_lines,
    needs_space,
    page_column,
)
from backend.app.documents.readers.pdf_margins import RunningLines
from backend.app.documents.readers.pdf_page import PageLayout, Table

MEDIA_TYPE = "application/pdf"

_LARGER = 1.15  # times the usual letter: a title
_TITLE_LEVEL = 2

Item = Line | Table


def write_document(
    layouts: list[PageLayout], limits: ExtractLimits, *, media_type: str = MEDIA_TYPE
) -> Document:
    """Raises EmptyDocument when there is no text and no page is left for OCR; ParseLimitExceeded."""
    builder = DocumentBuilder(limits, media_type=media_type, with_boxes=True)
    doubtful = [layout.number for layout in layouts if layout.ocr is not None and layout.ocr.is_doubtful]
    if doubtful:
        builder.warnings.append(f"第 {page_list(doubtful)} 页字迹不清，文字识别的结果请对照原件核对")
    writer = _Writer(builder, _letter_size(layouts))
    running = RunningLines(layouts)
    for layout in layouts:
        writer.page(layout, running)
    unread = tuple(layout.number for layout in layouts if layout.is_unread)
    document = builder.build(may_be_empty=bool(unread))
    ocr_pages = tuple(layout.number for layout in layouts if layout.ocr is not None)
    return replace(document, unread=unread, ocr_pages=ocr_pages)


class _Writer:
    """Remembers what the page before ended with: an open paragraph or an open table, never both."""

    def __init__(self, builder: DocumentBuilder, size: float) -> None:
        self._builder = builder
        self._size = size
        self._tables = TableWriter(builder)
        self._paragraph: tuple[Paragraph, Column] | None = None
        self._table: OpenTable | None = None

    def page(self, layout: PageLayout, running: RunningLines) -> None:
        before = self._builder.length
        margins: list[tuple[Line, BlockKind]] = []
        body: list[Item] = []
        for item in layout.items:
            kind = running.kind(item, layout) if isinstance(item, Line) else None
            if kind is None or isinstance(item, Table):
                body.append(item)
            else:
                margins.append((item, kind))
        column = page_column([item for item in body if isinstance(item, Line)], layout.width)
        body, part = self._carry_over(body, column)
        carried = self._builder.length > before
        for line, kind in margins:
            self._builder.add(line.text, kind, page=layout.number, boxes=line.boxes)
        if part is not None and self._table is not None:
            self._tables.write_rest(part, self._table, layout.number)
        elif body or margins:
            self._paragraph = self._table = None
        self._body(body, column, layout)
        start = before if carried or not before else before + 1
        self._builder.mark_page(layout.number, *layout.displayed, start)

    def _carry_over(self, body: list[Item], column: Column) -> tuple[list[Item], Continuation | None]:
        """Go on with the block that the page before ended with; returns what is left of this page."""
        if not body:
            return body, None
        first = body[0]
        if isinstance(first, Table):
            if self._table is None or not self._tables.goes_on(first, self._table):
                return body, None
            part = self._tables.continuation(first, self._table)
            if part.joins:
                self._tables.join(part, self._table)
            return body[1:], part
        if self._paragraph is None or not continues(*_next_page(self._paragraph, first), next_page=True):
            return body, None
        lead = [
            item for item in takewhile(lambda item: isinstance(item, Line), body) if isinstance(item, Line)
        ]
        joined = join_lines(lead, column)[0]
        glue = " " if needs_space(self._paragraph[0].text, joined.text) else ""
        self._builder.extend(joined.text, glue=glue, boxes=joined.boxes)
        return body[joined.lines :], None

    def _body(self, body: list[Item], column: Column, layout: PageLayout) -> None:
        lines: list[Line] = []
        for item in body:
            if isinstance(item, Line):
                lines.append(item)
                continue
            self._lines(lines, column, layout)
            lines = []
            self._paragraph, self._table = None, self._tables.start(item, layout.number)
        self._lines(lines, column, layout)

    def _lines(self, lines: list[Line], column: Column, layout: PageLayout) -> None:
        for paragraph in join_lines(lines, column):
            kind, level = self._kind(paragraph, layout)
            self._builder.add(paragraph.text, kind, level=level, page=layout.number, boxes=paragraph.boxes)
            self._paragraph = None if kind is BlockKind.HEADING else (paragraph, column)
            self._table = None

    def _kind(self, paragraph: Paragraph, layout: PageLayout) -> tuple[BlockKind, int | None]:
        """A heading by its words, or by standing centred in larger letters (not on the cover)."""
        text = paragraph.text
        level = heading_level(text)
        if level is None and layout.number > 1 and paragraph.lines == 1 and is_title_like(text):
            line = paragraph.first
            centred = abs((line.x0 + line.x1) / 2 - layout.width / 2) < 0.05 * layout.width
            if centred and line.size > _LARGER * self._size:
                level = _TITLE_LEVEL
        if level is not None:
            return BlockKind.HEADING, level
        return (BlockKind.LIST_ITEM if starts_item(text) else BlockKind.PARAGRAPH), None


def _next_page(opened: tuple[Paragraph, Column], line: Line) -> tuple[Paragraph, Line, Column]:
    paragraph, column = opened
    return paragraph, line, column


def _letter_size(layouts: list[PageLayout]) -> float:
    """The height of most of the document's letters, in points."""
    letters: Counter[float] = Counter()
    for layout in layouts:
        for item in layout.items:
            if isinstance(item, Line):
                letters[round(item.size, 1)] += len(item.text)
    return letters.most_common(1)[0][0] if letters else 12.0
