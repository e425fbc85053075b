"""Ruling lines of a PDF page: what is drawn as a straight horizontal or vertical stroke or thin bar."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from backend.app.documents.readers.pdf_glyphs import View
from backend.app.documents.readers.pdfium import pdfium

Matrix = tuple[float, float, float, float, float, float]
Point = tuple[float, float]
Box = tuple[float, float, float, float]

IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
_BAR = 3.0  # points: a filled bar this thin is a line
_STRAIGHT = 1.5  # points a line may lean
_MAX_OBJECTS = 60_000  # of a page; drawings beyond this hold no tables worth the time
_MAX_SEGMENTS = 20_000
_MAX_DEPTH = 4


@dataclass(slots=True)
class PageObjects:
    """What else stands on a page: straight lines as thin displayed boxes, the images' share, all drawings."""

    lines: list[Box]
    image_share: float = 0.0  # of the page's area; scans also come as many strips
    drawings: int = 0


def page_objects(page: Any, view: View) -> PageObjects:
    """Walk the objects of a page once, through its form objects."""
    found = PageObjects([])
    area = view.width * view.height
    budget = _MAX_SEGMENTS
    for item, kind, matrix in _objects(page):
        if kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            found.image_share += _area(item, matrix) / area
            continue
        found.drawings += 1
        if budget > 0:
            budget -= max(pdfium.FPDFPath_CountSegments(item), 0)
            found.lines.extend(view.box(*box) for box in _path_lines(item, matrix))
    return found


def _objects(page: Any) -> Iterator[tuple[Any, int, Matrix]]:
    """Images and paths with the matrix of the form they stand in."""
    wanted = (pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_PATH)
    type_of, form = pdfium.FPDFPageObj_GetType, pdfium.FPDF_PAGEOBJ_FORM
    waiting: list[tuple[Any, Matrix, int]] = []
    budget = _MAX_OBJECTS
    for index in range(min(pdfium.FPDFPage_CountObjects(page), budget)):
        item = pdfium.FPDFPage_GetObject(page, index)
        kind = type_of(item)
        if kind in wanted:
            yield item, kind, IDENTITY
        elif kind == form:
            waiting.append((item, IDENTITY, 1))
    while waiting and budget > 0:
        parent, outer, depth = waiting.pop()
        matrix = _multiply(_matrix(parent), outer)
        for index in range(min(pdfium.FPDFFormObj_CountObjects(parent), budget)):
            budget -= 1
            item = pdfium.FPDFFormObj_GetObject(parent, index)
            kind = type_of(item)
            if kind in wanted:
                yield item, kind, matrix
            elif kind == form and depth < _MAX_DEPTH:
                waiting.append((item, matrix, depth + 1))


def _matrix(item: Any) -> Matrix:
    found = pdfium.FS_MATRIX()
    if not pdfium.FPDFPageObj_GetMatrix(item, found):
        return IDENTITY
    return found.a, found.b, found.c, found.d, found.e, found.f


def _multiply(one: Matrix, two: Matrix) -> Matrix:
    """First `one`, then `two`."""
    a, b, c, d, e, f = one
    p, q, r, s, t, u = two
    return a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u


def _apply(matrix: Matrix, x: float, y: float) -> Point:
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f


def _area(item: Any, outer: Matrix) -> float:
    """The page area an image covers: it fills the unit square of its matrix."""
    a, b, c, d, _, _ = _multiply(_matrix(item), outer)
    return abs(a * d - b * c)


def _path_lines(path: Any, outer: Matrix) -> Iterator[Box]:
    """Straight pieces of a path as boxes (left, bottom, right, top) of no or little thickness."""
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    if not pdfium.FPDFPath_GetDrawMode(path, fill, stroke) or not (fill.value or stroke.value):
        return
    matrix = _multiply(_matrix(path), outer)
    for points in _subpaths(path, matrix):
        if stroke.value:
            yield from _strokes(points)
        else:
            bar = _bar(points)
            if bar is not None:
                yield bar


def _subpaths(path: Any, matrix: Matrix) -> Iterator[list[Point]]:
    x, y = ctypes.c_float(), ctypes.c_float()
    points: list[Point] = []
    for index in range(min(pdfium.FPDFPath_CountSegments(path), _MAX_SEGMENTS)):
        segment = pdfium.FPDFPath_GetPathSegment(path, index)
        if not pdfium.FPDFPathSegment_GetPoint(segment, x, y):
            continue
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_MOVETO and points:
            yield points
            points = []
        if kind == pdfium.FPDF_SEGMENT_BEZIERTO:
            continue
        points.append(_apply(matrix, x.value, y.value))
        if pdfium.FPDFPathSegment_GetClose(segment):
            points.append(points[0])
    if points:
        yield points


def _strokes(points: list[Point]) -> Iterator[Box]:
    for (x0, y0), (x1, y1) in pairwise(points):
        if abs(x0 - x1) <= _STRAIGHT or abs(y0 - y1) <= _STRAIGHT:
            yield min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _bar(points: list[Point]) -> Box | None:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    box = min(xs), min(ys), max(xs), max(ys)
    return box if min(box[2] - box[0], box[3] - box[1]) <= _BAR else None
