"""What differs by provider and model, as data, and the request that follows from it. Pure.

Sources: the providers' own pages, November 2026. They age: mend the tables, not the code.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qs, urlsplit, urlunsplit

from backend.app.llm.types import JSON, ChatRequest, Deployment, StructuredLevel

AZURE_API_VERSION = "2024-10-21"  # the last stable one of the classic address


@dataclass(frozen=True, slots=True)
class Provider:
    """One dialect. `base_urls`: by region, "" is the default one; none where the operator must name it."""

    base_urls: Mapping[str, str] = field(default_factory=dict)
    needs_key: bool = True
    structured: StructuredLevel = StructuredLevel.JSON_OBJECT
    key_header: str = "Authorization"
    # DashScope: JSON mode and a limit of the answer don't go together; we cut the answer ourselves.
    json_object_without_limit: bool = False
    # Azure charges prompt and max_tokens when it admits a call and gives nothing back.
    charges_at_admission: bool = False
    # Ollama cuts a prompt that is longer than its num_ctx without a word: usage tells.
    may_cut_prompt: bool = False

    @property
    def needs_base_url(self) -> bool:
        return not self.base_urls


PROVIDERS: Mapping[str, Provider] = {
    "openai": Provider({"": "https://api.openai.com/v1"}, structured=StructuredLevel.JSON_SCHEMA),
    "azure_openai": Provider(
        structured=StructuredLevel.JSON_SCHEMA, key_header="api-key", charges_at_admission=True
    ),
    "dashscope": Provider(
        {
            "": "https://dashscope.aliyuncs.com/compatible-mode/v1",
            "cn": "https://dashscope.aliyuncs.com/compatible-mode/v1",
            "intl": "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
            "us": "https://dashscope-us.aliyuncs.com/compatible-mode/v1",
        },
        json_object_without_limit=True,
    ),
    "deepseek": Provider({"": "https://api.deepseek.com/v1"}),
    "moonshot": Provider({"": "https://api.moonshot.cn/v1"}),
    "zhipu": Provider({"": "https://open.bigmodel.cn/api/paas/v4"}),
    "ollama": Provider(
        {"": "http://127.0.0.1:11434/v1"},
        needs_key=False,
        structured=StructuredLevel.JSON_SCHEMA,
        may_cut_prompt=True,
    ),
    "openai_compatible": Provider(needs_key=False, structured=StructuredLevel.JSON_SCHEMA),
}


@dataclass(frozen=True, slots=True)
class ModelFlags:
    """What holds for some models of a provider only."""

    structured: StructuredLevel | None = None
    completion_limit: bool = False  # reasoning models: max_completion_tokens
    temperature: bool = True
    fields: Mapping[str, JSON] = field(default_factory=dict)


_THINKING_OFF: Mapping[str, JSON] = {"enable_thinking": False}
# First match wins. Documents disagree on json_schema at DashScope: `structured` in the file says it by model.
MODELS: tuple[tuple[str, re.Pattern[str], ModelFlags], ...] = tuple(
    (provider, re.compile(pattern, re.IGNORECASE), flags)
    for provider, pattern, flags in (
        ("openai", r"^(o\d|gpt-5)", ModelFlags(completion_limit=True, temperature=False)),
        ("azure_openai", r"^(o\d|gpt-5)", ModelFlags(completion_limit=True, temperature=False)),
        # Models that can't but think have no JSON mode and refuse the switch.
        ("dashscope", r"^(qwq|qvq)|thinking|deepseek-r1", ModelFlags(structured=StructuredLevel.PROMPT)),
        ("dashscope", "", ModelFlags(fields=_THINKING_OFF)),
        ("moonshot", r"thinking|^kimi-k2\.[5-9]", ModelFlags(temperature=False)),
        ("zhipu", r"^glm-(4\.[5-9]|[5-9])", ModelFlags(fields={"thinking": {"type": "disabled"}})),
    )
)


class Quirk(StrEnum):
    """What a server turned out not to understand; found by its complaint, see `classify.quirk_of`."""

    COMPLETION_LIMIT = "completion_limit"
    NO_TEMPERATURE = "no_temperature"
    NO_STREAM_OPTIONS = "no_stream_options"


def flags_of(provider: str, model: str) -> ModelFlags:
    """The flags of one model."""
    for name, pattern, flags in MODELS:
        if name == provider and pattern.search(model):
            return flags
    return ModelFlags()


def structured_level(provider: str, model: str) -> StructuredLevel:
    """How strictly a model is bound unless the operator says otherwise; the ladder goes down from there."""
    return flags_of(provider, model).structured or PROVIDERS[provider].structured


def endpoint(deployment: Deployment) -> str:
    """Where a call is posted."""
    base = urlsplit(deployment.base_url)
    if deployment.provider != "azure_openai":
        return urlunsplit(base._replace(path=base.path.rstrip("/") + "/chat/completions"))
    return _azure_endpoint(deployment)


def is_classic_azure(deployment: Deployment) -> bool:
    """Azure's older address, where the deployment stands in the path."""
    return deployment.provider == "azure_openai" and (
        bool(deployment.api_version)
        or "/openai/deployments/" in deployment.base_url
        # The v1 address may carry a version of its own: `?api-version=preview`.
        or ("api-version=" in deployment.base_url and "/openai/v1" not in deployment.base_url)
    )


def _azure_endpoint(deployment: Deployment) -> str:
    """Any address that the portal shows may be pasted: the resource, `/openai/v1`, or the whole."""
    base = urlsplit(deployment.base_url)
    path = base.path.rstrip("/").removesuffix("/chat/completions")
    if not is_classic_azure(deployment):
        path = path if path.endswith("/openai/v1") else f"{path.removesuffix('/openai')}/openai/v1"
        return urlunsplit(base._replace(path=f"{path}/chat/completions"))
    if "/openai/deployments/" not in path:
        path = f"{path.removesuffix('/openai')}/openai/deployments/{deployment.model}"
    said = parse_qs(base.query).get("api-version", [""])[0]
    version = deployment.api_version or said or AZURE_API_VERSION
    return urlunsplit(base._replace(path=f"{path}/chat/completions", query=f"api-version={version}"))


def key_headers(deployment: Deployment) -> dict[str, str]:
    """The header that carries the key; none without one."""
    if not deployment.api_key:
        return {}
    name = PROVIDERS.get(deployment.provider, Provider()).key_header
    return {name: deployment.api_key if name != "Authorization" else f"Bearer {deployment.api_key}"}


def answer_limit(request: ChatRequest, deployment: Deployment) -> int | None:
    """Tokens that one answer may have."""
    return request.max_tokens if request.max_tokens is not None else deployment.max_tokens


def body(
    request: ChatRequest, deployment: Deployment, quirks: Collection[Quirk] = frozenset()
) -> dict[str, JSON]:
    """The request's JSON. A None in `deployment.extra` takes a field away that a server does not know."""
    flags = flags_of(deployment.provider, deployment.model)
    limit = answer_limit(request, deployment)
    form = request.response_format
    if (
        form is not None
        and form.get("type") == "json_object"
        and PROVIDERS.get(deployment.provider, Provider()).json_object_without_limit
    ):
        limit = None
    completion = flags.completion_limit or Quirk.COMPLETION_LIMIT in quirks
    warm = flags.temperature and Quirk.NO_TEMPERATURE not in quirks
    made: dict[str, JSON] = {
        "model": None if is_classic_azure(deployment) else deployment.model,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        "stream": True,
        "stream_options": None if Quirk.NO_STREAM_OPTIONS in quirks else {"include_usage": True},
        "temperature": request.temperature if warm else None,
        "max_completion_tokens" if completion else "max_tokens": limit,
        "response_format": form,
        **flags.fields,
        **deployment.extra,
    }
    return {key: value for key, value in made.items() if value is not None}
