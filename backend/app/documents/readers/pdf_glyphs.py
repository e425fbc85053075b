"""The characters of one PDF page with their places, straight from PDFium's text page.

Places are points on the page as displayed (CropBox, after /Rotate), origin top left. PDFium's own character
index is kept to by asking per index; what it makes up (line ends, spaces) has no place of its own.
"""

from __future__ import annotations

import ctypes
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from backend.app.documents.glyphs import clean_char, symbol
from backend.app.documents.readers.pdfium import pdfium

# (character, x0, y0, x1, y1); a made-up space has x0 == x1.
Glyph = tuple[str, float, float, float, float]

_HYPHENS = (0x02, 0xFFFE)  # PDFium's mark for a hyphen at a line's end; on the page it is a hyphen
_SLANT = math.sin(2 * math.radians(5))
_PRIVATE_USE = range(0xE000, 0xF900)


@dataclass(frozen=True, slots=True)
class View:
    """Turns PDF user space into displayed points."""

    left: float
    bottom: float
    right: float
    top: float
    rotation: int  # quarter turns clockwise

    @property
    def width(self) -> float:
        return self.top - self.bottom if self.rotation % 2 else self.right - self.left

    @property
    def height(self) -> float:
        return self.right - self.left if self.rotation % 2 else self.top - self.bottom

    def box(self, left: float, bottom: float, right: float, top: float) -> tuple[float, float, float, float]:
        """A user-space box as displayed x0 y0 x1 y1."""
        if self.rotation == 0:
            return left - self.left, self.top - top, right - self.left, self.top - bottom
        if self.rotation == 1:
            return bottom - self.bottom, left - self.left, top - self.bottom, right - self.left
        if self.rotation == 2:
            return self.right - right, bottom - self.bottom, self.right - left, top - self.bottom
        return self.top - top, self.right - right, self.top - bottom, self.right - left


def page_view(page: Any) -> View:
    """The displayed part of a page (an opened FPDF_PAGE)."""
    rect = pdfium.FS_RECTF()
    pdfium.FPDF_GetPageBoundingBox(page, rect)
    rotation = pdfium.FPDFPage_GetRotation(page) % 4
    left, right = sorted((rect.left, rect.right))
    bottom, top = sorted((rect.bottom, rect.top))
    if right - left < 1 or top - bottom < 1:
        left, bottom, right, top = 0.0, 0.0, 595.0, 842.0
    return View(left, bottom, right, top, rotation)


def page_runs(text_page: Any, view: View) -> list[list[Glyph]]:
    """Runs of glyphs as PDFium reads them, broken where it breaks the line.

    Slanted runs are left out: they are watermarks, and their letters would fall into the lines they cross.
    """
    runs: list[list[Glyph]] = []
    run: list[Glyph] = []
    upright = True
    read = _glyph_reader(text_page, view)
    unicode_at = _unchecked(pdfium.FPDFText_GetUnicode, ctypes.c_uint)
    handle = ctypes.cast(text_page, ctypes.c_void_p)
    for index in range(max(pdfium.FPDFText_CountChars(text_page), 0)):
        code = unicode_at(handle, index)
        if code == 10 or code == 13:
            if run:
                runs.append(run)
                run = []
            continue
        if not run or not upright:
            upright = not _is_slanted(text_page, index)
        if upright:
            read(code, index, run)
    if run:
        runs.append(run)
    return runs


Read = Callable[[int, int, list[Glyph]], None]


def _unchecked(function: Any, result: Any) -> Any:
    """A PDFium function without ctypes' check and conversion of each argument, which take longer than the
    call itself. Arguments must be ready C values; the GIL stays held, in a process that has one thread."""
    address = ctypes.cast(function, ctypes.c_void_p).value
    return ctypes.PYFUNCTYPE(result)(address or 0)


def _glyph_reader(text_page: Any, view: View) -> Read:
    """Adds the character at an index to a run. Variables of a closure, and one buffer for all boxes: this is
    run for every character of a document."""
    box_at = _unchecked(pdfium.FPDFText_GetLooseCharBox, ctypes.c_int)
    page = ctypes.cast(text_page, ctypes.c_void_p)
    edges = ctypes.create_string_buffer(16)  # FS_RECTF is four floats: left, top, right, bottom
    pointer = ctypes.c_void_p(ctypes.addressof(edges))
    unpack, to_view = struct.Struct("4f").unpack, view.box
    origin_x, origin_y, is_level = view.left, view.top, view.rotation == 0

    def read(code: int, index: int, run: list[Glyph]) -> None:
        is_plain = 0x4E00 <= code < 0xA000 or 0x20 < code < 0x7F
        char = chr(code) if is_plain else _character(code, text_page, index)
        if not char or not box_at(page, index, pointer):
            return
        left, top, right, bottom = unpack(edges)
        if right <= left and char == " ":
            if run:
                edge = run[-1]
                run.append((" ", edge[3], edge[2], edge[3], edge[4]))
            return
        if top - bottom <= 0.1 or right <= left:
            left, bottom, right, top = _tight_box(text_page, index) or (left, bottom, right, top)
        if is_level:
            glyph = (char, left - origin_x, origin_y - top, right - origin_x, origin_y - bottom)
        else:
            glyph = (char, *to_view(left, bottom, right, top))
        if run:
            last = run[-1]
            if last[1] == last[3] and len(run) > 1 and _only_spaced(run[-2], glyph):
                run.pop()
        run.append(glyph)

    return read


def _is_slanted(text_page: Any, index: int) -> bool:
    """Whether a character's baseline is neither level nor upright.

    PDFium's angle is also that of letters leaning in a made-up italic, so the matrix has the last word.
    """
    angle = pdfium.FPDFText_GetCharAngle(text_page, index)
    if angle < 0 or abs(math.sin(2 * angle)) <= _SLANT:
        return False
    matrix = pdfium.FS_MATRIX()
    if not pdfium.FPDFText_GetMatrix(text_page, index, matrix):
        return False
    return abs(math.sin(2 * math.atan2(matrix.b, matrix.a))) > _SLANT


def _only_spaced(last: Glyph, glyph: Glyph) -> bool:
    """Whether a made-up space between two glyphs is only how a line of Chinese was stretched to its width."""
    if not ("\u2e80" < last[0] <= "\uffef" and "\u2e80" < glyph[0] <= "\uffef"):
        return False
    return glyph[1] - last[3] <= 0.5 * (glyph[4] - glyph[2])


def _character(code: int, text_page: Any, index: int) -> str:
    if 0x20 <= code < 0x7F or 0x4E00 <= code < 0xA000:
        return chr(code)
    if code in _HYPHENS:
        return "-"
    if code in _PRIVATE_USE:
        return symbol(code, _font_name(text_page, index))
    if code == 0x09 or code > 0x10FFFF:
        return " "
    cleaned = clean_char(code)
    return " " if cleaned == "\n" else cleaned


def _font_name(text_page: Any, index: int) -> str:
    """The font's name without its subset tag and style: "ABCDEF+Wingdings-Regular" is "Wingdings"."""
    length = pdfium.FPDFText_GetFontInfo(text_page, index, None, 0, None)
    if length <= 1:
        return ""
    buffer = ctypes.create_string_buffer(length)
    pdfium.FPDFText_GetFontInfo(text_page, index, buffer, length, None)
    name = buffer.value.decode("utf-8", "replace").split("+")[-1].split(",")[0]
    return name.removesuffix("-Regular").removesuffix("MT").replace("-", " ")


def _tight_box(text_page: Any, index: int) -> tuple[float, float, float, float] | None:
    """The ink's left, bottom, right, top: fonts without metrics give an empty loose box."""
    edges = [ctypes.c_double() for _ in range(4)]
    if not pdfium.FPDFText_GetCharBox(text_page, index, *(ctypes.byref(edge) for edge in edges)):
        return None
    left, right, bottom, top = (edge.value for edge in edges)
    return left, bottom, right, top


Split = Callable[[float, float], int]


def segments(runs: list[list[Glyph]], region_of: Split) -> list[tuple[int, list[Glyph]]]:
    """Pieces of runs that lie on one line without a gap and in one region (-1: the open page)."""
    found: list[tuple[int, list[Glyph]]] = []
    for run in runs:
        piece: list[Glyph] = []
        region = -1
        for glyph in run:
            if glyph[1] == glyph[3]:
                if piece:
                    piece.append(glyph)
                continue
            here = region_of((glyph[1] + glyph[3]) / 2, (glyph[2] + glyph[4]) / 2)
            if piece and (here != region or _breaks(piece[-1], glyph)):
                found.append((region, piece))
                piece = []
            region = here
            piece.append(glyph)
        if piece:
            found.append((region, piece))
    return found


def _breaks(last: Glyph, glyph: Glyph) -> bool:
    """Whether a glyph does not follow the one before it on the same line."""
    height = max(glyph[4] - glyph[2], last[4] - last[2], 1.0)
    gap = glyph[1] - last[3]
    if gap > height or gap < -height:
        return True
    middle = (glyph[2] + glyph[4]) / 2
    return not last[2] - 0.1 * height <= middle <= last[4] + 0.1 * height
