"""The handler of a tender and its canonical text, in the storage that a purge may visit at any time."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backend.app.common.errors import LLMUnavailable
from backend.app.documents.reading import Reader
from backend.app.documents.sandbox import ParsePool
from backend.app.documents.storage import Storage
from backend.app.handlers import bidding
from backend.app.tasks import retention
from backend.app.tasks.reports import ReportDesk
from backend.app.tasks.runner import Runner
from backend.tests.queue_world import World

TYPE = "bidding_analysis"
TEXT = "招标公告\n项目名称：某某学校物业服务\n投标截止时间：2031年3月1日9:00\n" * 30


async def test_a_purge_leaves_the_text_of_a_task_that_is_using_it(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No row names the text before the task has ended; the parse was hours ago, in an earlier attempt."""
    storage = Storage(tmp_path)
    upload = storage.put_bytes(TEXT.encode())
    analyse = bidding.analyse_with_rules
    is_first = True

    def interrupted(document: Any, *read: Any) -> Any:
        if is_first:
            raise LLMUnavailable
        retention.run(world.database, storage, now=datetime.now(UTC), days=30, dry_run=False)
        return analyse(document, *read)

    async def run(verb: Any, *args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(world.write, verb, *args, **kwargs)

    monkeypatch.setattr(bidding, "analyse_with_rules", interrupted)
    handler = bidding.BiddingHandler(storage, Reader(ParsePool(1)))
    desk = ReportDesk(run)
    desk.start()
    runner = Runner({TYPE: handler}, desk, run, lambda: True, timeout=60)
    world.now = datetime.now(UTC)
    task_id = world.submit(world.user(), task_type=TYPE, file_sha256=upload.sha256)
    (first,) = world.claim(types=(TYPE,))
    await asyncio.create_task(runner.run(first))
    assert world.status(task_id) == "retry"
    long_ago = time.time() - 2 * 3600
    for file in storage.files():
        os.utime(storage.path(file.sha256), (long_ago, long_ago))

    is_first = False
    world.later(3600)
    (second,) = world.claim(types=(TYPE,), lease_seconds=9999.0)
    await asyncio.create_task(runner.run(second))
    await desk.stop()

    row = world.row(task_id)
    assert row.status == "completed"
    assert storage.exists(row.document_sha256)
