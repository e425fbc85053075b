"""The text of a Word 97-2003 file: its pieces in order, and what its paragraphs say of themselves.

Source: [MS-DOC] 2.5 (FIB), 2.8.35 (PlcPcd), 2.9.177 (Pcd), 2.9.174 (PapxFkp), 2.6.2 (sprms of paragraphs).
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from backend.app.common.errors import (
    EncryptedDocument,
    ParseLimitExceeded,
    UnreadableDocument,
    UnsupportedFileType,
)

_WORD_97, _WORD_95 = 0xA5EC, 0xA5DC
_FIRST_97 = 0xC1  # nFib of Word 97
_ENCRYPTED, _TABLE_1 = 0x0100, 0x0200
_CCP, _RGFC = 0x4C, 0x9A  # lengths of the stories; pairs (fc, lcb)
_STYLESHEET, _PAPX, _CLX = 1, 13, 33  # indices of pairs
_PAGE = 512
_MAX_PIECES = 200_000
_SIZES = (1, 1, 2, 4, 2, 2, 0, 3)  # of a sprm's operand, by its top three bits; 0: told by its first byte
_IN_TABLE, _ROW_END, _DEPTH, _TABLE = 0x2416, 0x2417, 0x6649, 0xD608
_OUTLINE = 0x2640
_HUGE = (0x6645, 0x6646)  # operand: a place in the stream "Data"
_LEVELS = range(1, 10)  # istd of the built-in styles "heading 1" to "heading 9"


@dataclass(frozen=True, slots=True)
class Paragraph:
    """What the end mark of a paragraph carries. `edges`: a table row's column edges in twips."""

    in_table: bool = False
    row_end: bool = False
    depth: int = 1
    level: int | None = None  # from 1
    edges: tuple[int, ...] = ()
    merges: tuple[int, ...] = ()  # flags of each cell ([MS-DOC] TCGRF)


PLAIN = Paragraph()


@dataclass(slots=True)
class Pieces:
    """`text` holds every story one after the other; `places` the file position of each character."""

    text: str
    places: array[int]
    stories: dict[str, tuple[int, int]]  # name: first and last character
    _starts: list[int] = field(default_factory=list)
    _paragraphs: list[Paragraph] = field(default_factory=list)

    def paragraph_at(self, at: int) -> Paragraph:
        """Of the character at `at` in `text`."""
        run = bisect_right(self._starts, self.places[at]) - 1
        return self._paragraphs[run] if run >= 0 else PLAIN

    def learn(self, paragraphs: Iterator[tuple[int, Paragraph]]) -> None:
        found = sorted(paragraphs, key=lambda one: one[0])
        self._starts = [start for start, _ in found]
        self._paragraphs = [paragraph for _, paragraph in found]


def check_header(main: bytes) -> None:
    """Raises EncryptedDocument, UnreadableDocument, or UnsupportedFileType for what is older than Word 97."""
    if len(main) < _RGFC:
        raise UnreadableDocument()
    mark, version, flags = _u16(main, 0), _u16(main, 2), _u16(main, 10)
    if mark not in (_WORD_97, _WORD_95):
        raise UnreadableDocument()
    if flags & _ENCRYPTED:
        raise EncryptedDocument()
    if mark == _WORD_95 or version < _FIRST_97:
        raise UnsupportedFileType(
            detail="Word 95 或更早版本的 .doc（请另存为 .docx）",
            detail_en="a .doc of Word 95 or before (save it as .docx)",
        )


def table_stream(main: bytes) -> str:
    """The name of the stream that the header points into."""
    return "1Table" if _u16(main, 10) & _TABLE_1 else "0Table"


def read_pieces(main: bytes, table: bytes, further: bytes, most: int) -> Pieces:
    """`further`: the stream "Data", which holds what of a paragraph's properties is too long for its page.

    Raises UnreadableDocument or ParseLimitExceeded (over `most` characters).
    """
    try:
        pieces = _text(main, _part(main, table, _CLX), most)
        pieces.stories = _stories(main, len(pieces.text))
        pieces.learn(_paragraphs(main, _part(main, table, _PAPX), further))
    except (struct.error, IndexError, OverflowError) as error:
        raise UnreadableDocument() from error
    return pieces


def _part(main: bytes, table: bytes, index: int) -> bytes:
    start, size = struct.unpack_from("<II", main, _RGFC + 8 * index)
    if start + size > len(table):
        raise UnreadableDocument()
    return table[start : start + size]


def _text(main: bytes, clx: bytes, most: int) -> Pieces:
    at = 0
    while at < len(clx) and clx[at] == 1:  # property changes of fast saves
        at += 3 + _u16(clx, at + 1)
    if at >= len(clx) or clx[at] != 2:
        raise UnreadableDocument()
    size = int.from_bytes(clx[at + 1 : at + 5], "little")
    plc = clx[at + 5 : at + 5 + size]
    count = (len(plc) - 4) // 12
    if count > _MAX_PIECES:
        raise ParseLimitExceeded()
    firsts = struct.unpack_from(f"<{count + 1}I", plc) if count > 0 else ()
    parts: list[str] = []
    places = array("I")
    for index in range(count):
        length = firsts[index + 1] - firsts[index]
        if length < 0 or len(places) + length > most:
            raise UnreadableDocument() if length < 0 else ParseLimitExceeded()
        place = int.from_bytes(plc[4 * (count + 1) + 8 * index + 2 :][:4], "little")
        text, step, start = _piece(main, place, length)
        parts.append(text)
        places.extend(range(start, start + step * len(text), step))
    return Pieces("".join(parts), places, {})


def _piece(main: bytes, place: int, length: int) -> tuple[str, int, int]:
    """(text, bytes a character, first byte). A piece that points out of the file is an error, not a gap."""
    if place & 0x40000000:
        start = (place & 0x3FFFFFFF) // 2
        step, raw = 1, main[start : start + length]
        text = raw.decode("cp1252", "replace")
    else:
        start, step = place & 0x3FFFFFFF, 2
        raw = main[start : start + 2 * length]
        # Character by character: places are counted in pairs of bytes, surrogates included.
        text = raw.decode("utf-16-le", "surrogatepass") if len(raw) % 2 == 0 else ""
        if len(text) != length:
            text = "".join(map(chr, struct.unpack(f"<{len(raw) // 2}H", raw[: len(raw) // 2 * 2])))
    if len(text) != length:
        raise UnreadableDocument()
    return text, step, start


def _stories(main: bytes, length: int) -> dict[str, tuple[int, int]]:
    names = ("body", "footnotes", "headers", "macros", "comments", "endnotes", "boxes", "header_boxes")
    lengths = struct.unpack_from("<8I", main, _CCP)
    found: dict[str, tuple[int, int]] = {}
    at = 0
    for name, size in zip(names, lengths, strict=True):
        found[name] = (min(at, length), min(at + size, length))
        at += size
    return found


def _paragraphs(main: bytes, plc: bytes, further: bytes) -> Iterator[tuple[int, Paragraph]]:
    """(file position where it begins, what it says) of every paragraph; broken pages are passed over."""
    count = (len(plc) - 4) // 8
    if count > len(main) // _PAGE + 1:
        raise UnreadableDocument()
    seen: set[int] = set()
    for index in range(count):
        number = int.from_bytes(plc[4 * (count + 1) + 4 * index :][:4], "little") & 0x3FFFFF
        page = main[number * _PAGE : (number + 1) * _PAGE]
        if number in seen or len(page) < _PAGE:
            continue
        seen.add(number)
        runs = page[-1]
        if 4 * (runs + 1) + 13 * runs > _PAGE - 1:
            continue
        for run in range(runs):
            start = int.from_bytes(page[4 * run : 4 * run + 4], "little")
            yield start, _properties(page, 2 * page[4 * (runs + 1) + 13 * run], further)


def _properties(page: bytes, offset: int, further: bytes) -> Paragraph:
    if not offset or offset >= _PAGE - 3:
        return PLAIN
    size = page[offset]
    start, end = (
        (offset + 2, offset + 2 + 2 * page[offset + 1]) if size == 0 else (offset + 1, offset + 2 * size)
    )
    raw = page[start : min(end, _PAGE - 1)]
    style = _u16(raw, 0) if len(raw) >= 2 else 0
    found: dict[int, bytes] = dict(_sprms(raw[2:]))
    for code in _HUGE:
        if code in found:
            at = int.from_bytes(found[code], "little")
            found |= dict(_sprms(further[at + 2 : at + 2 + _u16(further, at)]))
    level = style if style in _LEVELS else None
    if _OUTLINE in found and found[_OUTLINE][0] < 9:
        level = found[_OUTLINE][0] + 1
    edges, merges = _row(found.get(_TABLE, b""))
    return Paragraph(
        in_table=found.get(_IN_TABLE, b"\0")[0] == 1,
        row_end=found.get(_ROW_END, b"\0")[0] == 1,
        depth=int.from_bytes(found.get(_DEPTH, b"\1"), "little"),
        level=level,
        edges=edges,
        merges=merges,
    )


def _sprms(raw: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 2 < len(raw):
        code = _u16(raw, at)
        at += 2
        size = _SIZES[code >> 13]
        if code == _TABLE:
            size = _u16(raw, at) - 1 if at + 2 <= len(raw) else 0
            at += 2
        elif size == 0:
            size = raw[at]
            at += 1
        if size < 0 or at + size > len(raw):
            return
        if size:
            yield code, raw[at : at + size]
        at += size


def _row(raw: bytes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Column edges (one more than cells) and the cells' flags."""
    if not raw:
        return (), ()
    cells = raw[0]
    if len(raw) < 1 + 2 * (cells + 1):
        return (), ()
    edges = struct.unpack_from(f"<{cells + 1}h", raw, 1)
    begin = 1 + 2 * (cells + 1)
    flags = [_u16(raw, at) for at in range(begin, min(begin + 20 * cells, len(raw) - 1), 20)]
    return edges, tuple(flags)


def _u16(raw: bytes, at: int) -> int:
    return int.from_bytes(raw[at : at + 2], "little")
