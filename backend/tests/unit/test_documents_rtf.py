"""RTF: what Word and WPS show of it, in Chinese above all."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.common.errors import AppError, ParseLimitExceeded
from backend.app.documents.canonical import BlockKind
from backend.app.documents.extract import extract
from backend.app.documents.limits import ExtractLimits
from backend.tests.documents_made import assert_lawful, texts

_HEAD = r"{\rtf1\ansi\ansicpg936\deff0{\fonttbl{\f0\fnil\fcharset134 SimSun;}{\f1\fcharset2 Wingdings 2;}}"


@pytest.fixture
def read(tmp_path):
    def read(body, head=_HEAD, limits=None):
        path = tmp_path / "stored"
        content = body if isinstance(body, bytes) else body.encode("latin-1")
        path.write_bytes(head.encode("latin-1") + content + b"}")
        document = extract(path, "公告.doc", limits or ExtractLimits())
        assert_lawful(document)
        return document

    return read


def _hex(text, encoding="gb18030"):
    return "".join(f"\\'{byte:02x}" for byte in text.encode(encoding))


def test_chinese_bytes_and_code_points_are_the_same_text(read):
    codes = "".join(f"\\u{ord(char)}?" for char in "投标")
    raw = "投标".encode("gb18030")

    assert texts(read(f"{_hex('投标')}\\par {codes}\\par ".encode() + raw + b"\\par")) == ["投标"] * 3


def test_the_second_byte_of_a_letter_may_stand_as_it_is(read):
    """Its second byte is often that of a Latin letter."""
    char = next(chr(code) for code in range(0x4E00, 0x9FFF) if chr(code).encode("gbk")[1:] == b"A")
    lead = char.encode("gbk")[0]

    assert texts(read(f"\\'{lead:02x}A\\par")) == [char]


def test_a_chinese_letter_in_a_western_font_is_still_chinese(read):
    head = r"{\rtf1\ansi\ansicpg936{\fonttbl{\f0\fcharset0 Times;}}\f0 "

    assert texts(read(_hex("采购") + "\\par", head)) == ["采购"]


def test_what_follows_a_code_point_for_old_readers_is_skipped(read):
    assert texts(read(r"\uc2\u25237\'cd\'b6\u26631\'b1\'ea\uc0\u20154 x\par")) == ["投标人x"]
    assert texts(read(r"\u-10179?\u-9216?\par")) == ["\U0001f400"]
    assert texts(read(r"{\uc3 \u25237 abcd}e\par")) == ["投de"]


def test_text_that_is_not_shown_is_left_out(read):
    body = (
        r"{\info{\title T}}{\*\generator X;}{\stylesheet{\s1 heading 1;}}a{\v hidden}{\deleted gone}b"
        r"{\pict\pngblip 89504e47}{\field{\*\fldinst PAGEREF _Toc1}{\fldrslt 12}}{\bin4 }}{{c\par"
    )

    assert texts(read(body)) == ["ab12c"]


def test_symbols_of_picture_fonts_are_mapped(read):
    assert texts(read(r"{\f1\'52}\'bd\'d3\'ca\'dc {\f1\u-3933?}\par")) == ["☑接受 □"]


def test_automatic_numbers_are_read_from_the_file(read):
    assert texts(read(r"{\listtext\pard\plain 1.\tab}" + _hex("资格") + r"\par")) == ["1. 资格"]


def test_rows_become_a_table_with_spans(read):
    body = (
        r"\trowd\clvmgf\cellx1000\cellx2000\cellx3000\pard\intbl a\cell b\cell c\cell\row"
        r"\trowd\clvmrg\cellx1000\cellx3000\pard\intbl \cell d\par e\cell\row\pard after\par"
    )

    document = read(body)

    assert texts(document) == ["a", "b", "c", "d\ne", "after"]
    cells = [block.cell for block in document.blocks[:4]]
    assert [(c.row, c.col, c.rowspan, c.colspan) for c in cells] == [
        (0, 0, 2, 1), (0, 1, 1, 1), (0, 2, 1, 1), (1, 1, 1, 2),
    ]  # fmt: skip


def test_an_empty_paragraph_parts_two_tables(read):
    row = r"\trowd\cellx1000\cellx2000\pard\intbl a\cell b\cell\row"

    document = read(f"{row}\\pard\\par {row}")

    assert [block.cell.table for block in document.blocks] == [0, 0, 1, 1]


def test_a_table_in_a_cell_becomes_lines_of_that_cell(read):
    body = (
        r"\trowd\cellx5000\cellx9000\pard\intbl\itap2 x\nestcell y\nestcell"
        r"{\*\nesttableprops\trowd\cellx1\cellx2"
        r"\nestrow}{\nonesttables\par}\pard\intbl\itap1 z\cell w\cell\row"
    )

    assert texts(read(body)) == ["x\ty\nz", "w"]


def test_notes_headers_and_text_boxes_stand_where_they_do_in_word_files(read):
    body = (
        r"{\header top\par}{\footer {\field{\*\fldinst PAGE}{\fldrslt 1}}\par}a{\footnote note}b"
        r"{\shp{\*\shpinst{\sp{\sn x}{\sv 1}}{\shptxt box\par}}}\par c\par"
    )

    document = read(body)

    assert [(text, block.kind) for text, block in zip(texts(document), document.blocks, strict=True)] == [
        ("ab", BlockKind.PARAGRAPH),
        ("box", BlockKind.TEXTBOX),
        ("c", BlockKind.PARAGRAPH),
        ("note", BlockKind.FOOTNOTE),
        ("top", BlockKind.HEADER),
    ]


def test_outline_levels_and_words_make_headings(read):
    document = read(
        r"\pard\outlinelevel1 " + _hex("总体说明") + r"\par\pard " + _hex("第一章 公告") + r"\par x\par"
    )

    assert [block.level for block in document.blocks] == [2, 1, None]


@pytest.mark.parametrize("body", ["{" * 100_000, "{" * 3_000 + "}" * 3_000])
def test_groups_that_nest_without_end_are_refused(read, body):
    with pytest.raises(ParseLimitExceeded):
        read(body)


def test_a_row_of_endless_cells_is_refused(read):
    with pytest.raises(ParseLimitExceeded):
        read(r"\intbl " + r"a\cell " * 2_000)


_PIECES = (
    r"{|}|\par |\cell |\row |\trowd|\cellx9|\u20013 |\'d6|\'|\|\uc9 |\*|\intbl|\itap2|{\footnote |{\shptxt |"
    r"{\fonttbl|\nestcell |\bin5 |\bin-1 |甲|a|\u-1 |\u99999999 |\clvmrg|\clmrg|\ansicpg99|\f7 |\fcharset2 "
)


@given(st.lists(st.sampled_from(_PIECES.split("|")), max_size=40))
def test_no_order_of_tokens_breaks_the_reader(tmp_path_factory, pieces):
    path = tmp_path_factory.mktemp("rtf") / "a"
    path.write_bytes(b"{\\rtf1 " + "".join(pieces).encode("gb18030"))

    with suppress(AppError):
        assert_lawful(extract(path, "a.rtf"))
