"""From what a server said to the kind of failure, and from the kind to the error a user sees. Data, not code.

Rows are tried in order, first match wins. A row that names a provider stands before the general ones: the
same `429 insufficient_quota` means "pay your bill" at OpenAI and "too many tokens this minute" at DashScope.
Sources: the providers' error pages, November 2026. They age: mend the rows, not the code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from backend.app.common.errors import (
    LLMAuthFailed,
    LLMBadRequest,
    LLMConnectionFailed,
    LLMContentRefused,
    LLMContextTooLong,
    LLMError,
    LLMInvalidAnswer,
    LLMQuotaExhausted,
    LLMThrottled,
    LLMTimeout,
    LLMUnavailable,
)
from backend.app.llm.providers import Quirk
from backend.app.llm.types import ErrorKind

ERRORS: dict[ErrorKind, type[LLMError]] = {
    ErrorKind.THROTTLE: LLMThrottled,
    ErrorKind.BURST: LLMThrottled,
    ErrorKind.QUOTA: LLMQuotaExhausted,
    ErrorKind.TRANSIENT: LLMUnavailable,
    ErrorKind.TIMEOUT_CONNECT: LLMConnectionFailed,
    ErrorKind.TIMEOUT_FIRST: LLMTimeout,
    ErrorKind.TIMEOUT_IDLE: LLMTimeout,
    ErrorKind.TRUNCATED: LLMUnavailable,
    ErrorKind.CONTEXT: LLMContextTooLong,
    ErrorKind.CONTENT: LLMContentRefused,
    ErrorKind.AUTH: LLMAuthFailed,
    ErrorKind.BAD_REQUEST: LLMBadRequest,
    ErrorKind.SCHEMA: LLMInvalidAnswer,
}


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a server said: HTTP status (200 for an error inside a stream) and its error object's fields."""

    status: int
    code: str = ""
    type: str = ""
    message: str = ""
    param: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in (self.code, self.type) if name)


@dataclass(frozen=True, slots=True)
class Row:
    """Matches when every condition given holds. `name` must be the whole code or type, in any case."""

    kind: ErrorKind
    provider: str | None = None
    status: frozenset[int] = field(default_factory=frozenset)
    name: re.Pattern[str] | None = None
    message: re.Pattern[str] | None = None

    def matches(self, provider: str, said: Complaint) -> bool:
        return (
            (self.provider is None or self.provider == provider)
            and (not self.status or said.status in self.status)
            and (self.name is None or any(self.name.fullmatch(name) for name in said.names))
            and (self.message is None or self.message.search(said.message) is not None)
        )


def _row(
    kind: ErrorKind, *status: int, provider: str | None = None, name: str = "", message: str = ""
) -> Row:
    return Row(
        kind,
        provider,
        frozenset(status),
        re.compile(name, re.IGNORECASE) if name else None,
        re.compile(message, re.IGNORECASE) if message else None,
    )


ROWS: tuple[Row, ...] = (
    # DashScope, compatible mode.
    _row(ErrorKind.QUOTA, provider="dashscope", message="free allocated quota exceeded"),
    _row(ErrorKind.QUOTA, provider="dashscope", name=r"AllocationQuota\.FreeTierOnly"),
    _row(
        ErrorKind.THROTTLE,
        provider="dashscope",
        name=r"insufficient_quota|Throttling\.AllocationQuota|limit_requests|Throttling(\.RateQuota)?",
    ),
    _row(ErrorKind.BURST, provider="dashscope", name=r"limit_burst_rate|Throttling\.BurstRate"),
    # Zhipu answers with numbers.
    _row(ErrorKind.QUOTA, provider="zhipu", name="1113"),
    _row(ErrorKind.CONTENT, provider="zhipu", name="1301"),
    _row(ErrorKind.THROTTLE, provider="zhipu", name="1302|1303|1305"),
    _row(ErrorKind.CONTEXT, provider="zhipu", name="1261"),
    # Moonshot says it with a 429; waiting tops up no account.
    _row(ErrorKind.QUOTA, provider="moonshot", name="exceeded_current_quota_error"),
    # Any OpenAI-compatible server: names that mean the same wherever they are used.
    _row(
        ErrorKind.CONTENT,
        name=r"content_policy_violation|content_filter|ResponsibleAIPolicyViolation"
        r"|data_?inspection_?failed",
    ),
    _row(
        ErrorKind.CONTEXT, name=r"context_length_exceeded|exceed_context_size_error|string_above_max_length"
    ),
    _row(
        ErrorKind.QUOTA,
        name=r"insufficient_quota|\w*spend_limit_exceeded|billing_\w+|insufficient_balance"
        r"|PrepaidBillOverdue|PostpaidBillOverdue|CommodityNotPurchased|Arrearage",
    ),
    _row(ErrorKind.QUOTA, 402),
    _row(
        ErrorKind.CONTEXT,
        200,
        400,
        413,
        422,
        500,  # llama.cpp and vLLM have answered 500 to a prompt that is too long
        message=r"maximum context length|context (length|window|size)|range of input length should be"
        r"|exceeded model token limit|prompt is too long|too many tokens|input is too long",
    ),
    _row(ErrorKind.CONTEXT, 429, message="request too large for"),  # larger than the whole TPM limit
    _row(ErrorKind.CONTEXT, 413),
    _row(ErrorKind.AUTH, name=r"invalid_api_key|InvalidApiKey|authentication_error|invalid_authentication"),
    _row(ErrorKind.TRANSIENT, name=r"RequestTimeOut|ModelServingError|ModelUnavailable|overloaded_error"),
    _row(ErrorKind.BAD_REQUEST, name="model_not_found"),
    _row(ErrorKind.THROTTLE, 429),
    _row(ErrorKind.THROTTLE, 200, name=r"429|rate_limit\w*|too_many_requests"),
    _row(ErrorKind.AUTH, 401, 403),
    _row(ErrorKind.TRANSIENT, 408, 409, 425),
)

_FORMAT = re.compile(r"response_format|json_schema|json_object|structured[ _]output|guided|grammar", re.I)
_CODE = re.compile(r"[\w.:\-]{1,64}")

FINISHES: dict[str, ErrorKind] = {
    "content_filter": ErrorKind.CONTENT,
    "sensitive": ErrorKind.CONTENT,  # Zhipu
    "insufficient_system_resource": ErrorKind.TRANSIENT,  # DeepSeek
    "network_error": ErrorKind.TRANSIENT,  # Zhipu
    "error": ErrorKind.TRANSIENT,
}


def classify(provider: str, said: Complaint) -> ErrorKind:
    """The kind of failure. An error inside a 200 stream whose code is a number is judged as that status."""
    if said.status == 200 and re.fullmatch("[45][0-9][0-9]", said.code):
        said = Complaint(int(said.code), said.code, said.type, said.message, said.param)
    for row in ROWS:
        if row.matches(provider, said):
            return row.kind
    if said.status == 200 or said.status >= 500:
        return ErrorKind.TRANSIENT
    return ErrorKind.BAD_REQUEST


def is_about_format(said: Complaint) -> bool:
    """Whether a 400 complains of `response_format`: then the next rung of the ladder may be understood."""
    return said.status in (400, 404, 415, 422, 501) and (
        said.param.startswith("response_format") or _FORMAT.search(said.message) is not None
    )


_REFUSED = re.compile(
    r"unsupported|not supported|unknown|unrecognized|not permitted|extra (inputs|fields)|invalid", re.I
)
_QUIRKS: tuple[tuple[Quirk, re.Pattern[str]], ...] = (
    (Quirk.COMPLETION_LIMIT, re.compile(r"max_completion_tokens")),
    (Quirk.NO_TEMPERATURE, re.compile(r"\btemperature\b")),
    (Quirk.NO_STREAM_OPTIONS, re.compile(r"stream_options|include_usage")),
)


def quirk_of(said: Complaint) -> Quirk | None:
    """The field of our request that a 400 complains of and that can be asked for in another way."""
    if said.status not in (400, 422):
        return None
    text = f"{said.param} {said.message}"
    if not _REFUSED.search(f"{said.code} {said.message}"):
        return None
    return next((quirk for quirk, pattern in _QUIRKS if pattern.search(text)), None)


def complaint_of(status: int, body: object) -> Complaint:
    """Read an error object of any of the shapes in use; fields that are missing or odd become ''.

    `{"error": {…}}`, `{"error": "…"}`, `{"code": …, "message": …}`, Azure's `innererror`, FastAPI's `detail`.
    """
    found = body if isinstance(body, dict) else {}
    error = found.get("error", found)
    if isinstance(error, str):
        return Complaint(status, _text(found.get("code")), message=error[:2000])
    if not isinstance(error, dict):
        error = {}
    inner = error.get("innererror")
    code = inner.get("code") if isinstance(inner, dict) and inner.get("code") else error.get("code")
    message = error.get("message") or error.get("msg") or error.get("detail") or found.get("message")
    return Complaint(
        status, _text(code), _text(error.get("type")), _text(message)[:2000], _text(error.get("param"))
    )


def failure(
    kind: ErrorKind,
    detail: str,
    *,
    error: type[LLMError] | None = None,
    retry_after: float | None = None,
    **params: object,
) -> LLMError:
    """The error to raise. `detail` is for logs: our words, codes and numbers, never a server's message."""
    raised = (error or ERRORS[kind])(retry_after=retry_after, kind=kind.value, detail=detail)
    raised.params.update(params)
    return raised


def failure_of(provider: str, said: Complaint, *, retry_after: float | None = None) -> LLMError:
    """The error for an answer that is a complaint."""
    kind = classify(provider, said)
    # llama.cpp repeats the status as its code; its type is the name.
    names = [name for name in said.names if _CODE.fullmatch(name)]
    code = next((name for name in names if not name.isdigit()), names[0] if names else "")
    where = "in stream" if said.status == 200 else f"HTTP {said.status}"
    wait = retry_after if kind in (ErrorKind.THROTTLE, ErrorKind.BURST, ErrorKind.TRANSIENT) else None
    return failure(
        kind,
        f"{where} {code}".strip(),
        retry_after=wait,
        status=said.status,
        about_format=is_about_format(said),
        quirk=quirk_of(said),
    )


def _text(value: object) -> str:
    """A field of an error object as text; numbers count (codes are integers at some providers)."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
