"""Structured logs: one JSON line an event, on stdout and, when asked, in a file.

Everything goes through one pipeline, our own events and those of uvicorn, SQLAlchemy and httpx alike: ids
from the context (request_id, task_id, attempt, step), `ref`, time, traceback, redaction, rendering. What is
named or looks like a key never reaches a line: see `log_text`.

`ref` ("task_id=123 attempt=1") stands beside the JSON ids because operators grep worker.log in plain text.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Mapping
from contextlib import AbstractContextManager
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from backend.app.common.log_text import escape_controls, escape_unseen, redact, safe_message

Format = Literal["json", "console"]

# Loggers that bring handlers of their own: taken off, so that the root's pipeline sees each record once.
_ADOPTED = (
    "uvicorn",
    "uvicorn.error",
    "uvicorn.access",
    "sqlalchemy",
    "alembic",
    "httpx",
    "httpcore",
    "asyncio",
)
# At INFO httpx logs each URL, at DEBUG httpcore logs headers and python_multipart each byte of an upload.
_QUIET = ("alembic", "httpx", "httpcore", "h11", "hpack", "python_multipart", "sqlalchemy", "PIL", "pdfminer")


def configure(
    format: Format = "json",  # noqa: A002 — the word of SA_LOG_FORMAT
    level: str = "INFO",
    file: Path | None = None,
    *,
    stream: TextIO | None = None,
) -> None:
    """Set up logging for this process; may be called again. `file` gets JSON lines, whatever `format` is."""
    shared = _shared_processors()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handlers: list[logging.Handler] = [_stream_handler(stream or sys.stdout, format, shared)]
    if file is not None:
        handlers.append(_file_handler(file, shared))
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old, _LineHandler | _LineFile):
            root.removeHandler(old)
            old.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level.upper())
    _adopt_libraries()


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of one module: `log = get_logger(__name__)`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def bound(**ids: object) -> AbstractContextManager[None]:
    """Ids for every line logged inside: `with bound(task_id=123, attempt=1): …`; to_thread inherits."""
    return structlog.contextvars.bound_contextvars(**ids)


class _QuietFailure:
    """A line that cannot be written (disk full, pipe closed) costs one word on stderr, never the work."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002 — logging's own
        error = sys.exc_info()[0]
        if sys.stderr is not None:
            try:
                sys.stderr.write(f"log line lost: {error.__name__ if error else 'unknown'}\n")
            except OSError:
                return


class _LineHandler(_QuietFailure, logging.StreamHandler[TextIO]):
    pass


class _LineFile(_QuietFailure, WatchedFileHandler):
    """Appends one line a write, and opens the file anew after logrotate moved it away."""


def _stream_handler(stream: TextIO, form: Format, shared: list[Processor]) -> logging.Handler:
    if hasattr(stream, "reconfigure"):  # a terminal under LANG=C must not lose Chinese lines
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    handler = _LineHandler(stream)
    render: list[Processor] = [_as_json]
    if form == "console":
        console = structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=_no_exception)
        render = [_for_eyes, console]
    handler.setFormatter(_formatter(shared, render))
    return handler


def _file_handler(file: Path, shared: list[Processor]) -> logging.Handler:
    file.parent.mkdir(parents=True, exist_ok=True)
    handler = _LineFile(file, mode="a", encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(_formatter(shared, [_as_json]))
    return handler


def _formatter(shared: list[Processor], render: list[Processor]) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        keep_exc_info=False,
        use_get_message=True,
    )


def _adopt_libraries() -> None:
    for name in _ADOPTED:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _shared_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        _add_ref,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_traceback,
        _redact_event,
    ]


def _add_ref(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """`ref`: "task_id=123 attempt=1", for plain grep; `grep -w` tells 12 from 123."""
    if event.get("task_id") is not None:
        event["ref"] = f"task_id={event['task_id']}"
        if event.get("attempt") is not None:
            event["ref"] += f" attempt={event['attempt']}"
    return event


def _add_traceback(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Turn exc_info into `error_type` and `traceback`: frames without locals, messages without payloads."""
    exc_info = event.pop("exc_info", None)
    event.pop("stack_info", None)
    if not exc_info:
        return event
    if isinstance(exc_info, BaseException):
        error: BaseException | None = exc_info
    elif isinstance(exc_info, tuple):
        error = exc_info[1]
    else:
        error = sys.exc_info()[1]
    if error is not None:
        event.setdefault("error_type", type(error).__name__)
        event["traceback"] = _format_exception(error)
    return event


def _format_exception(error: BaseException) -> str:
    """Like traceback.format_exception, but each error of the chain speaks through `safe_message`.

    Messages of httpx and h11 may quote headers, pydantic's the input, SQLAlchemy's the parameters.
    """
    parts: list[str] = []
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen and len(parts) < 8:
        seen.add(id(at))
        frames = "".join(traceback.format_tb(at.__traceback__, limit=-40))
        parts.append(f"{frames}{type(at).__name__}: {safe_message(at)}")
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return "\ncaused:\n".join(reversed(parts))


def _redact_event(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    kept = {key: event.pop(key) for key in ("_record", "_from_structlog") if key in event}
    clean = redact(event)
    if not isinstance(clean, dict):  # `redact` keeps mappings mappings; this is for the type checker
        return event
    clean.update(kept)
    return clean


def _as_json(_: WrappedLogger, __: str, event: Mapping[str, Any]) -> str:
    """One line, `event` first; default separators, so that greps for `"event": "…"` work."""
    ordered = {"event": event.get("event"), **event}
    return escape_unseen(_JSON.encode(ordered))


def _as_text(value: object) -> object:
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    return str(redact(str(value)))


_JSON = json.JSONEncoder(ensure_ascii=False, default=_as_text)


def _for_eyes(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Console lines: control characters escaped everywhere but in the traceback, which stays readable."""
    text = event.pop("traceback", None)
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = escape_controls(value)
    if text is not None:
        event["exception"] = "\n".join(escape_controls(line) for line in str(text).split("\n"))
    return event


def _no_exception(sio: TextIO, exc_info: object) -> None:
    """Exceptions were rendered before; the console's own formatter would print locals."""
