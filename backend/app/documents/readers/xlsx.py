"""Excel workbooks .xlsx and .xlsm: a stream over each sheet's XML, values as their formats show them.

Formulas are not computed: the value that was saved with them is read. Macros (.xlsm) are never looked at:
their part is not even unpacked. Cells are kept by place, so that two far-apart cells cost two cells.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from backend.app.common.errors import ParseLimitExceeded, UnreadableDocument
from backend.app.documents.archive import open_archive
from backend.app.documents.builder import DocumentBuilder
from backend.app.documents.canonical import Document
from backend.app.documents.limits import ExtractLimits
from backend.app.documents.readers.number_formats import BUILT_IN, GENERAL, shown
from backend.app.documents.readers.ooxml import Element, Package
from backend.app.documents.readers.sheets import Sheet, write_sheets
from backend.app.documents.readers.xml_stream import stream_xml

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_PLACE = re.compile(r"^\$?([A-Z]{1,3})\$?([1-9]\d{0,6})$")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_MAX_ROW, _MAX_COL = 1_048_576, 16_384
_MAX_STYLES = 100_000


def read_xlsx(path: Path, limits: ExtractLimits) -> Document:
    """Visible worksheets in order. Raises EmptyDocument, UnreadableDocument, ParseLimitExceeded."""
    with open_archive(path, limits) as archive:
        package = Package(archive, limits)
        main = package.main_part()
        root = package.part(main)
        if root is None:
            raise UnreadableDocument()
        parts = dict(package.targets(main))
        book = _Book(
            archive, limits, _formats(package, parts.get("styles")), _strings(archive, parts, limits)
        )
        properties = next((one for one in root if _local(one) == "workbookPr"), None)
        book.from_1904 = properties is not None and properties.get("date1904") in ("1", "true")
        places = package.targets_by_id(main)
        listed = [one for one in root.iter() if _local(one) == "sheet"]
        builder = DocumentBuilder(limits, media_type=MEDIA_TYPE)
        hidden = [one.get("name") or "" for one in listed if one.get("state") in ("hidden", "veryHidden")]
        seen = [one for one in listed if one.get("state") not in ("hidden", "veryHidden")]
        sheets = (book.sheet(one.get("name") or "", _target(one, places)) for one in seen)
        write_sheets(builder, sheets, hidden)
        return builder.build()


class _Book:
    """What all sheets of a workbook share."""

    def __init__(
        self, archive: zipfile.ZipFile, limits: ExtractLimits, formats: list[str], strings: list[str]
    ) -> None:
        self._archive = archive
        self._limits = limits
        self.formats = formats
        self.strings = strings
        self.from_1904 = False

    def sheet(self, name: str, part: str) -> Sheet:
        sheet = Sheet(name, self._limits)
        stream_xml(self._archive, part, self._limits.max_xml_part, _SheetEvents(self, sheet))
        return sheet

    def shown(self, kind: str, style: str | None, raw: str) -> str:
        """A cell's stored value as text, by its type and format."""
        if kind == "s":
            at = int(raw) if raw.strip().isdecimal() else -1
            return self.strings[at] if 0 <= at < len(self.strings) else ""
        if kind == "b":
            return "TRUE" if raw.strip() == "1" else "FALSE"
        if kind != "n":
            return _unescaped(raw)
        try:
            value = float(raw)
        except ValueError:
            return raw
        return shown(value, self._format(style), from_1904=self.from_1904)

    def _format(self, style: str | None) -> str:
        at = int(style) if style is not None and style.isdecimal() else 0
        return self.formats[at] if at < len(self.formats) else GENERAL


class _SheetEvents:
    """Cells (c: r place, t type, s style; v value, or is/t text) and merged ranges of one sheet."""

    def __init__(self, book: _Book, sheet: Sheet) -> None:
        self._book = book
        self._sheet = sheet
        self._row, self._col = -1, -1
        self._kind, self._style = "n", None  # type: str, str | None
        self._parts: list[str] | None = None
        self._text: list[str] = []
        self._silent = False  # inside rPh: the reading of Japanese characters, shown above them

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "c":
            self._cell(attributes)
        elif tag in ("v", "t") and not self._silent:
            self._parts = self._text
        elif tag == "row":
            row = attributes.get("r", "")
            self._row = int(row) - 1 if row.isdecimal() and len(row) <= 7 else self._row + 1
            self._col = -1
        elif tag == "rPh":
            self._silent = True
        elif tag == "mergeCell":
            self._merge(attributes.get("ref", ""))

    def end(self, tag: str) -> None:
        if tag in ("v", "t"):
            self._parts = None
        elif tag == "rPh":
            self._silent = False
        elif tag == "c":
            raw = "".join(self._text)
            if raw:
                self._sheet.put(self._row, self._col, self._book.shown(self._kind, self._style, raw))

    def text(self, text: str) -> None:
        if self._parts is not None:
            self._parts.append(text)

    def _cell(self, attributes: dict[str, str]) -> None:
        place = place_of(attributes.get("r", ""))
        if place is None:
            self._col += 1
        else:
            self._row, self._col = place
        if not (0 <= self._row < _MAX_ROW and self._col < _MAX_COL):
            raise UnreadableDocument()
        self._kind, self._style = attributes.get("t", "n"), attributes.get("s")
        self._text = []

    def _merge(self, ref: str) -> None:
        first, _, last = ref.partition(":")
        begin, end = place_of(first), place_of(last)
        if begin is not None and end is not None:
            self._sheet.merge(begin, end)


class _StringEvents:
    """The shared strings (si), each the sum of its runs."""

    def __init__(self, limits: ExtractLimits) -> None:
        self.found: list[str] = []
        self._limits = limits
        self._chars = 0
        self._item: list[str] = []
        self._open = self._silent = False

    def start(self, tag: str, _attributes: dict[str, str]) -> None:
        if tag == "si":
            self._item = []
        elif tag == "t":
            self._open = not self._silent
        elif tag == "rPh":
            self._silent = True

    def end(self, tag: str) -> None:
        if tag == "t":
            self._open = False
        elif tag == "rPh":
            self._silent = False
        elif tag == "si":
            self.found.append(_unescaped("".join(self._item)))
            if len(self.found) > 4 * self._limits.max_blocks:
                raise ParseLimitExceeded()

    def text(self, text: str) -> None:
        if self._open:
            self._chars += len(text)
            if self._chars > 4 * self._limits.max_chars:
                raise ParseLimitExceeded()
            self._item.append(text)


def _strings(archive: zipfile.ZipFile, parts: dict[str, str], limits: ExtractLimits) -> list[str]:
    events = _StringEvents(limits)
    if "sharedStrings" in parts:
        stream_xml(archive, parts["sharedStrings"], limits.max_xml_part, events)
    return events.found


def _formats(package: Package, part: str | None) -> list[str]:
    """The number format of each cell style, by its number."""
    root = package.part(part) if part is not None else None
    if root is None:
        return []
    own = dict(BUILT_IN)
    for one in root.iter():
        if _local(one) == "numFmt" and (number := one.get("numFmtId", "")).isdecimal():
            own[int(number)] = one.get("formatCode") or GENERAL
    styles = next((one for one in root if _local(one) == "cellXfs"), None)
    found: list[str] = []
    for style in styles if styles is not None else ():
        number = style.get("numFmtId", "0")
        found.append(own.get(int(number), GENERAL) if number.isdecimal() else GENERAL)
        if len(found) > _MAX_STYLES:
            raise ParseLimitExceeded()
    return found


def place_of(name: str) -> tuple[int, int] | None:
    """(row, column) from 0 of "B3"; None for anything else."""
    match = _PLACE.match(name)
    if match is None:
        return None
    col = 0
    for letter in match.group(1):
        col = 26 * col + ord(letter) - 64
    return int(match.group(2)) - 1, col - 1


def _target(sheet: Element, places: dict[str, str]) -> str:
    for name, value in sheet.attrib.items():
        if str(name).endswith("}id"):
            return places.get(str(value), "")
    return ""


def _local(element: Element) -> str:
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _unescaped(text: str) -> str:
    """_x000D_ stands for a character that XML does not allow (ECMA-376, 22.9.2.19)."""
    return _ESCAPED.sub(lambda match: chr(int(match.group(1), 16)), text) if "_x" in text else text
