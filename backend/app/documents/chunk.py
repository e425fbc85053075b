"""Parts of a document that a model reads in one call: cut at headings and between rows, overlapping. Pure.

A chunk is a range of the canonical text, so every quote found in it has its place in the document. What a
reader of the part needs and does not see there (headings above it, the head row of a table begun earlier)
stands in `lead`, which is shown to the model but is no place for quotes.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import pairwise

from backend.app.documents.canonical import Block, BlockKind, Document

TARGET = 6_500  # characters; 5 to 8 thousand keep recall high and leave room for the answer
LONGEST = 8_000
OVERLAP = 0.1
SHORTEST = 300  # a piece this small is not cut again
_SENTENCE_END = re.compile(r"[。；;！？!?]\s*|\n")


@dataclass(frozen=True, slots=True)
class Chunk:
    """text[start:end] of a document. `name` is unique in a split, and the same when it is split again."""

    start: int
    end: int
    name: str
    lead: str = ""

    @property
    def size(self) -> int:
        return self.end - self.start


def split(
    document: Document, *, target: int = TARGET, longest: int = LONGEST, whole: int = LONGEST
) -> list[Chunk]:
    """The document in chunks, in order; every character is in at least one. Sizes in characters.

    A document of at most `whole` characters is one chunk: what fits into the window comfortably is not cut.
    """
    size = len(document.text)
    if not document.text.strip():
        return []
    if size <= whole:
        return [Chunk(0, size, "chunk/1")]
    cuts = _Cuts(document)
    chunks: list[Chunk] = []
    start = 0
    while start < size:
        end = size if size - start <= longest else cuts.best(start, target, longest)
        chunks.append(Chunk(start, end, f"chunk/{len(chunks) + 1}", _lead(document, start)))
        if end >= size:
            break
        start = cuts.back_from(end, round(target * OVERLAP), after=start)
    return chunks


def bisect(document: Document, chunk: Chunk) -> tuple[Chunk, Chunk] | None:
    """Two halves of a chunk with a little overlap; None when it is too small to be cut again."""
    if chunk.size <= 2 * SHORTEST:
        return None
    cuts = _Cuts(document)
    half = chunk.size // 2
    middle = cuts.best(chunk.start, half, half + chunk.size // 4)
    back = cuts.back_from(middle, round(half * OVERLAP), after=chunk.start)
    return (
        Chunk(chunk.start, middle, f"{chunk.name}a", chunk.lead),
        Chunk(back, chunk.end, f"{chunk.name}b", _lead(document, back)),
    )


class _Cuts:
    """Where a document may be cut, and how well: before a block; inside one only if it is too long."""

    def __init__(self, document: Document) -> None:
        self._text = document.text
        self._at: list[int] = []
        self._worth: list[float] = []
        for before, block in pairwise(document.blocks):
            worth = _worth(before, block)
            if worth > 0:
                self._at.append(block.start)
                self._worth.append(worth)

    def best(self, start: int, target: int, longest: int) -> int:
        """The best end of a chunk that starts at `start`: near `target`, at most `longest` characters on."""
        low = bisect_left(self._at, start + max(longest - 2 * (longest - target), longest // 3))
        high = bisect_right(self._at, start + longest)
        best, best_score = 0, float("-inf")
        for index in range(low, high):
            away = abs(self._at[index] - start - target) / longest
            score = self._worth[index] - 2.0 * away
            if score > best_score:
                best, best_score = self._at[index], score
        return best or self._inside(start, start + longest)

    def back_from(self, end: int, overlap: int, *, after: int) -> int:
        """Where the next chunk starts: a cut at about `overlap` characters before `end`, behind `after`."""
        low = max(end - 2 * overlap, after + 1)
        index = bisect_left(self._at, end - overlap)
        around = [self._at[at] for at in (index - 1, index) if 0 <= at < len(self._at)]
        found = [at for at in around if low <= at < end]
        if found:
            return min(found, key=lambda at: abs(end - overlap - at))
        ends = [match.end() for match in _SENTENCE_END.finditer(self._text, low, end)]
        return ends[0] if ends and ends[0] < end else max(end - overlap, after + 1)

    def _inside(self, start: int, latest: int) -> int:
        """One block longer than a chunk may be: after its last sentence that fits, or hard."""
        low = start + (latest - start) // 2
        ends = [match.end() for match in _SENTENCE_END.finditer(self._text, low, latest)]
        return ends[-1] if ends else latest


def _worth(before: Block, block: Block) -> float:
    """How good it is to cut between two blocks: 0 means never."""
    if block.kind is BlockKind.HEADING:
        return 3.0 - 0.3 * min(block.level or 5, 6)
    if block.cell is None or before.cell is None or block.cell.table != before.cell.table:
        return 0.5 if block.kind is BlockKind.LIST_ITEM else 1.0
    return 0.3 if block.cell.row != before.cell.row else 0.0


def _lead(document: Document, start: int) -> str:
    """Headings above `start`, and the head row of the table that `start` stands in."""
    index = bisect_right(document.blocks, start, key=lambda block: block.start) - 1
    if index < 0:
        return ""
    block = document.blocks[index]
    lines = [f"所在章节：{' > '.join(block.path)}"] if block.path else []
    if block.cell is not None and block.cell.row > 0:
        head = _head_row(document, index)
        if head:
            lines.append(f"表头：{head}")
    return "\n".join(lines)


def _head_row(document: Document, index: int) -> str:
    """The cells of the first row of the table that block `index` belongs to."""
    cell = document.blocks[index].cell
    if cell is None:
        return ""
    first = index
    while first > 0:
        before = document.blocks[first - 1].cell
        if before is None or before.table != cell.table:
            break
        first -= 1
    row: list[str] = []
    for block in document.blocks[first : index + 1]:
        if block.cell is None or block.cell.row != 0:
            break
        row.append(document.text[block.start : block.end].replace("\n", " ")[:40])
    return " | ".join(row)
