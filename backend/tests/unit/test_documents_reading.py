"""Which unread pages are tried, file by file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backend.app.common.errors import UnreadableDocument
from backend.app.documents.canonical import Document, FileAnchor
from backend.app.documents.ocr.pages import OcrPage
from backend.app.documents.reading import Reader
from backend.app.documents.sandbox import ParsePool

PACKAGE = Document(
    "一.pdf\n二.pdf",
    (),
    files=(
        FileAnchor("一.pdf", 0, 5, "application/pdf", first_page=1, pages=5),
        FileAnchor("二.pdf", 6, 11, "application/pdf", first_page=6, pages=5),
    ),
    unread=tuple(range(1, 11)),
)


@pytest.mark.parametrize(
    ("good", "tried"),
    [
        ((), [1, 2, 3, 6, 7, 8]),
        ((3, 9), [1, 2, 3, 4, 5, 6, 7, 8]),
        ((3, 8), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    ],
)
async def test_three_pages_in_a_row_that_fail_end_the_reading_of_their_file_alone(
    good: tuple[int, ...], tried: list[int]
) -> None:
    """A page may take minutes to fail: a broken file of hundreds of them must not take them all."""
    asked: list[int] = []

    async def keep(number: int, _call: Any) -> Any:
        asked.append(number)
        if number not in good:
            raise UnreadableDocument
        return OcrPage(()).as_json()

    found = await Reader(ParsePool(1)).recognise(Path("a.zip"), PACKAGE, keep, lambda *_: None)

    assert asked == tried
    assert tuple(found) == good[: len(found)]
