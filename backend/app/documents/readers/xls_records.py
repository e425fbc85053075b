"""The records of an .xls workbook, as far as its cells' places and number formats go.

calamine gives the values; it knows nothing of formats, so that 5% would be read as 0.05, and it lays a
sheet out as a full rectangle, which two far-apart cells make as large as the whole sheet.
Source: [MS-XLS] 2.4 (records), 2.5.240 (XF).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from backend.app.common.errors import EncryptedDocument, ParseLimitExceeded, UnreadableDocument
from backend.app.documents.readers.number_formats import BUILT_IN, GENERAL

_BOF, _EOF, _FILEPASS, _BOUNDSHEET, _FORMAT, _XF = 0x0809, 0x000A, 0x002F, 0x0085, 0x041E, 0x00E0
_FORMAT_5, _DATE_1904 = 0x001E, 0x0022
_NUMBER, _RK, _FORMULA, _MULRK = 0x0203, 0x027E, 0x0006, 0x00BD
_LABEL, _LABEL_SST, _BOOL_ERROR, _BLANK = 0x0204, 0x00FD, 0x0205, 0x0201
_ONE_CELL = frozenset((_NUMBER, _RK, _FORMULA, _LABEL, _LABEL_SST, _BOOL_ERROR))
_NUMERIC = frozenset((_NUMBER, _RK, _FORMULA))
_MAX_ROW, _MAX_COL = 65_536, 256
_MAX_RECORDS = 5_000_000
MAX_AREA = 8_000_000  # places of one sheet's rectangle


@dataclass(slots=True)
class SheetRecords:
    """Of one sheet: the format of each number that has one, and the rectangle its cells span."""

    formats: dict[tuple[int, int], str] = field(default_factory=dict)
    top: int = _MAX_ROW
    left: int = _MAX_COL
    bottom: int = -1
    right: int = -1

    def meet(self, row: int, col: int) -> None:
        if row >= _MAX_ROW or col >= _MAX_COL:
            raise UnreadableDocument()
        self.top, self.bottom = min(self.top, row), max(self.bottom, row)
        self.left, self.right = min(self.left, col), max(self.right, col)

    @property
    def area(self) -> int:
        return max(self.bottom - self.top + 1, 0) * max(self.right - self.left + 1, 0)


@dataclass(slots=True)
class BookRecords:
    """`sheets` by the place of their first record in the stream; `places`: those, in the workbook's order;
    `styles`: the number of each style's format; `codes`: the workbook's own formats, by number."""

    from_1904: bool = False
    sheets: dict[int, SheetRecords] = field(default_factory=dict)
    places: list[int] = field(default_factory=list)
    styles: list[int] = field(default_factory=list)
    codes: dict[int, str] = field(default_factory=dict)

    def format_of(self, style: int) -> str:
        number = self.styles[style] if style < len(self.styles) else 0
        return self.codes.get(number) or BUILT_IN.get(number, GENERAL)

    def sheet_at(self, index: int) -> SheetRecords:
        """By its order in the workbook."""
        place = self.places[index] if index < len(self.places) else -1
        return self.sheets.get(place, SheetRecords())


def read_records(stream: bytes) -> BookRecords:
    """Raises EncryptedDocument, UnreadableDocument, ParseLimitExceeded (before a sheet is laid out)."""
    book = BookRecords()
    sheet: SheetRecords | None = None
    depth = 0
    for at, kind, body in _records(stream):
        if kind == _BOF:
            depth += 1
            if depth == 1 and at:
                sheet = book.sheets.setdefault(at, SheetRecords())
        elif kind == _EOF:
            depth -= 1
        elif kind == _FILEPASS:
            raise EncryptedDocument()
        elif sheet is None:
            _global(book, kind, body)
        elif depth == 1:  # charts inside a sheet have cells of their own
            _cell(book, sheet, kind, body)
    if any(sheet.area > MAX_AREA for sheet in book.sheets.values()):
        raise ParseLimitExceeded()
    return book


def _records(stream: bytes) -> Iterator[tuple[int, int, bytes]]:
    at, count = 0, 0
    while at + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, at)
        yield at, kind, stream[at + 4 : at + 4 + size]
        at += 4 + size
        count += 1
        if count > _MAX_RECORDS:
            raise ParseLimitExceeded()


def _global(book: BookRecords, kind: int, body: bytes) -> None:
    if kind == _BOUNDSHEET and len(body) >= 6:
        book.places.append(int.from_bytes(body[:4], "little"))
    elif kind == _XF and len(body) >= 4:
        book.styles.append(int.from_bytes(body[2:4], "little"))
    elif kind == _DATE_1904:
        book.from_1904 = body[:1] == b"\x01"
    elif kind == _FORMAT and len(body) >= 5:
        letters = body[5:].decode("utf-16-le" if body[4] & 1 else "latin-1", "replace")
        book.codes[int.from_bytes(body[:2], "little")] = letters
    elif kind == _FORMAT_5 and len(body) >= 3:
        book.codes[int.from_bytes(body[:2], "little")] = body[3:].decode("gb18030", "replace")


def _cell(book: BookRecords, sheet: SheetRecords, kind: int, body: bytes) -> None:
    if kind in _ONE_CELL and len(body) >= 6:
        row, col, style = struct.unpack_from("<HHH", body)
        sheet.meet(row, col)
        if kind in _NUMERIC:
            _keep(book, sheet, row, col, style)
    elif kind == _MULRK and len(body) >= 6:
        row, col = struct.unpack_from("<HH", body)
        for offset in range(4, len(body) - 2 - 5, 6):
            sheet.meet(row, col)
            _keep(book, sheet, row, col, int.from_bytes(body[offset : offset + 2], "little"))
            col += 1


def _keep(book: BookRecords, sheet: SheetRecords, row: int, col: int, style: int) -> None:
    code = book.format_of(style)
    if code != GENERAL:
        sheet.formats[row, col] = code
