"""What a notice says: its statements, each with the old and the new words at their places in the notice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from backend.app.bidding.comparison.changes import ChangeType
from backend.app.bidding.comparison.tables import table_statements
from backend.app.bidding.comparison.wording import (
    ADD,
    AFTER_HEAD,
    ANSWER,
    BEFORE_HEAD,
    CUE,
    DELETE,
    DELETE_BEHIND,
    FROM_TO,
    INLINE_ANSWER,
    OLD_NEW,
    QUESTION,
    QUOTED,
    REST,
    TO,
    Statement,
)
from backend.app.bidding.findings import Span
from backend.app.bidding.rules.passages import Passage, split_passages
from backend.app.documents.canonical import Document

__all__ = ["Statement", "read_statements"]
_TRIMMED = " \t\n“”\"'‘’「」『』。；;：:，,"
_REFERENCE = 60


def read_statements(document: Document) -> list[Statement]:
    """Every statement of the notice, in order; each sentence belongs to one at the most."""
    found, taken = table_statements(document)
    passages = [p for p in split_passages(document) if not any(s.start <= p.start < s.end for s in taken)]
    found += _Reader(document, passages).read()
    return sorted(found, key=lambda one: one.place)


@dataclass(slots=True)
class _Reader:
    """Walks over the passages; what a head ("更正前：", "问：") opens lasts until the next one."""

    document: Document
    passages: list[Passage]
    at: int = 0
    topic: str = ""

    def read(self) -> list[Statement]:
        found: list[Statement] = []
        while self.at < len(self.passages):
            passage = self.passages[self.at]
            made = self._pair(passage) or self._question(passage)
            if made is not None:
                found += made
                continue
            inline = list(_inline(self.document, passage, self.topic))
            found += inline
            if not inline:
                self._listen(passage)
            self.at += 1
        return found

    def _listen(self, passage: Passage) -> None:
        """A heading or a short line that ends with a colon says what the next ones are about."""
        if passage.is_heading or (len(passage.compact) <= _REFERENCE and passage.compact[-1] == "："):
            self.topic = passage.compact

    def _pair(self, passage: Passage) -> list[Statement] | None:
        """ "更正前：…" and "更正后：…", each in passages of its own."""
        head = BEFORE_HEAD.match(passage.compact)
        if head is None:
            return None
        until = self._until(self.at + 1, AFTER_HEAD)
        if until is None:
            return None
        end = self._end(until + 1)
        old = self._span(self.at, until, head.end())
        second = AFTER_HEAD.match(self.passages[until].compact)
        new = self._span(until, end, second.end() if second else 0)
        place = Span(passage.start, self.passages[end - 1].end)
        label = head.groupdict().get("label") or ""
        self.at = end
        return [
            _typed(self.document, Statement(ChangeType.CHANGED, old, new, label, place, topic=self.topic))
        ]

    def _question(self, passage: Passage) -> list[Statement] | None:
        """A question and its answer; what the answer replaces is a statement of its own."""
        inline = INLINE_ANSWER.match(passage.compact)
        head = QUESTION.match(passage.compact)
        if inline is None and head is None:
            return None
        start, answered = self.at, self.at
        cut_at = inline.end() if inline else 0
        if inline is None:
            found = self._until(self.at + 1, ANSWER)
            if found is None:
                return None
            answered = found
            second = ANSWER.match(self.passages[found].compact)
            cut_at = second.end() if second else 0
        end = self._end(answered + 1)
        answer = self._span(answered, end, cut_at)
        question = self.passages[start]
        asked = (
            Span(question.start, self.passages[answered - 1].end)
            if inline is None
            else question.span(0, inline.start("answer"))
        )
        words = "".join(p.compact for p in self.passages[start : max(answered, start + 1)])
        place = Span(question.start, self.passages[end - 1].end)
        self.at = end
        made = Statement(ChangeType.CLARIFIED, None, answer, words[:200], place, asked)
        inner = [
            replace(one, place=place, asked=asked, reference=f"{words[:120]}{one.reference}")
            for p in self.passages[answered:end]
            for one in _inline(self.document, p, "", p.compact.find("答") + 1 if inline else 0, cued=False)
        ]
        return inner or [made]

    def _until(self, at: int, head: re.Pattern[str]) -> int | None:
        """The next passage with this head, unless another one comes first."""
        for place in range(at, min(at + 12, len(self.passages))):
            text = self.passages[place].compact
            if head.match(text):
                return place
            if QUESTION.match(text) or BEFORE_HEAD.match(text):
                return None
        return None

    def _end(self, at: int) -> int:
        """Where the words of an answer or of a new wording end."""
        while at < len(self.passages):
            passage = self.passages[at]
            text = passage.compact
            heads = (QUESTION, BEFORE_HEAD, AFTER_HEAD, ANSWER, REST)
            if passage.is_heading or any(head.match(text) for head in heads) or _opens_topic(text):
                break
            at += 1
        return at

    def _span(self, start: int, end: int, skip: int) -> Span | None:
        first = self.passages[start]
        if skip >= len(first.compact):
            start, skip = start + 1, 0
        if start >= end:
            return None
        first = self.passages[start]
        return trimmed(self.document, Span(first.offsets[skip], self.passages[end - 1].end))


def _opens_topic(text: str) -> bool:
    return bool(
        re.match(
            r"(?:[一二三四五六七八九十]{1,3}、|第[一二三四五六七八九十\d]{1,3}[条项处]|[（(][一二三四五六七八九十]{1,2}[）)]|\d{1,2}[、.．](?!\d))",
            text,
        )
    )


def _inline(
    document: Document, passage: Passage, topic: str, begin: int = 0, *, cued: bool = True
) -> Iterator[Statement]:
    """Statements within one passage: "原“…”现修改为“…”", "由…调整为…", "删除…", "增加…"."""
    text = passage.compact
    at = begin
    for found, kind in _matches(text, begin):
        if found.start() < at:
            continue
        at = found.end()
        groups = found.groupdict()
        old = _group(document, passage, found, "before")
        new = _group(document, passage, found, "after")
        reference = f"{groups.get('ref') or ''}{groups.get('ref2') or ''}"
        if kind is ChangeType.ADDED and new is None:
            continue
        made = Statement(kind, old, new, reference, passage.span(found.start(), found.end()), topic=topic)
        yield _typed(document, made)
    if at == begin and cued and CUE.search(text, begin) and not REST.match(text) and not passage.is_heading:
        whole = trimmed(document, passage.span(begin, len(text)))
        if whole is not None and not text.endswith("："):
            yield Statement(ChangeType.CLARIFIED, None, whole, text[:200], whole, topic=topic)


def _matches(text: str, begin: int) -> list[tuple[re.Match[str], ChangeType]]:
    """The surest pattern first; a later one does not read what an earlier one has read."""
    found: list[tuple[re.Match[str], ChangeType]] = []
    for pattern, kind in (
        (QUOTED, ChangeType.CHANGED),
        (OLD_NEW, ChangeType.CHANGED),
        (FROM_TO, ChangeType.CHANGED),
        (DELETE_BEHIND, ChangeType.REMOVED),
        (DELETE, ChangeType.REMOVED),
        (TO, ChangeType.CHANGED),
        (ADD, ChangeType.ADDED),
    ):
        for match in pattern.finditer(text, begin):
            if all(match.end() <= other.start() or match.start() >= other.end() for other, _ in found):
                found.append((match, kind))
    return sorted(found, key=lambda one: one[0].start())


def _group(document: Document, passage: Passage, found: re.Match[str], name: str) -> Span | None:
    if not found.groupdict().get(name):
        return None
    return trimmed(document, passage.span(*found.span(name)))


def _typed(document: Document, made: Statement) -> Statement:
    """更正后 "删除" removes; 更正前 "无" adds."""
    old = "" if made.before is None else "".join(document.text[made.before.start : made.before.end].split())
    new = "" if made.after is None else "".join(document.text[made.after.start : made.after.end].split())
    if re.fullmatch(r"(?:予以)?(?:删除|取消|无|/|-)(?:本条|此条|该条|该项|此项|本项)?", new):
        return replace(made, type=ChangeType.REMOVED, after=None)
    if re.fullmatch(r"无|/|-|—|空白?", old):
        return replace(made, type=ChangeType.ADDED, before=None)
    return made


def trimmed(document: Document, span: Span) -> Span | None:
    """The span without quotation marks, white space and closing signs at its edges."""
    start, end = span.start, span.end
    while start < end and document.text[start] in _TRIMMED:
        start += 1
    while end > start and document.text[end - 1] in _TRIMMED:
        end -= 1
    return Span(start, end) if start < end else None
