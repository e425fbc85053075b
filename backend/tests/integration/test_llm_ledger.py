"""The ledger on both databases: a row before each call is sent, closed when it ended, never at the price of
an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import delete, select
from sqlalchemy.engine import Row
from sqlalchemy.exc import OperationalError

from backend.app.common.errors import LLMUnavailable
from backend.app.db.models import LLM_CALLS
from backend.app.llm.call_log import Call
from backend.app.llm.cost import worst_cost
from backend.app.llm.ledger import Ledger
from backend.app.llm.types import CallContext, Deployment, Prices
from backend.app.tasks.reports import patiently
from backend.tests.fakes import llm_server as fake
from backend.tests.fakes.llm_server import FakeLLM, Reply, Seen
from backend.tests.llm_asking import GOOD, Shape, asking, deployment, good, soon
from backend.tests.queue_world import World

PRICES = Prices(Decimal(1000), Decimal(2000), Decimal(100))  # yuan per million: sums that can be seen
USAGE = {"prompt_tokens": 100, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 40}}
COST = Decimal("0.084")  # 60 x 0.001 + 40 x 0.0001 + 10 x 0.002


class Books:
    """A database with its ledger; `runs` are the transactions that it took."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.runs: list[int] = []
        self.failing: list[Exception] = []
        self.may_write = asyncio.Event()
        self.may_write.set()
        self.ledger = Ledger(self.run)

    async def run(self, verb: Callable[..., Any], entries: list[Any]) -> Any:
        await self.may_write.wait()
        if self.failing:
            raise self.failing.pop(0)
        self.runs.append(len(entries))
        return await asyncio.to_thread(self.world.write, verb, entries)

    def rows(self) -> list[Row[Any]]:
        with self.world.database.read() as conn:
            return list(conn.execute(select(LLM_CALLS).order_by(LLM_CALLS.c.id)))

    def row(self) -> Row[Any]:
        (found,) = self.rows()
        return found


@pytest.fixture
async def books(world: World) -> Books:
    with world.database.write() as conn:
        conn.execute(delete(LLM_CALLS))
    return Books(world)


def asked_by(books: Books, llm: FakeLLM, **fields: Any) -> Any:
    return asking(deployment(llm, prices=PRICES, **fields), observers=(books.ledger,))


async def test_a_row_stands_there_before_the_call_is_sent(books: Books) -> None:
    """Whatever dies between: a call that may have been paid for is in the books, with its worst cost."""
    found: list[Row[Any]] = []

    def look(_: Seen) -> Reply:
        found.extend(books.rows())
        return fake.stream(GOOD)

    task = books.world.running()
    async with FakeLLM(default=look) as llm, asked_by(books, llm, max_tokens=50) as asked:
        context = CallContext(task_id=task.id, user_id=task.user_id, step="chunk/3", attempt=2)
        await soon(asked.ask(context=context))
        target = asked.client.deployments[0]
    (row,) = found
    assert (row.task_id, row.user_id, row.step, row.attempt) == (task.id, task.user_id, "chunk/3", 2)
    assert (row.deployment, row.provider, row.model) == ("a", "openai_compatible", "m-1")
    assert (row.success, row.response_tokens, row.duration_ms) == (None, 0, None)
    assert row.prompt_tokens == 2
    assert row.cost == worst_cost(2, target)


async def test_an_answer_closes_it_with_its_tokens_and_their_price(books: Books) -> None:
    async with FakeLLM(fake.stream(GOOD, usage=USAGE)) as llm, asked_by(books, llm) as asked:
        answer = await soon(asked.ask())
    row = books.row()
    assert (row.success, row.error_kind, row.finish_reason) == (True, None, "stop")
    assert (row.prompt_tokens, row.cached_tokens, row.response_tokens) == (100, 40, 10)
    assert row.cost == answer.cost == COST
    assert 0 < row.first_token_ms <= row.duration_ms


async def test_a_failed_call_and_the_one_that_followed_each_have_a_row(books: Books) -> None:
    async with (
        FakeLLM(fake.error(503), fake.stream(GOOD, usage=USAGE)) as llm,
        asked_by(books, llm) as asked,
    ):
        answer = await soon(asked.ask())
    failed, answered = books.rows()
    assert (failed.success, failed.error_kind) == (False, "transient")
    assert (failed.prompt_tokens, failed.response_tokens, failed.cost) == (0, 0, 0)
    assert (answered.success, answered.cost) == (True, COST)
    assert answer.calls == 2
    assert failed.call_id != answered.call_id


async def test_a_cut_answer_keeps_the_tokens_that_came(books: Books) -> None:
    async with (
        FakeLLM(default=lambda seen: fake.stream("汉" * 100, finish=None, usage=None)) as llm,
        asked_by(books, llm) as asked,
    ):
        with pytest.raises(LLMUnavailable):
            await soon(asked.ask())
    rows = books.rows()
    assert [(row.success, row.error_kind, row.response_tokens) for row in rows] == [
        (False, "truncated", 72)
    ] * 4
    assert all(row.cost == (2 * 1000 + 72 * 2000) / Decimal(1_000_000) for row in rows)


async def test_a_cancelled_call_is_closed_with_the_tokens_so_far(books: Books) -> None:
    async with FakeLLM(fake.stall_after(fake.chunk("汉" * 50))) as llm, asked_by(books, llm) as asked:
        task = asyncio.create_task(asked.ask())
        await llm.asked.wait()
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await soon(task)
        assert asked.lanes["a"].in_flight == 0
    row = books.row()
    assert (row.success, row.error_kind, row.response_tokens) == (False, "cancelled", 36)
    assert row.cost > 0


async def test_a_call_cancelled_before_it_was_sent_leaves_no_row(books: Books) -> None:
    """It was cancelled while the ledger waited for its database."""
    books.may_write.clear()
    async with FakeLLM(default=good) as llm, asked_by(books, llm) as asked:
        task = asyncio.create_task(asked.ask())
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.sleep(0.05)
        books.may_write.set()
        with pytest.raises(asyncio.CancelledError):
            await soon(task)
        await soon(books.ledger.aclose())
        assert asked.lanes["a"].in_flight == 0
    assert books.rows() == []
    assert books.runs != []  # it had been written
    assert llm.seen == []


async def test_a_call_cancelled_twice_is_withdrawn_all_the_same(books: Books) -> None:
    """The second cancellation hits the withdrawing; the writer carries it out by itself."""
    books.may_write.clear()
    async with FakeLLM(default=good) as llm, asked_by(books, llm) as asked:
        task = asyncio.create_task(asked.ask())
        for _ in range(2):
            await asyncio.sleep(0.05)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await soon(task)
        books.may_write.set()
        await soon(books.ledger.aclose())
    assert (books.rows(), llm.seen) == ([], [])


async def test_a_hundred_calls_at_once_need_few_transactions(books: Books) -> None:
    async with FakeLLM(default=good) as llm, asked_by(books, llm) as asked:
        ends = await soon(asked.ask_many(100), 30)
    assert all(end.value == Shape(amount=5) for end in ends)
    rows = books.rows()
    assert len({row.call_id for row in rows}) == 100
    assert all(row.success for row in rows)
    assert sum(books.runs) == 200
    assert books.runs[0] == 100  # of one turn of the loop: one transaction
    assert len(books.runs) <= 50


async def test_a_database_away_for_a_while_delays_and_loses_nothing(books: Books) -> None:
    """`patiently` asks again; the call is sent when it stands in the books, not before."""

    async def patient(verb: Callable[..., Any], *args: Any) -> Any:
        return await patiently(books.run, verb, *args)

    books.ledger = Ledger(patient)
    books.failing = [OperationalError("", {}, Exception("gone")), ConnectionError("gone")]
    async with FakeLLM(default=good) as llm, asked_by(books, llm) as asked:
        ends = asyncio.create_task(asked.ask_many(5))
        await asyncio.sleep(0.1)
        assert llm.seen == []
        assert all(end.value == Shape(amount=5) for end in await soon(ends))
    assert [row.success for row in books.rows()] == [True] * 5


async def test_an_answer_is_kept_when_its_row_cannot_be_closed(books: Books) -> None:
    """It was paid for; the open row keeps its worst cost."""

    def fail_from_now_on(_: Seen) -> Reply:
        books.failing = [ValueError("no room")] * 3
        return fake.stream(GOOD)

    async with FakeLLM(default=fail_from_now_on) as llm, asked_by(books, llm) as asked:
        assert (await soon(asked.ask())).value == Shape(amount=5)
    row = books.row()
    assert row.success is None
    assert row.cost > 0


async def test_a_call_that_cannot_be_written_down_is_not_sent(books: Books) -> None:
    books.failing = [ValueError("a bug")]
    async with FakeLLM(default=good) as llm, asked_by(books, llm) as asked:
        with pytest.raises(ValueError, match="a bug"):
            await soon(asked.ask())
        assert asked.lanes["a"].in_flight == 0
        assert (await soon(asked.ask())).value == Shape(amount=5)
    assert len(llm.seen) == 1


async def test_one_row_that_the_database_refuses_does_not_take_others_with_it(books: Books) -> None:
    """Rows of unrelated tasks share a transaction: a task that is gone must fail alone."""
    async with FakeLLM(default=good) as llm, asked_by(books, llm) as asked:
        strange = asyncio.create_task(asked.ask(context=CallContext(task_id=10**9)))
        others = await soon(asked.ask_many(3))
        await asyncio.wait({strange})
        strange.exception()
    assert [getattr(end, "value", end) for end in others] == [Shape(amount=5)] * 3


async def test_closing_waits_for_what_is_not_written_yet(books: Books) -> None:
    books.may_write.clear()
    call = Call(Deployment("openai", "m", "http://x"), CallContext(), 5)
    started = asyncio.create_task(books.ledger.started(call))
    await asyncio.sleep(0.01)
    closing = asyncio.create_task(books.ledger.aclose())
    await asyncio.sleep(0.01)
    assert not closing.done()
    books.may_write.set()
    await soon(asyncio.gather(started, closing))
    assert books.row().call_id == call.id


async def test_the_ids_of_calls_are_written_once(books: Books) -> None:
    """A transaction whose commit was lost on its way is run again."""
    call = Call(Deployment("openai", "m", "http://x"), CallContext(), 5)
    await books.ledger.started(call)
    await books.ledger.started(call)
    assert len(books.rows()) == 1


async def test_what_ended_is_not_withdrawn(books: Books) -> None:
    async with FakeLLM(default=good) as llm, asked_by(books, llm) as asked:
        await soon(asked.ask())
    row = books.row()
    call = Call(Deployment("openai", "m", "http://x"), CallContext(), 5, id=row.call_id)
    await books.ledger.withdrawn(call)
    assert books.row().success
