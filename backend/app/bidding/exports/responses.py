"""What a bidder fills in: the checklist of fatal clauses and the tables of deviations (商务/技术偏离表)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.app.bidding.exports.report_view import ReportView
from backend.app.bidding.exports.wording import legal, match_of, place_of, review_of

CHECK_BOXES = "□ 已响应\n□ 需澄清"
DEVIATIONS = ("无偏离", "正偏离", "负偏离")
_STRONG, _WEIGHTY = "★☆※", "▲△"
_MARK = re.compile(rf"[{_STRONG}{_WEIGHTY}]")
# How a clause of a Chinese tender begins: "★3.1.2", "（3）", "3、", "一、", "第五条", "①".
_NUMBER = re.compile(
    rf"\s*[{_STRONG}{_WEIGHTY}]?\s*"
    r"(?P<number>\d{1,2}(?:\.\d{1,2}){1,4}|\d{1,3}(?=[、.．）)])|[（(][\d一二三四五六七八九十]{1,3}[）)]"
    r"|[一二三四五六七八九十]{1,3}(?=、)|第[\d一二三四五六七八九十百]{1,5}[条款]|[①-⑳])"
)


@dataclass(frozen=True, slots=True)
class Response:
    """One clause to answer. `clause` names it in the tender: number, section, page."""

    mark: str
    quote: str
    place: str
    clause: str
    remark: str

    @property
    def shown(self) -> str:
        """The quote, with its mark in front where the mark stands only in a cell of its own."""
        return self.quote if not self.mark or self.mark in self.quote[:12] else f"{self.mark} {self.quote}"


def checklist(view: ReportView) -> list[Response]:
    """Every clause that voids the bid when it is not met; those marked in the document first."""
    return _responses(view.items("hard_requirements"))


def deviations(view: ReportView) -> tuple[list[Response], list[Response]]:
    """(commercial, technical): hard requirements, and technical ones. A clause found as both is technical."""
    technical = view.items("technical_requirements")
    seen = {_span(item) for item in technical}
    commercial = [item for item in view.items("hard_requirements") if _span(item) not in seen]
    return _responses(commercial), _responses(technical)


def mark_of(item: Mapping[str, Any]) -> str:
    """★ or ▲ (or their kin) that the clause carries, from its title or the start of its words."""
    found = _MARK.search(str(item.get("title") or "")[:2] + str(item.get("source_excerpt") or "")[:12])
    return found.group() if found else ""


def clause_of(item: Mapping[str, Any]) -> str:
    """ "3.1.2；第三章 > 技术要求；第 12 页", as far as the document says."""
    found = _NUMBER.match(str(item.get("source_excerpt") or ""))
    path = str(item.get("path") or "").split(" > ")
    section = legal(" > ".join(part for part in path[-2:] if part))
    page = f"第 {item['page']} 页" if item.get("page") else ""
    return "；".join(part for part in (found.group("number") if found else "", section, page) if part)


def _responses(items: Sequence[Mapping[str, Any]]) -> list[Response]:
    """★ before ▲ before the rest, each in the document's order; the same words at the same place once."""
    once = {_span(item): item for item in reversed(items)}
    ordered = sorted(once.values(), key=lambda item: (_rank(mark_of(item)), _span(item)))
    return [_response(item) for item in ordered]


def _response(item: Mapping[str, Any]) -> Response:
    state, note = review_of(item)
    reviewed = f"{state}：{note}" if note else state if state != "待核对" else ""
    lot = f"标段 {legal(item['lot'])}" if item.get("lot") else ""
    remark = "\n".join(part for part in (lot, match_of(item), reviewed) if part)
    return Response(
        mark_of(item), legal(item.get("source_excerpt") or ""), place_of(item), clause_of(item), remark
    )


def _rank(mark: str) -> int:
    return 0 if mark and mark in _STRONG else 1 if mark else 2


def _span(item: Mapping[str, Any]) -> tuple[int, int, str]:
    """Where the clause stands; results without offsets are told apart by their ids."""
    start = item.get("source_start")
    return (start, item.get("source_end") or start, "") if start is not None else (0, 0, str(item["id"]))
