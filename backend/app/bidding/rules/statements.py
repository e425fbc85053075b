"""A document as facts are read: passages with what names them, i.e. row label, lead-in and section.

A value rarely stands beside its label alone: the label may be the first cell of the row, a line of its
own ("投标保证金金额：") or the heading above ("三、获取招标文件" over "时间：…"). `places` finds a label in
any of the three and says how close it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from backend.app.bidding.findings import Fact
from backend.app.bidding.rules.passages import Passage, same_row, split_passages
from backend.app.bidding.rules.zones import Zone
from backend.app.documents.canonical import BlockKind, Document

_LABEL_LENGTH = 40
_TITLE_LENGTH = 20
_COVER_LINES = 40
_BARE_LABEL = 14
_LABEL_SHARE = 0.5
_EQUALS = re.compile(r"[：为是系]|名称")
_NUMBER_CELL = re.compile(r"[★▲*]*[\d.、（）()]{0,10}|[一二三四五六七八九十]{1,3}、?")
_FRONT_TABLE = re.compile(r"前附表|资料表|须知表|一览表|须知前|数据表")
_CONTENTS = re.compile(r"目录|contents", re.IGNORECASE)
_SENTENCE = re.compile(r"：|[。；，]$")
_NOTICE = re.compile(r"(?:公告|邀请(?:函|书)?|通告)$")

# What stands where a value should be and is none.
BLANK = re.compile(
    r"^[\s_＿/／\\\-—－–…·.。*×xX：；，、（）()【】\[\]□]*$"
    r"|(?:详|另)?见(?:投标|供应商|响应人|采购|招标|磋商|谈判|询价|比选|竞争|本|上述|以上|下|附|前|后|第|公告|须知|合同|《|“|【|各|用户|项目|技术|商务)"
    r"|详见|另行(?:通知|约定)|按照?(?:采购|招标|磋商)(?:文件|公告|需求)(?:要求|规定|执行)?$|同(?:招标|采购)?公告"
    r"|[_＿]{2,}|[×xX]{2,}|\*{2,}|…{1,}|(?:^|[^\d])年(?:[^\d]|)月(?:[^\d]|)日"
    r"|[（(\[【](?:项目|采购人|招标人|采购单位|招标单位|工程|代理机构|采购代理机构|招标代理|招标|填写|请填|此处|以下|具体|注)[^）)\]】]*[）)\]】]$"
)


class Source(StrEnum):
    """Where a statement stands; the order says how far its facts are trusted."""

    FRONT_TABLE = "front_table"
    NOTICE = "notice"
    COVER = "cover"
    INSTRUCTIONS = "instructions"
    REQUIREMENTS = "requirements"
    EVALUATION = "evaluation"
    CONTRACT = "contract"
    FORMS = "forms"


TRUST: dict[Source, float] = {
    Source.FRONT_TABLE: 1.0,
    Source.NOTICE: 0.95,
    Source.COVER: 0.9,
    Source.REQUIREMENTS: 0.75,
    Source.INSTRUCTIONS: 0.7,
    Source.EVALUATION: 0.6,
    Source.CONTRACT: 0.4,
    Source.FORMS: 0.2,
}
_ZONES = {
    Zone.NOTICE: Source.NOTICE,
    Zone.INSTRUCTIONS: Source.INSTRUCTIONS,
    Zone.REQUIREMENTS: Source.REQUIREMENTS,
    Zone.EVALUATION: Source.EVALUATION,
    Zone.CONTRACT: Source.CONTRACT,
    Zone.FORMS: Source.FORMS,
    Zone.OTHER: Source.NOTICE,
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value may begin in `compact`. `label`: compact offset of its label, None when outside."""

    start: int
    closeness: float
    label: int | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    passage: Passage
    source: Source
    label: str  # the row's label cells
    lead: str  # the line before, when it ends with a colon
    section: str  # heading above

    @property
    def compact(self) -> str:
        return self.passage.compact

    @property
    def context(self) -> str:
        return f"{self.section}；{self.label}；{self.lead}"

    def places(self, pattern: re.Pattern[str]) -> Iterator[Place]:
        """Where values named by `pattern` may begin, the closest label first."""
        inline = False
        for found in pattern.finditer(self.compact):
            inline = True
            early = found.start() - self._marker_length() <= 1
            yield Place(found.end(), 1.0 if early else 0.85, found.start())
        if inline:
            return
        if pattern.search(self.label) or self._leads(pattern):
            yield Place(0, 0.9)
        elif not self.passage.is_heading and pattern.search(self.section):
            yield Place(0, 0.7)

    def is_assigned(self, place: Place, start: int) -> bool:
        """Whether a value is set against its label: by a colon or 为, or by white space in a table's line."""
        if place.label is None or _EQUALS.search(self.compact[place.start : start]):
            return True
        offsets = self.passage.offsets
        apart = start < len(offsets) and offsets[start] > offsets[start - 1] + 1
        return apart and place.closeness == 1.0 and self.source in (Source.FRONT_TABLE, Source.INSTRUCTIONS)

    def _leads(self, pattern: re.Pattern[str]) -> bool:
        """Whether the line before is the label; a line without a colon has to be little else."""
        found = pattern.search(self.lead)
        if found is None or self.lead[-1] == "：":
            return found is not None
        return found.end() - found.start() >= _LABEL_SHARE * len(self.lead)

    def _marker_length(self) -> int:
        return self.passage.marker.length if self.passage.marker else 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value read at one place; `weight` 0..1 says how sure its place and label make it."""

    value: str | int | float | bool
    statement: Statement
    start: int  # compact offsets of the words of the value
    end: int
    weight: float
    label: int | None = None

    def fact(self, text: str) -> Fact:
        words = self.statement.passage.span(self.start, self.end)
        first = self.start if self.label is None else min(self.label, self.start)
        source = self.statement.passage.span(first, self.end)
        written = text[words.start : words.end]
        is_quoted = self.value == self.statement.compact[self.start : self.end]
        value = _unbroken(written) if is_quoted and isinstance(self.value, str) else self.value
        return Fact(value, written, source)


def _unbroken(words: str) -> str:
    """As written, without the white space of a broken layout; English words stay apart."""
    return re.sub(r"(?<![A-Za-z,;])\s+|\s+(?![A-Za-z])", "", words).replace("\n", " ")


def choose(candidates: list[Candidate], *, least: float = 0.0) -> Candidate | None:
    """The value that its places speak for most: the best place counts fully, further ones a little.

    Places in the same table or of the same source do not add up without end, so a value that a
    boilerplate repeats ten times cannot beat the front table.
    """
    by_value: dict[object, list[Candidate]] = {}
    for candidate in candidates:
        by_value.setdefault(_key(candidate.value), []).append(candidate)
    best: tuple[float, Candidate] | None = None
    for group in by_value.values():
        group.sort(key=lambda c: -c.weight)
        score = group[0].weight + 0.1 * min(3, len({c.statement.passage.index for c in group}) - 1)
        if group[0].weight >= least and (best is None or score > best[0] + 1e-9):
            best = (score, group[0])
    return best[1] if best else None


def _key(value: object) -> object:
    return re.sub(r"[\W_]", "", value).lower() if isinstance(value, str) else value


def read_statements(document: Document, passages: list[Passage] | None = None) -> list[Statement]:
    """All statements of a document in order."""
    passages = split_passages(document) if passages is None else passages
    cover_end = _cover_end(passages)
    before_rules = _first(passages, Zone.INSTRUCTIONS)
    rows = _row_labels(document)
    found: list[Statement] = []
    heading = ""
    for passage in passages:
        lead = _lead(passages, passage.index)
        if len(passage.compact) <= _TITLE_LENGTH and _NOTICE.search(passage.compact):
            heading = passage.compact
        label = rows.get((passage.cell.table, passage.cell.row, passage.cell.col), "") if passage.cell else ""
        source = _source(passage, cover_end, before_rules, heading)
        # A table's place names it, not the last line above that happened to look like a heading.
        section = passage.section if passage.cell is None else ""
        found.append(Statement(passage, source, label, lead, section))
    return found


def _source(passage: Passage, cover_end: int, before_rules: int, heading: str) -> Source:
    if passage.index < cover_end:
        return Source.COVER
    if passage.zone is Zone.INSTRUCTIONS and passage.cell is not None:
        return Source.FRONT_TABLE
    early = passage.index < before_rules and bool(heading)
    if early and passage.zone in (Zone.OTHER, Zone.REQUIREMENTS, Zone.EVALUATION):
        return Source.NOTICE
    return _ZONES[passage.zone]


def _first(passages: list[Passage], zone: Zone) -> int:
    """Where `zone` really begins: the first three passages of it in a row."""
    for one, two, three in zip(passages, passages[1:], passages[2:], strict=False):
        if one.zone is two.zone is three.zone is zone and len(three.compact) > 12:
            return one.index
    return len(passages)


def _cover_end(passages: list[Passage]) -> int:
    """The first passage behind the cover: the contents, a chapter, or a running sentence."""
    for passage in passages[:_COVER_LINES]:
        chapter = passage.marker is not None and passage.marker.kind in ("chapter", "cn")
        if _CONTENTS.fullmatch(passage.compact) or chapter or len(passage.compact) > 120:
            return passage.index
        if passage.index and _NOTICE.search(passage.compact) and len(passage.compact) <= _TITLE_LENGTH:
            return passage.index
    return min(len(passages), _COVER_LINES // 2)


def _lead(passages: list[Passage], at: int) -> str:
    """The line before, when it only announces this one: "投标保证金金额：", "1.采购人信息"."""
    if at == 0:
        return ""
    before, here = passages[at - 1], passages[at]
    if not (before.cell is here.cell is None or same_row(before.cell, here.cell)):
        return ""
    if len(before.compact) > _LABEL_LENGTH or not _may_follow(before, here):
        return ""
    if before.compact[-1] == "：":
        return before.compact
    if _SENTENCE.search(before.compact):
        return ""
    is_label = len(before.compact) <= _BARE_LABEL and not _is_numbered(here)
    return before.compact if is_label or before.marker is not None else ""


def _may_follow(before: Passage, here: Passage) -> bool:
    """Whether `here` can be what `before` announces: plain words, or the first item of a list below it."""
    if not _is_numbered(here) or here.marker is None:
        return True
    other_kind = before.marker is None or before.marker.kind != here.marker.kind
    return here.marker.is_first and here.marker.kind != "dotted" and other_kind


def _is_numbered(passage: Passage) -> bool:
    """A bare number in front ("90 日历天") may well be the value."""
    return passage.marker is not None and passage.marker.kind != "bare"


def _row_labels(document: Document) -> dict[tuple[int, int, int], str]:
    """Per cell (table, row, column): the short cells to the left of it; cells cut by a page go on."""
    labels: dict[tuple[int, int, int], str] = {}
    row: tuple[int, int] | None = None
    parts: list[tuple[int, str]] = []
    carried: list[tuple[int, str]] = []
    for block in document.blocks:
        cell = block.cell
        if cell is None or block.kind is not BlockKind.TABLE_CELL:
            continue
        if row != (cell.table, cell.row):
            carried = parts if row is not None and row[0] == cell.table else []
            row, parts = (cell.table, cell.row), []
        words = "".join(document.text[block.start : block.end].split())
        key = (cell.table, cell.row, cell.col)
        if key not in labels:
            labels[key] = _joined([p for p in parts if p[0] < cell.col]) or (
                _joined([p for p in carried if p[0] < cell.col]) if not parts and cell.col > 0 else ""
            )
        if len(words) <= _LABEL_LENGTH:
            parts.append((cell.col, words))
        elif not parts and cell.col > 0:
            parts = [p for p in carried if p[0] < cell.col]
    return labels


def _joined(parts: list[tuple[int, str]]) -> str:
    return "：".join(words for _, words in parts if not _NUMBER_CELL.fullmatch(words))
