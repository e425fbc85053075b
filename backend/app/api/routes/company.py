"""The caller's company profile: read, replace, change, delete, import, export. See docs/company.md."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from backend.app.api.company_import import read_upload
from backend.app.api.content import attachment
from backend.app.api.deps import ClientLanguage, CurrentUser, Parts
from backend.app.api.forms import FormLimits, Upload, read_form, read_json, validated
from backend.app.api.limits import COMPANY_SHEETS
from backend.app.api.openapi import file_form, json_body, problems
from backend.app.api.representation import matches
from backend.app.api.schemas_company import CompanyProfile, ImportOut, ProfileOut
from backend.app.common.errors import StaleProfile
from backend.app.company import profiles, sheets_write
from backend.app.company.profiles import StoredProfile

router = APIRouter(prefix="/api/company", tags=["company"])

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_sheets: dict[str, Any] = {_XLSX: {"schema": {"type": "string", "format": "binary"}}}
_PRIVATE = {"cache-control": "private, no-cache"}
IfMatch = Annotated[
    str | None, Header(max_length=1000, description="上次读到的 ETag；档案已被修改时返回 412")
]


async def _posted_profile(request: Request, _: CurrentUser) -> CompanyProfile:
    return await read_json(request, CompanyProfile)


async def _posted_upload(request: Request, _: CurrentUser, services: Parts) -> Upload:
    limits = FormLimits(max_upload=COMPANY_SHEETS, max_text=0)
    return (await read_form(request, services.storage, limits)).require_file()


_Change = Callable[[StoredProfile], Mapping[str, Any]]
PostedProfile = Annotated[CompanyProfile, Depends(_posted_profile)]
PostedUpload = Annotated[Upload, Depends(_posted_upload)]


@router.get(
    "",
    response_model=ProfileOut,
    responses={304: {"description": "与 If-None-Match 相同"}, **problems(401, 422, 503)},
)
async def get_profile(
    user: CurrentUser,
    services: Parts,
    if_none_match: Annotated[str | None, Header(max_length=1000)] = None,
) -> Response:
    """我的公司档案；尚未填写时为空档案，版本为 0。"""
    stored = await services.database.row(profiles.find, user.id)
    if matches(if_none_match, stored.etag):
        return Response(status_code=304, headers={**_PRIVATE, "etag": stored.etag})
    return _answer(stored)


@router.put(
    "",
    response_model=ProfileOut,
    responses=problems(400, 401, 412, 413, 422, 503),
    openapi_extra=json_body(CompanyProfile),
)
async def put_profile(
    profile: PostedProfile, user: CurrentUser, services: Parts, if_match: IfMatch = None
) -> Response:
    """保存公司档案，整体替换。"""
    change = _guarded(if_match, lambda _: profile.body())
    return _answer(await services.database.write(profiles.write, user.id, change))


@router.patch(
    "",
    response_model=ProfileOut,
    responses=problems(400, 401, 412, 413, 422, 503),
    openapi_extra=json_body(CompanyProfile),
)
async def patch_profile(
    profile: PostedProfile, user: CurrentUser, services: Parts, if_match: IfMatch = None
) -> Response:
    """修改公司档案：给出的字段整体替换，其余不变。"""
    given = profile.model_dump(mode="json", include=profile.model_fields_set)
    change = _guarded(if_match, lambda before: _merged(before.body, given))
    return _answer(await services.database.write(profiles.write, user.id, change))


@router.delete("", status_code=204, responses=problems(401, 412, 422, 503))
async def delete_profile(user: CurrentUser, services: Parts, if_match: IfMatch = None) -> None:
    """删除公司档案；没有档案时同样返回 204。"""
    await services.database.write(profiles.remove, user.id, lambda stored: _check(stored, if_match))


@router.post(
    "/import",
    responses=problems(400, 401, 412, 413, 415, 422, 503),
    openapi_extra=file_form(options=False),
)
async def import_profile(
    upload: PostedUpload,
    user: CurrentUser,
    services: Parts,
    language: ClientLanguage,
    response: Response,
    dry_run: Annotated[bool, Query(description="只预览：识别出什么、哪些行有问题，不保存")] = False,
    if_match: IfMatch = None,
) -> ImportOut:
    """从 Excel、CSV 或 JSON 文件导入：文件中有的清单整体替换，其余不变；有问题行时全部不保存。"""
    found = await read_upload(upload, services.storage, services.sheets)
    response.headers["vary"] = "Accept-Language"
    if dry_run:
        stored = await services.database.row(profiles.find, user.id)
        profile = None if found.problems else found.over(stored.body)
        return found.answer(stored, profile, language)
    found.refuse()
    change = _guarded(if_match, lambda before: found.over(before.body).body())
    stored = await services.database.write(profiles.write, user.id, change)
    response.headers["etag"] = stored.etag
    answer = found.answer(stored, CompanyProfile.model_validate(dict(stored.body)), language)
    return answer.model_copy(update={"stored": True})


@router.get("/template", response_class=Response, responses={200: {"content": _sheets}, **problems(401, 503)})
async def template(_: CurrentUser) -> Response:
    """下载 Excel 模板：各工作表的表头、批注、下拉选项与示例行。"""
    return _file(await asyncio.to_thread(sheets_write.template), "公司档案模板.xlsx", _XLSX)


@router.get(
    "/export",
    response_class=Response,
    responses={
        200: {"content": {**_sheets, "application/json": {"schema": {"type": "object"}}}},
        **problems(401, 422, 503),
    },
)
async def export(
    user: CurrentUser,
    services: Parts,
    format: Annotated[Literal["json", "xlsx"], Query()] = "xlsx",  # noqa: A002 — the name in the address
) -> Response:
    """导出公司档案；导出的文件可以原样导入。"""
    stored = await services.database.row(profiles.find, user.id)
    if format == "json":
        text = json.dumps({"profile": stored.body}, ensure_ascii=False, indent=2)
        return _file(text.encode(), "公司档案.json", "application/json")
    return _file(await asyncio.to_thread(sheets_write.workbook, stored.body), "公司档案.xlsx", _XLSX)


def _answer(stored: StoredProfile) -> Response:
    body = ProfileOut.of(stored).model_dump_json()
    return Response(body, media_type="application/json", headers={**_PRIVATE, "etag": stored.etag})


def _file(content: bytes, name: str, media_type: str) -> Response:
    headers = {**_PRIVATE, "content-disposition": attachment(name)}
    return Response(content, media_type=media_type, headers=headers)


def _guarded(if_match: str | None, make: _Change) -> _Change:
    """`make` of the present profile, once it is the one that the caller knows."""

    def change(before: StoredProfile) -> Mapping[str, Any]:
        _check(before, if_match)
        return make(before)

    return change


def _check(stored: StoredProfile, if_match: str | None) -> None:
    """Raises StaleProfile."""
    if if_match is not None and not matches(if_match, stored.etag):
        raise StaleProfile


def _merged(before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Raises RequestValidationError: lists that are right alone can be too many together."""
    return validated(CompanyProfile, {**before, **given}).body()
