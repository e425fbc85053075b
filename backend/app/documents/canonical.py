"""The canonical text of a document: one string, blocks that point into it, and boxes on its pages.

Every offset counts Unicode code points of `Document.text`. The law of the house: a quote is shown only
where `document.text[start:end] == quote`. Blocks never overlap and stand in order; the text between two
blocks is one separator: "\\n" between blocks, "\\t" between the cells of one table row, "\\n" between rows.
"""

from __future__ import annotations

import json
import struct
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

NO_BOX = 0xFFFF  # in `boxes`: this code point has no place on a page (a separator, a docx)
MAGIC = b"SADOC1\n"
# Raised when a reader gives another text for the same file: kept parses are then not used again.
READER_VERSION = "3"


class BlockKind(StrEnum):
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list_item"
    TABLE_CELL = "table_cell"
    HEADER = "header"
    FOOTER = "footer"
    FOOTNOTE = "footnote"
    TEXTBOX = "textbox"


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a table cell stands. `table` counts tables of the document from 0; spans are at least 1."""

    table: int
    row: int
    col: int
    rowspan: int = 1
    colspan: int = 1


@dataclass(frozen=True, slots=True)
class Block:
    """One paragraph, heading, list item or table cell: text[start:end]."""

    start: int
    end: int
    kind: BlockKind
    page: int | None = None  # 1-based; None where the format has no pages
    path: tuple[str, ...] = ()  # titles of the headings above it, outermost first
    level: int | None = None  # headings: 1 is the outermost
    cell: Cell | None = None  # table cells only


@dataclass(frozen=True, slots=True)
class Page:
    """One page as displayed (CropBox, after /Rotate); width and height in points."""

    number: int
    width: float
    height: float
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class FileAnchor:
    """One file of a package: text[start:end], and its pages in the numbering of the whole document."""

    name: str  # the path inside the package, "/" between folders
    start: int
    end: int
    media_type: str
    first_page: int | None = None  # pages are counted on through the package; None where there are none
    pages: int = 0


@dataclass(frozen=True, slots=True)
class Rect:
    """A box on a page: fractions of the displayed page, origin top left."""

    page: int
    x: float
    y: float
    w: float
    h: float

    def as_json(self) -> dict[str, float | int]:
        return {
            "page": self.page,
            "x": round(self.x, 5),
            "y": round(self.y, 5),
            "w": round(self.w, 5),
            "h": round(self.h, 5),
        }


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed document.

    `boxes` holds, for PDFs and images, x0 y0 x1 y1 (0..65534 of the page) per code point; a point without a
    place has four times NO_BOX. `files`: the parts of a package, empty for a single file. `unread`: numbers
    of the pages whose text could not be read without OCR. `ocr_pages`: those that were read by it.
    """

    text: str
    blocks: tuple[Block, ...]
    pages: tuple[Page, ...] = ()
    boxes: array[int] = field(default_factory=lambda: array("H"))
    warnings: tuple[str, ...] = ()
    media_type: str = "text/plain"
    files: tuple[FileAnchor, ...] = ()
    unread: tuple[int, ...] = ()
    ocr_pages: tuple[int, ...] = ()

    def file_at(self, offset: int) -> FileAnchor | None:
        """The file of a package that holds the code point; None for a single file and between files."""
        at = bisect_right(self.files, offset, key=lambda f: f.start) - 1
        return self.files[at] if at >= 0 and offset < self.files[at].end else None

    def block_at(self, offset: int) -> Block | None:
        """The block that holds the code point at `offset`; None inside a separator."""
        at = bisect_right(self.blocks, offset, key=lambda b: b.start) - 1
        if at >= 0 and self.blocks[at].start <= offset < self.blocks[at].end:
            return self.blocks[at]
        return None

    def page_of(self, offset: int) -> int | None:
        """The 1-based page number of a code point; None where there are no pages."""
        at = bisect_right(self.pages, offset, key=lambda p: p.start) - 1
        return self.pages[at].number if at >= 0 else None

    def rects(self, start: int, end: int) -> list[Rect]:
        """One box per line of text[start:end], page by page; empty where there are no boxes."""
        if not self.boxes:
            return []
        found: list[Rect] = []
        line: list[int] | None = None
        line_page = 0
        for at in range(start, min(end, len(self.boxes) // 4)):
            x0, y0, x1, y1 = self.boxes[4 * at : 4 * at + 4]
            if x0 == NO_BOX:
                continue
            page = self.page_of(at) or 0
            if line is not None and page == line_page and _same_line(line, y0, y1) and x1 >= line[0]:
                line = [min(line[0], x0), min(line[1], y0), max(line[2], x1), max(line[3], y1)]
                continue
            if line is not None:
                found.append(_rect(line, line_page))
            line, line_page = [x0, y0, x1, y1], page
        if line is not None:
            found.append(_rect(line, line_page))
        return found

    def tables(self) -> Iterator[list[list[Block]]]:
        """Each table as rows of cell blocks, in order. Merged cells appear once, at their first place."""
        rows: list[list[Block]] = []
        current: tuple[int, int] | None = None
        for block in self.blocks:
            if block.cell is None:
                continue
            key = (block.cell.table, block.cell.row)
            if current is not None and key[0] != current[0]:
                yield rows
                rows, current = [], None
            if key != current:
                rows.append([])
                current = key
            rows[-1].append(block)
        if rows:
            yield rows

    def to_bytes(self) -> bytes:
        """The stored form: magic, length of the JSON part, JSON, zlib of the boxes."""
        head = json.dumps(
            {
                "text": self.text,
                "blocks": [_pack(block) for block in self.blocks],
                "pages": [asdict(page) for page in self.pages],
                "warnings": self.warnings,
                "media_type": self.media_type,
                "files": [asdict(file) for file in self.files],
                "unread": self.unread,
                "ocr_pages": self.ocr_pages,
            },
            ensure_ascii=False,
            separators=(",", ":"),
        ).encode()
        packed = zlib.compress(head, 6)
        return MAGIC + struct.pack("<I", len(packed)) + packed + zlib.compress(self.boxes.tobytes(), 6)

    @classmethod
    def from_bytes(cls, data: bytes, *, most: int = 1 << 30) -> Document:
        """Raises ValueError when `data` is not a stored document or a part unpacks to over `most` bytes."""
        if not data.startswith(MAGIC):
            raise ValueError("not a stored document")
        at = len(MAGIC) + 4
        try:
            (size,) = struct.unpack("<I", data[len(MAGIC) : at])
            head: dict[str, Any] = json.loads(_unzip(data[at : at + size], most))
            boxes: array[int] = array("H")
            boxes.frombytes(_unzip(data[at + size :], most))
        except (struct.error, zlib.error) as error:
            raise ValueError("not a stored document") from error
        return cls(
            text=head["text"],
            blocks=tuple(_unpack(row) for row in head["blocks"]),
            pages=tuple(Page(**page) for page in head["pages"]),
            boxes=boxes,
            warnings=tuple(head["warnings"]),
            media_type=head["media_type"],
            files=tuple(FileAnchor(**file) for file in head.get("files", ())),
            unread=tuple(head.get("unread", ())),
            ocr_pages=tuple(head.get("ocr_pages", ())),
        )


def _unzip(packed: bytes, most: int) -> bytes:
    unpacking = zlib.decompressobj()
    unpacked = unpacking.decompress(packed, most)
    if not unpacking.eof:
        raise ValueError("too large, or cut short")
    return unpacked


def _same_line(line: list[int], y0: int, y1: int) -> bool:
    """Whether a character's middle lies within the line's height."""
    middle = (y0 + y1) // 2
    return line[1] <= middle <= line[3]


def _rect(box: list[int], page: int) -> Rect:
    scale = float(NO_BOX - 1)
    return Rect(page, box[0] / scale, box[1] / scale, (box[2] - box[0]) / scale, (box[3] - box[1]) / scale)


def _pack(block: Block) -> list[Any]:
    cell = block.cell
    return [
        block.start,
        block.end,
        block.kind.value,
        block.page,
        block.path,
        block.level,
        [cell.table, cell.row, cell.col, cell.rowspan, cell.colspan] if cell else None,
    ]


def _unpack(row: list[Any]) -> Block:
    start, end, kind, page, path, level, cell = row
    return Block(start, end, BlockKind(kind), page, tuple(path), level, Cell(*cell) if cell else None)
