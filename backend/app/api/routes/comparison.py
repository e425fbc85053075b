"""Versions of a tender: an amendment or a new version against an analysis that has ended."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from backend.app.api.deps import ClientLanguage, CurrentUser, Parts
from backend.app.api.intake import PostedDocument, PostedForm
from backend.app.api.openapi import document_form, problems
from backend.app.api.routes.tasks import TaskId, submit
from backend.app.api.schemas import TaskOptions, TaskOut
from backend.app.tasks.service import Order

router = APIRouter(prefix="/api/tasks", tags=["tasks"])

COMPARISON = "bidding_comparison"


async def _base_task(task_id: TaskId, user: CurrentUser, services: Parts) -> int:
    """Asked before the body is read: nobody uploads megabytes to hear that there is no such task."""
    await services.tasks.check_base(user.id, task_id, COMPARISON)
    return task_id


BaseTask = Annotated[int, Depends(_base_task)]


@router.post(
    "/{task_id}/compare",
    status_code=201,
    responses={
        200: {"model": TaskOut, "description": "同一 Idempotency-Key 的重复请求：返回首次创建的任务"},
        **problems(400, 401, 404, 409, 413, 415, 422, 429, 503),
    },
    openapi_extra=document_form(),
)
async def compare(
    base: BaseTask,
    posted: PostedForm,
    document: PostedDocument,
    services: Parts,
    language: ClientLanguage,
    response: Response,
) -> TaskOut:
    """将补遗、澄清、答疑、更正公告或新版招标文件与已完成的标书分析比对。

    结果逐条列出新增、删除、修改、移动与澄清的内容，两边均注明原文位置，并指出影响到的要点、关键信息与日程。
    """
    options = posted.form.parsed(TaskOptions).options()
    order = Order(posted.user.id, COMPARISON, document, options, posted.key, base_task_id=base)
    return await submit(services, order, language, response)
