"""XML of any size read as events, so that no tree of it is ever in memory.

Only for parts whose rows come by the hundred thousand (sheets, shared strings): everything else is read by
`ooxml.parse_xml`.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from typing import NoReturn, Protocol
from xml.parsers import expat

from backend.app.common.errors import ParseLimitExceeded, UnreadableDocument
from backend.app.documents.archive import entry_parts

_MAX_DEPTH = 64
_SEPARATOR = "}"


class Events(Protocol):
    """Element names come without their namespace: strict and transitional files differ only there."""

    def start(self, tag: str, attributes: dict[str, str]) -> None: ...

    def end(self, tag: str) -> None: ...

    def text(self, text: str) -> None: ...


def stream_xml(archive: zipfile.ZipFile, name: str, most: int, events: Events) -> bool:
    """Feed an entry's XML to `events`; False when there is no such entry.

    Raises UnreadableDocument (no XML, or one with a DTD), ParseLimitExceeded (over `most` bytes, too deep).
    """
    parts = entry_parts(archive, name, most)
    if parts is None:
        return False
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    parser.buffer_text = True
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_DEPTH:
            raise ParseLimitExceeded()
        events.start(tag.rpartition(_SEPARATOR)[2], attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        events.end(tag.rpartition(_SEPARATOR)[2])

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = events.text
    parser.StartDoctypeDeclHandler = _refuse
    feed: Callable[[bytes, bool], object] = parser.Parse
    try:
        for part in parts:
            feed(part, False)
        feed(b"", True)
    except expat.ExpatError as error:
        raise UnreadableDocument() from error
    return True


def _refuse(*_: object) -> NoReturn:
    raise UnreadableDocument()
