"""A file or pasted text → Document. Runs in the calling process: for foreign files see `sandbox`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from backend.app.common.errors import UnsupportedFileType
from backend.app.documents.canonical import Document
from backend.app.documents.limits import ExtractLimits
from backend.app.documents.sniff import IMAGE_TYPES, FileType, sniff

if TYPE_CHECKING:
    from backend.app.documents.ocr.pages import OcrPage

__all__ = ["ExtractLimits", "extract", "from_text"]

DEFAULT_LIMITS = ExtractLimits()


def extract(
    path: Path,
    filename: str,
    limits: ExtractLimits = DEFAULT_LIMITS,
    ocr: Mapping[int, OcrPage] | None = None,
) -> Document:
    """Read a file by its true type. Raises UnsupportedFileType or a DocumentError.

    Pages that need OCR are named in `Document.unread`; `ocr` has what was found on them, by page number.
    The readers are imported here, each only when it is needed: a child process starts for every file.
    """
    file_type = sniff(path, filename)
    if file_type is FileType.PDF:
        from backend.app.documents.readers.pdf import read_pdf

        return read_pdf(path, limits, ocr)
    if file_type in IMAGE_TYPES:
        from backend.app.documents.readers.images import read_image

        return read_image(path, limits, f"image/{file_type.name.lower()}", ocr)
    if file_type is FileType.DOCX:
        from backend.app.documents.readers.docx import read_docx

        return read_docx(path, limits)
    if file_type is FileType.HTML:
        from backend.app.documents.readers.html import read_html

        return read_html(path, limits)
    if file_type is FileType.MARKDOWN:
        from backend.app.documents.readers.markdown import read_markdown

        return read_markdown(path, limits)
    if file_type is FileType.TXT:
        from backend.app.documents.readers.txt import read_txt

        return read_txt(path, limits)
    raise UnsupportedFileType(detail=file_type.label)


def from_text(text: str, limits: ExtractLimits = DEFAULT_LIMITS) -> Document:
    """Pasted text as a document. Raises EmptyDocument or ParseLimitExceeded."""
    from backend.app.documents.readers.txt import text_document

    return text_document(text, limits)
