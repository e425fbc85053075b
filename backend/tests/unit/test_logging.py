"""The log pipeline: JSON lines, ids, `ref`, redaction, rotation."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from pydantic import BaseModel
from sqlalchemy.exc import OperationalError

from backend.app.common.log_text import escape_controls, redact, redact_text, safe_message
from backend.app.common.logging import bound, configure, get_logger


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    """Whatever a test configures is undone."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    for handler in root.handlers[:]:
        if handler not in handlers:
            root.removeHandler(handler)
            handler.close()
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_an_event_is_one_json_line_with_time_and_event_first(out: io.StringIO) -> None:
    configure("json", "INFO", stream=out)
    get_logger("backend.x").info("llm_request", provider="dashscope", prompt_tokens=1234)

    (line,) = lines(out)
    assert out.getvalue().startswith('{"event": "llm_request", ')
    assert line["provider"] == "dashscope"
    assert line["prompt_tokens"] == 1234
    assert line["timestamp"].endswith("Z")
    assert "T" in line["timestamp"]
    assert line["logger"] == "backend.x"


def test_the_documents_grep_finds_the_json_lines_of_a_task(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "worker.log"
    configure("console", "INFO", file, stream=io.StringIO())
    with bound(task_id=123, attempt=1, step="chunk/3"):
        get_logger("x").info("inside")
    with bound(task_id=12):
        get_logger("x").info("other")
    get_logger("x").info("outside")

    found = [line for line in file.read_text("utf-8").splitlines() if "task_id=123" in line]
    assert len(found) == 1
    line = json.loads(found[0])
    assert line["ref"] == "task_id=123 attempt=1"
    assert (line["task_id"], line["attempt"], line["step"]) == (123, 1, "chunk/3")


def test_library_records_share_pipeline_ids_and_redaction(out: io.StringIO) -> None:
    configure("json", "INFO", stream=out)
    with bound(request_id="r1"):
        logging.getLogger("uvicorn.access").info('%s "%s"', "1.2.3.4", "GET /x?token=abcdefgh")
        logging.getLogger("httpx").info("HTTP Request: POST https://example.test/")

    (line,) = lines(out)
    assert line["event"] == '1.2.3.4 "GET /x?token=[redacted]"'
    assert line["request_id"] == "r1"


def test_configuring_twice_does_not_double_the_lines(out: io.StringIO) -> None:
    configure("json", "INFO", stream=io.StringIO())
    configure("json", "INFO", stream=out)
    get_logger("x").info("once")
    assert len(lines(out)) == 1


def test_lines_below_the_level_are_not_written(out: io.StringIO) -> None:
    configure("json", "warning", stream=out)
    get_logger("x").info("quiet")
    get_logger("x").warning("loud")
    assert [line["event"] for line in lines(out)] == ["loud"]


@pytest.mark.parametrize(
    "fields",
    [
        {"authorization": "Bearer abc"},
        {"api_key": "k-very-secret-1"},
        {"apiKey": "k-very-secret-1"},
        {"X-Api-Key": "k-very-secret-1"},
        {"headers": {"Cookie": "k-very-secret-1"}},
        {"nested": [{"deep": {"refresh_token": "k-very-secret-1"}}]},
        {"note": "Authorization: Bearer k-very-secret-1"},
        {"note": "got sk-very-secret-1 from there"},
        {"url": "postgresql+psycopg://sales:very-secret-1@db/sales"},
        {"path": "/x?access_token=very-secret-1&y=1"},
        {"jwt": "eyJhbGciOiJIUzI1NiJ9.very-secret-1.abc"},
        {"body": b"very-secret-1"},
    ],
)
def test_secrets_never_reach_a_line(out: io.StringIO, fields: dict[str, Any]) -> None:
    configure("json", "INFO", stream=out)
    get_logger("x").info("event", **fields)
    assert "secret-1" not in out.getvalue()
    assert "abc" not in out.getvalue()


def test_measurements_that_speak_of_tokens_are_kept() -> None:
    fields = {"prompt_tokens": 1, "response_tokens": 2, "first_token_ms": 3.5, "idempotency_key": "abc"}
    assert redact(fields) == fields
    assert redact_text("任务完成，共 3 个标签") == "任务完成，共 3 个标签"


def test_control_characters_cannot_forge_a_line(out: io.StringIO) -> None:
    configure("json", "INFO", stream=out)
    get_logger("x").info("event", name='a\n{"event": "forged"}\x1b[31m\u2028\u202e\ud800')
    assert len(out.getvalue().splitlines()) == 1
    assert "\x1b" not in out.getvalue()
    assert "\u202e" not in out.getvalue()
    assert lines(out)[0]["name"].startswith('a\n{"event"')

    console = io.StringIO()
    configure("console", "INFO", stream=console)
    get_logger("x").info("event\r\nforged", name="b\nforged\x1b[2J")
    assert len(console.getvalue().splitlines()) == 1
    assert "\x1b" not in console.getvalue()


def test_exceptions_become_a_traceback_without_payloads(out: io.StringIO) -> None:
    class Shape(BaseModel):
        amount: int

    configure("json", "INFO", stream=out)
    document_text = "机密标书正文"  # the local variable, too, must stay out
    try:
        try:
            Shape.model_validate({"amount": document_text})
        except ValueError as error:
            raise RuntimeError("cannot read answer") from error
    except RuntimeError:
        get_logger("x").exception("failed")

    (line,) = lines(out)
    assert line["error_type"] == "RuntimeError"
    assert "ValidationError" in line["traceback"]
    assert "RuntimeError: cannot read answer" in line["traceback"]
    assert "Shape.model_validate" in line["traceback"]
    assert document_text not in line["traceback"]


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (httpx.LocalProtocolError("Illegal header value b'Bearer abcdefgh'"), ""),
        (OperationalError("SELECT 1", {"text": "机密"}, Exception("database is locked")), None),
        (ValueError("token=abcdefgh was refused"), "token=[redacted] was refused"),
        (ValueError("x" * 5000), "x" * 500),
    ],
)
def test_an_exceptions_message_says_no_more_than_it_may(error: Exception, shown: str | None) -> None:
    if shown is None:
        assert "database is locked" in safe_message(error)
        assert "机密" not in safe_message(error)
    else:
        assert safe_message(error) == shown


def test_a_rotated_file_is_opened_anew(tmp_path: Path) -> None:
    file = tmp_path / "worker.log"
    configure("json", "INFO", file, stream=io.StringIO())
    get_logger("x").info("before")
    file.rename(tmp_path / "worker.log.1")
    get_logger("x").info("after")

    assert json.loads(file.read_text())["event"] == "after"
    assert json.loads((tmp_path / "worker.log.1").read_text())["event"] == "before"


def test_many_threads_write_whole_lines(tmp_path: Path) -> None:
    file = tmp_path / "worker.log"
    configure("json", "INFO", file, stream=io.StringIO())

    def write(worker: int) -> None:
        with bound(task_id=worker):
            for at in range(50):
                get_logger("x").info("line", at=at, text="字" * 2000)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    written = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert len(written) == 400
    assert {line["ref"] for line in written} == {f"task_id={n}" for n in range(8)}


def test_a_full_disk_does_not_stop_the_work(capsys: pytest.CaptureFixture[str]) -> None:
    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(28, "No space left on device")

    configure("json", "INFO", stream=Full())
    get_logger("x").info("event", api="value")
    assert capsys.readouterr().err == "log line lost: OSError\n"


def test_escapes_name_the_character() -> None:
    assert escape_controls("a\tb\u2028") == "a\\x09b\\u2028"
