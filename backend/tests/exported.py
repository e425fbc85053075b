"""Results to export: of the example tender as the built-in analyser finds it, and with reviews laid over."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from backend.app.bidding.analysis import analyse_with_rules
from backend.app.bidding.company.report import with_matches
from backend.app.bidding.exports import Origin, ReportView
from backend.app.bidding.report import DocumentSource, build_report
from backend.app.documents.extract import from_text
from backend.app.settings import REPOSITORY

NOW = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
ORIGIN = Origin(
    "图书馆物业.txt", NOW, 17, datetime(2026, 3, 9, 1, tzinfo=UTC), datetime(2026, 3, 9, 2, tzinfo=UTC)
)
NOTE = "营业执照已过期=需换证"


@lru_cache(maxsize=1)
def _analysed() -> dict[str, Any]:
    text = (REPOSITORY / "docs" / "examples" / "tender.txt").read_text(encoding="utf-8")
    document = from_text(text)
    source = DocumentSource("图书馆物业.txt", "cd" * 32)
    return build_report(document, analyse_with_rules(document), source=source)


def tender() -> dict[str, Any]:
    """A copy that a test may change."""
    return copy.deepcopy(_analysed())


def items(result: dict[str, Any], tab: str) -> list[dict[str, Any]]:
    return next(t["items"] for t in result["tabs"] if t["id"] == tab)


def reviewed() -> dict[str, Any]:
    """The first hard requirement confirmed with a note, the second doubtful; a match; a gap and warnings."""
    result = tender()
    first, second = items(result, "hard_requirements")[:2]
    first["review"] = {"state": "confirmed", "note": NOTE, "by": "王工", "at": "2026-03-09T05:06:07Z"}
    first["match"] = {"state": "not_met", "reason": "缺少资质"}
    second["review"] = {"state": "doubtful", "note": None, "by": None, "at": "2026-03-09T03:00:00Z"}
    result["gaps"] = [{"part": "第 3 部分", "reason": "模型超时"}]
    result["document"] |= {"warnings": ["第 2 页没有文字"], "ocr_pages": [1, 2, 3, 7]}
    result["engine"]["ungrounded_dropped"] = 4
    return result


def matched() -> dict[str, Any]:
    """Two scoring rows bring points by a company's profile: the one four, the other six to ten."""
    result = tender()
    rows = [item for item in items(result, "scoring_items") if item["points"] is not None]
    rows[0] |= {"points": 4.0, "source_excerpt": "具有ISO9001质量管理体系认证证书的得4分"}
    rows[1] |= {"points": 10.0, "source_excerpt": "具有CMMI3级证书的得6分，具有ISO20000认证证书的得4分"}
    papers = [{"name": name, "valid_until": "9999-12-31"} for name in ("ISO9001", "CMMI3级")]
    return with_matches(result, {"certificates": papers}, today=NOW.date(), version=1)


def view(result: dict[str, Any], *, only_confirmed: bool = False) -> ReportView:
    return ReportView.of(result, ORIGIN, only_confirmed=only_confirmed)


def many(count: int) -> dict[str, Any]:
    """The same tender with so many findings, dealt over the six tabs; each in its own place."""
    result = tender()
    for n in range(count):
        tab = result["tabs"][n % 6]
        item = copy.deepcopy(items(tender(), "hard_requirements")[n % 4])
        item |= {"id": f"{tab['id']}-many-{n}", "source_start": 10_000 + n, "source_end": 10_001 + n}
        if tab["id"] == "scoring_items":
            item["points"] = 0.1
        if tab["id"] == "bid_timeline":
            item |= {"milestone": f"节点 {n}", "date": f"2026-04-{1 + n % 30:02d}", "date_text": "四月"}
        tab["items"].append(item)
    return result
