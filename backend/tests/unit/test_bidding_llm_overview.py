"""The overview that a model writes from what is proved: kept to it, and never worth the task."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest

from backend.app.bidding.findings import Analysis, Fact, Finding, Priority, Span, Tab
from backend.app.bidding.llm_answers import StatedOverview
from backend.app.bidding.llm_overview import PART, Reduced, compact, held_to, overview_of
from backend.app.bidding.report import DocumentSource, build_report
from backend.app.common.errors import (
    AppError,
    BudgetExceeded,
    LLMGateClosed,
    LLMInvalidAnswer,
    LLMTimeout,
    LLMUnavailable,
)
from backend.app.documents.canonical import Block, BlockKind, Document
from backend.app.llm.types import Message, Model, StepResult, StructuredAnswer, Usage

TEXT = "投标函未加盖公章的，其投标无效。投标有效期90天。"
DOCUMENT = Document(TEXT, (Block(0, len(TEXT), BlockKind.PARAGRAPH),))
ANALYSIS = Analysis(
    {"bid_validity_days": Fact(90, "90天", Span(16, 24)), "agency": None},
    (
        Finding(Tab.HARD_REQUIREMENTS, "投标函盖章", Span(0, 16), Priority.CRITICAL),
        Finding(Tab.BID_TIMELINE, "有效期", Span(16, 24), Priority.LOW),
    ),
)
STATED = {
    "summary": "有效期90天。须在3日内响应。先盖公章。",
    "reason": "公章",
    "items": ["hard_requirements-0", "x"],
}


class Scripted:
    def __init__(self, answer: Mapping[str, Any] | AppError) -> None:
        self.answer, self.asked = answer, list[str]()

    async def __call__(
        self, messages: Sequence[Message], schema: type[Model], *, step: str
    ) -> StructuredAnswer[Model]:
        self.asked.append(messages[-1].content)
        if isinstance(self.answer, AppError):
            raise self.answer
        return StructuredAnswer(schema.model_validate(self.answer), Usage(10, 5), 1, "p", "m")


async def step(
    name: str, inputs: Mapping[str, Any], call: Callable[[], Awaitable[StepResult]], **_: Any
) -> Any:
    return (await call()).result


async def reduced(model: Scripted, **given: Any) -> Reduced:
    return await overview_of(DOCUMENT, ANALYSIS, ask=model, step=step, **given)


async def test_a_sentence_with_a_number_of_its_own_is_left_out_and_a_strange_id_names_nothing() -> None:
    found = await reduced(Scripted(STATED))

    assert found.overview is not None
    assert found.overview.summary == "有效期90天。先盖公章。"
    assert found.overview.items == ("hard_requirements-0",)
    assert (found.dropped, found.gap) == (1, None)


async def test_the_model_sees_proved_lines_only_the_fatal_ones_first() -> None:
    model = Scripted(STATED)
    await reduced(model)

    (asked,) = model.asked
    assert "[hard_requirements-0] 废标项/硬性要求·critical·投标函盖章：投标函未加盖公章的" in asked
    assert asked.index("hard_requirements-0") < asked.index("bid_timeline-16")
    assert "bid_validity_days：90" in asked
    assert "agency" not in asked


def test_lines_stop_at_the_room_there_is() -> None:
    assert compact(DOCUMENT, ANALYSIS, 30) == "bid_validity_days：90"


@pytest.mark.parametrize("error", [LLMInvalidAnswer(), BudgetExceeded(budget="5", spent="4.9")])
async def test_what_no_try_cures_is_a_named_gap_and_the_findings_stay(error: AppError) -> None:
    found = await reduced(Scripted(error))

    assert found.overview is None
    assert found.gap is not None
    assert found.gap["part"] == PART
    assert error.sentence() in found.gap["reason"]


async def test_an_error_that_a_retry_may_cure_is_raised_but_for_the_last_try() -> None:
    with pytest.raises(LLMTimeout):
        await reduced(Scripted(LLMTimeout()))
    assert (await reduced(Scripted(LLMTimeout()), last_attempt=True)).gap is not None


async def test_a_closed_gate_brings_the_task_back_even_on_the_last_try() -> None:
    with pytest.raises(LLMGateClosed):
        await reduced(Scripted(LLMGateClosed(provider="p", retry_after=30)), last_attempt=True)
    with pytest.raises(LLMUnavailable):
        await reduced(Scripted(LLMUnavailable()))


def test_an_overview_that_is_all_invention_is_a_gap() -> None:
    found = held_to(StatedOverview(summary="须在15日内缴纳。"), TEXT)

    assert found.overview is None
    assert (found.dropped, found.gap is not None) == (1, True)


@pytest.mark.parametrize(
    ("sentence", "is_kept"),
    [
        ("有效期为90天，投标函未盖公章即无效。", True),
        ("本项目为高速公路养护，须自备沥青拌和设备。", False),
        ("lorem ipsum dolor sit amet", False),
        ("！！！", False),
    ],
)
def test_a_sentence_about_something_else_is_left_out(sentence: str, is_kept: bool) -> None:
    """A weak model writes about tenders it has seen, without a number that would give it away."""
    found = held_to(StatedOverview(summary=sentence), TEXT)

    assert (found.overview is not None) is is_kept


async def test_the_report_shows_it_above_the_rules_own_lines() -> None:
    found = await reduced(Scripted(STATED))
    analysis = Analysis(ANALYSIS.facts, ANALYSIS.findings, extra={"overview": found.overview})

    report = build_report(DOCUMENT, analysis, source=DocumentSource("a.txt", "0" * 64))

    assert report["summary"].splitlines()[0] == "【概览】有效期90天。先盖公章。"
    assert "公章" in report["verdict"]["reason"]
    assert report["verdict"]["items"] == ["hard_requirements-0"]
    assert report["verdict"]["level"] == "ok"  # the level is computed, never asked
