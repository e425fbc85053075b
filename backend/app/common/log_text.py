"""What may stand in a log line: secrets out, control characters escaped, messages without payloads. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

REDACTED = "[redacted]"
MAX_MESSAGE = 500  # characters of an exception's message; a longer one quotes a payload
MAX_DEPTH = 6

# Fields whose name contains one of these words hold a secret, unless the value is a number: `first_token_ms`
# and `prompt_tokens` are measurements.
_SECRET_WORDS = frozenset(
    ("authorization", "token", "password", "passwd", "secret", "cookie", "apikey", "jwt", "credential")
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORDS = re.compile(r"[^A-Za-z0-9]+")

# What a secret looks like inside any text. The groups kept tell the reader what stood there.
_SECRET_VALUES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}"), r"\1 " + REDACTED),
    (re.compile(r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{6,}"), REDACTED),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?"), REDACTED),
    (re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://[^\s/:@]*):[^\s/@]+@"), r"\1:" + REDACTED + "@"),
    (
        re.compile(
            r"(?i)\b((?:x-)?api[-_]?key|access_token|refresh_token|token|password|passwd|secret|authorization"
            r"|cookie)(['\"]?\s*[=:]\s*['\"]?)(?!\[redacted\])(?!bearer |basic )[^\s&'\",;}]{4,}"
        ),
        r"\1\2" + REDACTED,
    ),
)
_HINTS = re.compile(r"(?i)bearer|basic|[spr]k-|eyJ|://|key|token|passw|secret|authorization|cookie")

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_UNSEEN = re.compile(r"[\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

# Modules whose exceptions may quote headers, bodies or inputs: only the type's name is shown.
_NAME_ONLY = frozenset({"httpx", "httpcore", "h11", "h2", "ssl", "pydantic_core", "pydantic", "jose"})
# Modules whose messages start with a useful line and go on with statement and parameters.
_FIRST_LINE = frozenset({"sqlalchemy", "psycopg", "sqlite3"})


def redact(value: object, *, depth: int = 0) -> object:
    """The same value without secrets; containers become plain dicts and lists."""
    if isinstance(value, str):
        return redact_text(value)
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if isinstance(value, Mapping):
        if depth >= MAX_DEPTH:
            return "…"
        return {
            str(key): REDACTED if _is_secret(str(key), item) else redact(item, depth=depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return "…" if depth >= MAX_DEPTH else [redact(item, depth=depth + 1) for item in value]
    return value


def redact_text(text: str) -> str:
    """Replace what looks like a key, a token, or a password in a URL."""
    if _HINTS.search(text) is None:
        return text
    for pattern, shown in _SECRET_VALUES:
        text = pattern.sub(shown, text)
    return text


def escape_controls(text: str) -> str:
    """Control, bidirectional and surrogate characters as \\xNN or \\uNNNN: a line stays one line."""
    return _CONTROLS.sub(_escape, text)


def escape_unseen(line: str) -> str:
    """For rendered JSON: escape what json.dumps leaves and terminals or UTF-8 choke on."""
    return _UNSEEN.sub(lambda m: f"\\u{ord(m[0]):04x}", line)


def safe_message(error: BaseException) -> str:
    """What an exception may say in a log: no headers, no inputs, no SQL parameters, and not much."""
    module = type(error).__module__.partition(".")[0]
    if module in _NAME_ONLY:
        return ""
    text = str(error)
    if module in _FIRST_LINE:
        text = text.partition("\n")[0]
    return redact_text(text[:MAX_MESSAGE])


def _is_secret(key: str, value: object) -> bool:
    if value is None or isinstance(value, bool | int | float):
        return False
    return _is_secret_name(key)


@lru_cache(maxsize=1024)
def _is_secret_name(key: str) -> bool:
    words = _WORDS.split(_CAMEL.sub("_", key).lower())
    return not _SECRET_WORDS.isdisjoint(words) or ("api" in words and "key" in words)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
