"""Streams of OLE files (.doc, .xls), read within bounds. Raises UnreadableDocument for whatever is broken."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backend.app.common.errors import ParseLimitExceeded, UnreadableDocument


@contextmanager
def opened_ole(path: Path) -> Iterator[Any]:
    """An olefile.OleFileIO. It stops by itself at FAT chains that run in circles or out of the file."""
    olefile: Any = importlib.import_module("olefile")  # it has no types
    try:
        ole = olefile.OleFileIO(str(path))
    except _BROKEN as error:
        raise UnreadableDocument() from error
    try:
        yield ole
    finally:
        ole.close()


def ole_stream(ole: Any, name: str, most: int) -> bytes | None:
    """A stream of the root storage; None when it is not there."""
    try:
        if not ole.exists(name):
            return None
        if ole.get_size(name) > most:
            raise ParseLimitExceeded()
        with ole.openstream(name) as stream:
            return bytes(stream.read())
    except _BROKEN as error:
        raise UnreadableDocument() from error


# What olefile raises on broken files: its own errors are OSErrors; the rest are slips of its arithmetic.
_BROKEN = (OSError, ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, EOFError)
