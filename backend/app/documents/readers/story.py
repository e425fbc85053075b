"""One text of an RTF or .doc file while it is read: its paragraphs, and the rows of the open table."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from backend.app.common.errors import ParseLimitExceeded
from backend.app.documents.builder import DocumentBuilder
from backend.app.documents.canonical import BlockKind
from backend.app.documents.glyphs import clean
from backend.app.documents.headings import MAX_TITLE, heading_level, is_contents_line, starts_item
from backend.app.documents.readers.row_cells import CellShape, Row, place_cells

_MAX_CELLS = 1_000  # of one row
_MAX_ROWS = 300_000
_BODY_LEVEL = 9
_LABEL_TAB = re.compile(r"^(\S{1,12})\t+")


@dataclass(slots=True)
class Story:
    """`kind`: None for the body, else what its text becomes. `depth`: of the group it stands in."""

    kind: BlockKind | None
    depth: int
    parts: list[str] = field(default_factory=list)  # of the open paragraph
    lines: list[str] = field(default_factory=list)  # finished paragraphs of the open cell
    nested: list[str] = field(default_factory=list)  # finished cells of an inner table's row
    cells: list[str] = field(default_factory=list)
    shapes: list[CellShape] = field(default_factory=list)
    shape: CellShape = field(default_factory=lambda: CellShape(0))
    rows: list[Row] = field(default_factory=list)
    boxes: list[str] = field(default_factory=list)  # text boxes of the open paragraph

    def taken(self) -> str:
        """The open paragraph's text, which is then empty."""
        text = clean("".join(self.parts)).strip()
        self.parts.clear()
        return text

    def end_line(self) -> None:
        self.lines.append(_in_cell(self.taken()))

    def end_cell(self) -> None:
        self.end_line()
        self.cells.append("\n".join(line for line in self.lines if line))
        self.lines.clear()
        if len(self.cells) > _MAX_CELLS:
            raise ParseLimitExceeded()

    def end_nested_cell(self) -> None:
        self.nested.append(_in_cell(self.taken()))

    def end_nested_row(self) -> None:
        self.lines.append("\t".join(text for text in self.nested if text))
        self.nested.clear()

    def begin_row(self) -> None:
        self.shapes = []
        self.shape = CellShape(0)

    def edge(self, at: int) -> None:
        """The right end of the next cell, whose merging was told before."""
        self.shape.edge = at
        if len(self.shapes) < _MAX_CELLS:
            self.shapes.append(self.shape)
        self.shape = CellShape(0)

    def end_row(self) -> None:
        if any(self.lines) or "".join(self.parts).strip():
            self.end_cell()
        self.rows.append(Row(list(self.cells), list(self.shapes)))
        self.cells.clear()
        if len(self.rows) > _MAX_ROWS:
            raise ParseLimitExceeded()

    def texts(self) -> list[str]:
        """Everything as lines, for a text that stands aside; a row's cells with tabs between."""
        self.lines.append(self.taken())
        rows = ["\t".join(text for text in row.texts if text) for row in self.rows]
        return [line for line in (*rows, *self.cells, *self.lines) if line.strip()]


class BodyWriter:
    """Writes the body's paragraphs and tables in order."""

    def __init__(self, builder: DocumentBuilder) -> None:
        self._builder = builder
        self._tables = 0

    def paragraph(self, story: Story, level: int | None) -> None:
        """End the open paragraph, which stands in no table. `level`: its outline level from 0."""
        text = story.taken()
        self.table(story)
        if text:
            self._add(_LABEL_TAB.sub(_label, text), level)
        for box in story.boxes:
            self._builder.add(box, BlockKind.TEXTBOX)
        story.boxes.clear()

    def table(self, story: Story) -> None:
        """Write the rows gathered so far."""
        if story.cells:
            story.end_row()
        for line in story.lines:  # paragraphs marked as a table's that no row ever took
            self._builder.add(line)
        story.lines.clear()
        if not story.rows:
            return
        for cell, text in place_cells(self._tables, story.rows):
            self._builder.add(text, BlockKind.TABLE_CELL, cell=cell)
        self._tables += 1
        story.rows.clear()

    def _add(self, text: str, level: int | None) -> None:
        by_words = heading_level(text)
        titled = level is not None and level < _BODY_LEVEL and _may_be_title(text)
        if is_contents_line(text):
            self._builder.add(text)
        elif by_words is not None and (by_words <= 2 or not titled):
            self._builder.add(text, BlockKind.HEADING, level=by_words)
        elif titled and level is not None:
            self._builder.add(text, BlockKind.HEADING, level=max(level + 1, by_words or 0))
        else:
            self._builder.add(text, BlockKind.LIST_ITEM if starts_item(text) else BlockKind.PARAGRAPH)


def _may_be_title(text: str) -> bool:
    return len(text) <= MAX_TITLE and "\n" not in text and text[-1] not in "。；;，,！!"


def _label(match: re.Match[str]) -> str:
    """An automatic number and the tab behind it, as the other readers write them."""
    label = match.group(1)
    if not starts_item(match.group(0).rstrip() + "甲"):
        return match.group(0)
    return label if label[-1] in "、，。：；）】》〉」』)》" else f"{label} "


def _in_cell(text: str) -> str:
    return text.replace("\t", " ").strip()
