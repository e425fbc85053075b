"""Which units of two documents are the same: anchors first, the rest exactly where it is small enough.

Patience diff: keys that occur once on both sides, the longest run of them in order; then the same inside
each gap between them; then the longest common subsequence of what is left. Similar units are paired only
inside gaps, and each step is bounded, so that two documents of hundreds of pages take seconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rapidfuzz import fuzz
from rapidfuzz.distance import LCSseq

from backend.app.bidding.comparison.units import Unit

_MOST_CELLS = 64_000_000  # bits of the matrix of one exact comparison: 8 MB
_MOST_PAIRS = 20_000  # similarities that are computed in one gap
LEAST_SIMILAR = 60.0  # of 100: two units that say the same thing in other words


@dataclass(frozen=True, slots=True)
class Gap:
    """before[a0:a1] stands where after[b0:b1] stands now; nothing in it is equal in order."""

    a0: int
    a1: int
    b0: int
    b1: int


def match_equal(before: Sequence[str], after: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of equal keys, both sides ascending."""
    names: dict[str, int] = {}
    a = [names.setdefault(key, len(names)) for key in before]
    b = [names.setdefault(key, len(names)) for key in after]
    found: list[tuple[int, int]] = []
    stack = [Gap(0, len(a), 0, len(b))]
    while stack:
        gap = _trimmed(a, b, stack.pop(), found)
        if gap.a0 == gap.a1 or gap.b0 == gap.b1:
            continue
        anchors = _anchors(a, b, gap)
        if not anchors:
            found.extend(_exactly(a, b, gap))
            continue
        found.extend(anchors)
        stack.extend(between(anchors, gap))
    return sorted(found)


def between(pairs: Sequence[tuple[int, int]], gap: Gap) -> list[Gap]:
    """What lies between consecutive pairs inside the gap; gaps that are empty on both sides are left out."""
    edges = [(gap.a0 - 1, gap.b0 - 1), *pairs, (gap.a1, gap.b1)]
    gaps = [Gap(a0 + 1, a1, b0 + 1, b1) for (a0, b0), (a1, b1) in pairwise(edges)]
    return [one for one in gaps if one.a0 < one.a1 or one.b0 < one.b1]


def _trimmed(a: list[int], b: list[int], gap: Gap, found: list[tuple[int, int]]) -> Gap:
    """The gap without its equal begin and end, which go to `found`."""
    a0, a1, b0, b1 = gap.a0, gap.a1, gap.b0, gap.b1
    while a0 < a1 and b0 < b1 and a[a0] == b[b0]:
        found.append((a0, b0))
        a0, b0 = a0 + 1, b0 + 1
    while a0 < a1 and b0 < b1 and a[a1 - 1] == b[b1 - 1]:
        a1, b1 = a1 - 1, b1 - 1
        found.append((a1, b1))
    return Gap(a0, a1, b0, b1)


def _anchors(a: list[int], b: list[int], gap: Gap) -> list[tuple[int, int]]:
    """The longest ascending run of keys that occur once in the gap on both sides."""
    once_a, once_b = Counter(a[gap.a0 : gap.a1]), Counter(b[gap.b0 : gap.b1])
    place = {b[j]: j for j in range(gap.b0, gap.b1) if once_b[b[j]] == 1}
    pairs = [(i, place[a[i]]) for i in range(gap.a0, gap.a1) if once_a[a[i]] == 1 and a[i] in place]
    return _ascending(pairs)


def _ascending(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest subsequence whose second places ascend, in n log n."""
    tails: list[int] = []
    ends: list[int] = []
    back: list[int] = []
    for at, (_, place) in enumerate(pairs):
        length = bisect_left(tails, place)
        back.append(ends[length - 1] if length else -1)
        if length == len(tails):
            tails.append(place)
            ends.append(at)
        else:
            tails[length], ends[length] = place, at
    found: list[tuple[int, int]] = []
    at = ends[-1] if ends else -1
    while at >= 0:
        found.append(pairs[at])
        at = back[at]
    return found[::-1]


def _exactly(a: list[int], b: list[int], gap: Gap) -> list[tuple[int, int]]:
    if (gap.a1 - gap.a0) * (gap.b1 - gap.b0) > _MOST_CELLS:
        return []
    codes = LCSseq.opcodes(a[gap.a0 : gap.a1], b[gap.b0 : gap.b1])
    return [
        (gap.a0 + code.src_start + step, gap.b0 + code.dest_start + step)
        for code in codes
        if code.tag == "equal"
        for step in range(code.src_end - code.src_start)
    ]


def pair_similar(before: Sequence[Unit], after: Sequence[Unit]) -> list[tuple[int, int]]:
    """Of two short runs, the pairs of similar units in order that together are most alike."""
    n, m = len(before), len(after)
    if not n or not m or n * m > _MOST_PAIRS:
        return []
    gain = [[_likeness(one, other) for other in after] for one in before]
    best = [[0.0] * (m + 1) for _ in range(n + 1)]
    for i in range(n - 1, -1, -1):
        for j in range(m - 1, -1, -1):
            best[i][j] = max(best[i + 1][j], best[i][j + 1], gain[i][j] and gain[i][j] + best[i + 1][j + 1])
    found: list[tuple[int, int]] = []
    i = j = 0
    while i < n and j < m:
        if gain[i][j] and best[i][j] == gain[i][j] + best[i + 1][j + 1]:
            found.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return found


def _likeness(one: Unit, other: Unit) -> float:
    """How much is gained by pairing them; 0 where they are two different things.

    "投标有效期：90天" and "投标有效期：自开标起一百二十日" are two values of one thing: the label decides.
    """
    named = bool(one.label) and one.label == other.label
    score = fuzz.ratio(one.key, other.key, score_cutoff=0.0 if named else LEAST_SIMILAR)
    return (score + named) * min(len(one.key), len(other.key))
