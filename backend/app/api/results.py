"""The result of a task as its owner sees it: the one way from the tables to whoever shows or exports it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from backend.app.api.deps import Services
from backend.app.api.errors import Language
from backend.app.api.representation import known
from backend.app.common.errors import NoResult
from backend.app.tasks import queries
from backend.app.tasks.queries import TaskView
from backend.app.tasks.task import Status


@dataclass(frozen=True, slots=True)
class TaskResult:
    """`size`: characters of the result's JSON as it is stored."""

    task: TaskView
    result: dict[str, Any]
    size: int


async def result_of(
    services: Services,
    user_id: int,
    task_id: int,
    language: Language,  # noqa: ARG001 — what is laid over a result speaks the reader's language
) -> TaskResult:
    """Raises TaskNotFound, NoResult."""
    task = known(await services.database.row(queries.task, user_id, task_id))
    stored = task.result_json
    if queries.is_large(stored):
        stored = known(await services.database.read(queries.large_result, task_id))
    if task.status != Status.COMPLETED or stored is None:
        raise NoResult
    # Megabytes to parse: not on the loop.
    result = await asyncio.to_thread(json.loads, stored)
    if not isinstance(result, dict):
        raise NoResult
    return TaskResult(task, result, len(stored))
