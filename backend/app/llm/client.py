"""Questions to whatever model is configured: the one attempt loop, with structured answers on top.

Retry, fallback, gates and budget are here and nowhere else: not in the transport, not in the analysis. A
question goes in rounds (tenacity's, see common/llm_retry.py): a round asks one deployment and, when that
fails in a way another may not, the next ones at once; only when nobody answered is there a wait. Going down
the structured ladder and the one re-ask are calls of the same budget.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from decimal import Decimal

from backend.app.common.errors import BudgetExceeded, LLMError, LLMGateClosed, LLMThrottled
from backend.app.common.llm_retry import DEFAULT_POLICY, RetryPolicy, is_retried, retrying
from backend.app.common.logging import get_logger
from backend.app.llm.call_log import CallLog, CallObserver
from backend.app.llm.caller import Caller
from backend.app.llm.classify import failure
from backend.app.llm.cost import prompt_estimate, worst_cost
from backend.app.llm.gates import NEEDS_PROBE, Gates
from backend.app.llm.lane import Ticket
from backend.app.llm.question import NoRoomNow, Question
from backend.app.llm.router import NoDeployment, Router, Wanted
from backend.app.llm.structured import AnswerInvalid, ask_again, read_answer
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
    kind_of,
)

log = get_logger(__name__)

# Nobody was there to look at the key.
_AWAY = (
    ErrorKind.TRANSIENT,
    ErrorKind.TIMEOUT_CONNECT,
    ErrorKind.TIMEOUT_FIRST,
    ErrorKind.TIMEOUT_IDLE,
)
# Whoever still stands in line this long before the attempt's deadline goes back to the queue by itself.
CLOSING_SECONDS = 2.0


class LLMClient:
    """All deployments, ready to be asked. Safe to share between any number of tasks of one event loop."""

    def __init__(
        self,
        deployments: Sequence[Deployment],
        *,
        transport: Transport | None = None,
        policy: RetryPolicy = DEFAULT_POLICY,
        observers: Sequence[CallObserver] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        gates: Gates | None = None,
    ) -> None:
        self.deployments = tuple(deployments)
        self.gates = gates or Gates(self.deployments)
        self.router = Router(self.deployments, self.gates)
        self._transport = transport or Transport()
        self._caller = Caller(self._transport, observers if observers is not None else (CallLog(),))
        self._policy, self._sleep = policy, sleep

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    def serves(self, purpose: str) -> bool:
        """Whether any deployment is configured for this purpose."""
        return bool(self._serving(purpose))

    def roomiest(self, purpose: str) -> Deployment:
        """The deployment with the largest window: documents are cut for it, whatever is open right now, so
        that a later attempt finds the same parts."""
        return max(self._serving(purpose), key=lambda deployment: deployment.context_window)

    def worst_cost(self, purpose: str, prompt_tokens: int) -> Decimal:
        """The most that one call of the cheapest deployment can cost, in yuan; a dearer one asks for more."""
        costs = (worst_cost(prompt_tokens, deployment) for deployment in self._serving(purpose))
        return min(costs, default=Decimal(0))

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
        also when the answer ran into its own limit; LLMThrottled and LLMGateClosed with `retry_after` when
        the task should come back then. `types.spent_of` tells what it had cost.
        """
        question = Question(context or CallContext(), deadline, self._calls_for(context))
        try:
            value = await self._ask(tuple(messages), schema, question)
        except LLMError as error:
            error.params["spent"] = question.spending
            raise
        spent = question.spending
        answered = question.answered_by
        return StructuredAnswer(
            value, spent.usage, spent.calls, answered.provider, answered.model, spent.cost
        )

    async def probe(self, deployment: Deployment) -> LLMError | None:
        """One tiny call past the gate: None when the deployment lets us in again."""
        request = ChatRequest((Message("user", "ping"),), max_tokens=16)
        context = CallContext(step="probe")
        deadline = time.monotonic() + 60
        lane = self.router.lane(deployment.label)
        quirks = lane.quirks if lane is not None else frozenset()
        try:
            await self._caller.call(request, deployment, deadline, Question(context, deadline, 1), quirks)
        except LLMError as error:
            # Cut, refused, throttled, a field not understood: the key was good and so was the account.
            kind = kind_of(error)
            is_away = kind in _AWAY or error.params.get("status") == 404
            return error if kind in NEEDS_PROBE or is_away else None
        return None

    def _serving(self, purpose: str) -> list[Deployment]:
        return [deployment for deployment in self.deployments if deployment.serves(purpose)]

    def _calls_for(self, context: CallContext | None) -> int:
        """Calls that may bring an answer; the rounds of the policy bound them when the step has no limit."""
        asked = context.calls if context is not None else None
        return self._policy.calls * max(len(self.deployments), 1) if asked is None else max(1, asked)

    async def _ask(self, messages: tuple[Message, ...], schema: type[Model], question: Question) -> Model:
        answer = await self._answer(messages, schema, question)
        try:
            return _read(answer, schema)
        except AnswerInvalid as invalid:
            again = ask_again(messages, answer.text, invalid.problems)
        question.calls_left = max(question.calls_left, 1)
        # Its own mistake is best mended by who made it.
        question.prefers = question.answered_by.label
        answer = await self._answer(again, schema, question)
        try:
            return _read(answer, schema)
        except AnswerInvalid as still:
            detail = f"answer invalid twice: {len(still.problems)} problems"
            raise failure(ErrorKind.SCHEMA, detail) from None

    async def _answer(
        self, messages: tuple[Message, ...], schema: type[Model], question: Question
    ) -> ChatAnswer:
        """Rounds until one brings an answer; then what is left to do about a provider that throttles."""
        policy = self._policy.limited_to(question.calls_left)
        loop = retrying(
            question.deadline, policy=policy, sleep=self._sleep, is_over=lambda: question.calls_left <= 0
        )
        try:
            return await loop(self._round, messages, schema, question)
        except LLMThrottled as error:
            in_vain = question.spending.calls >= policy.calls or error.retry_after is None
            lane = self.router.lane(error.params.get("deployment"))
            if in_vain and lane is not None:
                # Limits of a minute need more than the waits of four calls.
                error.retry_after = max(lane.cooldown(time.monotonic()), error.retry_after or 0.0)
                await self.gates.close(lane.deployment, error, seconds=error.retry_after)
            raise
        except LLMError as error:
            if (
                is_retried(error)
                and error.retry_after is not None
                and error.retry_after > policy.longest_wait
            ):
                # A server that says when it will be back: until then nobody's try is used up.
                gate = self.gates.closed(str(error.params.get("deployment")))
                if gate is not None:
                    raise self.router.closed_for(gate) from error
            raise

    async def _round(
        self, messages: tuple[Message, ...], schema: type[Model], question: Question
    ) -> ChatAnswer:
        """Ask one deployment after the other, none twice; raises the most hopeful of their errors."""
        while True:
            wanted = self._wanted(messages, question)
            try:
                ticket = await self.router.acquire(wanted, question.deadline - CLOSING_SECONDS)
            except NoDeployment:
                raise question.barred or failure(ErrorKind.BAD_REQUEST, "no deployment") from None
            try:
                return await self._pass(ticket, messages, schema, question)
            except NoRoomNow:
                # Without a ticket in hand: the step whose reserve is awaited may need that very place.
                await question.room()
            except BudgetExceeded as error:
                # Another deployment may be cheap enough.
                question.without.add(ticket.lane.name)
                question.barred = error

    async def _pass(
        self,
        ticket: Ticket,
        messages: tuple[Message, ...],
        schema: type[Model],
        question: Question,
    ) -> ChatAnswer:
        """From this ticket on to those of other deployments, as long as their failures let it."""
        errors: list[LLMError] = []
        tried: set[str] = set()
        while True:
            question.last = ticket
            tried.add(ticket.lane.name)
            try:
                return await self._caller.ask(ticket, self.router, messages, schema, question)
            except LLMError as error:
                errors.append(await self._judged(error, ticket, question))
            except (NoRoomNow, BudgetExceeded):
                if not errors:
                    raise
                break
            if not question.may_go_on(errors[-1]):
                break
            wanted = self._wanted(messages, question)
            wanted = replace(wanted, without=wanted.without | tried, only=None)
            following = await self._following(wanted, errors, question.deadline - CLOSING_SECONDS)
            if following is None:
                break
            log.info("llm_falls_back", step=question.context.step, to=following.lane.name)
            ticket = following
        raise min(errors, key=_hopelessness)

    async def _following(self, wanted: Wanted, errors: list[LLMError], until: float) -> Ticket | None:
        """A ticket of another deployment. It is waited for when there will be no further round: nobody else
        may be able to cure what happened."""
        is_last_round = not any(is_retried(error) for error in errors)
        try:
            if is_last_round:
                return await self.router.acquire(wanted, until)
            return self.router.acquire_now(wanted)
        except LLMGateClosed as closed:
            # The others come back by themselves: the task waits for them instead of failing.
            if is_last_round and not closed.params.get("needs_probe"):
                errors.append(closed)
        except (LLMError, NoDeployment):
            pass  # nobody left, or no window that is large enough
        return None

    def _wanted(self, messages: tuple[Message, ...], question: Question) -> Wanted:
        return Wanted(
            question.context.purpose,
            prompt_tokens=prompt_estimate(ChatRequest(messages)),
            without=frozenset(question.without),
            not_from=frozenset(question.not_from),
            larger_than=question.larger_than,
            only=question.prefers,
        )

    async def _judged(self, error: LLMError, ticket: Ticket, question: Question) -> LLMError:
        """What a failed call means for the ways: gates close, and this question avoids what can't help."""
        kind, deployment = kind_of(error), ticket.lane.deployment
        error.params["deployment"] = deployment.label
        question.prefers = None
        if kind in NEEDS_PROBE:
            question.without.add(deployment.label)
            question.barred = error
            if not await self.gates.close(deployment, error, seconds=None):
                # Another task has met it already; this one waits behind the gate like the rest.
                gate = self.gates.closed(deployment.label)
                if gate is not None:
                    return self.router.closed_for(gate)
        elif is_retried(error):
            wait = error.retry_after
            if wait is not None and wait > self._policy.longest_wait:
                await self.gates.close(deployment, error, seconds=wait)
        elif kind is ErrorKind.CONTEXT and error.params.get("finish_reason") != "length":
            question.larger_than = max(question.larger_than, deployment.context_window)
            question.barred = error
        elif kind is ErrorKind.CONTENT:
            question.not_from.add(deployment.provider)
            question.barred = error
        elif error.params.get("status") == 404:
            question.without.add(deployment.label)
            question.barred = error
        return error


def _read(answer: ChatAnswer, schema: type[Model]) -> Model:
    if answer.finish_reason == "length":
        raise failure(ErrorKind.CONTEXT, "answer cut at max_tokens", finish_reason="length")
    return read_answer(answer.text, schema, is_finished=answer.finish_reason == "stop")


def _hopelessness(error: LLMError) -> tuple[bool, bool, float]:
    """Least first: what the next round may cure, then what waiting may."""
    return (not is_retried(error), not error.retryable, error.retry_after or 0.0)
