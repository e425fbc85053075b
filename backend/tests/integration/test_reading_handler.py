"""A scan in the hands of a worker: each page a durable step, whatever ends the attempt in between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import select

from backend.app.db.models import TASK_STEPS
from backend.app.documents.canonical import Document
from backend.app.documents.ocr.limits import OcrLimits
from backend.app.documents.ocr.session import OcrDesk
from backend.app.documents.reading import Reader
from backend.app.documents.sandbox import ParsePool
from backend.app.documents.storage import Storage
from backend.app.handlers.bidding import BiddingHandler
from backend.app.tasks import runner
from backend.app.tasks.reports import ReportDesk
from backend.app.tasks.runner import Runner
from backend.app.tasks.task import Task
from backend.tests.documents_made import PdfPage, make_pdf
from backend.tests.fakes import ocr_child
from backend.tests.fakes.ocr_child import ocr_children
from backend.tests.queue_world import World

TYPE = "bidding_analysis"


class Work:
    """One worker's parts around a fake OCR child, which reads a page in no time."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder = world, folder
        self.storage = Storage(folder / "storage")
        self.desk = ReportDesk(self.write)
        world.now = datetime.now(UTC)

    async def write(self, verb: Any, *args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(self.world.write, verb, *args, **kwargs)

    def submit(self, pages: int) -> Task:
        """A claimed task over a scan of so many pages."""
        path = make_pdf(self.folder / "scan.pdf", *(PdfPage(image=True) for _ in range(pages)))
        upload = self.storage.put_bytes(path.read_bytes())
        self.world.submit(
            self.world.user(), task_type=TYPE, file_sha256=upload.sha256, payload={"filename": "scan.pdf"}
        )
        return self.claim()

    def claim(self) -> Task:
        (task,) = self.world.claim(types=(TYPE,), lease_seconds=9999.0)
        return task

    def runner(self, *, seconds: float = 1.0, **reader: Any) -> Runner:
        """`seconds`: of a page."""
        desk = OcrDesk(OcrLimits(page_seconds=seconds), module=ocr_child.MODULE)
        handler = BiddingHandler(self.storage, Reader(ParsePool(1), **({"desk": desk} | reader)))
        return Runner({TYPE: handler}, self.desk, self.write, lambda: True, timeout=60)

    async def run(self, task: Task, **reader: Any) -> Any:
        """One attempt; the task's row afterwards."""
        await asyncio.create_task(self.runner(**reader).run(task))
        return self.world.row(task.id)

    def steps(self, task: Task) -> list[str]:
        """Names of the steps whose result is kept."""
        steps = TASK_STEPS.c
        query = select(steps.name).where(steps.task_id == task.id, steps.status == "done")
        with self.world.database.read() as conn:
            return list(conn.execute(query.order_by(steps.id)).scalars())

    def document(self, row: Any) -> Document:
        return Document.from_bytes(self.storage.read_bytes(row.document_sha256))


@pytest.fixture
async def work(world: World, tmp_path: Path) -> AsyncIterator[Work]:
    made = Work(world, tmp_path)
    made.desk.start()
    yield made
    await made.desk.stop()
    assert ocr_children() == []


async def until(happened: Callable[[], bool]) -> None:
    for _ in range(1200):
        if await asyncio.to_thread(happened):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it never happened")


async def test_a_scan_becomes_a_result_whose_pages_are_told(work: Work) -> None:
    task = work.submit(3)

    row = await work.run(task)

    assert row.status == "completed"
    assert work.steps(task) == ["parse", "ocr/1", "ocr/2", "ocr/3", "text"]
    assert row.result["document"]["ocr_pages"] == [1, 2, 3]
    assert (row.result["document"]["warnings"], row.result["gaps"]) == ([], [])
    assert row.result["usage"]["calls"] == 0  # it is slow, not paid for
    document = work.document(row)
    assert document.text == "第1页\n第2页\n第3页"
    assert (document.unread, document.ocr_pages) == ((), (1, 2, 3))


async def test_pages_beyond_the_limit_are_named_as_a_gap(work: Work) -> None:
    task = work.submit(5)

    row = await work.run(task, max_ocr_pages=2)

    assert row.status == "completed"
    (gap,) = row.result["gaps"]
    assert gap["part"] == "第 3–5 页" and "2 页" in gap["reason"]
    assert row.result["document"]["ocr_pages"] == [1, 2]
    assert any("第 3–5 页" in note for note in row.result["document"]["warnings"])
    assert work.document(row).unread == (3, 4, 5)


async def test_without_ocr_a_scan_is_refused_in_words_that_say_what_it_needs(work: Work) -> None:
    row = await work.run(work.submit(2), max_ocr_pages=0)

    assert (row.status, row.error_code) == ("failed", "document_needs_ocr")


async def test_a_page_on_which_the_child_dies_is_a_gap_and_not_the_task_s_end(work: Work) -> None:
    task = work.submit(ocr_child.DIES + 1)

    with structlog.testing.capture_logs() as lines:
        row = await work.run(task)

    assert row.status == "completed"
    assert row.result["document"]["ocr_pages"] == [*range(1, ocr_child.DIES), ocr_child.DIES + 1]
    (gap,) = row.result["gaps"]
    assert gap["part"] == f"第 {ocr_child.DIES} 页"
    assert [line["page"] for line in lines if line["event"] == "ocr_page_failed"] == [ocr_child.DIES]


async def test_when_no_page_can_be_read_the_task_fails_with_the_page_s_error(work: Work) -> None:
    """And not after trying each of a thousand pages: a machine that can't is known after three."""
    task = work.submit(5)

    row = await work.run(task, desk=OcrDesk(module="backend.tests.fakes.no_such"))

    assert (row.status, row.error_code) == ("failed", "unreadable_document")
    assert work.steps(task) == ["parse", "ocr/1", "ocr/2", "ocr/3"]


async def test_after_an_interruption_only_the_pages_that_are_missing_are_read(work: Work) -> None:
    """The worker stops over page 14; the next one finds thirteen pages, one of them as failed before."""
    task = work.submit(ocr_child.HANGS)
    dying = asyncio.create_task(work.runner(seconds=60.0).run(task))
    await until(lambda: f"ocr/{ocr_child.HANGS - 1}" in work.steps(task))
    dying.cancel()
    await asyncio.wait({dying})
    before = work.steps(task)

    work.world.later(3600)
    (again,) = work.world.claim(types=(TYPE,), lease_seconds=9999.0)
    with structlog.testing.capture_logs() as lines:
        row = await work.run(again)

    assert row.status == "completed"
    assert before == ["parse", *(f"ocr/{number}" for number in range(1, ocr_child.HANGS))]
    assert work.steps(again) == [*before, f"ocr/{ocr_child.HANGS}", "text"]
    # What was kept is neither read nor broken on again: only the page that hangs is.
    assert [line["event"] for line in lines if line["event"] == "parse_died"] == ["parse_died"]
    assert row.result["gaps"][0]["part"] == f"第 {ocr_child.DIES}、{ocr_child.HANGS} 页"


async def test_a_cancelled_task_lets_go_of_its_child_within_two_seconds(work: Work) -> None:
    task = work.submit(ocr_child.HANGS)
    runner = work.runner(seconds=60.0)
    working = asyncio.create_task(runner.run(task))
    await until(lambda: f"ocr/{ocr_child.HANGS - 1}" in work.steps(task))
    begun = time.monotonic()

    runner.lose(task.lease)  # what the worker does when it hears that a person cancelled
    await working

    assert time.monotonic() - begun < 2
    assert ocr_children() == []


async def test_the_same_scan_again_is_not_read_again(work: Work) -> None:
    """Under another name: a page is known by the file's content."""
    first = work.submit(2)
    await work.run(first)
    user = work.world.row(first.id).user_id
    sha256 = work.world.row(first.id).file_sha256
    work.world.submit(user, task_type=TYPE, file_sha256=sha256, payload={"filename": "copy.pdf"})

    row = await work.run(work.claim(), desk=OcrDesk(module="backend.tests.fakes.no_such"))

    assert row.status == "completed"
    assert row.result["document"]["ocr_pages"] == [1, 2]


async def test_progress_names_the_page_in_both_languages(work: Work) -> None:
    task = work.submit(ocr_child.HANGS)
    working = asyncio.create_task(work.runner(seconds=60.0).run(task))
    wanted = f"识别扫描页 {ocr_child.HANGS}/{ocr_child.HANGS}"
    await until(lambda: (work.world.row(task.id).progress or {}).get("message") == wanted)
    told = work.world.row(task.id).progress
    working.cancel()
    await asyncio.wait({working})

    assert told["stage"] == "ocr"
    assert told["message_en"] == f"Reading scanned page {ocr_child.HANGS}/{ocr_child.HANGS}"
    assert 5 < told["percent"] < 30


async def test_every_stage_is_told_in_both_languages(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(runner, "PROGRESS_EVERY_S", 0.0)
    monkeypatch.setattr(work.desk, "note", lambda lease, user_id, shown: told.append(dict(shown)))

    await work.run(work.submit(1))

    assert {one["stage"] for one in told} >= {"parsing", "ocr", "analysing", "grounding"}
    assert all(one.get("message_en", "").isascii() and one.get("message_en") for one in told), told
