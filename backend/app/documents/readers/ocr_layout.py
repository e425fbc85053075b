"""Lines found by OCR as the lines and tables of a page, the same way as those of a text layer.

Each line becomes a run of glyphs, its box spread over them, so that columns, cells and words at a distance
part where they do in a text layer. Afterwards the boxes are led back to the page as displayed.
"""

from __future__ import annotations

import unicodedata
from array import array
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from backend.app.documents.canonical import NO_BOX
from backend.app.documents.ocr.pages import SCALE, SLOPE_UNIT, OcrLine, OcrPage
from backend.app.documents.readers.pdf_glyphs import Glyph, View
from backend.app.documents.readers.pdf_grid import find_grids
from backend.app.documents.readers.pdf_lines import Line
from backend.app.documents.readers.pdf_page import PageLayout, Table, page_items
from backend.app.documents.readers.pdf_rules import Box

_NARROW = 0.5  # em: Latin letters and digits
_PITCHES = 3  # distances between letters that tell how large they are
_SURROUND = 0.85  # of a found box's height is letters, where no distance tells


def ocr_layout(layout: PageLayout, page: OcrPage, drawn: Sequence[Box] = ()) -> PageLayout:
    """The layout of a displayed page with what OCR found on it; `drawn`: its ruling lines, where known."""
    width, height = layout.width, layout.height
    if page.turn % 2:
        width, height = height, width
    view = View(0, 0, width, height, 0)
    runs = [_run(line, width, height) for line in page.lines]
    grids = find_grids(drawn) if drawn and not page.turn and not page.slope else []
    if not grids:
        grids = find_grids(_points(rule, width, height) for rule in page.rules)
    items = page_items(runs, grids, view)
    for line in _lines(items):
        line.boxes = _displayed(line.boxes, page, width / height)
    return PageLayout(layout.number, width, height, layout.quality, items, page)


def _lines(items: list[Line | Table]) -> list[Line]:
    found: list[Line] = []
    for item in items:
        found += [item] if isinstance(item, Line) else [line for _, lines in item.cells for line in lines]
    return found


def _points(box: tuple[int, int, int, int], width: float, height: float) -> Box:
    x0, y0, x1, y1 = box
    return x0 * width / SCALE, y0 * height / SCALE, x1 * width / SCALE, y1 * height / SCALE


def _run(line: OcrLine, width: float, height: float) -> list[Glyph]:
    x0, y0, x1, y1 = _points(line.box, width, height)
    middles = [at * width / SCALE for at in line.middles]
    size = _letter_size(line.text, middles, y1 - y0)
    top, bottom = (y0 + y1 - size) / 2, (y0 + y1 + size) / 2
    edges = [x0, *((one + other) / 2 for one, other in pairwise(middles)), x1]
    run: list[Glyph] = []
    for at, char in enumerate(line.text):
        if char == " ":
            edge = run[-1][3] if run else x0
            run.append((char, edge, top, edge, bottom))
            continue
        half = size * (1.0 if _is_wide(char) else _NARROW) / 2
        left = max(edges[at], middles[at] - half, x0)
        right = min(edges[at + 1], middles[at] + half, x1)
        run.append((char, left, top, max(right, left + 0.1), bottom))
    return run


def _letter_size(text: str, middles: list[float], height: float) -> float:
    """Letter height in points: the distance of wide letters, since found boxes are of uneven height."""
    steps = [
        middles[at + 1] - middles[at]
        for at in range(len(text) - 1)
        if _is_wide(text[at]) and _is_wide(text[at + 1])
    ]
    if len(steps) < _PITCHES:
        return max(_SURROUND * height, 1.0)
    return max(min(median(steps), height), 1.0)


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WF"


def _displayed(boxes: array[int], page: OcrPage, shape: float) -> array[int]:
    """Boxes of the level, upright page as boxes of the displayed one; `shape`: width to height."""
    if not page.turn and not page.slope:
        return boxes
    found: array[int] = array("H")
    rise, lean = page.slope / SLOPE_UNIT * shape, page.slope / SLOPE_UNIT / shape
    for at in range(0, len(boxes), 4):
        x0, y0, x1, y1 = boxes[at : at + 4]
        if x0 == NO_BOX:
            found.extend((x0, y0, x1, y1))
            continue
        lower = round(rise * ((x0 + x1) / 2 - SCALE / 2))
        further = round(-lean * ((y0 + y1) / 2 - SCALE / 2))
        x0, x1 = (min(max(x + further, 0), SCALE) for x in (x0, x1))
        y0, y1 = (min(max(y + lower, 0), SCALE) for y in (y0, y1))
        found.extend(_turned_back(x0, y0, x1, y1, page.turn))
    return found


def _turned_back(x0: int, y0: int, x1: int, y1: int, turn: int) -> tuple[int, int, int, int]:
    """Undo counter-clockwise quarter turns of the page."""
    if turn == 1:
        return SCALE - y1, x0, SCALE - y0, x1
    if turn == 2:
        return SCALE - x1, SCALE - y1, SCALE - x0, SCALE - y0
    if turn == 3:
        return y0, SCALE - x1, y1, SCALE - x0
    return x0, y0, x1, y1
