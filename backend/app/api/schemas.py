"""The JSON that goes out and comes in, as in the wire contract."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from backend.app.api.errors import Language
from backend.app.api.fields import Clean, Config, Id, MaxRetries, Priority, StatusName, UtcTime
from backend.app.bidding.reviews import ReviewState
from backend.app.common.errors import LLMGateClosed
from backend.app.tasks.queries import AttemptView, EventView, FileView, TaskView
from backend.app.tasks.reviews import Change
from backend.app.tasks.service import KeptFile, NewText, Options, SameAs, Source
from backend.app.tasks.task import FINAL, WAITING, Status


class Problem(BaseModel):
    """RFC 9457 problem document."""

    class FieldProblem(BaseModel):
        field: str
        message: str
        type: str

    type: str = "about:blank"
    title: str
    status: int
    detail: str = Field(description="一句话说明（Accept-Language: en 时为英文）")
    code: str = Field(description="稳定的英文错误码")
    errors: list[FieldProblem] | None = None

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "about:blank",
                "title": "Not Found",
                "status": 404,
                "detail": "任务不存在",
                "code": "task_not_found",
            }
        }
    )


class Progress(BaseModel):
    percent: int = Field(ge=0, le=100)
    stage: str
    message: str


class TaskOut(BaseModel):
    id: int
    task_type: str
    status: StatusName
    priority: int
    retry_count: int
    max_retries: int
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    next_retry_at: datetime | None
    progress: Progress
    error: str | None
    error_code: str | None
    batch_id: str | None
    parent_id: int | None
    metadata: dict[str, Any] = Field(
        description="source、filename、size；结束后另有 duration_ms、total_ms、usage、retry_exhausted",
        examples=[{"source": "text"}],
    )

    @classmethod
    def of(cls, task: TaskView, language: Language, gate: LLMGateClosed | None = None) -> TaskOut:
        """`gate`: why tasks of this type wait, if they do."""
        retrying = task.status == Status.RETRY
        return cls(
            id=task.id,
            task_type=task.task_type,
            status=task.status,
            priority=task.priority,
            retry_count=task.retry_count,
            max_retries=task.max_retries,
            created_at=task.created_at,
            started_at=task.started_at,
            completed_at=task.completed_at,
            next_retry_at=task.run_at if retrying else None,
            progress=_progress(task, language, gate if task.status in WAITING else None),
            error=(task.error_en or task.error) if language == "en" else task.error,
            error_code=task.error_code,
            batch_id=task.batch_id,
            parent_id=task.parent_id,
            metadata=_metadata(task),
        )


class TaskDetail(TaskOut):
    result: dict[str, Any] | None = Field(description="完成之前为 null")


_STAGES: dict[str, tuple[int, str, str, str]] = {
    "pending": (0, "queued", "排队中", "Queued"),
    "retry": (0, "waiting_retry", "等待重试", "Waiting for the next try"),
    "running": (0, "started", "已开始", "Started"),
    "completed": (100, "completed", "已完成", "Completed"),
    "failed": (0, "failed", "执行失败", "Failed"),
    "cancelled": (0, "cancelled", "已取消", "Cancelled"),
}


def _progress(task: TaskView, language: Language, gate: LLMGateClosed | None) -> Progress:
    if gate is not None:
        return Progress(percent=0, stage="waiting_llm", message=gate.sentence(language))
    told = task.progress
    if told is not None:
        message = told.get("message_en") if language == "en" else None
        return Progress(
            percent=min(max(int(told.get("percent", 0)), 0), 100),
            stage=str(told.get("stage", "")),
            message=str(message or told.get("message", "")),
        )
    percent, stage, message_zh, message_en = _STAGES[task.status]
    return Progress(percent=percent, stage=stage, message=message_en if language == "en" else message_zh)


def _metadata(task: TaskView) -> dict[str, Any]:
    """What was stored, and how long the latest run and the whole took."""
    shown = dict(task.meta)
    if task.status in FINAL and task.completed_at is not None:
        if task.started_at is not None and task.status != Status.CANCELLED:
            shown["duration_ms"] = _milliseconds(task.completed_at - task.started_at)
        shown["total_ms"] = _milliseconds(task.completed_at - task.created_at)
    return shown


def _milliseconds(length: timedelta) -> float:
    return round(length.total_seconds() * 1000, 2)


class TaskPage(BaseModel):
    tasks: list[TaskOut]
    total: int
    limit: int
    offset: int


class StatsOut(BaseModel):
    stats: dict[StatusName, int] = Field(
        examples=[{"pending": 2, "running": 1, "completed": 15, "failed": 1, "retry": 0, "cancelled": 0}]
    )


class EventOut(BaseModel):
    id: int
    type: str
    status: StatusName | None
    message: str | None
    data: Any = None
    created_at: datetime

    @classmethod
    def of(cls, event: EventView) -> EventOut:
        return cls(
            id=event.id,
            type=event.type,
            status=event.status,
            message=event.message,
            data=event.data,
            created_at=event.created_at,
        )


class EventsOut(BaseModel):
    events: list[EventOut]


class AttemptOut(BaseModel):
    attempt: int
    worker: str
    started_at: datetime
    ended_at: datetime | None
    outcome: Literal["completed", "retry", "failed", "released", "cancelled", "lost"] | None
    error_code: str | None
    error: str | None
    usage: dict[str, Any] | None

    @classmethod
    def of(cls, attempt: AttemptView, language: Language) -> AttemptOut:
        return cls(
            attempt=attempt.attempt,
            worker=attempt.worker,
            started_at=attempt.started_at,
            ended_at=attempt.ended_at,
            outcome=attempt.outcome,
            error_code=attempt.error_code,
            error=(attempt.error_en or attempt.error) if language == "en" else attempt.error,
            usage=attempt.usage,
        )


class AttemptsOut(BaseModel):
    attempts: list[AttemptOut]


class ReviewIn(BaseModel):
    """What is left out stays as it is; null or an empty text removes the note."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"state": "confirmed", "note": "已与商务核对"}}
    )

    state: ReviewState | None = None
    note: Annotated[str, Clean, Field(max_length=2000)] | None = None

    def change(self) -> Change | None:
        """None when nothing was given."""
        if not self.model_fields_set:
            return None
        note = (self.note or "").strip() if "note" in self.model_fields_set else None
        return Change(self.state, note)


class PartialOut(BaseModel):
    """The form of the result, as far as it goes."""

    model_config = ConfigDict(extra="allow")

    complete: bool
    missing: list[dict[str, Any]] = Field(
        description="尚未完成的部分", examples=[[{"part": "第三章（第 5–8 页）"}]]
    )


class ItemOut(BaseModel):
    model_config = ConfigDict(extra="allow")

    id: str
    title: str
    review: dict[str, Any]


class FileOut(BaseModel):
    file_id: int
    filename: str
    size: int
    sha256: str

    @classmethod
    def of(cls, file: FileView) -> FileOut:
        return cls(file_id=file.id, filename=file.filename, size=file.size, sha256=file.sha256)


BaseTaskId = Annotated[
    Annotated[Id, Field(strict=True)] | None,
    Field(description="仅用于 bidding_comparison：与哪个已完成的标书分析任务比对"),
]


class TextPayload(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: str
    base_task_id: BaseTaskId = None


class FilePayload(BaseModel):
    model_config = ConfigDict(extra="forbid")
    file_id: Annotated[Id, Field(strict=True)]
    base_task_id: BaseTaskId = None


class TaskPayload(BaseModel):
    model_config = ConfigDict(extra="forbid")
    source_task_id: Annotated[Id, Field(strict=True)]
    base_task_id: BaseTaskId = None


def _payload_kind(value: object) -> str | None:
    names = ("text", "file_id", "source_task_id")
    found = [name for name in names if isinstance(value, dict) and name in value]
    return f"by_{found[0]}" if len(found) == 1 else None


Payload = Annotated[
    Annotated[TextPayload, Tag("by_text")]
    | Annotated[FilePayload, Tag("by_file_id")]
    | Annotated[TaskPayload, Tag("by_source_task_id")],
    Discriminator(_payload_kind),
]


class TaskCreate(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "task_type": "bidding_analysis",
                "payload": {"text": "第一章 招标公告 ……"},
                "max_retries": 3,
            }
        },
    )

    task_type: Annotated[str, Clean, Field(min_length=1, max_length=64)]
    payload: Payload
    config: Config | None = None
    max_retries: Annotated[MaxRetries, Field(strict=True)] = 3
    priority: Annotated[Priority, Field(strict=True)] = 0
    run_at: UtcTime | None = Field(None, description="不早于此时间执行，最多一年以后")

    def source(self) -> Source:
        match self.payload:
            case TextPayload(text=text):
                return NewText(text)
            case FilePayload(file_id=file_id):
                return KeptFile(file_id)
            case TaskPayload(source_task_id=task_id):
                return SameAs(task_id)

    def options(self) -> Options:
        return Options(self.max_retries, self.priority, self.run_at, self.config)


class TaskOptions(BaseModel):
    """The options of a form; a field left empty counts as left out."""

    max_retries: MaxRetries = 3
    priority: Priority = 0

    def options(self) -> Options:
        return Options(self.max_retries, self.priority)


class LegacyOut(BaseModel):
    summary: str
    tabs: list[Any]
    metadata: dict[str, Any]


class Health(BaseModel):
    status: Literal["ok", "unavailable"]
    checks: dict[str, Any] | None = None


class DocumentOut(BaseModel):
    """The canonical text. Offsets count Unicode code points of `text`."""

    class BlockOut(BaseModel):
        start: int
        end: int
        kind: str
        page: int | None = None
        path: str | None = None
        level: int | None = None
        cell: dict[str, int] | None = None

    class PageOut(BaseModel):
        number: int
        width: float
        height: float
        start: int
        end: int

    class FileOut(BaseModel):
        """One file of a package: text[start:end], its pages in the numbering of the whole document."""

        name: str
        start: int
        end: int
        media_type: str
        first_page: int | None
        pages: int

    text: str
    blocks: list[BlockOut]
    pages: list[PageOut] | None = None
    warnings: list[str]
    files: list[FileOut] | None = Field(None, description="The files of a package.")
    unread: list[int] | None = Field(None, description="Numbers of the pages whose text is not here.")
    ocr_pages: list[int] | None = Field(None, description="Numbers of the pages that were read by OCR.")
