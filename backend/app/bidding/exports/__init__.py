"""A bidding result as files for people and programs: pure functions from a result to bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from backend.app.bidding.exports.report_view import Origin, ReportView

__all__ = ["BIDDING_EXPORTS", "COMPARISON_EXPORTS", "Export", "Origin", "ReportView"]


@dataclass(frozen=True, slots=True)
class Export:
    """One format. `render` raises an AppError when the result has nothing that the format could hold."""

    suffix: str  # of the file's name
    media_type: str
    render: Callable[[ReportView], bytes]


def _json(view: ReportView) -> bytes:
    """The result as the API shows it, and under `export` what it is of and whether it is narrowed."""
    shown = {**view.result, "export": view.head()}
    return json.dumps(shown, ensure_ascii=False, indent=2).encode("utf-8", "replace") + b"\n"


# The writers are imported when they are used: not every start should pay for python-docx and XlsxWriter.
def _docx(view: ReportView) -> bytes:
    from backend.app.bidding.exports.word import render_docx

    return render_docx(view)


def _xlsx(view: ReportView) -> bytes:
    from backend.app.bidding.exports.excel import render_xlsx

    return render_xlsx(view)


def _markdown(view: ReportView) -> bytes:
    from backend.app.bidding.exports.markdown import render_markdown

    return render_markdown(view).encode()


def _ics(view: ReportView) -> bytes:
    from backend.app.bidding.exports.ics import render_ics

    return render_ics(view)


def _comparison(view: ReportView) -> bytes:
    from backend.app.bidding.comparison.markdown import markdown

    return markdown(view.result).encode("utf-8", "replace")


_OFFICE = "application/vnd.openxmlformats-officedocument"
BIDDING_EXPORTS: Mapping[str, Export] = {
    "docx": Export("docx", f"{_OFFICE}.wordprocessingml.document", _docx),
    "xlsx": Export("xlsx", f"{_OFFICE}.spreadsheetml.sheet", _xlsx),
    "md": Export("md", "text/markdown; charset=utf-8", _markdown),
    "ics": Export("ics", "text/calendar; charset=utf-8", _ics),
    "json": Export("json", "application/json", _json),
}
COMPARISON_EXPORTS: Mapping[str, Export] = {
    "md": Export("md", "text/markdown; charset=utf-8", _comparison),
    "json": Export("json", "application/json", _json),
}
