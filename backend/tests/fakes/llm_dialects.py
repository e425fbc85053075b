"""How Azure OpenAI and DashScope speak where they differ from OpenAI: replies for `FakeLLM`, and servers
that refuse what the real ones refuse.

`FakeLLM(default=dashscope(ANSWER))` answers a request that DashScope would take and says why it would not
otherwise, so that a test which expects one call fails when our request is wrong. Sources: the providers'
reference and error pages, November 2026, and requests of theirs quoted in issue threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

from backend.tests.fakes import llm_server as fake
from backend.tests.fakes.llm_server import JSON, FakeLLM, Reply, Seen

KEY = "sk-test-1234567"
Serve = Callable[[Seen], Reply]

# Where each server has its chat completions, beneath the host.
AZURE_RESOURCE, DASHSCOPE_BASE = "", "/compatible-mode/v1"


def at(llm: FakeLLM, path: str) -> str:
    """The address of `llm` as this provider's base URL."""
    return llm.base_url.removesuffix("/v1") + path


# Azure OpenAI

_HARMLESS = {
    kind: {"filtered": False, "severity": "safe"} for kind in ("hate", "self_harm", "sexual", "violence")
}
_FILTERED = _HARMLESS | {"violence": {"filtered": True, "severity": "medium"}}
_AZURE_FRAME = {"id": "", "object": "", "created": 0, "model": ""}


def azure_stream(text: str, *, finish: str = "stop", size: int = 500) -> Reply:
    """A first chunk with results of the prompt's filter and no choices, then filter chunks without a delta
    between those of the text."""
    checked = {"prompt_filter_results": [{"prompt_index": 0, "content_filter_results": _HARMLESS}]}
    parts: list[JSON] = [{**_AZURE_FRAME, "choices": [], **checked}, fake.chunk("")]
    for begin in range(0, len(text), size):
        parts += [fake.chunk(text[begin : begin + size]), _azure_filtered(begin)]
    last = fake.chunk(None, finish)
    last["choices"][0]["content_filter_results"] = _FILTERED if finish == "content_filter" else {}
    return fake.raw_events(fake.sse(*parts, last, {"choices": [], "usage": fake.USAGE}))


def _azure_filtered(offset: int) -> JSON:
    """Asynchronous filter: the choice has offsets and results, and no delta."""
    offsets = {"check_offset": offset, "start_offset": offset, "end_offset": offset + 500}
    results = {"content_filter_offsets": offsets, "content_filter_results": _HARMLESS}
    return {**_AZURE_FRAME, "choices": [{"index": 0, "finish_reason": None, **results}]}


def azure_refused() -> Reply:
    """The prompt met the content filter: the telling code is an inner one."""
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": _FILTERED}
    message = (
        "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. "
        "Please modify your prompt and retry."
    )
    named = {"type": None, "code": "content_filter", "param": "prompt", "status": 400}
    return fake.whole({"error": {"message": message, **named, "innererror": inner}}, 400)


def azure_throttled(seconds: float | None) -> Reply:
    """Too many tokens this minute, with both of its headers; None: without any."""
    message = (
        "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-10-21 have "
        "exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry later."
    )
    headers = {} if seconds is None else {
        "Retry-After": str(max(round(seconds), 1)),
        "retry-after-ms": str(round(seconds * 1000)),
        "x-ratelimit-remaining-tokens": "0",
    }  # fmt: skip
    return fake.error(429, "429", message, headers)


def azure_no_deployment() -> Reply:
    return fake.error(
        404, "DeploymentNotFound", "The API deployment for this resource does not exist. Wait a moment."
    )


def azure_wrong_key() -> Reply:
    return fake.error(401, "401", "Access denied due to invalid subscription key or wrong API endpoint.")


def azure_classic(answer: str, *, deployment: str, version: str = "2024-10-21", key: str = KEY) -> Serve:
    """The deployment and the version stand in the address, the key in `api-key`."""
    path = f"/openai/deployments/{deployment}/chat/completions"

    def serve(seen: Seen) -> Reply:
        address = urlsplit(seen.path)
        if address.path != path or parse_qs(address.query) != {"api-version": [version]}:
            return fake.error(404, "404", "Resource not found")
        return _azure(seen, answer, key)

    return serve


def azure_v1(answer: str, *, deployment: str, key: str = KEY) -> Serve:
    """The newer address: no version, and the deployment is the body's model."""

    def serve(seen: Seen) -> Reply:
        if seen.path != "/openai/v1/chat/completions":
            return fake.error(404, "404", "Resource not found")
        if seen.body.get("model") != deployment:
            return azure_no_deployment()
        return _azure(seen, answer, key)

    return serve


# Keywords of JSON Schema that strict mode refuses at Azure.
_NOT_STRICT = frozenset({"minLength", "maxLength", "pattern", "format", "default"})


def _azure(seen: Seen, answer: str, key: str) -> Reply:
    if seen.headers.get("api-key") != key:
        return azure_wrong_key()
    form = seen.body.get("response_format") or {}
    problem = next(_loose(form.get("json_schema", {}).get("schema", {})), None)
    if problem is not None:
        message = f"Invalid schema for response_format 'PartFindings': {problem}."
        return fake.error(400, None, message, param="response_format", type="invalid_request_error")
    return azure_stream(answer)


def _loose(schema: JSON) -> Iterator[str]:
    """What strict mode holds against a schema."""
    if isinstance(schema, list):
        for item in schema:
            yield from _loose(item)
    if not isinstance(schema, dict):
        return
    yield from (f"'{name}' is not permitted" for name in _NOT_STRICT.intersection(schema))
    properties = schema.get("properties")
    if isinstance(properties, dict):
        if schema.get("additionalProperties") is not False:
            yield "'additionalProperties' is required to be supplied and to be false"
        if set(schema.get("required", ())) != set(properties):
            yield "'required' is required to be an array including every key in properties"
        yield from _loose(list(properties.values()))
    for name, value in schema.items():
        if name not in ("properties", "enum", "required"):
            yield from _loose(value)


# DashScope, compatible mode


def dashscope_error(status: int, code: str, message: str = "") -> Reply:
    body = {"error": {"message": message, "type": code, "param": None, "code": code}, "request_id": "r-1"}
    return fake.whole(body, status)


def dashscope_native_error(status: int, code: str, message: str = "") -> Reply:
    """Its own shape, which comes through where the compatible mode does not translate."""
    return fake.whole({"code": code, "message": message, "request_id": "r-1"}, status)


def dashscope_inspected_midway(begun: str) -> Reply:
    """Half an answer, and then the inspection of what it says; the stream just ends."""
    message = "Output data may contain inappropriate content."
    named = {"type": "data_inspection_failed", "param": None, "code": "data_inspection_failed"}
    error = {"message": message, **named}
    return fake.raw_events(fake.sse(fake.chunk(begun), {"error": error, "id": "r-1"}, done=False))


def dashscope_input_too_long(most: int) -> Reply:
    message = f"<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, {most}]"
    return dashscope_error(400, "invalid_parameter_error", message)


def dashscope(answer: str, *, key: str = KEY, schema: bool = False) -> Serve:
    """Answers in JSON mode under its conditions. `schema`: the model understands json_schema."""

    def serve(seen: Seen) -> Reply:
        if seen.path != f"{DASHSCOPE_BASE}/chat/completions":
            return fake.whole("", 404)
        if seen.headers.get("authorization") != f"Bearer {key}":
            return dashscope_error(401, "invalid_api_key", "Incorrect API key provided. ")
        problem = _dashscope_problem(seen.body, seen.text, schema)
        if problem is not None:
            message = f"<400> InternalError.Algo.InvalidParameter: {problem}"
            return dashscope_error(400, "invalid_parameter_error", message)
        return fake.stream(answer, size=500)

    return serve


def _dashscope_problem(body: JSON, text: str, schema: bool) -> str | None:
    kind = (body.get("response_format") or {}).get("type", "text")
    if body.get("enable_thinking") and not body.get("stream"):
        return "parameter.enable_thinking must be set to false for non-streaming calls"
    if kind == "json_schema" and not schema:
        return "'response_format.type' json_schema is not supported by this model"
    if kind == "text":
        return None
    # Hybrid models think unless they are told not to.
    if body.get("enable_thinking", True):
        return "Json mode response is not supported when enable_thinking is true"
    if kind == "json_object" and "json" not in text.lower():
        return "'messages' must contain the word 'json' in some form, to use it as 'response_format'."
    if kind == "json_object" and "max_tokens" in body:
        return "max_tokens can not be set together with 'response_format' of type 'json_object'"
    return None


# Any OpenAI-compatible server with a key


def bearer(answer: str, *, key: str = KEY) -> Serve:
    """Answers whoever shows the key."""

    def serve(seen: Seen) -> Reply:
        if seen.headers.get("authorization") != f"Bearer {key}":
            return fake.error(401, "invalid_api_key", "Incorrect API key provided.")
        return fake.stream(answer, size=500)

    return serve
