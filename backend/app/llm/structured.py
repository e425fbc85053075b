"""Answers bound to a schema: the ladder json_schema → json_object → prompt, and how an answer is read. Pure.

An answer is mended by json-repair only when the model said it had finished: on a cut answer repair would make
half a number look whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NoReturn

from pydantic import BaseModel, ValidationError

from backend.app.llm import prompts
from backend.app.llm.types import JSON, Message, Model, StructuredLevel

LADDER = (StructuredLevel.JSON_SCHEMA, StructuredLevel.JSON_OBJECT, StructuredLevel.PROMPT)
MAX_REPAIR = 60_000  # characters; json-repair is slow, and a longer answer is noise
MAX_SHOWN = 6_000  # characters of a bad answer that the re-ask shows

# Keywords that a provider refuses in a strict schema; pydantic still checks them on our side.
_REFUSED_KEYWORDS: dict[str, frozenset[str]] = {
    "openai": frozenset(("minLength", "maxLength")),
    "azure_openai": frozenset(("minLength", "maxLength", "minItems", "maxItems")),
}
_FENCE = re.compile(r"```(?:json|JSON)?\s*\n?(.*?)```", re.DOTALL)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class AnswerInvalid(Exception):
    """An answer that is not the JSON asked for. `problems` are lines for the model, without its own words."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems)[:500])


def below(level: StructuredLevel) -> StructuredLevel | None:
    """The next rung down; None at the foot."""
    at = LADDER.index(level) + 1
    return LADDER[at] if at < len(LADDER) else None


def response_format(
    schema: type[BaseModel], level: StructuredLevel, provider: str
) -> Mapping[str, JSON] | None:
    """The request field that binds an answer at this level; None at the foot of the ladder."""
    if level is StructuredLevel.PROMPT:
        return None
    if level is StructuredLevel.JSON_OBJECT:
        return {"type": "json_object"}
    strict = strict_schema(schema, without=_REFUSED_KEYWORDS.get(provider, frozenset()))
    return {"type": "json_schema", "json_schema": {"name": schema.__name__, "strict": True, "schema": strict}}


def with_schema(
    messages: Sequence[Message], schema: type[BaseModel], level: StructuredLevel
) -> tuple[Message, ...]:
    """The messages, with the schema told in words where the server does not enforce it.

    It goes to the end of the first message, before the document: that keeps the fixed part of the prompt
    first, where prompt caches find it. The word "json" must be there for DashScope's json_object.
    """
    if level is StructuredLevel.JSON_SCHEMA:
        return tuple(messages)
    told = json.dumps(strict_schema(schema), ensure_ascii=False, separators=(",", ":"))
    first = messages[0]
    text = prompts.load("schema").filled(schema=told)
    return (Message(first.role, f"{first.content}\n\n{text}"), *messages[1:])


def ask_again(messages: Sequence[Message], answer: str, problems: Sequence[str]) -> tuple[Message, ...]:
    """The same question with the bad answer and what is wrong with it."""
    listed = "\n".join(f"- {problem}" for problem in problems[:20])
    return (
        *messages,
        Message("assistant", answer[:MAX_SHOWN]),
        Message("user", prompts.load("mend").filled(problems=listed)),
    )


def read_answer(text: str, schema: type[Model], *, is_finished: bool) -> Model:
    """Validate; raises AnswerInvalid. `is_finished`: finish_reason was "stop"; only then is it mended."""
    found = _parse(text, is_finished=is_finished)
    # What no database stores stands in the text itself or comes of an escape.
    if "\\u" in text or _UNSTORABLE.search(text):
        found = _cleaned(found)
    try:
        return schema.model_validate(found)
    except ValidationError as error:
        raise AnswerInvalid([_problem(item) for item in error.errors(include_input=False)]) from None


@cache
def strict_schema(schema: type[BaseModel], *, without: frozenset[str] = frozenset()) -> dict[str, JSON]:
    """The JSON Schema in the strict dialect: no $ref, every property required, nothing else allowed.

    Made once a schema, so don't change what comes back.
    """
    full = schema.model_json_schema()
    strict: dict[str, JSON] = _strict(full, full.get("$defs", {}), without)
    return strict


def _strict(node: JSON, shared: Mapping[str, JSON], without: frozenset[str]) -> JSON:
    if isinstance(node, list):
        return [_strict(item, shared, without) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _strict(shared[str(node["$ref"]).rpartition("/")[2]], shared, without)
    dropped = {"$defs", "title", "default", "description"} | without
    kept = {key: value for key, value in node.items() if key not in dropped and key != "properties"}
    kept = {key: _strict(value, shared, without) for key, value in kept.items()}
    if isinstance(node.get("properties"), dict):
        kept["properties"] = {
            name: _strict(value, shared, without) for name, value in node["properties"].items()
        }
        kept["required"] = list(node["properties"])
        kept["additionalProperties"] = False
    return kept


def _parse(text: str, *, is_finished: bool) -> JSON:
    """The JSON object in an answer: bare, fenced, or amid prose; else mended, if it was finished."""
    candidates = [text.strip()]
    candidates += [found.strip() for found in _FENCE.findall(text)]
    first, last = text.find("{"), text.rfind("}")
    if 0 <= first < last:
        candidates.append(text[first : last + 1])
    for candidate in candidates:
        try:
            found = json.loads(candidate, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    if is_finished and first >= 0 and len(text) <= MAX_REPAIR:
        return _repaired(text[first:])
    raise AnswerInvalid(["输出不是有效的 JSON 对象" if is_finished else "输出被截断，JSON 不完整"])


def _repaired(text: str) -> JSON:
    import json_repair  # 30 ms, and most processes never need it

    try:
        found = json_repair.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not found:
        raise AnswerInvalid(["输出不是有效的 JSON 对象"])
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _cleaned(value: JSON) -> JSON:
    """Without what no database stores: NUL and lone surrogates, which JSON escapes can smuggle in."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("", value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {_UNSTORABLE.sub("", key): _cleaned(item) for key, item in value.items()}
    return value


def _problem(item: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in item["loc"]) or "(root)"
    return f"{where}: {item['msg']}"
