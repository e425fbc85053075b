"""Whether the boxes of a result lie on their words: each box is read again from the PDF, by PDFium itself."""

from __future__ import annotations

import importlib
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from backend.app.bidding.findings import Span
from backend.app.documents.canonical import NO_BOX, Document, Rect

pdfium: Any = importlib.import_module("pypdfium2")  # its functions have no types

_MARGIN = 1.0  # points; half a hair line on either side of a glyph
_BOXES = str.maketrans("\uf0fe\uf052\uf0a8\uf0a3", "☑☑□□")
_DRAWN = frozenset("☑□☐■√☒")  # may be a drawing on the page, without a character


def wrong_rects(path: Path, document: Document, spans: Iterable[Span]) -> int:
    """How many spans have words that their boxes do not hold; 0 where the document has no boxes."""
    if not document.boxes or path.suffix.lower() != ".pdf":
        return 0
    pdf = pdfium.PdfDocument(path)
    try:
        pages: dict[int, _PageText] = {}
        return sum(not _holds(pdf, pages, document, span) for span in dict.fromkeys(spans))
    finally:
        pdf.close()


def _holds(pdf: Any, pages: dict[int, _PageText], document: Document, span: Span) -> bool:
    words = Counter(
        "".join(
            _letters(document.text[at])
            for at in range(span.start, span.end)
            if document.boxes[4 * at] != NO_BOX and document.page_of(at) not in document.ocr_pages
        )
    )
    read: Counter[str] = Counter()
    for rect in document.rects(span.start, span.end):
        if rect.page not in pages:
            pages[rect.page] = _PageText(pdf[rect.page - 1])
        read.update(_letters(pages[rect.page].inside(rect)))
    return all(read[letter] >= count for letter, count in words.items())


def _letters(words: str) -> str:
    """Letters to compare by: usual width, no white space, no check boxes."""
    folded = unicodedata.normalize("NFKC", words.translate(_BOXES))
    return "".join(ch for ch in folded if not ch.isspace() and ch not in _DRAWN)


class _PageText:
    """One page's own text by place. Boxes are fractions of the page as displayed."""

    def __init__(self, page: Any) -> None:
        self._text = page.get_textpage()
        self._crop = page.get_bbox()  # boxes may be inherited from the page tree
        self._turn = page.get_rotation()

    def inside(self, rect: Rect) -> str:
        corners = [self._point(rect.x, rect.y), self._point(rect.x + rect.w, rect.y + rect.h)]
        left, right = sorted(x for x, _ in corners)
        bottom, top = sorted(y for _, y in corners)
        return str(
            self._text.get_text_bounded(left - _MARGIN, bottom - _MARGIN, right + _MARGIN, top + _MARGIN)
        )

    def _point(self, u: float, v: float) -> tuple[float, float]:
        """The place in PDF user space of a point of the displayed page, v from its top."""
        left, bottom, right, top = self._crop
        width, height = right - left, top - bottom
        return {
            0: (left + u * width, top - v * height),
            90: (left + v * width, bottom + u * height),
            180: (right - u * width, bottom + v * height),
            270: (right - v * width, top - u * height),
        }[self._turn]
