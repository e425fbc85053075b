"""Prompts are files with a version, and a document of their own tells of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.app.llm import prompts

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted((ROOT / "backend" / "app").glob("**/prompts/*.md"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_prompt_has_its_name_a_version_and_a_line_in_the_document(file: Path) -> None:
    prompt = prompts.load(file.stem, file.parent)

    assert prompt.name in file.read_text("utf-8").split("---")[1]
    assert prompt.version and prompt.text
    told = (ROOT / "docs" / "prompts.md").read_text("utf-8")
    assert f"| `{prompt.name}` | `{file.relative_to(ROOT)}` |" in told


def test_there_are_prompts() -> None:
    assert {file.stem for file in FILES} >= {"extract", "schema", "mend", "check"}


def test_a_prompt_without_a_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.md").write_text("---\nname: x\n---\ntext", "utf-8")

    with pytest.raises(ValueError, match="no version"):
        prompts.load("x", tmp_path)


def test_only_named_places_are_filled() -> None:
    """A schema and an example are full of braces."""
    prompt = prompts.Prompt("x", "1", '{"ok": true} {schema} {other}')

    assert prompt.filled(schema="{s}") == '{"ok": true} {s} {other}'
