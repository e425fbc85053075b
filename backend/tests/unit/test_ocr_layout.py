"""Lines found by OCR become blocks as those of a text layer do, and their boxes lie where they are seen."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image, ImageDraw

from backend.app.documents.canonical import BlockKind
from backend.app.documents.extract import extract
from backend.app.documents.ocr.pages import SCALE, SLOPE_UNIT, OcrLine, OcrPage
from backend.app.documents.ocr.ruling import find_rules
from backend.app.documents.readers.pdf_grid import find_grids
from backend.tests.documents_made import PdfPage, assert_lawful, make_pdf, texts

W, H = 595.0, 842.0


def line(text, x, y, size=12.0, *, score=99, width=W, height=H):
    """A line of letters one em wide that begins at a point of the page."""
    middles = tuple(round((x + size * (at + 0.5)) / width * SCALE) for at in range(len(text)))
    box = (x / width, (y - 2) / height, (x + size * len(text)) / width, (y + size + 2) / height)
    return OcrLine(text, tuple(round(SCALE * edge) for edge in box), middles, score)


def rule(x0, y0, x1, y1):
    return tuple(
        round(SCALE * at / length) for at, length in zip((x0, y0, x1, y1), (W, H, W, H), strict=True)
    )


def read(tmp_path, *pages, **page):
    path = make_pdf(tmp_path / "a.pdf", *(PdfPage(image=True, **page) for _ in pages))
    document = extract(path, "a.pdf", ocr=dict(enumerate(pages, 1)))
    assert_lawful(document)
    return document


def test_a_wrapped_paragraph_is_one_block_also_over_two_pages(tmp_path):
    full = "投标人应当按照招标文件的要求编制投标文件并对其真实性负责"
    first = OcrPage((line(full, 90, 600, 15), line(full, 90, 630, 15)))
    second = OcrPage((line("到此为止。", 90, 120, 15), line("第二章 投标人须知", 90, 160, 15)))

    document = read(tmp_path, first, second)

    assert texts(document) == [full * 2 + "到此为止。", "第二章 投标人须知"]
    assert document.blocks[1].kind is BlockKind.HEADING
    assert (document.unread, document.ocr_pages) == ((), (1, 2))


def test_pieces_at_one_height_are_one_line_from_left_to_right(tmp_path):
    """A table without rules: found boxes come in any order and are not quite level."""
    page = OcrPage((line("100 万元", 400, 201), line("项目预算", 100, 200), line("单价", 250, 199)))

    assert texts(read(tmp_path, page)) == ["项目预算 单价 100 万元"]


def test_ruling_lines_make_cells_of_lines_and_split_a_line_that_crosses_one(tmp_path):
    """The detector often takes two cells for one line of text."""
    rules = [rule(90, y, 410, y) for y in (200, 240, 280)] + [rule(x, 200, x, 280) for x in (90, 250, 410)]
    one = line("评审因素", 180, 212, 12)
    two = line("分值", 260, 212, 12)
    both = OcrLine(one.text + two.text, (*one.box[:2], two.box[2], two.box[3]), one.middles + two.middles, 99)
    page = OcrPage((both, line("报价", 100, 252), line("30", 300, 252)), tuple(rules))

    document = read(tmp_path, page)

    assert [[document.text[b.start : b.end] for b in row] for row in next(document.tables())] == [
        ["评审因素", "分值"],
        ["报价", "30"],
    ]


def test_a_letter_s_box_is_its_part_of_the_line(tmp_path):
    document = read(tmp_path, OcrPage((line("投标保证金", 119, 421),)))

    (rect,) = document.rects(2, 4)

    assert rect.x == pytest.approx((119 + 24) / W, abs=0.003)
    assert rect.w == pytest.approx(24 / W, abs=0.003)
    assert rect.y < 427 / H < rect.y + rect.h


@pytest.mark.parametrize(
    ("turn", "x", "y"),
    [(1, 1 - 103 / 595, 126 / 842), (2, 1 - 126 / 595, 1 - 103 / 842), (3, 103 / 595, 1 - 126 / 842)],
)
def test_boxes_of_a_page_scanned_on_its_side_lie_on_the_page_as_displayed(tmp_path, turn, x, y):
    """On the page turned upright the second letter has its middle at (126, 103)."""
    width, height = (H, W) if turn % 2 else (W, H)
    page = OcrPage((line("甲乙", 108, 97, 12, width=width, height=height),), turn=turn)

    document = read(tmp_path, page)
    (rect,) = document.rects(1, 2)

    assert (document.pages[0].width, document.pages[0].height) == (W, H)
    assert rect.x < x < rect.x + rect.w
    assert rect.y < y < rect.y + rect.h


def test_boxes_of_a_crooked_scan_are_led_back_to_where_the_letters_are(tmp_path):
    """The page falls to the right by 2 %: what lies 200 points right of its middle is 4 points lower."""
    page = OcrPage((line("甲", 491, 300),), slope=SLOPE_UNIT // 50)

    (rect,) = read(tmp_path, page).rects(0, 1)

    assert (rect.y + rect.h / 2) * H == pytest.approx(310, abs=0.3)
    assert (rect.x + rect.w / 2) * W == pytest.approx(497 + 0.02 * (421 - 306), abs=0.3)


def test_uneven_boxes_of_equal_letters_are_no_title(tmp_path):
    """The detector's boxes differ in height; the distance of the letters tells their size."""
    ordinary = [line("投标人应当按照招标文件的要求编制投标文件", 90, 200 + 20 * at) for at in range(5)]
    high = line("以上由投标人填写", 255, 400)
    high = OcrLine(
        high.text, (high.box[0], high.box[1] - 400, high.box[2], high.box[3] + 400), high.middles, 99
    )

    document = read(tmp_path, OcrPage(()), OcrPage((*ordinary, high)))

    assert all(block.kind is not BlockKind.HEADING for block in document.blocks)


def test_a_page_of_uncertain_letters_is_named(tmp_path):
    document = read(tmp_path, OcrPage((line("投标", 90, 200),)), OcrPage((line("模糊", 90, 200, score=60),)))

    assert [("第 2 页" in note) for note in document.warnings] == [True]


def test_a_text_layer_that_can_be_read_is_kept_whatever_ocr_says(tmp_path):
    path = make_pdf(tmp_path / "a.pdf", PdfPage(texts=[(72, 700, 10, "投标人须知")]))

    document = extract(path, "a.pdf", ocr={1: OcrPage((line("别的", 90, 200),))})

    assert (document.text, document.ocr_pages) == ("投标人须知", ())


@pytest.mark.parametrize("slope", [0.0, 0.015])
def test_ruling_lines_of_a_picture_make_its_grid_also_when_it_is_crooked(slope):
    picture = Image.new("RGB", (1240, 1754), "white")
    pen = ImageDraw.Draw(picture)
    for y in (300, 400, 1500):
        pen.line((150, y, 1050, y), "black", 2)
    for x in (150, 500, 1050):
        pen.line((x, 300, x, 1500), "black", 2)
    picture = picture.rotate(-math.degrees(slope), Image.Resampling.BICUBIC, fillcolor="white")

    rules = find_rules(np.asarray(picture), slope)
    (grid,) = find_grids([tuple(at * 72 / 150 for at in found) for found in rules])

    assert [round(x * 150 / 72, -1) for x in grid.xs] == [150, 500, 1050]
    assert [round(y * 150 / 72, -1) for y in grid.ys] == [300, 400, 1500]
    assert len(grid.cells) == 4


def test_the_strokes_of_large_letters_are_no_ruling_lines():
    """On a small picture a letter is as large as a cell elsewhere."""
    picture = Image.new("RGB", (900, 700), "white")
    for x in range(100, 700, 60):
        ImageDraw.Draw(picture).line((x, 100, x + 28, 100), "black", 2)

    assert find_rules(np.asarray(picture), 0.0, letter=31.0) == []
    assert find_rules(np.asarray(picture), 0.0) != []
