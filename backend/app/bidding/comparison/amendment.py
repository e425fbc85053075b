"""A notice (补遗, 澄清, 答疑, 更正) against its base: each of its statements as a change with both places."""

from __future__ import annotations

import re

from backend.app.bidding.comparison.changes import Change, ChangeType
from backend.app.bidding.comparison.places import Base, facts_named
from backend.app.bidding.comparison.segments import Segment, differences
from backend.app.bidding.comparison.statements import Statement, read_statements
from backend.app.bidding.findings import Span
from backend.app.documents.canonical import Document

NOT_FOUND = "通知引用的原文未在基准文件中找到，请人工核对"
NOT_QUOTED = "通知未引用原文，也未能确定基准文件中的对应条款"
_TITLE = 40
_NUMBER = re.compile(r"^(?:更正|澄清|变更|修改)?(?:内容|事项)?[：:]?\d{0,2}[、.．]?|^将|[：:]$")


def compare_notice(base: Base, new: Document) -> tuple[list[Change], list[Statement]]:
    """The changes in the order of the notice, and the statements that they come from."""
    statements = read_statements(new)
    return [_change(base, new, one) for one in statements], statements


def _change(base: Base, new: Document, said: Statement) -> Change:
    before, how, note = _place_in_base(base, new, said)
    segments: tuple[Segment, ...] = ()
    if said.type is ChangeType.CHANGED and before is not None and said.after is not None and how in _WORDED:
        segments = differences(base.document.text, before, new.text, said.after)
    return Change(said.type, before, said.after or said.place, segments, _title(said), how, note)


_WORDED = ("exact", "normalized", "fuzzy")


def _place_in_base(base: Base, new: Document, said: Statement) -> tuple[Span | None, str | None, str | None]:
    """Where the old words stand, how they were found, and what there is to say about it."""
    clause = base.clause(said.about)
    named = [fact for name in facts_named(said.about) if (fact := base.facts.get(name)) is not None]
    if said.before is None:
        if said.type is ChangeType.ADDED:
            return None, None, None
        if clause is not None:
            return clause, "reference", None
        if named and said.type is not ChangeType.CLARIFIED:
            return named[0].source, "fact", None
        return None, None, None if said.type is ChangeType.CLARIFIED else NOT_QUOTED
    quote = new.text[said.before.start : said.before.end]
    for known in [*([clause] if clause else []), *(fact.source for fact in named), None]:
        if place := base.find(quote, known):
            return place.span, place.how, None
    if clause is not None:
        return clause, "reference", NOT_FOUND
    return None, None, NOT_FOUND


def _title(said: Statement) -> str:
    words = said.reference
    while (shorter := _NUMBER.sub("", words, count=1)) != words:
        words = shorter
    return words[:_TITLE]
