"""The result of a task as a file."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Response

from backend.app.api.content import attachment
from backend.app.api.deps import CurrentUser, Parts
from backend.app.api.exporting import OFFERED, FormatName, Wish, etag_of, export, first_offered, offered
from backend.app.api.openapi import problems
from backend.app.api.representation import matches
from backend.app.api.results import result_of
from backend.app.api.routes.tasks import TaskId

router = APIRouter(prefix="/api/tasks", tags=["tasks"])

_Format = Annotated[
    FormatName | None,
    Query(description="文件格式；各类任务提供的格式不同，省略时为其中第一种（标书分析为 docx）"),
]
_Only = Annotated[Literal["confirmed"] | None, Query(description="confirmed：只含已确认的条目")]
_media_types = sorted({made.media_type for formats in OFFERED.values() for made in formats.values()})
_file: dict[str, Any] = {
    "description": "文件，以附件下载",
    "content": {
        media_type.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}}
        for media_type in _media_types
    },
}
_responses = {
    200: _file,
    304: {"description": "与 If-None-Match 相同"},
    **problems(401, 404, 409, 422, 503),
}


@router.get("/{task_id}/export", response_class=Response, responses=_responses)
async def export_task(
    task_id: TaskId,
    user: CurrentUser,
    services: Parts,
    format: _Format = None,  # noqa: A002 — its name in the URL
    only: _Only = None,
    if_none_match: Annotated[str | None, Header(max_length=1000)] = None,
) -> Response:
    """导出分析结果：Word、Excel、Markdown、日历（ics）或 JSON。"""
    found = await result_of(services, user.id, task_id)
    name = format or first_offered(found.task.task_type)
    offered(found.task.task_type, name)
    wish = Wish(name, only == "confirmed", datetime.now(UTC))
    etag = await asyncio.to_thread(etag_of, found, wish)
    headers = {"etag": f"W/{etag}", "cache-control": "private, no-cache"}
    if matches(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    file = await export(found, wish)
    headers["content-disposition"] = attachment(file.filename)
    return Response(file.content, media_type=file.media_type, headers=headers)
