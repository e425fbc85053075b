"""Server-sent events from bytes. Pure.

httpx's line iterator, which httpx-sse stands on, also breaks lines at U+2028, U+0085 and the like, which JSON
may hold unescaped; the standard knows CR, LF and CRLF only. Hence these lines of our own.
"""

from __future__ import annotations

from collections.abc import Iterator

MAX_EVENT = 1024 * 1024  # bytes of one event; a chat chunk has a few hundred


class EventParser:
    """Feed it bytes as they come; it yields the `data` of each finished event."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._size = 0
        self._after_cr = False
        self._started = False

    def feed(self, chunk: bytes) -> Iterator[str]:
        """Data of the events that `chunk` completes; comments, ids and event names are dropped.

        Raises ValueError when one event grows beyond MAX_EVENT.
        """
        for line in self._lines(chunk):
            if not line:
                if self._data:
                    whole = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
                    self._data, self._size = [], 0
                    yield whole.decode("utf-8", "replace")
            elif line.startswith(b"data:"):
                self._add(line[6:] if line[5:6] == b" " else line[5:])
        if len(self._rest) > MAX_EVENT:
            raise ValueError("event too long")

    def finish(self) -> Iterator[str]:
        """Data left when the stream ends without the blank line that the standard asks for."""
        yield from self.feed(b"\n\n")

    def _add(self, line: bytes) -> None:
        self._data.append(line)
        self._size += len(line)
        if self._size > MAX_EVENT:
            raise ValueError("event too long")

    def _lines(self, chunk: bytes) -> Iterator[bytes]:
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._after_cr = chunk.endswith(b"\r")
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if not self._rest and not self._data:
            chunk = chunk.lstrip(b"\n")  # a flood of blank lines must not cost a loop each
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            if self._rest:
                line = bytes(self._rest) + line
                self._rest.clear()
            if not self._started:
                self._started = True
                line = line.removeprefix(b"\xef\xbb\xbf")
            yield line
        self._rest += rest
