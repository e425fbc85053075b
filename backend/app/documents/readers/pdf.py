"""PDF files: the text layer by PDFium, with a box for every character.

Each page is read into lines and ruled tables (`pdf_page`); what repeats at the pages' ends is told apart
and the rest becomes paragraphs and cells (`pdf_text`). A page without usable text is left out and named in
`Document.unread`; read again with what OCR found on it, it becomes lines and tables like any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from backend.app.common.errors import ParseLimitExceeded
from backend.app.documents.canonical import Document
from backend.app.documents.limits import ExtractLimits
from backend.app.documents.ocr.pages import OcrPage
from backend.app.documents.readers.ocr_layout import ocr_layout
from backend.app.documents.readers.pdf_glyphs import page_view
from backend.app.documents.readers.pdf_page import PageLayout, read_page
from backend.app.documents.readers.pdf_rules import page_objects
from backend.app.documents.readers.pdf_text import write_document
from backend.app.documents.readers.pdfium import opened_document, opened_page, pdfium


def read_pdf(path: Path, limits: ExtractLimits, ocr: Mapping[int, OcrPage] | None = None) -> Document:
    """`ocr`: by page number, what was found on pages that an earlier reading left unread."""
    with opened_document(path) as document:
        count = pdfium.FPDF_GetPageCount(document)
        if count > limits.max_pages:
            raise ParseLimitExceeded()
        layouts = list(_pages(document, count, limits, ocr or {}))
    return write_document(layouts, limits)


def _pages(
    document: Any, count: int, limits: ExtractLimits, ocr: Mapping[int, OcrPage]
) -> Iterator[PageLayout]:
    chars = 0
    for index in range(count):
        with opened_page(document, index) as (page, text_page):
            chars += max(pdfium.FPDFText_CountChars(text_page), 0)
            if chars > limits.max_chars:
                raise ParseLimitExceeded()
            layout = read_page(page, text_page, index + 1)
            found = ocr.get(layout.number)
            if layout.is_unread and found is not None:
                drawn = page_objects(page, page_view(page)).lines
                layout = ocr_layout(layout, found, drawn)
            yield layout
