"""One call in a process of its own: `python -m backend.tests.fakes.llm_caller BASE_URL` prints the class of
its error and by how many KiB the process's peak memory grew meanwhile."""

from __future__ import annotations

import asyncio
import resource
import sys
import time

from backend.app.common.errors import LLMError
from backend.app.llm.transport import Transport
from backend.app.llm.types import ChatRequest, Deployment, Message


async def main(base_url: str) -> None:
    transport = Transport()
    request = ChatRequest((Message("user", "文本"),))
    target = Deployment("openai_compatible", "m-1", base_url, "sk-test-1234567", timeout_s=30, idle_s=5)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        await transport.stream_chat(request, target, time.monotonic() + 30)
        outcome = "answered"
    except LLMError as error:
        outcome = type(error).__name__
    finally:
        await transport.aclose()
    print(outcome, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
