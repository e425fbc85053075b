"""The process that reads one foreign file and nothing else: `python -m backend.app.documents.child PARENT`.

It limits itself before it looks at the file. The request comes as JSON on stdin, the answer goes to stdout:
one byte that tells its kind, then a Document's bytes, an error's code and parameters, or where it broke.
Imports are few and late, since a child starts for every file.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import signal
import sys
from typing import Any

DOCUMENT, ERROR, BROKEN = b"D", b"E", b"X"
PROBE = "probe"

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_NICE = 5  # the worker that renews leases goes first


def main() -> int:
    if sys.argv[1:] == [PROBE]:
        return 0 if leave_network() else 1
    parent = int(sys.argv[1])
    die_with_parent(parent)
    answer = os.dup(1)
    os.dup2(2, 1)  # a library that prints must not spoil the answer
    request = json.loads(sys.stdin.buffer.read())
    confine(request["limits"])
    die_with_parent(parent)  # again: a change of rights may make the kernel forget it
    gc.disable()  # the process ends before garbage could matter
    reply = read(request)
    if len(reply) > request["limits"]["output_bytes"]:
        reply = ERROR + json.dumps({"code": "parse_limit_exceeded"}).encode()
    view = memoryview(reply)
    while view:
        view = view[os.write(answer, view) :]
    return 0


def read(request: dict[str, Any]) -> bytes:
    """Read the file of a request; the answer as bytes."""
    from pathlib import Path

    from backend.app.common.errors import AppError, ParseLimitExceeded
    from backend.app.documents.extract import extract
    from backend.app.documents.limits import ExtractLimits

    try:
        document = extract(
            Path(request["path"]),
            request["filename"],
            ExtractLimits(**request["limits"]["extract"]),
            _ocr_pages(request.get("ocr")),
        )
        return DOCUMENT + document.to_bytes()
    except AppError as error:
        return error_reply(error)
    except (MemoryError, RecursionError):
        return error_reply(ParseLimitExceeded())
    except Exception as error:
        return BROKEN + trace(error).encode("utf-8", "replace")


def _ocr_pages(told: dict[str, Any] | None) -> dict[int, Any] | None:
    """What OCR found, by page number."""
    if not told:
        return None
    from backend.app.documents.ocr.pages import OcrPage

    return {int(number): OcrPage.from_json(page) for number, page in told.items()}


def error_reply(error: Any) -> bytes:
    """An AppError as an answer."""
    params = {name: str(value) for name, value in error.params.items()}
    return ERROR + json.dumps({"code": error.code, "params": params}).encode()


def trace(error: Exception) -> str:
    """Where it broke; without the message, which may quote the document."""
    import traceback

    return "".join(traceback.format_tb(error.__traceback__)) + type(error).__name__


def die_with_parent(parent: int) -> None:
    """Ask the kernel to be killed when the parent ends; go at once if that has happened already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def confine(limits: dict[str, Any]) -> None:
    """Give up what reading a file does not need: memory, time, files, network, new rights."""
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_AS, limits["memory_bytes"])
    _limit(resource.RLIMIT_CPU, limits["cpu_seconds"])
    _limit(resource.RLIMIT_FSIZE, limits["output_bytes"] + 4096)
    _limit(resource.RLIMIT_NOFILE, limits["open_files"])
    os.nice(_NICE)
    _go_first_when_memory_is_short()
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    leave_network()


def _go_first_when_memory_is_short() -> None:
    try:
        with open("/proc/self/oom_score_adj", "w") as score:
            score.write("1000")
    except OSError:
        return


def leave_network() -> bool:
    """Move into an empty network namespace; False where the system does not allow it."""
    ways = (_CLONE_NEWNET, _CLONE_NEWUSER | _CLONE_NEWNET)
    return any(_libc_call("unshare", flags) == 0 for flags in ways)


def _limit(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(kind, (most, most))


def _prctl(option: int, value: int) -> None:
    _libc_call(
        "prctl", option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)
    )


def _libc_call(name: str, *arguments: Any) -> int:
    """A C library function by name; -1 where there is none (not Linux)."""
    try:
        function = getattr(ctypes.CDLL(None, use_errno=True), name)
    except (AttributeError, OSError):
        return -1
    return int(function(*arguments))


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)
