"""One streamed call over HTTP, within its limits. The only module that knows httpx.

`POST {base}/chat/completions`, always streamed: that gives first-token and idle limits. httpx's own timeouts
never fire on a slow drip of headers or body, so one timer of ours stands over the whole call and is moved as
it goes on. Compression is declined, and undone piecewise when it comes anyway: no small body grows huge.
"""

from __future__ import annotations

import asyncio
import json
import time
import zlib
from collections.abc import AsyncIterator, Collection, Iterator
from datetime import UTC, datetime
from math import inf

import httpx

from backend.app.common.errors import LLMConnectionFailed, LLMError
from backend.app.llm import providers
from backend.app.llm.classify import Complaint, complaint_of, failure, failure_of
from backend.app.llm.providers import Quirk
from backend.app.llm.retry_after import retry_after
from backend.app.llm.sse import EventParser
from backend.app.llm.stream import AnswerBuilder
from backend.app.llm.types import ChatAnswer, ChatRequest, Deployment, ErrorKind, Meter

PIECE = 64 * 1024
MAX_COMPLAINT = 64 * 1024  # bytes of an error body that are read
COMPLAINT_SECONDS = 3.0  # an error body that drips is judged by its status alone
TAIL_SECONDS = 2.0  # after finish_reason: for the usage chunk
TOLD_EVERY_SECONDS = 1.0
END_SECONDS = 0.25  # after [DONE]: for the end of the body, which lets the connection be used again
_BLANK = b"\xef\xbb\xbf \t\r\n"
_POOL = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=30.0)
# A server that was not told the limit, or does not keep it, is cut off here; our count is an estimate.
_LIMIT_SLACK = 1.25


class Transport:
    """Calls models; keeps one connection pool a base URL and key. Close it with `aclose`."""

    def __init__(self) -> None:
        self._clients: dict[tuple[object, ...], httpx.AsyncClient] = {}

    async def aclose(self) -> None:
        """Close every connection; calls still running fail."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.aclose()

    async def stream_chat(
        self,
        request: ChatRequest,
        deployment: Deployment,
        deadline: float,
        *,
        quirks: Collection[Quirk] = frozenset(),
        meter: Meter | None = None,
    ) -> ChatAnswer:
        """One call, one answer with a finish_reason. `deadline` is a reading of time.monotonic().

        `meter` is kept up to date, also when the call is cancelled. Raises LLMError; its params say kind,
        detail, first_token_ms, finish_reason and response_tokens.
        """
        watch = _Watch(deployment, deadline, meter)
        limit = providers.answer_limit(request, deployment)
        builder = AnswerBuilder(
            deployment.provider, limit=None if limit is None else round(limit * _LIMIT_SLACK)
        )
        content = json.dumps(providers.body(request, deployment, quirks), ensure_ascii=False)
        try:
            await self._run(content.encode("utf-8", "replace"), deployment, watch, builder)
            text = builder.check()
        except LLMError as error:
            error.params.update(
                first_token_ms=watch.first_token_ms,
                finish_reason=builder.finish_reason or error.params.get("finish_reason"),
                response_tokens=builder.tokens_so_far(),
            )
            raise
        finally:
            if meter is not None:
                meter.response_tokens, meter.is_answering = builder.tokens_so_far(), watch.has_headers
        return ChatAnswer(
            text, str(builder.finish_reason), builder.usage(request), watch.elapsed_ms(), watch.first_token_ms
        )

    async def _run(
        self, content: bytes, deployment: Deployment, watch: _Watch, builder: AnswerBuilder
    ) -> None:
        """Send, read, and turn whatever httpx and the timer raise into our errors."""
        watch.check_time_left()
        try:
            async with watch.timer():
                await self._exchange(content, deployment, watch, builder)
        except TimeoutError:
            if builder.finish_reason is None:
                raise watch.failure() from None
        except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError) as error:
            raise failure(ErrorKind.BAD_REQUEST, f"request not sendable: {type(error).__name__}") from None
        except httpx.ConnectTimeout:
            raise failure(
                ErrorKind.TIMEOUT_CONNECT, f"no connection after {deployment.connect_s:g}s"
            ) from None
        except (httpx.TransportError, httpx.DecodingError, zlib.error, OSError) as error:
            # OSError: a broken TLS record in mid-stream comes through as ssl.SSLError.
            if builder.finish_reason is None:
                raise _lost(error, watch) from None

    async def _exchange(
        self, content: bytes, deployment: Deployment, watch: _Watch, builder: AnswerBuilder
    ) -> None:
        client = self._client(deployment)
        async with client.stream("POST", providers.endpoint(deployment), content=content) as response:
            watch.has_headers = True
            if response.status_code != 200:
                raise await _complaint(response, deployment.provider)
            await _read_answer(response, deployment, watch, builder)

    def _client(self, deployment: Deployment) -> httpx.AsyncClient:
        key = (
            deployment.provider,
            deployment.base_url,
            deployment.api_key,
            deployment.connect_s,
            deployment.trust_env,
        )
        if key not in self._clients:
            _check_url(deployment.base_url)
            self._clients[key] = httpx.AsyncClient(
                headers=_headers(deployment),
                # Connecting only: everything after it is under the watch's timer.
                timeout=httpx.Timeout(None, connect=deployment.connect_s or None),
                limits=_POOL,
                follow_redirects=False,
                trust_env=deployment.trust_env,
            )
        return self._clients[key]


class _Watch:
    """The limits of one call: first token, silence, total, deadline. One timer, moved along."""

    def __init__(self, deployment: Deployment, deadline: float, meter: Meter | None = None) -> None:
        self._meter, self._told_at = meter, 0.0
        self._started = time.monotonic()
        self._idle = deployment.idle_s or inf
        self._end = min(deadline, self._started + (deployment.timeout_s or inf))
        first = deployment.timeout_s if deployment.first_token_s is None else deployment.first_token_s
        self._until = min(self._end, self._started + (first or inf))
        self._timeout: asyncio.Timeout | None = None
        self.first_token_ms: float | None = None
        self.has_headers = False

    def check_time_left(self) -> None:
        """Send nothing that can't be answered in time."""
        if self._until <= time.monotonic():
            raise failure(ErrorKind.TIMEOUT_FIRST, "no time left before the deadline")

    def timer(self) -> asyncio.Timeout:
        self._timeout = asyncio.timeout_at(self._loop_time(self._until))
        return self._timeout

    def heard(self, builder: AnswerBuilder) -> None:
        """An event came. Until the first token only its own limit counts: keep-alives prove nothing."""
        if not builder.has_token:
            return
        if self.first_token_ms is None:
            self.first_token_ms = self.elapsed_ms()
        now = time.monotonic()
        if self._meter is not None and now - self._told_at >= TOLD_EVERY_SECONDS:
            self._told_at = now
            self._meter.tell(builder.tokens_so_far())
        until = min(self._end, now + self._idle)
        # Moving the timer costs more than a chunk; a twentieth of the limit is not worth it.
        if until - self._until > min(1.0, self._idle / 20) or until < self._until:
            self._move(until)

    def finished(self, grace: float) -> None:
        """The answer is whole; only `grace` seconds more for what may follow."""
        self._move(min(self._until, time.monotonic() + grace))

    def elapsed_ms(self) -> float:
        return round((time.monotonic() - self._started) * 1000, 2)

    def failure(self) -> LLMError:
        kind = ErrorKind.TIMEOUT_FIRST if self.first_token_ms is None else ErrorKind.TIMEOUT_IDLE
        return failure(kind, f"Timeout after {self.elapsed_ms() / 1000:.3g}s")

    def _move(self, until: float) -> None:
        self._until = until
        if self._timeout is not None and not self._timeout.expired():
            self._timeout.reschedule(self._loop_time(until))

    @staticmethod
    def _loop_time(at: float) -> float | None:
        """The event loop's clock need not be time.monotonic (uvloop's is cached); inf means no timer."""
        if at == inf:
            return None
        return asyncio.get_running_loop().time() + max(at - time.monotonic(), 0.0)


async def _read_answer(
    response: httpx.Response, deployment: Deployment, watch: _Watch, builder: AnswerBuilder
) -> None:
    """Read a 200: a stream of events, one JSON object, or something that is neither."""
    pieces = _pieces(response, deployment.max_bytes)
    start = b""
    async for piece in pieces:
        start = piece.lstrip(_BLANK)
        if start:
            break
    opening = start[:1]
    if opening in (b"<", b""):
        kind = response.headers.get("content-type", "no content type").partition(";")[0][:40]
        raise failure(ErrorKind.TRUNCATED, f"HTTP 200 with no stream ({kind})")
    if opening in (b"{", b"["):
        body = bytearray(start)
        async for piece in pieces:
            body += piece
        builder.add_whole(body.decode("utf-8-sig", "replace"))
        watch.heard(builder)
        return
    parser = EventParser()
    _take(parser.feed(start), watch, builder)
    async for piece in pieces:
        try:
            _take(parser.feed(piece), watch, builder)
        except ValueError:
            raise failure(ErrorKind.TRUNCATED, "event too long") from None
    _take(parser.finish(), watch, builder)


def _take(events: Iterator[str], watch: _Watch, builder: AnswerBuilder) -> None:
    """Take what one piece of the body brought, then move the timer once."""
    came = False
    for data in events:
        if builder.is_done:
            return
        builder.add(data)
        came = True
    if came:
        watch.heard(builder)
    if builder.is_done:
        watch.finished(END_SECONDS)
    elif builder.finish_reason is not None:
        watch.finished(END_SECONDS if builder.has_usage else TAIL_SECONDS)


async def _pieces(response: httpx.Response, most: int) -> AsyncIterator[bytes]:
    """The body in pieces of at most 64 KB, decompressed if need be; never more than `most` bytes in all."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "deflate"):
        raise failure(ErrorKind.TRANSIENT, f"content-encoding {encoding[:20]} was not asked for")
    unzip = None if encoding in ("identity", "") else zlib.decompressobj(zlib.MAX_WBITS | 32)
    total = 0
    async for (
        raw
    ) in response.aiter_raw():  # as it comes: with a size httpx would wait until that much is there
        for piece in (raw,) if unzip is None else _unzipped(unzip, raw):
            total += len(piece)
            if total > most:
                raise failure(ErrorKind.TRUNCATED, f"answer larger than {most} bytes")
            yield piece


def _unzipped(unzip: zlib._Decompress, raw: bytes) -> Iterator[bytes]:
    while True:
        piece = unzip.decompress(raw, PIECE)
        raw = unzip.unconsumed_tail
        if piece:
            yield piece
        if not raw and len(piece) < PIECE:
            return


async def _complaint(response: httpx.Response, provider: str) -> LLMError:
    """Read an answer that is not 200, as far as it comes in time, and judge it."""
    body = bytearray()
    try:
        async with asyncio.timeout(COMPLAINT_SECONDS):
            async for piece in _pieces(response, MAX_COMPLAINT):
                body += piece
    except (TimeoutError, LLMError, httpx.TransportError, zlib.error):
        body.clear()
    wait = retry_after(response.headers, datetime.now(UTC))
    return failure_of(provider, _read_complaint(response.status_code, bytes(body)), retry_after=wait)


def _read_complaint(status: int, body: bytes) -> Complaint:
    text = body.decode("utf-8", "replace")
    try:
        return complaint_of(status, json.loads(text))
    except (ValueError, RecursionError):
        return Complaint(status, message=text[:2000])


def _lost(error: Exception, watch: _Watch) -> LLMError:
    """A connection that failed: cut while answering, or never good at all."""
    name = type(error).__name__
    if watch.has_headers:
        return failure(ErrorKind.TRUNCATED, f"connection lost in the answer: {name}")
    return failure(ErrorKind.TRANSIENT, f"connection failed: {name}", error=LLMConnectionFailed)


def _check_url(base_url: str) -> None:
    """httpx lets some URLs through to the socket, where they end as errors of other families."""
    url = httpx.URL(base_url)
    if url.scheme not in ("http", "https") or not url.host or not 0 < (url.port or 443) < 65536:
        raise failure(ErrorKind.BAD_REQUEST, "base URL is not an http(s) address")


def _headers(deployment: Deployment) -> dict[str, str]:
    key = deployment.api_key
    if key and not (key.isascii() and key.isprintable()):
        raise failure(ErrorKind.AUTH, "the key has characters that no key has")
    return {
        "Content-Type": "application/json",
        "Accept": "text/event-stream, application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "SalesAssistant",
        **providers.key_headers(deployment),
    }
