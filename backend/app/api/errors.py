"""Every refusal as one RFC 9457 problem document, in the client's language."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from backend.app.api.field_errors import field_errors
from backend.app.common.errors import (
    AppError,
    BadRequestBody,
    FileTooLarge,
    Forbidden,
    InternalError,
    MethodNotAllowed,
    NotAuthenticated,
    NotFound,
    ServiceUnavailable,
    ValidationFailed,
)

Language = Literal["zh", "en"]
PROBLEM = "application/problem+json"
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_BY_STATUS: Mapping[int, type[AppError]] = {
    401: NotAuthenticated,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    413: FileTooLarge,
    503: ServiceUnavailable,
}


def language_of(headers: Headers) -> Language:
    """Chinese, unless Accept-Language prefers English."""
    wanted = {"zh": 0.0, "en": 0.0}
    for part in headers.get("accept-language", "")[:200].split(","):
        tag, _, parameter = part.strip().partition(";")
        name = tag.strip().lower().partition("-")[0]
        if name in wanted:
            wanted[name] = max(wanted[name], _quality(parameter))
    return "en" if wanted["en"] > wanted["zh"] else "zh"


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    try:
        return min(max(float(value), 0.0), 1.0) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0


def problem(error: AppError, language: Language, headers: Mapping[str, str] | None = None) -> Response:
    """The answer that tells of this error."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(error.status_code).phrase,
        "status": error.status_code,
        "detail": _detail(error, language),
        "code": error.code,
    }
    if error.errors is not None:
        body["errors"] = [_field(item, language) for item in error.errors]
    sent = {
        "content-language": "en" if language == "en" else "zh-CN",
        "vary": "Accept-Language",
        "cache-control": "no-store",
        **(headers or {}),
    }
    if error.status_code == HTTPStatus.UNAUTHORIZED:
        sent["www-authenticate"] = "Bearer"
    if error.retry_after is not None:
        sent["retry-after"] = str(max(1, round(error.retry_after + 0.5)))
    return Response(json.dumps(body, ensure_ascii=False), error.status_code, headers=sent, media_type=PROBLEM)


def _detail(error: AppError, language: Language) -> str:
    if not error.errors:
        return error.sentence(language)
    first = _field(error.errors[0], language)
    separator = ": " if language == "en" else "："
    named = f"{first['field']}{separator}{first['message']}" if first["field"] else first["message"]
    return ValidationFailed(detail=named).sentence(language)


def _field(item: Mapping[str, Any], language: Language) -> dict[str, Any]:
    message = item.get("message_en", item["message"]) if language == "en" else item["message"]
    return {"field": item["field"], "message": message, "type": item["type"]}


def as_app_error(error: Exception) -> AppError:
    """What an exception of the framework means in our words."""
    if isinstance(error, AppError):
        return error
    if isinstance(error, RequestValidationError):
        return _validation(error)
    if isinstance(error, HTTPException):
        # FastAPI wraps what happens while it reads a body: a body over the limit is a 413, not a 400.
        if isinstance(error.__cause__, AppError):
            return error.__cause__
        return _BY_STATUS.get(error.status_code, BadRequestBody)()
    return InternalError()


def _validation(error: RequestValidationError) -> AppError:
    problems = error.errors()
    if any(item["type"] == "json_invalid" for item in problems):
        return BadRequestBody()
    return ValidationFailed(errors=field_errors(problems))


async def _answer(request: Request, error: Exception) -> Response:
    met = as_app_error(error)
    headers = {"allow": ", ".join(_allowed(request))} if isinstance(met, MethodNotAllowed) else None
    return problem(met, language_of(request.headers), headers)


def _allowed(request: Request) -> list[str]:
    """The methods of this path. Starlette names those of one route only, and each method has its own."""
    routes = request.app.routes
    scopes = {method: {**request.scope, "method": method} for method in _METHODS}
    return [m for m, scope in scopes.items() if any(r.matches(scope)[0] is Match.FULL for r in routes)]


def install(app: FastAPI) -> None:
    """Register the one handler for all expected errors; the unexpected are the middleware's."""
    for kind in (AppError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _answer)
