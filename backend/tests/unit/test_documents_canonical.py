"""The canonical text itself: what is stored comes back, and boxes stay with their characters."""

from __future__ import annotations

import zlib
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.common.errors import EmptyDocument, ParseLimitExceeded
from backend.app.documents.builder import DocumentBuilder
from backend.app.documents.canonical import NO_BOX, Block, BlockKind, Cell, Document, Page
from backend.app.documents.limits import ExtractLimits
from backend.tests.documents_made import assert_lawful, texts

_TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=60)
_BLOCK = st.builds(
    Block,
    start=st.integers(0, 100),
    end=st.integers(0, 100),
    kind=st.sampled_from(BlockKind),
    page=st.none() | st.integers(1, 9),
    path=st.lists(_TEXT, max_size=3).map(tuple),
    level=st.none() | st.integers(1, 9),
    cell=st.none() | st.builds(Cell, *[st.integers(0, 50)] * 3, *[st.integers(1, 9)] * 2),
)
_DOCUMENT = st.builds(
    Document,
    text=_TEXT,
    blocks=st.lists(_BLOCK, max_size=6).map(tuple),
    pages=st.lists(
        st.builds(
            Page,
            st.integers(1, 9),
            st.floats(1, 999),
            st.floats(1, 999),
            st.integers(0, 9),
            st.integers(0, 9),
        ),
        max_size=3,
    ).map(tuple),
    boxes=st.lists(st.integers(0, NO_BOX), max_size=40).map(lambda numbers: array("H", numbers)),
    warnings=st.lists(_TEXT, max_size=2).map(tuple),
    media_type=st.sampled_from(["text/plain", "application/pdf"]),
)


@given(_DOCUMENT)
def test_a_stored_document_comes_back_as_it_was(document):
    assert Document.from_bytes(document.to_bytes()) == document


@given(st.binary(max_size=80))
def test_bytes_that_are_no_document_are_refused_as_such(data):
    with pytest.raises(ValueError):
        Document.from_bytes(b"SADOC1\n" + data)


def test_a_document_that_unpacks_to_too_much_is_refused():
    document = Document(text="甲" * 100_000, blocks=())

    with pytest.raises(ValueError, match="too large"):
        Document.from_bytes(document.to_bytes(), most=10_000)
    assert len(zlib.compress(b"x" * 10_000)) < 100  # such a bomb is small on the wire


_ADDED = st.lists(
    st.tuples(
        st.text(st.sampled_from("甲乙 \n\t第一章二、，。a1"), max_size=12),
        st.sampled_from(BlockKind),
        st.none() | st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 2)),
    ),
    min_size=1,
    max_size=12,
)


@given(_ADDED)
def test_whatever_is_added_the_law_of_the_text_holds(added):
    builder = DocumentBuilder(ExtractLimits(), media_type="text/plain", with_boxes=True)
    for text, kind, cell in added:
        place = Cell(*cell) if cell else None
        builder.add(text, kind, cell=place, boxes=[1] * (4 * len(text)))
    if not any(text.strip() for text, _, _ in added):
        with pytest.raises(EmptyDocument):
            builder.build()
        return

    document = builder.build()

    assert_lawful(document)
    assert texts(document) == [text.strip() for text, _, _ in added if text.strip()]


def test_headings_give_the_blocks_below_them_their_path():
    builder = DocumentBuilder(ExtractLimits(), media_type="text/plain")
    builder.add("第一章 公告", BlockKind.HEADING, level=1)
    builder.add("一、概况", BlockKind.HEADING, level=3)
    builder.add("内容")
    builder.add("第二章 须知", BlockKind.HEADING, level=1)
    builder.add("正文")

    paths = [block.path for block in builder.build().blocks]

    assert paths == [(), ("第一章 公告",), ("第一章 公告", "一、概况"), (), ("第二章 须知",)]


def test_chapters_that_are_only_listed_are_no_headings_but_the_one_that_begins_is():
    """A contents page would otherwise put the whole document under its last entry."""
    builder = DocumentBuilder(ExtractLimits(), media_type="text/plain")
    for title in ("第一章 公告", "第二章 须知", "第三章 合同", "第一章 公告"):
        builder.add(title, BlockKind.HEADING, level=1)
    builder.add("正文")

    kinds = [block.kind for block in builder.build().blocks]

    assert kinds == [BlockKind.LIST_ITEM] * 3 + [BlockKind.HEADING, BlockKind.PARAGRAPH]


def test_a_block_that_goes_on_over_a_page_stays_one():
    builder = DocumentBuilder(ExtractLimits(), media_type="application/pdf", with_boxes=True)
    builder.add("投标人", page=1, boxes=[5] * 12)
    builder.mark_page(1, 10, 10, 0)
    builder.extend("应当", boxes=[6] * 8)
    builder.mark_page(2, 10, 10, 3)

    document = builder.build()

    assert texts(document) == ["投标人应当"]
    assert [document.page_of(at) for at in range(5)] == [1, 1, 1, 2, 2]
    assert_lawful(document)


@pytest.mark.parametrize("limits", [ExtractLimits(max_chars=5), ExtractLimits(max_blocks=1)])
def test_too_much_text_or_too_many_blocks_stop_the_reading(limits):
    builder = DocumentBuilder(limits, media_type="text/plain")
    builder.add("甲乙丙")

    with pytest.raises(ParseLimitExceeded):
        builder.add("丁戊己")
