"""What every export shows of a result: the chosen items, the facts, the verdict and the notices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from backend.app.bidding.exports.wording import (
    FACT_TITLES,
    FILTERED,
    LEVELS,
    MODES,
    NONE_CONFIRMED,
    NOT_STATED,
    fact_value,
    known_as,
    legal,
    place_of,
)
from backend.app.documents.ocr.pages import page_list

JSON = Mapping[str, Any]
CHINA = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True)
class Origin:
    """Which task a result is of, and when it is exported. Times are aware; None where there is no task."""

    filename: str
    made_at: datetime
    task_id: int | None = None
    created_at: datetime | None = None
    completed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FactRow:
    name: str
    title: str
    value: str
    text: str  # as written
    place: str
    stated: bool


@dataclass(frozen=True, slots=True)
class ReportView:
    """A result as it is exported. `result` is narrowed to confirmed items when `only_confirmed`."""

    result: JSON
    origin: Origin
    only_confirmed: bool = False

    @classmethod
    def of(cls, result: JSON, origin: Origin, *, only_confirmed: bool = False) -> ReportView:
        return cls(_confirmed(result) if only_confirmed else result, origin, only_confirmed)

    @property
    def tabs(self) -> Sequence[JSON]:
        return list(self.result.get("tabs") or ())

    @property
    def project(self) -> str:
        """The project's name, or the file's; one line."""
        fact = (self.result.get("facts") or {}).get("project_name")
        return " ".join(legal(fact["value"] if fact else self.origin.filename).split())

    def items(self, tab_id: str) -> list[JSON]:
        return [item for tab in self.tabs if tab["id"] == tab_id for item in tab["items"]]

    def facts(self) -> list[FactRow]:
        """All of them, also those that the document does not state."""
        paths = _paths(self.tabs)
        return [_fact_row(name, fact, paths) for name, fact in (self.result.get("facts") or {}).items()]

    def meta(self) -> list[tuple[str, str]]:
        """The head of every export: file, task, times in China's time, what analysed it."""
        origin, document = self.origin, self.result.get("document") or {}
        rows = [
            ("招标文件", legal(origin.filename)),
            ("任务编号", str(origin.task_id) if origin.task_id is not None else ""),
            ("提交时间", _moment(origin.created_at)),
            ("完成时间", _moment(origin.completed_at)),
            ("导出时间", _moment(origin.made_at)),
            ("分析方式", _engine(self.result.get("engine") or {})),
            ("篇幅", _length(document)),
            ("文件指纹", f"SHA-256 {legal(document['sha256'])}" if document.get("sha256") else ""),
        ]
        return [(title, value) for title, value in rows if value]

    def head(self) -> dict[str, Any]:
        """The same for programs: times in UTC."""
        origin = self.origin
        return {
            "task_id": origin.task_id,
            "filename": origin.filename,
            "created_at": _utc(origin.created_at),
            "completed_at": _utc(origin.completed_at),
            "exported_at": _utc(origin.made_at),
            "only_confirmed": self.only_confirmed,
        }

    def verdict(self) -> tuple[str, str, str]:
        """(level, its word, reason)."""
        verdict = self.result.get("verdict") or {}
        level = str(verdict.get("level") or "ok")
        return level, known_as(LEVELS, level), legal(verdict.get("reason") or "")

    def grounds(self) -> str:
        """The items that the verdict rests on, by their numbers: "废标项/硬性要求第 1、4 条"."""
        wanted = set((self.result.get("verdict") or {}).get("items") or ())
        said = []
        for tab in self.tabs:
            numbers = [str(n) for n, item in enumerate(tab["items"], 1) if item["id"] in wanted]
            if numbers:
                said.append(f"{legal(tab['title'])}第 {'、'.join(numbers)} 条")
        return "；".join(said)

    def notices(self) -> list[str]:
        """What a reader must know before trusting the tables; empty for a full result of a clean document."""
        document, engine = self.result.get("document") or {}, self.result.get("engine") or {}
        said = [FILTERED] if self.only_confirmed else []
        if self.only_confirmed and not any(tab["items"] for tab in self.tabs):
            said.append(NONE_CONFIRMED)
        if self.result.get("complete") is False:
            said.append("分析尚未完成，本文件只含已完成的部分。")
        for name, fact in (self.result.get("facts") or {}).items():
            said += _conflicts(name, fact or {})
        said += [
            f"未能分析：{legal(gap.get('part', ''))}（{legal(gap.get('reason', ''))}）"
            for gap in self.result.get("gaps") or ()
        ]
        said += [f"文档提示：{legal(warning)}" for warning in document.get("warnings") or ()]
        if pages := document.get("ocr_pages"):
            said.append(f"第 {page_list(pages)} 页由文字识别（OCR）得到，引文请对照原件核对。")
        if dropped := engine.get("ungrounded_dropped"):
            said.append(f"另有 {dropped} 条模型给出的内容在原文中找不到依据，未列入。")
        return said

    def revised_at(self) -> datetime:
        """When the content last changed: the analysis, or the latest review. For the command line: now."""
        items = (item for tab in self.tabs for item in tab["items"])
        reviewed = (_time((item.get("review") or {}).get("at")) for item in items)
        return max([self.origin.completed_at or self.origin.made_at, *filter(None, reviewed)])


def _confirmed(result: JSON) -> JSON:
    tabs = [
        {**tab, "items": [i for i in tab["items"] if (i.get("review") or {}).get("state") == "confirmed"]}
        for tab in result.get("tabs") or ()
    ]
    return {**result, "tabs": tabs}


def _fact_row(name: str, fact: JSON | None, paths: Sequence[tuple[int, int, str]]) -> FactRow:
    title = known_as(FACT_TITLES, name)
    if fact is None:
        return FactRow(name, title, NOT_STATED, "", "", stated=False)
    source = dict(fact.get("source") or {})
    source.setdefault("path", _path_at(int(source.get("start") or 0), paths))
    return FactRow(
        name, title, fact_value(name, fact["value"]), legal(fact.get("text") or ""), place_of(source), True
    )


def _conflicts(name: str, fact: JSON) -> list[str]:
    """What other places of the document say of a fact, a sentence each."""
    shown, title = fact_value(name, fact.get("value")), known_as(FACT_TITLES, name)
    said = []
    for other in fact.get("conflicts") or ():
        place = place_of(other.get("source") or {})
        where = f"另一处（{place}）" if place else "另一处"
        said.append(
            f"{title}前后不一致：表中为 {shown}，{where}为 {fact_value(name, other['value'])}，请核对。"
        )
    return said


def _paths(tabs: Sequence[JSON]) -> list[tuple[int, int, str]]:
    """(start, end, path) of the items: results of before facts had a path still say where a fact stands."""
    return [
        (item.get("source_start") or 0, item.get("source_end") or 0, item.get("path") or "")
        for tab in tabs
        for item in tab["items"]
    ]


def _path_at(start: int, paths: Sequence[tuple[int, int, str]]) -> str:
    return next((path for low, high, path in paths if low <= start < high), "")


def _moment(at: datetime | None) -> str:
    return f"{at.astimezone(CHINA):%Y-%m-%d %H:%M}" if at is not None else ""


def _utc(at: datetime | None) -> str | None:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if at is not None else None


def _time(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


def _engine(engine: JSON) -> str:
    mode = known_as(MODES, engine.get("mode") or "")
    return f"{mode}（{legal(engine['model'])}）" if engine.get("model") else mode


def _length(document: JSON) -> str:
    pages = f"{document['pages']} 页" if document.get("pages") else ""
    chars = f"{document['chars']:,} 字" if document.get("chars") else ""
    return "，".join(part for part in (pages, chars) if part)
