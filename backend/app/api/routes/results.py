"""What a reader does with a result: look at it before it is whole, and say what he thinks of a finding."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request, Response

from backend.app.api.deps import CurrentUser, Parts
from backend.app.api.forms import read_json
from backend.app.api.openapi import json_body, problems
from backend.app.api.representation import matches
from backend.app.api.results import partial_of, result_of
from backend.app.api.routes.tasks import TaskId
from backend.app.api.schemas import ItemOut, PartialOut, ReviewIn
from backend.app.bidding.reviews import key_of
from backend.app.common.errors import ItemNotFound
from backend.app.tasks import reviews

router = APIRouter(prefix="/api/tasks", tags=["results"])

ItemId = Annotated[str, Path(min_length=1, max_length=100, description="结果中要点的 id")]


@router.get(
    "/{task_id}/partial",
    response_model=PartialOut,
    responses={304: {"description": "与 If-None-Match 相同"}, **problems(401, 404, 422, 503)},
)
async def task_partial(
    task_id: TaskId,
    user: CurrentUser,
    services: Parts,
    if_none_match: Annotated[str | None, Header(max_length=1000)] = None,
) -> Response:
    """执行中已得到的部分结果。完成后即全部结果，complete 为 true。"""
    found = await partial_of(services, user.id, task_id)
    body = await asyncio.to_thread(_bytes, found)
    etag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    headers = {"etag": etag, "cache-control": "private, no-cache"}
    if matches(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


@router.patch(
    "/{task_id}/items/{item_id}",
    response_model=ItemOut,
    responses=problems(400, 401, 404, 409, 413, 422, 503),
    openapi_extra=json_body(ReviewIn),
)
async def review_item(
    task_id: TaskId, item_id: ItemId, request: Request, user: CurrentUser, services: Parts
) -> dict[str, Any]:
    """复核一条要点：确认、存疑或不适用，并可附备注。对同一文件重新分析后仍然保留。"""
    reviewed = await result_of(services, user.id, task_id)
    found, sha256 = key_of(reviewed.result, item_id), reviewed.task.file_sha256
    if found is None or sha256 is None:
        raise ItemNotFound
    review = await read_json(request, ReviewIn)
    key, _ = found
    change = review.change()
    if change is not None:
        await services.database.write(
            reviews.put, user.id, sha256, (key.tab, key.excerpt_hash, key.occurrence), change
        )
    now = await result_of(services, user.id, task_id)
    shown = key_of(now.result, item_id)
    if shown is None:
        raise ItemNotFound
    return shown[1]


def _bytes(found: dict[str, Any]) -> bytes:
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()
