"""Questions to one deployment: the one attempt loop, with structured answers on top.

Retry is here and nowhere else: not in the transport, not in the analysis. A question costs at most as many
calls as the policy allows; going down the structured ladder and the one re-ask are calls of the same budget.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from backend.app.common.errors import LLMError
from backend.app.common.llm_retry import DEFAULT_POLICY, RetryPolicy, retrying
from backend.app.common.logging import get_logger
from backend.app.llm.call_log import Call, CallLog, CallObserver
from backend.app.llm.classify import failure
from backend.app.llm.structured import (
    LADDER,
    AnswerInvalid,
    ask_again,
    below,
    read_answer,
    response_format,
    with_schema,
)
from backend.app.llm.transport import Transport
from backend.app.llm.types import (
    Ask,
    CallContext,
    ChatAnswer,
    ChatRequest,
    Deployment,
    ErrorKind,
    Message,
    Model,
    StructuredAnswer,
    Usage,
    estimate_tokens,
)

log = get_logger(__name__)


class LLMClient:
    """One deployment, ready to be asked. Safe to share between any number of tasks of one event loop."""

    def __init__(
        self,
        deployment: Deployment,
        *,
        transport: Transport | None = None,
        policy: RetryPolicy = DEFAULT_POLICY,
        observers: Sequence[CallObserver] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.deployment = deployment
        self._transport = transport or Transport()
        self._policy = policy
        self._observers = tuple(observers) if observers is not None else (CallLog(),)
        self._sleep = sleep
        self._level = deployment.structured  # falls when the server does not understand it, and stays down

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    def bind(self, *, deadline: float, context: CallContext) -> Ask:
        """This client as an `Ask` for one task: the step's name is given call by call."""

        async def ask(
            messages: Sequence[Message], schema: type[Model], *, step: str
        ) -> StructuredAnswer[Model]:
            return await self.ask(messages, schema, deadline=deadline, context=replace(context, step=step))

        return ask

    async def ask(
        self,
        messages: Sequence[Message],
        schema: type[Model],
        *,
        deadline: float,
        context: CallContext | None = None,
    ) -> StructuredAnswer[Model]:
        """Ask until there is a valid answer or no cure. `deadline` is a reading of time.monotonic().

        Raises LLMError: after the retries of its kind; LLMInvalidAnswer after one re-ask; LLMContextTooLong
        also when the answer ran into its own limit. `types.spent_of` tells what it had cost.
        """
        question = _Question(context or CallContext(), deadline, self._calls_for(context))
        try:
            value = await self._ask(tuple(messages), schema, question)
        except LLMError as error:
            error.params.update(calls=question.calls, usage=question.usage)
            raise
        return StructuredAnswer(
            value, question.usage, question.calls, self.deployment.provider, self.deployment.model
        )

    async def _ask(self, messages: tuple[Message, ...], schema: type[Model], question: _Question) -> Model:
        answer, sent = await self._send(messages, schema, question)
        try:
            return self._read(answer, schema)
        except AnswerInvalid as invalid:
            again = ask_again(sent, answer.text, invalid.problems)
        question.calls_left = max(question.calls_left, 1)
        answer, _ = await self._send(again, schema, question, is_prepared=True)
        try:
            return self._read(answer, schema)
        except AnswerInvalid as still:
            detail = f"answer invalid twice: {len(still.problems)} problems"
            raise failure(ErrorKind.SCHEMA, detail) from None

    def _calls_for(self, context: CallContext | None) -> int:
        asked = context.calls if context is not None else None
        return self._policy.calls if asked is None else max(1, min(asked, self._policy.calls))

    def _read(self, answer: ChatAnswer, schema: type[Model]) -> Model:
        if answer.finish_reason == "length":
            raise failure(ErrorKind.CONTEXT, "answer cut at max_tokens", finish_reason="length")
        return read_answer(answer.text, schema, is_finished=answer.finish_reason == "stop")

    async def _send(
        self,
        messages: tuple[Message, ...],
        schema: type[Model],
        question: _Question,
        *,
        is_prepared: bool = False,
    ) -> tuple[ChatAnswer, tuple[Message, ...]]:
        """One answer, and the messages that brought it; a rung down whenever the format is not understood."""
        while True:
            level = self._level
            sent = messages if is_prepared else with_schema(messages, schema, level)
            form = response_format(schema, level, self.deployment.provider)
            try:
                return await self._retry(ChatRequest(sent, form), question), sent
            except LLMError as error:
                lower = below(level)
                if not error.params.get("about_format") or lower is None:
                    raise
                log.warning("llm_format_refused", model=self.deployment.model, level=level, next=lower)
                # Another question may have gone down meanwhile; never up again.
                self._level = max(self._level, lower, key=LADDER.index)

    async def _retry(self, request: ChatRequest, question: _Question) -> ChatAnswer:
        policy = self._policy.limited_to(question.calls_left)
        loop = retrying(question.deadline, policy=policy, sleep=self._sleep)
        return await loop(self._call, request, question)

    async def _call(self, request: ChatRequest, question: _Question) -> ChatAnswer:
        """One call, told to the observers before and after."""
        estimate = sum(estimate_tokens(message.content) for message in request.messages)
        call = Call(self.deployment, question.context, estimate, question.count())
        started = time.monotonic()
        for observer in self._observers:
            await observer.started(call)
        try:
            answer = await self._transport.stream_chat(request, self.deployment, question.deadline)
        except BaseException as error:
            took = round((time.monotonic() - started) * 1000, 2)
            if isinstance(error, LLMError):
                spent = error.params.get("response_tokens")
                question.usage += Usage(estimate, spent if isinstance(spent, int) else 0, estimated=True)
            for observer in self._observers:
                await observer.failed(call, error, took)
            raise
        question.usage += answer.usage
        for observer in self._observers:
            await observer.answered(call, answer)
        return answer


@dataclass(slots=True)
class _Question:
    """What one question has used so far."""

    context: CallContext
    deadline: float
    calls_left: int
    calls: int = 0
    usage: Usage = field(default_factory=Usage)

    def count(self) -> int:
        self.calls += 1
        self.calls_left -= 1
        return self.calls
