"""Refusals: in the client's language, by a stable code, and without what must not be told."""

from __future__ import annotations

import json
from typing import Annotated

import pytest
from pydantic import BaseModel, Field, ValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from backend.app.api.content import attachment
from backend.app.api.errors import as_app_error, language_of, problem
from backend.app.api.field_errors import field_errors
from backend.app.api.limits import BodyLimits
from backend.app.api.representation import matches
from backend.app.common.errors import (
    AppError,
    BodyTooLarge,
    FileTooLarge,
    InvalidToken,
    QuotaExceeded,
    TextTooLong,
    TooManyAttempts,
    ValidationFailed,
)
from backend.app.common.text import clean_filename, clean_text, decode_text


@pytest.mark.parametrize(
    ("accepts", "language"),
    [
        ("", "zh"),
        ("en", "en"),
        ("en-US,en;q=0.9", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en;q=0.5, zh;q=0.4", "en"),
        ("en;q=0.5, zh;q=0.5", "zh"),
        ("fr, de;q=0.7", "zh"),
        ("EN-gb", "en"),
        ("en;q=x", "zh"),
        ("en;q=0", "zh"),
        (";;;,,,=", "zh"),
        ("en;q=nan", "zh"),
        ("en;q=9e999", "en"),
    ],
)
def test_the_language_is_chinese_unless_english_is_preferred(accepts: str, language: str) -> None:
    assert language_of(Headers({"accept-language": accepts})) == language


def _kinds(root: type[AppError]) -> list[type[AppError]]:
    return [kind for child in root.__subclasses__() for kind in (child, *_kinds(child))]


def test_every_error_of_the_tree_makes_a_problem_document_in_both_languages() -> None:
    params: dict[str, object] = {"detail": "x", "limit": 1, "limit_mb": 1, "seconds": 1}
    params |= {"reason": "throttle", "budget": "1", "spent": "0.5"}
    for kind in _kinds(AppError):
        if kind.__module__ != AppError.__module__:
            continue
        said = set()
        for language in ("zh", "en"):
            answer = problem(kind(**params), language)  # type: ignore[arg-type]
            body = json.loads(bytes(answer.body))
            assert answer.media_type == "application/problem+json"
            assert body["status"] == answer.status_code == kind.status_code
            assert body["code"] == kind.code
            assert "{" not in body["detail"]
            said.add(body["detail"])
        assert len(said) == 2, kind


def test_field_problems_speak_both_languages_and_never_repeat_what_was_sent() -> None:
    class Form(BaseModel):
        max_retries: Annotated[int, Field(le=10)] = 3
        name: Annotated[str, Field(min_length=3)]

    with pytest.raises(ValidationError) as caught:
        Form.model_validate({"max_retries": 11, "name": "s3", "password": "secret"})
    found = [{**item, "loc": ("body", *item["loc"])} for item in caught.value.errors()]

    errors = field_errors(found)
    english = json.loads(bytes(problem(ValidationFailed(errors=errors), "en").body))
    chinese = json.loads(bytes(problem(ValidationFailed(errors=errors), "zh").body))

    assert [item["field"] for item in english["errors"]] == ["max_retries", "name"]
    assert english["errors"][0]["message"] == "must be at most 10"
    assert english["detail"] == "The request parameters are not valid: max_retries: must be at most 10"
    assert chinese["detail"] == "请求参数有误：max_retries：不能大于 10"
    assert set(chinese["errors"][0]) == {"field", "message", "type"}
    assert "s3" not in json.dumps(english)


def test_a_length_is_told_in_characters_of_a_text_and_in_items_of_a_list() -> None:
    (short,) = field_errors(
        [{"type": "too_short", "loc": ("body", "password"), "input": "abc", "ctx": {"min_length": 8}}]
    )
    (many,) = field_errors(
        [{"type": "too_long", "loc": ("query", "status"), "input": ["a"], "ctx": {"max_length": 6}}]
    )
    assert (short["message"], many["message"]) == ("至少需要 8 个字符", "最多 6 项")


def test_an_unknown_kind_of_field_problem_still_has_a_sentence() -> None:
    (error,) = field_errors([{"type": "something_new", "loc": ("query", "q"), "msg": "input was s3cret"}])

    assert (error["message"], error["message_en"]) == ("格式不正确", "is not valid")


def test_waiting_times_and_challenges_stand_in_their_headers() -> None:
    throttled = problem(TooManyAttempts(retry_after=1.2), "zh")
    unknown = problem(InvalidToken(), "zh")

    assert throttled.headers["retry-after"] == "2"
    assert unknown.headers["www-authenticate"] == "Bearer"
    assert "retry-after" not in problem(QuotaExceeded(limit=1), "zh").headers


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 406, 413, 415, 418, 422, 503])
def test_what_the_framework_refuses_is_told_in_our_words(status: int) -> None:
    error = as_app_error(HTTPException(status, "internal words"))

    assert "internal words" not in error.sentence()
    assert error.status_code in {status, 400}


def test_a_body_over_the_limit_stays_a_413_when_the_framework_wraps_it() -> None:
    wrapped = HTTPException(400, "There was an error parsing the body")
    wrapped.__cause__ = FileTooLarge(limit_mb=50)

    assert as_app_error(wrapped).status_code == 413


def test_a_bug_is_an_internal_error() -> None:
    assert as_app_error(RuntimeError("secret")).code == "internal_error"


@pytest.mark.parametrize(
    ("path", "largest", "error"),
    [
        ("/api/files", 51, FileTooLarge),
        ("/api/tasks/bidding/file", 51, FileTooLarge),
        ("/api/tasks/workload/file", 51, FileTooLarge),
        ("/api/bidding/analyze/file", 51, FileTooLarge),
        ("/api/tasks/bidding/text", 18, TextTooLong),
        ("/api/tasks", 18, TextTooLong),
        ("/api/auth/login", 1, BodyTooLarge),
        ("/api/tasks/1/retry", 1, BodyTooLarge),
        ("/", 1, BodyTooLarge),
    ],
)
def test_each_path_has_a_limit_that_fits(path: str, largest: int, error: type[AppError]) -> None:
    most, made = BodyLimits(50 * 1024 * 1024, 2_000_000).of(path)

    assert most <= largest * 1024 * 1024
    assert type(made()) is error


@pytest.mark.parametrize(
    ("header", "same"),
    [
        (None, False),
        ("", False),
        ('"a"', True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ("*", True),
        ('"ab"', False),
    ],
)
def test_etags_are_compared_as_the_rfc_says(header: str | None, same: bool) -> None:
    assert matches(header, '"a"') is same


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("招标文件.docx", "招标文件.docx"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\标书.pdf", "标书.pdf"),
        ("a\r\nSet-Cookie: x.txt", "aSet-Cookie: x.txt"),
        ("\u202egnp.exe", "gnp.exe"),
        ("  .. ", "未命名"),
        ("", "未命名"),
        ("\x00", "未命名"),
        ("e\u0301.txt", "\u00e9.txt"),
    ],
)
def test_a_file_name_is_made_fit_to_be_shown(given: str, shown: str) -> None:
    assert clean_filename(given) == shown


def test_a_long_file_name_keeps_its_ending() -> None:
    assert clean_filename("长" * 500 + ".docx").endswith("长.docx")
    assert len(clean_filename("长" * 500 + ".docx")) == 200


def test_a_download_has_its_real_name_and_one_for_old_clients() -> None:
    header = attachment('标"书%;\\.pdf')

    assert header.startswith('attachment; filename="')
    assert header.count('"') == 2
    assert "%E6%A0%87%22%E4%B9%A6%25%3B%5C.pdf" in header
    header.encode("ascii")


def test_text_is_cleaned_of_what_no_database_holds() -> None:
    assert clean_text("标\x00书\ud800\n\t\uf0fe") == "标书\n\t\uf0fe"
    assert decode_text("招标".encode("gb18030")) == decode_text("招标".encode()) == "招标"
    with pytest.raises(UnicodeDecodeError):
        decode_text(b"\xff\xff")
