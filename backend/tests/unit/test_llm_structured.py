"""Answers bound to a schema: how they are read, mended and refused."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, Field

from backend.app.bidding.llm_answers import PartFindings
from backend.app.llm.structured import (
    AnswerInvalid,
    ask_again,
    below,
    read_answer,
    response_format,
    strict_schema,
    with_schema,
)
from backend.app.llm.types import Message, StructuredLevel


class Inner(BaseModel):
    amount: int
    note: str = Field("", max_length=10)


class Shape(BaseModel):
    name: str
    inner: Inner


GOOD = '{"name": "甲", "inner": {"amount": 500}}'


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"\n {GOOD} \n",
        f"```json\n{GOOD}\n```",
        f"```\n{GOOD}\n```",
        f"好的，结果如下：\n{GOOD}\n希望对您有帮助。",
        f"说明\n```json\n{GOOD}\n```\n完毕 {{}}",
        '{"name": "甲", "inner": {"amount": 500,},}',
        "{'name': '甲', 'inner': {'amount': 500}}",
    ],
    ids=["bare", "blank", "fenced", "fence without name", "prose", "fence and prose", "commas", "quotes"],
)
def test_an_answer_is_found_in_what_models_write(text: str) -> None:
    assert read_answer(text, Shape, is_finished=True).inner.amount == 500


@pytest.mark.parametrize(
    "text",
    [
        "", "没有", "[1, 2]", '"text"', "null", '{"name": "甲"}', "{", "{" * 100_000,
        '{"name": "甲", "inner": {"amount": NaN}}',
        '{"name": "甲", "inner": {"amount": ' + "9" * 5000 + "}}",
        '{"name": 5, "inner": []}',
    ],
)  # fmt: skip
def test_an_answer_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(AnswerInvalid) as caught:
        read_answer(text, Shape, is_finished=True)
    assert caught.value.problems


def test_a_cut_answer_is_never_mended() -> None:
    """json-repair would read the half number 50 as the whole amount."""
    cut = '{"name": "甲", "inner": {"amount": 50'
    with pytest.raises(AnswerInvalid):
        read_answer(cut, Shape, is_finished=False)
    assert read_answer(cut, Shape, is_finished=True).inner.amount == 50


def test_problems_name_the_place_and_not_the_input() -> None:
    with pytest.raises(AnswerInvalid) as caught:
        read_answer('{"name": "甲", "inner": {"amount": "机密"}}', Shape, is_finished=True)
    (problem,) = caught.value.problems
    assert problem.startswith("inner.amount: ")
    assert "机密" not in problem


def test_what_no_database_stores_is_taken_out() -> None:
    text = '{"name": "甲\\u0000乙\\ud800", "inner": {"amount": 1}}'
    assert read_answer(text, Shape, is_finished=True).name == "甲乙"


def test_the_strict_schema_has_no_references_and_requires_everything() -> None:
    schema = strict_schema(Shape)
    assert "$ref" not in str(schema)
    assert schema["required"] == ["name", "inner"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["inner"]["required"] == ["amount", "note"]
    assert schema["properties"]["inner"]["properties"]["note"]["maxLength"] == 10
    assert "maxLength" not in str(strict_schema(Shape, without=frozenset(["maxLength"])))


def test_the_schema_of_findings_limits_every_list_and_text() -> None:
    """A server that enforces the schema by grammar must come to an end."""
    schema = strict_schema(PartFindings)
    for name in ("facts", "items"):
        part = schema["properties"][name]
        assert part["maxItems"] > 0
        for field in part["items"]["properties"].values():
            kinds = field.get("anyOf", [field])
            assert all("maxLength" in kind or "enum" in kind for kind in kinds if kind["type"] == "string")


def test_each_level_binds_in_its_own_way() -> None:
    messages = (Message("system", "指令"), Message("user", "文档"))
    strict = response_format(Shape, StructuredLevel.JSON_SCHEMA, "openai")
    assert strict is not None
    assert strict["json_schema"]["strict"] is True
    assert "maxLength" not in str(strict)
    assert response_format(Shape, StructuredLevel.JSON_OBJECT, "x") == {"type": "json_object"}
    assert response_format(Shape, StructuredLevel.PROMPT, "x") is None

    assert with_schema(messages, Shape, StructuredLevel.JSON_SCHEMA) == messages
    for level in (StructuredLevel.JSON_OBJECT, StructuredLevel.PROMPT):
        first, last = with_schema(messages, Shape, level)
        assert first.content.startswith("指令")
        assert "JSON" in first.content
        assert '"amount"' in first.content
        assert last == messages[1]


def test_the_ladder_has_three_rungs() -> None:
    assert below(StructuredLevel.JSON_SCHEMA) is StructuredLevel.JSON_OBJECT
    assert below(StructuredLevel.JSON_OBJECT) is StructuredLevel.PROMPT
    assert below(StructuredLevel.PROMPT) is None


def test_the_re_ask_shows_the_answer_and_what_is_wrong() -> None:
    again = ask_again((Message("user", "问"),), "坏" * 100_000, ["inner.amount: 缺失"])
    assert [message.role for message in again] == ["user", "assistant", "user"]
    assert len(again[1].content) < 10_000
    assert "inner.amount: 缺失" in again[2].content


def test_slips_that_do_no_harm_are_forgiven() -> None:
    found = PartFindings.model_validate(
        {
            "facts": [
                {"name": "bid_validity_days", "value": 90, "quote": " 90天 ", "extra": 1},
                {"name": "unknown_fact", "value": "x", "quote": "y"},
            ],
            "items": [
                {"tab": "hard_requirements", "title": "长" * 200, "quote": "q", "priority": "最高",
                 "why_important": None, "points": "15分"},
                {"tab": "其他", "title": "t", "quote": "q"},
            ],
        }
    )  # fmt: skip
    assert [(fact.name, fact.value, fact.quote) for fact in found.facts] == [
        ("bid_validity_days", "90", "90天")
    ]
    (item,) = found.items
    assert (len(item.title), item.priority, item.why_important, item.points) == (60, "medium", "", 15)
