"""A model's questions as durable steps of a task: the LLM layer's words on one side, the runner's on the
other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from backend.app.common.errors import LLMContextTooLong
from backend.app.llm import types as llm
from backend.app.llm.client import LLMClient
from backend.app.tasks.runner import Context
from backend.app.tasks.steps import StepResult, current_call
from backend.app.tasks.task import JSON, Spent, Task

# Once a step has made this many calls over all attempts, each further attempt makes one.
CALLS_OF_A_STEP = 10
TYPICAL_ANSWER = 1_000  # tokens


class Progress(Protocol):
    """Who wants to hear how far the questions are."""

    def heard(self, step: str, tokens: int) -> None: ...

    def finished(self, step: str) -> None: ...

    def add(self, parts: int) -> None: ...


def ask_of(client: LLMClient, task: Task, context: Context, purpose: str, progress: Progress) -> llm.Ask:
    """The client for this attempt; a step that has cost many calls already gets one more and no further."""

    async def ask(messages: Any, schema: type[llm.Model], *, step: str) -> llm.StructuredAnswer[llm.Model]:
        around = current_call.get()
        around.spent = around.spent or Spent(calls=0)  # until the first call is made, and told
        call = llm.CallContext(
            task_id=task.id,
            attempt=task.attempt,
            user_id=task.user_id,
            step=step,
            purpose=purpose,
            calls=1 if around.calls_before >= CALLS_OF_A_STEP else None,
            permit=around.permit,
            room=around.room,
            spent=lambda spending: setattr(around, "spent", _spent(spending)),
            tokens=lambda tokens: progress.heard(step, tokens),
        )
        return await client.ask(messages, schema, deadline=context.deadline, context=call)

    return ask


def durable(client: LLMClient, context: Context, purpose: str, progress: Progress) -> llm.Step:
    """`context.step` in the words of the LLM layer, with its worst cost reserved and its progress told."""

    async def step(
        name: str,
        inputs: Mapping[str, JSON],
        call: Callable[[], Awaitable[llm.StepResult]],
        *,
        prompt_tokens: int = 0,
    ) -> JSON:
        async def paid() -> StepResult:
            made = await call()
            spent = Spent(
                calls=made.calls,
                provider=made.provider,
                model=made.model,
                prompt_tokens=made.prompt_tokens,
                response_tokens=made.response_tokens,
                cost=made.cost,
            )
            return StepResult(made.result, spent, made.is_provisional)

        reserve = client.worst_cost(purpose, prompt_tokens)
        result = await context.step(f"llm/{name}", inputs, paid, reserve=reserve)
        progress.finished(name)
        if isinstance(result, dict) and result.get("refused") == LLMContextTooLong.code:
            progress.add(2)  # its halves
        return result

    return step


class PartsProgress:
    """From finished parts, and from the tokens of those being answered, to a percentage from 30 to 90."""

    def __init__(self, context: Context, parts: int) -> None:
        self._context, self._parts = context, max(parts, 1)
        self._done = 0
        self._coming: dict[str, int] = {}

    def heard(self, step: str, tokens: int) -> None:
        self._coming[step] = tokens
        self._tell()

    def finished(self, step: str) -> None:
        self._coming.pop(step, None)
        self._done += 1
        self._tell()

    def add(self, parts: int) -> None:
        self._parts += parts

    def _tell(self) -> None:
        # An answer's length is not known before it ends: it is never more than nearly done.
        coming = sum(0.9 * tokens / (tokens + TYPICAL_ANSWER) for tokens in self._coming.values())
        share = min((self._done + coming) / self._parts, 1.0)
        place = f"{min(self._done, self._parts)}/{self._parts}"
        message, message_en = f"识别要点 {place}", f"Looking for findings {place}"
        tokens = sum(self._coming.values())
        if tokens:
            message += f"，正在接收模型回答（约 {tokens} 词元）"
            message_en += f", receiving an answer (about {tokens} tokens)"
        self._context.progress("analysing", 30 + round(60 * share), message, message_en)


def _spent(spending: llm.Spending) -> Spent:
    usage = spending.usage
    return Spent(
        calls=spending.calls,
        prompt_tokens=usage.prompt_tokens,
        response_tokens=usage.response_tokens,
        cost=spending.cost,
    )
