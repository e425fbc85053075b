"""`cli llm-check` as an operator runs it: each configured deployment is called, whatever the others do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backend.app import cli
from backend.app.common.errors import LLMAuthFailed, LLMConnectionFailed
from backend.app.llm.check import check_all
from backend.app.llm.types import StructuredLevel
from backend.app.settings import REPOSITORY, Settings
from backend.tests.databases import free_port
from backend.tests.fakes import llm_server as fake
from backend.tests.fakes.llm_server import FakeLLM, serve_in_thread
from backend.tests.llm_asking import deployment, soon
from backend.tests.unit.test_settings import variable

PONG = '{"ok": true}'
RIGHT, WRONG = "sk-right-1234567", "sk-wrong-7654321"


def table(*deployments: tuple[str, str, str]) -> str:
    """The file: name, address, variable of the key."""
    return "\n".join(
        f'[[deployment]]\nname = "{name}"\nprovider = "openai_compatible"\nmodel = "m-1"\n'
        f'base_url = "{address}"\nkey_env = "{key}"\ntimeout = 10\n'
        for name, address, key in deployments
    )


def run(config: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """The command with these variables and none of the developer's own."""
    ours = {variable(name, field) for name, field in Settings.model_fields.items()}
    env = {name: value for name, value in os.environ.items() if name not in ours} | {
        "SA_DATA_DIR": str(folder),
        "SA_LLM_CONFIG": str(config),
        "KEY_RIGHT": RIGHT,
        "KEY_WRONG": WRONG,
        "PYTHONUTF8": "1",
    }
    command = [sys.executable, "-m", "backend.app.cli", "llm-check"]
    return subprocess.run(
        command, cwd=REPOSITORY, env=env, capture_output=True, text=True, encoding="utf-8", timeout=60
    )


def test_one_good_one_with_a_wrong_key_and_one_unreachable(tmp_path: Path) -> None:
    refuse = fake.error(401, "invalid_api_key", f"Incorrect API key provided: {WRONG}")
    file = tmp_path / "llm.toml"
    with (
        serve_in_thread(FakeLLM(default=lambda seen: fake.stream(PONG))) as kind,
        serve_in_thread(FakeLLM(default=lambda seen: refuse)) as strict,
    ):
        nobody = f"http://127.0.0.1:{free_port()}/v1"
        file.write_text(
            table(
                ("主用", kind.base_url, "KEY_RIGHT"),
                ("wrong-key", strict.base_url, "KEY_WRONG"),
                ("nobody", nobody, "KEY_RIGHT"),
            ),
            encoding="utf-8",
        )
        done = run(file, tmp_path)
    assert done.returncode == 1, done.stderr
    head, _, good, wrong, unreachable, *sentences = done.stdout.splitlines()
    assert head.split()[0] == "部署"
    assert good.split()[0] == "主用"
    assert good.endswith("✓ 正常")
    assert "json_schema" in good
    assert " ms" in good
    assert wrong.split()[0] == "wrong-key"
    assert wrong.endswith("✗ 失败")
    assert unreachable.split()[0] == "nobody"
    assert unreachable.endswith("✗ 失败")
    assert [sentence.split("：")[0] for sentence in sentences] == ["✗ wrong-key", "✗ nobody"]
    assert LLMAuthFailed.message in sentences[0]
    assert LLMConnectionFailed.message in sentences[1]
    for key in (RIGHT, WRONG):
        assert key not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert kind.seen[0].headers["authorization"] == f"Bearer {RIGHT}"
    assert (len(kind.seen), len(strict.seen)) == (1, 1)  # each is called once


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without any setting but a data folder."""
    for name, field in Settings.model_fields.items():
        monkeypatch.delenv(variable(name, field), raising=False)
    monkeypatch.setenv("SA_DATA_DIR", str(tmp_path))


@pytest.mark.usefixtures("bare")
def test_nothing_configured_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["llm-check"]) == 0
    assert "内置规则" in capsys.readouterr().out


@pytest.mark.usefixtures("bare")
def test_a_file_with_a_mistake_is_exit_code_two_and_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "llm.toml"
    file.write_text(table(("a", "http://127.0.0.1:1/v1", "KEY_THAT_IS_NOT_SET")), encoding="utf-8")
    monkeypatch.setenv("SA_LLM_CONFIG", str(file))
    assert cli.run(["llm-check"]) == 2
    told = capsys.readouterr()
    assert "KEY_THAT_IS_NOT_SET" in told.err
    assert len(told.err.splitlines()) == 1
    assert told.out == ""


def test_all_good_is_exit_code_zero(tmp_path: Path) -> None:
    file = tmp_path / "llm.toml"
    with serve_in_thread(FakeLLM(default=lambda seen: fake.stream(PONG))) as kind:
        file.write_text(table(("a", kind.base_url, "KEY_RIGHT")), encoding="utf-8")
        done = run(file, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "✗" not in done.stdout


async def test_the_level_is_the_one_that_the_server_understood() -> None:
    refuse = fake.error(400, message="response_format json_schema is not supported")
    async with FakeLLM(refuse, fake.stream(PONG)) as llm:
        (found,) = await soon(check_all([deployment(llm)]))
    assert (found.error, found.level) == (None, StructuredLevel.JSON_OBJECT)


async def test_a_deployment_that_hangs_holds_nobody_up() -> None:
    async with FakeLLM(fake.hang()) as silent, FakeLLM(fake.stream(PONG)) as kind:
        began = time.monotonic()
        targets = [deployment(silent, "silent"), deployment(kind, "kind")]
        stuck, good = await soon(check_all(targets, seconds=2.5))
        assert time.monotonic() - began < 6
    assert stuck.error is not None
    assert good.error is None
    assert stuck.deployment.label == "silent"


@pytest.mark.parametrize("status", [429, 503])
async def test_nothing_is_tried_again(status: int) -> None:
    """The operator waits in front of a terminal, and wants to know how it is now."""
    wait = {"Retry-After": "100"}
    async with FakeLLM(default=lambda seen: fake.error(status, headers=wait)) as llm:
        (found,) = await soon(check_all([deployment(llm)]))
    assert found.error is not None
    assert len(llm.seen) == 1
