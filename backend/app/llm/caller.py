"""One call to one deployment: asked whether it may be, told to the observers, fitted to what the server
understands. `client` has the loop around it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Collection, Sequence
from decimal import Decimal

from backend.app.common.errors import LLMError
from backend.app.common.logging import get_logger
from backend.app.llm.call_log import Call, CallObserver, Ended
from backend.app.llm.classify import failure
from backend.app.llm.cost import cost_of, prompt_estimate, worst_cost
from backend.app.llm.lane import THROTTLED, Lane, Ticket
from backend.app.llm.providers import PROVIDERS, Quirk
from backend.app.llm.question import Question
from backend.app.llm.router import Router
from backend.app.llm.structured import LADDER, below, response_format, with_schema
from backend.app.llm.transport import Transport
from backend.app.llm.types import (
    ChatAnswer,
    ChatRequest,
    Deployment,
    ErrorKind,
    Message,
    Meter,
    Model,
    Spending,
    Usage,
    kind_of,
)

log = get_logger(__name__)

# A prompt of which the server counts less than this share, and still as much as a window, was cut.
CUT_SHARE, CUT_LEAST = 0.5, 1000


class Caller:
    """Makes calls; holds no state of its own."""

    def __init__(self, transport: Transport, observers: Sequence[CallObserver]) -> None:
        self._transport, self._observers = transport, tuple(observers)

    async def ask(
        self,
        ticket: Ticket,
        router: Router,
        messages: tuple[Message, ...],
        schema: type[Model],
        question: Question,
    ) -> ChatAnswer:
        """An answer of this ticket's deployment; the ticket is given back in any case. Raises LLMError."""
        lane = ticket.lane
        try:
            answer = await self._fitted(lane, messages, schema, question)
        except LLMError as error:
            # A call that was not sent tells nothing of the deployment.
            kind = None if error.params.get("is_unsent") else kind_of(error)
            if error.retry_after is not None or kind in THROTTLED:
                lane.told_to_wait(ticket, kind, error.retry_after, time.monotonic())
            if router.failed(ticket, kind, status=error.params.get("status")):
                log.warning("llm_breaker_opened", deployment=lane.name, error_kind=kind)
            raise
        except BaseException:
            router.failed(ticket, None)
            raise
        if router.answered(ticket, answer.usage.prompt_tokens + answer.usage.response_tokens):
            log.info("llm_breaker_closed", deployment=lane.name)
        return answer

    async def _fitted(
        self, lane: Lane, messages: tuple[Message, ...], schema: type[Model], question: Question
    ) -> ChatAnswer:
        """A rung down the ladder, or a field put in another way, whenever the server does not understand;
        what was learned stays learned."""
        while True:
            level, provider = lane.level, lane.deployment.provider
            request = ChatRequest(
                with_schema(messages, schema, level), response_format(schema, level, provider)
            )
            try:
                return await self.call(request, lane.deployment, question.deadline, question, lane.quirks)
            except LLMError as error:
                quirk, lower = error.params.get("quirk"), below(level)
                is_long = (
                    kind_of(error) is ErrorKind.CONTEXT
                )  # its message names fields, and means the length
                if isinstance(quirk, Quirk) and quirk not in lane.quirks and not is_long:
                    log.warning("llm_field_refused", deployment=lane.name, field=quirk)
                    lane.quirks.add(quirk)
                elif error.params.get("about_format") and lower is not None:
                    log.warning("llm_format_refused", deployment=lane.name, level=level, next=lower)
                    # Another question may have gone down meanwhile; never up again.
                    lane.level = max(lane.level, lower, key=LADDER.index)
                else:
                    raise

    async def call(
        self,
        request: ChatRequest,
        deployment: Deployment,
        deadline: float,
        question: Question,
        quirks: Collection[Quirk] = frozenset(),
    ) -> ChatAnswer:
        """One call, permitted, told to the observers before and after, and paid."""
        if time.monotonic() >= deadline:
            raise failure(ErrorKind.TIMEOUT_FIRST, "no time left before the deadline", is_unsent=True)
        context, estimate = question.context, prompt_estimate(request)
        worst = worst_cost(estimate, deployment, request.max_tokens)
        await question.permit(worst)
        call = Call(deployment, context, estimate, question.count(), worst)
        await self._begin(call)
        meter = Meter(told=context.tokens)
        started = time.monotonic()
        try:
            answer = await self._transport.stream_chat(
                request, deployment, deadline, quirks=quirks, meter=meter
            )
            _check_whole(answer, deployment, estimate)
        except BaseException as error:
            usage = _usage_of(error, estimate, meter)
            took = round((time.monotonic() - started) * 1000, 2)
            ended = Ended(took, usage, cost_of(usage, deployment.prices))
            question.spend(Spending(usage=usage, cost=ended.cost))
            # The ledger hears of a call first and of its end last: it may wait for its database.
            for observer in reversed(self._observers):
                await _told(observer.failed(call, error, ended))
            raise
        cost: Decimal = cost_of(answer.usage, deployment.prices)
        question.spend(Spending(usage=answer.usage, cost=cost))
        for observer in reversed(self._observers):
            await _told(observer.answered(call, answer, cost))
        return answer

    async def _begin(self, call: Call) -> None:
        """Nothing is sent that could not be written down first."""
        try:
            for observer in self._observers:
                await observer.started(call)
        except BaseException:
            for observer in self._observers:
                await _told(observer.withdrawn(call))
            raise


async def _told(telling: Awaitable[None]) -> None:
    """What an observer can't write must not cost the answer that was paid for."""
    try:
        await telling
    except Exception:
        log.exception("llm_observer_failed")


def _check_whole(answer: ChatAnswer, deployment: Deployment, estimate: int) -> None:
    """Ollama cuts a prompt beyond its num_ctx without a word; its count of the prompt gives it away."""
    provider = PROVIDERS.get(deployment.provider)
    counted = answer.usage.prompt_tokens
    if (
        provider is not None
        and provider.may_cut_prompt
        and not answer.usage.estimated
        and CUT_LEAST <= counted < CUT_SHARE * estimate
    ):
        raise failure(ErrorKind.CONTEXT, f"prompt cut by the server: {counted} of about {estimate} tokens")


def _usage_of(error: BaseException, estimate: int, meter: Meter) -> Usage:
    """What a call without an answer has used: nothing when it was refused or never arrived, else the prompt
    and as much of the answer as came."""
    if isinstance(error, LLMError):
        kind, status = kind_of(error), error.params.get("status")
        timed_out = kind in (ErrorKind.TIMEOUT_FIRST, ErrorKind.TIMEOUT_IDLE)
        if (status not in (None, 200)) or not (meter.is_answering or timed_out):
            return Usage()
    return Usage(estimate, meter.response_tokens, estimated=True)
