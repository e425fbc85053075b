"""Gates that all workers share, on both databases: closing, seeing, probing by one at a time, mending."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from backend.app.common.errors import LLMAuthFailed, LLMError, LLMGateClosed
from backend.app.db.engine import Database
from backend.app.llm import gate_rows, gates, shared_gates
from backend.app.llm.classify import failure
from backend.app.llm.router import Router
from backend.app.llm.shared_gates import SharedGates, config_hash
from backend.app.llm.types import Deployment, ErrorKind
from backend.tests.fakes import llm_server as fake
from backend.tests.fakes.llm_server import FakeLLM
from backend.tests.gate_world import Rows
from backend.tests.llm_asking import KEY, Shape, asking, deployment, good, soon

WRONG_KEY = fake.error(401, "invalid_api_key")


@pytest.fixture
def rows(shared_database: Database) -> Rows:
    made = Rows(shared_database)
    made.clear()
    return made


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refreshing and probing without the long pauses."""
    monkeypatch.setattr(shared_gates, "REFRESH_SECONDS", 0.05)
    monkeypatch.setattr(gates, "PROBE_FIRST_S", 0.1)
    monkeypatch.setattr(gates, "PROBE_LONGEST_S", 0.2)


@contextmanager
def kept(shared: SharedGates, probe: Any) -> Iterator[None]:
    keeper = asyncio.create_task(shared.keep(probe))
    try:
        yield
    finally:
        keeper.cancel()


async def until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s"
        await asyncio.sleep(0.02)


def test_the_hash_of_a_configuration_changes_with_what_may_cure_it() -> None:
    made = deployment("http://x/v1")
    same = replace(made, weight=9.0, timeout_s=1.0, name="other")
    assert config_hash(same) == config_hash(made)
    for changed in ({"api_key": "k2"}, {"model": "m2"}, {"base_url": "http://y"}, {"api_version": "v"}):
        assert config_hash(replace(made, **changed)) != config_hash(made)
    assert KEY not in config_hash(made)


async def test_what_one_worker_closes_another_sees(rows: Rows) -> None:
    target = deployment("http://x/v1")
    here, there = rows.shared(target), rows.shared(target)
    await here.register()
    await there.register()
    error = failure(ErrorKind.AUTH, "HTTP 401")
    assert await here.close(target, error, seconds=None)
    assert there.closed("a") is None
    await there.refresh()
    closed = there.closed("a")
    assert closed is not None
    assert (closed.needs_probe, closed.reason, closed.error_code) == (True, "auth", "llm_auth")
    assert Router((target,), there).blocks("bidding")
    # Both were asked with the wrong key at the same time: one task fails, not one a worker.
    assert not await there.close(target, error, seconds=None)
    assert not await rows.shared(target).close(target, error, seconds=None)


async def test_a_look_at_the_rows_does_not_open_what_is_being_closed(rows: Rows) -> None:
    """The row is written a moment after memory knows; a refresh in between reads it as open, and everyone
    behind the gate would run against the wrong key."""
    target = deployment("http://x/v1")

    async def slowly(verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if verb is gate_rows.close_gate:
            await asyncio.sleep(0.2)
        return await rows.run(verb, *args, **kwargs)

    shared = SharedGates([target], slowly, rows.look)
    await shared.register()
    closing = asyncio.create_task(shared.close(target, failure(ErrorKind.AUTH, "HTTP 401"), seconds=None))
    await asyncio.sleep(0.05)
    await shared.refresh()
    assert shared.closed("a") is not None
    assert await closing
    await shared.refresh()
    assert shared.closed("a") is not None


async def test_another_gate_still_open_blocks_nothing(rows: Rows) -> None:
    bidding = deployment("http://x/v1", "one", purposes=frozenset({"bidding"}))
    both = deployment("http://x/v1", "both")
    shared = rows.shared(bidding, both)
    await shared.register()
    await shared.close(both, failure(ErrorKind.THROTTLE, "429"), seconds=60)
    router = Router((bidding, both), shared)
    assert not router.blocks("bidding")
    assert router.blocks("workload")
    await shared.close(bidding, failure(ErrorKind.THROTTLE, "429"), seconds=60)
    assert router.blocks("bidding")


async def test_a_worker_with_a_mended_key_opens_the_gate_for_all(rows: Rows) -> None:
    target = deployment("http://x/v1")
    old = rows.shared(target)
    await old.register()
    opened = []
    old.on_open = opened.append
    await old.close(target, failure(ErrorKind.AUTH, "HTTP 401"), seconds=None)
    await rows.shared(replace(target, api_key="sk-right")).register()
    await old.refresh()
    assert old.closed("a") is None
    assert opened == ["a"]


@pytest.mark.usefixtures("hasty")
async def test_a_wrong_key_is_probed_until_it_is_mended(rows: Rows) -> None:
    """The task that met it fails, those behind wait, and when someone has mended the key all goes on."""
    async with FakeLLM(default=lambda seen: WRONG_KEY) as llm:
        target = deployment(llm)
        shared = rows.shared(target)
        async with asking(target, gates=shared) as asked:
            await shared.register()
            with kept(shared, asked.client.probe):
                with pytest.raises(LLMAuthFailed):
                    await soon(asked.ask())
                await until(lambda: len(llm.seen) >= 3)
                with pytest.raises(LLMGateClosed):
                    await soon(asked.ask())
                assert [seen.text for seen in llm.seen[1:]] == ["ping"] * (len(llm.seen) - 1)
                llm.default = good
                await until(lambda: shared.closed("a") is None)
                assert (await soon(asked.ask())).value == Shape(amount=5)
            assert rows.all()["a"].closed_for is None


@pytest.mark.usefixtures("hasty")
async def test_two_workers_probe_one_at_a_time(rows: Rows) -> None:
    out = most = probes = 0

    async def probe(_: Deployment) -> LLMError | None:
        nonlocal out, most, probes
        out, probes = out + 1, probes + 1
        most = max(most, out)
        await asyncio.sleep(0.15)
        out -= 1
        return failure(ErrorKind.AUTH, "HTTP 401") if probes < 4 else None

    target = deployment("http://x/v1")
    here, there = rows.shared(target), rows.shared(target)
    await here.register()
    with kept(here, probe), kept(there, probe):
        await here.close(target, failure(ErrorKind.AUTH, "HTTP 401"), seconds=None)
        await until(lambda: probes >= 4 and here.closed("a") is None and there.closed("a") is None)
    assert (probes, most) == (4, 1)


@pytest.mark.usefixtures("hasty")
async def test_the_watch_outlives_a_row_it_cannot_read_and_a_probe_that_breaks(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate_rows, "PROBE_PATIENCE_S", 0.2)
    broken = [ValueError("odd row"), OSError("gone")]

    async def look(verb: Callable[..., Any], *args: Any) -> Any:
        if broken:
            raise broken.pop()
        return await rows.look(verb, *args)

    probed: list[str] = []
    breaks = [True]

    async def probe(found: Deployment) -> LLMError | None:
        probed.append(found.label)
        if breaks.pop() if breaks else False:
            raise RuntimeError("a bug")
        return None

    # The bug itself is told to the loop, whose handler is pytest's otherwise.
    asyncio.get_running_loop().set_exception_handler(lambda _, context: None)
    target = deployment("http://x/v1")
    shared = SharedGates([target], rows.run, look)
    await rows.shared(target).register()
    with kept(shared, probe):
        await shared.close(target, failure(ErrorKind.AUTH, "HTTP 401"), seconds=None)
        await until(lambda: shared.closed("a") is None)
    assert probed == ["a", "a"]


async def test_a_row_that_another_configuration_took_away_comes_back_as_it_was(rows: Rows) -> None:
    """A worker of another configuration, or of none, starts: ours must not wait for ever behind a gate whose
    probe nobody can begin."""
    shut, fine = deployment("http://x/v1", "shut"), deployment("http://x/v1", "fine")
    shared = rows.shared(shut, fine)
    await shared.register()
    await shared.close(shut, failure(ErrorKind.AUTH, "HTTP 401"), seconds=None)
    await rows.shared().register()
    assert rows.all() == {}

    await shared.refresh()

    found = rows.all()
    assert (found["shut"].needs_probe, found["shut"].reason) == (True, "auth")
    assert found["fine"].closed_for is None
    rows.make_due("shut")
    assert rows.write(gate_rows.begin_probe, "shut")


async def test_a_probe_speaks_as_the_server_has_taught_and_a_refused_field_is_no_refused_key() -> None:
    """A reasoning model behind a name that does not tell: it refuses max_tokens, and the key is good."""
    picky = "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."

    def reply(seen: Any) -> Any:
        if "max_tokens" in seen.body:
            return fake.error(400, "unsupported_parameter", picky)
        return good()

    async with FakeLLM(default=reply) as llm, asking(deployment(llm)) as asked:
        assert await asked.client.probe(asked.client.deployments[0]) is None
        await soon(asked.ask())
        llm.seen.clear()
        assert await asked.client.probe(asked.client.deployments[0]) is None
    assert [seen.body.get("max_completion_tokens") for seen in llm.seen] == [16]
