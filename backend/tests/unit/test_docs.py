"""The documents agree with each other and with the code; what they show can be run."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from backend.app.db.engine import Database
from backend.app.settings import REPOSITORY, Settings
from backend.app.tasks import queue
from backend.app.tasks.task import Status
from backend.tests.queue_world import World, report
from backend.tests.unit.test_settings import variable

DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")])
TASK_SYSTEM = REPOSITORY / "docs" / "task-system.zh-CN.md"
ENGLISH, CHINESE = REPOSITORY / "README.md", REPOSITORY / "README.zh-CN.md"


def prose(document: Path) -> str:
    """Without fenced code."""
    return re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.S | re.M)


def fenced(document: Path, language: str) -> list[str]:
    blocks = re.findall(rf"^```{language}\n(.*?)^```", document.read_text(encoding="utf-8"), re.S | re.M)
    return [block.strip() for block in blocks]


def anchor(heading: str) -> str:
    """As GitHub makes them."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def links(document: Path) -> Iterator[str]:
    yield from re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)", prose(document))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_link_of_a_document_leads_somewhere(document: Path) -> None:
    for link in links(document):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, part = link.partition("#")
        target = (document.parent / file).resolve() if file else document
        assert target.exists(), link
        if part:
            headings = re.findall(r"^#+ (.*)$", prose(target), re.M)
            assert part in map(anchor, headings), link


def test_the_task_system_document_links_what_the_old_one_linked() -> None:
    named = {link.rpartition("/")[2] for link in links(TASK_SYSTEM)}

    assert {"architecture-overview.md", "todo.md", ".env.example"} <= named


def test_both_readmes_have_the_same_sections_and_commands() -> None:
    def outline(document: Path) -> list[int]:
        return [len(marks) for marks in re.findall(r"^(#+) ", prose(document), re.M)]

    def commands(document: Path) -> list[str]:
        lines = [line for block in fenced(document, "bash") for line in block.splitlines()]
        return [re.sub(r"\s+#.*$", "", line) for line in lines]

    assert outline(ENGLISH) == outline(CHINESE)
    assert commands(ENGLISH) == commands(CHINESE)
    assert fenced(ENGLISH, "json") == fenced(CHINESE, "json")
    assert list(links(ENGLISH))[1:] == list(links(CHINESE))[1:]  # the first leads to the other language


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_document_names_only_settings_and_files_that_exist(document: Path) -> None:
    """Files of ours under `backend/`, and SA_ variables; those of the old layout stand with an ellipsis."""
    words = prose(document)
    known = {variable(name, field) for name, field in Settings.model_fields.items()}
    for name in re.findall(r"\bSA_[A-Z][A-Z_]+[A-Z]\b", words):
        assert name in known, name
    for path in re.findall(r"`((?:backend|docs|scripts)/[\w./-]+)`", words):
        assert (REPOSITORY / path).exists(), path


def test_scripts_are_executable_and_explain_themselves() -> None:
    for name in ("start_backend.sh", "start_worker.sh", "run_tests.sh"):
        done = subprocess.run([REPOSITORY / name, "--help"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, name
        assert f"./{name}" in done.stdout


def test_make_help_lists_every_command() -> None:
    rules = re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.M)
    shown = subprocess.run(["make", "-s", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True)

    assert set(re.findall(r"^ +make (\S+)", shown.stdout, re.M)) == set(rules)


def test_every_module_has_its_place_in_the_layers() -> None:
    """A new package without a layer could import anything."""
    tools = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    (contract,) = [c for c in tools["importlinter"]["contracts"] if c["id"] == "layers"]
    placed = set(re.findall(r"backend\.app\.([\w.]+)", " ".join(contract["layers"])))
    app = REPOSITORY / "backend" / "app"
    found = {
        path.stem
        for path in app.iterdir()
        if path.stem != "__init__" and (path.suffix == ".py" or (path / "__init__.py").exists())
    }
    inside = {f"tasks.{path.stem}" for path in (app / "tasks").iterdir() if path.stem[0] != "_"}

    assert found - {"tasks"} <= placed
    assert inside <= placed


# The SQL of the task system document


def statements(dialect: str) -> list[str]:
    named = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[dialect]
    blocks = fenced(TASK_SYSTEM, "sql")
    return [block for block in blocks if named in block.splitlines()[0]]


def answers(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Every statement of this database by the name of its last column."""
    found = {}
    for sql in statements(database.dialect):
        with database.read() as conn:
            result = conn.execute(text(sql.rstrip(";")))
            found[list(result.keys())[-1]] = [dict(row) for row in result.mappings()]
    return found


def test_the_sql_of_the_document_can_be_run_on_an_empty_database(database: Database) -> None:
    found = answers(database)

    assert found["success_rate"] == [{"success_rate": None}]
    assert found["backlog"] == [{"backlog": 0}]
    assert found["avg_duration"] == []


def test_the_sql_of_the_document_says_what_it_promises(database: Database) -> None:
    world = World(database)
    world.now = datetime.now(UTC) - timedelta(minutes=5)
    user = world.user()
    world.write(queue.register_worker, world.identity("w1"), now=world.now)
    for seconds in (10, 30):
        task = world.running(user)
        world.later(seconds)
        world.finish(report(task, Status.COMPLETED))
    world.in_state(Status.FAILED, user)
    world.in_state(Status.RETRY, user)

    found = answers(database)

    assert found["success_rate"] == [{"success_rate": 50}]
    (average,) = found["avg_duration"]
    assert average["task_type"] == "noop"
    assert float(average["avg_duration"]) == pytest.approx(20, abs=0.01)
    assert found["count"] == [{"retry_count": 0, "count": 3}, {"retry_count": 1, "count": 1}]
    assert found["backlog"] == [{"backlog": 1}]
    assert found["last_seen"][0]["last_seen"] is not None


def test_the_document_has_each_statement_for_both_databases() -> None:
    assert len(statements("sqlite")) == len(statements("postgresql")) == 5
