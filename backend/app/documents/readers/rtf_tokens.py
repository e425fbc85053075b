"""RTF as tokens: groups, control words, characters. Source: RTF specification 1.9.1."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

_TOKEN = re.compile(
    rb"(?P<group>[{}])"
    rb"|\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?\d{1,10})?(?P<blank> )?"
    rb"|\\'(?P<hex>[0-9a-fA-F]{2})"
    rb"|\\(?P<symbol>[^a-zA-Z])"
    rb"|(?P<text>[^{}\\\r\n]+)"
    rb"|[\r\n]+|\\",
    re.DOTALL,
)


class Kind(Enum):
    OPEN = 1
    CLOSE = 2
    WORD = 3  # name, number
    BYTES = 4  # characters in the current code page, as they stand
    CODED = 5  # one byte of a character, given as \\'hh
    SYMBOL = 6  # name: the letter after the backslash


class Token(NamedTuple):
    """A tuple, since one is made for every Chinese letter of a file."""

    kind: Kind
    name: str = ""
    number: int | None = None
    raw: bytes = b""


_OPEN, _CLOSE = Token(Kind.OPEN), Token(Kind.CLOSE)


def tokens(data: bytes) -> Iterator[Token]:
    """In order; what follows \\bin is skipped, since it may hold braces."""
    at = 0
    while match := _TOKEN.match(data, at):
        at = match.end()
        kind = match.lastgroup
        if kind == "group":
            yield _OPEN if match.group() == b"{" else _CLOSE
        elif kind == "text":
            yield Token(Kind.BYTES, raw=match.group())
        elif kind == "hex":
            yield Token(Kind.CODED, raw=bytes.fromhex(match.group("hex").decode()))
        elif kind == "symbol":
            yield Token(Kind.SYMBOL, match.group("symbol").decode("latin-1"))
        elif match.group("word"):
            number = match.group("number")
            word = match.group("word").decode()
            if word == "bin":
                at += max(int(number or 0), 0)
            yield Token(Kind.WORD, word, int(number) if number is not None else None)
