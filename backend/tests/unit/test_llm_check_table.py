"""The table of `cli llm-check`: aligned for a terminal, a sentence for each failure, never a key."""

from __future__ import annotations

from unicodedata import east_asian_width

import pytest

from backend.app.common.errors import LLMError, LLMGateClosed
from backend.app.llm.check import Checked
from backend.app.llm.check_table import format_checked
from backend.app.llm.classify import ERRORS, failure
from backend.app.llm.types import Deployment, ErrorKind, StructuredLevel

KEY = "sk-secret-7654321"


def checked(name: str = "a", error: LLMError | None = None, key: str = KEY, model: str = "m-1") -> Checked:
    deployment = Deployment("openai_compatible", model, "http://x/v1", key, name=name)
    return Checked(deployment, 1234.5, StructuredLevel.JSON_OBJECT, error)


def width(text: str) -> int:
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def test_a_good_deployment_has_one_line_and_no_sentence() -> None:
    lines = format_checked([checked()]).splitlines()
    assert len(lines) == 3
    assert lines[0].split() == ["部署", "提供方", "模型", "密钥", "延迟", "结构化输出", "结果"]
    assert set(lines[1]) == {"─", " "}
    cells = ["a", "openai_compatible", "m-1", "已设置", "1,234 ms", "json_object", "✓ 正常"]
    assert [cell.strip() for cell in lines[2].split("  ") if cell.strip()] == cells


def test_a_deployment_without_a_key_says_so() -> None:
    assert "未设置" in format_checked([checked(key="")])


def test_a_failed_one_has_no_level_and_a_sentence_of_its_own() -> None:
    error = failure(ErrorKind.AUTH, "HTTP 401 invalid_api_key")
    lines = format_checked([checked("good"), checked("坏的", error)]).splitlines()
    assert len(lines) == 5
    assert lines[3].endswith("✗ 失败")
    assert "json_object" not in lines[3]
    assert lines[4] == f"✗ 坏的：{error.sentence()}（auth：HTTP 401 invalid_api_key）"


def test_columns_stand_one_below_the_other_where_a_han_character_is_two_wide() -> None:
    lines = format_checked(
        [checked("短"), checked("名字很长的部署"), checked("latin-name", model="m" * 40)]
    ).splitlines()
    starts = {width(line[: line.index("openai_compatible")]) for line in lines[2:]}
    assert starts == {width("名字很长的部署") + 2}
    assert len({width(line[: line.index("已设置")]) for line in lines[2:]}) == 1


def test_no_line_ends_in_blanks() -> None:
    for line in format_checked([checked(), checked("b", failure(ErrorKind.AUTH, "x"))]).splitlines():
        assert line == line.rstrip()


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_every_kind_of_failure_has_a_sentence_in_words(kind: ErrorKind) -> None:
    told = format_checked([checked(error=failure(kind, "HTTP 418"))]).splitlines()[-1]
    assert ERRORS[kind].message in told
    assert kind.value in told
    assert "HTTP 418" in told


def test_a_paused_deployment_is_told_without_a_none() -> None:
    """A server that says when it will be back leaves a closed gate, which has no kind."""
    told = format_checked(
        [checked(error=LLMGateClosed(retry_after=90, reason="outage", detail="no way open: outage"))]
    )
    assert "服务暂时不可用" in told
    assert "None" not in told


def test_neither_keys_nor_what_servers_said_are_shown() -> None:
    error = failure(ErrorKind.AUTH, "HTTP 401", quirk=None, about=f"Incorrect API key {KEY}")
    assert KEY not in format_checked([checked(), checked("b", error)])
