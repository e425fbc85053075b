"""A product whose workers come and go, each with settings of its own, and the books that it keeps."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from sqlalchemy import func, select

from backend.app.db.engine import Database
from backend.app.db.models import LLM_CALLS, TASK_STEPS
from backend.tests.acceptance.product import ROOT, Product, eventually, product
from backend.tests.fakes.llm_server import FakeLLM

# Good for a part and for the overview of all parts.
ANSWER = json.dumps({"facts": [], "items": [], "summary": "某某项目。"}, ensure_ascii=False)
QUICK = {"SA_LEASE_SECONDS": "2", "SA_HEARTBEAT_SECONDS": "0.5", "SA_POLL_INTERVAL": "0.5"}
USAGE = {"prompt_tokens": 6000, "completion_tokens": 1000, "total_tokens": 7000}


def tender(name: str, chapters: int, *, lines: int = 108) -> str:
    """Made-up text; a chapter of 108 lines (5800 characters) is about what is read in one part."""
    clause = "供应商应按照招标文件的要求提供服务，并对其真实性与完整性负责，未经采购人同意不得转包或分包。"
    made = []
    for number in range(1, chapters + 1):
        made += [f"第{number}章 {name}", *(f"{number}.{line} {clause}" for line in range(1, lines + 1))]
    return "\n".join(made)


class Books:
    """What the product's database says of steps and calls."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)

    def close(self) -> None:
        self._database.dispose()

    def steps(self, task_id: int, *statuses: str) -> set[str]:
        """Names of the steps that call a model, in these states."""
        mine = select(TASK_STEPS.c.name).where(
            TASK_STEPS.c.task_id == task_id,
            TASK_STEPS.c.name.like("llm/%"),
            TASK_STEPS.c.status.in_(statuses),
        )
        with self._database.read() as conn:
            return set(conn.execute(mine).scalars())

    def calls(self, *task_ids: int) -> tuple[int, int, Decimal]:
        """Rows of the ledger, those of them whose end was seen, and what all have cost."""
        mine = select(func.count(), func.count(LLM_CALLS.c.success), func.sum(LLM_CALLS.c.cost))
        with self._database.read() as conn:
            rows, ended, cost = conn.execute(mine.where(LLM_CALLS.c.task_id.in_(task_ids))).one()
        return rows, ended, Decimal(str(cost))


@dataclass(frozen=True)
class Running:
    product: Product
    books: Books

    @contextlib.contextmanager
    def worker(self, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """A worker with these settings, by the command itself: its script would take as long as its work."""
        before = dict(self.product.environment)
        self.product.environment |= {"PYTHONPATH": str(ROOT), **environment}
        try:
            began = len(self.product.lines("worker_started"))
            process = self.product.start(sys.executable, "-m", "backend.app.tasks.worker")
            eventually(lambda: len(self.product.lines("worker_started")) > began, seconds=60)
        finally:
            self.product.environment = before
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)


@contextlib.contextmanager
def running(folder: Path, url: str) -> Iterator[Running]:
    with product(folder, SA_DATABASE_URL=url, **QUICK) as made:
        made.start_backend()
        made.log_in()
        books = Books(url)
        yield Running(made, books)
        books.close()


def asking(model: FakeLLM, key: str = "") -> dict[str, str]:
    return {
        "BIDDING_ASSISTANT_LLM_PROVIDER": "openai_compatible",
        "BIDDING_ASSISTANT_LLM_MODEL": "fake",
        "BIDDING_ASSISTANT_LLM_BASE_URL": model.base_url,
        "BIDDING_ASSISTANT_LLM_API_KEY": key,
    }


def deployment(name: str, base_url: str, *, window: int = 32_000, prices: str = "{}") -> str:
    """A table of the file that SA_LLM_CONFIG names."""
    return f"""
[[deployment]]
name = "{name}"
provider = "openai_compatible"
model = "fake"
base_url = "{base_url}"
context_window = {window}
prices = {prices}
"""


def parts_of(model: FakeLLM) -> set[str]:
    """The different questions that it was asked."""
    return {seen.text for seen in model.seen}
