"""What the older calls answer: the result if it comes in time, else the task; a failure as a problem."""

from __future__ import annotations

import json
from collections.abc import Iterator
from time import monotonic

from starlette.responses import Response

from backend.app.api.deps import Services
from backend.app.api.errors import Language, problem
from backend.app.api.representation import Representation, Wanted, changed, task_out
from backend.app.api.schemas import LegacyOut
from backend.app.common.errors import AppError, Conflict, InternalError
from backend.app.tasks.queries import TaskView
from backend.app.tasks.service import Order
from backend.app.tasks.task import Status

# RFC 9745: the day of the document that announced the new calls (2025-10-21).
_DEPRECATED = "@1761004800"


async def analyzed(services: Services, order: Order, language: Language, successor: str) -> Response:
    """Create the task and wait for its end, SA_LEGACY_WAIT seconds at most."""
    headers = {"deprecation": _DEPRECATED, "link": f'<{successor}>; rel="successor-version"'}
    created = await services.tasks.submit(order)
    shown = await _end_of(services, order.user_id, created.task.id, language)
    headers |= {"content-location": f"/api/tasks/{shown.task.id}", "vary": "Accept-Language"}
    if created.replayed:
        headers["idempotent-replayed"] = "true"
    match shown.task.status:
        case Status.COMPLETED:
            return Response(_result(shown), media_type="application/json", headers=headers)
        case Status.FAILED:
            return problem(_error_of(shown.task), language, headers)
        case Status.CANCELLED:
            return problem(Conflict(), language, headers)
        case _:
            headers["location"] = headers["content-location"]
            body = (await task_out(services, shown.task, language)).model_dump_json()
            return Response(body, 202, media_type="application/json", headers=headers)


async def _end_of(services: Services, user_id: int, task_id: int, language: Language) -> Representation:
    until = monotonic() + services.options.legacy_wait
    known = None
    while True:
        shown = await changed(services, Wanted(user_id, task_id, language, known), until - monotonic())
        if shown.ended or monotonic() >= until or services.waiters.closed:
            return shown
        known = shown.etag


def _result(shown: Representation) -> bytes:
    body = json.loads(shown.body)
    metadata = {"task_id": shown.task.id, **body["metadata"]}
    result = body["result"]
    legacy = LegacyOut(summary=result.get("summary", ""), tabs=result.get("tabs", []), metadata=metadata)
    return legacy.model_dump_json().encode()


def _error_of(task: TaskView) -> AppError:
    """The failure of a task as the error it was: its own sentences, the status of its code."""
    kind = next((kind for kind in _kinds(AppError) if kind.code == task.error_code), InternalError)
    error = kind()
    # The stored sentences are complete; the class's own may have places that are still to be filled.
    return _Told(error, task.error or error.sentence(), task.error_en or error.sentence("en"))


class _Told(AppError):
    """An error that speaks with the sentences a task has kept."""

    def __init__(self, error: AppError, zh: str, en: str) -> None:
        self.code, self.status_code = error.code, error.status_code  # type: ignore[misc]
        self._said = {"zh": zh, "en": en}
        super().__init__()

    def sentence(self, language: str = "zh") -> str:
        return self._said.get(language, self._said["zh"])


def _kinds(root: type[AppError]) -> Iterator[type[AppError]]:
    for kind in root.__subclasses__():
        yield from _kinds(kind)
        yield kind
