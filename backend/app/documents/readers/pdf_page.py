"""One PDF page as lines in reading order, ruled tables as cells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from backend.app.documents.ocr.pages import OcrPage
from backend.app.documents.readers.pdf_glyphs import Glyph, View, page_runs, page_view, segments
from backend.app.documents.readers.pdf_grid import Grid, GridCell, find_grids
from backend.app.documents.readers.pdf_lines import Line, build_lines
from backend.app.documents.readers.pdf_quality import Quality, page_quality
from backend.app.documents.readers.pdf_rules import page_objects


@dataclass(slots=True)
class Table:
    """A ruled table: its column lines and its cells that hold text, in reading order."""

    xs: list[float]
    y0: float
    y1: float
    rows: int
    cells: list[tuple[GridCell, list[Line]]]


@dataclass(slots=True)
class PageLayout:
    """What one page holds, top to bottom. Width and height are those of the page as it is read: a page that
    was scanned on its side is displayed the other way round."""

    number: int
    width: float
    height: float
    quality: Quality
    items: list[Line | Table] = field(default_factory=list)
    ocr: OcrPage | None = None  # where its text comes from, when not from the text layer

    @property
    def displayed(self) -> tuple[float, float]:
        """Width and height in points as displayed."""
        sideways = self.ocr is not None and self.ocr.turn % 2
        return (self.height, self.width) if sideways else (self.width, self.height)

    @property
    def is_unread(self) -> bool:
        """Whether it has text that only OCR could read."""
        return self.ocr is None and self.quality in (Quality.SCANNED, Quality.GARBLED)


def read_page(page: Any, text_page: Any, number: int) -> PageLayout:
    view = page_view(page)
    runs = page_runs(text_page, view)
    objects = page_objects(page, view)
    text = "".join(glyph[0] for run in runs for glyph in run)
    quality = page_quality(text, objects.image_share, objects.drawings)
    layout = PageLayout(number, view.width, view.height, quality)
    if layout.quality is Quality.GOOD:
        layout.items = page_items(runs, find_grids(objects.lines), view)
    return layout


def page_items(runs: list[list[Glyph]], grids: list[Grid], view: View) -> list[Line | Table]:
    """Open lines and tables by height. A grid with fewer than two cells of text is no table."""
    firsts = [sum(len(grid.cells) for grid in grids[:at]) for at in range(len(grids))]

    def region_of(x: float, y: float) -> int:
        for grid, first in zip(grids, firsts, strict=True):
            cell = grid.cell_at(x, y)
            if cell >= 0:
                return first + cell
        return -1

    regions: dict[int, list[list[Glyph]]] = {}
    for region, piece in segments(runs, region_of if grids else _open_page):
        regions.setdefault(region, []).append(piece)
    open_pieces = regions.get(-1, [])
    tables: list[Table] = []
    for grid, first in zip(grids, firsts, strict=True):
        filled = [(at, regions[first + at]) for at in range(len(grid.cells)) if first + at in regions]
        if len(filled) < 2:
            open_pieces.extend(piece for _, pieces in filled for piece in pieces)
            continue
        cells = [(grid.cells[at], build_lines(pieces, view)) for at, pieces in filled]
        cells = [(cell, lines) for cell, lines in cells if lines]
        tables.append(Table(grid.xs, grid.ys[0], grid.ys[-1], len(grid.ys) - 1, cells))
    items: list[Line | Table] = [*build_lines(open_pieces, view), *tables]
    return sorted(items, key=lambda item: item.y0)


def _open_page(_x: float, _y: float) -> int:
    return -1
