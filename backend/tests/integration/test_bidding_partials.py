"""A model reads slowly: what it has found so far can be seen, in the form of the result."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from backend.app.bidding.llm_analysis import ReadingPlan
from backend.app.documents.reading import Reader
from backend.app.documents.sandbox import ParsePool
from backend.app.documents.storage import Storage
from backend.app.handlers import partials
from backend.app.handlers.bidding import BiddingHandler
from backend.app.llm.client import LLMClient
from backend.app.llm.types import Deployment
from backend.app.tasks import queries
from backend.app.tasks.reports import ReportDesk
from backend.app.tasks.runner import Runner
from backend.tests.fakes import llm_server as fake
from backend.tests.fakes.llm_server import FakeLLM, Reply, Seen
from backend.tests.queue_world import World

TYPE = "bidding_analysis"
LINES = [f"第{n}条 投标人未提交材料{n}的，其投标无效。" + "其余说明文字。" * 30 for n in range(90)]


async def test_finished_parts_are_shown_while_others_are_waited_for(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partials, "EVERY_S", 0.0)
    storage = Storage(tmp_path)
    upload = storage.put_bytes("\n".join(LINES).encode())
    held, asked = asyncio.Event(), 0

    def answer(seen: Seen) -> Reply:
        nonlocal asked
        if "已逐条核对过原文" in seen.text:
            return fake.stream(json.dumps({"summary": "须提交材料。", "reason": "材料多", "items": []}))
        asked += 1
        part = seen.body["messages"][1]["content"]
        quote = next(line.split("。")[0] for line in LINES if line.split("。")[0] in part)
        item = {"tab": "hard_requirements", "title": f"材料（{asked}）", "quote": quote, "priority": "high"}
        said = fake.stream(json.dumps({"facts": [], "items": [item]}, ensure_ascii=False), size=500)
        return said if asked == 1 else _after(held, said)

    async def run(verb: Any, *args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(world.write, verb, *args, **kwargs)

    async with FakeLLM(default=answer) as llm:
        client = LLMClient((Deployment("openai_compatible", "m", llm.base_url, timeout_s=20),))
        handler = BiddingHandler(storage, Reader(ParsePool(1)), client)
        desk = ReportDesk(run)
        desk.start()
        runner = Runner({TYPE: handler}, desk, run, lambda: True, timeout=60)
        task_id = world.submit(
            world.user(), task_type=TYPE, file_sha256=upload.sha256, payload={"source": "text"}
        )
        (task,) = world.claim(types=(TYPE,), lease_seconds=9999.0)
        working = asyncio.create_task(runner.run(task))

        body = await _seen(world, task_id, lambda body: {"part": "全文"} not in body["missing"])
        found = [one for tab in body["tabs"] for one in tab["items"] if one["origin"] != "rules"]
        held.set()
        await working
        await desk.stop()
        await client.aclose()

    row = world.row(task_id)
    assert len(found) == 1
    assert len(body["missing"]) >= 2
    assert body["engine"]["mode"] == "hybrid"
    assert body["document"]["chars"] == len("\n".join(LINES))
    assert row.status == "completed"
    with world.database.read() as conn:
        assert queries.partial(conn, task_id) is None


async def test_the_overview_is_asked_of_no_more_than_the_model_has_room_for(
    world: World, tmp_path: Path
) -> None:
    """A small window holds the instructions, the answer and little else: the question would be refused."""
    storage = Storage(tmp_path)
    upload = storage.put_bytes("\n".join(LINES).encode())
    asked: list[str] = []

    def answer(seen: Seen) -> Reply:
        if "已逐条核对过原文" in seen.text:
            asked.append(seen.body["messages"][1]["content"])
        return fake.stream(
            json.dumps({"facts": [], "items": [], "summary": "须提交材料。"}, ensure_ascii=False)
        )

    async def run(verb: Any, *args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(world.write, verb, *args, **kwargs)

    async with FakeLLM(default=answer) as llm:
        small = Deployment("openai_compatible", "m", llm.base_url, timeout_s=20, context_window=8_000)
        client = LLMClient((small,))
        desk = ReportDesk(run)
        desk.start()
        handler = BiddingHandler(storage, Reader(ParsePool(1)), client)
        runner = Runner({TYPE: handler}, desk, run, lambda: True, timeout=60)
        task_id = world.submit(
            world.user(), task_type=TYPE, file_sha256=upload.sha256, payload={"source": "text"}
        )
        (task,) = world.claim(types=(TYPE,), lease_seconds=9999.0)
        await asyncio.create_task(runner.run(task))
        await desk.stop()
        await client.aclose()

    assert world.row(task_id).status == "completed"
    (question,) = asked
    assert 200 < len(question) <= ReadingPlan.of(small).longest + 100  # the marks around it


def _after(held: asyncio.Event, said: Reply) -> Reply:
    async def reply(writer: asyncio.StreamWriter, seen: Seen) -> None:
        await held.wait()
        await said(writer, seen)

    return reply


async def _seen(world: World, task_id: int, wanted: Any) -> dict[str, Any]:
    """The partial result as soon as it is what the test waits for."""

    def look() -> dict[str, Any] | None:
        with world.database.read() as conn:
            kept = queries.partial(conn, task_id)
        return json.loads(kept.body_json) if kept is not None else None

    async with asyncio.timeout(20):
        while True:
            body = await asyncio.to_thread(look)
            if body is not None and wanted(body):
                return body
            await asyncio.sleep(0.02)
