"""How an answer is compared with a label: facts by their type, items by overlap. See docs/evaluation.md."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rapidfuzz import fuzz

from backend.app.bidding.findings import FACTS, Fact, Span
from backend.app.bidding.rules.values import find_dates, find_durations

NAMES = frozenset({"project_name", "purchaser", "agency"})
MIN_NAME_SHARE = 0.75  # of the longer name, when one contains the other
MIN_NAME_RATIO = 92.0  # rapidfuzz ratio of names whose digits are the same
MIN_TEXT_RATIO = 70.0
MIN_CONTAINED = 5  # normalised characters of the shorter text, when one contains the other
MIN_COVER = 0.5  # share of a labelled excerpt that a finding has to cover
MONEY_TOLERANCE = 0.005

_DROPPED = re.compile(r"[\W_]+")
_SPACE = re.compile(r"[\s\u200b\ufeff]+")
_BOXES = str.maketrans("\uf0fe\uf052\uf0a8\uf0a3", "☑☑□□")
# What turns the sense of a sentence without changing its length: 按月 and 按季, 不支付 and 支付.
_RHYTHM = re.compile(r"[年季月周]|一次性|预付|不|无")
_METHODS = (
    ("lowest", re.compile(r"最低|由低[到至]高|低价法")),
    ("score", re.compile(r"综合(?:评|比较|打分)|性价比|得分由高|总分由高|质量优先")),
)


class Outcome(StrEnum):
    RIGHT = "right"
    WRONG = "wrong"
    MISSED = "missed"
    INVENTED = "invented"  # the document does not say, yet a value is given
    ABSENT = "absent"  # the document does not say and nothing is given


@dataclass(frozen=True, slots=True)
class FactScore:
    name: str
    outcome: Outcome
    expected: Any
    given: Any


def score_fact(name: str, fact: Fact | None, gold: dict[str, Any] | None, text: str = "") -> FactScore:
    """Compare one fact with its label: null, or `value` with other right answers in `alt`."""
    answers = _answers(gold)
    expected = answers[0]
    if fact is None:
        outcome = Outcome.ABSENT if None in answers else Outcome.MISSED
        return FactScore(name, outcome, expected, None)
    told = [answer for answer in answers if answer is not None]
    if any(equal(name, fact.value, answer) for answer in told) or _same_place(name, fact, gold, text):
        return FactScore(name, Outcome.RIGHT, expected, fact.value)
    outcome = Outcome.WRONG if told else Outcome.INVENTED
    return FactScore(name, outcome, expected, fact.value)


def _answers(gold: dict[str, Any] | None) -> list[Any]:
    if gold is None:
        return [None]
    other = gold.get("alt", [])
    return [gold.get("value"), *(other if isinstance(other, list) else [other])]


def equal(name: str, given: Any, expected: Any) -> bool:
    """Whether two values of the fact `name` mean the same."""
    kind = FACTS.get(name, "str")
    if kind == "bool":
        return isinstance(given, bool) and given is expected
    if kind in ("yuan", "int", "number"):
        return _number(given) is not None and _close(_number(given), _number(expected))
    if kind == "percent_or_yuan":
        one, other = _share(given), _share(expected)
        return one is not None and other is not None and one[1] == other[1] and _close(one[0], other[0])
    if kind in ("local_time", "date_or_time"):
        return _moment(given) == _moment(expected)
    return _same_text(name, str(given), str(expected))


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(str(value).replace(",", ""))
    except ValueError:
        return None


def _close(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and abs(one - other) <= MONEY_TOLERANCE


def _share(value: Any) -> tuple[float, bool] | None:
    """(number, is a percentage)"""
    words = str(value).strip().replace("％", "%")
    number = _number(words.removesuffix("%"))
    return None if number is None else (number, words.endswith("%"))


def _moment(value: Any) -> str:
    """24:00 is 00:00 of the next day; seconds do not count."""
    found = find_dates(str(value).replace("T", " "))
    return found[0].iso if found else str(value)


def normalise(text: str) -> str:
    """NFKC, without white space and punctuation, in lower case."""
    return _DROPPED.sub("", unicodedata.normalize("NFKC", text)).lower()


def _same_text(name: str, given: str, expected: str) -> bool:
    one, other = normalise(given), normalise(expected)
    if not one or not other:
        return False
    if one == other:
        return True
    if name == "project_number":
        return False
    if name in NAMES:
        return _same_name(one, other)
    if name == "evaluation_method":
        return _method(given) is not None and _method(given) == _method(expected)
    if name == "service_period" and (periods := _same_periods(given, expected)) is not None:
        return periods
    shorter, longer = sorted((one, other), key=len)
    if len(shorter) >= MIN_CONTAINED and shorter in longer:
        return True
    if _digits(one) != _digits(other) or set(_RHYTHM.findall(one)) != set(_RHYTHM.findall(other)):
        return False
    return fuzz.ratio(one, other) >= MIN_TEXT_RATIO


def _same_name(one: str, other: str) -> bool:
    if _digits(one) != _digits(other):
        return False
    shorter, longer = sorted((one, other), key=len)
    if shorter in longer:
        return len(shorter) >= MIN_NAME_SHARE * len(longer)
    return fuzz.ratio(one, other) >= MIN_NAME_RATIO


def _digits(text: str) -> list[str]:
    return re.findall(r"\d+", text)


def _method(text: str) -> str | None:
    return next((kind for kind, pattern in _METHODS if pattern.search(text)), None)


def _same_periods(given: str, expected: str) -> bool | None:
    """The label's first period or date is given and nothing else than the label's; None without any."""
    one, other = _periods(given), _periods(expected)
    if not one or not other:
        return None
    return other[0] in one and set(one) <= set(other)


def _periods(text: str) -> list[tuple[str, str]]:
    found = [(d.start, str(d.amount), d.unit) for d in find_durations(text)]
    found += [(d.start, d.day, "date") for d in find_dates(text)]
    return [(amount, unit) for _, amount, unit in sorted(found)]


def _same_place(name: str, fact: Fact, gold: dict[str, Any] | None, text: str) -> bool:
    """Free text is also right when its words are those that the label quotes, from the same place."""
    if name != "payment_terms" or gold is None or not gold.get("excerpt") or not text:
        return False
    places = CompactText.of(text).places(str(gold["excerpt"]))
    words = Span(fact.source.start, fact.source.end)
    return any(cover(place, words) >= MIN_COVER for place in places)


@dataclass(frozen=True, slots=True)
class CompactText:
    """A document without white space, and where each character stands in it."""

    text: str
    offsets: Sequence[int]

    @classmethod
    def of(cls, text: str) -> CompactText:
        kept = [at for at, ch in enumerate(text) if not _SPACE.match(ch)]
        return cls(_folded("".join(text[at] for at in kept)), kept)

    def places(self, excerpt: str) -> list[Span]:
        """Everywhere the excerpt stands, white space ignored."""
        words = _folded(_SPACE.sub("", excerpt))
        found: list[Span] = []
        at = self.text.find(words) if words else -1
        while at >= 0:
            found.append(Span(self.offsets[at], self.offsets[at + len(words) - 1] + 1))
            at = self.text.find(words, at + 1)
        return found


def _folded(text: str) -> str:
    """Each character in its usual width, one for one."""
    folded = (unicodedata.normalize("NFKC", ch) for ch in text.translate(_BOXES))
    return "".join(one if len(one) == 1 else ch for one, ch in zip(folded, text, strict=True))


def cover(excerpt: Span, finding: Span) -> float:
    """The share of `excerpt` that `finding` covers."""
    common = min(excerpt.end, finding.end) - max(excerpt.start, finding.start)
    return max(0, common) / max(1, excerpt.end - excerpt.start)
