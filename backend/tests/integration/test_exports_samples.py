"""Every format of a real tender, where the samples are at hand."""

from __future__ import annotations

import io
import json
from pathlib import Path

import docx
import openpyxl
import pytest
from icalendar import Calendar

from backend.app import cli

_FOLDER = Path(__file__).resolve().parents[4] / "shared" / "samples" / "tenders"
pytestmark = pytest.mark.skipif(not _FOLDER.is_dir(), reason="the samples are not part of the repository")


def test_every_quote_of_a_real_tender_is_in_its_files(tmp_path: Path) -> None:
    tender = sorted(_FOLDER.glob("*.docx"))[1]
    made: dict[str, bytes] = {}
    for name in ("json", "docx", "xlsx", "md", "ics"):
        out = tmp_path / f"a.{name}"
        assert cli.run(["analyze", str(tender), "--format", name, "-o", str(out)]) == 0
        made[name] = out.read_bytes()

    quotes = [item["source_excerpt"] for tab in json.loads(made["json"])["tabs"] for item in tab["items"]]
    in_word = {
        p.text for t in docx.Document(io.BytesIO(made["docx"])).tables for c in t._cells for p in c.paragraphs
    }
    book = openpyxl.load_workbook(io.BytesIO(made["xlsx"]))
    in_excel = "\n".join(str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row)
    assert len(quotes) > 50
    assert set(quotes) <= in_word
    assert all(quote in in_excel for quote in quotes)
    assert len(Calendar.from_ical(made["ics"]).walk("VEVENT")) >= 3
    assert made["md"].decode().count("\n## ") >= 11
