"""Web archives (MHTML), which Word and browsers save as .mht and often as ".doc": the page in them."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import Message
from pathlib import Path

from backend.app.common.errors import UnreadableDocument
from backend.app.documents.canonical import Document
from backend.app.documents.limits import ExtractLimits
from backend.app.documents.readers.html import html_document
from backend.app.documents.readers.txt import read_bounded

_MAX_PARTS = 10_000


def read_mhtml(path: Path, limits: ExtractLimits) -> Document:
    """The first HTML part, read as a page. Raises EmptyDocument, UnreadableDocument, ParseLimitExceeded."""
    message = message_from_bytes(read_bounded(path, limits).lstrip(), policy=policy.compat32)
    for count, part in enumerate(message.walk()):
        if count > _MAX_PARTS:
            break
        if part.get_content_type() in ("text/html", "application/xhtml+xml"):
            return html_document(_content(part), limits)
    raise UnreadableDocument()


def _content(part: Message) -> bytes:
    raw = part.get_payload(decode=True)
    if not isinstance(raw, bytes):
        raise UnreadableDocument()
    return raw
