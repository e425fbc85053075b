"""Running headers, footers and page numbers: what stands at the same height of several pages."""

from __future__ import annotations

import re
from collections import Counter

from backend.app.documents.canonical import BlockKind
from backend.app.documents.headings import starts_item
from backend.app.documents.readers.pdf_lines import Line
from backend.app.documents.readers.pdf_page import PageLayout

_MARGIN = 0.12  # running headers and footers stand in this share of the page at either end
_OFTEN = 3  # pages that must share a line before it counts as running
_SHARE = 0.04  # of the pages, for long documents
_LONGEST_NUMBER = 40
_STEP = 12.0  # points: how much the height may differ
_NUMBER = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(
    r"^[-—–~·\s]*(?:第\s*)?(?:\d{1,4}|[IVXivx]{1,6})\s*(?:页)?"
    r"(?:\s*(?:[/／,，]|of|共|，共)+\s*\d{1,4}\s*(?:页)?)?[-—–~·\s]*$"
)


class RunningLines:
    """Counts the lines near the ends of all pages, then tells which of them are running."""

    def __init__(self, layouts: list[PageLayout]) -> None:
        self._needed = max(_OFTEN, round(_SHARE * len(layouts)))
        self._counts: Counter[tuple[str, int]] = Counter()
        for layout in layouts:
            lines = (item for item in layout.items if isinstance(item, Line))
            self._counts.update(
                {
                    (key, round(line.y0 / _STEP))
                    for line in lines
                    if _end_of_page(line, layout)
                    for key in _keys(line, layout.number)
                }
            )

    def kind(self, line: Line, layout: PageLayout) -> BlockKind | None:
        """HEADER or FOOTER for a running line or a page number; None for the page's own text."""
        kind = _end_of_page(line, layout)
        if kind is None or (len(line.text) < _LONGEST_NUMBER and _PAGE_NUMBER.match(line.text)):
            return kind
        height = round(line.y0 / _STEP)
        for key in _keys(line, layout.number):
            if sum(self._counts[key, height + near] for near in (-1, 0, 1)) >= self._needed:
                return kind
        return None


def _keys(line: Line, page: int) -> list[str]:
    """The line as it stands and, where it may hold a page number, with numbers relative to the page.

    A numbered title ("附件 3") also grows from page to page, so it only counts as it stands.
    """
    text = line.text.replace(" ", "")
    if starts_item(line.text) or not _NUMBER.search(text):
        return [text]
    return [text, _NUMBER.sub(lambda match: f"#{int(match.group()) - page}", text)]


def _end_of_page(line: Line, layout: PageLayout) -> BlockKind | None:
    if line.y1 < _MARGIN * layout.height:
        return BlockKind.HEADER
    if line.y0 > (1 - _MARGIN) * layout.height:
        return BlockKind.FOOTER
    return None
