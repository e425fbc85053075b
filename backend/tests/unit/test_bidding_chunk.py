"""Chunks: every character is covered, cuts stand where a reader would cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.documents.canonical import Block, BlockKind, Cell, Document
from backend.app.documents.chunk import LONGEST, Chunk, bisect, split

H, P, T = BlockKind.HEADING, BlockKind.PARAGRAPH, BlockKind.TABLE_CELL


def document(*pieces: tuple[BlockKind, str], cells: bool = False) -> Document:
    """Blocks one after the other; table cells as one table with two columns."""
    text, blocks, path, cell_count = "", [], (), 0
    for kind, piece in pieces:
        cell = None
        if kind is T:
            cell = Cell(0, cell_count // 2, cell_count % 2)
            cell_count += 1
        if text:
            text += "\t" if cell is not None and cell.col else "\n"
        blocks.append(
            Block(
                len(text), len(text) + len(piece), kind, path=path, cell=cell, level=1 if kind is H else None
            )
        )
        text += piece
        if kind is H:
            path = (piece,)
    return Document(text, tuple(blocks))


def covers(chunks: list[Chunk], size: int) -> bool:
    return (
        chunks[0].start == 0
        and chunks[-1].end == size
        and all(a.start < b.start <= a.end < b.end for a, b in itertools.pairwise(chunks))
    )


def test_a_document_that_fits_is_one_chunk() -> None:
    doc = document((P, "字" * 5000))
    assert split(doc) == [Chunk(0, 5000, "chunk/1")]


def test_an_empty_document_has_no_chunks() -> None:
    assert split(document((P, " \n "))) == []


def test_chapters_are_cut_at_their_headings() -> None:
    pieces = []
    for number in range(4):
        pieces += [(H, f"第{number}章"), *[(P, f"{number}" + "文" * 299) for _ in range(20)]]
    doc = document(*pieces)
    chunks = split(doc)

    assert covers(chunks, len(doc.text))
    assert all(chunk.size <= LONGEST for chunk in chunks)
    starts_of_chapters = {block.start for block in doc.blocks if block.kind is H}
    assert {chunk.end for chunk in chunks[:-1]} <= starts_of_chapters
    assert chunks[1].lead == "所在章节：第0章"


def test_rows_are_never_cut_and_the_head_row_goes_along() -> None:
    rows = [(T, "条款号"), (T, "内容")]
    for number in range(60):
        rows += [(T, f"{number}"), (T, "款" * 300)]
    doc = document((H, "前附表"), *rows)
    chunks = split(doc)

    row_starts = {block.start for block in doc.blocks if block.cell and block.cell.col == 0}
    assert len(chunks) > 2
    assert all(chunk.start in row_starts for chunk in chunks[1:])
    assert all(chunk.end in row_starts for chunk in chunks[:-1])
    assert chunks[1].lead == "所在章节：前附表\n表头：条款号 | 内容"


def test_chunks_overlap_by_about_a_tenth() -> None:
    doc = document(*[(P, "段" * 200) for _ in range(200)])
    chunks = split(doc)
    overlaps = [a.end - b.start for a, b in itertools.pairwise(chunks)]
    assert all(400 <= overlap <= 1300 for overlap in overlaps)
    assert all(5000 <= chunk.size <= 8000 for chunk in chunks[:-1])


def test_one_endless_block_is_cut_behind_sentences() -> None:
    doc = document((P, "投标人须提供证明。" * 4000))
    chunks = split(doc)
    assert covers(chunks, len(doc.text))
    assert all(doc.text[chunk.end - 1] == "。" for chunk in chunks)
    assert all(chunk.size <= LONGEST for chunk in chunks)


def test_halves_cover_the_chunk_until_it_is_too_small() -> None:
    doc = document(*[(P, "段" * 99) for _ in range(100)])
    chunk = Chunk(0, len(doc.text), "chunk/1")
    halves = bisect(doc, chunk)
    assert halves is not None
    first, second = halves
    assert (first.start, second.end) == (chunk.start, chunk.end)
    assert first.start < second.start <= first.end < second.end
    assert (first.name, second.name) == ("chunk/1a", "chunk/1b")
    assert bisect(doc, Chunk(0, 500, "x")) is None


def test_splitting_again_gives_the_same_chunks() -> None:
    """Steps are found again by what a chunk holds."""
    doc = document(*[(P, f"{n}" + "段" * (n % 70)) for n in range(2000)])
    assert split(doc) == split(doc)


@given(
    st.lists(st.tuples(st.sampled_from([H, P, T]), st.integers(1, 3000)), min_size=1, max_size=60),
    st.sampled_from([(6500, 8000), (800, 1000)]),
)
def test_whatever_the_blocks_everything_is_covered(
    shape: list[tuple[BlockKind, int]], sizes: tuple[int, int]
) -> None:
    doc = document(*[(kind, ("字。" * size)[:size]) for kind, size in shape])
    chunks = split(doc, target=sizes[0], longest=sizes[1], whole=sizes[1])
    assert covers(chunks, len(doc.text))
    assert all(chunk.size <= sizes[1] for chunk in chunks)
    for chunk in chunks:
        halves = bisect(doc, chunk)
        if halves is not None:
            assert halves[0].start == chunk.start
            assert halves[1].start <= halves[0].end
            assert halves[1].end == chunk.end
            assert max(half.size for half in halves) < chunk.size


@pytest.mark.parametrize("size", [1, 8000, 8001])
def test_edges_of_the_limits(size: int) -> None:
    doc = document((P, "字" * size))
    assert covers(split(doc), size)
