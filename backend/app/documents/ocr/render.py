"""A page as a picture for OCR: a page of a PDF by PDFium, an image file by Pillow. For the child only.

Whatever the page's size, a picture has at most `MAX_PIXELS`.
"""

from __future__ import annotations

import ctypes
import importlib
import math
from pathlib import Path
from typing import Any

from backend.app.common.errors import UnreadableDocument
from backend.app.documents.readers.images import upright_picture
from backend.app.documents.readers.pdfium import opened_document, opened_page, pdfium

np: Any = importlib.import_module("numpy")

DOTS_PER_INCH = 150
MAX_PIXELS = 3_000_000  # A4 at 150 dpi has 2.2 million, A3 is drawn at 124 dpi
_LONGEST_SIDE = 4_000
_WHITE = 0xFFFFFFFF


def page_image(path: Path, number: int, *, is_pdf: bool) -> Any:
    """The page as displayed, as a BGR array. Raises UnreadableDocument, ParseLimitExceeded, MemoryError."""
    if is_pdf:
        return _pdf_page(path, number)
    picture = upright_picture(path, number, bounded)
    return np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])


def bounded(width: float, height: float) -> tuple[int, int]:
    """A size in pixels of the same shape within the bounds."""
    scale = min(1.0, math.sqrt(MAX_PIXELS / (width * height)), _LONGEST_SIDE / max(width, height))
    return max(round(width * scale), 1), max(round(height * scale), 1)


def _pdf_page(path: Path, number: int) -> Any:
    with opened_document(path) as document, opened_page(document, number - 1) as (page, _):
        width, height = pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page)
        if not (width > 0 and height > 0):
            raise UnreadableDocument()
        across, down = bounded(width * DOTS_PER_INCH / 72, height * DOTS_PER_INCH / 72)
        bitmap = pdfium.FPDFBitmap_CreateEx(across, down, pdfium.FPDFBitmap_BGR, None, 0)
        if not bitmap:
            raise MemoryError
        try:
            pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, across, down, _WHITE)
            # Annotations too: seals and comments are part of what a reader sees.
            pdfium.FPDF_RenderPageBitmap(bitmap, page, 0, 0, across, down, 0, pdfium.FPDF_ANNOT)
            return _pixels(bitmap, across, down)
        finally:
            pdfium.FPDFBitmap_Destroy(bitmap)


def _pixels(bitmap: Any, across: int, down: int) -> Any:
    stride = pdfium.FPDFBitmap_GetStride(bitmap)
    rows = ctypes.POINTER(ctypes.c_ubyte * (stride * down))
    content = ctypes.cast(pdfium.FPDFBitmap_GetBuffer(bitmap), rows).contents
    pixels = np.frombuffer(content, np.uint8).reshape(down, stride)
    return pixels[:, : 3 * across].reshape(down, across, 3).copy()
