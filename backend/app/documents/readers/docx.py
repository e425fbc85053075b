"""Word documents: an own walk of the body in reading order, straight on the XML.

Order of the canonical text: the body, with each text box after the paragraph it is anchored in; then
footnotes, endnotes, headers, footers (each distinct text once). Tables give one block a cell; what a merged
cell covers is not repeated. A table inside a cell becomes lines of that cell's text ("\\t" between its
cells) unless the outer table is a mere frame of one cell.
"""

from __future__ import annotations

import re
from pathlib import Path

from backend.app.common.errors import UnreadableDocument
from backend.app.documents.archive import open_archive
from backend.app.documents.builder import DocumentBuilder
from backend.app.documents.canonical import BlockKind, Document
from backend.app.documents.headings import (
    MAX_TITLE,
    heading_level,
    is_contents_line,
    is_title_like,
    marker_level,
    starts_item,
)
from backend.app.documents.limits import ExtractLimits
from backend.app.documents.readers.docx_numbering import Numbering
from backend.app.documents.readers.docx_runs import paragraph_text
from backend.app.documents.readers.docx_styles import Style, Styles
from backend.app.documents.readers.docx_tables import is_frame, read_table
from backend.app.documents.readers.ooxml import MC, Element, Package, W, number, switched_on, value

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

# Containers that hold paragraphs and tables and mean nothing by themselves.
_TRANSPARENT = frozenset(
    W + name
    for name in ("sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag", "body", "txbxContent")
) | {MC + "Choice"}
PAGE_NUMBER = re.compile(r"^[\s第共页/／\-—–~·|\d一二三四五六七八九十PpageofOF.,、]*$")
_LETTER = re.compile(r"[^\W\d_]")
_BODY_LEVEL = 9
_TITLE_LEVEL = 2


def read_docx(path: Path, limits: ExtractLimits) -> Document:
    with open_archive(path, limits) as archive:
        package = Package(archive, limits)
        main = package.main_part()
        root = package.part(main)
        body = root.find(W + "body") if root is not None else None
        if body is None:
            raise UnreadableDocument()
        parts: dict[str, list[str]] = {}
        for kind, target in package.targets(main):
            parts.setdefault(kind, []).append(target)

        def first(kind: str) -> Element | None:
            return package.part(parts[kind][0]) if kind in parts else None

        builder = DocumentBuilder(limits, media_type=MEDIA_TYPE)
        reader = _Reader(builder, Styles(first("styles")), Numbering(first("numbering")))
        reader.keeps_blanks = _by_libre_office(package)
        reader.walk(body)
        for kind in ("footnotes", "endnotes"):
            reader.notes(first(kind))
        for kind, block in (("header", BlockKind.HEADER), ("footer", BlockKind.FOOTER)):
            for name in parts.get(kind, ()):
                reader.margin(package.part(name), block)
        return builder.build()


class _Reader:
    def __init__(self, builder: DocumentBuilder, styles: Styles, numbering: Numbering) -> None:
        self._builder = builder
        self._styles = styles
        self._numbering = numbering
        self.keeps_blanks = False
        self._tables = 0
        self._margins: set[str] = set()

    def walk(self, container: Element, kind: BlockKind | None = None) -> None:
        """Paragraphs and tables of a container, in order; `kind` overrides what they would be."""
        for child in container:
            tag = child.tag
            if tag == W + "p":
                self._paragraph(child, kind)
            elif tag == W + "tbl":
                self._table(child, kind)
            elif tag in _TRANSPARENT:
                self.walk(child, kind)
            elif tag == MC + "AlternateContent":
                branch = child.find(MC + "Choice")
                if branch is not None:
                    self.walk(branch, kind)

    def notes(self, root: Element | None) -> None:
        """Footnotes and endnotes; the separators that Word stores among them have a type."""
        for note in root if root is not None else ():
            if value(note, "type") in (None, "normal"):
                self.walk(note, BlockKind.FOOTNOTE)

    def margin(self, root: Element | None, kind: BlockKind) -> None:
        """A header or footer part: once per distinct text, page numbers left out."""
        for paragraph in root.iter(W + "p") if root is not None else ():
            text = paragraph_text(paragraph, self._styles, keeps_blanks=self.keeps_blanks).text.strip()
            if text and text not in self._margins and not PAGE_NUMBER.match(text):
                self._margins.add(text)
                self._builder.add(text, kind)

    def _paragraph(self, paragraph: Element, kind: BlockKind | None) -> None:
        text, boxes = self._numbered(paragraph)
        if kind is not None:
            self._builder.add(text, kind)
        elif text.strip():
            self._body_block(paragraph, text)
        for box in boxes:
            self.walk(box, BlockKind.TEXTBOX)

    def _numbered(self, paragraph: Element) -> tuple[str, list[Element]]:
        """A paragraph with its automatic number before it, and the text boxes anchored in it."""
        found = paragraph_text(paragraph, self._styles, keeps_blanks=self.keeps_blanks)
        text, label = found.text, self._label(paragraph)  # an empty paragraph counts as well
        return (label + text.lstrip() if text.strip() else ""), found.boxes

    def _body_block(self, paragraph: Element, text: str) -> None:
        level = self._heading(paragraph, text)
        if level is not None:
            self._builder.add(text, BlockKind.HEADING, level=level)
        elif starts_item(text):
            self._builder.add(text, BlockKind.LIST_ITEM)
        else:
            self._builder.add(text)

    def _heading(self, paragraph: Element, text: str) -> int | None:
        """By style or outline level, when it is as short as a title; else by its words.

        Chapter and section words win over the style: tenders put "heading 2" on 第三章.
        """
        line = text.strip()
        style = self._style(paragraph)
        if style.contents or is_contents_line(line):
            return None
        by_words = heading_level(line)
        if by_words is not None and by_words <= 2:
            return by_words
        properties = paragraph.find(W + "pPr")
        outline = number(properties.find(W + "outlineLvl")) if properties is not None else None
        level = style.level if outline is None else outline + 1 if outline < _BODY_LEVEL else None
        if level is None:
            return _TITLE_LEVEL if by_words is None and _set_as_title(paragraph, line) else by_words
        if len(line) > MAX_TITLE or "\n" in line or line[-1] in "。；;，,！!" or not _LETTER.search(line):
            return None
        return max(level, marker_level(line) or 0)

    def _style(self, paragraph: Element) -> Style:
        properties = paragraph.find(W + "pPr")
        named = value(properties.find(W + "pStyle")) if properties is not None else None
        return self._styles.paragraph(named)

    def _label(self, paragraph: Element) -> str:
        properties = paragraph.find(W + "pPr")
        own = properties.find(W + "numPr") if properties is not None else None
        style = self._style(paragraph)
        num_id = value(own.find(W + "numId")) if own is not None else None
        if num_id is None:
            num_id = style.num_id
        if num_id is None or num_id == "0":
            return ""
        level = number(own.find(W + "ilvl")) if own is not None else None
        if level is None:
            level = self._numbering.level_of_style(num_id, style.num_style)
        return self._numbering.label(num_id, level if level is not None else style.num_level or 0)

    def _table(self, table: Element, kind: BlockKind | None) -> None:
        frame = is_frame(table)
        if frame is not None:
            self.walk(frame, kind)
            return
        index = self._tables
        self._tables += 1
        for cell, text in read_table(table, index, self._numbered):
            self._builder.add(text, BlockKind.TABLE_CELL, cell=cell)


def _by_libre_office(package: Package) -> bool:
    """LibreOffice gives every blank between Chinese words a run of its own, as converters do at line ends."""
    for kind, target in package.targets(""):
        if kind == "extended-properties":
            root = package.part(target)
            return root is not None and any(
                (one.text or "").startswith("LibreOffice")
                for one in root
                if str(one.tag).endswith("}Application")
            )
    return False


def _set_as_title(paragraph: Element, line: str) -> bool:
    """Centred and bold throughout, and no sentence: a title in a document without heading styles."""
    properties = paragraph.find(W + "pPr")
    if properties is None or value(properties.find(W + "jc")) != "center" or not is_title_like(line):
        return False
    runs = [run for run in paragraph.iter(W + "r") if run.find(W + "t") is not None]
    return bool(runs) and all(switched_on(run.find(f"{W}rPr/{W}b")) for run in runs)
