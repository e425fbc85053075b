"""Facts that disagree, lots, and what a reader of one part is told of the whole."""

from __future__ import annotations

from typing import Any

import pytest

from backend.app.bidding.findings import Span
from backend.app.bidding.llm_answers import PartFindings
from backend.app.bidding.llm_gather import Instructions, PartRead, gather, read_part
from backend.app.bidding.outline import MAX_CHARS, outline_of
from backend.app.bidding.prompts import load
from backend.app.bidding.rules.lots import Lot
from backend.app.bidding.rules.marks import MarkDefinition, Meaning
from backend.app.bidding.rules.tabs import Reading
from backend.app.documents.canonical import Block, BlockKind, Document
from backend.app.documents.chunk import Chunk


def document_of(*blocks: tuple[str, str]) -> Document:
    """(heading above it, text) each."""
    text, made = "", []
    for path, words in blocks:
        text += "\n" if text else ""
        made.append(Block(len(text), len(text) + len(words), BlockKind.PARAGRAPH, path=(path,)))
        text += words
    return Document(text, tuple(made))


def validity(days: int) -> dict[str, Any]:
    return {"name": "bid_validity_days", "value": str(days), "quote": f"投标有效期{days}天"}


def read(document: Document, *answers: dict[str, Any], lots: frozenset[str] = frozenset()) -> list[PartRead]:
    """One answer a block."""
    asked = Instructions(load("extract"), lots)
    parts = []
    for block, answer in zip(document.blocks, answers, strict=True):
        chunk = Chunk(block.start, block.end, f"chunk/{block.start}")
        made = PartFindings.model_validate({"facts": [], "items": [], **answer})
        parts.append(read_part(document, chunk, made, asked))
    return parts


def test_the_front_table_outweighs_two_places_of_the_text_and_the_other_value_is_told() -> None:
    """前附表 says what holds for this tender; the text is often an old template."""
    document = document_of(
        ("第一章 总则", "投标有效期60天。"),
        ("第二章 投标人须知前附表", "投标有效期90天。"),
        ("第三章 投标", "投标有效期60天，见前。"),
    )
    parts = read(document, *[{"facts": [validity(days)]} for days in (60, 90, 60)])

    found = gather(document, parts, (), load("extract"))

    assert found.facts["bid_validity_days"].value == 90  # type: ignore[union-attr]
    (other,) = found.conflicts["bid_validity_days"]
    assert (other.value, other.source.start) == (60, document.text.index("投标有效期60天"))


def test_what_only_a_contract_template_says_is_no_conflict() -> None:
    document = document_of(("投标人须知", "投标有效期90天。"), ("合同格式", "投标有效期30天。"))

    found = gather(
        document,
        read(document, {"facts": [validity(90)]}, {"facts": [validity(30)]}),
        (),
        load("extract"),
    )

    assert found.facts["bid_validity_days"].value == 90  # type: ignore[union-attr]
    assert found.conflicts == {}


@pytest.mark.parametrize(
    ("stated", "lot"),
    [("2", "2"), ("第2包", "2"), ("二标段", "2"), ("02", "2"), ("3", None), ("全部", None), (None, None)],
)
def test_a_lot_is_believed_only_when_the_document_has_it(stated: str | None, lot: str | None) -> None:
    document = document_of(("第一章", "第二包须提供样品一套。"))
    item = {"tab": "technical_requirements", "title": "样品", "quote": "第二包须提供样品一套", "lot": stated}

    (part,) = read(document, {"items": [item]}, lots=frozenset({"1", "2"}))

    assert part.findings[0].lot == lot


def test_without_lots_no_finding_has_one() -> None:
    document = document_of(("第一章", "第二包须提供样品一套。"))
    item = {"tab": "technical_requirements", "title": "样品", "quote": "第二包须提供样品一套", "lot": "2"}

    assert read(document, {"items": [item]})[0].findings[0].lot is None


def test_an_overview_counts_only_for_a_document_that_was_read_whole() -> None:
    """A model that writes one for each part has not seen the rest."""
    document = document_of(("一", "投标有效期90天。"), ("二", "其余内容。"))
    overview = {"summary": "有效期90天。", "reason": "无"}
    both = read(document, {"overview": overview}, {"overview": overview})

    assert gather(document, both[:1], (), load("extract")).overview is not None
    assert gather(document, both, (), load("extract")).overview is None


def test_every_part_is_told_of_marks_lots_and_chapters() -> None:
    words = "标“★”的条款为实质性条款，不满足的投标无效。"
    heads = ("第一章 招标公告", "第二章 采购需求")
    text = "\n".join((*heads, words))
    blocks = [
        Block(0, len(heads[0]), BlockKind.HEADING, level=1),
        Block(len(heads[0]) + 1, len(heads[0]) + 1 + len(heads[1]), BlockKind.HEADING, level=1),
        Block(len(text) - len(words), len(text), BlockKind.PARAGRAPH),
    ]

    definition = MarkDefinition(
        "★", Meaning.SUBSTANTIVE, Span(len(text) - len(words), len(text)), words, passage=None
    )
    lot = Lot("1", "办公家具", Span(0, 3))
    reading = Reading([], {"★": definition}, [], (lot,), places=None)

    told = outline_of(Document(text, tuple(blocks)), reading)

    assert told == f"标记说明：{words}\n标段/包 1：办公家具\n{heads[0]}\n{heads[1]}"


def test_an_outline_is_bounded() -> None:
    text = "\n".join(f"第{n}章 " + "很长的标题" * 5 for n in range(1, 300))
    blocks, at = [], 0
    for line in text.split("\n"):
        blocks.append(Block(at, at + len(line), BlockKind.HEADING, level=1))
        at += len(line) + 1

    nothing = Reading([], {}, [], (), places=None)

    assert 0 < len(outline_of(Document(text, tuple(blocks)), nothing)) <= MAX_CHARS
