"""Automatic numbers of Word, rebuilt: they stand in numbering.xml, not in the paragraphs' text."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from backend.app.documents.glyphs import clean, is_symbol_font, symbol
from backend.app.documents.readers.ooxml import Element, W, number, switched_on, value

LEVELS = 9
_PLACE = re.compile(r"%([1-9])")
_NO_SPACE_AFTER = "、，。：；）】》〉」』)》　 "


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a list: what its label looks like."""

    start: int = 1
    form: str = "decimal"
    text: str = ""
    suffix: str = "tab"
    restart: int | None = None  # restart after this many levels; 0 never; None after any level above
    legal: bool = False  # show all numbers of the label as decimals
    style: str | None = None
    font: str | None = None


@dataclass(slots=True)
class _List:
    """A w:abstractNum: its levels and, while reading, its counters."""

    levels: dict[int, Level] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    linked_style: str | None = None


@dataclass(frozen=True, slots=True)
class _Instance:
    """A w:num: a list with some levels changed."""

    abstract: str
    levels: dict[int, Level]
    restarts: dict[int, int]


class Numbering:
    """Give it the numbered paragraphs in order; it gives back their labels."""

    def __init__(self, root: Element | None) -> None:
        self._lists: dict[str, _List] = {}
        self._instances: dict[str, _Instance] = {}
        self._restarted: set[tuple[str, int]] = set()
        if root is None:
            return
        by_style: dict[str, str] = {}
        for abstract in root.findall(W + "abstractNum"):
            list_id = value(abstract, "abstractNumId") or ""
            self._lists[list_id] = _read_list(abstract)
            if own := value(abstract.find(W + "styleLink")):
                by_style[own] = list_id
        for num in root.findall(W + "num"):
            self._add_instance(num, by_style)

    def level_of_style(self, num_id: str, style_id: str | None) -> int | None:
        """The level that a paragraph style is tied to in a list (w:pStyle)."""
        instance = self._instances.get(num_id)
        if instance is None or style_id is None:
            return None
        levels = {**self._lists[instance.abstract].levels, **instance.levels}
        return next((at for at, level in levels.items() if level.style == style_id), None)

    def label(self, num_id: str, at: int) -> str:
        """Count one paragraph of level `at` (from 0) and return its label with what follows it."""
        instance = self._instances.get(num_id)
        if instance is None or not 0 <= at < LEVELS:
            return ""
        numbers = self._lists[instance.abstract]
        levels = {**numbers.levels, **instance.levels}
        if at not in levels:
            return ""
        self._restart(num_id, instance, numbers, at)
        _count(numbers.counts, levels, at)
        return _render(levels, numbers.counts, at)

    def _restart(self, num_id: str, instance: _Instance, numbers: _List, at: int) -> None:
        """startOverride takes effect when its w:num is first used at that level."""
        if at in instance.restarts and (num_id, at) not in self._restarted:
            self._restarted.add((num_id, at))
            numbers.counts[at] = instance.restarts[at] - 1
            for deeper in [level for level in numbers.counts if level > at]:
                del numbers.counts[deeper]

    def _add_instance(self, num: Element, by_style: dict[str, str]) -> None:
        abstract = value(num.find(W + "abstractNumId")) or ""
        linked = self._lists[abstract].linked_style if abstract in self._lists else None
        if linked is not None:  # w:numStyleLink: the levels stand in the list that owns the style
            abstract = by_style.get(linked, abstract)
        if abstract not in self._lists:
            return
        levels: dict[int, Level] = {}
        restarts: dict[int, int] = {}
        for override in num.findall(W + "lvlOverride"):
            at = number(override, "ilvl")
            if at is None:
                continue
            own = override.find(W + "lvl")
            if own is not None:
                levels[at] = _read_level(own)
            start = number(override.find(W + "startOverride"))
            if start is not None:
                restarts[at] = start
        self._instances[value(num, "numId") or ""] = _Instance(abstract, levels, restarts)


def _read_list(abstract: Element) -> _List:
    found = _List(linked_style=value(abstract.find(W + "numStyleLink")))
    for level in abstract.findall(W + "lvl"):
        at = number(level, "ilvl")
        if at is not None:
            found.levels[at] = _read_level(level)
    return found


def _read_level(element: Element) -> Level:
    start = number(element.find(W + "start"))
    fonts = element.find(f"{W}rPr/{W}rFonts")
    form = value(element.find(W + "numFmt"))
    if form is None:  # Word 2010 wraps newer formats in mc:AlternateContent with a plain fallback
        wrapped = next(element.iter(W + "numFmt"), None)
        form = value(wrapped) or "decimal"
    level = Level(
        start=0 if start is None else start,
        form=form,
        text=value(element.find(W + "lvlText")) or "",
        suffix=value(element.find(W + "suff")) or "tab",
        restart=number(element.find(W + "lvlRestart")),
        legal=switched_on(element.find(W + "isLgl")),
        style=value(element.find(W + "pStyle")),
        font=value(fonts, "ascii") or value(fonts, "hAnsi"),
    )
    return level if start is not None else replace(level, start=1 if form != "decimalZero" else 0)


def _count(counts: dict[int, int], levels: dict[int, Level], at: int) -> None:
    for above in range(at):
        if above in levels and above not in counts:
            counts[above] = levels[above].start
    counts[at] = counts.get(at, levels[at].start - 1) + 1
    for deeper in [level for level in counts if level > at]:
        restart = levels[deeper].restart if deeper in levels else None
        if restart is None or (restart and at < restart):
            del counts[deeper]


def _render(levels: dict[int, Level], counts: dict[int, int], at: int) -> str:
    level = levels[at]
    if level.form == "none":
        label = _PLACE.sub("", level.text)
    elif level.form == "bullet":
        label = _bullet(level)
    else:

        def place(match: re.Match[str]) -> str:
            other = int(match.group(1)) - 1
            form = "decimal" if level.legal else levels[other].form if other in levels else "decimal"
            return spell(counts.get(other, 0), form) if other in counts else ""

        label = clean(_PLACE.sub(place, level.text))
    if not label:
        return ""
    tight = level.suffix == "nothing" or label[-1] in _NO_SPACE_AFTER
    return label if tight else label + " "


def _bullet(level: Level) -> str:
    if is_symbol_font(level.font):
        return "".join(symbol(ord(char), level.font) for char in level.text)
    return clean(level.text)


def spell(count: int, form: str) -> str:
    """One number in one of Word's formats; unknown formats fall back to decimals."""
    writer = _FORMS.get(form)
    return writer(count) if writer else str(count)


_DIGITS = "零一二三四五六七八九"
_FORMAL = "零壹贰叁肆伍陆柒捌玖"


def _chinese(count: int, digits: str = _DIGITS, units: tuple[str, ...] = ("", "十", "百", "千")) -> str:
    """12 → 十二, 105 → 一百零五; up to 9999."""
    if not 0 < count <= 9999:
        return digits[0] if count == 0 else str(count)
    spelled, zero = "", False
    for place in range(3, -1, -1):
        digit = count // 10**place % 10
        if digit:
            spelled += (digits[0] if zero and spelled else "") + digits[digit] + units[place]
            zero = False
        else:
            zero = True
    return spelled.removeprefix("一") if spelled.startswith("一十") else spelled


def _formal(count: int) -> str:
    return _chinese(count, _FORMAL, ("", "拾", "佰", "仟"))


def _digit_by_digit(count: int) -> str:
    return "".join("〇一二三四五六七八九"[int(digit)] for digit in str(max(count, 0)))


def _counting(count: int) -> str:
    """chineseCounting: 一 … 十, 十一, 二十; beyond 99 digit by digit."""
    return _chinese(count) if count < 100 else _digit_by_digit(count)


def _letters(count: int) -> str:
    """a … z, aa, bb: Word repeats the letter."""
    if count < 1:
        return ""
    return chr(ord("a") + (count - 1) % 26) * min((count - 1) // 26 + 1, 30)


def _roman(count: int) -> str:
    if not 0 < count < 4000:
        return str(count)
    spelled = ""
    for worth, letters in _ROMAN:
        spelled += letters * (count // worth)
        count %= worth
    return spelled


_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"),
    (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip


def _from_table(first: int, last: int, offset: int) -> Callable[[int], str]:
    """Enclosed numbers that exist as characters for first..last; decimals beyond."""
    return lambda count: chr(offset + count - first) if first <= count <= last else str(count)


def _circled(count: int) -> str:
    if 21 <= count <= 35:
        return chr(0x3251 + count - 21)
    return _from_table(1, 20, 0x2460)(count)


def _full_width(count: int) -> str:
    return "".join(chr(0xFF10 + int(digit)) for digit in str(max(count, 0)))


def _cycle(signs: str) -> Callable[[int], str]:
    return lambda count: signs[(count - 1) % len(signs)] if count > 0 else ""


_FORMS: dict[str, Callable[[int], str]] = {
    "decimal": str,
    "decimalZero": lambda count: f"{count:02d}",
    "decimalFullWidth": _full_width,
    "decimalFullWidth2": _full_width,
    "decimalHalfWidth": str,
    "upperLetter": lambda count: _letters(count).upper(),
    "lowerLetter": _letters,
    "upperRoman": lambda count: _roman(count).upper(),
    "lowerRoman": _roman,
    "chineseCounting": _counting,
    "chineseCountingThousand": _chinese,
    "chineseLegalSimplified": _formal,
    "ideographDigital": _digit_by_digit,
    "japaneseCounting": _chinese,
    "taiwaneseCounting": _chinese,
    "taiwaneseCountingThousand": _chinese,
    "taiwaneseDigital": _digit_by_digit,
    "japaneseDigitalTenThousand": _chinese,
    "koreanCounting": str,
    "ideographTraditional": _cycle("甲乙丙丁戊己庚辛壬癸"),
    "ideographZodiac": _cycle("子丑寅卯辰巳午未申酉戌亥"),
    "decimalEnclosedCircle": _circled,
    "decimalEnclosedCircleChinese": _circled,
    "decimalEnclosedParen": _from_table(1, 20, 0x2474),
    "decimalEnclosedFullstop": _from_table(1, 20, 0x2488),
    "ideographEnclosedCircle": _from_table(1, 10, 0x3280),
    "ideographParenthesized": _from_table(1, 10, 0x3220),
    "numberInDash": lambda count: f"-{count}-",
    "ordinal": lambda count: f"{count}.",
    "none": lambda _count: "",
}
