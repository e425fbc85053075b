"""PDFs: the text of a page in reading order, every character with its place."""

from __future__ import annotations

import pytest
from fpdf import FPDF
from fpdf.enums import AccessPermission
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.app.common.errors import (
    EmptyDocument,
    EncryptedDocument,
    ParseLimitExceeded,
    UnreadableDocument,
)
from backend.app.documents.canonical import BlockKind, Document
from backend.app.documents.extract import extract
from backend.app.documents.limits import ExtractLimits
from backend.app.documents.readers.pdf_quality import Quality, page_quality
from backend.tests.documents_made import PdfPage, assert_lawful, make_pdf, texts

_CLAUSE = "投标人应当按照招标文件的要求编制投标文件，投标文件应当对招标文件提出的实质性要求和条件作出响应。"
_FULL = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉戌亥天地玄黄宇宙洪荒日月盈昃辰宿列张"  # 38 letters


def _read(path, *pages, **given):
    document = extract(make_pdf(path / "a.pdf", *pages, **given), "a.pdf")
    assert_lawful(document)
    return document


def _grid(xs, ys):
    """The ruling lines of a full table."""
    across = [(xs[0], y, xs[-1], y) for y in ys]
    return across + [(x, ys[0], x, ys[-1]) for x in xs]


def test_lines_come_top_to_bottom_whatever_order_they_were_drawn_in(tmp_path):
    document = _read(
        tmp_path, PdfPage(texts=[(72, 500, 12, "第三行"), (72, 700, 12, "第一行"), (72, 600, 12, "第二行")])
    )

    assert texts(document) == ["第一行", "第二行", "第三行"]
    assert document.pages[0].width == pytest.approx(595)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 250), st.text(st.sampled_from("投标人须知0A%，"), min_size=1, max_size=18)),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([0, 90, 180, 270]),
    st.sampled_from([None, (20, 30, 575, 812)]),
)
def test_every_rect_covers_exactly_its_characters(tmp_path_factory, rows, rotate, crop):
    """Lines stand 30 points apart; letters of 10 points reach from 8.8 above the line to 1.2 below it."""
    left, bottom, right, top = crop or (0, 0, 595, 842)
    width, height = (right - left, top - bottom) if rotate % 180 == 0 else (top - bottom, right - left)
    wanted = [(40 + x, 110 + 30 * at, text) for at, (x, text) in enumerate(rows)]  # as displayed
    to_user = {
        0: lambda x, y: (left + x, top - y),
        90: lambda x, y: (left + y, bottom + x),
        180: lambda x, y: (right - x, bottom + y),
        270: lambda x, y: (right - y, top - x),
    }[rotate]
    page = PdfPage(texts=[(*to_user(x, y), 10, text) for x, y, text in wanted], rotate=rotate, crop=crop)

    document = _read(tmp_path_factory.mktemp("pdf"), page)

    assert (document.pages[0].width, document.pages[0].height) == pytest.approx((width, height))
    places = [(x + 10 * n, y) for x, y, text in wanted for n in range(len(text))]
    inked = [at for at, char in enumerate(document.text) if not char.isspace()]
    assert "".join(document.text[at] for at in inked) == "".join(text for _, _, text in wanted)
    for at, (x, y) in zip(inked, places, strict=True):
        (rect,) = document.rects(at, at + 1)
        shown = (rect.x * width, rect.y * height, rect.w * width, rect.h * height)
        assert shown == pytest.approx((x, y - 8.8, 10, 10), abs=0.1)


def test_a_paragraph_that_wraps_is_one_block(tmp_path):
    rows = [_FULL[:36], _FULL, "完。", _FULL[:36]]
    drawn = [(92 if at in (0, 3) else 72, 700 - 20 * at, 10, row) for at, row in enumerate(rows)]

    document = _read(tmp_path, PdfPage(texts=drawn))

    assert texts(document) == [rows[0] + rows[1] + rows[2], rows[3]]
    rects = document.rects(0, document.blocks[0].end)
    assert [round(rect.w * 595) for rect in rects] == [360, 380, 20]


def test_clauses_that_fill_their_line_are_not_joined(tmp_path):
    rows = [f"{at}、" + _FULL[:37] + "。" for at in (1, 2, 3)]

    document = _read(tmp_path, PdfPage(texts=[(72, 700 - 20 * at, 10, row) for at, row in enumerate(rows)]))

    assert texts(document) == rows
    assert {block.kind for block in document.blocks} == {BlockKind.LIST_ITEM}


def test_wide_line_spacing_does_not_cut_a_paragraph(tmp_path):
    rows = [_FULL, _FULL, _FULL[:12] + "。"]

    document = _read(tmp_path, PdfPage(texts=[(72, 700 - 29 * at, 10, row) for at, row in enumerate(rows)]))

    assert len(document.blocks) == 1


def test_latin_words_keep_their_space_at_a_line_s_end(tmp_path):
    rows = ["A" * 34 + " hello", "world" + "，" + "甲" * 30 + "2024-", "12"]

    document = _read(tmp_path, PdfPage(texts=[(72, 700 - 15 * at, 10, row) for at, row in enumerate(rows)]))

    assert "hello world" in document.text


def _table(rows, *, top=700, xs=(72, 132, 222, 522), size=10):
    """A ruled table with one line of text a cell."""
    drawn = [
        (xs[col] + 5, top - 20 * at - 15, size, text)
        for at, row in enumerate(rows)
        for col, text in enumerate(row)
        if text
    ]
    return drawn, _grid(xs, [top - 20 * at for at in range(len(rows) + 1)])


def test_a_ruled_table_gives_its_cells_row_by_row(tmp_path):
    drawn, lines = _table([("序号", "名称", "内容"), ("1", "保证金", "无"), ("2", "有效期", "90天")])
    drawn.sort()  # drawn column by column

    document = _read(tmp_path, PdfPage(texts=[(72, 720, 10, "前附表"), *drawn], lines=lines))

    assert document.text == "前附表\n序号\t名称\t内容\n1\t保证金\t无\n2\t有效期\t90天"
    assert [(b.cell.row, b.cell.col) for b in document.blocks[1:]] == [
        (r, c) for r in range(3) for c in range(3)
    ]


def test_the_lines_of_a_cell_stay_together_although_its_neighbour_s_stand_between(tmp_path):
    """The vertically centred label otherwise lands inside the neighbour's text."""
    drawn = [(227, 680, 10, "投标文件应当在截止时间前递交到开标地点逾期送达"), (80, 672, 10, "递交地点")]
    drawn += [(227, 664, 10, "的不予受理"), (227, 648, 10, "2、方式：现场")]

    document = _read(tmp_path, PdfPage(texts=drawn, lines=_grid((72, 222, 470), (695, 640))))

    assert texts(document) == [
        "递交地点",
        "投标文件应当在截止时间前递交到开标地点逾期送达的不予受理\n2、方式：现场",
    ]


def test_merged_cells_are_recovered_from_the_missing_lines(tmp_path):
    lines = [(72, 700, 372, 700), (172, 680, 372, 680), (72, 660, 372, 660)]
    lines += [(72, 700, 72, 660), (172, 700, 172, 660), (272, 680, 272, 660), (372, 700, 372, 660)]
    drawn = [(80, 675, 10, "评分"), (180, 685, 10, "业绩部分"), (180, 665, 10, "1个"), (280, 665, 10, "2分")]

    document = _read(tmp_path, PdfPage(texts=drawn, lines=lines))

    assert texts(document) == ["评分", "业绩部分", "1个", "2分"]
    spans = [(c.row, c.col, c.rowspan, c.colspan) for c in (block.cell for block in document.blocks)]
    assert spans == [(0, 0, 2, 1), (0, 1, 1, 2), (1, 1, 1, 1), (1, 2, 1, 1)]


def test_a_table_over_two_pages_is_one_and_repeats_no_header(tmp_path):
    first, lines = _table([("序号", "名称", "内容"), ("1", "甲", "乙")], top=140)
    second, more = _table([("序号", "名称", "内容"), ("2", "丙", "丁")], top=780)

    document = _read(tmp_path, PdfPage(texts=first, lines=lines), PdfPage(texts=second, lines=more))

    (table,) = document.tables()
    assert [[document.text[c.start : c.end] for c in row] for row in table] == [
        ["序号", "名称", "内容"],
        ["1", "甲", "乙"],
        ["2", "丙", "丁"],
    ]
    assert [block.page for block in document.blocks if block.kind is BlockKind.HEADER] == [2, 2, 2]


def test_a_cell_that_the_page_s_end_cuts_stays_one_block(tmp_path):
    long = "投标文件应当在截止时间前递交到开标地点逾期送达的不予"
    first, lines = _table([("序号", "名称", "内容"), ("1", "递交", long)], top=140)
    second, more = _table([("", "", "受理。"), ("2", "丙", "丁")], top=780)

    document = _read(
        tmp_path,
        PdfPage(texts=[*first, (290, 40, 10, "1")], lines=lines),
        PdfPage(texts=[*second, (290, 40, 10, "2")], lines=more),
    )

    assert long + "受理。" in texts(document)
    whole = next(block for block in document.blocks if document.text[block.start :].startswith(long))
    assert {rect.page for rect in document.rects(whole.start, whole.end)} == {1, 2}
    assert [block.cell.row for block in document.blocks if block.cell] == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_a_sentence_over_two_pages_is_not_cut_by_header_and_page_number(tmp_path):
    pages = []
    for number in (1, 2, 3):
        body = [(72, 700 - 20 * at, 10, _FULL) for at in range(3)]
        furniture = [(72, 800, 9, "某某项目招标文件"), (290, 40, 9, f"第 {number} 页")]
        pages.append(PdfPage(texts=[*furniture, *body]))

    document = _read(tmp_path, *pages)

    assert texts(document).count("某某项目招标文件") == 3
    assert texts(document)[2] == _FULL * 6
    kinds = {document.text[block.start : block.end]: block.kind for block in document.blocks}
    assert kinds["某某项目招标文件"] is BlockKind.HEADER
    assert kinds["第 2 页"] is BlockKind.FOOTER
    for page in document.pages:
        assert all(r.page == page.number for r in document.rects(page.start, page.end))


def test_numbered_titles_at_the_top_of_pages_are_no_running_header(tmp_path):
    pages = [PdfPage(texts=[(72, 800, 12, f"附件{at}："), (72, 700, 10, _CLAUSE)]) for at in (1, 2, 3, 4)]

    document = _read(tmp_path, *pages)

    assert all(block.kind is not BlockKind.HEADER for block in document.blocks)


def test_a_watermark_does_not_fall_into_the_text(tmp_path):
    rows = [(72, 700 - 20 * at, 10, _FULL) for at in range(6)]

    document = _read(tmp_path, PdfPage(texts=[*rows, (150, 630, 60, "内部资料")]))

    assert document.text == _FULL * 6


@pytest.mark.parametrize(("slope", "kept"), [("0.7 0.7 -0.7 0.7", False), ("1 0 0.33 1", True)])
def test_slanted_text_is_a_watermark_but_italic_letters_are_text(tmp_path, slope, kept):
    path = make_pdf(
        tmp_path / "a.pdf", PdfPage(texts=[(72, 600, 30, "仅供参考")], slope=slope), _page_of_text()
    )

    assert ("仅供参考" in extract(path, "a.pdf").text) is kept


def test_a_drawing_of_thousands_of_lines_is_no_table_and_takes_no_time(tmp_path):
    across = [(60, 60 + at * 0.7, 500, 60 + at * 0.7) for at in range(0, 1000, 6)]
    down = [(60 + at * 0.4, 60, 60 + at * 0.4, 760) for at in range(0, 1000, 9)]
    page = _page_of_text()
    page.lines = [*across, *down]

    document = _read(tmp_path, page)

    assert "投标人应当" in document.text


def test_check_boxes_of_the_private_use_area_keep_their_state(tmp_path):
    document = _read(tmp_path, PdfPage(texts=[(72, 700, 10, "\uf0fe不接受\uf0a8接受")]))

    assert document.text == "☑不接受□接受"


def test_radicals_that_stand_for_characters_become_them(tmp_path):
    assert _read(tmp_path, PdfPage(texts=[(72, 700, 10, "⾼级⼯程师")])).text == "高级工程师"


def _page_of_text(lines=12):
    return PdfPage(texts=[(72, 760 - 20 * at, 10, _CLAUSE[:40]) for at in range(lines)])


def _scan():
    return PdfPage(image=True)


def test_a_scan_needs_ocr(tmp_path):
    document = _read(tmp_path, _scan(), _scan(), PdfPage(image=True, texts=[(72, 40, 9, "3")]))

    assert document.unread == (1, 2, 3)
    assert (document.text, document.ocr_pages, len(document.pages)) == ("", (), 3)
    assert Document.from_bytes(document.to_bytes()) == document


def test_text_turned_into_outlines_needs_ocr(tmp_path):
    strokes = [(60 + at % 40 * 10, 60 + at, 68 + at % 40 * 10, 64 + at) for at in range(400)]

    assert _read(tmp_path, PdfPage(lines=strokes)).unread == (1,)


def test_one_scanned_page_in_a_good_document_is_left_for_ocr(tmp_path):
    document = _read(tmp_path, _page_of_text(), _scan(), _page_of_text())

    assert document.unread == (2,)
    assert [page.number for page in document.pages] == [1, 2, 3]


def test_text_over_a_background_image_is_text(tmp_path):
    page = _page_of_text()
    page.image = True

    assert _read(tmp_path, page).unread == ()


def test_a_text_layer_of_wrong_letters_needs_ocr(tmp_path):
    """The page shows 投标人…, its text layer says something in Hangul, Greek and rare ideographs."""
    spoiled = {char: chr(0x1100 + at) for at, char in enumerate(sorted(set(_CLAUSE)))}

    assert _read(tmp_path, _page_of_text(), _page_of_text(), unicode_of=spoiled).unread == (1, 2)


@pytest.mark.parametrize(
    ("text", "quality"),
    [
        (_CLAUSE * 3, Quality.GOOD),
        ("The bidder shall submit the tender documents before the deadline. " * 3, Quality.GOOD),
        ("1,234.56 78% 2024-12-03 " * 20, Quality.GOOD),
        ("ᆿᒼᐸ⋵⊕ђ䐥" * 20, Quality.GARBLED),
        ("\ue123\ue124\ue125甲" * 30, Quality.GARBLED),
        ("甪攴罽橤綳燴墕幘廎" * 20, Quality.GARBLED),
        ("ᆿᒼᐸ", Quality.GOOD),
        ("  ", Quality.EMPTY),
    ],
)
def test_pages_are_judged_by_their_letters(text, quality):
    assert page_quality(text, 0.0) is quality


def _latin_pdf(path, **encryption):
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=12)
    pdf.cell(text="tender document")
    pdf.set_encryption("owner", **encryption)
    pdf.output(str(path))
    return path


def test_a_file_that_asks_for_a_password_is_named_as_such(tmp_path):
    with pytest.raises(EncryptedDocument):
        extract(_latin_pdf(tmp_path / "a.pdf", user_password="secret"), "a.pdf")


def test_a_file_that_only_forbids_printing_is_read(tmp_path):
    path = _latin_pdf(tmp_path / "a.pdf", permissions=AccessPermission.none())

    assert "tender" in extract(path, "a.pdf").text


def test_pages_without_text_or_image_are_an_empty_document(tmp_path):
    with pytest.raises(EmptyDocument):
        _read(tmp_path, PdfPage(), PdfPage())


@pytest.mark.parametrize("content", [b"%PDF-1.7\n", b"%PDF-1.7\n" + bytes(range(256)) * 40])
def test_a_damaged_file_is_unreadable(tmp_path, content):
    (tmp_path / "a.pdf").write_bytes(content)

    with pytest.raises(UnreadableDocument):
        extract(tmp_path / "a.pdf", "a.pdf")


def test_too_many_pages_are_a_limit(tmp_path):
    with pytest.raises(ParseLimitExceeded):
        extract(make_pdf(tmp_path / "a.pdf", *[_page_of_text(1)] * 4), "a.pdf", ExtractLimits(max_pages=3))
