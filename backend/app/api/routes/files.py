"""Files: uploads to be used by tasks, and what belongs to a task."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Response
from fastapi.responses import FileResponse

from backend.app.api.content import attachment, document_json, original
from backend.app.api.deps import CurrentUser, Parts
from backend.app.api.intake import PostedForm, UploadedFile
from backend.app.api.openapi import file_form, problems
from backend.app.api.representation import matches
from backend.app.api.results import known
from backend.app.api.routes.tasks import TaskId
from backend.app.api.schemas import DocumentOut, FileOut
from backend.app.tasks import queries

router = APIRouter(prefix="/api", tags=["files"])

_created = {
    200: {"model": FileOut, "description": "同一 Idempotency-Key 的重复请求：返回首次的文件"},
    **problems(400, 401, 409, 413, 415, 422, 503),
}
_bytes = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}


@router.post("/files", status_code=201, responses=_created, openapi_extra=file_form(options=False))
async def upload(file: UploadedFile, posted: PostedForm, services: Parts, response: Response) -> FileOut:
    """上传文件，供之后 `POST /api/tasks` 使用。"""
    kept = await services.tasks.keep_file(posted.user.id, file, posted.key)
    if kept.replayed:
        response.status_code = 200
        response.headers["idempotent-replayed"] = "true"
    return FileOut.of(kept.file)


@router.get(
    "/tasks/{task_id}/document",
    response_model=DocumentOut,
    responses={304: {"description": "与 If-None-Match 相同"}, **problems(401, 404, 422, 503)},
)
async def task_document(
    task_id: TaskId,
    user: CurrentUser,
    services: Parts,
    if_none_match: Annotated[str | None, Header(max_length=1000)] = None,
) -> Response:
    """引文所指的规范文本：位置以 Unicode 码点计。"""
    task = known(await services.database.row(queries.task_row, user.id, task_id))
    sha256 = task.document_sha256
    if sha256 is None:  # the quotes of a partial result point into it as well
        partial = await services.database.read(queries.partial, task_id)
        sha256 = partial.document_sha256 if partial is not None else None
    headers = {"etag": f'"{sha256}"', "cache-control": "private, no-cache"}
    if sha256 is not None and matches(if_none_match, headers["etag"]):
        return Response(status_code=304, headers=headers)
    body = await document_json(services, sha256)
    return Response(body, media_type="application/json", headers=headers)


@router.get(
    "/tasks/{task_id}/file",
    response_class=FileResponse,
    responses={200: _bytes, **problems(401, 404, 422, 503)},
)
async def task_file(task_id: TaskId, user: CurrentUser, services: Parts) -> FileResponse:
    """原始文件，以附件下载。"""
    known(await services.database.row(queries.task_row, user.id, task_id))
    file, path = await original(services, user.id, task_id)
    # Never the type that the file claims: a browser must save it, not show it.
    return FileResponse(
        path,
        media_type="application/octet-stream",
        headers={"content-disposition": attachment(file.filename), "cache-control": "private, no-cache"},
    )
