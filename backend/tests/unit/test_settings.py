"""The settings: defaults, refusals that name the setting, and `.env.example` saying the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from backend.app.settings import REPOSITORY, Settings, SettingsError, load_settings

EXAMPLE = REPOSITORY / ".env.example"
# Defaults that depend on the machine or on other settings stand empty in the example.
DERIVED = {"SA_PARSE_PROCESSES"}


def variable(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    return f"SA_{name.upper()}"


def example() -> dict[str, str]:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, field in Settings.model_fields.items():
        monkeypatch.delenv(variable(name, field), raising=False)


def test_the_example_names_exactly_the_settings() -> None:
    assert set(example()) == {variable(name, field) for name, field in Settings.model_fields.items()}


def test_the_example_states_the_defaults(tmp_path: Path) -> None:
    """Copied as it is, `.env.example` changes nothing."""
    empty = tmp_path / "empty.env"
    empty.touch()

    assert load_settings(EXAMPLE) == load_settings(empty)


def test_every_setting_of_the_example_is_explained_in_both_languages() -> None:
    blocks = EXAMPLE.read_text(encoding="utf-8").split("\n\n")
    for block in blocks:
        if re.search(r"^\w+=", block, re.M):
            assert re.search(r"^# .*[\u4e00-\u9fff]", block, re.M), block
            assert re.search(r"^# (?!.*[\u4e00-\u9fff]).*[a-zA-Z]", block, re.M), block


def test_the_example_states_the_range_of_every_number() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    for name, field in Settings.model_fields.items():
        bounds = {type(rule).__name__: rule for rule in field.metadata}
        if {"Ge", "Le"} <= bounds.keys():
            low, high = f"{bounds['Ge'].ge:g}", str(bounds["Le"].le)
            block = next(part for part in text.split("\n\n") if f"{variable(name, field)}=" in part)
            assert f"{low} 至 {high}" in block, variable(name, field)


def test_the_database_lies_in_the_data_folder_unless_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SA_DATA_DIR", str(tmp_path))

    assert load_settings(None).database_url == f"sqlite:///{tmp_path}/sales_assistant.db"


def test_a_relative_folder_does_not_depend_on_where_a_command_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SA_DATA_DIR", "./elsewhere")
    monkeypatch.chdir(tmp_path)

    assert load_settings(None).data_dir == REPOSITORY / "elsewhere"


def test_a_relative_database_file_does_not_depend_on_it_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SA_DATABASE_URL", "sqlite:///data/other.db")

    assert load_settings(None).database_url == f"sqlite:///{REPOSITORY}/data/other.db"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SA_PORT", "abc"),
        ("SA_PORT", "70000"),
        ("SA_POLL_INTERVAL", "0"),
        ("SA_ENV", "staging"),
        ("SA_MAX_UPLOAD_MB", "-1"),
        ("BIDDING_ASSISTANT_LLM_PROVIDER", "acme"),
        ("BIDDING_ASSISTANT_LLM_TIMEOUT", "-5"),
        ("SA_STORAGE_URL", "s3://bucket/files"),
    ],
)
def test_a_bad_value_is_refused_by_name(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=name) as refused:
        load_settings(None)

    assert value in str(refused.value)


def test_a_refused_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SA_ENV", "production")
    monkeypatch.setenv("SA_JWT_SECRET", "too-short-to-be-one")

    with pytest.raises(SettingsError, match="SA_JWT_SECRET") as refused:
        load_settings(None)

    assert "too-short" not in str(refused.value)


def test_production_starts_with_a_long_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SA_ENV", "production")
    monkeypatch.setenv("SA_JWT_SECRET", "0123456789abcdef" * 4)

    assert load_settings(None).env == "production"


def test_a_lease_shorter_than_three_heartbeats_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SA_LEASE_SECONDS", "10")

    with pytest.raises(SettingsError, match="SA_HEARTBEAT_SECONDS"):
        load_settings(None)


def test_lists_are_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SA_CORS_ORIGINS", "https://a.example, https://b.example,")

    assert load_settings(None).cors_origins == ("https://a.example", "https://b.example")


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".env"
    file.write_text("SA_PORT=9001\nSA_HOST=0.0.0.0\n")
    monkeypatch.setenv("SA_PORT", "9002")

    settings = load_settings(file)

    assert (settings.host, settings.port) == ("0.0.0.0", 9002)
