"""A comparison as the API's `bidding_comparison` JSON. Every excerpt is cut from its document here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.app.bidding.amounts import yuan
from backend.app.bidding.comparison.changes import Change, ChangeType, Kind
from backend.app.bidding.comparison.facts import DateChange, FactChange, Moment
from backend.app.bidding.comparison.impact import Impact
from backend.app.bidding.comparison.noise import is_reprint
from backend.app.bidding.comparison.notice_period import RULE, TITLE, PeriodHint
from backend.app.bidding.comparison.segments import Segment
from backend.app.bidding.exports.wording import FACT_TITLES
from backend.app.bidding.findings import FACTS, Fact, Span
from backend.app.bidding.report import DocumentSource
from backend.app.documents.canonical import Document

SEVERITIES = ("high", "medium", "low")
MOST_CHANGES = 2_000  # of two unrelated documents everything differs
TYPE_NAMES = {
    ChangeType.ADDED: "新增",
    ChangeType.REMOVED: "删除",
    ChangeType.CHANGED: "修改",
    ChangeType.MOVED: "移动",
    ChangeType.CLARIFIED: "澄清",
}
KIND_NAMES = {Kind.REVISION: "新版文件", Kind.AMENDMENT: "变更/澄清文件"}
_TITLE = 40
_STRANGE = 0.05  # of the base in what calls itself a new version: rather another tender


@dataclass(frozen=True, slots=True)
class Compared:
    """What was found, before it is JSON; `impacts` in the order of `changes`."""

    base: Document
    new: Document
    kind: Kind
    changes: Sequence[Change]
    impacts: Sequence[Impact]
    facts: Sequence[FactChange]
    calendar: Sequence[DateChange]
    hint: PeriodHint | None


def build(
    found: Compared,
    *,
    base: Mapping[str, Any],
    source: DocumentSource,
    overlap: float,
    usage: Mapping[str, Any],
) -> dict[str, Any]:
    """The result, ready for JSON; the changes in the order of the new document."""
    shown = _most_important(found)
    counts = _counts(found)
    return {
        "summary": _summary(found, counts, overlap),
        "kind": found.kind.value,
        "changes": [_change(found, at, number) for number, at in enumerate(shown, 1)],
        "facts": [_fact_change(found, one) for one in found.facts],
        "calendar": [
            {
                "milestone": one.milestone,
                "before": _moment(found.base, one.before),
                "after": _moment(found.new, one.after),
            }
            for one in found.calendar
        ],
        "compliance": [_hint(found, found.hint)] if found.hint is not None else [],
        "counts": {**counts, "overlap": round(overlap, 4)},
        "base": dict(base),
        "document": {
            "filename": source.filename,
            "sha256": source.sha256,
            "pages": len(found.new.pages) or None,
            "chars": len(found.new.text),
            "ocr_pages": list(source.ocr_pages),
            "warnings": list(found.new.warnings),
        },
        "gaps": _gaps(found, len(shown)),
        "engine": {
            "mode": "rules",
            "provider": None,
            "model": None,
            "prompt_version": None,
            "ungrounded_dropped": 0,
        },
        "usage": dict(usage),
    }


def _most_important(found: Compared) -> list[int]:
    """The places of the changes that are shown: all, or the most severe ones when there are too many."""
    by_weight = sorted(range(len(found.changes)), key=lambda at: SEVERITIES.index(found.impacts[at].severity))
    return sorted(by_weight[:MOST_CHANGES])


def _counts(found: Compared) -> dict[str, int]:
    types = Counter(change.type.value for change in found.changes)
    severities = Counter(impact.severity for impact in found.impacts)
    return {
        "changes": len(found.changes),
        **{one.value: types[one.value] for one in ChangeType},
        **{one: severities[one] for one in SEVERITIES},
    }


def _gaps(found: Compared, shown: int) -> list[dict[str, str]]:
    gaps = []
    if found.kind is Kind.REVISION and is_reprint(found.base, found.new):
        reason = "两份文件格式不同（一份有固定页面）：表格与换行的读取差异可能被列为变化，"
        reason += "他处也有的短语的增删可能未列出"
        gaps.append({"part": "layout", "reason": reason})
    if shown < len(found.changes):
        reason = f"差异共 {len(found.changes)} 处，只列出较重要的 {shown} 处；请确认两份文件属于同一项目"
        gaps.append({"part": "changes", "reason": reason})
    missing = sum(change.note is not None for change in found.changes)
    if missing:
        reason = f"{missing} 处变更未能对应到基准文件的原文，请人工核对"
        gaps.append({"part": "before", "reason": reason})
    return gaps


def _summary(found: Compared, counts: Mapping[str, int], overlap: float) -> str:
    if not found.changes:
        return "未发现内容变化。"
    parts = [f"{TYPE_NAMES[one]} {counts[one.value]} 处" for one in ChangeType if counts[one.value]]
    lines = [f"【变化】{KIND_NAMES[found.kind]}：{'，'.join(parts)}；其中重要 {counts['high']} 处。"]
    if found.kind is Kind.REVISION and overlap < _STRANGE:
        lines.insert(0, "【注意】两份文件几乎没有相同的内容，请核对是否为同一项目的招标文件。")
    if found.facts:
        lines.append(f"【关键信息】{'；'.join(_fact_words(one) for one in found.facts)}。")
    high = [
        f"{TYPE_NAMES[change.type]}“{title_of(found, change)}”"
        for change, impact in zip(found.changes, found.impacts, strict=True)
        if impact.severity == "high"
    ]
    if high:
        lines.append(f"【须重点核对】{'；'.join(dict.fromkeys(high[:8]))}{'等' if len(high) > 8 else ''}。")
    if found.hint is not None:
        lines.append(f"【提示】{found.hint.detail}")
    return "\n".join(lines)


def _fact_words(one: FactChange) -> str:
    title = FACT_TITLES.get(one.name, one.name)
    return f"{title} {_value(one.name, one.before)} → {_value(one.name, one.after)}"


def _value(name: str, fact: Fact | None) -> str:
    if fact is None:
        return "未写明"
    if isinstance(fact.value, bool):
        return "是" if fact.value else "否"
    if FACTS[name] == "yuan" and not isinstance(fact.value, str):
        return yuan(float(fact.value))
    words = (
        str(fact.value).replace("T", " ")
        if FACTS[name] in ("local_time", "date_or_time")
        else str(fact.value)
    )
    return words if len(words) <= _TITLE else f"{words[:_TITLE]}…"


def title_of(found: Compared, change: Change) -> str:
    """What names a change: the words of the notice, the label of a row, or its own first words."""
    if change.title:
        return change.title
    document, span = (
        (found.new, change.after) if change.after is not None else (found.base, change.before or Span(0, 0))
    )
    first = document.text[span.start : span.end].split("\n")[0]
    cells = [cell.strip() for cell in first.split("\t") if cell.strip()]
    named = [cell for cell in cells if not cell.replace(".", "").isdigit()]
    words = " ".join((named or cells or [first])[0].split())
    return words if len(words) <= _TITLE else f"{words[:_TITLE]}…"


def _change(found: Compared, at: int, number: int) -> dict[str, Any]:
    change, impact = found.changes[at], found.impacts[at]
    document, span = (found.base, change.before) if change.before is not None else (found.new, change.after)
    block = document.block_at(span.start) if span is not None else None
    made: dict[str, Any] = {
        "id": f"change-{number}",
        "type": change.type.value,
        "severity": impact.severity,
        "title": title_of(found, change),
        "path": " > ".join(block.path) if block is not None else "",
        "before": quote(found.base, change.before) if change.before is not None else None,
        "after": quote(found.new, change.after) if change.after is not None else None,
        "grounding": change.grounding,
        "note": change.note,
        "touches": {"items": list(impact.items), "facts": list(impact.facts)},
    }
    if change.segments:
        made["segments"] = [_segment(one) for one in change.segments]
    return made


def quote(document: Document, span: Span) -> dict[str, Any]:
    """S: the excerpt and its place. Raises ValueError when the span lies outside the text."""
    if not 0 <= span.start < span.end <= len(document.text):
        raise ValueError(f"span {span.start}:{span.end} lies outside the text")
    found: dict[str, Any] = {
        "excerpt": document.text[span.start : span.end],
        "start": span.start,
        "end": span.end,
        "page": document.page_of(span.start),
    }
    if document.boxes:
        found["rects"] = [rect.as_json() for rect in document.rects(span.start, span.end)]
    return found


def _segment(one: Segment) -> dict[str, Any]:
    return {
        "op": one.op,
        "before": [one.before.start, one.before.end] if one.before is not None else None,
        "after": [one.after.start, one.after.end] if one.after is not None else None,
    }


def _fact_change(found: Compared, one: FactChange) -> dict[str, Any]:
    return {
        "name": one.name,
        "before": _fact(found.base, one.before),
        "after": _fact(found.new, one.after),
        "verdict": one.verdict,
    }


def _fact(document: Document, fact: Fact | None) -> dict[str, Any] | None:
    if fact is None:
        return None
    return {"value": fact.value, "text": fact.text, "source": quote(document, fact.source)}


def _moment(document: Document, moment: Moment | None) -> dict[str, Any] | None:
    if moment is None:
        return None
    return {"date": moment.date, "text": moment.text, "source": quote(document, moment.source)}


def _hint(found: Compared, hint: PeriodHint) -> dict[str, Any]:
    sides = {"base": found.base, "new": found.new}
    return {
        "rule": RULE,
        "verdict": hint.verdict.value,
        "title": TITLE,
        "detail": hint.detail,
        "law": hint.law,
        "to_check": list(hint.to_check),
        "evidence": [{"document": side, **quote(sides[side], span)} for side, span in hint.evidence],
    }
