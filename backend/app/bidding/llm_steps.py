"""One question to a model as a durable step: asked once, its answer kept, and its refusal kept as well."""

from __future__ import annotations

import hashlib

from backend.app.bidding import prompts
from backend.app.bidding.llm_answers import SCHEMA_VERSION
from backend.app.common.errors import (
    LLMContentRefused,
    LLMContextTooLong,
    LLMError,
    LLMGateClosed,
    LLMInvalidAnswer,
    LLMThrottled,
)
from backend.app.llm.prompts import Prompt
from backend.app.llm.types import Ask, Message, Model, Step, StepResult, estimate_tokens, spent_of

SCHEMA_TOKENS = 800  # the schema, where it is told in words
# Errors of one question: another about the same document may well be answered. They are kept like answers
# (`{"refused": code}`): a later attempt must not pay again to learn what is known.
FOR_GOOD = (LLMInvalidAnswer, LLMContentRefused, LLMContextTooLong)
_BY_CODE = {kind.code: kind for kind in FOR_GOOD}
# The way to the model is shut for a while: the task comes back, however many tries it has left.
_COMES_BACK = (LLMGateClosed, LLMThrottled)


async def answered(
    ask: Ask, step: Step, name: str, prompt: Prompt, schema: type[Model], *, text: str, lead: str = ""
) -> Model:
    """The answer of step `name`, from the store or from the model. Raises LLMError and what `step` raises."""
    messages = (Message("system", prompt.text), Message("user", prompts.enclose(text, lead)))

    async def call() -> StepResult:
        try:
            answer = await ask(messages, schema, step=name)
        except FOR_GOOD as error:
            return _refused(error)
        usage = answer.usage
        return StepResult(
            answer.value.model_dump(mode="json"),
            answer.provider,
            answer.model,
            usage.prompt_tokens,
            usage.response_tokens,
            answer.calls,
            answer.cost,
        )

    # What makes an answer the same answer: content, prompt, schema, parameters; not the model.
    content = f"{lead}\0{text}".encode("utf-8", "replace")
    inputs = {
        "content": hashlib.sha256(content).hexdigest(),
        "prompt": f"{prompt.name}/{prompt.version}",
        "schema": SCHEMA_VERSION,
        "parameters": {"temperature": 0},
    }
    tokens = sum(estimate_tokens(message.content) for message in messages) + SCHEMA_TOKENS
    result = await step(name, inputs, call, prompt_tokens=tokens)
    if "refused" in result:
        raise _BY_CODE[result["refused"]](kind=result.get("kind"))
    return schema.model_validate(result)


def is_gap(error: LLMError, *, last_attempt: bool) -> bool:
    """Whether the analysis goes on without this answer and says so: no try cures it, or none is left."""
    if isinstance(error, FOR_GOOD):
        return True
    return error.retryable and last_attempt and not isinstance(error, _COMES_BACK)


def _refused(error: LLMError) -> StepResult:
    spent = spent_of(error)
    tokens = (spent.usage.prompt_tokens, spent.usage.response_tokens)
    refused = {"refused": error.code, "kind": error.params.get("kind")}
    return StepResult(refused, "", "", *tokens, spent.calls, spent.cost, is_provisional=True)
