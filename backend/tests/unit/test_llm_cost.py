"""What calls cost: exact, rounded up, and never more than was reserved."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.app.llm.cost import ESTIMATE_SLACK, UNLIMITED_ANSWER, cost_of, prompt_estimate, worst_cost
from backend.app.llm.types import ChatRequest, Deployment, Message, Prices, Usage

PRICES = Prices(Decimal("2.4"), Decimal("9.6"), Decimal("0.24"))


def deployment(prices: Prices = PRICES, max_tokens: int | None = 4096) -> Deployment:
    return Deployment("openai", "m", "http://x/v1", prices=prices, max_tokens=max_tokens)


@pytest.mark.parametrize(
    ("usage", "yuan"),
    [
        (Usage(), "0"),
        (Usage(1_000_000, 0), "2.4"),
        (Usage(0, 1_000_000), "9.6"),
        (Usage(1_000_000, 0, cached_tokens=1_000_000), "0.24"),
        (Usage(1000, 100, cached_tokens=600), "0.002064"),
        (Usage(1, 0), "0.000003"),  # 0.0000024: rounded up, never to nothing
        (Usage(10, 0, cached_tokens=99), "0.000003"),  # no server's count makes a negative price
    ],
)
def test_the_price_of_counted_tokens(usage: Usage, yuan: str) -> None:
    assert cost_of(usage, PRICES) == Decimal(yuan)


def test_cached_tokens_cost_as_others_unless_a_price_is_given() -> None:
    prices = Prices(Decimal("2.4"), Decimal("9.6"))
    assert cost_of(Usage(1000, 0, cached_tokens=900), prices) == cost_of(Usage(1000, 0), prices)


def test_cached_tokens_may_be_free() -> None:
    """Zero is a price; None is none."""
    prices = Prices(Decimal("2.4"), Decimal("9.6"), Decimal(0))
    assert cost_of(Usage(1000, 0, cached_tokens=1000), prices) == 0


def test_without_prices_nothing_costs_anything() -> None:
    assert cost_of(Usage(10**9, 10**9), Prices()) == 0
    assert worst_cost(10**9, deployment(Prices())) == 0


def test_the_worst_is_an_answer_up_to_its_limit() -> None:
    free_prompt = deployment(Prices(response=Decimal(8)))
    assert worst_cost(0, free_prompt) == ESTIMATE_SLACK * 4096 * 8 / 1_000_000
    assert worst_cost(0, free_prompt, 16) == ESTIMATE_SLACK * 16 * 8 / 1_000_000
    unlimited = deployment(Prices(response=Decimal(8)), max_tokens=None)
    assert worst_cost(0, unlimited) == ESTIMATE_SLACK * UNLIMITED_ANSWER * 8 / 1_000_000


MONEY = st.decimals(0, 1_000_000, places=6)


@settings(deadline=None)
@given(
    MONEY,
    MONEY,
    st.none() | st.decimals(0, 1, places=3),
    st.integers(0, 2_000_000),
    st.integers(16, 1_000_000),
    st.floats(0, 1.25),
    st.floats(0, 1.25),
    st.floats(0, 2),
)
def test_no_call_costs_more_than_was_reserved_for_it(
    prompt_price: Decimal,
    response_price: Decimal,
    cached_share: Decimal | None,
    estimate: int,
    limit: int,
    prompt: float,
    response: float,
    cached: float,
) -> None:
    """Budgets hold only if the reservation is an upper bound for every usage within the estimate's slack."""
    prices = Prices(
        prompt_price, response_price, None if cached_share is None else prompt_price * cached_share
    )
    usage = Usage(int(estimate * prompt), int(limit * response), int(estimate * cached))
    assert cost_of(usage, prices) <= worst_cost(estimate, deployment(prices, limit))


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=20))
def test_calls_one_by_one_never_cost_less_than_together(calls: list[tuple[int, int]]) -> None:
    """Rounding is upwards, so that a ledger's sum is never below the bill."""
    single = sum((cost_of(Usage(*call), PRICES) for call in calls), Decimal(0))
    together = cost_of(Usage(sum(call[0] for call in calls), sum(call[1] for call in calls)), PRICES)
    assert together <= single <= together + len(calls) * Decimal("0.000001")


def test_every_message_counts() -> None:
    request = ChatRequest((Message("system", "汉" * 100), Message("user", "a" * 100)))
    assert prompt_estimate(request) == 72 + 42
