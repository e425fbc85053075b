"""An OCR child without models: it speaks the protocol of `documents.ocr.child`, quickly, or goes wrong.

Every page holds one line, "第N页", but for the page numbers that name a mishap.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any

import psutil

from backend.app.documents.child import die_with_parent
from backend.app.documents.ocr.child import HEADER, PAGE, READY

MODULE = "backend.tests.fakes.ocr_child"
DIES, HANGS, TALKS_NONSENSE, TALKS_ENDLESSLY = 12, 14, 15, 16


def page(number: int) -> dict[str, Any]:
    text = f"第{number}页"
    middles = [9000 + 700 * at for at in range(len(text))]
    line = {"text": text, "box": [8700, 20000, middles[-1] + 300, 21000], "middles": middles, "score": 99}
    return {"lines": [line], "rules": [], "turn": 0, "slope": 0}


def main() -> None:
    die_with_parent(int(sys.argv[1]))
    sys.stdin.buffer.readline()
    _answer(READY)
    for request in sys.stdin.buffer:
        number = json.loads(request)["page"]
        if number == DIES:
            os._exit(3)
        if number == HANGS:
            time.sleep(60)
        if number == TALKS_NONSENSE:
            _answer(PAGE + b'{"lines": [{}]}')
        elif number == TALKS_ENDLESSLY:
            _answer(PAGE + b" " * 10_000_000)
        else:
            _answer(PAGE + json.dumps(page(number)).encode())


def _answer(reply: bytes) -> None:
    view = memoryview(HEADER.pack(len(reply)) + reply)
    while view:
        view = view[os.write(1, view) :]


def ocr_children() -> list[psutil.Process]:
    """Our recognising children that are alive, real ones or fakes."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            command = process.cmdline()
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
        if MODULE in command or "backend.app.documents.ocr.child" in command:
            found.append(process)
    return found


async def ocr_child_started() -> psutil.Process:
    for _ in range(500):
        if found := ocr_children():
            return found[0]
        await asyncio.sleep(0.02)
    raise AssertionError("no child came up")


if __name__ == "__main__":
    main()
