"""One `llm_request` and one `llm_response` line a call. Never document text, never a key."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

import structlog

from backend.app.common.errors import LLMError
from backend.app.common.logging import get_logger
from backend.app.llm.types import CallContext, ChatAnswer, Deployment, Usage

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """One call, about to be sent. `prompt_tokens` is our estimate; `number` counts a question's calls;
    `worst_cost` is in yuan."""

    deployment: Deployment
    context: CallContext
    prompt_tokens: int
    number: int = 1
    worst_cost: Decimal = Decimal(0)
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True, slots=True)
class Ended:
    """What a call that brought no answer has cost, as far as we can tell: nothing when it was refused."""

    duration_ms: float
    usage: Usage
    cost: Decimal = Decimal(0)


class CallObserver(Protocol):
    """Hears of every call before it is sent and after it ended. The log is one; the ledger is another."""

    async def started(self, call: Call) -> None: ...

    async def withdrawn(self, call: Call) -> None:
        """It was not sent after all: cancelled in between."""

    async def answered(self, call: Call, answer: ChatAnswer, cost: Decimal) -> None: ...

    async def failed(self, call: Call, error: BaseException, ended: Ended) -> None:
        """`error` is an LLMError, or the cancellation that closed the socket."""


class CallLog:
    """Writes the two lines."""

    async def started(self, call: Call) -> None:
        log.info("llm_request", prompt_tokens=call.prompt_tokens, **_whose(call))

    async def withdrawn(self, call: Call) -> None:
        log.info("llm_call_withdrawn", **_whose(call))

    async def answered(self, call: Call, answer: ChatAnswer, cost: Decimal) -> None:
        log.info(
            "llm_response",
            duration_ms=answer.duration_ms,
            success=True,
            response_tokens=answer.usage.response_tokens,
            prompt_tokens=answer.usage.prompt_tokens,
            finish_reason=answer.finish_reason,
            first_token_ms=answer.first_token_ms,
            cached_tokens=answer.usage.cached_tokens,
            cost=float(cost),
            **_whose(call),
        )

    async def failed(self, call: Call, error: BaseException, ended: Ended) -> None:
        params = error.params if isinstance(error, LLMError) else {}
        log.warning(
            "llm_response",
            duration_ms=ended.duration_ms,
            success=False,
            response_tokens=ended.usage.response_tokens,
            cost=float(ended.cost),
            error=params.get("detail") or type(error).__name__,
            error_kind=params.get("kind", "cancelled"),
            finish_reason=params.get("finish_reason"),
            first_token_ms=params.get("first_token_ms"),
            **_whose(call),
        )


def ids_of(call: Call) -> dict[str, Any]:
    """Whose call it is; what the context does not name is taken from the ids bound to the log, or null."""
    around = structlog.contextvars.get_contextvars()
    named = call.context
    return {
        "deployment": call.deployment.label,
        "task_id": named.task_id if named.task_id is not None else around.get("task_id"),
        "attempt": named.attempt if named.attempt is not None else around.get("attempt"),
        "step": named.step if named.step is not None else around.get("step"),
        "call_id": call.id,
        "call": call.number,
    }


def _whose(call: Call) -> dict[str, object]:
    deployment = call.deployment
    return {"provider": deployment.provider, "model": deployment.model, **ids_of(call)}
