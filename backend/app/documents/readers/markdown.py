"""Markdown: headings, lists and pipe tables as blocks; marks of emphasis and links taken away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from backend.app.documents.builder import DocumentBuilder
from backend.app.documents.canonical import BlockKind, Cell, Document
from backend.app.documents.charset import decode
from backend.app.documents.glyphs import clean
from backend.app.documents.headings import MAX_TITLE
from backend.app.documents.limits import ExtractLimits
from backend.app.documents.readers.txt import add_line, read_bounded

MEDIA_TYPE = "text/markdown"

_HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
_UNDERLINE = re.compile(r"^ {0,3}(=+|-{2,})\s*$")
_RULE = re.compile(r"^ {0,3}(?:\*\s*){3,}$|^ {0,3}(?:-\s*){3,}$|^ {0,3}(?:_\s*){3,}$")
_BULLET = re.compile(r"^\s*(?:>\s*)*[-*+]\s+(?=\S)")
_QUOTE = re.compile(r"^\s*(?:>\s?)+")
_FENCE = re.compile(r"^\s*(`{3,}|~{3,})")
_TABLE_RULE = re.compile(r"^[\s|:-]*-[\s|:-]*$")
_CELL_END = re.compile(r"(?<!\\)\|")
_TASK = ((re.compile(r"^\[[xX]\]\s+"), "☑ "), (re.compile(r"^\[ \]\s+"), "□ "))
# No pattern may look past the next mark of its own kind: a line of a million "[" must stay cheap.
_INLINE = (
    (re.compile(r"!?\[([^\[\]]*)\]\([^()\[\]]*\)"), r"\1"),
    (re.compile(r"<(https?://[^<>\s]+)>"), r"\1"),
    (re.compile(r"\*\*([^*\s](?:[^*]*[^*\s])?)\*\*"), r"\1"),
    (re.compile(r"__([^_\s](?:[^_]*[^_\s])?)__"), r"\1"),
    (re.compile(r"(?<![\w*])\*([^*\s](?:[^*]*[^*\s])?)\*(?![\w*])"), r"\1"),
    (re.compile(r"~~([^~]+)~~"), r"\1"),
    (re.compile(r"`([^`]+)`"), r"\1"),
    (re.compile(r"<br\s?/?>", re.IGNORECASE), "\n"),
    (re.compile(r"\\([\\`*_{}\[\]()#+\-.!|>~])"), r"\1"),
)


def read_markdown(path: Path, limits: ExtractLimits) -> Document:
    builder = DocumentBuilder(limits, media_type=MEDIA_TYPE)
    _Reader(builder).read(clean(decode(read_bounded(path, limits))).split("\n"))
    return builder.build()


class _Reader:
    def __init__(self, builder: DocumentBuilder) -> None:
        self._builder = builder
        self._tables = 0

    def read(self, lines: list[str]) -> None:
        at = _skip_front_matter(lines)
        while at < len(lines):
            fence = _FENCE.match(lines[at])
            if fence:
                at = self._code(lines, at + 1, fence.group(1))
            elif "|" in lines[at] and at + 1 < len(lines) and _TABLE_RULE.match(lines[at + 1]):
                at = self._table(lines, at)
            else:
                at = self._line(lines, at)

    def _line(self, lines: list[str], at: int) -> int:
        line = lines[at]
        heading = _HEADING.match(line)
        if heading:
            self._heading(heading.group(2), len(heading.group(1)))
            return at + 1
        below = _UNDERLINE.match(lines[at + 1]) if at + 1 < len(lines) else None
        if below and line.strip() and not _RULE.match(line) and len(line.strip()) <= MAX_TITLE:
            self._heading(line, 1 if below.group(1).startswith("=") else 2)
            return at + 2
        if _RULE.match(line):
            return at + 1
        if _BULLET.match(line):
            self._builder.add(_inline(_BULLET.sub("", line)), BlockKind.LIST_ITEM)
        else:
            add_line(self._builder, _inline(_QUOTE.sub("", line)))
        return at + 1

    def _heading(self, title: str, level: int) -> None:
        self._builder.add(_inline(title), BlockKind.HEADING, level=level)

    def _code(self, lines: list[str], at: int, fence: str) -> int:
        """Fenced text is kept as it stands."""
        while at < len(lines):
            if lines[at].strip().startswith(fence):
                return at + 1
            self._builder.add(lines[at])
            at += 1
        return at

    def _table(self, lines: list[str], at: int) -> int:
        row = 0
        while at < len(lines) and "|" in lines[at]:
            if row != 1 or not _TABLE_RULE.match(lines[at]):
                place = row if row == 0 else row - 1
                for col, text in enumerate(_cells(lines[at])):
                    self._builder.add(text, BlockKind.TABLE_CELL, cell=Cell(self._tables, place, col))
            row += 1
            at += 1
        self._tables += 1
        return at


def _skip_front_matter(lines: list[str]) -> int:
    """YAML between two lines of dashes at the very beginning says nothing to a reader."""
    if not lines or lines[0].strip() != "---":
        return 0
    for at in range(1, min(len(lines), 100)):
        if lines[at].strip() == "---":
            return at + 1
    return 0


def _cells(line: str) -> Iterator[str]:
    for part in _CELL_END.split(line.strip().removeprefix("|").removesuffix("|")):
        yield _inline(part.strip())


def _inline(text: str) -> str:
    text = text.strip()
    for pattern, box in _TASK:
        text = pattern.sub(box, text)
    for pattern, plain in _INLINE:
        text = pattern.sub(plain, text)
    return text
