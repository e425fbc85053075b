"""Image files as documents: which pages they have, how they stand, and what is too much."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from backend.app.common.errors import EmptyDocument, ParseLimitExceeded, UnreadableDocument
from backend.app.documents.extract import extract
from backend.app.documents.limits import ExtractLimits
from backend.app.documents.ocr.pages import OcrLine, OcrPage
from backend.app.documents.ocr.render import MAX_PIXELS, bounded, page_image
from backend.tests.documents_made import PdfPage, assert_lawful, make_pdf

LINE = OcrLine("投标", (9000, 9000, 10600, 10000), (9400, 10200), 99)


def corner(size=(300, 400)):
    """White with a black top left corner."""
    picture = Image.new("RGB", size, "white")
    picture.paste("black", (0, 0, size[0] // 3, size[1] // 3))
    return picture


def corner_of(pixels):
    """Which corner of an array is dark: (is at the bottom, is at the right)."""
    height, width = pixels.shape[:2]
    spots = [(row, col) for row in (0, 1) for col in (0, 1)]
    return min(spots, key=lambda at: int(pixels[at[0] * (height - 9) + 4, at[1] * (width - 9) + 4].sum()))


@pytest.mark.parametrize(
    ("name", "saved", "media_type"),
    [
        ("a.png", {}, "image/png"),
        ("a.jpg", {"format": "JPEG"}, "image/jpeg"),
        ("a.bmp", {}, "image/bmp"),
        ("a.gif", {"save_all": True, "append_images": [corner((300, 400))]}, "image/gif"),
        ("a.webp", {}, "image/webp"),
        ("a.tiff", {}, "image/tiff"),
    ],
)
def test_an_image_is_a_page_whose_text_is_left_for_ocr(tmp_path, name, saved, media_type):
    corner().save(tmp_path / name, **saved)

    document = extract(tmp_path / name, name)
    again = extract(tmp_path / name, name, ocr={1: OcrPage((LINE,))})

    assert (document.text, document.unread, document.media_type) == ("", (1,), media_type)
    assert (again.text, again.ocr_pages, len(again.pages)) == ("投标", (1,), 1)
    assert again.pages[0].height / again.pages[0].width == pytest.approx(4 / 3)
    assert_lawful(again)
    assert corner_of(page_image(tmp_path / name, 1, is_pdf=False)) == (0, 0)


def test_the_frames_of_a_tiff_are_pages(tmp_path):
    path = tmp_path / "a.tif"
    corner().convert("1").save(path, save_all=True, append_images=[corner((400, 300)).convert("1")])

    document = extract(path, "a.tif", ocr={2: OcrPage((LINE,))})

    assert (document.unread, document.ocr_pages, document.text) == ((1,), (2,), "投标")
    assert [page.width > page.height for page in document.pages] == [False, True]
    assert page_image(path, 2, is_pdf=False).shape == (300, 400, 3)


@pytest.mark.parametrize(("mark", "dark"), [(1, (0, 0)), (3, (1, 1)), (6, (0, 1)), (8, (1, 0))])
def test_a_photo_stands_as_its_camera_was_held(tmp_path, mark, dark):
    exif = Image.Exif()
    exif[0x0112] = mark
    corner().save(tmp_path / "a.jpg", exif=exif)

    pixels = page_image(tmp_path / "a.jpg", 1, is_pdf=False)
    (page,) = extract(tmp_path / "a.jpg", "a.jpg").pages

    assert corner_of(pixels) == dark
    assert (page.width > page.height) is (pixels.shape[1] > pixels.shape[0]) is (mark in (6, 8))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "1", "L", "CMYK", "I;16"])
def test_pictures_of_every_kind_of_pixel_can_be_read(tmp_path, mode):
    """What is transparent is paper: black letters on nothing must not become black on black."""
    if mode == "I;16":
        picture = Image.fromarray((np.asarray(corner().convert("L")).astype(np.uint16)) * 256)
    elif mode == "RGBA":
        picture = Image.new("RGBA", (300, 400), (0, 0, 0, 0))
        picture.paste((0, 0, 0, 255), (0, 0, 100, 130))
    else:
        picture = corner().convert(mode)
    path = tmp_path / "a.tiff"
    picture.save(path)

    pixels = page_image(path, 1, is_pdf=False)

    assert corner_of(pixels) == (0, 0)
    assert int(pixels[390, 290].sum()) > 600


def bomb(width, height):
    """A PNG of a few bytes that announces a picture of this size."""

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(99)))


@pytest.mark.parametrize("size", [(60_000, 60_000), (9_000, 9_000)])
def test_a_picture_that_unpacks_to_too_much_is_refused_by_its_head(tmp_path, size):
    path = tmp_path / "a.png"
    path.write_bytes(bomb(*size))

    with pytest.raises(ParseLimitExceeded):
        extract(path, "a.png")
    with pytest.raises(ParseLimitExceeded):
        page_image(path, 1, is_pdf=False)


def test_a_picture_cut_short_is_unreadable(tmp_path):
    path = tmp_path / "a.png"
    corner().save(path)
    path.write_bytes(path.read_bytes()[:150])

    with pytest.raises(UnreadableDocument):
        page_image(path, 1, is_pdf=False)


def test_more_frames_than_pages_are_allowed_are_refused(tmp_path):
    frames = [Image.new("1", (9, 9)) for _ in range(4)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])

    with pytest.raises(ParseLimitExceeded):
        extract(tmp_path / "a.tif", "a.tif", ExtractLimits(max_pages=3))


def test_a_picture_without_a_word_is_an_empty_document(tmp_path):
    corner().save(tmp_path / "a.png")

    with pytest.raises(EmptyDocument):
        extract(tmp_path / "a.png", "a.png", ocr={1: OcrPage(())})


@pytest.mark.parametrize("size", [(595, 842), (1e5, 1e5), (14_400, 3), (0.5, 9_000)])
def test_a_page_of_any_size_becomes_a_picture_of_bounded_size(size):
    width, height = bounded(*size)

    assert 1 <= width * height <= 1.01 * MAX_PIXELS
    assert max(width, height) <= 4_000


def test_a_pdf_page_is_drawn_as_displayed(tmp_path):
    """After /Rotate, and no more of it than the CropBox shows."""
    page = PdfPage(lines=[(60, 740, 180, 740), (60, 741, 180, 741)], rotate=90, crop=(50, 400, 350, 800))

    pixels = page_image(make_pdf(tmp_path / "a.pdf", page), 1, is_pdf=True)
    dark_rows, dark_cols = np.where(pixels.sum(axis=2) < 500)

    assert pixels.shape[:2] == (625, 833)  # 300 by 400 points on their side, at 150 dpi
    # The line at 60 of 800 points from the upper edge, upright now, right of the middle.
    assert dark_cols.min() / 833 == pytest.approx((740 - 400) / 400, abs=0.01)
    assert dark_rows.min() / 625 == pytest.approx(10 / 300, abs=0.01)
    assert dark_rows.max() / 625 == pytest.approx(130 / 300, abs=0.01)
