"""Levels of qualifications, certificates, titles and degrees: read and compared within one scale. Pure.

Scales: 一级 > 二级 > 三级 (also 壹级, Ⅰ级, 1级, with 特级 on top), 甲级 > 乙级 > 丙级, titles
正高级 > 高级 > 中级 > 初级. Maturity models count the other way: CMMI 5 > CMMI 3. Levels of different scales
are not comparable: whether a 二级 became a 乙级 in a reform is for a person to say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

_DIGITS = dict(zip("一二三四五", range(1, 6), strict=True)) | dict(
    zip("壹贰叁肆伍", range(1, 6), strict=True)
)
_DIGITS |= dict(zip("12345", range(1, 6), strict=True)) | dict(zip("ⅠⅡⅢⅣⅤ", range(1, 6), strict=True))
_DIGITS |= {"贰": 2, "貳": 2, "叄": 3, "參": 3}
_LETTERS = {"甲": 1, "乙": 2, "丙": 3, "丁": 4}
_N = "[一二三四五壹贰貳叁叄參肆伍1-5ⅠⅡⅢⅣⅤ]"
_ORDINAL = re.compile(rf"(?P<special>特)级|(?P<number>{_N})级|(?P<letter>[甲乙丙丁])级")
_DIGIT = re.compile(rf"(?<!\d)(?:[Ll](?:evel)?|ML)?({_N})(?:级)?(?!\d)")


class Scale(Enum):
    """How levels of a name are ordered."""

    GRADE = "grade"  # the smaller number is the higher level
    MATURITY = "maturity"  # the larger number is the higher level


@dataclass(frozen=True, slots=True)
class Level:
    """`rank`: the larger, the higher, within one `row`."""

    row: str
    rank: int
    text: str

    def meets(self, asked: Level) -> bool | None:
        """Whether this is at least what is asked; None where the two cannot be compared."""
        return None if self.row != asked.row else self.rank >= asked.rank


def read_level(text: str, scale: Scale) -> Level | None:
    """The level that a short text names ("贰级", "L3", "CMMI5级"); None when it names none."""
    if scale is Scale.MATURITY:
        found = _DIGIT.search(text)
        return Level("maturity", _DIGITS[found[1]], f"{_DIGITS[found[1]]}级") if found else None
    found = _ORDINAL.search(text)
    if found is None:
        return None
    if found["special"]:
        return Level("number", 0, "特级")
    if found["number"]:
        return Level("number", -_DIGITS[found["number"]], found[0])
    return Level("letter", -_LETTERS[found["letter"]], found[0])


_TITLES = (
    (re.compile(r"正高|教授级|研究员级"), 4),
    (re.compile(r"副高|高级"), 3),
    # 造价工程师, 监理工程师 and their like are licences, no titles.
    (
        re.compile(
            r"中级|^(?:电气|机械|土建|土木|建筑|给排水|暖通|机电|通信|电子|水利|园林)?工程师$"
            r"|^(?:经济|会计|统计)师$"
        ),
        2,
    ),
    (re.compile(r"初级|助理|技术员"), 1),
)
_DEGREES = (
    (re.compile(r"博士"), 5),
    (re.compile(r"硕士|研究生"), 4),
    (re.compile(r"本科|学士"), 3),
    (re.compile(r"大专|专科|高职"), 2),
    (re.compile(r"高中|中专|中技|职高"), 1),
)


@lru_cache(maxsize=1024)
def title_rank(text: str) -> int | None:
    """Professional titles from 初级 (1) to 正高级 (4); None for what is no title."""
    return next((rank for pattern, rank in _TITLES if pattern.search(text)), None)


@lru_cache(maxsize=1024)
def degree_rank(text: str) -> int | None:
    """Education from 高中 (1) to 博士 (5)."""
    return next((rank for pattern, rank in _DEGREES if pattern.search(text)), None)
