"""What differs by provider and model: addresses, headers, bodies, how strictly a model is bound."""

from __future__ import annotations

from typing import Any

import pytest

from backend.app.llm.providers import (
    AZURE_API_VERSION,
    PROVIDERS,
    Quirk,
    body,
    endpoint,
    is_classic_azure,
    key_headers,
    structured_level,
)
from backend.app.llm.types import ChatRequest, Deployment, Message, StructuredLevel

RESOURCE = "https://res.openai.azure.com"
CLASSIC = f"{RESOURCE}/openai/deployments/gpt-tender/chat/completions?api-version="
V1 = f"{RESOURCE}/openai/v1/chat/completions"
REQUEST = ChatRequest((Message("system", "json"), Message("user", "标书")))
OBJECT = {"type": "json_object"}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "Shape", "schema": {}}}


def deployment(provider: str = "openai_compatible", model: str = "m", **fields: Any) -> Deployment:
    address = PROVIDERS[provider].base_urls.get("", "http://llm.example.com/v1")
    return Deployment(provider, model, fields.pop("base_url", address), "key-123", **fields)


def sent(provider: str, model: str, form: Any = None, quirks: Any = (), **fields: Any) -> dict[str, Any]:
    return body(ChatRequest(REQUEST.messages, form), deployment(provider, model, **fields), frozenset(quirks))


@pytest.mark.parametrize(
    ("address", "version", "posted_to"),
    [
        (RESOURCE, "", V1),
        (f"{RESOURCE}/", "", V1),
        (f"{RESOURCE}/openai", "", V1),
        (f"{RESOURCE}/openai/", "", V1),
        (f"{RESOURCE}/openai/v1", "", V1),
        (f"{RESOURCE}/openai/v1/", "", V1),
        (f"{RESOURCE}/openai/v1/chat/completions", "", V1),
        (RESOURCE, "2024-10-21", CLASSIC + "2024-10-21"),
        (f"{RESOURCE}/", "2025-01-01-preview", CLASSIC + "2025-01-01-preview"),
        (f"{RESOURCE}/openai", "2024-10-21", CLASSIC + "2024-10-21"),
        (f"{RESOURCE}/openai/deployments/gpt-tender", "", CLASSIC + AZURE_API_VERSION),
        (f"{RESOURCE}/openai/deployments/gpt-tender/", "2024-06-01", CLASSIC + "2024-06-01"),
        (CLASSIC + "2025-01-01-preview", "", CLASSIC + "2025-01-01-preview"),
        (CLASSIC + "2025-01-01-preview", "2024-10-21", CLASSIC + "2024-10-21"),
        (f"{RESOURCE}?api-version=2024-10-21", "", CLASSIC + "2024-10-21"),
    ],
)
def test_any_address_that_azure_shows_may_be_pasted(address: str, version: str, posted_to: str) -> None:
    target = deployment("azure_openai", "gpt-tender", base_url=address, api_version=version)
    assert endpoint(target) == posted_to
    assert is_classic_azure(target) == (posted_to != V1)


@pytest.mark.parametrize("version", ["preview", "v1", "latest"])
def test_azures_v1_address_keeps_its_own_version(version: str) -> None:
    """The portal shows the v1 address with `?api-version=preview`, too: that is not the classic one."""
    target = deployment("azure_openai", "gpt-tender", base_url=f"{RESOURCE}/openai/v1/?api-version={version}")
    assert endpoint(target) == f"{V1}?api-version={version}"
    assert body(REQUEST, target)["model"] == "gpt-tender"


@pytest.mark.parametrize(
    ("base_url", "posted_to"),
    [
        ("http://h:11434/v1", "http://h:11434/v1/chat/completions"),
        ("http://h:11434/v1/", "http://h:11434/v1/chat/completions"),
        ("http://h//", "http://h/chat/completions"),
        ("https://gateway/x/v1?tenant=7", "https://gateway/x/v1/chat/completions?tenant=7"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1/chat/completions"),
    ],
)
def test_other_addresses_end_in_the_path_of_a_chat(base_url: str, posted_to: str) -> None:
    assert endpoint(deployment(base_url=base_url)) == posted_to


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("", "dashscope.aliyuncs.com"),
        ("cn", "dashscope.aliyuncs.com"),
        ("intl", "dashscope-intl.aliyuncs.com"),
        ("us", "dashscope-us.aliyuncs.com"),
    ],
)
def test_dashscope_has_three_regions(region: str, host: str) -> None:
    target = deployment("dashscope", base_url=PROVIDERS["dashscope"].base_urls[region])
    assert endpoint(target) == f"https://{host}/compatible-mode/v1/chat/completions"


@pytest.mark.parametrize(
    ("provider", "posted_to"),
    [
        ("openai", "https://api.openai.com/v1/chat/completions"),
        ("deepseek", "https://api.deepseek.com/v1/chat/completions"),
        ("moonshot", "https://api.moonshot.cn/v1/chat/completions"),
        ("zhipu", "https://open.bigmodel.cn/api/paas/v4/chat/completions"),
        ("ollama", "http://127.0.0.1:11434/v1/chat/completions"),
    ],
)
def test_providers_with_one_address_need_none(provider: str, posted_to: str) -> None:
    assert endpoint(deployment(provider)) == posted_to
    assert not PROVIDERS[provider].needs_base_url


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_key_goes_into_one_header(provider: str) -> None:
    if provider == "azure_openai":
        assert key_headers(deployment(provider)) == {"api-key": "key-123"}
    else:
        assert key_headers(deployment(provider)) == {"Authorization": "Bearer key-123"}
    assert key_headers(Deployment(provider, "m", "http://x")) == {}


def test_an_ordinary_request_says_everything() -> None:
    assert sent("openai", "gpt-4o", SCHEMA) == {
        "model": "gpt-4o",
        "messages": [{"role": "system", "content": "json"}, {"role": "user", "content": "标书"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.0,
        "max_tokens": 4096,
        "response_format": SCHEMA,
    }


def test_azures_classic_address_names_the_model_and_the_body_does_not() -> None:
    assert "model" not in sent("azure_openai", "gpt-tender", api_version="2024-10-21", base_url=RESOURCE)
    assert sent("azure_openai", "gpt-tender", base_url=RESOURCE)["model"] == "gpt-tender"


@pytest.mark.parametrize("provider", ["openai", "azure_openai"])
@pytest.mark.parametrize(
    ("model", "reasons"),
    [
        ("o1", True),
        ("o3-mini", True),
        ("o4-mini-2025-04-16", True),
        ("gpt-5", True),
        ("GPT-5-mini", True),
        ("gpt-4o", False),
        ("gpt-4.1", False),
        ("omni", False),
    ],
)
def test_reasoning_models_take_another_limit_and_no_temperature(
    provider: str, model: str, reasons: bool
) -> None:
    made = sent(provider, model)
    assert ("max_completion_tokens" in made, "max_tokens" in made) == (reasons, not reasons)
    assert ("temperature" in made) is not reasons


@pytest.mark.parametrize("form", [None, SCHEMA])
def test_dashscope_is_told_a_limit_where_it_may_be(form: Any) -> None:
    assert sent("dashscope", "qwen3-max", form)["max_tokens"] == 4096


def test_dashscopes_json_object_goes_without_a_limit_and_without_thinking() -> None:
    """A limit would cut the JSON in the middle, and thinking forbids JSON mode."""
    made = sent("dashscope", "qwen3-max", OBJECT)
    assert made["response_format"] == OBJECT
    assert made["enable_thinking"] is False
    assert not {"max_tokens", "max_completion_tokens"} & made.keys()


@pytest.mark.parametrize("model", ["qwq-plus", "qvq-max", "qwen3-235b-a22b-thinking-2507", "deepseek-r1"])
def test_models_that_cannot_but_think_are_asked_in_words(model: str) -> None:
    assert structured_level("dashscope", model) is StructuredLevel.PROMPT
    assert "enable_thinking" not in sent("dashscope", model)


@pytest.mark.parametrize("model", ["glm-4.5", "glm-4.6", "GLM-5"])
def test_zhipus_thinking_models_are_told_not_to(model: str) -> None:
    assert sent("zhipu", model)["thinking"] == {"type": "disabled"}
    assert "thinking" not in sent("zhipu", "glm-4-plus")


def test_moonshots_thinking_models_take_no_temperature() -> None:
    assert "temperature" not in sent("moonshot", "kimi-k2-thinking")
    assert sent("moonshot", "moonshot-v1-32k")["temperature"] == 0.0


@pytest.mark.parametrize(
    ("provider", "model", "level"),
    [
        ("openai", "gpt-4o", "json_schema"),
        ("azure_openai", "any", "json_schema"),
        ("dashscope", "qwen3-max", "json_object"),
        ("deepseek", "deepseek-chat", "json_object"),
        ("moonshot", "kimi-k2", "json_object"),
        ("zhipu", "glm-4.6", "json_object"),
        ("ollama", "qwen3:8b", "json_schema"),
        ("openai_compatible", "any", "json_schema"),
    ],
)
def test_how_strictly_a_model_is_bound(provider: str, model: str, level: str) -> None:
    assert structured_level(provider, model) == level


def test_further_fields_are_sent_as_they_are_and_win() -> None:
    extra = {"enable_thinking": True, "top_p": 0.5, "temperature": 0.7}
    assert sent("dashscope", "qwen3-max", extra=extra).items() >= extra.items()


@pytest.mark.parametrize(
    "field", ["temperature", "stream_options", "enable_thinking", "max_tokens", "response_format"]
)
def test_none_takes_a_field_away_that_a_server_does_not_know(field: str) -> None:
    assert field in sent("dashscope", "qwen3-max", SCHEMA)
    assert field not in sent("dashscope", "qwen3-max", SCHEMA, extra={field: None})


def test_falsy_values_are_not_taken_for_none() -> None:
    made = sent("openai", "gpt-4o", extra={"n": 0, "seed": False, "user": ""})
    assert (made["n"], made["seed"], made["user"], made["temperature"]) == (0, False, "", 0.0)


@pytest.mark.parametrize(
    ("quirk", "gone", "instead"),
    [
        (Quirk.COMPLETION_LIMIT, "max_tokens", {"max_completion_tokens": 4096}),
        (Quirk.NO_TEMPERATURE, "temperature", {}),
        (Quirk.NO_STREAM_OPTIONS, "stream_options", {}),
    ],
)
def test_what_a_server_turned_out_not_to_understand_is_put_in_another_way(
    quirk: Quirk, gone: str, instead: dict[str, Any]
) -> None:
    plain, quirky = sent("openai_compatible", "m"), sent("openai_compatible", "m", quirks=[quirk])
    assert gone in plain
    assert quirky == {key: value for key, value in plain.items() if key != gone} | instead


def test_all_quirks_together_leave_a_request() -> None:
    made = sent("openai_compatible", "m", quirks=list(Quirk))
    assert made.keys() == {"model", "messages", "stream", "max_completion_tokens"}


def test_a_limit_of_the_request_goes_before_that_of_the_deployment() -> None:
    request = ChatRequest(REQUEST.messages, max_tokens=16)
    assert body(request, deployment())["max_tokens"] == 16
    assert "max_tokens" not in body(REQUEST, deployment(max_tokens=None))
