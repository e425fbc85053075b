"""Our client, and the whole product, against a real llama.cpp server. The model is noise: what counts is
that both sides mean the same by a stream, a count, a schema, a key and a limit."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import pytest
import structlog
from pydantic import BaseModel, ConfigDict, Field
from structlog.testing import capture_logs

from backend.app.bidding.llm_analysis import analyse_with_llm
from backend.app.common.errors import LLMAuthFailed, LLMContextTooLong
from backend.app.documents.extract import from_text
from backend.app.llm.client import LLMClient
from backend.app.llm.types import CallContext, Deployment, ErrorKind, Message, StepResult, kind_of
from backend.tests.acceptance.product import Product, product
from backend.tests.acceptance.test_user_document import quotes_of
from backend.tests.fakes.llama_server import LlamaServer, llama_server, write_noise_model

KEY = "sk-test-1234567"
ROOM = 4096  # tokens of a slot of the server that most tests share
MESSAGES = (Message("system", "提取要点"), Message("user", "某某项目招标文件"))
# As the model's template writes it, and a token before it; each character is a token.
PROMPT = "system:提取要点\nuser:某某项目招标文件\nassistant:"


class Verdict(StrEnum):
    KEPT = "kept"
    DROPPED = "dropped"


class Clause(BaseModel):
    model_config = ConfigDict(extra="forbid")

    verdict: Verdict
    title: str = Field(max_length=4)
    points: float | None


class Clauses(BaseModel):
    """Nothing here is lenient: what breaks a limit does not validate."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=20)
    clauses: list[Clause] = Field(min_length=2, max_length=3)
    grades: list[Annotated[str, Field(max_length=2)]] = Field(max_length=2)


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_noise_model(tmp_path_factory.mktemp("llama") / "noise.gguf")


@pytest.fixture(scope="module")
def llama(noise: Path) -> Iterator[LlamaServer]:
    with llama_server(noise, api_key=KEY, context=ROOM) as served:
        yield served


@pytest.fixture
async def client(llama: LlamaServer) -> AsyncIterator[LLMClient]:
    made = LLMClient((deployment(llama),))
    yield made
    await made.aclose()


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    structlog.reset_defaults()
    with capture_logs() as captured:
        yield captured


def deployment(llama: LlamaServer, key: str = KEY, **fields: Any) -> Deployment:
    return Deployment("openai_compatible", "noise", llama.base_url, key, max_tokens=1500, **fields)


async def ask(client: LLMClient, messages: tuple[Message, ...] = MESSAGES) -> Any:
    context = CallContext(task_id=1, attempt=1, step="chunk/1")
    return await client.ask(messages, Clauses, deadline=time.monotonic() + 60, context=context)


async def test_an_answer_is_streamed_and_the_server_counts_its_tokens(
    client: LLMClient, logs: list[Any]
) -> None:
    """The server's count, not our estimate: here it is known to the token."""
    answer = await ask(client)

    assert answer.calls == 1
    assert answer.usage.prompt_tokens == 1 + len(PROMPT)
    assert not answer.usage.estimated
    told = [line for line in logs if line["event"] == "llm_response"]
    assert [line["success"] for line in told] == [True]
    assert told[0]["finish_reason"] == "stop"
    assert told[0]["response_tokens"] == answer.usage.response_tokens > 50
    assert 0 < told[0]["first_token_ms"] < told[0]["duration_ms"]


async def test_a_model_of_noise_is_held_to_the_schema_by_the_server(
    client: LLMClient, logs: list[Any]
) -> None:
    """Random weights write no JSON by themselves: the limits that hold are the grammar's."""
    answer = await ask(client)

    assert answer.calls == 1
    assert not [line for line in logs if line["event"] == "llm_format_refused"]
    assert 2 <= len(answer.value.clauses) <= 3
    assert all(len(clause.title) == 4 for clause in answer.value.clauses)  # it would go on to six


async def test_the_same_question_is_found_in_the_server_s_cache(client: LLMClient) -> None:
    """Instructions stand first in our prompts so that servers need to read them once."""
    await ask(client)
    again = await ask(client)

    assert again.usage.prompt_tokens == 1 + len(PROMPT)
    assert again.usage.prompt_tokens > again.usage.cached_tokens > len(PROMPT) / 2


async def test_a_wrong_key_is_refused_at_the_first_call(llama: LlamaServer, logs: list[Any]) -> None:
    client = LLMClient((deployment(llama, "sk-another"),))
    with pytest.raises(LLMAuthFailed) as caught:
        await ask(client)
    await client.aclose()

    assert kind_of(caught.value) is ErrorKind.AUTH
    assert [line["event"] for line in logs].count("llm_request") == 1


async def test_a_prompt_longer_than_the_context_says_so(client: LLMClient, logs: list[Any]) -> None:
    with pytest.raises(LLMContextTooLong) as caught:
        await ask(client, (Message("user", "某" * ROOM),))

    assert kind_of(caught.value) is ErrorKind.CONTEXT
    assert caught.value.params["status"] == 400
    assert [line["event"] for line in logs].count("llm_request") == 1


async def test_an_answer_that_the_context_has_no_room_for_is_too_long_as_well(client: LLMClient) -> None:
    """The prompt fits and the server starts to answer; half a JSON object is not mended."""
    with pytest.raises(LLMContextTooLong) as caught:
        await ask(client, (Message("user", "某" * (ROOM - 40)),))

    assert caught.value.params["finish_reason"] == "length"


# Tenders

FRONT = """某某大学学生宿舍物业服务项目招标文件
项目编号：XX-2027-031
采购人：某某大学
预算金额：人民币120万元
投标截止时间：2027年3月5日09时30分
投标有效期：自投标截止之日起90日
本项目不接受联合体投标。
"""
DUTIES = ("门厅值守", "楼道保洁", "设备巡检", "垃圾清运", "绿化养护", "夜间巡查", "公共维修", "来访登记")


def tender(size: int) -> str:
    """A made-up tender of at least `size` characters; no clause is like another."""
    text, number = FRONT, 0
    while len(text) < size:
        number += 1
        duty, house = DUTIES[number % len(DUTIES)], f"{number}号楼"
        text += (
            f"{number}. 投标人须在{house}配备{number % 7 + 2}名人员负责{duty}，每日不少于{number % 5 + 3}次，"
        )
        text += f"并保存记录备查；未提供{house}{duty}方案的，其投标无效。\n"
    return text


async def test_a_piece_too_long_for_the_server_however_it_is_cut_is_a_gap_with_a_name(
    client: LLMClient,
) -> None:
    """Rare characters cost three tokens each, and the product's estimate cannot know it."""
    rare = "龘靐齉爩鱻\n" * 500
    document = from_text(tender(3_000) + rare)

    async def step(
        name: str, inputs: Mapping[str, Any], call: Callable[[], Awaitable[StepResult]], **_: Any
    ) -> Any:
        return (await call()).result

    ask = client.bind(deadline=time.monotonic() + 60, context=CallContext(task_id=1, attempt=1))
    found = await analyse_with_llm(document, ask=ask, step=step)

    assert found.ungrounded_dropped > 0  # what fits was read
    assert found.gaps
    assert {gap["reason"] for gap in found.gaps} == {LLMContextTooLong().sentence()}
    for gap in found.gaps:
        start, end = map(int, re.findall(r"\d+", gap["part"]))
        assert document.text[start - 1 : end].count("龘") > 20


# The whole product


@pytest.fixture(scope="module")
def made(noise: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A started product whose model has room for a part of a tender, but not for 12 000 characters."""
    with llama_server(noise, api_key=KEY, slots=2, context=10_000) as llama:
        asking = {
            "BIDDING_ASSISTANT_LLM_PROVIDER": "openai_compatible",
            "BIDDING_ASSISTANT_LLM_BASE_URL": llama.base_url,
            "BIDDING_ASSISTANT_LLM_MODEL": "noise",
            "BIDDING_ASSISTANT_LLM_API_KEY": KEY,
        }
        with product(tmp_path_factory.mktemp("product"), SA_POLL_INTERVAL="0.5", **asking) as started:
            started.start_backend("--with-worker")
            started.log_in()
            yield started


def analysed(made: Product, text: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The task of this text, completed and with every quote in its place, and its calls as logged."""
    task_id = made.submit(text)
    task = made.wait_for(task_id, "completed", "failed", seconds=90)
    assert task["status"] == "completed", task["error"]
    document = made.client.get(f"/api/tasks/{task_id}/document").json()["text"]
    quotes = list(quotes_of(task["result"]))
    assert len(quotes) > 20
    for start, end, excerpt in quotes:
        assert document[start:end] == excerpt
    return task["result"], [call for call in made.lines("llm_response") if call["task_id"] == task_id]


def test_a_tender_in_parts_is_analysed_and_nothing_the_model_invents_is_shown(made: Product) -> None:
    """Each part's answer is a fact and an item of noise: both are dropped, what the rules found stays. The
    overview is noise as well, and is not shown."""
    result, calls = analysed(made, tender(12_100))

    assert [call["step"] for call in calls][-1] == "overview"
    assert len(calls) == 2 + 1
    assert all(call["success"] for call in calls)
    usage, engine = result["usage"], result["engine"]
    assert usage["calls"] == len(calls)
    assert usage["prompt_tokens"] == sum(call["prompt_tokens"] for call in calls)
    assert usage["response_tokens"] == sum(call["response_tokens"] for call in calls)
    assert (engine["mode"], engine["model"]) == ("hybrid", "noise")
    assert engine["ungrounded_dropped"] > 2 * 2
    assert [gap["part"] for gap in result["gaps"]] == ["概览与结论"]
    assert "【概览】" not in result["summary"]
    assert {item["origin"] for tab in result["tabs"] for item in tab["items"]} == {"rules"}
    assert KEY not in made.log.read_text("utf-8")


def test_a_part_that_overflows_the_server_s_context_is_cut_in_two(made: Product) -> None:
    """The product takes the window for larger than it is: the server says so, and both halves are read."""
    result, calls = analysed(made, tender(11_500))

    assert [line["part"] for line in made.lines("llm_part_split")] == ["chunk/1"]
    told = [(call["step"], call["success"], call.get("error_kind")) for call in calls]
    assert told[0] == ("chunk/1", False, "context")
    assert sorted(told[1:]) == [("chunk/1a", True, None), ("chunk/1b", True, None)]
    assert result["usage"]["calls"] == 3
    assert result["gaps"] == []
