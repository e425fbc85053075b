"""Prompts as files with a version; this folder has those that every question shares."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

SHARED = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Prompt:
    """Fixed words; `version` is part of a step's key, so that a changed prompt is asked anew."""

    name: str
    version: str
    text: str

    def filled(self, **words: str) -> str:
        """The text with each `{name}` replaced; braces of its own stay."""
        text = self.text
        for name, word in words.items():
            text = text.replace(f"{{{name}}}", word)
        return text


@cache
def load(name: str, folder: Path = SHARED) -> Prompt:
    """Read `name`.md. Raises ValueError when its front matter lacks a version."""
    content = (folder / f"{name}.md").read_text("utf-8")
    _, front, text = content.split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in front.strip().splitlines())
    if not fields.get("version"):
        raise ValueError(f"prompt {name} has no version")
    return Prompt(name, fields["version"].strip(), text.strip())
