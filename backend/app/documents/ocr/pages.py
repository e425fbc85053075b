"""What OCR found on one page: plain numbers and text that survive JSON, a restart and another process.

Places are shares of the page in whole numbers, 0 to `SCALE`, of the page turned upright and made level:
`turn` and `slope` lead back to the page as displayed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from backend.app.documents.canonical import NO_BOX

# Part of the key of every kept page: raised when a page would be read otherwise than before.
OCR_VERSION = "rapidocr-3.10/PP-OCRv6-small/1"
SCALE = NO_BOX - 1
SLOPE_UNIT = 100_000
SURE = 80  # percent: lines below it are named in a warning

MAX_LINES = 2_000
MAX_LINE = 2_000  # characters
MAX_RULES = 4_000

Frame = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class OcrLine:
    """One line: text, x0 y0 x1 y1, the middle of every character, how sure the recogniser is in percent."""

    text: str
    box: Frame
    middles: tuple[int, ...]
    score: int


@dataclass(frozen=True, slots=True)
class OcrPage:
    """A page's lines and ruling lines.

    `turn`: quarter turns counter-clockwise that made the displayed page upright. `slope`: rise of its lines
    in 1/SLOPE_UNIT of their length, taken out of all places.
    """

    lines: tuple[OcrLine, ...]
    rules: tuple[Frame, ...] = ()
    turn: int = 0
    slope: int = 0

    @property
    def is_doubtful(self) -> bool:
        """Whether a fifth of its letters or more were recognised without certainty."""
        letters = sum(len(line.text) for line in self.lines)
        doubtful = sum(len(line.text) for line in self.lines if line.score < SURE)
        return doubtful > 0 and doubtful >= 0.2 * letters

    def as_json(self) -> dict[str, Any]:
        # By hand: `asdict` copies number by number, a second for two hundred pages.
        return {
            "lines": [
                {"text": one.text, "box": [*one.box], "middles": [*one.middles], "score": one.score}
                for one in self.lines
            ],
            "rules": [[*rule] for rule in self.rules],
            "turn": self.turn,
            "slope": self.slope,
        }

    @classmethod
    def from_json(cls, told: Any) -> OcrPage:
        """Raises ValueError for anything that is not what `as_json` gives."""
        try:
            lines, rules = told["lines"], told["rules"]
            if len(lines) > MAX_LINES or len(rules) > MAX_RULES:
                raise ValueError("too much on one page")
            return cls(
                lines=tuple(_line(line) for line in lines),
                rules=tuple(_frame(rule) for rule in rules),
                turn=_whole(told["turn"], 0, 3),
                slope=_whole(told["slope"], -SLOPE_UNIT, SLOPE_UNIT),
            )
        except (KeyError, TypeError) as error:
            raise ValueError("not a page") from error


def _line(told: Any) -> OcrLine:
    text = told["text"]
    if not isinstance(text, str) or not 0 < len(text) <= MAX_LINE:
        raise ValueError("not a line of text")
    text.encode()  # a lone surrogate: UnicodeEncodeError is a ValueError
    middles = tuple(_whole(one, 0, SCALE) for one in told["middles"])
    if len(middles) != len(text):
        raise ValueError("a place for every character")
    return OcrLine(text, _frame(told["box"]), middles, _whole(told["score"], 0, 100))


def _frame(told: Any) -> Frame:
    x0, y0, x1, y1 = (_whole(one, 0, SCALE) for one in told)
    if x1 < x0 or y1 < y0:
        raise ValueError("a box the wrong way round")
    return x0, y0, x1, y1


def _whole(told: Any, least: int, most: int) -> int:
    if type(told) is not int or not least <= told <= most:
        raise ValueError("a number out of its range")
    return told


def page_list(numbers: Iterable[int]) -> str:
    """Page numbers as people write them, each once: "3、5–9"."""
    spans: list[list[int]] = []
    for number in sorted(set(numbers)):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return "、".join(str(first) if first == last else f"{first}–{last}" for first, last in spans)
