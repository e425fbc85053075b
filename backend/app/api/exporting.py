"""Results as files: which formats each kind of task offers, and how one is made without holding the loop."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Literal, cast

from backend.app.api.results import TaskResult
from backend.app.bidding.exports import BIDDING_EXPORTS, COMPARISON_EXPORTS, Export, Origin, ReportView
from backend.app.bidding.exports.report_view import CHINA
from backend.app.common.errors import ExportTooLarge, ValidationFailed
from backend.app.common.text import clean_filename

FormatName = Literal["docx", "xlsx", "md", "ics", "json"]
OFFERED: Mapping[str, Mapping[str, Export]] = {
    "bidding_analysis": BIDDING_EXPORTS,
    "bidding_comparison": COMPARISON_EXPORTS,
}
# What a file is called after the document's name.
_KINDS = {"bidding_analysis": "分析报告", "bidding_comparison": "变更比对"}

# Raised when a format changes its look: a client's copy of before is then old.
LAYOUT_VERSION = "1"
# Some thirty times a usual tender's result. Measured: a Word document of so much takes 6 s and 320 MB.
MOST_CHARS = 4_000_000
# Threads of their own: exports that wait must not keep short work from the loop's threads.
_MAKERS = ThreadPoolExecutor(2, "export")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for."""

    format: FormatName
    only_confirmed: bool
    now: datetime


@dataclass(frozen=True, slots=True)
class ExportedFile:
    content: bytes
    media_type: str
    filename: str


def offered(task_type: str, name: str) -> Export:
    """Raises ValidationFailed when this kind of task has no such format."""
    formats = OFFERED.get(task_type, {})
    if name not in formats:
        given = "、".join(formats) or "无"
        raise ValidationFailed.of(
            "format",
            f"该类任务不提供此格式（可用：{given}）",
            f"is not offered for this kind of task (offered: {', '.join(formats) or 'none'})",
            type="format_not_offered",
        )
    return formats[name]


def first_offered(task_type: str) -> FormatName:
    """What is sent when no format is asked for."""
    return cast(FormatName, next(iter(OFFERED.get(task_type, {})), "json"))


def etag_of(found: TaskResult, wish: Wish) -> str:
    """What the file is made of. It shows the day it was made on, so it is another one tomorrow; two files
    of one ETag may differ in their bytes (the hour in them), so it is sent as a weak one."""
    day = f"{wish.now.astimezone(CHINA):%Y-%m-%d}"
    parts = [LAYOUT_VERSION, found.task.id, wish.format, wish.only_confirmed, day, found.result]
    told = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return f'"{hashlib.blake2b(told.encode("utf-8", "replace"), digest_size=16).hexdigest()}"'


async def export(found: TaskResult, wish: Wish) -> ExportedFile:
    """Raises ValidationFailed, ExportTooLarge, NoDates."""
    made = offered(found.task.task_type, wish.format)
    if found.size > MOST_CHARS and wish.format != "json":
        raise ExportTooLarge
    filename = _filename(found)
    origin = Origin(
        filename, wish.now, found.task.id, found.task.created_at, found.task.completed_at or wish.now
    )
    view = ReportView.of(found.result, origin, only_confirmed=wish.only_confirmed)
    content = await asyncio.get_running_loop().run_in_executor(_MAKERS, made.render, view)
    mark = "（仅已确认）" if wish.only_confirmed else ""
    name = clean_filename(
        f"{PurePath(filename).stem[:150]}-{_KINDS[found.task.task_type]}{mark}.{made.suffix}"
    )
    return ExportedFile(content, made.media_type, name)


def _filename(found: TaskResult) -> str:
    document = found.result.get("document") or {}
    named = document.get("filename") or found.task.meta.get("filename") or f"任务{found.task.id}"
    return clean_filename(str(named))
