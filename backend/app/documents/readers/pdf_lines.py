"""Lines of a PDF page, and which of them are one paragraph.

A paragraph that wraps is one block: its lines are joined without a line end (Chinese sets no space there;
between two Latin words a space is put in). Joining wrongly does little harm, a quote still equals the text;
but a sentence cut in two cannot be found by any rule. So lines are joined when the first one is full and
nothing says that the second begins something new.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from backend.app.documents.canonical import NO_BOX
from backend.app.documents.headings import is_contents_line, starts_item
from backend.app.documents.readers.pdf_glyphs import Glyph, View

SCALE = NO_BOX - 1
_NOWHERE = (NO_BOX,) * 4
_ENDS_SENTENCE = "。；;！？!?：:"
_WEAK_MARK = re.compile(r"^\d{1,2}(?:[.．]\d{1,2})+|^[*#·-]")
_SMALLEST = 0.45  # of the largest letter of a line: a superscript
_SHORTEST_MARK = 3  # letters of a watermark
_WIDEST_PITCH = 3.6  # letter heights; lines farther apart are not one paragraph
_WORD = re.compile(r"[A-Za-z]")


@dataclass(slots=True)
class Line:
    """One line: text, four box numbers per code point, its frame in points, its letter height."""

    text: str
    boxes: array[int]
    x0: float
    y0: float
    x1: float
    y1: float
    size: float


@dataclass(slots=True)
class Paragraph:
    """Text and boxes of joined lines; `first` and `last` tell where it begins and ends."""

    text: str
    boxes: array[int]
    first: Line
    last: Line
    lines: int = 1


@dataclass(frozen=True, slots=True)
class Column:
    """Where the lines of a text column begin and end when they are full."""

    left: float
    right: float
    slack: float = 0.0  # points a full line may fall short, beyond what a letter that did not fit takes
    pitch: float = 0.0  # usual distance from line to line

    def is_full(self, line: Line) -> bool:
        """Whether the next word did not fit. A line that stops at a comma may be shorter: it goes on."""
        width = max(self.right - self.left, 1.0)
        short = min(4 * line.size, 0.15 * width)
        if line.text[-1] in "，、,":
            short = 0.3 * width
        return line.x1 >= self.right - self.slack - max(1.6 * line.size, short)


def build_lines(pieces: Iterable[list[Glyph]], view: View) -> list[Line]:
    """Pieces of one region → lines from top to bottom, pieces of a line from left to right."""
    rows: list[list[list[Glyph]]] = []
    frames: list[tuple[float, float]] = []
    for piece in sorted(pieces, key=_middle):
        top, bottom = _extent(piece)
        if rows and _same_line(frames[-1], (top, bottom)):
            rows[-1].append(piece)
            frames[-1] = (min(top, frames[-1][0]), max(bottom, frames[-1][1]))
        else:
            rows.append([piece])
            frames.append((top, bottom))
    made = (_line(sorted(row, key=lambda piece: piece[0][1]), view) for row in rows)
    lines = [line for line in made if line.text]
    return [line for line in lines if not _lies_behind(line, lines)]


def _lies_behind(line: Line, lines: list[Line]) -> bool:
    """Whether a line is a watermark: much larger letters, drawn across other lines."""
    if len(line.text) < _SHORTEST_MARK:  # the sum sign or bracket of a formula
        return False
    return any(
        other.size < _SMALLEST * line.size
        and line.y0 < (other.y0 + other.y1) / 2 < line.y1
        and line.x0 < other.x1
        and other.x0 < line.x1
        for other in lines
    )


def _extent(piece: list[Glyph]) -> tuple[float, float]:
    return min(glyph[2] for glyph in piece), max(glyph[4] for glyph in piece)


def _middle(piece: list[Glyph]) -> float:
    return (piece[0][2] + piece[0][4]) / 2


def _same_line(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Half of the smaller stands beside the larger, and it is no giant letter behind the text."""
    smaller, larger = sorted((one[1] - one[0], other[1] - other[0]))
    common = min(one[1], other[1]) - max(one[0], other[0])
    return common > 0.5 * smaller and smaller > _SMALLEST * larger


def _line(pieces: list[list[Glyph]], view: View) -> Line:
    chars: list[str] = []
    boxes: array[int] = array("H")
    edge: float | None = None
    sizes: list[float] = []
    for piece in pieces:
        letter = piece[0][4] - piece[0][2]
        if edge is not None and piece[0][1] - edge > 0.25 * letter and chars[-1] != " ":
            chars.append(" ")
            boxes.extend(_NOWHERE)
        chars.extend(glyph[0] for glyph in piece)
        _extend_boxes(boxes, piece, view.width, view.height)
        sizes.append(letter)
        edge = max(edge or 0.0, piece[-1][3])
    text = "".join(chars)
    lead = len(text) - len(text.lstrip())
    text = text.strip()
    boxes = boxes[4 * lead : 4 * (lead + len(text))]
    inked = [glyph for piece in pieces for glyph in piece if glyph[0] != " "] or pieces[0]
    return Line(
        text,
        boxes,
        inked[0][1],
        min(glyph[2] for glyph in inked),
        max(glyph[3] for glyph in inked),
        max(glyph[4] for glyph in inked),
        max(sizes),
    )


def _extend_boxes(boxes: array[int], piece: list[Glyph], width: float, height: float) -> None:
    """Append four numbers a glyph: shares of the page, 0 to SCALE."""
    across, down = SCALE / width, SCALE / height
    for _, x0, y0, x1, y1 in piece:
        if x0 == x1:
            boxes.extend(_NOWHERE)
        elif x0 >= 0 and y0 >= 0 and x1 <= width and y1 <= height:
            boxes.extend(
                (int(x0 * across + 0.5), int(y0 * down + 0.5), int(x1 * across + 0.5), int(y1 * down + 0.5))
            )
        else:
            places = (x0 * across, y0 * down, x1 * across, y1 * down)
            boxes.extend(min(max(round(place), 0), SCALE) for place in places)


def page_column(lines: list[Line], width: float) -> Column:
    """The text column of a page by its long lines; the whole page where there are none."""
    wide = [line for line in lines if line.x1 - line.x0 > 0.5 * width]
    if not wide:
        return Column(0.1 * width, 0.9 * width)
    ends = Counter(round(line.x1 / 4) for line in wide)
    common = max(ends, key=lambda end: (ends[end] + ends[end + 1], end))
    right = max(common, max(ends) if ends[max(ends)] > 1 else common) * 4
    return Column(min(line.x0 for line in wide), right, pitch=line_pitch(wide))


def line_pitch(lines: list[Line]) -> float:
    """The usual distance from one line's top to the next one's; 0 where nothing tells."""
    steps = sorted(
        after.y0 - before.y0
        for before, after in pairwise(lines)
        if 0 < after.y0 - before.y0 < _WIDEST_PITCH * max(before.size, after.size)
    )
    return steps[len(steps) // 2] if steps else 0.0


def join_lines(lines: list[Line], column: Column) -> list[Paragraph]:
    """Lines of one region, in order, as paragraphs."""
    found: list[Paragraph] = []
    for line in lines:
        if found and continues(found[-1], line, column):
            extend(found[-1], line)
        else:
            found.append(Paragraph(line.text, array("H", line.boxes), line, line))
    return found


def extend(paragraph: Paragraph, line: Line) -> None:
    """Join one more line to a paragraph."""
    if needs_space(paragraph.text, line.text):
        paragraph.text += " "
        paragraph.boxes.extend(_NOWHERE)
    paragraph.text += line.text
    paragraph.boxes.extend(line.boxes)
    paragraph.last = line
    paragraph.lines += 1


def needs_space(before: str, after: str) -> bool:
    """Between two Latin words, or a word and a number; never inside a long number or after a hyphen."""
    last, first = before[-1], after[0]
    if not (last.isascii() and first.isascii() and first.isalnum()):
        return False
    return (last.isalnum() and bool(_WORD.match(last) or _WORD.match(first))) or last in ",;:"


def continues(paragraph: Paragraph, line: Line, column: Column, *, next_page: bool = False) -> bool:
    """Whether a line goes on with the paragraph before it."""
    last = paragraph.last
    size = max(last.size, line.size, 1.0)
    if not 0.75 < last.size / max(line.size, 1.0) < 1.34 or is_contents_line(last.text):
        return False
    farthest = max(2.3 * size, 1.25 * column.pitch)
    if not next_page and not 0.4 * size < line.y0 - last.y0 < farthest:
        return False
    if not column.is_full(last):
        return False
    ended = last.text[-1] in _ENDS_SENTENCE
    if starts_item(line.text) and (ended or not _WEAK_MARK.match(line.text)):
        return False
    if ended:  # full by chance or at its end: only an outdented or aligned line surely goes on
        first = paragraph.first
        aligned = (
            paragraph.lines > 1 and abs(line.x0 - last.x0) < 0.5 * size and abs(line.x0 - first.x0) > size
        )
        return line.x0 < first.x0 - size or aligned
    return line.x0 < max(last.x0, column.left) + 4 * size
