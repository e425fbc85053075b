"""Real tenders: each is read, the law of its text holds, its labelled excerpts are found in it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from backend.app.documents.canonical import BlockKind, Document
from backend.app.documents.extract import extract
from backend.app.documents.reading import Reader, read_file
from backend.app.documents.sandbox import ParsePool
from backend.tests.documents_made import assert_lawful

_FOLDER = Path(__file__).resolve().parents[4] / "shared" / "samples" / "tenders"
_FILES = (
    sorted(path for path in _FOLDER.iterdir() if path.suffix in (".docx", ".pdf", ".txt"))
    if _FOLDER.exists()
    else []
)
_BROKEN = [path for path in _FILES if "garbled_text_layer" in path.name]
_GOOD = [path for path in _FILES if path not in _BROKEN]

pytestmark = pytest.mark.skipif(not _FOLDER.exists(), reason="the sample tenders are not here")


@pytest.mark.parametrize("path", _GOOD, ids=lambda one: one.name)
def test_a_real_tender_is_read_whole(path):
    document = extract(path, path.name)

    assert_lawful(document)
    assert document.warnings == ()
    assert len(document.text) > 20_000
    assert any(block.kind is BlockKind.HEADING for block in document.blocks)
    assert Document.from_bytes(document.to_bytes()) == document
    if path.suffix == ".txt":  # a poor copy that lost a part of its text
        return
    assert sum(1 for _ in document.tables()) >= 5
    labels = json.loads(path.with_name(f"{path.stem}.gold.json").read_text())
    facts = [fact["excerpt"] for fact in labels["facts"].values() if fact and fact.get("excerpt")]
    wanted = facts + [item["excerpt"] for item in labels["items"]]
    flat = re.sub(r"\s", "", document.text)
    assert [excerpt for excerpt in wanted if re.sub(r"\s", "", excerpt) not in flat] == []


@pytest.mark.timeout(900)  # minutes on a machine that is busy
@pytest.mark.parametrize("path", _BROKEN, ids=lambda one: one.name)
async def test_a_real_file_with_a_broken_text_layer_is_read_by_ocr(path):
    """Letter for letter where its labels quote it, and in tables where it has them."""
    document = await read_file(Reader(ParsePool(1)), path, path.name)

    assert_lawful(document)
    assert document.unread == () and document.ocr_pages == tuple(page.number for page in document.pages)
    labels = json.loads(path.with_name(f"{path.stem}.gold.json").read_text())
    wanted = [fact["excerpt"] for fact in labels["facts"].values() if fact and fact.get("excerpt")]
    wanted += [item["excerpt"] for item in labels["items"]]
    flat = re.sub(r"\s", "", document.text)
    assert [excerpt for excerpt in wanted if re.sub(r"\s", "", excerpt) not in flat] == []
    assert sum(1 for _ in document.tables()) >= 3
