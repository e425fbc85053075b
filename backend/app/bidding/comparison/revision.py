"""A full new version against the one before: what was added, removed, reworded or moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from backend.app.bidding.comparison.align import Gap, between, match_equal
from backend.app.bidding.comparison.changes import Change, ChangeType
from backend.app.bidding.comparison.gaps import differ
from backend.app.bidding.comparison.noise import is_punctuation, is_reprint, is_shuffled, without_scraps
from backend.app.bidding.comparison.segments import differences
from backend.app.bidding.comparison.units import Reading, Unit
from backend.app.bidding.findings import Span
from backend.app.documents.canonical import Document

_LEAST_MOVED = 12  # letters; shorter ones are everywhere
_ALIKE_ELSEWHERE = 80.0  # of 100: reworded and moved at once
_MOST_ELSEWHERE = 250_000  # pairs that are looked at for that
_LONGEST_SECTION = 4_000  # code points of a removed or added section that is told as one change


@dataclass(frozen=True, slots=True)
class Aligned:
    """Two documents in units, and which of them are equal in order."""

    base: Document
    new: Document
    before: list[Unit]
    after: list[Unit]
    pairs: list[tuple[int, int]]

    @classmethod
    def of(cls, base: Reading, new: Reading) -> Aligned:
        pairs = match_equal([unit.key for unit in base.units], [unit.key for unit in new.units])
        return cls(base.document, new.document, base.units, new.units, pairs)


def compare_versions(aligned: Aligned) -> list[Change]:
    """Every change, in the order of the new document."""
    moved = _moved(aligned)
    gone, come = {i for run in moved for i in run.before}, {j for run in moved for j in run.after}
    removed: list[Unit] = []
    added: list[Unit] = []
    changed: list[tuple[Unit, Unit]] = []
    whole = Gap(0, len(aligned.before), 0, len(aligned.after))
    for gap in between(aligned.pairs, whole):
        before = [aligned.before[i] for i in range(gap.a0, gap.a1) if i not in gone]
        after = [aligned.after[j] for j in range(gap.b0, gap.b1) if j not in come]
        found = differ(aligned.base, aligned.new, before, after)
        removed += found.removed
        added += found.added
        changed += found.changed
    if is_reprint(aligned.base, aligned.new):
        removed = without_scraps(removed, aligned.new.text)
        added = without_scraps(added, aligned.base.text)
        changed = [pair for pair in changed if not is_shuffled(pair[:1], pair[1:])]
    changed += _reworded_elsewhere(removed, added)
    changed = [pair for pair in changed if not is_punctuation(*pair)]
    changes = [_changed(aligned, one, other) for one, other in changed]
    changes += [run.change(aligned) for run in moved if run.letters(aligned) >= _LEAST_MOVED]
    changes += [Change(ChangeType.REMOVED, span, None) for span in _sections(aligned.base, removed)]
    changes += [Change(ChangeType.ADDED, None, span) for span in _sections(aligned.new, added)]
    return sorted(changes, key=lambda change: change.order)


def _changed(aligned: Aligned, one: Unit, other: Unit) -> Change:
    segments = differences(aligned.base.text, one.span, aligned.new.text, other.span)
    return Change(ChangeType.CHANGED, one.span, other.span, segments)


@dataclass(slots=True)
class _Run:
    """Units that stand elsewhere now, one after the other on both sides."""

    before: list[int]
    after: list[int]

    def letters(self, aligned: Aligned) -> int:
        return sum(len(aligned.before[i].key) for i in self.before)

    def change(self, aligned: Aligned) -> Change:
        old = Span(aligned.before[self.before[0]].start, aligned.before[self.before[-1]].end)
        new = Span(aligned.after[self.after[0]].start, aligned.after[self.after[-1]].end)
        return Change(ChangeType.MOVED, old, new)


def _moved(aligned: Aligned) -> list[_Run]:
    """What went in one place and came in another, word for word."""
    old, new = {i for i, _ in aligned.pairs}, {j for _, j in aligned.pairs}
    places: dict[str, list[int]] = {}
    for j, unit in enumerate(aligned.after):
        if j not in new:
            places.setdefault(unit.key, []).append(j)
    runs: list[_Run] = []
    for i, unit in enumerate(aligned.before):
        free = places.get(unit.key)
        if i in old or not free:
            continue
        last = runs[-1] if runs else None
        follows = last is not None and last.before[-1] == i - 1 and last.after[-1] + 1 in free
        if last is not None and follows:
            free.remove(last.after[-1] + 1)
            last.before.append(i)
            last.after.append(last.after[-1] + 1)
        else:
            runs.append(_Run([i], [free.pop(0)]))
    return runs


def _reworded_elsewhere(removed: list[Unit], added: list[Unit]) -> list[tuple[Unit, Unit]]:
    """Pairs of nearly the same words in two places; both lists lose them."""
    if not removed or not added or len(removed) * len(added) > _MOST_ELSEWHERE:
        return []
    found: list[tuple[Unit, Unit]] = []
    free = {j: unit.key for j, unit in enumerate(added) if len(unit.key) >= _LEAST_MOVED}
    for unit in list(removed):
        if len(unit.key) < _LEAST_MOVED or not free:
            continue
        best = process.extractOne(unit.key, free, scorer=fuzz.ratio, score_cutoff=_ALIKE_ELSEWHERE)
        if best is not None:
            del free[best[2]]
            found.append((unit, added[best[2]]))
            removed.remove(unit)
    taken = {id(unit) for _, unit in found}
    added[:] = [unit for unit in added if id(unit) not in taken]
    return found


def _sections(document: Document, units: Sequence[Unit]) -> Iterator[Span]:
    """Spans of what went or came: a sentence run of one passage, or a section with its heading."""
    run: list[Unit] = []
    for unit in sorted(units, key=lambda one: one.start):
        if run and not _goes_on(document, run, unit):
            yield Span(run[0].start, run[-1].end)
            run = []
        run.append(unit)
    if run:
        yield Span(run[0].start, run[-1].end)


def _goes_on(document: Document, run: list[Unit], unit: Unit) -> bool:
    first, last = run[0], run[-1]
    if document.text[last.end : unit.start].strip():  # something between them stayed
        return False
    if unit.passage == last.passage:
        return True
    return first.is_heading and not unit.is_heading and unit.end - first.start <= _LONGEST_SECTION
