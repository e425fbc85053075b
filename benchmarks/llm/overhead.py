"""CPU of a call: the same bytes to the same answers, by bare httpx and by LLMClient, in turns."""

from __future__ import annotations

import gc
import json
import statistics
import time

import httpx

from backend.app.bidding.llm_answers import PartFindings
from backend.app.llm import providers, structured
from backend.app.llm.call_log import CallLog
from backend.app.llm.client import LLMClient
from backend.app.llm.types import CallContext, ChatRequest, Deployment
from benchmarks.llm.calls import DOCUMENT, MESSAGES, Ask, cpu_of, run_async
from benchmarks.llm.figures import Table, spread
from benchmarks.llm.server import model_server, told_by

MOST_MS = 1.0
CONTEXT = CallContext(task_id=1, attempt=1, step="part 1", user_id=1, purpose="bidding")
BARE, SILENT, LOGGED = "bare httpx", "LLMClient, no observers", "LLMClient, call log"


def deployment(base_url: str, model: str) -> Deployment:
    return Deployment("openai_compatible", model, base_url)


class Bare:
    """The same call by httpx alone, as lean as it can be written: no limits, no checks, no validation."""

    def __init__(self, base_url: str, model: str) -> None:
        made = deployment(base_url, model)
        form = structured.response_format(PartFindings, made.structured, made.provider)
        self._body = providers.body(ChatRequest(MESSAGES, form), made)
        self._url = f"{base_url}/chat/completions"
        self._http = httpx.AsyncClient(
            headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(None, connect=5),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=30),
            trust_env=False,
        )

    async def ask(self) -> object:
        content = json.dumps(self._body, ensure_ascii=False).encode()
        parts, rest = [], b""
        async with self._http.stream("POST", self._url, content=content) as response:
            response.raise_for_status()
            async for piece in response.aiter_raw():
                *events, rest = (rest + piece).split(b"\n\n")
                for data in events:
                    if data == b"data: [DONE]":
                        continue
                    choices = json.loads(data[6:])["choices"]
                    if choices and (said := choices[0]["delta"].get("content")):
                        parts.append(said)
        return json.loads("".join(parts))

    async def aclose(self) -> None:
        await self._http.aclose()


async def compare(base_url: str, model: str, rounds: int) -> dict[str, list[float]]:
    """CPU of a call each way, ten calls at once a round, the ways in turns."""
    made = deployment(base_url, model)
    bare = Bare(base_url, model)
    silent, logging_calls = LLMClient([made], observers=()), LLMClient([made], observers=(CallLog(),))

    def asking(client: LLMClient) -> Ask:
        return lambda: client.ask(MESSAGES, PartFindings, deadline=time.monotonic() + 600, context=CONTEXT)

    ways: dict[str, Ask] = {BARE: bare.ask, SILENT: asking(silent), LOGGED: asking(logging_calls)}
    times: dict[str, list[float]] = {name: [] for name in ways}
    gc.collect()
    gc.freeze()  # what the imports left is not looked through again by whoever is at turn
    for turn in range(rounds + 1):
        for name, ask in ways.items():
            took = await cpu_of(ask, 10, at_once=10)
            if turn:  # the first turn connects and warms up
                times[name].append(took)
    await bare.aclose()
    await silent.aclose()
    await logging_calls.aclose()
    return times


def overhead(table: Table, rounds: int) -> None:
    """The least of each way is compared: on a shared machine noise only adds."""
    table.head(f"CPU of a call; prompt of {len(DOCUMENT):,} characters; least (median) of {rounds} rounds")
    for model, judged in (("at-once 20", True), ("at-once 200", True), ("one-by-one 200", False)):
        with model_server() as base_url:
            times = run_async(compare(base_url, model, rounds if judged else max(rounds // 3, 1)))
            told = told_by(base_url)
        how, _, count = model.partition(" ")
        table.row(f"answer of {count} events, {how}: {BARE}", spread(times[BARE]))
        if told["bodies"] != 1:
            table.row("  different requests", str(told["bodies"]), "1", met=False)
        for name in (SILENT, LOGGED):
            table.row(f"  {name}", spread(times[name]))
            least = min(times[name]) - min(times[BARE])
            median = statistics.median(a - b for a, b in zip(times[name], times[BARE], strict=True))
            more = f"{least:+.2f} ms ({median:+.2f}), × {min(times[name]) / min(times[BARE]):.2f}"
            if judged and name == LOGGED:
                table.row("    more than bare", more, f"≤ {MOST_MS:g} ms", met=least <= MOST_MS)
            else:
                table.row("    more than bare", more)
