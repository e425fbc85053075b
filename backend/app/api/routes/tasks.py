"""Tasks: submit, look, wait, retry, cancel."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response

from backend.app.api.deps import ClientLanguage, CurrentUser, Parts, Services
from backend.app.api.errors import Language
from backend.app.api.fields import LARGEST_ID, Clean, StatusName, UtcTime
from backend.app.api.intake import PostedForm, PostedOrder, UploadedFile
from backend.app.api.openapi import file_form, json_body, problems, text_form
from backend.app.api.representation import Wanted, changed, matches, task_out
from backend.app.api.results import known
from backend.app.api.schemas import (
    AttemptOut,
    AttemptsOut,
    EventOut,
    EventsOut,
    StatsOut,
    TaskCreate,
    TaskDetail,
    TaskOut,
    TaskPage,
)
from backend.app.tasks import queries
from backend.app.tasks.queries import Page, TaskFilter
from backend.app.tasks.service import Order

router = APIRouter(prefix="/api/tasks", tags=["tasks"])

BIDDING = "bidding_analysis"
TaskId = Annotated[int, Path(ge=1, le=LARGEST_ID, description="任务编号")]
_Text = Annotated[str | None, Clean, Query(max_length=200)]
Wait = Annotated[float, Query(ge=0, le=60, allow_inf_nan=False, description="最多等待多少秒，有变化即返回")]
_LANGUAGE = {"vary": "Accept-Language"}

_created = {
    200: {"model": TaskOut, "description": "同一 Idempotency-Key 的重复请求：返回首次创建的任务"},
    **problems(400, 401, 404, 409, 413, 415, 422, 429, 503),
}


@router.post("/bidding/text", status_code=201, responses=_created, openapi_extra=text_form())
async def submit_text(
    posted: PostedForm, services: Parts, language: ClientLanguage, response: Response
) -> TaskOut:
    """提交一段标书文本进行分析。"""
    return await submit(services, posted.order_of_text(BIDDING), language, response)


@router.post("/bidding/file", status_code=201, responses=_created, openapi_extra=file_form())
async def submit_file(
    file: UploadedFile, posted: PostedForm, services: Parts, language: ClientLanguage, response: Response
) -> TaskOut:
    """上传标书文件进行分析（pdf、docx、doc、rtf、xlsx、xls、图片、zip、txt、md、html）。"""
    return await submit(services, posted.order_of_file(BIDDING, file), language, response)


@router.post("", status_code=201, responses=_created, openapi_extra=json_body(TaskCreate))
async def create(
    order: PostedOrder, services: Parts, language: ClientLanguage, response: Response
) -> TaskOut:
    """供程序使用：以文本、已上传的文件或先前的任务创建任务。"""
    return await submit(services, order, language, response)


@router.get("", responses=problems(401, 422, 503))
async def list_tasks(
    user: CurrentUser,
    services: Parts,
    language: ClientLanguage,
    response: Response,
    status: Annotated[list[StatusName], Query(max_length=6)] = [],  # noqa: B006 — FastAPI copies it
    task_type: _Text = None,
    batch_id: _Text = None,
    q: Annotated[str | None, Clean, Query(max_length=200, description="文件名的一部分，或任务编号")] = None,
    created_from: Annotated[UtcTime | None, Query()] = None,
    created_to: Annotated[UtcTime | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
    offset: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
) -> TaskPage:
    """我的任务，新的在前。"""
    wanted = TaskFilter(status, task_type, batch_id, q, created_from, created_to)
    tasks, total = await services.database.read(queries.task_list, user.id, wanted, Page(limit, offset))
    response.headers.update(_LANGUAGE)
    page = [await task_out(services, task, language) for task in tasks]
    return TaskPage(tasks=page, total=total, limit=limit, offset=offset)


@router.get("/stats", responses=problems(401, 503))
async def stats(user: CurrentUser, services: Parts) -> StatsOut:
    """我的任务按状态计数。"""
    return StatsOut(stats=await services.database.read(queries.stats, user.id))


@router.get(
    "/{task_id}",
    response_model=TaskDetail,
    responses={304: {"description": "与 If-None-Match 相同"}, **problems(401, 404, 422, 503)},
)
async def get_task(
    task_id: TaskId,
    user: CurrentUser,
    services: Parts,
    language: ClientLanguage,
    wait: Wait = 0,
    if_none_match: Annotated[str | None, Header(max_length=1000)] = None,
) -> Response:
    """任务及其结果。带 `wait` 时一有变化就返回。"""
    found = await changed(services, Wanted(user.id, task_id, language, if_none_match), wait)
    headers = {**_LANGUAGE, "etag": found.etag, "cache-control": "private, no-cache"}
    if matches(if_none_match, found.etag):
        return Response(status_code=304, headers=headers)
    return Response(found.body, media_type="application/json", headers=headers)


@router.get("/{task_id}/events", responses=problems(401, 404, 422, 503))
async def task_events(
    task_id: TaskId,
    user: CurrentUser,
    services: Parts,
    after: Annotated[int, Query(ge=0, le=LARGEST_ID, description="只要此事件之后的")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> EventsOut:
    """任务的历史，从旧到新。"""
    found = await services.database.read(queries.events, user.id, task_id, after=after, limit=limit)
    return EventsOut(events=[EventOut.of(event) for event in known(found)])


@router.get("/{task_id}/attempts", responses=problems(401, 404, 422, 503))
async def task_attempts(
    task_id: TaskId,
    user: CurrentUser,
    services: Parts,
    language: ClientLanguage,
    limit: Annotated[int, Query(ge=1, le=200)] = 200,
) -> AttemptsOut:
    """任务的各次执行，从旧到新。"""
    found = await services.database.read(queries.attempts, user.id, task_id, limit=limit)
    return AttemptsOut(attempts=[AttemptOut.of(attempt, language) for attempt in known(found)])


@router.post("/{task_id}/retry", responses=problems(401, 404, 409, 422, 429, 503))
async def retry(task_id: TaskId, user: CurrentUser, services: Parts, language: ClientLanguage) -> TaskOut:
    """重试失败或已取消的任务：立即排队，已完成的步骤不再重做。"""
    return await task_out(services, await services.tasks.retry(user.id, task_id), language)


@router.delete("/{task_id}", responses=problems(401, 404, 409, 422, 503))
async def cancel(task_id: TaskId, user: CurrentUser, services: Parts, language: ClientLanguage) -> TaskOut:
    """取消任务；也用于收起失败的任务。"""
    return await task_out(services, await services.tasks.cancel(user.id, task_id), language)


async def submit(services: Services, order: Order, language: Language, response: Response) -> TaskOut:
    """201 with a Location; 200 when the same call had created it before."""
    created = await services.tasks.submit(order)
    response.headers["location"] = f"/api/tasks/{created.task.id}"
    response.headers.update(_LANGUAGE)
    if created.replayed:
        response.status_code = 200
        response.headers["idempotent-replayed"] = "true"
    return await task_out(services, created.task, language)
