"""Which candidates become findings: no repeats, and no more of the text than a reader can use."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

from backend.app.bidding.findings import Finding, Tab
from backend.app.bidding.rules.quotes import Candidate, tidy

# Quoting everything helps nobody: all findings together keep below this share of the text.
# White space does not count, in the text as in the quotes.
SHARE_OF_TEXT = 0.12
LEAST_CHARACTERS = 480  # of a short notice more may be quoted


@dataclass(frozen=True, slots=True)
class _Room:
    """Shares of the text: what a tab gets whatever the others want, and the most it can have."""

    own: float
    most: float


# A tab that is mostly description must not crowd out the others, and none may starve.
_ROOM = {
    Tab.HARD_REQUIREMENTS: _Room(0.050, 0.080),
    Tab.SCORING_ITEMS: _Room(0.040, 0.050),
    Tab.SUBMISSION_FORMAT: _Room(0.014, 0.040),
    Tab.TECHNICAL_REQUIREMENTS: _Room(0.016, 0.045),
    Tab.COST_ITEMS: _Room(0.014, 0.040),
    Tab.BID_TIMELINE: _Room(0.011, 0.028),
}
# Two clauses of one kind say the same when their figures are equal and this share of their letters is:
# of the longer one, or, where the figures are many, of the shorter one ("开标时间：…" in the notice and the
# front table).
_LIKE, _LEAST_PAIRS = 0.85, 12
_LIKE_WITH_FIGURES, _MANY_FIGURES = 0.5, 4
_KINDS_WITH_FIGURES = frozenset({Tab.BID_TIMELINE, Tab.COST_ITEMS, Tab.SUBMISSION_FORMAT})
# "详见投标人须知前附表": the place that is named has the words.
_ELSEWHERE = re.compile(
    r"(?:详见|见)[“【《]?(?:本)?(?:投标|供应商|响应|采购|招标|磋商|谈判|须知)?[^，。；]{0,8}(?:前附表|资料表|公告|邀请)[”】》]?[^，。；]{0,6}(?:，以[^，。；]{0,20}为准)?[）)。；]?$"
    r"|【[^】]{0,12}前附表】"
)
_ELSEWHERE_PENALTY = 30
_EMPTY_BOX = re.compile(r"[^☑■√☒]{0,12}□")
# How many clauses of one kind come first, and how much each further one loses.
_CROWD = {
    Tab.HARD_REQUIREMENTS: (4, 1.0),
    Tab.SUBMISSION_FORMAT: (3, 2.5),
    Tab.COST_ITEMS: (3, 2.5),
    Tab.BID_TIMELINE: (3, 2.5),
}
_FREE_LENGTH, _LENGTH_PENALTY = 30, 0.2  # characters; weight per further character
_SAME = 0.5  # of the shorter span: two candidates of one tab quote the same


@dataclass(frozen=True, slots=True)
class _Words:
    """What two clauses are compared by: pairs of letters, and the digits in order."""

    pairs: frozenset[tuple[str, str]]
    figures: str


class _Shelf:
    """What has been chosen so far."""

    def __init__(self, text: str) -> None:
        self._text = text
        letters = sum(not ch.isspace() for ch in text)
        self.length = max(letters, int(LEAST_CHARACTERS / SHARE_OF_TEXT))
        self.covered: set[int] = set()
        self.by_tab: dict[Tab, set[int]] = defaultdict(set)
        self.used: dict[Tab, int] = defaultdict(int)  # what a tab quotes that no other quoted before it
        self.kept: list[Candidate] = []
        self._texts: dict[tuple[Tab, str | None], set[str]] = defaultdict(set)
        self._pairs: dict[tuple[Tab, str, str | None], list[_Words]] = defaultdict(list)

    def offer(self, candidate: Candidate, share: float) -> bool:
        """Take the candidate unless it repeats another or its tab would exceed `share` of the text."""
        span = candidate.span
        place = {at for at in range(span.start, span.end) if not self._text[at].isspace()}
        mine = self.by_tab[candidate.tab]
        key = _key(candidate.compact)
        texts = self._texts[candidate.tab, candidate.lot]
        if key in texts or len(place & mine) > _SAME * len(place):
            return True  # settled: it is said already
        words = _Words(frozenset(pairwise(key)), "".join(filter(str.isdigit, key)))
        if self._says_the_same(candidate, words):
            return True
        new = len(place - self.covered)
        if self.used[candidate.tab] + new > share * self.length:
            return False
        if len(self.covered) + new > SHARE_OF_TEXT * self.length:
            return False
        texts.add(key)
        self._pairs[_kind(candidate)].append(words)
        mine |= place
        self.used[candidate.tab] += new
        self.covered |= place
        self.kept.append(candidate)
        return True

    def _says_the_same(self, candidate: Candidate, words: _Words) -> bool:
        """Whether one of its kind has the same figures and nearly the same letters: printed twice."""
        if candidate.tab is Tab.SCORING_ITEMS or not words.pairs:
            return False  # criteria differ in a word or two
        many = candidate.tab in _KINDS_WITH_FIGURES and len(words.figures) >= _MANY_FIGURES
        if len(words.pairs) < _LEAST_PAIRS and not many:
            return False
        for other in self._pairs[_kind(candidate)]:
            common, sizes = len(words.pairs & other.pairs), (len(words.pairs), len(other.pairs))
            alike = common >= (_LIKE_WITH_FIGURES * min(sizes) if many else _LIKE * max(sizes))
            if other.figures == words.figures and alike:
                return True
        return False


def select(candidates: Iterable[Candidate], text: str) -> tuple[Finding, ...]:
    """The heaviest candidates that fit, in order of tab and place. `text`: the document's."""
    shelf = _Shelf(text)
    tidied = (replace(c, span=tidy(c.span, text)) for c in candidates)
    waiting = [c for c in _ranked(tidied) if not shelf.offer(c, _ROOM[c.tab].own)]
    for candidate in waiting:
        shelf.offer(candidate, _ROOM[candidate.tab].most)
    order = {tab: n for n, tab in enumerate(Tab)}
    shelf.kept.sort(key=lambda c: (order[c.tab], c.span.start, c.span.end))
    return tuple(_finding(candidate) for candidate in shelf.kept)


def _kind(candidate: Candidate) -> tuple[Tab, str, str | None]:
    """Clauses of one kind may repeat one another, in one lot; technical ones are titled by their matter."""
    title = "" if candidate.tab is Tab.TECHNICAL_REQUIREMENTS else candidate.title
    return candidate.tab, title, candidate.lot


def _unchosen(candidate: Candidate) -> bool:
    """Whether the clause is an option whose box was left empty."""
    return _EMPTY_BOX.match(candidate.compact) is not None


def _ranked(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Heaviest first; the fifth clause of one kind in a tab tells less than the first."""
    candidates = [candidate for candidate in candidates if not _unchosen(candidate)]
    by_weight = sorted(candidates, key=lambda c: (-c.weight, c.span.start, c.span.end, c.title))
    seen: dict[tuple[Tab, str], int] = defaultdict(int)
    ranked: list[tuple[float, Candidate]] = []
    for candidate in by_weight:
        kind = (candidate.tab, candidate.title)
        seen[kind] += 1
        free, penalty = _CROWD.get(candidate.tab, (0, 0.0))
        crowd = penalty * max(0, seen[kind] - free)
        elsewhere = _ELSEWHERE_PENALTY if _ELSEWHERE.search(candidate.compact) else 0
        ranked.append((candidate.weight - crowd - elsewhere - _length_penalty(candidate), candidate))
    ranked.sort(key=lambda pair: (-pair[0], pair[1].span.start, pair[1].span.end, pair[1].title))
    return [candidate for _, candidate in ranked]


def _length_penalty(candidate: Candidate) -> float:
    """Of two clauses of one weight the shorter leaves room for a third; criteria all have to be there."""
    if candidate.tab is Tab.SCORING_ITEMS:
        return 0.0
    return _LENGTH_PENALTY * max(0, len(candidate.compact) - _FREE_LENGTH)


def _key(compact: str) -> str:
    """The words of a clause without numbering and punctuation: equal keys say the same."""
    words = "".join(ch for ch in compact if "一" <= ch <= "鿿" or ch.isalnum())
    return words.lstrip("0123456789一二三四五六七八九十")


def _finding(candidate: Candidate) -> Finding:
    return Finding(
        candidate.tab,
        candidate.title,
        candidate.span,
        candidate.priority,
        candidate.why,
        candidate.guidance,
        candidate.points,
        candidate.milestone,
        candidate.date,
        candidate.date_text,
        candidate.lot,
    )
