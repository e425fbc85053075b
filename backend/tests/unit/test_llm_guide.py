"""docs/llm.md says what the code does: fields, providers, kinds, settings; its examples can be used."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import text

from backend.app.db.engine import Database
from backend.app.llm.deployment_table import DeploymentTable, PricesTable
from backend.app.llm.deployments import read_deployments
from backend.app.llm.providers import PROVIDERS
from backend.app.llm.types import ErrorKind
from backend.app.settings import REPOSITORY, Settings
from backend.tests.unit.test_docs import fenced
from backend.tests.unit.test_settings import variable

GUIDE = REPOSITORY / "docs" / "llm.md"
WORDS = GUIDE.read_text(encoding="utf-8")


def rows(column: str) -> dict[str, list[str]]:
    """The table whose first column has this title: names of the first cell → the other cells."""
    (table,) = re.findall(rf"^\| {column} \|.*\n\|[-|]+\n((?:\|.*\n)+)", WORDS, re.M)
    found = {}
    for line in table.splitlines():
        first, *others = (cell.strip() for cell in line.strip("|").split("|"))
        found.update(dict.fromkeys(re.findall(r"`([^`]+)`", first), others))
    return found


def test_the_table_of_fields_has_them_all_with_their_defaults() -> None:
    found = rows("field")

    assert found.keys() == DeploymentTable.model_fields.keys()
    for name in PricesTable.model_fields:
        assert f"`{name}`" in found["prices"][2]
    for name in ("weight", "timeout", "context_window", "max_tokens"):
        default = DeploymentTable.model_fields[name].default
        assert float(found[name][0].replace(",", "")) == default, name


def test_the_table_of_providers_has_them_all_with_address_and_level() -> None:
    found = rows("provider")

    assert found.keys() == PROVIDERS.keys()
    for name, provider in PROVIDERS.items():
        address, key, level, notes = found[name]
        assert address == (f"`{provider.base_urls['']}`" if provider.base_urls else "(needed)"), name
        assert key.startswith("yes") == provider.needs_key, name
        assert level == f"`{provider.structured}`", name
        for region in provider.base_urls.keys() - {"", "cn"}:
            assert f"`{region}`" in notes


def test_every_kind_of_failure_has_its_row() -> None:
    assert rows("kind").keys() == {str(kind) for kind in ErrorKind}


def test_every_setting_of_the_models_is_explained() -> None:
    for name, field in Settings.model_fields.items():
        setting = variable(name, field)
        if setting.startswith("BIDDING_ASSISTANT_LLM_"):
            assert setting in WORDS
        if setting in {"SA_LLM_CONFIG", "SA_TASK_BUDGET", "SA_TRACES_ENDPOINT"}:
            assert f"{setting}" in WORDS


def test_the_short_example_can_be_read() -> None:
    (example,) = fenced(GUIDE, "toml")

    first, second = read_deployments(example, key_of=lambda name: "sk-1")

    assert (first.label, second.label, second.timeout_s) == ("qwen-main", "azure-eastus", 120)
    assert first.prices.prompt > 0


def test_the_sql_of_the_guide_can_be_run(database: Database) -> None:
    (block,) = fenced(GUIDE, "sql")
    found: list[list[Any]] = []
    for statement in block.split(";"):
        if statement.strip():
            with database.read() as conn:
                found.append(list(conn.execute(text(statement))))

    assert found == [[], []]


@pytest.mark.parametrize("event", sorted(set(re.findall(r"`(llm_[a-z_]+)`", WORDS)) - {"llm_calls"}))
def test_events_that_the_guide_names_are_logged(event: str) -> None:
    sources = (REPOSITORY / "backend" / "app" / "llm").glob("*.py")

    assert any(f'"{event}"' in source.read_text(encoding="utf-8") for source in sources)
