"""A tender through rules, model and merge, over real sockets with a model that errs in every way."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from backend.app.bidding.findings import Analysis, Fact, Finding, Priority, Span, Tab
from backend.app.bidding.llm_analysis import ReadingPlan, analyse_with_llm
from backend.app.bidding.merge import merge
from backend.app.documents.canonical import Block, BlockKind, Document
from backend.app.llm.client import LLMClient
from backend.app.llm.types import CallContext, Deployment, StepResult
from backend.tests.fakes import llm_server as fake
from backend.tests.fakes.llm_server import FakeLLM, Reply, Seen

CLAUSE = "第{n}条 投标人未提交材料{n}的，其投标无效。"
PLAN = ReadingPlan(target=1500, longest=2000, whole=2000)


def tender() -> Document:
    text, blocks = "", []
    for n in range(40):
        line = ("\n" if text else "") + CLAUSE.format(n=n) + "其余说明文字。" * 20
        blocks.append(Block(len(text) + (1 if text else 0), len(text) + len(line), BlockKind.PARAGRAPH))
        text += line
    return Document(text + "\n投标有效期为90天。", tuple(blocks))


def answer(seen: Seen) -> Reply:
    """Every clause of the part with its marks changed, one invented, one with another number, one fact."""
    part = seen.body["messages"][1]["content"]
    quotes = [
        found.replace("，", ",") for found in re.findall(r"第\d+条 投标人未提交材料\d+的，其投标无效", part)
    ]
    items = [
        {"tab": "hard_requirements", "title": "须提交材料", "quote": quote, "priority": "critical"}
        for quote in quotes
    ]
    items += [
        {"tab": "hard_requirements", "title": "发明", "quote": "投标人须在本地设立分公司并缴纳社保"},
        {"tab": "hard_requirements", "title": "改数", "quote": quotes[0].replace("材料", "材料9")},
    ]
    facts = (
        [{"name": "bid_validity_days", "value": "90", "quote": "投标有效期为90天"}] if "90天" in part else []
    )
    return fake.stream(json.dumps({"facts": facts, "items": items}, ensure_ascii=False), size=500)


async def step(
    name: str, inputs: Mapping[str, Any], call: Callable[[], Awaitable[StepResult]], **_: Any
) -> Any:
    return (await call()).result


async def test_what_survives_is_in_its_place_and_the_rest_is_counted() -> None:
    document = tender()

    async def no_wait(_: float) -> None:
        return

    faults = [
        fake.error(429),
        fake.stream("{", finish=None),
        fake.stream("不是 JSON"),
        fake.error(500),
        fake.cut_after(),
    ]
    async with FakeLLM(*faults, default=answer) as llm:
        client = LLMClient((Deployment("openai_compatible", "m", llm.base_url, timeout_s=5),), sleep=no_wait)
        ask = client.bind(deadline=time.monotonic() + 30, context=CallContext(task_id=1, attempt=1))
        found = await analyse_with_llm(document, ask=ask, step=step, plan=PLAN)
        await client.aclose()

    parts = {seen.body["messages"][1]["content"] for seen in llm.seen}
    assert found.gaps == ()
    assert found.ungrounded_dropped == 2 * len(parts)
    assert len(llm.seen) == len(parts) + len(faults)
    quotes = [document.text[one.span.start : one.span.end] for one in found.findings]
    assert quotes == [CLAUSE.format(n=n).rstrip("。") for n in range(40)]
    assert {one.grounding for one in found.findings} == {"normalized"}

    place = Span(document.text.index("第3条"), document.text.index("第3条") + 12)
    rules = Analysis(
        {"bid_validity_days": None, "budget": Fact(1, "1", Span(0, 1))},
        (Finding(Tab.HARD_REQUIREMENTS, "规则", place, Priority.MEDIUM),),
    )
    merged = merge(rules, found)
    validity = merged.facts["bid_validity_days"]
    assert validity is not None
    assert validity.value == 90
    assert [one.origin for one in merged.findings].count("both") == 1
    assert len(merged.findings) == 40
