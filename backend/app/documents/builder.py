"""Puts blocks together into one Document and keeps its law: in order, no overlap, one separator between."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import replace

from backend.app.common.errors import EmptyDocument, ParseLimitExceeded
from backend.app.documents.canonical import NO_BOX, Block, BlockKind, Cell, Document, Page
from backend.app.documents.headings import Outline, chapter_number
from backend.app.documents.limits import ExtractLimits

_OUTSIDE_OUTLINE = (BlockKind.HEADER, BlockKind.FOOTER, BlockKind.FOOTNOTE)
_LISTED = 3  # so many headings in a row with nothing under them are a list of titles


class DocumentBuilder:
    """Feed blocks in reading order, then `build`. Empty blocks leave no trace."""

    def __init__(self, limits: ExtractLimits, *, media_type: str, with_boxes: bool = False) -> None:
        self._limits = limits
        self._media_type = media_type
        self._parts: list[str] = []
        self._blocks: list[Block] = []
        self._pages: list[Page] = []
        self._boxes: array[int] | None = array("H") if with_boxes else None
        self._length = 0
        self.warnings: list[str] = []

    @property
    def length(self) -> int:
        """Code points so far; a block added now starts behind one separator."""
        return self._length

    def add(
        self,
        text: str,
        kind: BlockKind = BlockKind.PARAGRAPH,
        *,
        level: int | None = None,
        page: int | None = None,
        cell: Cell | None = None,
        boxes: Sequence[int] | None = None,
    ) -> None:
        """Append one block; `boxes` holds four numbers a code point of `text` (see Document.boxes)."""
        stripped = text.strip()
        if not stripped:
            return
        if len(stripped) != len(text):
            lead = len(text) - len(text.lstrip())
            text = stripped
            boxes = boxes[4 * lead : 4 * (lead + len(text))] if boxes is not None else None
        self._separate(cell)
        start = self._length
        self._append(text, boxes)
        self._blocks.append(Block(start, self._length, kind, page, (), level, cell))
        self._check()

    def extend(self, text: str, *, glue: str = "", boxes: Sequence[int] | None = None) -> None:
        """Go on with the last block after `glue` (a paragraph that continues on the next page)."""
        self._append(glue, None)
        self._append(text, boxes)
        self._blocks[-1] = replace(self._blocks[-1], end=self._length)
        self._check()

    def mark_page(self, number: int, width: float, height: float, start: int) -> None:
        """Close a page that began at offset `start`: everything added since belongs to it."""
        start = min(start, self._length)
        self._pages.append(Page(number, width, height, start, self._length))

    def build(self, *, may_be_empty: bool = False) -> Document:
        """Raises EmptyDocument when no block was added, unless its pages are still to be read by OCR."""
        if not self._blocks and not may_be_empty:
            raise EmptyDocument()
        text = "".join(self._parts)
        return Document(
            text=text,
            blocks=tuple(_with_paths(_without_listed_titles(self._blocks, text), text)),
            pages=tuple(self._pages),
            boxes=self._boxes if self._boxes is not None else array("H"),
            warnings=tuple(self.warnings),
            media_type=self._media_type,
        )

    def _separate(self, cell: Cell | None) -> None:
        if not self._blocks:
            return
        last = self._blocks[-1].cell
        same_row = cell and last and (cell.table, cell.row) == (last.table, last.row)
        self._append("\t" if same_row else "\n", None)

    def _append(self, text: str, boxes: Sequence[int] | None) -> None:
        self._parts.append(text)
        self._length += len(text)
        if self._boxes is not None:
            self._boxes.extend(boxes if boxes is not None else (NO_BOX,) * (4 * len(text)))

    def _check(self) -> None:
        if self._length > self._limits.max_chars or len(self._blocks) > self._limits.max_blocks:
            raise ParseLimitExceeded()


def _without_listed_titles(blocks: list[Block], text: str) -> list[Block]:
    """Headings that only list titles (a contents page, "the document consists of") become list items.

    The last one stays a heading when its chapter was listed before: there the chapter itself begins.
    """
    found = list(blocks)
    run: list[int] = []
    for at, block in enumerate([*blocks, None]):
        if block is not None and block.kind in _OUTSIDE_OUTLINE:
            continue
        heads = block is not None and block.kind is BlockKind.HEADING
        if heads and block is not None and (not run or blocks[run[-1]].level == block.level):
            run.append(at)
            continue
        if len(run) >= _LISTED:
            numbers = [chapter_number(text[blocks[one].start : blocks[one].end]) for one in run]
            kept = 1 if numbers[-1] is not None and numbers[-1] in numbers[:-1] else 0
            for one in run[: len(run) - kept]:
                found[one] = replace(blocks[one], kind=BlockKind.LIST_ITEM, level=None)
        run = [at] if heads else []
    return found


def _with_paths(blocks: list[Block], text: str) -> Iterator[Block]:
    outline = Outline()
    for block in blocks:
        if block.kind is BlockKind.HEADING:
            title = text[block.start : block.end]
            yield replace(block, path=outline.enter(block.level or 1, title))
        elif block.kind in _OUTSIDE_OUTLINE or not outline.path:
            yield block
        else:
            yield replace(block, path=outline.path)
