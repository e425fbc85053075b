"""Which lines of a tender are headings, and how deep: one set of patterns for every reader.

Many tenders carry no heading styles at all, only bold or numbered text, so the number decides. Levels:
1 章/部分/卷/篇 · 2 节, and the titles every tender has · 3 一、 · 4 （一） · 5 1. or 1、 · 6 1.1 · 7 1.1.1 …
Only their order matters; a document may skip levels.
"""

from __future__ import annotations

import re

MAX_TITLE = 48  # longer lines are clauses, not titles

_HAN = "一二三四五六七八九十百零〇"
_CHAPTER = re.compile(rf"^第\s*[{_HAN}\d]{{1,4}}\s*(?:章|部分|卷|篇|册)(?!的|中(?!标)|所|内(?!容)|规定|要求)")
_SECTION = re.compile(rf"^第\s*[{_HAN}\d]{{1,4}}\s*节(?!的|中(?!标)|所|内(?!容))")
_HAN_ITEM = re.compile(rf"^[{_HAN}]{{1,3}}\s*[、．.]\s*\S")
_HAN_BRACKET = re.compile(rf"^[（(]\s*[{_HAN}]{{1,3}}\s*[）)]\s*\S")
_DOTTED = re.compile(r"^(\d{1,2}(?:\s?[.．]\s?\d{1,2}){1,4})[.．、]?(?![\d%％.])\s*\S")
_NUMBER = re.compile(r"^(\d{1,2})\s*[.．、](?!\d)\s*\S")
_TITLE = re.compile(
    r"^(?:(?:公开|邀请)?(?:招标|采购|磋商|谈判|询价|询比|比选|资格预审|投标|竞价|遴选)?(?:公告|邀请书?|邀请函)"
    r"|[\u4e00-\u9fff]{0,8}须知(?:及?前附表|正文|资料表|通用条款)?|(?:须知)?前附表|目录|总则"
    r"|评标办法(?:前附表)?(?:[（(].{2,12}[）)])?|评[标审分](?:方法|标准|办法|细则)(?:[和及与、].{2,8})?"
    r"|(?:采购|项目|招标|服务|用户|技术|货物)+需求(?:书|一览表)?|技术(?:规范|要求|标准)(?:和要求|书)?"
    r"|(?:通用|专用|采购|服务)?合同(?:主要)?(?:条款|文本|格式|书|范本)(?:及?格式)?"
    r"|(?:投标|响应|应答)文件(?:格式|组成|的组成|内容)?|工程量清单|附件|资格审查(?:表|标准)?|符合性审查(?:表|标准)?"
    r"|评分(?:标准|细则|办法)?表?|评审(?:标准|细则|办法|因素)表?|开标一览表)$"
)
_NO_TITLE = re.compile(
    r"[。；;，,：:？?！!]|[年月日]\s*$|^[\d\s.\-—/()（）]+$|公司$|^[（(].*[）)]$|_{2,}|…|编号"
)
_SPACED = re.compile(r"(?<=[\u4e00-\u9fff）])[ \u3000]+(?=[\u4e00-\u9fff（])")
_CONTENTS_LINE = re.compile(r"(?:[.．·…。]{3,}|…{2,}|\.(?:\s\.){2,}|\t)\s*[-—(（]?\s*\d{1,4}\s*[-—)）]?$")
_SENTENCE_END = "。；;，,！？!?、"


def is_contents_line(text: str) -> bool:
    """A line of a table of contents: a title, leaders or a tab, a page number."""
    return bool(_CONTENTS_LINE.search(text.strip()[-80:]))


def heading_level(text: str) -> int | None:
    """The level of a heading by its words alone; None for everything else."""
    line = text.strip()
    if not line or len(line) > MAX_TITLE or "\n" in line or line[-1] in _SENTENCE_END:
        return None
    if is_contents_line(line):
        return None
    close = _SPACED.sub("", line)  # titles are often set with blanks between the letters
    if _CHAPTER.match(close):
        return 1
    if _SECTION.match(close) or _TITLE.match(close):
        return 2
    return _item_level(line)


def is_title_like(text: str) -> bool:
    """Short and no sentence: what is also set large or centred and bold is then a heading."""
    line = text.strip()
    return 2 <= len(line) <= 30 and "\n" not in line and not _NO_TITLE.search(line)


def chapter_number(title: str) -> str | None:
    """ "第三章" of "第三章 合同条款"; None where there is no such number."""
    match = _CHAPTER.match(_SPACED.sub("", title.strip()))
    return re.sub(r"\s", "", match.group(0)) if match else None


def marker_level(line: str) -> int | None:
    """The level that the number before a line tells, whatever follows it."""
    close = _SPACED.sub("", line.strip())
    if _CHAPTER.match(close):
        return 1
    return 2 if _SECTION.match(close) else _number_level(line.strip())


def _item_level(line: str) -> int | None:
    if any(mark in line for mark in "。；：:") or len(line) > 36:
        return None
    return _number_level(line)


def _number_level(line: str) -> int | None:
    if _HAN_ITEM.match(line):
        return 3
    if _HAN_BRACKET.match(line):
        return 4
    if dotted := _DOTTED.match(line):
        return 5 + len(re.findall(r"[.．]", dotted.group(1)))
    return 5 if _NUMBER.match(line) else None


_MARKER = re.compile(
    rf"^(?:第\s*[{_HAN}\d]{{1,4}}\s*(?:章|部分|节|条|卷|篇)"
    rf"|[{_HAN}]{{1,3}}\s*[、．]|[（(]\s*(?:[{_HAN}]{{1,3}}|\d{{1,3}}|[a-zA-Z])\s*[）)]"
    r"|\d{1,2}(?:[.．]\d{1,2}){0,4}\s*[、．）)]|\d{1,2}\.(?=\D)|\d{1,2}(?:\.\d{1,2}){1,4}(?=[\s\u4e00-\u9fff])"
    r"|[①-⑳⑴-⒇❶-❿]|[a-zA-Z]\s*[.、）)](?=\s*[\u4e00-\u9fff])"
    r"|[★▲※☆△◆◇●○■□☑☒➢•▪·*＊#-](?=\s*[\u4e00-\u9fff\d《“])|注\s*[：:\d]|附件\s*[\d一二三四五六七八九十]|备注\s*[：:])"
)


def starts_item(text: str) -> bool:
    """Whether a line opens a clause, list item or heading of its own, so that it continues nothing."""
    return bool(_MARKER.match(text.lstrip()))


class Outline:
    """The titles above the current place, fed heading by heading."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []

    def enter(self, level: int, title: str) -> tuple[str, ...]:
        """Open a heading; returns the titles above it."""
        while self._open and self._open[-1][0] >= level:
            self._open.pop()
        above = self.path
        self._open.append((level, title))
        return above

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(title for _, title in self._open)
