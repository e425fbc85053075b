"""Many streams in one worker: small tenders, whose answers drip until all are open together."""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, insert, select

from backend.app.db import migrate
from backend.app.db.engine import Database
from backend.app.db.models import FILES, LLM_CALLS, TASKS, USERS
from backend.app.documents.storage import Storage, storage_from_url
from backend.app.tasks import queue
from backend.app.tasks.task import NewTask
from benchmarks.llm.figures import Table
from benchmarks.llm.server import DRIP_SECONDS, LONGEST_SECONDS, model_server, told_by
from benchmarks.llm.worker import until, worker

MOST_MB = 300
TENDER = """第一章 招标公告
项目名称：某市政务云运维服务项目
项目编号：BENCH-2026-{number:04d}
采购人：某市大数据管理局
预算金额：120万元
投标截止时间：2026年12月20日9时30分
第二章 投标人须知
投标函未加盖公章的，其投标无效。
投标有效期：自投标截止之日起90日。
投标保证金：人民币2万元，应于投标截止时间前到账。
本项目不接受联合体投标。
第三章 评标办法
价格分30分，技术分50分，商务分20分。
技术方案完整、可行的得10分，较完整的得6分，其余不得分。
第四章 采购需求
★供应商须提供7×24小时驻场服务，驻场人员不少于5人。
"""


def submit(database: Database, storage: Storage, count: int) -> None:
    """So many texts, queued in one transaction as the API queues one."""
    now = datetime.now(UTC)
    kept = [storage.put_bytes(TENDER.format(number=n).encode()) for n in range(count)]
    with database.write() as conn:
        user = dict.fromkeys(("username", "display_name", "password_hash"), "bench")
        user_id = conn.execute(
            insert(USERS).values(**user, role="user", is_active=True, created_at=now).returning(USERS.c.id)
        ).scalar_one()
        tasks = []
        for file in kept:
            named = {"filename": "文本.txt", "media_type": "text/plain", "size": file.size}
            row = insert(FILES).values(user_id=user_id, sha256=file.sha256, created_at=now, **named)
            file_id = conn.execute(row.returning(FILES.c.id)).scalar_one()
            meta = {"source": "text"}
            payload = {**meta, "file_id": file_id, "media_type": "text/plain"}
            tasks.append(
                NewTask(user_id, "bidding_analysis", payload, meta, file_id=file_id, file_sha256=file.sha256)
            )
        queue.submit(conn, tasks)


def ended_count(statuses: dict[str, int]) -> int:
    return sum(statuses.get(status, 0) for status in ("completed", "failed"))


def streams_in_worker(table: Table, count: int, hold: float) -> None:
    table.head(f"{count} streaming calls in one worker, SQLite, some 450 bytes each every {DRIP_SECONDS} s")
    with tempfile.TemporaryDirectory() as name, model_server(count, hold) as base_url:
        folder = Path(name)
        url = f"sqlite:///{folder}/bench.db"
        database = Database(url)
        migrate.upgrade(database)

        def statuses_now() -> dict[str, int]:
            with database.read() as conn:
                rows = conn.execute(select(TASKS.c.status, func.count()).group_by(TASKS.c.status))
                return {str(status): number for status, number in rows.all()}

        with worker(folder, url, base_url, count) as watched:
            until(lambda: watched.logged("worker_started") > 0, watched, 60)
            time.sleep(1)
            idle = watched.memory("VmRSS")
            submit(database, storage_from_url("", folder / "data"), count)
            opening = until(lambda: told_by(base_url)["most"] >= count, watched, LONGEST_SECONDS)
            at_open = watched.memory("VmRSS")
            holding = until(lambda: told_by(base_url)["open"] < count, watched, hold + 30)
            at_hold = watched.memory("VmRSS")
            ending = until(lambda: ended_count(statuses_now()) >= count, watched, 180)
            peak, statuses, told = watched.memory("VmHWM"), statuses_now(), told_by(base_url)
            logged = watched.logged("llm_response")
        with database.read() as conn:
            success = LLM_CALLS.c.success
            answered, made = conn.execute(select(func.count().filter(success), func.count(success))).one()
        database.dispose()
    most = told["most"]
    table.row("streams open at once, at the server", str(most), f"≥ {count}", met=most >= count)
    table.row("worker's memory, at its peak", f"{peak:.0f} MB", f"≤ {MOST_MB} MB", met=peak <= MOST_MB)
    table.row("  idle / all open / after the hold", f"{idle:.0f} / {at_open:.0f} / {at_hold:.0f} MB")
    table.row("children of the worker, not counted", f"{watched.children} ({watched.children_mb:.0f} MB)")
    done = statuses.get("completed", 0)
    table.row("tasks completed", f"{done} {statuses if done != count else ''}", str(count), met=done == count)
    # A call that found no connection is in the ledger and the log, and was never at the server.
    same = told["calls"] == answered and made == logged
    counts = f"{told['calls']} / {answered} of {made} / {logged}"
    table.row("calls: server / ledger / log", counts, "equal", met=same)
    for what, (seconds, cpu) in (("open all", opening), ("hold", holding), ("end all", ending)):
        table.row(f"  {what}", f"{seconds:5.1f} s, worker's CPU {cpu:5.1f} s ({100 * cpu / seconds:.0f} %)")
