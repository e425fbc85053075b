"""Qualifications and certificates by name: families of synonyms as data, and where a text names them. Pure.

A family is one paper with all its spellings; its patterns run over compact text (`reading.compact`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from backend.app.bidding.company.families import FAMILIES, Family
from backend.app.bidding.company.levels import Level, Scale, read_level

_BY_KEY = {family.key: family for family in FAMILIES}


# Looking for an anchor is a hundred times cheaper than running all patterns over every sentence.
_PATTERNS = tuple((family, re.compile(family.pattern, re.IGNORECASE)) for family in FAMILIES)
_N = "一二三四五壹贰貳叁叄參肆伍1-5ⅠⅡⅢⅣⅤ"
_ABOVE = (
    r"(?P<above>(?:资质|等级|证书)?(?:\(含[^()]{1,4}\)|\(含\))?(?:及其?以上|或其?以上|或者以上|以上)"
    r"(?:\(含[^()]{1,4}\)|\(含\))?)?"
)
_GRADE_BEHIND = re.compile(
    rf"(?:企业)?(?:资质|等级|级别|证书|认证|证|[(—-]){{0,2}}(?P<level>特级|[{_N}]级|[甲乙丙丁]级){_ABOVE}"
)
_MATURITY_BEHIND = re.compile(
    rf"(?:认证|等级|级别|评估|证书|[(—-]|DEV|ML|[Ll](?:evel|EVEL)?){{0,3}}(?P<level>[{_N}])(?:级|(?![\d个项名份年分])){_ABOVE}"
)
_GRADE_BEFORE = re.compile(rf"(?P<level>特级|[{_N}]级|[甲乙丙丁]级){_ABOVE}(?:的)?$")
_CERTIFIED = re.compile(r"认证|证书")
_TAIL = re.compile(r"^\)?(?:资质证书|资质|认证证书|认证|合格证书|合格证|证书|证)+")
_TITLED = re.compile(r"《(?P<name>[^《》]{2,30}?(?:许可证|资质证书|登记证书|备案证|备案凭证|合格证|证书))》")


@dataclass(frozen=True, slots=True)
class NamedPaper:
    """A paper that a text names at [start, end). `key`: its family, or its own name in full."""

    key: str
    label: str
    start: int
    end: int
    level: Level | None = None
    or_higher: bool = False


def find_papers(text: str, *, certified: bool = False) -> list[NamedPaper]:
    """Every paper that a compact text names, in order; two spellings of one side by side are one.

    `certified`: a management system named by words alone counts only beside 认证 or 证书; a tender also asks
    for a 质量管理体系 of the service to be described.
    """
    found: list[NamedPaper] = []
    for match, family in _mentions(text):
        by_words = match[0].endswith("体系")
        if certified and by_words and not _CERTIFIED.search(text, match.end(), match.end() + 24):
            continue
        paper = _with_level(text, match.start(), match.end(), family)
        if found and found[-1].key == paper.key and text[found[-1].end : paper.start] in ("", "(", "/"):
            last = found.pop()
            level, above = (paper.level, paper.or_higher) if paper.level else (last.level, last.or_higher)
            paper = NamedPaper(paper.key, paper.label, last.start, paper.end, level, above)
        found.append(paper)
    taken = [(paper.start, paper.end) for paper in found]
    found += [
        NamedPaper(match["name"], f"《{match['name']}》", match.start(), match.end())
        for match in _TITLED.finditer(text)
        if not any(start < match.end() and match.start() < end for start, end in taken)
    ]
    return sorted(found, key=lambda paper: paper.start)


def _mentions(text: str) -> list[tuple[re.Match[str], Family]]:
    """Matches of all families in order; of two that overlap the longer one."""
    upper = text.upper()
    matches = [
        (match, family)
        for family, pattern in _PATTERNS
        if any(anchor in upper for anchor in family.anchors)
        for match in pattern.finditer(text)
    ]
    matches.sort(key=lambda found: (found[0].start() - found[0].end(), found[0].start()))
    kept: list[tuple[re.Match[str], Family]] = []
    for match, family in matches:
        if all(match.end() <= other.start() or other.end() <= match.start() for other, _ in kept):
            kept.append((match, family))
    return sorted(kept, key=lambda found: found[0].start())


def _with_level(text: str, start: int, end: int, family: Family) -> NamedPaper:
    behind = _MATURITY_BEHIND if family.scale is Scale.MATURITY else _GRADE_BEHIND
    match = behind.match(text, end)
    if match is None and family.scale is Scale.GRADE:
        match = _GRADE_BEFORE.search(text, max(0, start - 16), start)
        start = match.start() if match else start
    else:
        end = match.end() if match else end
    tail = _TAIL.match(text[end : end + 16])
    end += tail.end() if tail else 0
    level = read_level(match["level"], family.scale) if match else None
    return NamedPaper(family.key, family.label, start, end, level, bool(match and match["above"]))


@lru_cache(maxsize=4096)
def held_paper(name: str, level: str) -> tuple[frozenset[str], Level | None]:
    """What an entry of a profile is: the keys of its families (its own name when it has none), and its
    level. The level may stand in a field of its own or in the name ("CMMI3级")."""
    compact = "".join(name.split()).translate(_HALF)
    papers = find_papers(compact)
    keys = frozenset(paper.key for paper in papers) | {_bare(compact)}
    scale = _BY_KEY[papers[0].key].scale if papers and papers[0].key in _BY_KEY else Scale.GRADE
    stated = read_level("".join(level.split()).translate(_HALF), scale) if level else None
    return keys, stated or next((paper.level for paper in papers if paper.level), None)


_HALF = str.maketrans("（）／－：", "()/-:")


def _bare(name: str) -> str:
    return name.strip("《》")
