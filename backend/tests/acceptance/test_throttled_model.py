"""A tender through the whole product while the provider throttles, judged by llmock as the caller it sees."""

from __future__ import annotations

from pathlib import Path

from backend.tests.acceptance.product import product
from backend.tests.fakes.llmock_server import fail, running_llmock

TEXT = "某某项目招标文件\n投标有效期：90天。\n投标人未提交保证金的，其投标无效。"


def test_a_tender_outlives_a_throttling_provider_within_one_attempt(tmp_path: Path) -> None:
    """The provider asks for more patience than the worker's own first wait; no retry of the task is spent."""
    with running_llmock() as llm:
        asking = {
            "BIDDING_ASSISTANT_LLM_PROVIDER": "openai_compatible",
            "BIDDING_ASSISTANT_LLM_MODEL": "m-1",
            "BIDDING_ASSISTANT_LLM_BASE_URL": llm.base_url,
            "BIDDING_ASSISTANT_LLM_API_KEY": "sk-test-1234567",
        }
        with product(tmp_path, **asking) as made:
            made.start_backend("--with-worker")
            made.log_in()
            llm.script(fail(429, retry_after=3.0, times=2))

            task = made.wait_for(made.submit(TEXT), "completed", "failed", seconds=60)

        verdict = llm.verdict()

    assert (task["status"], task["retry_count"]) == ("completed", 0)
    assert verdict.findings == ()
    assert (verdict.faults, verdict.attempts) == (2, verdict.calls + 2)
    assert task["metadata"]["usage"]["calls"] == verdict.attempts
    # What llmock makes up fits the schema and stands nowhere in the text.
    assert task["result"]["engine"]["ungrounded_dropped"] > 0
    assert task["result"]["facts"]["bid_validity_days"]["value"] == 90
