"""The words of the LLM layer: deployment, request, answer, usage, kinds of failure. No I/O, no httpx."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel

from backend.app.common.errors import LLMError

JSON = Any  # what json.loads returns
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")
Role = Literal["system", "user", "assistant"]
Model = TypeVar("Model", bound=BaseModel)


class ErrorKind(StrEnum):
    """What went wrong with one call. `llm_retry.RETRIED_KINDS` says which are tried again."""

    THROTTLE = "throttle"  # too many requests or tokens; clears by waiting
    BURST = "burst"  # ramped up too fast
    QUOTA = "quota"  # no credit, no free quota: someone must pay
    TRANSIENT = "transient"  # 5xx, 408, 409, connection lost
    TIMEOUT_CONNECT = "timeout_connect"
    TIMEOUT_FIRST = "timeout_first"  # no first token in time
    TIMEOUT_IDLE = "timeout_idle"  # silent between chunks, or slower than the whole call may take
    TRUNCATED = "truncated"  # stream ended without finish_reason, or empty, or not a stream of ours
    CONTEXT = "context"  # prompt too long, or the answer ran into its limit
    CONTENT = "content"  # refused by a content filter or by the model
    AUTH = "auth"
    BAD_REQUEST = "bad_request"
    SCHEMA = "schema"  # answers that are not the JSON asked for


class StructuredLevel(StrEnum):
    """How strictly a deployment can be bound to a schema; each falls back to the next."""

    JSON_SCHEMA = "json_schema"
    JSON_OBJECT = "json_object"
    PROMPT = "prompt"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One model at one provider under one key. Times in seconds; a limit of 0 leaves only the deadline."""

    provider: str
    model: str
    base_url: str
    api_key: str = field(default="", repr=False)
    name: str = ""
    timeout_s: float = 90.0  # the whole call
    first_token_s: float | None = None  # None: as `timeout_s`
    connect_s: float = 5.0
    idle_s: float = 60.0
    structured: StructuredLevel = StructuredLevel.JSON_SCHEMA
    context_window: int = 32_000  # tokens, prompt and answer together
    max_tokens: int | None = 4096  # of one answer; None leaves it to the server
    max_bytes: int = 16 * 1024 * 1024  # of one response, after decompression
    trust_env: bool = False  # proxies from the environment
    extra: Mapping[str, JSON] = field(default_factory=dict)  # top-level fields of the request body

    @property
    def label(self) -> str:
        """How people call it."""
        return self.name or f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What is sent, whatever the dialect."""

    messages: tuple[Message, ...]
    response_format: Mapping[str, JSON] | None = None
    max_tokens: int | None = None
    temperature: float | None = 0.0


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call or of several. `estimated`: a server did not count, we did."""

    prompt_tokens: int = 0
    response_tokens: int = 0
    cached_tokens: int = 0
    estimated: bool = False

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.response_tokens + other.response_tokens,
            self.cached_tokens + other.cached_tokens,
            self.estimated or other.estimated,
        )


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """A whole answer: the server gave a finish_reason. Times in milliseconds from the start of the call."""

    text: str
    finish_reason: str
    usage: Usage
    duration_ms: float
    first_token_ms: float | None


@dataclass(frozen=True, slots=True)
class StructuredAnswer(Generic[Model]):
    """A validated answer; `usage` and `calls` cover every call it took, failed ones too."""

    value: Model
    usage: Usage
    calls: int
    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class CallContext:
    """Whose call it is, for logs and ledger. `calls`: how many the step still has (None: the policy's)."""

    task_id: int | None = None
    attempt: int | None = None
    step: str | None = None
    calls: int | None = None


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a paid step brought, to be kept. `calls` and tokens count failed calls too; `cost` in yuan."""

    result: JSON
    provider: str
    model: str
    prompt_tokens: int
    response_tokens: int
    calls: int = 1
    cost: Decimal = Decimal(0)


class Step(Protocol):
    """`ctx.step` of a running task: runs `call` once for the same name and inputs, later answers from store.

    The key is a hash of `name` and `inputs` (content hash, prompt and schema version, parameters); provider
    and model are not part of it, so that a retry on another deployment finds the work done.
    """

    async def __call__(
        self, name: str, inputs: Mapping[str, JSON], call: Callable[[], Awaitable[StepResult]]
    ) -> JSON: ...


class Ask(Protocol):
    """A question to whatever model is configured: messages in, validated answer out. Raises LLMError."""

    async def __call__(
        self, messages: Sequence[Message], schema: type[Model], *, step: str
    ) -> StructuredAnswer[Model]: ...


def spent_of(error: BaseException) -> tuple[int, Usage]:
    """How many calls a failed question took, and their tokens."""
    params = error.params if isinstance(error, LLMError) else {}
    calls, usage = params.get("calls"), params.get("usage")
    return (calls if isinstance(calls, int) else 0), (usage if isinstance(usage, Usage) else Usage())


def kind_of(error: BaseException) -> ErrorKind | None:
    """The kind of a failed call; None for errors that are not about a call."""
    kind = error.params.get("kind") if isinstance(error, LLMError) else None
    return ErrorKind(str(kind)) if kind is not None else None


def estimate_tokens(text: str) -> int:
    """Tokens of a text without a tokenizer: 0.72 a Han character, 0.42 any other (within 15 % of Qwen's)."""
    han = sum(len(run) for run in _HAN.findall(text))
    return round(0.72 * han + 0.42 * (len(text) - han))
