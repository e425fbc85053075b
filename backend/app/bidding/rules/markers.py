"""Numbering at the start of a line: 第三章, 一、, （一）, 1., 1.2.3, （1）, 1）, ①; and signs such as ★.

The kind and depth of a marker decide where a list ends: at the first passage whose marker is more outer
than the items'.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

SIGNS = "★☆▲△※＊*#◆●■□☑☒√"
_CN = "一二三四五六七八九十百零〇"
_CIRCLED = "".join(chr(0x2460 + n) for n in range(20)) + "".join(chr(0x2474 + n) for n in range(20))
# Units after a bare number say that a wrapped line goes on, not that an item begins: "15\n天前".
_UNIT = (
    r"(?![\d点天个家份万元次%％℃米级层楼号条款岁,，~～:：/\-—]"
    r"|年(?!度)|月(?!度)|日(?!常)|时(?!间)|分(?![包项部类别标值])|人(?!员)|名(?!称)|项(?!目)"
    r"|周(?!边)|小时|工作日)"
)
_MARKER = re.compile(
    rf"\s*(?P<sign>[{re.escape(SIGNS)}])?\s*(?:"
    rf"(?P<chapter>第\s*[{_CN}\d]{{1,3}}\s*[章节部分篇条册卷编])"
    rf"|(?P<cn>[{_CN}]{{1,3}}\s*[、.．])"
    rf"|(?P<cn_paren>[（(]\s*[{_CN}]{{1,3}}\s*[）)])"
    rf"|(?P<dotted>(?>\d{{1,3}}(?:\s?[.．]\s?\d{{1,3}}){{1,4}})){_UNIT}[、.．)）]?"
    rf"|(?P<number>\d{{1,3}}\s*[、.．](?!\d))"
    rf"|(?P<paren>[（(]\s*\d{{1,3}}\s*[）)])"
    rf"|(?P<half>\d{{1,3}}\s*[)）])"
    rf"|(?P<circle>[①-⑳⑴-⒇])"
    rf"|(?P<letter>[A-Za-z]\s*[、.．)）](?![A-Za-z]))"
    rf"|(?P<bare>\d{{1,2}}(?=[ \t\u3000]*[一-鿿《“])){_UNIT}"
    rf")"
)
_ORDINAL = re.compile(rf"(\d+|[{_CN}]+|[①-⑳⑴-⒇]|[A-Za-z])[^\d{_CN}]*$")
_SIGN_ONLY = re.compile(rf"\s*(?P<sign>[{re.escape(SIGNS)}])\s*(?=\S)")
_RANK = {
    "chapter": 0,
    "cn": 1,
    "cn_paren": 2,
    "number": 3,
    "bare": 3,
    "dotted": 3,
    "half": 5,
    "paren": 5,
    "circle": 6,
    "letter": 6,
}
_PAGE_NUMBER = re.compile(
    r"[\s\-—–·]*(?:第\s*)?\d{1,4}\s*(?:页)?(?:\s*[/／，,]?\s*共?\s*\d{1,4}\s*页?)?[\s\-—–·]*"
)


@dataclass(frozen=True, slots=True)
class Marker:
    """`depth`: how many numbers a dotted marker has, otherwise 1. `length`: compact characters."""

    kind: str
    depth: int
    length: int
    sign: str | None = None
    value: int = 0  # the last number of the marker, 0 when it has none

    @property
    def is_first(self) -> bool:
        """1, 一, ① or a: a list begins."""
        return self.value == 1

    @property
    def rank(self) -> tuple[int, int]:
        """Smaller is more outer."""
        return _RANK.get(self.kind, 9), self.depth

    def same_level(self, other: Marker) -> bool:
        return self.kind == other.kind and self.depth == other.depth


def marker_of(text: str) -> Marker | None:
    """The marker at the start of a line; None when it begins with words."""
    if found := _MARKER.match(text):
        kind = found.lastgroup or "sign"
        kind = next((k for k in _RANK if found.group(k)), kind)
        whole = found.group(0)
        depth = len(re.findall(r"\d+", found.group("dotted"))) if found.group("dotted") else 1
        compact = "".join(whole.split())
        return Marker(kind, depth, len(compact), found.group("sign"), _value(compact))
    if found := _SIGN_ONLY.match(text):
        return Marker("sign", 1, 1, found.group("sign"))
    return None


def _value(marker: str) -> int:
    found = _ORDINAL.search(marker)
    if found is None:
        return 0
    number = found.group(1)
    if number.isdecimal():
        return int(number)
    if number in _CIRCLED:
        return _CIRCLED.index(number) % 20 + 1
    if number.isascii():
        return ord(number.lower()) - ord("a") + 1
    tens, ten, units = number.rpartition("十")
    if not ten:
        return _CN.find(number[-1]) + 1
    return (_CN.find(tens) + 1 or 1) * 10 + (_CN.find(units) + 1 if units else 0)


def is_page_number(line: str) -> bool:
    return len(line) <= 16 and _PAGE_NUMBER.fullmatch(line) is not None
