"""A file or pasted text → Document. Runs in the calling process: for foreign files see `sandbox`."""

from __future__ import annotations

import importlib
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

# Module and function of each reader.
_READERS = {
    FileType.DOCX: ("docx", "read_docx"),
    FileType.DOC: ("doc", "read_doc"),
    FileType.RTF: ("rtf", "read_rtf"),
    FileType.HTML: ("html", "read_html"),
    FileType.MHTML: ("mhtml", "read_mhtml"),
    FileType.MARKDOWN: ("markdown", "read_markdown"),
    FileType.TXT: ("txt", "read_txt"),
    FileType.XLSX: ("xlsx", "read_xlsx"),
    FileType.XLSM: ("xlsx", "read_xlsx"),
    FileType.XLSB: ("calamine_sheets", "read_xlsb"),
    FileType.XLS: ("calamine_sheets", "read_xls"),
    FileType.ODS: ("calamine_sheets", "read_ods"),
}


def extract(
    path: Path,
    filename: str,
    limits: ExtractLimits = DEFAULT_LIMITS,
    ocr: Mapping[int, OcrPage] | None = None,
) -> Document:
    """Read a file by its true type. Raises UnsupportedFileType or a DocumentError.

    Pages that need OCR are named in `Document.unread`; `ocr` has what was found on them, by page number.
    A reader is imported only when it is needed: a child process starts for every file.
    """
    file_type = sniff(path, filename)
    if file_type is FileType.ZIP:
        from backend.app.documents.readers.package import read_package

        return read_package(path, limits, extract, ocr)
    if file_type is FileType.PDF:
        from backend.app.documents.readers.pdf import read_pdf

        return read_pdf(path, limits, ocr)
    if file_type in IMAGE_TYPES:
        from backend.app.documents.readers.images import read_image

        return read_image(path, limits, f"image/{file_type.name.lower()}", ocr)
    reader = _READERS.get(file_type)
    if reader is None:
        raise UnsupportedFileType(detail=file_type.label)
    module, name = reader
    read = getattr(importlib.import_module(f"backend.app.documents.readers.{module}"), name)
    document: Document = read(path, limits)
    return document


def from_text(text: str, limits: ExtractLimits = DEFAULT_LIMITS) -> Document:
    """Pasted text as a document. Raises EmptyDocument or ParseLimitExceeded."""
    from backend.app.documents.readers.txt import text_document

    return text_document(text, limits)
