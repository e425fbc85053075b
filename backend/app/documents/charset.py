"""Which encoding bytes are in, and whether they are text at all."""

from __future__ import annotations

import codecs

from backend.app.common.errors import UnreadableDocument

# UTF-32 before UTF-16: its little-endian mark begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAMPLE = 4096  # bytes that tell UTF-16 from other text
_MOST_CONTROLS = 0.02  # share of control bytes in something that is still text
_MOST_BROKEN = 0.005  # share of characters a damaged file may lose before the encoding is doubted


def decode(raw: bytes) -> str:
    """By its byte-order mark, else UTF-16 without one, strict UTF-8, GB18030 (GBK is a part), a guess.

    Raises UnreadableDocument when nothing fits.
    """
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return raw[len(mark) :].decode(encoding, errors="replace")
    unmarked = _utf16_without_mark(raw)
    for encoding in (unmarked,) if unmarked else ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return _guess(raw)


def looks_like_text(head: bytes) -> bool:
    """Whether the first bytes of a file may be text in some encoding."""
    if any(head.startswith(mark) for mark, _ in _MARKS) or _utf16_without_mark(head):
        return True
    controls = sum(1 for byte in head if byte < 0x20 and byte not in b"\t\n\r\f\x1b")
    return controls <= _MOST_CONTROLS * len(head)


def _utf16_without_mark(raw: bytes) -> str | None:
    """UTF-16 shows by a zero byte (of a digit or line end) and by making sense when read so.

    Without the zero any ASCII text would pass: "ab" is a Chinese character in UTF-16.
    """
    sample = raw[: min(_SAMPLE, len(raw) - len(raw) % 2)]
    if b"\0" not in sample:
        return None
    for encoding in ("utf-16-le", "utf-16-be"):
        text = sample.decode(encoding, errors="replace")
        if sum(1 for char in text if _is_common(char)) >= 0.9 * len(text):
            return encoding
    return None


def _is_common(char: str) -> bool:
    return (
        "\u4e00" <= char <= "\u9fff"
        or " " <= char <= "~"
        or char in "\t\r\n"
        or "\u2000" <= char <= "\u303f"
        or "\uff00" <= char <= "\uffef"
    )


def _guess(raw: bytes) -> str:
    # A stray byte in a long Chinese file must not send it to a Western guess.
    for encoding in ("utf-8", "gb18030"):
        text = raw.decode(encoding, errors="replace")
        if text.count("\ufffd") <= _MOST_BROKEN * len(text):
            return text
    from charset_normalizer import from_bytes

    best = from_bytes(raw[: 1024 * 1024]).best()
    if best is None:
        raise UnreadableDocument()
    return raw.decode(best.encoding, errors="replace")
