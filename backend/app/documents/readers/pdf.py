"""PDF files: the text layer by PDFium, with a box for every character.

Each page is read into lines and ruled tables (`pdf_page`); what repeats at the pages' ends is told apart
and the rest becomes paragraphs and cells (`pdf_text`). A page without usable text is left out with a
warning; when that is most of the document, it needs OCR.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backend.app.common.errors import DocumentNeedsOCR, ParseLimitExceeded
from backend.app.documents.canonical import Document
from backend.app.documents.limits import ExtractLimits
from backend.app.documents.readers.pdf_page import PageLayout, read_page
from backend.app.documents.readers.pdf_quality import Quality
from backend.app.documents.readers.pdf_text import write_document
from backend.app.documents.readers.pdfium import opened_document, opened_page, pdfium

_MANY = 0.5  # share of the pages with content that may be unreadable before the whole needs OCR


def read_pdf(path: Path, limits: ExtractLimits) -> Document:
    with opened_document(path) as document:
        count = pdfium.FPDF_GetPageCount(document)
        if count > limits.max_pages:
            raise ParseLimitExceeded()
        layouts = list(_pages(document, count, limits))
    scanned = [layout.number for layout in layouts if layout.quality is Quality.SCANNED]
    garbled = [layout.number for layout in layouts if layout.quality is Quality.GARBLED]
    unreadable = len(scanned) + len(garbled)
    content = sum(1 for layout in layouts if layout.quality is not Quality.EMPTY)
    if unreadable and unreadable >= _MANY * content:
        raise DocumentNeedsOCR()
    warnings = []
    if scanned:
        warnings.append(f"第 {_numbers(scanned)} 页是扫描图片，未能读取其中的文字")
    if garbled:
        warnings.append(f"第 {_numbers(garbled)} 页的文字层已损坏，未能读取其中的文字")
    return write_document(layouts, limits, warnings)


def _pages(document: Any, count: int, limits: ExtractLimits) -> Iterator[PageLayout]:
    chars = 0
    for index in range(count):
        with opened_page(document, index) as (page, text_page):
            chars += max(pdfium.FPDFText_CountChars(text_page), 0)
            if chars > limits.max_chars:
                raise ParseLimitExceeded()
            yield read_page(page, text_page, index + 1)


def _numbers(pages: list[int]) -> str:
    shown = "、".join(str(page) for page in pages[:20])
    return shown + (" 等" if len(pages) > 20 else "")
