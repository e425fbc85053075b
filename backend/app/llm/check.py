"""One small question to each deployment, past gates and retries: is it there, how strictly is it bound?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from backend.app.common.errors import LLMError
from backend.app.common.llm_retry import RetryPolicy
from backend.app.llm import prompts
from backend.app.llm.client import LLMClient
from backend.app.llm.types import Deployment, Message, StructuredLevel

_ONCE = RetryPolicy(waits=())


class Pong(BaseModel):
    """The answer asked for."""

    ok: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """What one deployment said. `level`: how strictly its answers are bound, after it refused the stricter
    ones; `error` None: it answered. `latency_ms`: of the whole check."""

    deployment: Deployment
    latency_ms: float
    level: StructuredLevel
    error: LLMError | None = None


async def check_all(deployments: Sequence[Deployment], *, seconds: float = 120.0) -> list[Checked]:
    """All of them side by side, each within `seconds`, in their order."""
    return list(await asyncio.gather(*(_check(deployment, seconds) for deployment in deployments)))


async def _check(deployment: Deployment, seconds: float) -> Checked:
    client = LLMClient((deployment,), policy=_ONCE, observers=())
    started = time.monotonic()
    error = None
    try:
        question = (Message("user", prompts.load("check").text),)
        await client.ask(question, Pong, deadline=started + seconds)
    except LLMError as failed:
        error = failed
    finally:
        await client.aclose()
    took = round((time.monotonic() - started) * 1000, 1)
    return Checked(deployment, took, client.router.lanes[0].level, error)
