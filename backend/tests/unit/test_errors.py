"""The tree of errors: what the docstring draws is what there is."""

from __future__ import annotations

import re

import pytest

from backend.app.common import errors
from backend.app.common.errors import AppError

_LINE = re.compile(r"^(?P<stem>[│ ]*)[├└]── (?P<name>\w+)(?P<rest>.*)$")
_SHAPE = re.compile(r"(?P<status>\d{3}) (?P<code>[a-z_]+)(?P<retryable>\s+retryable)?")


def _all(root: type[AppError] = AppError) -> list[type[AppError]]:
    return [root] + [below for child in root.__subclasses__() for below in _all(child)]


def _drawn() -> dict[str, tuple[str, str]]:
    """name → (parent, the rest of its line), read from the docstring."""
    found: dict[str, tuple[str, str]] = {}
    path = ["AppError"]
    for line in (errors.__doc__ or "").splitlines():
        if match := _LINE.match(line):
            depth = len(match["stem"]) // 4 + 1
            path = [*path[:depth], match["name"]]
            found[match["name"]] = (path[depth - 1], match["rest"].strip())
    return found


ERRORS = [error for error in _all() if error.__module__ == errors.__name__]


def test_the_drawn_tree_is_the_tree_of_classes() -> None:
    there = {error.__name__: error.__mro__[1].__name__ for error in ERRORS if error is not AppError}

    assert {name: parent for name, (parent, _) in _drawn().items()} == there


def test_each_drawn_line_tells_status_code_and_whether_a_retry_helps() -> None:
    for name, (_, rest) in _drawn().items():
        shape = _SHAPE.match(rest)
        if shape is None:
            continue
        error = getattr(errors, name)
        told = (int(shape["status"]), shape["code"], shape["retryable"] is not None)
        assert told == (error.status_code, error.code, error.retryable), name


def test_nothing_outside_adds_to_the_tree() -> None:
    """Whoever catches AppError knows all of its kinds; other modules raise them. (What a module needs for
    itself only has an underscore.)"""
    product = [error for error in _all() if error.__module__.startswith("backend.app")]

    assert [error for error in product if not error.__name__.startswith("_")] == ERRORS


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_an_error_has_two_sentences_a_code_and_a_status(error: type[AppError]) -> None:
    assert re.search(r"[\u4e00-\u9fff]", error.message)
    assert error.message_en.isascii() and error.message_en[0].isupper()
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", error.code)
    assert 400 <= error.status_code < 600
    assert set(re.findall(r"{(\w+)}", error.message)) == set(re.findall(r"{(\w+)}", error.message_en))


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_a_sentence_is_filled_from_what_it_is_given(error: type[AppError]) -> None:
    names = re.findall(r"{(\w+)}", error.message)

    made = error(**{name: f"<{name}>" for name in names})

    for language in ("zh", "en"):
        assert all(f"<{name}>" in made.sentence(language) for name in names)
        assert "{" not in made.sentence(language)


def test_a_sentence_without_its_words_is_still_a_sentence() -> None:
    assert errors.TextTooLong().sentence() == errors.TextTooLong.message
    assert errors.TextTooLong(limit="{0.__class__}").sentence().count("{0.__class__}") == 1
