"""Ruling lines of a page image: long dark strokes, level or upright."""

from __future__ import annotations

import importlib
from typing import Any

from backend.app.documents.ocr.pages import MAX_RULES

cv2: Any = importlib.import_module("cv2")
np: Any = importlib.import_module("numpy")

_SHORTEST = 1 / 36  # of the page's longer side: about 8 mm of A4
_STROKE = 1.5  # of a line's found height: strokes of its letters are shorter
_GAP = 5  # pixels of a broken line that are closed
_THICKEST = 12  # pixels; thicker is a bar or a picture


def find_rules(image: Any, slope: float, letter: float = 0.0) -> list[tuple[int, int, int, int]]:
    """x0 y0 x1 y1 in pixels of the lines of a BGR image, after `slope` (dy/dx) was taken out.

    `letter`: the usual height of its lines of text.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    if abs(slope) > 1e-3:
        grey = level(grey, slope)
    ink = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 25, 12)
    length = max(int(max(grey.shape) * _SHORTEST), int(_STROKE * letter), 20)
    found = _strokes(ink, (length, 1), (_GAP, 3)) + _strokes(ink, (1, length), (3, _GAP))
    return found[:MAX_RULES]


def level(image: Any, slope: float) -> Any:
    """Turn an image about its middle so that lines of this slope become level. For small slopes."""
    height, width = image.shape[:2]
    matrix = np.float32([[1, slope, -slope * height / 2], [-slope, 1, slope * width / 2]])
    return cv2.warpAffine(image, matrix, (width, height), borderValue=255)


def _strokes(ink: Any, kernel: tuple[int, int], bridge: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    closed = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_RECT, bridge))
    kept = cv2.morphologyEx(closed, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_RECT, kernel))
    _, _, boxes, _ = cv2.connectedComponentsWithStats(kept, connectivity=8)
    found = []
    for x, y, w, h, _ in boxes[1:].tolist():
        if min(w, h) <= _THICKEST:
            found.append((x, y, x + w, y + h))
    return found
