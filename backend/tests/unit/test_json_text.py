"""JSON that both databases accept, whatever a document or a model put into it (pure)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.db.types import json_text, time_text
from backend.tests.queue_world import START

TEXT = st.text(st.characters(exclude_categories=()), max_size=12) | st.sampled_from(
    ["\x00", "\\u0000", "\\\x00", "\\\\\x00", "\\\\u0000", "\ud800", "\udfff\x00", '"\x00"', "\\ud800"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def _cleaned(value: Any) -> Any:
    """The plain definition: NUL and surrogates, wherever they stand, become U+FFFD."""
    if isinstance(value, str):
        return "".join("\ufffd" if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in value)
    if isinstance(value, list):
        return [_cleaned(one) for one in value]
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(one) for key, one in value.items()}
    return value


@given(JSON)
def test_only_nul_and_surrogates_change(value: Any) -> None:
    assert json.loads(json_text(value)) == _cleaned(value)


@given(JSON)
def test_the_text_is_utf8_and_holds_no_escaped_nul(value: Any) -> None:
    text = json_text([value])

    text.encode()
    assert "\0" not in text
    assert text.replace("\\\\", "").count("\\u0000") == 0


@given(JSON)
def test_text_within_text_survives_as_in_a_batch_of_rows(value: Any) -> None:
    inner = json_text(value)

    assert json.loads(json_text({"body": inner}))["body"] == inner


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_a_number_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        json_text({"deep": [number]})


def test_times_in_a_batch_sort_as_time_and_keep_microseconds() -> None:
    assert time_text(START.replace(microsecond=7)) == "2026-01-05 08:00:00.000007"
    assert time_text(None) is None
