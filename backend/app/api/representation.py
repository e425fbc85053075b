"""A task as bytes with an ETag, and waiting for those bytes to change."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from dataclasses import dataclass
from time import monotonic

from backend.app.api import results
from backend.app.api.deps import Services
from backend.app.api.errors import Language
from backend.app.api.results import known
from backend.app.api.schemas import TaskOut
from backend.app.tasks import queries
from backend.app.tasks.queries import TaskView
from backend.app.tasks.task import FINAL, WAITING

# A change is normally heard of at once; this is for a watcher that lost its connection.
_LOOK_AGAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Representation:
    """What GET answers. The ETag covers all of the body, so also the language it is in."""

    body: bytes
    etag: str
    task: TaskView

    @property
    def ended(self) -> bool:
        return self.task.status in FINAL


async def represent(services: Services, user_id: int, task_id: int, language: Language) -> Representation:
    """Raises TaskNotFound."""
    task = known(await services.database.row(queries.task, user_id, task_id))
    result = await results.shown(services, user_id, task)
    head = (await task_out(services, task, language)).model_dump_json()
    # The result is JSON already: it is put in as it is.
    body = f'{head[:-1]},"result":{result or "null"}}}'.encode()
    return Representation(body, f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"', task)


async def task_out(services: Services, task: TaskView, language: Language) -> TaskOut:
    """The task as JSON shows it, with the reason why it waits."""
    gate = await services.gates.closed_for(task.task_type) if task.status in WAITING else None
    return TaskOut.of(task, language, gate)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One GET: whose task, in which language, and what the client knows already (an ETag)."""

    user_id: int
    task_id: int
    language: Language
    known: str | None = None


async def changed(services: Services, wanted: Wanted, seconds: float) -> Representation:
    """The task as soon as it differs from what the client knows (or, if it named no ETag, from what it is
    now), has ended, or `seconds` are over. Raises TaskNotFound."""
    until = monotonic() + seconds
    with services.waiters.joined(wanted.task_id) as event:
        shown = await represent(services, wanted.user_id, wanted.task_id, wanted.language)
        seen = wanted.known or shown.etag
        while not (shown.ended or not matches(seen, shown.etag) or services.waiters.closed):
            left = until - monotonic()
            if left <= 0:
                break
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), min(left, _LOOK_AGAIN_S))
            event.clear()
            shown = await represent(services, wanted.user_id, wanted.task_id, wanted.language)
        return shown


def matches(if_none_match: str | None, etag: str) -> bool:
    """RFC 9110: `*`, or a list of ETags compared weakly."""
    if if_none_match is None:
        return False
    tags = (tag.strip().removeprefix("W/") for tag in if_none_match.split(","))
    return any(tag in ("*", etag) for tag in tags)
