"""The sheet a person fills in, what it says of precision, and whether boxes lie on their words."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from backend.app import cli
from backend.app.bidding.analysis import analyse_with_rules
from backend.app.bidding.evaluation import all_spans, evaluate_folder
from backend.app.bidding.evaluation_grounding import wrong_rects
from backend.app.bidding.evaluation_json import evaluation_json
from backend.app.bidding.evaluation_sample import (
    HEAD,
    Precision,
    SheetError,
    draw,
    format_precision,
    read_sheet,
    write_sheet,
)
from backend.app.bidding.evaluation_table import format_misses, format_table
from backend.app.bidding.findings import Analysis
from backend.app.documents.canonical import Document
from backend.app.documents.extract import extract
from backend.tests.tenders_made import SERVICES, write_docx, write_pdf


def results(folder: Path) -> list[tuple[str, Document, Analysis]]:
    path = write_docx(folder / "tender.docx", SERVICES)
    document = extract(path, path.name)
    return [(name, document, analyse_with_rules(document)) for name in ("a.docx", "b.docx")]


def test_the_same_seed_draws_the_same_findings_from_every_document_and_tab(tmp_path: Path) -> None:
    known = results(tmp_path)

    drawn = draw(known, 20, seed=3)

    assert draw(known, 20, seed=3) == drawn != draw(known, 20, seed=4)
    assert len(drawn) == 20
    assert {one.document for one in drawn} == {"a.docx", "b.docx"}
    assert len({one.tab for one in drawn}) == 6
    assert all(f"【{one.excerpt}】" in one.context for one in drawn)


def test_more_than_there_is_draws_all_of_it_once(tmp_path: Path) -> None:
    known = results(tmp_path)

    assert len(draw(known, 10_000)) == sum(len(analysis.findings) for _, _, analysis in known)


@pytest.mark.parametrize("name", ["sheet.csv", "sheet.xlsx"])
def test_a_filled_sheet_gives_the_precision_of_each_tab(tmp_path: Path, name: str) -> None:
    drawn = draw(results(tmp_path), 12, seed=1)
    sheet = tmp_path / name
    write_sheet(drawn, sheet)
    fill(sheet, right=8, wrong=2)

    by_tab = read_sheet(sheet)

    assert sum(one.right for one in by_tab.values()) == 8
    assert sum(one.judged for one in by_tab.values()) == 10  # two rows were left open
    assert "合计：8/10 = 80%（95% 区间 49%–94%）" in format_precision(by_tab)


def fill(sheet: Path, *, right: int, wrong: int) -> None:
    """Mark the first rows as a person does: in the columns 正确 and 错误."""
    marks = [("1", "")] * right + [("", "x")] * wrong
    if sheet.suffix == ".xlsx":
        book = openpyxl.load_workbook(sheet)
        for at, (good, bad) in enumerate(marks, start=2):
            book.active.cell(at, HEAD.index("正确") + 1, int(good) if good else None)
            book.active.cell(at, HEAD.index("错误") + 1, bad or None)
        book.save(sheet)
        return
    with sheet.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.reader(stream))
    for row, (good, bad) in zip(rows[1:], marks, strict=False):
        row[HEAD.index("正确")], row[HEAD.index("错误")] = good, bad
    with sheet.open("w", encoding="utf-8-sig", newline="") as stream:
        csv.writer(stream).writerows(rows)


def test_another_table_is_refused(tmp_path: Path) -> None:
    sheet = tmp_path / "other.csv"
    sheet.write_text("a,b\n1,2\n", "utf-8")

    with pytest.raises(SheetError, match="第一行"):
        read_sheet(sheet)
    assert cli.run(["evaluate", "--score", str(sheet)]) == 1


def test_an_excerpt_becomes_no_formula_in_a_spreadsheet(tmp_path: Path) -> None:
    drawn = [replace(draw(results(tmp_path), 1)[0], excerpt="=1+1")]
    write_sheet(drawn, tmp_path / "s.csv")
    write_sheet(drawn, tmp_path / "s.xlsx")

    assert "'=1+1" in (tmp_path / "s.csv").read_text("utf-8-sig")
    assert openpyxl.load_workbook(tmp_path / "s.xlsx").active["D2"].data_type == "s"


@pytest.mark.parametrize(
    ("right", "judged", "low", "high"), [(0, 0, 0.0, 1.0), (10, 10, 0.722, 1.0), (45, 60, 0.628, 0.842)]
)
def test_the_interval_is_wilsons(right: int, judged: int, low: float, high: float) -> None:
    assert Precision(right, judged).interval == pytest.approx((low, high), abs=0.001)


def test_boxes_that_lie_beside_their_words_are_counted(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "tender.pdf", SERVICES)
    document = extract(path, path.name)
    spans = list(all_spans(analyse_with_rules(document)))
    shifted = document.boxes[:]
    for at in range(1, len(shifted), 2):  # every y, half a page down
        shifted[at] = min(65_000, shifted[at] + 30_000)

    assert wrong_rects(path, document, spans) == 0
    assert wrong_rects(path, replace(document, boxes=shifted), spans) > len(set(spans)) // 2


def test_the_json_holds_every_figure(tmp_path: Path) -> None:
    path = write_docx(tmp_path / "one.docx", SERVICES)
    gold = {
        "facts": {"budget": {"value": 1865000}},
        "items": [{"tab": "cost_items", "excerpt": "最高限价：180万元", "must": True}],
        "scoring": {"total": 100},
        "compliance": [
            {"rule": "bid validity stated", "verdict": "pass"},
            {"rule": "colour of the cover", "verdict": "warning", "why": "page 3"},
        ],
    }
    (tmp_path / "one.gold.json").write_text(json.dumps(gold), "utf-8")
    document = extract(path, path.name)
    analysis = replace(analyse_with_rules(document))
    analysis.extra["usage"] = {"cost": 0.25}

    evaluation = evaluate_folder(tmp_path, lambda _: (document, analysis))
    given = evaluation_json(evaluation)

    assert given["sum"]["facts"]["right"] == 1
    assert given["sum"]["recall"]["cost_items"] == {"found": 1, "labelled": 1, "share": 1.0}
    assert given["sum"]["scoring_sums"] == {"right": 1, "labelled": 1}
    assert given["sum"]["compliance"] == {"found": 1, "labelled": 2}
    assert given["documents"][0]["compliance"]["missed"] == [
        {"rule": "colour of the cover", "verdict": "warning", "why": "page 3"}
    ]
    assert "1/2" in format_table(evaluation)
    assert "law missed: colour of the cover (warning): page 3" in format_misses(evaluation)
    assert given["sum"]["cost"] == 0.25
    assert given["documents"][0]["wrong_rects"] == 0


def test_the_command_writes_json_and_a_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_docx(tmp_path / "one.docx", SERVICES)
    (tmp_path / "one.gold.json").write_text('{"facts": {}, "items": []}', "utf-8")
    out, figures = tmp_path / "sheet.csv", tmp_path / "figures.out"

    asked = ["evaluate", str(tmp_path), "--json", str(figures), "--sample", "5", "--out", str(out)]

    assert cli.run(asked) == 0
    assert len(out.read_text("utf-8-sig").splitlines()) == 6
    assert json.loads(figures.read_text("utf-8"))["sum"]["documents"] == 1
    assert cli.run(["evaluate", str(tmp_path), "--sample", "5"]) == 1
    assert "--out" in capsys.readouterr().err
