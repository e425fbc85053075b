"""What to quote: the sentence when it is short, else the clauses around what matters."""

from __future__ import annotations

import re
from dataclasses import dataclass

from backend.app.bidding.findings import Priority, Span, Tab

_BREAK = re.compile(r"[，、,]|：(?![\d/])")  # "17：30" and "http：//" are one
# "未被甲、乙列入名单": without its beginning the quote would ask for the opposite.
_NOT = re.compile(r"未[被列纳曾受]|不得|不接受|不允许|不存在|没有|禁止|严禁")
_CLAUSE_END = re.compile(r"[，,；：。]")
_NOT_REACH = 120
# The number of a list item says nothing outside its list; a clause number ("15.4") is an address and stays.
_ITEM_NUMBER = re.compile(
    r"\s*(?:[（(]\s*[\d一二三四五六七八九十]{1,3}\s*[）)]|[①-⑳⑴-⒇]|\d{1,2}\s*[)）、]|\d{1,2}\s*[.．](?!\s?\d)"
    r"|[一二三四五六七八九十]{1,3}、|[A-Za-z]\s*[)）、])\s*(?=\S)"
)
_TAIL = "；;，,、：:。 \t\r\n\u3000\xa0"
_BRACKETS = {"（": "）", "(": ")", "《": "》", "“": "”", "【": "】"}
_CLOSING_REACH = 16  # characters behind a quote in which a bracket that it opens may be closed
_LOOSE_END = re.compile(r"[，；](?:则|且|并|或|并且|或者|否则|如|其中|以便|同时)其?$")
_LEAST_LEFT = 4


@dataclass(frozen=True, slots=True)
class Candidate:
    """A finding before the selection. `weight`: 0..100, how much its absence would hurt."""

    tab: Tab
    span: Span
    compact: str
    title: str
    why: str
    guidance: str
    priority: Priority
    weight: float
    points: float | None = None
    milestone: str | None = None
    date: str | None = None
    date_text: str | None = None
    lot: str | None = None


def clip(text: str, sentence: tuple[int, int], match: tuple[int, int], reach: int) -> tuple[int, int]:
    """A range of at most about `reach` characters of the sentence that holds the match.

    Grows backwards first: conditions stand before the consequence that was matched.
    """
    start, end = sentence
    if end - start <= reach:
        return sentence
    cuts = [start, *(start + m.end() for m in _BREAK.finditer(text[start:end])), end]
    low = max((c for c in cuts if c <= match[0]), default=start)
    high = min((c for c in cuts if c >= match[1]), default=end)
    while True:
        before = max((c for c in cuts if c < low), default=None)
        after = min((c for c in cuts if c > high), default=None)
        if before is not None and high - before <= reach:
            low = before
        elif after is not None and after - low <= reach:
            high = after
        else:
            break
    if high - low > 2 * reach:  # one endless clause
        low, high = max(low, match[0] - reach), min(high, match[1] + reach // 2)
    return _with_its_not(text, start, low), high


def _with_its_not(text: str, start: int, low: int) -> int:
    """Where the clause begins that was cut at `low`, if what was cut off says "not"; else `low`."""
    ends = [found.end() for found in _CLAUSE_END.finditer(text, start, low)]
    clause = max(ends, default=start)
    governed = low - clause <= _NOT_REACH and _NOT.search(text, clause, low) is not None
    return clause if governed else low


def clip_head(text: str, start: int, end: int, reach: int) -> tuple[int, int]:
    """The first clauses of a list item, about `reach` characters."""
    if end - start <= reach:
        return start, end
    last = start
    for found in _BREAK.finditer(text, start + 1, end):
        if found.end() - start > reach:
            break
        last = found.end()
    for found in re.finditer(r"[。；]", text[start : start + reach + 1]):
        last = max(last, start + found.end())
    return (start, last) if last - start >= reach // 3 else (start, min(end, start + reach))


def tidy(span: Span, text: str) -> Span:
    """The quote without the number of its list item, the marks between clauses and white space at its ends.

    A bracket that the cut left open is closed, when its other half stands close by, or left out.
    """
    start, end = span.start, _closed(span, text)
    if found := _ITEM_NUMBER.match(text, start, end):
        start = found.end()
    words = text[start:end]
    start += len(words) - len(words.lstrip())
    end = start + len(_LOOSE_END.sub("", words.strip().rstrip(_TAIL)))
    return Span(start, end) if end - start >= _LEAST_LEFT else span


def _closed(span: Span, text: str) -> int:
    """Where the quote ends with its brackets whole."""
    words = text[span.start : span.end]
    for opening, closing in _BRACKETS.items():
        at = words.rfind(opening)
        if at < 0 or words.find(closing, at) >= 0:
            continue
        behind = text.find(closing, span.end, span.end + _CLOSING_REACH)
        if behind >= 0 and "\n" not in text[span.end : behind]:
            return behind + 1
        if at >= len(words) // 2:
            return span.start + at
    return span.end
