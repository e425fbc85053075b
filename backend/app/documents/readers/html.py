"""HTML pages: visible text in order, headings, lists and tables as blocks. Nothing is ever fetched."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from lxml import etree

from backend.app.common.errors import EmptyDocument, ParseLimitExceeded, UnreadableDocument
from backend.app.documents.builder import DocumentBuilder
from backend.app.documents.canonical import BlockKind, Cell, Document
from backend.app.documents.charset import decode
from backend.app.documents.glyphs import clean
from backend.app.documents.headings import heading_level, starts_item
from backend.app.documents.limits import ExtractLimits
from backend.app.documents.readers.txt import read_bounded

MEDIA_TYPE = "text/html"

Element = etree._Element

_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
_UNSEEN = frozenset(
    ("script", "style", "noscript", "template", "head", "title", "svg", "math", "object", "iframe", "select")
)
_BLOCKS = frozenset(
    (
        "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details",
        "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "html",
        "li", "main", "nav", "ol", "p", "pre", "section", "summary", "ul",
    )
)  # fmt: skip
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all", re.IGNORECASE)
_BLANKS = re.compile(r"[ \t\n\r\f]+")
_MAX_SPAN = 1000
_MAX_DEPTH = 400


def read_html(path: Path, limits: ExtractLimits) -> Document:
    return html_document(read_bounded(path, limits), limits)


def html_document(raw: bytes, limits: ExtractLimits) -> Document:
    """Raises EmptyDocument, UnreadableDocument or ParseLimitExceeded."""
    text = clean(_decoded(raw))
    if not text.strip():
        raise EmptyDocument()
    # huge_tree: without it what lies under 256 elements (so many unclosed <font>) is silently lost.
    parser = etree.HTMLParser(
        no_network=True, remove_comments=True, remove_pis=True, huge_tree=True, encoding="utf-8"
    )
    try:
        root = etree.fromstring(text.encode("utf-8"), parser)
    except etree.XMLSyntaxError as error:
        raise UnreadableDocument() from error
    builder = DocumentBuilder(limits, media_type=MEDIA_TYPE)
    reader = _Reader(builder)
    reader.walk(root, 0)
    reader.flush()
    return builder.build()


def _decoded(raw: bytes) -> str:
    """A byte-order mark or valid UTF-8 first, then what the page declares (GBK read as GB18030)."""
    declared = _CHARSET.search(raw[:4096])
    name = declared.group(1).decode("ascii").lower() if declared else ""
    if name in ("gb2312", "gbk", "gb18030", "") or raw.startswith(codecs.BOM_UTF8):
        return decode(raw)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        return raw.decode(name)
    except (LookupError, UnicodeDecodeError):
        return decode(raw)


class _Reader:
    """Collects inline text until a block element ends it."""

    def __init__(self, builder: DocumentBuilder) -> None:
        self._builder = builder
        self._parts: list[str] = []
        self._kind: BlockKind | None = None
        self._level: int | None = None
        self._tables = 0

    def walk(self, element: Element, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise ParseLimitExceeded()
        tag = element.tag if isinstance(element.tag, str) else ""
        if tag == "table" and not _hidden(element):
            self.flush()
            self._table(element, depth)
        elif tag not in _UNSEEN and not _hidden(element):
            self._element(element, tag, depth)
        self._text(element.tail)

    def flush(self) -> None:
        """End the current block."""
        text = _joined(self._parts)
        self._parts = []
        if text.strip():
            self._add(text)

    def _add(self, text: str) -> None:
        by_words = heading_level(text)
        if self._level is not None or (self._kind is None and by_words is not None):
            self._builder.add(text, BlockKind.HEADING, level=self._level or by_words)
        elif self._kind is not None or starts_item(text):
            self._builder.add(text, self._kind or BlockKind.LIST_ITEM)
        else:
            self._builder.add(text)

    def _element(self, element: Element, tag: str, depth: int) -> None:
        if tag == "br":
            self._parts.append("\n")
            return
        if tag == "input":
            self._parts.append(_input(element))
            return
        is_block = tag in _BLOCKS or tag in _HEADINGS
        if is_block:
            self.flush()
            before = self._kind, self._level
            self._kind = BlockKind.LIST_ITEM if tag == "li" else None if tag in _HEADINGS else self._kind
            self._level = _HEADINGS.get(tag, self._level)
        self._text(element.text, keep=tag == "pre")
        for child in element:
            self.walk(child, depth + 1)
        if is_block:
            self.flush()
            self._kind, self._level = before

    def _text(self, text: str | None, *, keep: bool = False) -> None:
        if text:
            self._parts.append(text if keep else _BLANKS.sub(" ", text))

    def _table(self, table: Element, depth: int) -> None:
        """A table with one cell, or one with tables inside, only arranges the page."""
        cells = [cell for cell in table.iter("td", "th") if _owner(cell) is table]
        if len(cells) <= 1 or any(True for _ in table.iterdescendants("table")):
            for cell in cells:
                self._text(cell.text)
                for child in cell:
                    self.walk(child, depth + 1)
                self.flush()
            return
        index = self._tables
        self._tables += 1
        for place, element in _grid(index, table):
            self._builder.add(self._cell_text(element, depth), BlockKind.TABLE_CELL, cell=place)

    def _cell_text(self, element: Element, depth: int) -> str:
        inner = _CellText()
        inner.collect(element, depth)
        return inner.text


class _CellText:
    """Visible text of one cell: blocks and line breaks become line ends."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    @property
    def text(self) -> str:
        return re.sub(r"\n{2,}", "\n", _joined(self._parts)).replace("\t", " ")

    def collect(self, element: Element, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise ParseLimitExceeded()
        self._put(element.text)
        for child in element:
            tag = child.tag if isinstance(child.tag, str) else ""
            if tag == "br":
                self._parts.append("\n")
            elif tag == "input":
                self._parts.append(_input(child))
            elif tag not in _UNSEEN and not _hidden(child):
                edge = "\n" if tag in _BLOCKS or tag in _HEADINGS else ""
                self._parts.append(edge)
                self.collect(child, depth + 1)
                self._parts.append(edge)
            self._put(child.tail)

    def _put(self, text: str | None) -> None:
        if text:
            self._parts.append(_BLANKS.sub(" ", text))


def _joined(parts: list[str]) -> str:
    lines = re.sub(r" {2,}", " ", "".join(parts)).split("\n")
    return "\n".join(line.strip(" ") for line in lines).strip("\n")


def _hidden(element: Element) -> bool:
    return element.get("hidden") is not None or bool(_HIDDEN.search(element.get("style") or ""))


def _input(element: Element) -> str:
    kind = (element.get("type") or "text").lower()
    if kind in ("checkbox", "radio"):
        return "☑" if element.get("checked") is not None else "□"
    return (element.get("value") or "") if kind == "text" else ""


def _owner(cell: Element) -> Element | None:
    return next(cell.iterancestors("table"), None)


def _grid(index: int, table: Element) -> list[tuple[Cell, Element]]:
    found: list[tuple[Cell, Element]] = []
    taken: set[tuple[int, int]] = set()
    rows = [row for row in table.iter("tr") if _owner(row) is table and not _hidden(row)]
    for at, row in enumerate(rows):
        col = 0
        for element in row.iterchildren("td", "th"):
            while (at, col) in taken:
                col += 1
            down = min(_span(element, "rowspan"), len(rows) - at)
            across = _span(element, "colspan")
            taken.update((at + below, col + right) for below in range(1, down) for right in range(across))
            found.append((Cell(index, at, col, down, across), element))
            col += across
    return found


def _span(element: Element, name: str) -> int:
    text = (element.get(name) or "1").strip()
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 1
    return min(max(number, 1), _MAX_SPAN)
