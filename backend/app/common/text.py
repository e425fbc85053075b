"""Text from outside, made fit to be stored and shown. Pure."""

from __future__ import annotations

import re
import unicodedata

# NUL (PostgreSQL refuses it) and lone surrogates (UTF-8 has no form for them).
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# Control characters and those that turn the direction of what follows: "exe.fdp" must not show as a PDF.
_UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_LONGEST_NAME = 200


def clean_text(text: str) -> str:
    """The same text without characters that no database can hold."""
    return _UNSTORABLE.sub("", text)


def decode_text(raw: bytes) -> str:
    """UTF-8, or GB18030: what a Chinese Windows console sends. Raises UnicodeDecodeError."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("gb18030")


def clean_filename(name: str) -> str:
    """A name to show and to offer on download, never a path: the last part, without control characters."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    shown = _UNSHOWABLE.sub("", last).strip(" .")
    stem, dot, suffix = shown.rpartition(".")
    if dot and len(suffix) <= 10 and len(shown) > _LONGEST_NAME:
        shown = stem[: _LONGEST_NAME - len(suffix) - 1] + dot + suffix
    return shown[:_LONGEST_NAME] or "未命名"
