"""Kinds of failure by provider, status, code and message; Retry-After; server-sent events."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.common.errors import AppError, LLMError, LLMGateClosed
from backend.app.llm.classify import (
    ERRORS,
    Complaint,
    classify,
    complaint_of,
    failure_of,
    is_about_format,
)
from backend.app.llm.retry_after import duration, retry_after
from backend.app.llm.sse import EventParser
from backend.app.llm.types import ErrorKind, estimate_tokens

ANY = "openai_compatible"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("provider", "status", "code", "message", "kind"),
    [
        (ANY, 400, "", "", "bad_request"),
        (ANY, 301, "", "", "bad_request"),
        (ANY, 401, "", "", "auth"),
        (ANY, 402, "", "Insufficient Balance", "quota"),
        (ANY, 403, "", "", "auth"),
        (ANY, 404, "", "", "bad_request"),
        (ANY, 404, "model_not_found", "", "bad_request"),
        (ANY, 408, "", "", "transient"),
        (ANY, 409, "", "", "transient"),
        (ANY, 413, "", "", "context"),
        (ANY, 422, "", "", "bad_request"),
        (ANY, 429, "", "", "throttle"),
        (ANY, 429, "rate_limit_exceeded", "", "throttle"),
        (ANY, 429, "insufficient_quota", "", "quota"),
        (ANY, 429, "organization_spend_limit_exceeded", "", "quota"),
        (ANY, 429, "rate_limit_exceeded", "Request too large for gpt-4o on tokens per min (TPM)", "context"),
        (ANY, 500, "", "", "transient"),
        (ANY, 502, "", "", "transient"),
        (ANY, 503, "", "", "transient"),
        (ANY, 504, "", "", "transient"),
        (ANY, 529, "overloaded_error", "", "transient"),
        (ANY, 400, "context_length_exceeded", "", "context"),
        (ANY, 400, "exceed_context_size_error", "", "context"),
        (ANY, 400, "", "This model's maximum context length is 8192 tokens", "context"),
        (ANY, 500, "", "the request exceeds the available context size", "context"),
        (ANY, 400, "content_policy_violation", "", "content"),
        (ANY, 400, "ResponsibleAIPolicyViolation", "", "content"),
        (ANY, 200, "", "", "transient"),
        (ANY, 200, "429", "", "throttle"),
        (ANY, 200, "401", "", "auth"),
        (ANY, 200, "rate_limit_exceeded", "", "throttle"),
        (ANY, 200, "context_length_exceeded", "", "context"),
        ("dashscope", 429, "limit_requests", "", "throttle"),
        ("dashscope", 429, "Throttling.RateQuota", "", "throttle"),
        ("dashscope", 429, "limit_burst_rate", "", "burst"),
        ("dashscope", 429, "Throttling.BurstRate", "", "burst"),
        ("dashscope", 429, "insufficient_quota", "You exceeded your current quota", "throttle"),
        ("dashscope", 429, "Throttling.AllocationQuota", "", "throttle"),
        ("dashscope", 429, "insufficient_quota", "Free allocated quota exceeded.", "quota"),
        ("dashscope", 403, "AllocationQuota.FreeTierOnly", "", "quota"),
        ("dashscope", 429, "PrepaidBillOverdue", "", "quota"),
        ("dashscope", 429, "PostpaidBillOverdue", "", "quota"),
        ("dashscope", 429, "CommodityNotPurchased", "", "quota"),
        ("dashscope", 400, "Arrearage", "", "quota"),
        ("dashscope", 404, "model_not_found", "", "bad_request"),
        ("dashscope", 400, "", "Range of input length should be [1, 30720]", "context"),
        ("dashscope", 400, "data_inspection_failed", "", "content"),
        ("dashscope", 200, "DataInspectionFailed", "", "content"),
        ("dashscope", 500, "RequestTimeOut", "", "transient"),
        ("dashscope", 500, "ModelServingError", "", "transient"),
        ("dashscope", 503, "ModelUnavailable", "", "transient"),
        ("moonshot", 400, "content_filter", "", "content"),
        ("moonshot", 400, "invalid_request_error", "exceeded model token limit: 8192", "context"),
        ("zhipu", 429, "1113", "", "quota"),
        ("zhipu", 400, "1301", "", "content"),
        ("zhipu", 429, "1302", "", "throttle"),
    ],
)
def test_the_kind_of_a_complaint(provider: str, status: int, code: str, message: str, kind: str) -> None:
    assert classify(provider, Complaint(status, code=code, message=message)) == kind
    assert classify(provider, Complaint(status, type=code, message=message)) == kind or not code.strip(
        "0123456789"
    )


def test_each_kind_has_one_error_and_each_error_a_sentence() -> None:
    assert set(ERRORS) == set(ErrorKind)
    assert {error.__base__ for error in ERRORS.values()} == {LLMError}
    # No call was made behind a closed gate: that is no kind of failed call.
    assert set(LLMError.__subclasses__()) - {LLMGateClosed} == set(ERRORS.values())


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"error": {"code": "a", "message": "m", "type": "t", "param": "p"}}, "a", "m"),
        ({"error": {"code": 1302, "message": "m"}}, "1302", "m"),
        ({"error": "plain"}, "", "plain"),
        ({"code": "DataInspectionFailed", "message": "m", "request_id": "r"}, "DataInspectionFailed", "m"),
        ({"error": {"code": "content_filter", "innererror": {"code": "Inner"}}}, "Inner", ""),
        ({"detail": "Not Found"}, "", "Not Found"),
        ({"error": None}, "", ""),
        ({"error": {"code": {"x": 1}, "message": ["y"]}}, "", ""),
        ([], "", ""),
        ("text", "", ""),
        (None, "", ""),
    ],
)
def test_error_objects_of_every_shape_are_read(body: object, code: str, message: str) -> None:
    said = complaint_of(400, body)
    assert (said.code, said.message) == (code, message)


def test_a_complaint_about_the_format_is_known() -> None:
    assert is_about_format(Complaint(400, param="response_format"))
    assert is_about_format(Complaint(400, message="'response_format.type' must be text"))
    assert is_about_format(Complaint(422, message="json_schema is not supported by this model"))
    assert not is_about_format(Complaint(400, message="unknown parameter"))
    assert not is_about_format(Complaint(500, message="json_schema"))


def test_a_wait_is_kept_only_where_waiting_helps() -> None:
    assert failure_of(ANY, Complaint(429), retry_after=3).retry_after == 3
    assert failure_of(ANY, Complaint(503), retry_after=3).retry_after == 3
    assert failure_of(ANY, Complaint(400), retry_after=3).retry_after is None


def test_the_detail_holds_only_codes_that_look_like_codes() -> None:
    assert failure_of(ANY, Complaint(400, code="a b\n机密")).params["detail"] == "HTTP 400"
    error: AppError = failure_of(ANY, Complaint(400, code="x_1"))
    assert error.params["detail"] == "HTTP 400 x_1"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "5"}, 5),
        ({"Retry-After": " 2.5 "}, 2.5),
        ({"Retry-After": "0"}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "99999999999"}, 3600),
        ({"Retry-After": "inf"}, 3600),
        ({"Retry-After": "1" * 400}, 3600),
        ({"Retry-After": "Mon, 23 Nov 2026 12:00:30 GMT"}, 30),
        ({"Retry-After": "Mon, 23 Nov 2026 11:00:30 GMT"}, None),
        ({"Retry-After": "Mon, 23 Nov 2036 11:00:30 GMT"}, 3600),
        ({"Retry-After": "Mon, 99 Nov 2026"}, None),
        ({"Retry-After": "Mon, 23 Nov 2026 09:00:30 GMT", "Date": "Mon, 23 Nov 2026 09:00:00 GMT"}, 30),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "Retry-After": "9"}, 0.25),
        ({"retry-after-ms": "0", "Retry-After": "9"}, 9),
        ({"x-ratelimit-reset-requests": "6m0s"}, 360),
        ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "20ms"}, 1),
        (
            {
                "x-ratelimit-reset-requests": "1m", "x-ratelimit-remaining-requests": "10",
                "x-ratelimit-reset-tokens": "2s", "x-ratelimit-remaining-tokens": "0",
            },
            2,
        ),
        ({"x-ratelimit-reset-tokens": "0s"}, None),
    ],
)  # fmt: skip
def test_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(httpx.Headers(headers), NOW) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("6m0s", 360), ("1h2m3s", 3723), ("120ms", 0.12), ("7", 7), ("", None), ("5x", None), ("1s?", None)],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert duration(text) == (pytest.approx(seconds) if seconds is not None else None)


def parse(*chunks: bytes) -> list[str]:
    parser = EventParser()
    return [data for chunk in chunks for data in parser.feed(chunk)] + list(parser.finish())


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"data: a\n\ndata: b\n\n", ["a", "b"]),
        (b"data:a\r\n\r\ndata:  b\r\n\r\n", ["a", " b"]),
        (b"data: a\r\rdata: b\r\r", ["a", "b"]),
        (b"\xef\xbb\xbfdata: a\n\n", ["a"]),
        (b": note\nevent: x\nid: 1\ndata: a\ndata: b\n\n\n\n", ["a\nb"]),
        (b"data: a", ["a"]),
        ("data: 一\u2028二\u0085\n\n".encode(), ["一\u2028二\u0085"]),
        (b"data: \xff\n\n", ["\ufffd"]),
        (b"\n\n\n", []),
    ],
)
def test_events_are_read_however_the_bytes_are_cut(content: bytes, expected: list[str]) -> None:
    assert parse(content) == expected
    assert parse(*[content[at : at + 1] for at in range(len(content))]) == expected


@given(
    st.lists(st.text(st.characters(blacklist_characters="\r\n", blacklist_categories=("Cs",)), min_size=1)),
    st.lists(st.integers(1, 40), min_size=1),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_any_events_survive_any_cut(texts: list[str], sizes: list[int], end: str) -> None:
    content = "".join(f"data: {text}{end}{end}" for text in texts).encode()
    chunks, at, turn = [], 0, 0
    while at < len(content):
        size = sizes[turn % len(sizes)]
        chunks.append(content[at : at + size])
        at, turn = at + size, turn + 1
    assert parse(*chunks) == texts


@pytest.mark.parametrize("piece", [b"data: " + b"x" * 2_000_000, b"data: x\n" * 2_000_000])
def test_an_event_without_end_is_refused(piece: bytes) -> None:
    with pytest.raises(ValueError, match="too long"):
        parse(piece)


def test_token_estimates_count_han_and_other_characters() -> None:
    assert estimate_tokens("") == 0
    assert estimate_tokens("汉" * 100) == 72
    assert estimate_tokens("a" * 100) == 42
