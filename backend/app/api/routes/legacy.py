"""The older, synchronous calls: they create a task and wait for it."""

from __future__ import annotations

from fastapi import APIRouter, Response

from backend.app.api.deps import ClientLanguage, Parts
from backend.app.api.intake import PostedForm, UploadedFile
from backend.app.api.legacy import analyzed
from backend.app.api.openapi import file_form, problems, text_form
from backend.app.api.routes.tasks import BIDDING
from backend.app.api.schemas import LegacyOut, TaskOut

router = APIRouter(prefix="/api/bidding/analyze", tags=["legacy"], deprecated=True)

_answers = {
    202: {"model": TaskOut, "description": "仍在执行：请改用 GET /api/tasks/{id}"},
    **problems(400, 401, 409, 413, 415, 422, 429, 500, 502, 503, 504),
}


@router.post("/text", response_model=LegacyOut, responses=_answers, openapi_extra=text_form())
async def analyze_text(posted: PostedForm, services: Parts, language: ClientLanguage) -> Response:
    """已弃用：请改用 `POST /api/tasks/bidding/text`。"""
    return await analyzed(services, posted.order_of_text(BIDDING), language, "/api/tasks/bidding/text")


@router.post("/file", response_model=LegacyOut, responses=_answers, openapi_extra=file_form())
async def analyze_file(
    file: UploadedFile, posted: PostedForm, services: Parts, language: ClientLanguage
) -> Response:
    """已弃用：请改用 `POST /api/tasks/bidding/file`。"""
    order = posted.order_of_file(BIDDING, file)
    return await analyzed(services, order, language, "/api/tasks/bidding/file")
