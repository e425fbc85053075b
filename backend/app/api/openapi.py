"""The OpenAPI document: what FastAPI finds by itself, plus problem documents and hand-read bodies."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from backend.app.api.deps import Services
from backend.app.api.errors import PROBLEM
from backend.app.api.schemas import Problem, ReviewIn, TaskCreate
from backend.app.api.schemas_company import CompanyProfile

_REF = "#/components/schemas/{model}"

DESCRIPTION = """\
标书分析任务服务：提交招标文件或文本，取得逐条标明原文位置的分析结果。

先 `POST /api/auth/register` 注册、`POST /api/auth/login` 登录，再点右上角 **Authorize** 填入用户名与密码。
出错时返回 RFC 9457 问题文档（`application/problem+json`），`code` 稳定不变；
`Accept-Language: en` 时说明为英文。
"""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route: these statuses answer with a problem document."""
    schema = {"$ref": _REF.format(model="Problem")}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {PROBLEM: {"schema": schema}}}
        for status in statuses
    }


_LEFT_EMPTY = {"type": "string", "maxLength": 0}  # a field of a form that nobody filled in


def _option(least: int, most: int, default: int) -> dict[str, Any]:
    number = {"type": "integer", "minimum": least, "maximum": most}
    return {"anyOf": [number, _LEFT_EMPTY], "default": default}


_TASK_OPTIONS: dict[str, Any] = {"max_retries": _option(0, 10, 3), "priority": _option(-10, 10, 0)}


def _form(media_types: tuple[str, ...], properties: dict[str, Any], required: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": [required]}
    content = {media_type: {"schema": schema} for media_type in media_types}
    return {"requestBody": {"required": True, "content": content}}


def text_form(max_chars: int = 2_000_000) -> dict[str, Any]:
    text = {
        "type": "string",
        "minLength": 1,
        "maxLength": max_chars,
        "pattern": r"\S",
        "example": "这里是标书内容...",
    }
    both = ("multipart/form-data", "application/x-www-form-urlencoded")
    return _form(both, {"text": text, **_TASK_OPTIONS}, "text")


def file_form(*, options: bool = True) -> dict[str, Any]:
    file = {"type": "string", "format": "binary"}
    return _form(("multipart/form-data",), {"file": file, **(_TASK_OPTIONS if options else {})}, "file")


def document_form() -> dict[str, Any]:
    """A file or a text; a urlencoded form has the text only."""
    file, text = file_form()["requestBody"]["content"], text_form()["requestBody"]["content"]
    both = {name: [part[name]["schema"] for part in (file, text) if name in part] for name in text}
    content = {name: {"schema": {"oneOf": found}} for name, found in both.items()}
    return {"requestBody": {"required": True, "content": content}}


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": _REF.format(model=model.__name__)}}}
    return {"requestBody": {"required": True, "content": content}}


def document(app: FastAPI) -> dict[str, Any]:
    """The whole document, made once."""
    if app.openapi_schema is None:
        services: Services = app.state.services
        made = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, tags=_TAGS
        )
        schemas = made.setdefault("components", {}).setdefault("schemas", {})
        for model in (Problem, TaskCreate, ReviewIn, CompanyProfile):
            own = model.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(own.pop("$defs", {}))
            schemas[model.__name__] = own
        schemas["TaskCreate"]["properties"]["task_type"]["enum"] = services.tasks.types
        for path in made["paths"].values():
            for operation in path.values():
                _only_problems(operation)
                # FastAPI's own summary is the function's name; readers of /docs speak Chinese.
                operation["summary"] = operation["description"].split("。")[0]
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        app.openapi_schema = made
    return app.openapi_schema


def _only_problems(operation: dict[str, Any]) -> None:
    """FastAPI announces its own form of a 422; ours is a problem document, too."""
    for status, answer in problems(422).items():
        announced = operation["responses"].get(str(status), {})
        if "HTTPValidationError" in str(announced):
            operation["responses"][str(status)] = answer


_TAGS = [
    {"name": "auth", "description": "注册、登录与会话"},
    {"name": "tasks", "description": "任务：提交、查询、重试、取消"},
    {"name": "results", "description": "结果：部分结果、复核"},
    {"name": "files", "description": "上传的文件"},
    {"name": "company", "description": "公司档案：资质、证书、业绩、人员与财务，用于匹配招标要求"},
    {"name": "legacy", "description": "旧接口（已弃用）"},
    {"name": "health", "description": "健康检查"},
]
