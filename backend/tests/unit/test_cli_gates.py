"""`cli gates`: what an operator sees and opens without a worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.app import cli
from backend.app.db.engine import Database
from backend.app.llm import gate_rows

GATE = {"provider": "openai", "model": "m", "purposes": [], "config_hash": "h"}


@pytest.fixture
def database(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setenv("SA_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SA_DATABASE_URL", sqlite_url)
    return Database(sqlite_url)


def test_gates_are_listed_and_one_is_opened_by_hand(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    with database.write() as conn:
        gate_rows.register_gates(conn, [{**GATE, "name": name} for name in ("main", "spare")])
        gate_rows.close_gate(conn, {**GATE, "name": "main"}, reason="quota", error_code="x", seconds=None)

    assert cli.run(["gates"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed[0].startswith("main：") and "余额" in listed[0] and "下次探测在" in listed[0]
    assert listed[1] == "spare：开放"

    assert cli.run(["gates", "--open", "main"]) == 0
    told = capsys.readouterr()
    assert told.err.strip() == "已打开 main"
    assert told.out.splitlines() == ["main：开放", "spare：开放"]
    database.dispose()


def test_without_gates_it_says_why_there_are_none(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["gates", "--open", "nobody"]) == 0
    told = capsys.readouterr().err
    assert "没有这个部署" in told and "没有配置 LLM 部署" in told
    database.dispose()
