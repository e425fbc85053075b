"""The words of the LLM layer: deployment, request, answer, usage, kinds of failure. No I/O, no httpx."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel

from backend.app.common.errors import LLMError

JSON = Any  # what json.loads returns
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")
_NOT_HAN = bytes(byte for byte in range(256) if not (0x34 <= byte <= 0x9F or byte in (0xF9, 0xFA)))
_ASTRAL = 0xD8  # high byte of the surrogates of the rare Han characters beyond the BMP, and of emoji
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
class Prices:
    """What a provider charges, in yuan per million tokens. `cached`: prompt tokens found in its cache."""

    prompt: Decimal = Decimal(0)
    response: Decimal = Decimal(0)
    cached: Decimal | None = None  # None: as `prompt`


@dataclass(frozen=True, slots=True)
class Quotas:
    """What one deployment may be asked for, by each worker; 0 is no limit of ours.

    A limit by provider is approximate across workers: each keeps its own count.
    """

    concurrency: int = 0  # calls at once; narrowed by itself when the provider throttles
    rpm: int = 0  # requests a minute
    tpm: int = 0  # tokens a minute, prompt and answer


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
    api_version: str = ""  # Azure's classic address; empty: its v1 address
    weight: float = 1.0  # share of the calls among equals
    purposes: frozenset[str] = frozenset()  # "bidding", "workload"; empty: any
    quotas: Quotas = Quotas()
    prices: Prices = Prices()

    @property
    def label(self) -> str:
        """How people call it; the name of its gate."""
        return self.name or f"{self.provider}/{self.model}"

    def serves(self, purpose: str) -> bool:
        """Whether calls for this purpose may go here."""
        return not self.purposes or not purpose or purpose in self.purposes


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


@dataclass(slots=True)
class Meter:
    """How far one call has come; `told` hears of tokens about once a second."""

    response_tokens: int = 0
    is_answering: bool = False  # headers of the answer have come
    told: Callable[[int], None] | None = None

    def tell(self, tokens: int) -> None:
        self.response_tokens = tokens
        if self.told is not None:
            self.told(tokens)


@dataclass(frozen=True, slots=True)
class StructuredAnswer(Generic[Model]):
    """A validated answer; `usage`, `calls` and `cost` (yuan) cover every call it took, failed ones too."""

    value: Model
    usage: Usage
    calls: int
    provider: str
    model: str
    cost: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Spending:
    """What the calls of one question have cost so far; `cost` in yuan."""

    calls: int = 0
    usage: Usage = Usage()
    cost: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class CallContext:
    """Whose call it is, for logs and ledger, and what whoever asks wants to hear and to say on the way.

    `calls`: how many the step still has (None: the policy's). `permit` is awaited before each call with what
    the question will have cost at worst after it, in yuan: False means not now (`room` waits for another
    time), and it raises when that must not be. `spent` hears what every call has cost, `tokens` how many of
    an answer have come.
    """

    task_id: int | None = None
    attempt: int | None = None
    step: str | None = None
    user_id: int | None = None
    purpose: str = ""
    calls: int | None = None
    permit: Callable[[Decimal], Awaitable[bool]] | None = None
    room: Callable[[], Awaitable[None]] | None = None
    spent: Callable[[Spending], None] | None = None
    tokens: Callable[[int], None] | None = None


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
    is_provisional: bool = False  # no answer but a refusal: a person's retry asks again


class Step(Protocol):
    """`ctx.step` of a running task: runs `call` once for the same name and inputs, later answers from store.

    The key is a hash of `name` and `inputs` (content hash, prompt and schema version, parameters); provider
    and model are not part of it, so that a retry on another deployment finds the work done.
    """

    async def __call__(
        self,
        name: str,
        inputs: Mapping[str, JSON],
        call: Callable[[], Awaitable[StepResult]],
        *,
        prompt_tokens: int = 0,
    ) -> JSON:
        """`prompt_tokens`: an estimate, from which the step's worst cost is reserved."""
        ...


class Ask(Protocol):
    """A question to whatever model is configured: messages in, validated answer out. Raises LLMError."""

    async def __call__(
        self, messages: Sequence[Message], schema: type[Model], *, step: str
    ) -> StructuredAnswer[Model]: ...


def spent_of(error: BaseException) -> Spending:
    """What a failed question has cost."""
    spent = error.params.get("spent") if isinstance(error, LLMError) else None
    return spent if isinstance(spent, Spending) else Spending()


def kind_of(error: BaseException) -> ErrorKind | None:
    """The kind of a failed call; None for errors that are not about a call."""
    kind = error.params.get("kind") if isinstance(error, LLMError) else None
    return ErrorKind(str(kind)) if kind is not None else None


@lru_cache(maxsize=128)
def estimate_tokens(text: str) -> int:
    """Tokens of a text without a tokenizer: 0.72 a Han character, 0.42 any other (within 15 % of Qwen's)."""
    return round(token_weight(text))


def token_weight(text: str) -> float:
    """The same, not rounded: for a text that comes in pieces."""
    # The high bytes of UTF-16 tell Han from others twelve times as fast as an expression does.
    high = text.encode("utf-16-le", "surrogatepass")[1::2]
    if _ASTRAL in high:
        han = sum(len(run) for run in _HAN.findall(text))
    else:
        han = len(high.translate(None, _NOT_HAN))
    return 0.72 * han + 0.42 * (len(text) - han)
