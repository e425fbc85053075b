"""Field types with bounds: nothing from outside is unbounded or unfit for a database."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from backend.app.api.field_errors import Bilingual
from backend.app.common.text import clean_text
from backend.app.tasks.queries import LARGEST_ID as LARGEST_ID

_CONFIG_BYTES, _CONFIG_DEPTH = 64 * 1024, 20


def _clean(text: str) -> str:
    if clean_text(text) != text:
        raise Bilingual("含有无法保存的字符", "contains characters that cannot be stored")
    return text


def _written_time(value: object) -> object:
    if isinstance(value, datetime) or (isinstance(value, str) and value[:4].isdigit() and "-" in value):
        return value
    raise Bilingual("应为 ISO 8601 时间", "must be an ISO 8601 time")


def _utc(value: datetime) -> datetime:
    """Times without a zone are UTC."""
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError as error:  # the first and last hours of the calendar
        raise Bilingual("时间超出范围", "is out of range") from error


def _storable(config: dict[str, Any]) -> dict[str, Any]:
    """What PostgreSQL takes as JSON, of a sane size."""
    try:
        text = json.dumps(config, ensure_ascii=False, allow_nan=False)
        sound = len(text.encode()) <= _CONFIG_BYTES and "\\u0000" not in text
    except (ValueError, RecursionError):
        sound = False
    if not sound or _depth(config) > _CONFIG_DEPTH:
        raise Bilingual(
            "过大、过深或含有无法保存的值", "is too large, too deep or has values that cannot be kept"
        )
    return config


def _depth(value: object, level: int = 1) -> int:
    if level > _CONFIG_DEPTH:
        return level
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max((_depth(item, level + 1) for item in inner), default=level)


Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]
Clean = AfterValidator(_clean)
UtcTime = Annotated[datetime, BeforeValidator(_written_time), AfterValidator(_utc)]
Config = Annotated[dict[str, Any], AfterValidator(_storable)]
MaxRetries = Annotated[int, Field(ge=0, le=10, description="首次执行之外最多再试几次")]
Priority = Annotated[int, Field(ge=-10, le=10, description="只在本人的任务之间排序，大者先")]
StatusName = Literal["pending", "running", "completed", "failed", "retry", "cancelled"]
