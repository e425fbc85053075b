"""Plain text: its lines as blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from backend.app.common.errors import ParseLimitExceeded
from backend.app.documents.builder import DocumentBuilder
from backend.app.documents.canonical import BlockKind, Document
from backend.app.documents.charset import decode
from backend.app.documents.glyphs import clean
from backend.app.documents.headings import heading_level, starts_item
from backend.app.documents.limits import ExtractLimits

MEDIA_TYPE = "text/plain"

_ENOUGH_LINES = 12  # to see a common width
_CUT_SHARE = 0.3  # of the lines reach it
_SLACK = 4  # half letters by which a cut line falls short of it
_INDENT = 5  # half letters of a first line's indent, which copying loses
_NARROWEST, _WIDEST = 36, 160  # half letters
_LONGEST = 4_000  # letters of a paragraph
_ENDS = "。；;！？!?：:"
_WORD_END, _WORD_START = re.compile(r"[A-Za-z,]$"), re.compile(r"\s*[A-Za-z]")


def read_txt(path: Path, limits: ExtractLimits) -> Document:
    return text_document(decode(read_bounded(path, limits)), limits)


def text_document(text: str, limits: ExtractLimits) -> Document:
    """Every line that is not blank becomes a block; lines cut at a fixed width are put together first."""
    builder = DocumentBuilder(limits, media_type=MEDIA_TYPE)
    for line in unwrap(clean(text).split("\n")):
        add_line(builder, line)
    return builder.build()


def unwrap(lines: list[str]) -> Iterator[str]:
    """Join lines that were cut at a fixed width (copied out of a PDF), where the whole text shows one."""
    full = _full_width(lines)
    joined, slack = "", 0
    for line in lines:
        if joined and len(joined) < _LONGEST and _goes_on(joined, line):
            joined += (" " if _WORD_END.search(joined) and _WORD_START.match(line) else "") + line.strip()
            slack = _SLACK
        else:
            yield joined
            joined, slack = line, _SLACK + _INDENT
        if full is None or not full - slack <= _width(line.rstrip()) <= full:
            yield joined
            joined = ""
    yield joined


def _full_width(lines: list[str]) -> int | None:
    """The width at which lines were cut, in half letters; None when nothing was cut."""
    widths = sorted(width for line in lines if (width := _width(line.rstrip())))
    if len(widths) < _ENOUGH_LINES:
        return None
    full = widths[-1 - len(widths) // 100]
    reached = sum(1 for width in widths if full - _SLACK <= width <= full)
    cut = reached >= _CUT_SHARE * len(widths) and widths[-1] <= full + _SLACK
    return widths[-1] if cut and _NARROWEST <= full <= _WIDEST else None


def _width(line: str) -> int:
    """Chinese letters count two, Latin ones one; lines too long to have been cut are not measured."""
    if len(line) > _WIDEST:
        return 2 * _WIDEST
    return sum(2 if char > "\u2e7f" else 1 for char in line)


def _goes_on(before: str, line: str) -> bool:
    indented = line[:1].isspace()
    return bool(line.strip()) and not indented and before.rstrip()[-1] not in _ENDS and not starts_item(line)


def add_line(builder: DocumentBuilder, line: str) -> None:
    """A heading, list item or paragraph, by its words."""
    level = heading_level(line)
    if level is not None:
        builder.add(line, BlockKind.HEADING, level=level)
    elif starts_item(line):
        builder.add(line, BlockKind.LIST_ITEM)
    else:
        builder.add(line)


def read_bounded(path: Path, limits: ExtractLimits) -> bytes:
    if path.stat().st_size > limits.max_text_file:
        raise ParseLimitExceeded()
    return path.read_bytes()
