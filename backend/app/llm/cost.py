"""What calls cost, in yuan. Pure; Decimal throughout, six places as in the database."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal

from backend.app.llm.types import ChatRequest, Deployment, Prices, Usage, estimate_tokens

_MILLION = Decimal(1_000_000)
_PLACES = Decimal("0.000001")
# Our count of tokens is within 15 % of Qwen's; other tokenizers lie further off.
ESTIMATE_SLACK = Decimal("1.25")
# What a model may answer that is told no limit.
UNLIMITED_ANSWER = 16_384


def cost_of(usage: Usage, prices: Prices) -> Decimal:
    """The price of tokens that were counted."""
    cached = min(usage.cached_tokens, usage.prompt_tokens)
    fresh = usage.prompt_tokens - cached
    cheaper = prices.prompt if prices.cached is None else prices.cached
    total = fresh * prices.prompt + cached * cheaper + usage.response_tokens * prices.response
    return (total / _MILLION).quantize(_PLACES, ROUND_UP)


def worst_cost(prompt_tokens: int, deployment: Deployment, answer_tokens: int | None = None) -> Decimal:
    """The most that one call can cost: nothing cached, an answer up to its limit. `prompt_tokens`: our
    estimate."""
    answer = answer_tokens or deployment.max_tokens or UNLIMITED_ANSWER
    prices = deployment.prices
    total = ESTIMATE_SLACK * (prompt_tokens * prices.prompt + answer * prices.response)
    return (total / _MILLION).quantize(_PLACES, ROUND_UP)


def prompt_estimate(request: ChatRequest) -> int:
    """Tokens of all messages."""
    return sum(estimate_tokens(message.content) for message in request.messages)
