"""A task's result as its owner sees it: what the analysis found, with the reader's reviews and his company's
matches laid over it.

The stored result never changes. Without reviews and company it goes out as it lies there.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from sqlalchemy.engine import Connection

from backend.app.api.deps import Services
from backend.app.bidding.company.report import with_matches
from backend.app.bidding.exports.report_view import CHINA
from backend.app.bidding.reviews import Review, ReviewKey, lay_over
from backend.app.common.errors import NoResult, TaskNotFound
from backend.app.company import profiles
from backend.app.company.profiles import StoredProfile
from backend.app.tasks import queries, reviews
from backend.app.tasks.queries import TaskView
from backend.app.tasks.reviews import ReviewRow
from backend.app.tasks.task import Status

JSON = Any
T = TypeVar("T")

REVIEWED = frozenset({"bidding_analysis"})


def known(found: T | None) -> T:
    """What was read about a task. Raises TaskNotFound."""
    if found is None:
        raise TaskNotFound
    return found


async def shown(services: Services, user_id: int, task: TaskView) -> str | None:
    """The result as JSON; None while there is none."""
    stored = await _stored(services, task)
    if stored is None or task.task_type not in REVIEWED or task.file_sha256 is None:
        return stored
    over = await services.database.read(_over, user_id, task.file_sha256)
    if over.is_empty:
        return stored
    # Hundreds of kilobytes to read and write: not on the loop.
    return await asyncio.to_thread(lambda: _json(_laid_over(stored, over)))


@dataclass(frozen=True, slots=True)
class TaskResult:
    """`size`: characters of the result's JSON as it is stored."""

    task: TaskView
    result: dict[str, JSON]
    size: int


async def result_of(services: Services, user_id: int, task_id: int) -> TaskResult:
    """A completed task and its result as shown. Raises TaskNotFound, NoResult."""
    task = known(await services.database.row(queries.task, user_id, task_id))
    stored = await _stored(services, task)
    if task.status != Status.COMPLETED or stored is None:
        raise NoResult
    over = None
    if task.task_type in REVIEWED and task.file_sha256 is not None:
        over = await services.database.read(_over, user_id, task.file_sha256)
    # Megabytes to parse: not on the loop.
    result = await asyncio.to_thread(_laid_over, stored, over)
    if not isinstance(result, dict):
        raise NoResult
    return TaskResult(task, result, len(stored))


async def partial_of(services: Services, user_id: int, task_id: int) -> dict[str, JSON]:
    """What is found so far, in the form of the result. Raises TaskNotFound."""
    task = known(await services.database.row(queries.task, user_id, task_id))
    if task.status == Status.COMPLETED:
        found = await result_of(services, user_id, task_id)
        return {"complete": True, "missing": [], **found.result}
    kept = await services.database.read(queries.partial, task_id)
    if kept is None:
        return {"complete": False, "missing": [{"part": "全文"}]}
    over = await services.database.read(_over, user_id, task.file_sha256 or "")
    return {"complete": False, **await asyncio.to_thread(_laid_over, kept.body_json, over)}


async def _stored(services: Services, task: TaskView) -> str | None:
    if queries.is_large(task.result_json):
        return known(await services.database.read(queries.large_result, task.id))
    return task.result_json


@dataclass(frozen=True, slots=True)
class _Over:
    """What is laid over one result. `today`: certificates expire."""

    reviews: list[ReviewRow]
    company: StoredProfile
    today: date

    @property
    def is_empty(self) -> bool:
        return not self.reviews and not self.company.version


def _over(conn: Connection, user_id: int, source_sha256: str) -> _Over:
    today = datetime.now(CHINA).date()
    return _Over(reviews.of_source(conn, user_id, source_sha256), profiles.find(conn, user_id), today)


def _laid_over(stored: str, over: _Over | None) -> dict[str, JSON]:
    result: dict[str, JSON] = json.loads(stored)
    if over is None or over.is_empty:
        return result
    lay_over(
        result,
        {
            ReviewKey(row.tab, row.excerpt_hash, row.occurrence): Review(
                row.state, row.note, row.by, row.updated_at
            )
            for row in over.reviews
        },
    )
    if over.company.version:
        company = over.company
        result = with_matches(result, company.body, today=over.today, version=company.version)
    return result


def _json(result: dict[str, JSON]) -> str:
    return json.dumps(result, ensure_ascii=False, separators=(",", ":"))
