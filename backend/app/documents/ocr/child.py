"""The process that recognises pages of one foreign file: `python -m backend.app.documents.ocr.child PARENT`.

It limits itself, loads the models once and then answers request after request, one JSON line each on stdin.
An answer is four bytes of length and as many bytes: one that tells its kind, then JSON or a traceback.
"""

from __future__ import annotations

import json
import os
import resource
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backend.app.documents.child import BROKEN, confine, die_with_parent, error_reply, trace

READY, PAGE = b"R", b"P"
HEADER = struct.Struct(">I")


def main() -> int:
    parent = int(sys.argv[1])
    die_with_parent(parent)
    answers = os.dup(1)
    os.dup2(2, 1)  # a library that prints must not spoil the answers
    requests = sys.stdin.buffer
    order = json.loads(requests.readline())
    confine(order["limits"])
    die_with_parent(parent)  # again: a change of rights may make the kernel forget it

    from backend.app.documents.ocr.engine import Engine

    engine = Engine(order["threads"])
    _answer(answers, READY)
    for request in requests:
        _allow_processor_time(order["page_cpu_seconds"])
        _answer(answers, read(engine, order, json.loads(request)["page"]))
    return 0


def read(engine: Any, order: dict[str, Any], number: int) -> bytes:
    """Recognise one page; the answer as bytes."""
    from backend.app.common.errors import AppError, ParseLimitExceeded
    from backend.app.documents.ocr.render import page_image

    try:
        with _opened(order) as path:
            image = page_image(path, number, is_pdf=order["is_pdf"])
        page = engine.read(image)
        reply = PAGE + json.dumps(page.as_json(), ensure_ascii=False, separators=(",", ":")).encode()
        return reply if len(reply) <= order["page_bytes"] else error_reply(ParseLimitExceeded())
    except AppError as error:
        return error_reply(error)
    except (MemoryError, RecursionError):
        return error_reply(ParseLimitExceeded())
    except Exception as error:
        return BROKEN + trace(error).encode("utf-8", "replace")


@contextmanager
def _opened(order: dict[str, Any]) -> Iterator[Path]:
    """The file of an order: by itself, or a member of a package."""
    if not order["member"]:
        yield Path(order["path"])
        return
    from backend.app.documents.limits import ExtractLimits
    from backend.app.documents.package_files import opened_file

    with opened_file(Path(order["path"]), order["member"], ExtractLimits()) as path:
        yield path


def _allow_processor_time(seconds: int) -> None:
    """So much for the next page; the kernel ends the process that uses more."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (min(soft, hard) if hard >= 0 else soft, hard))


def _answer(answers: int, reply: bytes) -> None:
    view = memoryview(HEADER.pack(len(reply)) + reply)
    while view:
        view = view[os.write(answers, view) :]


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)
