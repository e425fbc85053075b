"""A comparison as Markdown, for export. Pure: JSON in, text out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from backend.app.bidding.comparison.report import KIND_NAMES, TYPE_NAMES
from backend.app.bidding.exports.markdown import one_line
from backend.app.bidding.exports.wording import FACT_TITLES, VERDICTS

_SEVERITIES = {"high": "重要", "medium": "一般", "low": "轻微"}
_FACT_VERDICTS = {
    "added": "新写明",
    "removed": "不再写明",
    "changed": "变更",
    "raised": "提高",
    "lowered": "降低",
    "postponed": "推迟",
    "advanced": "提前",
}
_LONGEST = 600  # code points of one quote


def markdown(result: Mapping[str, Any]) -> str:
    """The `bidding_comparison` JSON as a readable page, the important changes first."""
    return "\n".join(_lines(result)) + "\n"


def _lines(result: Mapping[str, Any]) -> Iterator[str]:
    base, document = result["base"], result["document"]
    yield f"# 变更比对：{one_line(base['filename'])} → {one_line(document['filename'])}"
    yield ""
    yield f"新文件类型：{KIND_NAMES[result['kind']]}"
    yield ""
    yield from result["summary"].splitlines()
    yield ""
    yield from _facts(result["facts"])
    yield from _calendar(result["calendar"])
    for severity, title in _SEVERITIES.items():
        changes = [change for change in result["changes"] if change["severity"] == severity]
        if changes:
            yield f"## {title}变化（{len(changes)}）"
            yield ""
            for change in changes:
                yield from _change(change)
            yield ""
    for check in result["compliance"]:
        law = f"（{check['law']}）" if check["law"] else ""
        said = f"{one_line(check['title'])}** {one_line(check['detail'])}{law}"
        yield f"- **[{VERDICTS[check['verdict']]}] {said}"
        yield f"  - 请核对：{one_line('、'.join(check['to_check']))}"
    for gap in result["gaps"]:
        yield f"- 注意：{one_line(gap['reason'])}"


def _facts(facts: list[Mapping[str, Any]]) -> Iterator[str]:
    if not facts:
        return
    yield "## 关键信息变化"
    yield ""
    yield "| 项目 | 原 | 现 | 变化 |"
    yield "|---|---|---|---|"
    for one in facts:
        title = FACT_TITLES.get(one["name"], one["name"])
        old, new = (one_line(one[side]["text"]) if one[side] else "未写明" for side in ("before", "after"))
        yield f"| {title} | {old} | {new} | {_FACT_VERDICTS[one['verdict']]} |"
    yield ""


def _calendar(dates: list[Mapping[str, Any]]) -> Iterator[str]:
    if not dates:
        return
    yield "## 日程变化"
    yield ""
    yield "| 节点 | 原 | 现 |"
    yield "|---|---|---|"
    for one in dates:
        old, new = (one[side]["date"].replace("T", " ") if one[side] else "—" for side in ("before", "after"))
        yield f"| {one_line(one['milestone'])} | {old} | {new} |"
    yield ""


def _change(change: Mapping[str, Any]) -> Iterator[str]:
    where = f"（{one_line(change['path'])}）" if change["path"] else ""
    yield f"- **[{TYPE_NAMES[change['type']]}] {one_line(change['title'])}**{where}"
    for side, head in (("before", "原"), ("after", "现")):
        source = change[side]
        if source is not None and not (change["type"] == "moved" and side == "before"):
            page = f"（第 {source['page']} 页）" if source["page"] else ""
            yield f"  > {head}{page}：{_marked(change, side)}"
    if change["note"]:
        yield f"  - {one_line(change['note'])}"
    if change["touches"]["items"]:
        yield f"  - 影响原分析 {len(change['touches']['items'])} 项要点"


def _marked(change: Mapping[str, Any], side: str) -> str:
    """The quote, with what went struck through and what came in bold."""
    source = change[side]
    segments = [one for one in change.get("segments", ()) if one[side] is not None]
    if not segments:
        return _short(source["excerpt"])
    mark = "~~" if side == "before" else "**"
    parts = []
    for one in segments:
        low, high = one[side][0] - source["start"], one[side][1] - source["start"]
        words = one_line(source["excerpt"][low:high])
        parts.append(words if one["op"] == "equal" or not words else f"{mark}{words}{mark}")
    return "".join(parts)


def _short(words: str) -> str:
    return one_line(words if len(words) <= _LONGEST else f"{words[:_LONGEST]}……（共 {len(words)} 字）")
