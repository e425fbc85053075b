"""From ruling lines to table grids: which cells a table has and which of them are merged."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from backend.app.documents.readers.pdf_rules import Box

_TOUCH = 3.0  # points within which lines meet, and parallel lines are one
_SHORTEST = 6.0  # points: shorter lines are ornaments
_EDGE = 8.0  # a table without outer verticals ends where its horizontals end
_MAX_CELLS = 5_000
_MAX_PAIRS = 400_000  # of lines across and down: a page with more is a drawing


@dataclass(frozen=True, slots=True)
class Rule:
    """A straight line: `at` across its direction, from `start` to `end` along it."""

    at: float
    start: float
    end: float


@dataclass(slots=True)
class GridCell:
    """A cell that may cover several places of the grid; frame in points."""

    row: int
    col: int
    rowspan: int
    colspan: int
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(slots=True)
class Grid:
    """A table: its column and row lines, the cell at each place, the cells in reading order."""

    xs: list[float]
    ys: list[float]
    places: list[int]  # row-major: index into `cells`
    cells: list[GridCell]

    def cell_at(self, x: float, y: float) -> int:
        """The index of the cell that holds a point; -1 outside the table."""
        if not (self.xs[0] <= x < self.xs[-1] and self.ys[0] <= y < self.ys[-1]):
            return -1
        col = bisect_right(self.xs, x) - 1
        row = bisect_right(self.ys, y) - 1
        return self.places[row * (len(self.xs) - 1) + col]


def find_grids(lines: Iterable[Box]) -> list[Grid]:
    """Every table that the lines of a page (displayed boxes) draw, top to bottom."""
    across, down = [], []
    for x0, y0, x1, y1 in lines:
        if x1 - x0 >= y1 - y0:
            across.append(Rule((y0 + y1) / 2, x0, x1))
        else:
            down.append(Rule((x0 + x1) / 2, y0, y1))
    across, down = merge_rules(across), merge_rules(down)
    if len(across) * len(down) > _MAX_PAIRS:
        return []
    grids = (_grid(*group) for group in _components(across, down))
    return sorted((grid for grid in grids if grid is not None), key=lambda grid: (grid.ys[0], grid.xs[0]))


def merge_rules(rules: list[Rule]) -> list[Rule]:
    """Pieces of one line become one line: drawn cell by cell, dashed, or twice."""
    merged: list[Rule] = []
    for group in _clusters(rules):
        at = sum(rule.at for rule in group) / len(group)
        start, end = group[0].start, group[0].end
        for rule in sorted(group, key=lambda rule: rule.start):
            if rule.start <= end + _TOUCH:
                start, end = min(start, rule.start), max(end, rule.end)
            else:
                merged.append(Rule(at, start, end))
                start, end = rule.start, rule.end
        merged.append(Rule(at, start, end))
    return [rule for rule in merged if rule.end - rule.start >= _SHORTEST]


def _clusters(rules: list[Rule]) -> list[list[Rule]]:
    groups: list[list[Rule]] = []
    for rule in sorted(rules, key=lambda rule: (rule.at, rule.start)):
        if groups and rule.at - groups[-1][0].at <= _TOUCH:
            groups[-1].append(rule)
        else:
            groups.append([rule])
    return [sorted(group, key=lambda rule: rule.start) for group in groups]


def _components(across: list[Rule], down: list[Rule]) -> list[tuple[list[Rule], list[Rule]]]:
    """Lines that meet, directly or through others."""
    parent = list(range(len(across) + len(down)))

    def root(one: int) -> int:
        while parent[one] != one:
            parent[one] = parent[parent[one]]
            one = parent[one]
        return one

    for below, vertical in enumerate(down, len(across)):
        for index, horizontal in enumerate(across):
            if _meet(horizontal, vertical):
                parent[root(index)] = root(below)
    groups: dict[int, tuple[list[Rule], list[Rule]]] = {}
    for index, rule in enumerate(across):
        groups.setdefault(root(index), ([], []))[0].append(rule)
    for index, rule in enumerate(down, len(across)):
        groups.setdefault(root(index), ([], []))[1].append(rule)
    return [group for group in groups.values() if len(group[0]) >= 2 and group[1]]


def _meet(horizontal: Rule, vertical: Rule) -> bool:
    return (
        horizontal.start - _TOUCH <= vertical.at <= horizontal.end + _TOUCH
        and vertical.start - _TOUCH <= horizontal.at <= vertical.end + _TOUCH
    )


def _positions(rules: list[Rule], first: float, last: float) -> list[float]:
    """Where lines stand, with the table's outer edges added where no line is drawn."""
    found: list[float] = []
    for at in sorted(rule.at for rule in rules):
        if not found or at - found[-1] > _TOUCH:
            found.append(at)
    if first < found[0] - _EDGE:
        found.insert(0, first)
    if last > found[-1] + _EDGE:
        found.append(last)
    return found


def _grid(across: list[Rule], down: list[Rule]) -> Grid | None:
    xs = _positions(down, min(rule.start for rule in across), max(rule.end for rule in across))
    ys = _positions(across, min(rule.start for rule in down), max(rule.end for rule in down))
    rows, cols = len(ys) - 1, len(xs) - 1
    if rows < 1 or cols < 1 or not 2 <= rows * cols <= _MAX_CELLS:
        return None
    groups = _merge_places(xs, ys, across, down)
    cells, places = _cells(xs, ys, groups)
    return Grid(xs, ys, places, cells) if len(cells) >= 2 else None


def _merge_places(xs: list[float], ys: list[float], across: list[Rule], down: list[Rule]) -> list[int]:
    """For every place of the grid the first place of the cell it belongs to."""
    rows, cols = len(ys) - 1, len(xs) - 1
    group = list(range(rows * cols))

    def root(one: int) -> int:
        while group[one] != one:
            group[one] = group[group[one]]
            one = group[one]
        return one

    def join(one: int, other: int) -> None:
        low, high = sorted((root(one), root(other)))
        group[high] = low

    for row in range(rows):
        for col in range(cols):
            place = row * cols + col
            if col + 1 < cols and not _drawn(down, xs[col + 1], ys[row], ys[row + 1]):
                join(place, place + 1)
            if row + 1 < rows and not _drawn(across, ys[row + 1], xs[col], xs[col + 1]):
                join(place, place + cols)
    return [root(place) for place in range(rows * cols)]


def _drawn(rules: list[Rule], at: float, start: float, end: float) -> bool:
    """Whether a line separates two places: it covers the middle of their common border."""
    quarter = (end - start) / 4
    return any(
        abs(rule.at - at) <= _TOUCH and rule.start <= start + quarter and rule.end >= end - quarter
        for rule in rules
    )


def _cells(xs: list[float], ys: list[float], groups: list[int]) -> tuple[list[GridCell], list[int]]:
    cols = len(xs) - 1
    spans: dict[int, list[int]] = {}
    for place, first in enumerate(groups):
        row, col = divmod(place, cols)
        span = spans.setdefault(first, [row, col, row, col])
        span[:] = min(span[0], row), min(span[1], col), max(span[2], row), max(span[3], col)
    order = sorted(spans, key=lambda first: (spans[first][0], spans[first][1]))
    cells = []
    for first in order:
        row, col, last_row, last_col = spans[first]
        frame = (xs[col], ys[row], xs[last_col + 1], ys[last_row + 1])
        cells.append(GridCell(row, col, last_row - row + 1, last_col - col + 1, *frame))
    index = {first: at for at, first in enumerate(order)}
    return cells, [index[first] for first in groups]
