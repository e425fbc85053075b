"""Which part of a tender a passage stands in, by the titles of chapters, sections and annexes."""

from __future__ import annotations

import re
from enum import StrEnum

from backend.app.bidding.rules.markers import marker_of
from backend.app.documents.canonical import Block, BlockKind


class Zone(StrEnum):
    NOTICE = "notice"
    INSTRUCTIONS = "instructions"
    REQUIREMENTS = "requirements"
    EVALUATION = "evaluation"
    CONTRACT = "contract"
    FORMS = "forms"
    OTHER = "other"


_CHAPTER = re.compile(r"第[一二三四五六七八九十百\d]{1,3}(?:章|部分|篇|册|卷|编)")
_CN_HEAD = re.compile(r"[一二三四五六七八九十]{1,3}[、.]")
_ANNEX = re.compile(r"附(?:件|表|录)[一二三四五六七八九十\d]{0,3}(?:[-—.]\d+)?[：、.]?")
# The order decides: "第五章 投标文件格式" before "合同", "评标" before "需求".
_TITLES: tuple[tuple[Zone, re.Pattern[str]], ...] = (
    (Zone.CONTRACT, re.compile(r"合同")),
    (Zone.FORMS, re.compile(r"格式|文件(?:的)?组成|附件$|样式|投标文件内容")),
    (Zone.INSTRUCTIONS, re.compile(r"须知|前附表|资料表")),
    (Zone.CONTRACT, re.compile(r"协议")),
    (
        Zone.EVALUATION,
        re.compile(r"评标|评审|评分|评定|评选|比选办法|磋商(?:程序|办法)|定标|资格审查|符合性审查"),
    ),
    (
        Zone.REQUIREMENTS,
        re.compile(
            r"需求|(?:技术|服务|商务|项目|质量|管理|维护|保洁|供货|货物|用户|采购|工程|施工|建设"
            r"|人员)(?:的)?(?:及商务|与商务|与服务|及服务|和服务|和商务)?(?:要求|规格|规范|标准"
            r"|内容|参数|方案|任务)"
            r"|要求及说明|技术(?:条款|部分|文件|资料|标准)|工程量清单|图纸|任务书|规格|项目概况"
        ),
    ),
    (Zone.NOTICE, re.compile(r"公告|邀请|通告")),
)
_REFINED = frozenset({Zone.INSTRUCTIONS, Zone.NOTICE, Zone.OTHER})
_CONTENTS_GAP = 3


def zone_of_title(title: str) -> Zone | None:
    for zone, pattern in _TITLES:
        if pattern.search(title):
            return zone
    return None


class ZoneTracker:
    """Follows the headings; told of each passage once, in order."""

    def __init__(self, lines: list[str]) -> None:
        self._listed = _listed_chapters(lines)
        self._chapter = Zone.OTHER
        self.zone = Zone.OTHER
        self.section = ""

    def enter_file(self, name: str) -> None:
        """The next file of a package begins: by its name, not in the chapter that the last one ended with."""
        stem = name.rpartition("/")[2].rpartition(".")[0]
        self._chapter = self.zone = zone_of_title(stem) or Zone.OTHER
        self.section = ""

    def see(self, at: int, compact: str, block: Block) -> bool:
        """Take in the passage that begins at line `at`; True when it is a heading."""
        if block.cell is not None or len(compact) > 60:
            return False
        if found := _CHAPTER.match(compact):
            return at not in self._listed and self._enter_chapter(compact[found.end() :], compact)
        short = len(compact) <= 30 and compact[-1] not in "。；，、"
        if short and (found := _CN_HEAD.match(compact)):
            self._refine(compact[found.end() :])
            self.section = compact
            return "：" not in compact[:-1]
        if short and (found := _ANNEX.match(compact)):
            self._annex(compact[found.end() :])
            self.section = compact
            return True
        labels = short and compact[-1] == "：" and compact.count("：") == 1 and marker_of(compact) is not None
        # Readers take bold lines for headings; a sentence is none.
        heading = (
            block.kind is BlockKind.HEADING and len(compact) <= 40 and compact[-1] not in "。；，、]）】"
        )
        heading = heading and "：" not in compact[:-1]
        if heading or labels:
            self.section = compact
        return heading

    def _enter_chapter(self, title: str, compact: str) -> bool:
        if len(compact) > 40 or compact.endswith(("。", "；", "，")):
            return False
        zone = zone_of_title(title)
        if zone is not None:
            self._chapter = zone
        elif self._chapter in (Zone.NOTICE, Zone.INSTRUCTIONS):
            self._chapter = Zone.OTHER
        self.zone, self.section = self._chapter, compact
        return True

    def _refine(self, title: str) -> None:
        if self._chapter not in _REFINED:
            return
        zone = zone_of_title(title)
        narrower = zone in (Zone.EVALUATION, Zone.REQUIREMENTS) and "概况" not in title
        if self._chapter is Zone.OTHER and zone is not None:
            narrower = True
        self.zone = zone if narrower and zone is not None else self._chapter

    def _annex(self, title: str) -> None:
        zone = zone_of_title(title)
        known = zone in (Zone.EVALUATION, Zone.REQUIREMENTS) and self._chapter is not Zone.CONTRACT
        self.zone = zone if zone is not None and (known or self._chapter is Zone.OTHER) else self._chapter


def _listed_chapters(lines: list[str]) -> frozenset[int]:
    """Lines that only list the chapters (contents, "本招标文件包括"): three or more close together."""
    listed: set[int] = set()
    run: list[int] = []
    number = 0
    for at, line in enumerate(lines):
        if len(line) > 60 or not _CHAPTER.match("".join(line.split())):
            continue
        marker = marker_of(line)
        follows = marker is not None and marker.value > number
        if run and (at - run[-1] > _CONTENTS_GAP or not follows):
            if len(run) >= 3:
                listed.update(run)
            run = []
        run.append(at)
        number = marker.value if marker is not None else 0
    if len(run) >= 3:
        listed.update(run)
    return frozenset(listed)
