"""What Azure, DashScope and the others say when something is wrong, met by a whole task: see test_llm_faults.

The servers refuse what the real ones would refuse, so a row that ends with one call has sent a right request.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backend.tests.fakes import llm_dialects as dialects
from backend.tests.fakes import llm_server as fake
from backend.tests.fakes.llm_dialects import AZURE_RESOURCE, DASHSCOPE_BASE, Serve
from backend.tests.fakes.llm_fault_rows import (
    ANSWER,
    Ends,
    Row,
    always,
    comes_again,
    completes,
    fails,
    good,
    once,
    shuts,
    waits,
)
from backend.tests.fakes.llm_faults import Bench
from backend.tests.fakes.llm_server import Reply
from backend.tests.queue_world import World

DOWN = comes_again("llm_unavailable")
REFUSED = fails("llm_content_refused")
NO_CREDIT = shuts("llm_quota", "quota")
NO_ENTRY = shuts("llm_auth", "auth")
THROTTLED = waits(30, "throttle", 4)
LONG = "\n".join(f"第{n}条 供应商应按招标文件第{n}章的要求提供服务，并承担相应责任。" for n in range(60))

AZURE: dict[str, Any] = {"provider": "azure_openai", "model": "gpt-4o-tender", "base": AZURE_RESOURCE}
OTHER_KEY = {"api_key": "sk-other-1234567"}
CLASSIC = {"api_version": "2024-10-21"}
V1 = dialects.azure_v1(ANSWER, deployment="gpt-4o-tender")
DASHSCOPE: dict[str, Any] = {"provider": "dashscope", "model": "qwen3-max", "base": DASHSCOPE_BASE}
ALIYUN = dialects.dashscope(ANSWER)


def azure(name: str, reply: Reply, ends: Ends) -> Row:
    return always(f"azure: {name}", reply, ends, **AZURE)


def aliyun(name: str, ends: Ends, status: int, code: str, message: str = "") -> Row:
    return always(f"dashscope: {name}", dialects.dashscope_error(status, code, message), ends, **DASHSCOPE)


def other(provider: str, name: str, reply: Reply, ends: Ends) -> Row:
    return always(f"{provider}: {name}", reply, ends, provider=provider)


def short_of(most: int, refusal: Reply, answers: Serve = good) -> Serve:
    """A server that has no room for longer documents (characters of the last message)."""
    return lambda seen: refusal if len(seen.body["messages"][-1]["content"]) > most else answers(seen)


def by_model(servers: dict[str, Serve]) -> Serve:
    """Several deployments behind one address."""
    return lambda seen: servers[seen.body["model"]](seen)


def numbered(status: int, code: str) -> Reply:
    """As Zhipu writes it."""
    return fake.whole({"error": {"code": code, "message": "-"}}, status)


AZURE_ROWS = [
    Row(name="azure: classic", ends=completes(), limits=CLASSIC, everywhere=True,
        then=dialects.azure_classic(ANSWER, deployment="gpt-4o-tender"), **AZURE),
    Row(name="azure: v1", ends=completes(), then=V1, **AZURE),
    Row(name="azure: wrong key", ends=NO_ENTRY, limits=OTHER_KEY, then=V1, **AZURE),
    Row(name="azure: another version", ends=fails("llm_bad_request"), limits={"api_version": "2023-05-15"},
        then=dialects.azure_classic(ANSWER, deployment="gpt-4o-tender"), **AZURE),
    azure("no such deployment", dialects.azure_no_deployment(), fails("llm_bad_request")),
    azure("prompt refused", dialects.azure_refused(), REFUSED),
    azure("answer refused", dialects.azure_stream('{"facts": [', finish="content_filter"), REFUSED),
    once("azure: throttled for a second", dialects.azure_throttled(1), at_least=1.0, **AZURE),
    azure("throttled for a minute", dialects.azure_throttled(60), waits(60, "throttle")),
    azure("throttled", dialects.azure_throttled(None), THROTTLED),
    azure("408", fake.error(408, "Timeout", "The operation was timeout."), DOWN),
    azure("500", fake.error(500, "InternalServerError"), DOWN),
]  # fmt: skip

DASHSCOPE_ROWS = [
    Row(name="dashscope: JSON mode", ends=completes(), then=ALIYUN, everywhere=True, **DASHSCOPE),
    # A model that thinks whatever it is told has no JSON mode.
    Row(name="dashscope: thinks", ends=completes(), then=ALIYUN, **{**DASHSCOPE, "model": "qwq-plus"}),
    Row(name="dashscope: json_schema by flag", ends=completes(), limits={"structured": "json_schema"},
        then=dialects.dashscope(ANSWER, schema=True), **DASHSCOPE),
    # The flag was wrong: one call more, once a worker.
    Row(name="dashscope: no json_schema", ends=completes(2), limits={"structured": "json_schema"},
        then=ALIYUN, **DASHSCOPE),
    Row(name="dashscope: wrong key", ends=NO_ENTRY, limits=OTHER_KEY, then=ALIYUN, **DASHSCOPE),
    aliyun("requests a minute", THROTTLED, 429, "limit_requests"),
    aliyun("requests a minute, native", THROTTLED, 429, "Throttling.RateQuota"),
    aliyun("tokens a minute", THROTTLED, 429, "insufficient_quota", "You exceeded your current quota."),
    aliyun("tokens a minute, native", THROTTLED, 429, "Throttling.AllocationQuota"),
    aliyun("burst", waits(30, "burst", 4), 429, "limit_burst_rate", "Request rate increased too quickly."),
    aliyun("free quota", NO_CREDIT, 429, "insufficient_quota", "Free allocated quota exceeded."),
    aliyun("free tier only", NO_CREDIT, 403, "AllocationQuota.FreeTierOnly"),
    aliyun("prepaid bill", NO_CREDIT, 429, "PrepaidBillOverdue"),
    aliyun("postpaid bill", NO_CREDIT, 429, "PostpaidBillOverdue"),
    aliyun("not bought", NO_CREDIT, 429, "CommodityNotPurchased"),
    aliyun("arrears", NO_CREDIT, 400, "Arrearage", "Access denied."),
    aliyun("no such model", fails("llm_bad_request"), 404, "model_not_found"),
    aliyun("access denied", NO_ENTRY, 403, "access_denied"),
    aliyun("prompt refused", REFUSED, 400, "data_inspection_failed"),
    aliyun("prompt refused, as of old", REFUSED, 400, "DataInspectionFailed"),
    always("dashscope: refused midway", dialects.dashscope_inspected_midway('{"fa'), REFUSED, **DASHSCOPE),
    always("dashscope: native", dialects.dashscope_native_error(400, "Arrearage"), NO_CREDIT, **DASHSCOPE),
    aliyun("time out", DOWN, 500, "RequestTimeOut", "Request timed out, please try again later."),
    aliyun("serving error", DOWN, 500, "ModelServingError"),
    aliyun("unavailable", DOWN, 503, "ModelUnavailable"),
    Row(name="dashscope: input too long", ends=completes(3), text=LONG,
        then=short_of(1800, dialects.dashscope_input_too_long(1800), ALIYUN), **DASHSCOPE),
]  # fmt: skip

OTHERS = [
    Row(name="bearer", ends=completes(), everywhere=True, then=dialects.bearer(ANSWER)),
    Row(name="no key", ends=NO_ENTRY, limits={"api_key": ""}, then=dialects.bearer(ANSWER)),
    other("openai", "pay your bill", fake.error(429, "insufficient_quota"), NO_CREDIT),
    other("openai", "spend limit", fake.error(429, "project_spend_limit_exceeded"), NO_CREDIT),
    other("openai", "request beyond the limit", fake.error(429, message="Request too large for m-1"),
          fails("llm_context_too_long")),
    other("deepseek", "balance", fake.error(402, message="Insufficient Balance"), NO_CREDIT),
    other("deepseek", "parameters", fake.error(422), fails("llm_bad_request")),
    other("deepseek", "no room", fake.stream("{", finish="insufficient_system_resource"), DOWN),
    other("moonshot", "content", fake.error(400, type="content_filter"), REFUSED),
    other("zhipu", "arrears", numbered(429, "1113"), NO_CREDIT),
    other("zhipu", "content", numbered(400, "1301"), REFUSED),
    other("zhipu", "concurrency", numbered(429, "1302"), THROTTLED),
    Row(name="moonshot: too long", ends=completes(3), text=LONG, provider="moonshot",
        then=short_of(1800, fake.error(400, message="exceeded model token limit: 8192"))),
    Row(name="llama.cpp: too long", ends=completes(3), text=LONG,
        then=short_of(1800, fake.error(400, type="exceed_context_size_error"))),
]  # fmt: skip


def two(name: str, first: Reply, ends: Ends, **second: Any) -> Row:
    """Two deployments, of which the first is asked first and answers so; the second answers well."""
    others = ({"name": f"{name}: second", "provider": "openai", "model": "m-2", **second},)
    then = by_model({"m-1": lambda _: first, "m-2": good})
    return Row(name=name, ends=ends, then=then, limits={"weight": 1000}, others=others, everywhere=True)


FALLBACKS = [
    two("content goes elsewhere", dialects.azure_refused(), completes(2)),
    two("a wrong key goes elsewhere", fake.error(401), Ends(calls=2, gate="auth", probe=True)),
    two("no credit goes elsewhere", fake.error(402), Ends(calls=2, gate="quota", probe=True)),
    two("an outage goes elsewhere", fake.error(503), completes(2)),
    two("no such model goes elsewhere", fake.error(404), completes(2)),
    two("too long goes to a larger window", fake.error(400, "context_length_exceeded"), completes(2),
        context_window=64_000),
    two("too long goes to no equal window", fake.error(400, "context_length_exceeded"),
        fails("llm_context_too_long")),
    two("a wait goes elsewhere", fake.error(429, headers={"Retry-After": "600"}),
        Ends(calls=2, gate="throttle")),
    two("a bad request goes nowhere", fake.error(400, "unknown_parameter"), fails("llm_bad_request")),
]  # fmt: skip

GROUPS = {"azure": AZURE_ROWS, "dashscope": DASHSCOPE_ROWS, "others": OTHERS, "fallbacks": FALLBACKS}


@pytest.mark.parametrize("group", GROUPS)
async def test_every_complaint_is_followed_by_what_the_table_says(
    world: World, tmp_path: Path, group: str
) -> None:
    is_sqlite = world.database.dialect == "sqlite"
    rows = [row for row in GROUPS[group] if is_sqlite or row.everywhere]

    assert await Bench(world, tmp_path).play(rows) == []
