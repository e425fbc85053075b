"""Every row of the providers' error pages, in the words they really answer with, and what becomes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backend.app.common.errors import LLMError
from backend.app.llm.classify import ERRORS, classify, complaint_of, failure_of, quirk_of
from backend.app.llm.providers import Quirk
from backend.app.llm.stream import AnswerBuilder
from backend.app.llm.types import ErrorKind

ANY = "openai_compatible"


def openai(message: str, kind: str | None, code: Any = None, param: str | None = None) -> Any:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def azure(code: str, message: str, **more: Any) -> Any:
    return {"error": {"code": code, "message": message, **more}}


def native(code: str, message: str) -> Any:
    """DashScope's own shape, which the compatible mode lets through now and then."""
    return {"code": code, "message": message, "request_id": "902fee3b-f7f0-9a8c-96a1-6b4ea25af114"}


FILTERED = {
    "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management "
    "policy. Please modify your prompt and retry.",
    "type": None,
    "param": "prompt",
    "code": "content_filter",
    "status": 400,
    "innererror": {
        "code": "ResponsibleAIPolicyViolation",
        "content_filter_result": {"violence": {"filtered": True, "severity": "high"}},
    },
}
LENGTH = "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 30720]"
INSPECTED = "Output data may contain inappropriate content."
SPEND = "You have reached your monthly spend limit."
FREE_TIER = (
    "The free tier of the model has been exhausted. If you wish to continue access the model on a paid "
    "basis, please disable the 'use free tier only' mode in the management console."
)

ROWS: list[tuple[str, int, Any, str]] = [
    # OpenAI
    ("openai", 400, openai("This model's maximum context length is 128000 tokens. However, your "
     "messages resulted in 130001 tokens.", "invalid_request_error", "context_length_exceeded", "messages"),
     "context"),
    ("openai", 400, openai("Your request was rejected as a result of our safety system.",
     "invalid_request_error", "content_policy_violation"), "content"),
    ("openai", 429, openai("You exceeded your current quota, please check your plan and billing details.",
     "insufficient_quota", "insufficient_quota"), "quota"),
    ("openai", 429, openai(SPEND, "insufficient_quota", "project_spend_limit_exceeded"), "quota"),
    ("openai", 429, openai(SPEND, "requests", "organization_spend_limit_exceeded"), "quota"),
    ("openai", 429, openai("Request too large for gpt-4o in organization org-x on tokens per min (TPM): "
     "Limit 30000, Requested 40000.", "tokens", "rate_limit_exceeded"), "context"),
    ("openai", 429, openai("Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): "
     "Limit 30000, Used 29900, Requested 500. Please try again in 800ms.", "tokens", "rate_limit_exceeded"),
     "throttle"),
    ("openai", 429, openai("Rate limit reached for requests", "requests", "rate_limit_exceeded"), "throttle"),
    ("openai", 401, openai("Incorrect API key provided: sk-****.", "invalid_request_error",
     "invalid_api_key"), "auth"),
    ("openai", 403, openai("Country, region, or territory not supported",
     "request_forbidden", "unsupported_country_region_territory"), "auth"),
    ("openai", 404, openai("The model `gpt-9` does not exist or you do not have access to it.",
     "invalid_request_error", "model_not_found"), "bad_request"),
    ("openai", 500, openai("The server had an error while processing your request.", "server_error"),
     "transient"),
    ("openai", 503, openai("The engine is currently overloaded, please try again later", "server_error"),
     "transient"),
    # Azure OpenAI
    ("azure_openai", 400, {"error": FILTERED}, "content"),
    ("azure_openai", 400, azure("content_filter", "The response was filtered"), "content"),
    ("azure_openai", 400, azure("context_length_exceeded", "This model's maximum context length is 8192 "
     "tokens", param="messages", type="invalid_request_error"), "context"),
    ("azure_openai", 401, azure("401", "Access denied due to invalid subscription key or wrong API "
     "endpoint."), "auth"),
    ("azure_openai", 404, azure("DeploymentNotFound", "The API deployment for this resource does not exist."),
     "bad_request"),
    ("azure_openai", 404, azure("404", "Resource not found"), "bad_request"),
    ("azure_openai", 429, azure("429", "Requests to the ChatCompletions_Create Operation under Azure OpenAI "
     "API version 2024-10-21 have exceeded token rate limit of your current OpenAI S0 pricing tier. Please "
     "retry after 6 seconds."), "throttle"),
    ("azure_openai", 429, azure("RateLimitReached", "Your requests have exceeded the call rate limit."),
     "throttle"),
    ("azure_openai", 500, azure("InternalServerError", "Backend returned unexpected response."), "transient"),
    # DashScope: retry
    ("dashscope", 429, openai("Requests rate limit exceeded, please try again later.", "limit_requests",
     "limit_requests"), "throttle"),
    ("dashscope", 429, native("Throttling.RateQuota", "Requests rate limit exceeded"), "throttle"),
    ("dashscope", 429, native("Throttling", "Requests throttling triggered."), "throttle"),
    ("dashscope", 429, openai("Request rate increased too quickly. To ensure system stability, please "
     "adjust your client logic to scale requests more smoothly over time.", "limit_burst_rate",
     "limit_burst_rate"), "burst"),
    ("dashscope", 429, native("Throttling.BurstRate", "Request rate increased too quickly."), "burst"),
    ("dashscope", 429, openai("You exceeded your current quota, please check your plan and billing details.",
     "insufficient_quota", "insufficient_quota"), "throttle"),
    ("dashscope", 429, native("Throttling.AllocationQuota", "Allocated quota exceeded, please increase your "
     "quota limit."), "throttle"),
    ("dashscope", 500, native("RequestTimeOut", "Request timed out, please try again later."), "transient"),
    ("dashscope", 500, native("ModelServingError", "Too many requests in route."), "transient"),
    ("dashscope", 503, native("ModelUnavailable", "Model is unavailable, please try again later."),
     "transient"),
    # DashScope: permanent
    ("dashscope", 429, openai("Free allocated quota exceeded.", "insufficient_quota", "insufficient_quota"),
     "quota"),
    ("dashscope", 429, native("Throttling.AllocationQuota", "Free allocated quota exceeded."), "quota"),
    ("dashscope", 429, native("PrepaidBillOverdue", "The prepaid bill is overdue."), "quota"),
    ("dashscope", 429, native("PostpaidBillOverdue", "The postpaid bill is overdue."), "quota"),
    ("dashscope", 429, native("CommodityNotPurchased", "Commodity has not purchased yet."), "quota"),
    ("dashscope", 400, openai("Access denied, please make sure your account is in good standing.",
     "Arrearage", "Arrearage"), "quota"),
    ("dashscope", 403, openai(FREE_TIER, "AllocationQuota.FreeTierOnly", "AllocationQuota.FreeTierOnly"),
     "quota"),
    ("dashscope", 404, openai("The model `qwen9` does not exist or you do not have access to it.",
     "invalid_request_error", "model_not_found"), "bad_request"),
    ("dashscope", 401, openai("Incorrect API key provided.", "invalid_request_error", "invalid_api_key"),
     "auth"),
    ("dashscope", 400, openai(LENGTH, "invalid_request_error", "invalid_parameter_error"), "context"),
    ("dashscope", 400, openai("Input data may contain inappropriate content.", "data_inspection_failed",
     "data_inspection_failed"), "content"),
    ("dashscope", 400, native("DataInspectionFailed", "Input data may contain inappropriate content."),
     "content"),
    # DeepSeek
    ("deepseek", 402, openai("Insufficient Balance", "unknown_error", "invalid_request_error"), "quota"),
    ("deepseek", 422, openai("Failed to deserialize the JSON body into the target type",
     "invalid_request_error", "invalid_request_error"), "bad_request"),
    ("deepseek", 401, openai("Authentication Fails, Your api key: ****abcd is invalid",
     "authentication_error", "invalid_request_error"), "auth"),
    ("deepseek", 429, openai("Rate limit reached", "rate_limit_error"), "throttle"),
    ("deepseek", 503, openai("Service is too busy.", "service_unavailable_error"), "transient"),
    # Moonshot
    ("moonshot", 400, {"error": {"message": "The request was rejected because it was considered high risk",
     "type": "content_filter"}}, "content"),
    ("moonshot", 400, {"error": {"message": "Invalid request: Your request exceeded model token limit: 8192",
     "type": "invalid_request_error"}}, "context"),
    ("moonshot", 401, {"error": {"message": "Invalid Authentication",
     "type": "invalid_authentication_error"}}, "auth"),
    ("moonshot", 429, {"error": {"message": "Your account request reached max concurrency: 3, please try "
     "again after 1 seconds", "type": "rate_limit_reached_error"}}, "throttle"),
    ("moonshot", 429, {"error": {"message": "The engine is currently overloaded, please try again later",
     "type": "engine_overloaded_error"}}, "throttle"),
    # Zhipu
    ("zhipu", 429, azure("1113", "您的账户已欠费，请充值后重试"), "quota"),
    ("zhipu", 400, azure("1301", "系统检测到输入或生成内容可能包含不安全或敏感内容"), "content"),
    ("zhipu", 429, azure("1302", "您的账户已达到速率限制，请您控制请求频率"), "throttle"),
    # llama.cpp
    (ANY, 400, {"error": {"code": 400, "message": "the request exceeds the available context size, try "
     "increasing it", "type": "exceed_context_size_error", "n_prompt_tokens": 9001, "n_ctx": 4096}},
     "context"),
    (ANY, 401, {"error": {"code": 401, "message": "Invalid API Key", "type": "authentication_error"}},
     "auth"),
    (ANY, 503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}},
     "transient"),
    # Ollama
    ("ollama", 404, openai('model "qwen9" not found, try pulling it first', "not_found_error"),
     "bad_request"),
    ("ollama", 500, {"error": "llama runner process has terminated: signal: killed"}, "transient"),
    # Waiting tops up no account, and a prompt that is too long can be cut.
    ("moonshot", 429, openai("You exceeded your current token quota, please check your account balance.",
     "exceeded_current_quota_error"), "quota"),
    ("moonshot", 429, openai("Your account reached max request.", "rate_limit_reached_error"), "throttle"),
    ("zhipu", 400, {"error": {"code": "1261", "message": "Prompt 超长"}}, "context"),
    ("zhipu", 429, {"error": {"code": "1305", "message": "该模型当前访问量过大"}}, "throttle"),
]  # fmt: skip


@pytest.mark.parametrize(("provider", "status", "body", "kind"), ROWS)
def test_an_answer_that_is_a_complaint_has_its_kind(provider: str, status: int, body: Any, kind: str) -> None:
    said = complaint_of(status, json.loads(json.dumps(body)))
    assert classify(provider, said) == kind
    error = failure_of(provider, said, retry_after=3)
    assert type(error) is ERRORS[ErrorKind(kind)]
    assert error.params["status"] == status
    assert error.retry_after == (3 if kind in {"throttle", "burst", "transient"} else None)


def streamed(provider: str, *events: Any) -> LLMError:
    """The error of a 200 stream with these events, to its end."""
    builder = AnswerBuilder(provider)
    try:
        for event in events:
            builder.add(json.dumps(event))
        builder.check()
    except LLMError as error:
        return error
    pytest.fail("a good answer")


@pytest.mark.parametrize(
    ("provider", "event", "kind"),
    [
        ("dashscope", native("DataInspectionFailed", INSPECTED), "content"),
        ("dashscope", openai(INSPECTED, "data_inspection_failed", "data_inspection_failed"), "content"),
        ("dashscope", native("Throttling.AllocationQuota", "Allocated quota exceeded"), "throttle"),
        ("dashscope", native("RequestTimeOut", "Request timed out"), "transient"),
        ("zhipu", azure("1301", "敏感内容"), "content"),
        (ANY, {"error": {"code": 429, "message": "rate limited"}}, "throttle"),
        (ANY, {"error": {"code": 401, "message": "bad key"}}, "auth"),
        (ANY, {"error": {"code": 402, "message": "add credits"}}, "quota"),
        (ANY, {"error": {"code": 400, "message": "no"}}, "bad_request"),
        (ANY, {"error": {"code": 502, "message": "provider returned error"}}, "transient"),
        (ANY, {"error": {"code": 1234, "message": "odd"}}, "transient"),
        (ANY, {"error": {"message": "Internal server error", "type": "server_error", "code": None}},
         "transient"),
        (ANY, {"error": "CUDA out of memory"}, "transient"),
        (ANY, {"object": "error", "message": "This model's maximum context length is 4096 tokens",
         "code": 40303}, "context"),
    ],
)  # fmt: skip
def test_an_error_inside_a_good_stream_has_its_kind(provider: str, event: Any, kind: str) -> None:
    """It comes after the first words as well as before them, with or without `choices` beside it."""
    words = {"choices": [{"index": 0, "delta": {"content": "半句"}, "finish_reason": None}]}
    for events in ([event], [words, event], [words, {**event, "choices": []}]):
        if "error" not in event and "choices" in events[-1]:
            continue  # without `error` only the missing choices tell
        assert streamed(provider, *events).params["kind"] == kind


@pytest.mark.parametrize(
    ("provider", "reason", "kind"),
    [
        ("openai", "content_filter", "content"),
        ("azure_openai", "content_filter", "content"),
        ("zhipu", "sensitive", "content"),
        ("zhipu", "network_error", "transient"),
        ("deepseek", "insufficient_system_resource", "transient"),
        (ANY, "error", "transient"),
        (ANY, None, "truncated"),
    ],
)
def test_a_bad_end_of_a_stream_has_its_kind(provider: str, reason: str | None, kind: str) -> None:
    words = {"choices": [{"index": 0, "delta": {"content": "半句"}, "finish_reason": None}]}
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    assert streamed(provider, words, end).params["kind"] == kind


def test_a_refusal_of_the_model_is_refused_content() -> None:
    refusal = {"choices": [{"index": 0, "delta": {"refusal": "I can't help."}, "finish_reason": None}]}
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    assert streamed("openai", refusal, end).params["kind"] == "content"


def test_azures_chunks_without_choices_or_delta_are_passed_over() -> None:
    builder = AnswerBuilder("azure_openai")
    for event in (
        {"choices": [], "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}]},
        {"choices": [{"index": 0, "delta": {"content": "好"}, "finish_reason": None}]},
        {"choices": [{"index": 0, "content_filter_results": {}, "content_filter_offsets": {}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}},
    ):
        builder.add(json.dumps(event))
    assert builder.check() == "好"


@pytest.mark.parametrize(
    ("status", "body", "quirk"),
    [
        (400, openai("Unsupported parameter: 'max_tokens' is not supported with this model. Use "
         "'max_completion_tokens' instead.", "invalid_request_error", "unsupported_parameter", "max_tokens"),
         Quirk.COMPLETION_LIMIT),
        (400, openai("Unsupported value: 'temperature' does not support 0.0 with this model. Only the "
         "default (1) value is supported.", "invalid_request_error", "unsupported_value", "temperature"),
         Quirk.NO_TEMPERATURE),
        (400, {"error": {"message": "invalid temperature: only 1 is allowed for this model",
         "type": "invalid_request_error"}}, Quirk.NO_TEMPERATURE),
        (400, openai("Unrecognized request argument supplied: stream_options", "invalid_request_error"),
         Quirk.NO_STREAM_OPTIONS),
        (422, openai("Extra inputs are not permitted", "invalid_request_error", None, "stream_options"),
         Quirk.NO_STREAM_OPTIONS),
        (400, openai("unknown field include_usage", None), Quirk.NO_STREAM_OPTIONS),
        (400, openai("temperature must be between 0 and 2", None), None),
        (400, openai("Unsupported parameter: 'top_p'", None, "unsupported_parameter", "top_p"), None),
        (500, openai("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'", None), None),
        (401, openai("invalid temperature", None), None),
        (400, openai("This model's maximum context length is 8192 tokens", None), None),
    ],
)  # fmt: skip
def test_a_field_that_can_be_put_in_another_way_is_known(status: int, body: Any, quirk: Quirk | None) -> None:
    said = complaint_of(status, body)
    assert quirk_of(said) is quirk
    assert failure_of(ANY, said).params["quirk"] is quirk


def test_vllms_list_of_problems_names_the_field_too() -> None:
    problems = "[{'type': 'extra_forbidden', 'loc': ('body', 'stream_options'), 'msg': 'Extra inputs are not"
    body = {"object": "error", "message": f"{problems} permitted'}}]", "type": "BadRequestError", "code": 400}
    assert quirk_of(complaint_of(400, body)) is Quirk.NO_STREAM_OPTIONS


def test_what_a_server_says_never_reaches_the_error() -> None:
    """Messages may hold the document or the key."""
    for provider, status, body, _ in ROWS:
        error = failure_of(provider, complaint_of(status, body))
        assert "token" not in str(error.params["detail"])
        assert len(str(error.params["detail"])) < 80
