"""Word 97-2003 files without LibreOffice: text, tables and headings from the file's own structures.

Automatic numbers are not rebuilt: they stand nowhere in the text. A warning says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from backend.app.common.errors import UnreadableDocument
from backend.app.documents.builder import DocumentBuilder
from backend.app.documents.canonical import BlockKind, Document
from backend.app.documents.limits import ExtractLimits
from backend.app.documents.readers.doc_pieces import (
    Paragraph,
    Pieces,
    check_header,
    read_pieces,
    table_stream,
)
from backend.app.documents.readers.docx import PAGE_NUMBER
from backend.app.documents.readers.ole import ole_stream, opened_ole
from backend.app.documents.readers.row_cells import CellShape
from backend.app.documents.readers.story import BodyWriter, Story

MEDIA_TYPE = "application/msword"

_FIELD, _RESULT, _FIELD_END = "\x13", "\x14", "\x15"
_PARAGRAPH, _CELL, _PAGE = "\r", "\x07", "\x0c"
_SPECIAL = {
    0x01: None, 0x02: None, 0x03: None, 0x04: None, 0x05: None, 0x08: None, 0x0B: "\n", 0x0E: "\n",
    0x1E: "-", 0x1F: None, 0xA0: " ",
}  # fmt: skip
_FIRST_MERGED, _MERGED = 0x1, 0x2
_VERT_MERGE, _VERT_FIRST = 0x20, 0x40
_ASIDE = (
    ("boxes", BlockKind.TEXTBOX),
    ("footnotes", BlockKind.FOOTNOTE),
    ("endnotes", BlockKind.FOOTNOTE),
    ("headers", BlockKind.HEADER),
)


def read_doc_text(path: Path, limits: ExtractLimits) -> Document:
    """Raises UnsupportedFileType or a DocumentError."""
    with opened_ole(path) as ole:
        main = ole_stream(ole, "WordDocument", limits.max_unpacked)
        if main is None:
            raise UnreadableDocument()
        check_header(main)
        table = ole_stream(ole, table_stream(main), limits.max_unpacked)
        further = ole_stream(ole, "Data", limits.max_unpacked) or b""
    if table is None:
        raise UnreadableDocument()
    pieces = read_pieces(main, table, further, 2 * limits.max_chars)
    builder = DocumentBuilder(limits, media_type=MEDIA_TYPE)
    builder.warnings.append("旧版 .doc 的自动编号未能读取；请另存为 .docx 以得到编号")
    _write_body(builder, pieces)
    for name, kind in _ASIDE:
        _write_aside(builder, pieces, name, kind)
    return builder.build()


def _write_body(builder: DocumentBuilder, pieces: Pieces) -> None:
    story, writer = Story(None, 0), BodyWriter(builder)
    for text, mark, paragraph in _paragraphs(pieces, *pieces.stories["body"]):
        if not _in_row(story, text, mark, paragraph):
            writer.paragraph(story, paragraph.level - 1 if paragraph.level is not None else None)
    writer.paragraph(story, None)


def _in_row(story: Story, text: str, mark: str, paragraph: Paragraph) -> bool:
    """Take a paragraph into the story; False where it stands outside of tables and is now complete."""
    story.parts.append(text)
    if mark == _CELL and paragraph.row_end:
        story.parts.clear()
        story.shapes = _shapes(paragraph)
        story.end_row()
    elif mark == _CELL:
        story.end_cell()
    elif paragraph.in_table:  # also the cells of a table inside a cell: lines of the outer one
        story.end_line()
    else:
        return False
    return True


def _write_aside(builder: DocumentBuilder, pieces: Pieces, name: str, kind: BlockKind) -> None:
    """Notes and text boxes whole; headers and footers once, without page numbers."""
    seen: set[str] = set()
    for line in _lines(pieces, name):
        if name == "headers":
            if line in seen or PAGE_NUMBER.match(line):
                continue
            seen.add(line)
        builder.add(line, kind)


def _lines(pieces: Pieces, name: str) -> Iterator[str]:
    story = Story(None, 0)
    for text, mark, paragraph in _paragraphs(pieces, *pieces.stories[name]):
        if not _in_row(story, text, mark, paragraph):
            yield from story.texts()
            story = Story(None, 0)
    yield from story.texts()


@dataclass(slots=True)
class _Fields:
    """Drops the code of a field ("PAGEREF _Toc1") and keeps its result."""

    open: list[bool] = field(default_factory=list)  # whether each open field is in its result

    def keeps(self, char: str) -> bool:
        if char == _FIELD:
            self.open.append(False)
        elif char == _RESULT and self.open:
            self.open[-1] = True
        elif char == _FIELD_END and self.open:
            self.open.pop()
        else:
            return char != _FIELD_END and char != _RESULT and all(self.open)
        return False


def _paragraphs(pieces: Pieces, first: int, last: int) -> Iterator[tuple[str, str, Paragraph]]:
    """(text, the mark that ends it, its properties)."""
    fields = _Fields()
    parts: list[str] = []
    for at in range(first, last):
        char = pieces.text[at]
        if char in (_PARAGRAPH, _CELL, _PAGE):
            yield _joined(parts), char, pieces.paragraph_at(at)
            parts.clear()
        elif fields.keeps(char):
            parts.append(char)
    if parts:
        yield _joined(parts), _PARAGRAPH, pieces.paragraph_at(last - 1)


def _joined(parts: list[str]) -> str:
    """Characters beyond the first plane come as two halves."""
    text = "".join(parts).translate(_SPECIAL)
    if any("\ud800" <= char < "\ue000" for char in text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _shapes(paragraph: Paragraph) -> list[CellShape]:
    """The cells of a row by its definition: [MS-DOC] 2.9.321 (TDefTableOperand), 2.9.316 (TCGRF)."""
    found = []
    for at, edge in enumerate(paragraph.edges[1:]):
        flags = paragraph.merges[at] if at < len(paragraph.merges) else 0
        first = bool(flags & _VERT_FIRST)
        found.append(
            CellShape(
                edge,
                first_down=first,
                goes_on_down=bool(flags & _VERT_MERGE) and not first,
                goes_on_right=bool(flags & _MERGED) and not flags & _FIRST_MERGED,
            )
        )
    return found
