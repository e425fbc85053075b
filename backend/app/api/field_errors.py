"""What pydantic found wrong, field by field, in both languages and without the value that was sent. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_MOST = 20

# By pydantic's error type; `{…}` are filled from its context.
_SENTENCES: Mapping[str, tuple[str, str]] = {
    "missing": ("缺少必填项", "is required"),
    "extra_forbidden": ("不支持的字段", "is not a known field"),
    "int_parsing": ("应为整数", "must be an integer"),
    "int_type": ("应为整数", "must be an integer"),
    "int_from_float": ("应为整数", "must be an integer"),
    "int_parsing_size": ("数值超出范围", "is out of range"),
    "float_parsing": ("应为数字", "must be a number"),
    "float_type": ("应为数字", "must be a number"),
    "finite_number": ("应为有限的数字", "must be a finite number"),
    "bool_parsing": ("应为 true 或 false", "must be true or false"),
    "bool_type": ("应为 true 或 false", "must be true or false"),
    "greater_than_equal": ("不能小于 {ge}", "must be at least {ge}"),
    "less_than_equal": ("不能大于 {le}", "must be at most {le}"),
    "string_type": ("应为文字", "must be a string"),
    "string_unicode": ("含有无法识别的字符", "contains characters that are not valid"),
    "string_too_short": ("至少需要 {min_length} 个字符", "needs at least {min_length} characters"),
    "string_too_long": ("最多 {max_length} 个字符", "may have at most {max_length} characters"),
    "string_pattern_mismatch": ("格式不正确", "has a wrong format"),
    "too_long": ("最多 {max_length} 项", "may have at most {max_length} items"),
    "literal_error": ("只能是 {expected}", "must be {expected}"),
    "enum": ("只能是 {expected}", "must be {expected}"),
    "datetime_parsing": ("应为 ISO 8601 时间", "must be an ISO 8601 time"),
    "datetime_from_date_parsing": ("应为 ISO 8601 时间", "must be an ISO 8601 time"),
    "datetime_type": ("应为 ISO 8601 时间", "must be an ISO 8601 time"),
    "timezone_aware": ("时间须带时区", "needs a time zone"),
    "list_type": ("应为列表", "must be a list"),
    "dict_type": ("应为 JSON 对象", "must be a JSON object"),
    "model_attributes_type": ("应为 JSON 对象", "must be a JSON object"),
    "model_type": ("应为 JSON 对象", "must be a JSON object"),
    "union_tag_not_found": (
        "应恰好包含 text、file_id、source_task_id 之一",
        "must have exactly one of text, file_id, source_task_id",
    ),
}
_OTHERWISE = ("格式不正确", "is not valid")
_PLACES = frozenset({"body", "query", "path", "header", "cookie"})


def field_errors(problems: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """{"field", "message", "message_en", "type"} each, at most 20."""
    return [_field_error(item) for item in list(problems)[:_MOST]]


def _field_error(item: Mapping[str, Any]) -> dict[str, Any]:
    kind = _kind(item)
    message, message_en = _SENTENCES.get(kind, _OTHERWISE)
    context = item.get("ctx") or {}
    error = context.get("error")
    if kind == "value_error" and isinstance(error, Bilingual):
        message, message_en = error.message, error.message_en
    return {
        "field": _name(item.get("loc", ())),
        "message": _filled(message, context),
        "message_en": _filled(message_en, context),
        "type": kind,
    }


class Bilingual(ValueError):
    """A validator's own sentence, in both languages."""

    def __init__(self, message: str, message_en: str) -> None:
        super().__init__(message_en)
        self.message, self.message_en = message, message_en


def _name(location: Iterable[Any]) -> str:
    parts = [str(part) for part in location]
    if parts and parts[0] in _PLACES:
        parts = parts[1:]
    # The tag of a union's member says nothing to a client.
    return ".".join(part for part in parts if not part.startswith("by_"))[:100]


def _kind(item: Mapping[str, Any]) -> str:
    """Pydantic's type; a length that a validator of our own checked is told as that of a string."""
    kind = str(item["type"])
    of_text = kind in {"too_short", "too_long"} and isinstance(item.get("input"), str)
    return f"string_{kind}" if of_text else kind


def _filled(sentence: str, context: Mapping[str, Any]) -> str:
    try:
        return sentence.format(**context)
    except (KeyError, IndexError):
        return _OTHERWISE[0] if sentence and ord(sentence[0]) > 0x7F else _OTHERWISE[1]
