"""Scans made for tests: pages of Chinese text drawn as pictures, alone or inside a PDF."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from fpdf import FPDF
from PIL import Image, ImageDraw, ImageFont

_FONTS = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/System/Library/Fonts/PingFang.ttc",
)
DPI = 150
A4 = (1240, 1754)  # pixels at 150 dpi


def _font(size: int) -> ImageFont.FreeTypeFont:
    """Skips the test where no Chinese font is installed, unless nothing may be skipped."""
    for path in _FONTS:
        if Path(path).exists():
            return ImageFont.truetype(path, size)
    if os.environ.get("SA_TESTS_SKIP_NOTHING"):
        pytest.fail("no Chinese font is installed and nothing may be skipped")
    pytest.skip("no Chinese font is installed")


def page_picture(
    lines: Sequence[str],
    table: Sequence[Sequence[str]] = (),
    *,
    size: tuple[int, int] = A4,
    letter: int = 25,
) -> Image.Image:
    """Lines from the top, each a paragraph of its own, then a ruled table of equal columns."""
    picture = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(picture), _font(letter)
    left, right, y = round(0.12 * size[0]), round(0.88 * size[0]), round(0.12 * size[1])
    for line in lines:
        pen.text((left, y), line, "black", font)
        y += 2 * letter
    if not table:
        return picture
    y += letter
    step, across = 3 * letter, (right - left) // len(table[0])
    bottom, last = y + step * len(table), left + across * len(table[0])
    for row, cells in enumerate(table):
        pen.line((left, y + row * step, last, y + row * step), "black", 2)
        for col, cell in enumerate(cells):
            pen.text((left + col * across + letter, y + row * step + letter), cell, "black", font)
    pen.line((left, bottom, last, bottom), "black", 2)
    for col in range(len(table[0]) + 1):
        pen.line((left + col * across, y, left + col * across, bottom), "black", 2)
    return picture


def scanned_pdf(path: Path, *pages: Image.Image | str) -> Path:
    """A PDF of pictures that fill their pages; a string becomes a page with a text layer (Latin)."""
    pdf = FPDF(unit="pt", format="A4")
    pdf.set_font("Helvetica", size=12)
    for page in pages:
        if isinstance(page, str):
            pdf.add_page()
            pdf.multi_cell(0, 16, page)
        else:
            size = page.width * 72 / DPI, page.height * 72 / DPI
            pdf.add_page(format=size)
            pdf.image(page, 0, 0, *size)
    pdf.output(str(path))
    return path
