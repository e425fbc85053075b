"""PDFium's C functions. The generated bindings have no types, so they pass through here as Any.

PDFium is not thread-safe: one document at a time in a process. Foreign files are read in a child process
anyway (`sandbox`); in-process callers must not run two readers at once.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backend.app.common.errors import EncryptedDocument, UnreadableDocument

pdfium: Any = importlib.import_module("pypdfium2.raw")  # importing it starts the library


@contextmanager
def opened_document(path: Path) -> Iterator[Any]:
    """An FPDF_DOCUMENT. Raises EncryptedDocument or UnreadableDocument.

    A file that only restricts printing or copying opens with the empty password, like in any viewer.
    """
    document = pdfium.FPDF_LoadDocument(str(path).encode() + b"\0", None)
    if not document:
        error = pdfium.FPDF_GetLastError()
        if error in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY):
            raise EncryptedDocument()
        raise UnreadableDocument()
    try:
        yield document
    finally:
        pdfium.FPDF_CloseDocument(document)


@contextmanager
def opened_page(document: Any, index: int) -> Iterator[tuple[Any, Any]]:
    """An FPDF_PAGE and its FPDF_TEXTPAGE. Raises UnreadableDocument."""
    page = pdfium.FPDF_LoadPage(document, index)
    if not page:
        raise UnreadableDocument()
    text_page = pdfium.FPDFText_LoadPage(page)
    try:
        if not text_page:
            raise UnreadableDocument()
        yield page, text_page
    finally:
        if text_page:
            pdfium.FPDFText_ClosePage(text_page)
        pdfium.FPDF_ClosePage(page)
