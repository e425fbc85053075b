"""Where a model's quote stands in the document: exactly, after normalising, or nearly; else nowhere. Pure.

What is shown is always the source's own words. A near match must pass a guard: numbers, dates, units,
negations and modals have to be the same on both sides, for a quote that says 300 where the source says 500
still scores 96 of 100. The guard also looks at what stands right before the place, even of a verbatim match:
接受联合体 is a part of 不接受联合体.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from rapidfuzz import fuzz
from rapidfuzz.distance import Indel

from backend.app.bidding.findings import Span

MIN_SCORE = 85.0  # of 100, rapidfuzz ratio of quote and place after normalising
MIN_QUOTE = 4  # normalised characters; shorter quotes are found anywhere
MAX_QUOTE = 800

# One spelling for marks that models and typists mix. NFKC has already made full-width forms half-width.
_SAME = str.maketrans(
    {"。": ".", "、": ",", "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "【": "[", "】": "]", "〔": "[",
     "〕": "]", "《": "<", "》": ">", "—": "-", "–": "-", "－": "-", "―": "-", "−": "-", "·": ".", "•": ".",
     "～": "~", "〜": "~", "×": "x", "⋯": ".", "…": "."}
)  # fmt: skip
_DROPPED = re.compile(r"[\s\u200b-\u200f\u2060\ufeff\u00ad]")

_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
_UNIT = re.compile(
    r"(?<=\d)(?:个?工作日|个?日历[天日]|万元|亿元|元|万|亿|%|‰|年|个?月|日|天|小时|时|分钟|分|秒|周|次|份|人|名|台|套|项|家"
    r"|平方米|m2|米|公里|km|吨|kg)"
)
_HAN_NUMBER = re.compile(
    r"[零一二三四五六七八九十百千万亿两壹贰叁肆伍陆柒捌玖拾佰仟元整]{2,}|[一二三四五六七八九十两](?=[年月日天人份次个家])"
)
_MODAL = re.compile(r"不得|禁止|不|未|无|非|须|应|可|勿|否")
_BEFORE = re.compile(r"(?:不得|不予|不|未|(?<!有)无|(?<!除)非|禁止|勿)$")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a quote stands, and how it was found: exact | normalized | fuzzy."""

    span: Span
    how: str


@dataclass(frozen=True, slots=True)
class Source:
    """A range of the document made ready for searching; build it once a chunk."""

    text: str
    start: int
    end: int
    normal: str
    offsets: tuple[int, ...]  # offsets[i]: where normal[i] came from

    @classmethod
    def of(cls, text: str, start: int, end: int) -> Source:
        normal, offsets = normalise(text[start:end])
        return cls(text, start, end, normal, tuple(start + at for at in offsets))


def normalise(text: str) -> tuple[str, list[int]]:
    """NFKC, one spelling for punctuation, no white space, lower case; and where each character came from."""
    chars: list[str] = []
    offsets: list[int] = []
    for at, char in enumerate(text):
        if _DROPPED.match(char):
            continue
        if char < "\x80":
            chars.append(char.lower())
            offsets.append(at)
            continue
        for made in unicodedata.normalize("NFKC", char).translate(_SAME).lower():
            if not made.isspace():
                chars.append(made)
                offsets.append(at)
    return "".join(chars), offsets


def ground(quote: str, source: Source) -> Place | None:
    """The place of a quote inside its chunk; None when it is not there or says something else."""
    quote = quote.strip()
    wanted, _ = normalise(quote)
    if not MIN_QUOTE <= len(wanted) <= MAX_QUOTE:
        return None
    at = source.text.find(quote, source.start, source.end)
    while at >= 0:
        span = Span(at, at + len(quote))
        if _is_whole(span, source.text):
            return Place(span, "exact")
        at = source.text.find(quote, at + 1, source.end)
    for span in _normalised_places(wanted, source):
        if _is_whole(span, source.text):
            return Place(span, "normalized")
    return _nearest(wanted, source)


def says_the_same(quote: str, place: str) -> bool:
    """The guard: both hold the same numbers, dates, units, negations and modals."""
    return _weighty(normalise(quote)[0]) == _weighty(normalise(place)[0])


def adds_no_number(words: str, quote: str) -> bool:
    """Whether every number in a model's own words stands in the quote they are about."""
    named = {_plain(number) for number in _NUMBER.findall(normalise(words)[0])}
    return named <= {_plain(number) for number in _NUMBER.findall(normalise(quote)[0])}


def _normalised_places(wanted: str, source: Source) -> Iterator[Span]:
    at = source.normal.find(wanted)
    while at >= 0:
        yield _span(source, at, at + len(wanted))
        at = source.normal.find(wanted, at + 1)


def _nearest(wanted: str, source: Source) -> Place | None:
    """The best near match: window by rapidfuzz, edges by alignment, then score and guard."""
    found = fuzz.partial_ratio_alignment(wanted, source.normal, score_cutoff=MIN_SCORE - 10)
    if found is None or len(wanted) > len(source.normal):
        return None
    slack = max(4, len(wanted) // 5)
    low = max(0, found.dest_start - slack)
    high = min(len(source.normal), found.dest_end + slack)
    edges = _edges(wanted, source.normal[low:high])
    if edges is None:
        return None
    start, end = low + edges[0], low + edges[1]
    place = source.normal[start:end]
    span = _span(source, start, end)
    if fuzz.ratio(wanted, place) < MIN_SCORE or not says_the_same(wanted, place):
        return None
    return Place(span, "fuzzy") if _is_whole(span, source.text) else None


def _edges(wanted: str, window: str) -> tuple[int, int] | None:
    """The part of `window` that `wanted` stands for: of the edges that an alignment suggests, the best pair.

    An alignment may hang its first characters on an equal pair further left (投标。投标文件…), so each of
    the outer shared runs is also tried as the anchor.
    """
    runs = [op for op in Indel.opcodes(wanted, window) if op.tag == "equal"]
    if not runs:
        return None
    starts = {run.dest_start for run in runs[:3]}
    starts |= {run.dest_start - run.src_start for run in runs[:3]}
    ends = {run.dest_end for run in runs[-3:]}
    ends |= {run.dest_end + len(wanted) - run.src_end for run in runs[-3:]}
    pairs = [(start, end) for start in starts for end in ends if 0 <= start < end <= len(window)]
    return max(pairs, key=lambda pair: (fuzz.ratio(wanted, window[slice(*pair)]), -pair[0]), default=None)


def _weighty(normal: str) -> Counter[str]:
    """What must not differ: numbers with their units, numbers in words, negations and modals."""
    found = Counter(_plain(number) for number in _NUMBER.findall(normal))
    found.update(f"unit {unit}" for unit in _UNIT.findall(normal))
    found.update(_HAN_NUMBER.findall(normal))
    found.update(_MODAL.findall(normal))
    return found


def _plain(number: str) -> str:
    """1,000.00 and 1000 are the same; 2024-01-02 and 2024/1/2 are compared part by part."""
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", number):
        number = number.replace(",", "")
    if re.fullmatch(r"\d+\.\d+", number):
        number = number.rstrip("0").rstrip(".")
    return "/".join(part.lstrip("0") or "0" for part in re.split(r"[,:/-]", number))


def _is_whole(span: Span, text: str) -> bool:
    """Whether the place cuts neither a number nor the negation right before it."""
    if span.start >= span.end:
        return False
    before, after = text[max(0, span.start - 8) : span.start], text[span.end : span.end + 2]
    first, last = text[span.start], text[span.end - 1]
    if first.isdigit() and re.search(r"\d[.,]?\Z", before):
        return False
    if last.isdigit() and re.match(r"[.,]?\d", after):
        return False
    return not (_BEFORE.search(before.rstrip()) and not _MODAL.match(text[span.start : span.start + 2]))


def _span(source: Source, start: int, end: int) -> Span:
    """From normalised to document offsets; a character that NFKC widened is taken whole."""
    return Span(source.offsets[start], source.offsets[end - 1] + 1)
