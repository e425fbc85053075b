"""Money and ways together: what a question may spend decides whom it may ask, and never blocks the way."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from backend.app.common.errors import BudgetExceeded
from backend.app.llm.types import CallContext, Prices, Quotas
from backend.tests.fakes import llm_server as fake
from backend.tests.fakes.llm_server import FakeLLM
from backend.tests.llm_asking import Shape, asking, deployment, good, soon

CHEAP = Prices(Decimal(1), Decimal(1))
DEAR = Prices(Decimal(1_000), Decimal(1_000))


async def up_to_a_yuan(worst: Decimal) -> bool:
    if worst > 1:
        raise BudgetExceeded(budget="1", spent="0")
    return True


async def test_a_spare_that_is_too_dear_does_not_fail_a_question_that_the_cheap_one_can_answer() -> None:
    """The cheap one stumbles once; it is asked again after a wait, and the dear one not at all."""
    async with FakeLLM(fake.error(503), default=good) as cheap, FakeLLM(default=good) as dear:
        ways = (deployment(cheap, "cheap", prices=CHEAP), deployment(dear, "dear", prices=DEAR, weight=0.01))
        async with asking(*ways) as asked:
            answer = await soon(asked.ask(context=CallContext(permit=up_to_a_yuan)))
    assert (answer.value, answer.calls) == (Shape(amount=5), 2)
    assert (len(cheap.seen), dear.seen) == (2, [])


async def test_a_dear_one_that_is_chosen_first_gives_way_to_one_that_can_be_afforded() -> None:
    async with FakeLLM(default=good) as cheap, FakeLLM(default=good) as dear:
        ways = (deployment(dear, "dear", prices=DEAR, weight=1000), deployment(cheap, "cheap", prices=CHEAP))
        async with asking(*ways) as asked:
            answer = await soon(asked.ask(context=CallContext(permit=up_to_a_yuan)))
    assert (answer.calls, len(cheap.seen), dear.seen) == (1, 1, [])


async def test_when_none_can_be_afforded_the_question_ends_without_a_call() -> None:
    async with FakeLLM(default=good) as dear, asking(deployment(dear, prices=DEAR)) as asked:
        with pytest.raises(BudgetExceeded):
            await soon(asked.ask(context=CallContext(permit=up_to_a_yuan)))
        assert asked.lanes["a"].in_flight == 0
    assert dear.seen == []


async def test_who_waits_for_money_leaves_its_place_to_who_holds_it() -> None:
    """The only place, and a reserve that another question gives back when it has been answered there."""
    settled, refused = asyncio.Event(), asyncio.Event()

    async def not_before_the_other(_: Decimal) -> bool:
        refused.set()
        return settled.is_set()

    async def room() -> None:
        await settled.wait()

    waits = CallContext(permit=not_before_the_other, room=room)
    async with (
        FakeLLM(default=good) as llm,
        asking(deployment(llm, quotas=Quotas(concurrency=1))) as asked,
    ):
        poor = asyncio.create_task(asked.ask(context=waits))
        await asyncio.wait_for(refused.wait(), 5)
        rich = await soon(asked.ask(), 5)
        settled.set()
        answers = [rich, await asyncio.wait_for(poor, 5)]
        assert asked.lanes["a"].in_flight == 0
    assert [answer.value for answer in answers] == [Shape(amount=5)] * 2
    assert len(llm.seen) == 2
