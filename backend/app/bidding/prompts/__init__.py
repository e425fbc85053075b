"""Prompts as files with a version, and the block that a document is put into."""

from __future__ import annotations

import hashlib
from pathlib import Path

from backend.app.llm import prompts as shared
from backend.app.llm.prompts import Prompt

_FOLDER = Path(__file__).parent


def load(name: str) -> Prompt:
    """Read `name`.md of this folder."""
    return shared.load(name, _FOLDER)


def enclose(text: str, lead: str = "") -> str:
    """A document between two marked lines, what is known of it between two others in front: both are data.

    The mark is a hash of the text: the same text gives the same prompt (steps and prompt caches need that),
    and a document cannot hold the mark that its own content leads to, so it cannot close its block early.
    """
    mark, turn = _mark(text, 0), 0
    while mark in text or mark in lead:
        turn += 1
        mark = _mark(text, turn)
    head = f"<<<背景 {mark} 开始>>>\n{lead}\n<<<背景 {mark} 结束>>>\n\n" if lead else ""
    return f"{head}<<<文档 {mark} 开始>>>\n{text}\n<<<文档 {mark} 结束>>>"


def _mark(text: str, turn: int) -> str:
    return hashlib.sha256(f"{turn}:{text}".encode("utf-8", "replace")).hexdigest()[:16]
