"""From the chunks of a chat completion to one answer. Pure: no sockets, no clock.

Guards what servers really send: chunks with empty `choices` (usage, Azure's filter results), choices without
`delta`, content as a list of parts, errors inside a 200 stream, a whole answer where a stream was asked for.
"""

from __future__ import annotations

import json
from typing import Any

from backend.app.common.errors import LLMError
from backend.app.llm.classify import FINISHES, complaint_of, failure, failure_of
from backend.app.llm.types import ChatRequest, ErrorKind, Usage, estimate_tokens, token_weight

DONE = "[DONE]"


class AnswerBuilder:
    """Collects one answer. Its methods raise LLMError as soon as the answer can't become a good one."""

    def __init__(self, provider: str, *, limit: int | None = None) -> None:
        """`limit`: tokens, by our own count, after which an answer counts as cut."""
        self._provider, self._limit = provider, limit
        self._parts: list[str] = []
        self._chars = self._weighed = 0
        self._tokens = 0.0  # estimated, of what is shown and of reasoning, which is paid for as well
        self._refused = False
        self._usage: Usage | None = None
        self.finish_reason: str | None = None
        self.has_token = False
        self.is_done = False

    def add(self, data: str) -> None:
        """Take one event of the stream."""
        data = data.strip()
        if data == DONE:
            self.is_done = True
        elif data:
            try:
                event = _parse(data)
            except LLMError:
                if self.finish_reason is None:
                    raise
                return  # the answer was whole; only its usage is lost
            self._take(event, "delta")

    def add_whole(self, body: str) -> None:
        """Take an answer that came in one piece, because the server ignored `stream`."""
        self._take(_parse(body), "message")
        self.is_done = True

    @property
    def has_usage(self) -> bool:
        return self._usage is not None

    def text(self) -> str:
        return "".join(self._parts)

    def check(self) -> str:
        """The text of a finished answer. Raises LLMError when it is cut off, empty or refused."""
        reason = self.finish_reason
        if reason is None:
            raise failure(ErrorKind.TRUNCATED, "stream ended without finish_reason")
        kind = ErrorKind.CONTENT if self._refused else FINISHES.get(reason)
        if kind is not None:
            raise failure(kind, "refused by the model" if self._refused else f"finish_reason {reason}")
        text = self.text()
        if not text.strip():
            empty = ErrorKind.CONTEXT if reason == "length" else ErrorKind.TRUNCATED
            raise failure(empty, f"empty answer, finish_reason {reason}")
        return text

    def usage(self, request: ChatRequest) -> Usage:
        """The server's count, or ours when it gave none."""
        if self._usage is not None:
            return self._usage
        prompt = sum(estimate_tokens(message.content) for message in request.messages)
        return Usage(prompt, self.tokens_so_far(), estimated=True)

    def tokens_so_far(self) -> int:
        """Tokens of the answer as far as it came; estimated until the server counts."""
        if self._usage is not None:
            return self._usage.response_tokens
        return round(self._estimate())

    def _estimate(self) -> float:
        """Weighed when asked for, not event by event."""
        self._tokens += token_weight("".join(self._parts[self._weighed :]))
        self._weighed, self._chars = len(self._parts), 0
        return self._tokens

    def _take(self, event: dict[str, Any], field: str) -> None:
        if event.get("error") or ("choices" not in event and ("code" in event or "message" in event)):
            raise failure_of(self._provider, complaint_of(200, event))
        self._usage = _usage(event.get("usage")) or self._usage
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            return
        if isinstance(choice.get("finish_reason"), str) and choice["finish_reason"]:
            self.finish_reason = _finish(choice["finish_reason"])
        part = choice.get(field) or choice.get("message")
        if isinstance(part, dict):
            self._take_part(part)

    def _take_part(self, part: dict[str, Any]) -> None:
        content = _content(part.get("content"))
        hidden = part.get("reasoning_content") or part.get("reasoning")
        if content:
            self._parts.append(content)
            self._chars += len(content)
        if isinstance(hidden, str):
            self._tokens += 0.5 * len(hidden)
        if (
            self._limit is not None
            and self._tokens + 0.72 * self._chars > self._limit
            and self._estimate() > self._limit
            and self.finish_reason is None
        ):
            raise failure(ErrorKind.CONTEXT, "answer longer than its limit", finish_reason="length")
        self._refused = self._refused or bool(part.get("refusal"))
        self.has_token = self.has_token or bool(content or hidden)


def _parse(data: str) -> dict[str, Any]:
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        raise failure(ErrorKind.TRUNCATED, "unreadable answer") from None
    if not isinstance(event, dict):
        raise failure(ErrorKind.TRUNCATED, "unreadable answer")
    return event


def _content(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        texts = (part.get("text") for part in value if isinstance(part, dict))
        return "".join(text for text in texts if isinstance(text, str))
    return ""


def _finish(reason: str) -> str:
    """One spelling for an answer that ran into its limit."""
    return "length" if reason in ("length", "max_tokens", "max_length") else reason


def _usage(value: object) -> Usage | None:
    if not isinstance(value, dict):
        return None
    details = value.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    if cached is None:
        cached = value.get("prompt_cache_hit_tokens")  # DeepSeek
    prompt, response = _count(value.get("prompt_tokens")), _count(value.get("completion_tokens"))
    return Usage(prompt, response, _count(cached)) if prompt or response else None


def _count(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return min(max(value, 0), 10**9)
    return 0
