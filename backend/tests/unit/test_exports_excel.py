"""The workbook, read again by openpyxl."""

from __future__ import annotations

import io
import time
from datetime import datetime
from typing import Any

import openpyxl
import pytest

from backend.app.bidding.exports import BIDDING_EXPORTS
from backend.app.bidding.exports.excel_parts import CELL_UNITS, fitting
from backend.app.bidding.exports.wording import FILTERED, NONE_CONFIRMED
from backend.tests.exported import NOTE, items, many, matched, reviewed, tender, view

DEADLINE = datetime(2026, 3, 24, 9, 30)  # noqa: DTZ001 — Excel knows no zones
SHEETS = [
    "概览",
    "合规检查",
    "废标项、硬性要求",
    "评分项",
    "投标形式",
    "技术要求",
    "成本项",
    "投标日历",
    "废标项响应清单",
    "商务偏离表",
    "技术偏离表",
]


def written(result: dict[str, Any], *, only_confirmed: bool = False, values: bool = False) -> Any:
    content = BIDDING_EXPORTS["xlsx"].render(view(result, only_confirmed=only_confirmed))
    return openpyxl.load_workbook(io.BytesIO(content), data_only=values)


def column(sheet: Any, title: str) -> list[Any]:
    """The cells below a title of the first row."""
    at = [cell.value for cell in sheet[1]].index(title) + 1
    return [sheet.cell(row, at) for row in range(2, sheet.max_row + 1)]


def test_what_the_company_can_expect_is_a_number_where_it_is_sure() -> None:
    sheet = written(matched())["评分项"]

    assert [cell.value for cell in column(sheet, "预估得分")][1:4] == [4, "6～10", ""]
    assert "预估得分" not in [cell.value for cell in written(tender())["评分项"][1]]


def test_there_is_a_sheet_for_each_tab_and_for_what_is_filled_in() -> None:
    assert written(tender()).sheetnames == SHEETS


def test_every_finding_has_a_row_with_its_quote_and_its_place() -> None:
    result = tender()
    book = written(result)

    for tab in result["tabs"]:
        if tab["id"] == "bid_timeline":
            continue
        sheet = book[tab["title"].replace("/", "、")]
        quotes = [cell.value for cell in column(sheet, "原文") if cell.value]
        assert quotes == [item["source_excerpt"] for item in tab["items"]]
        assert column(sheet, "位置")[0].value.startswith("第")


def test_heads_are_frozen_filter_and_are_printed_on_each_page() -> None:
    book = written(tender())

    for name in SHEETS[1:]:
        sheet = book[name]
        assert sheet.freeze_panes == "A2", name
        assert sheet.auto_filter.ref.startswith("A1:"), name
        assert sheet.print_title_rows == "$1:$1", name
    for sheet in book:
        assert sheet.page_setup.orientation == "landscape"
        assert (sheet.page_setup.fitToWidth or 1, sheet.page_setup.fitToHeight) == (1, 0)
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert str(sheet.page_setup.paperSize) == "9"


def test_long_texts_wrap_in_columns_of_a_readable_width() -> None:
    sheet = written(tender())["废标项、硬性要求"]
    quote = column(sheet, "原文")[0]

    assert quote.alignment.wrap_text
    assert sheet.column_dimensions[quote.column_letter].width >= 40


def test_the_review_is_chosen_from_a_list_and_shows_its_note() -> None:
    sheet = written(reviewed())["废标项、硬性要求"]
    (choice,) = sheet.data_validations.dataValidation

    states, notes = column(sheet, "核对状态"), column(sheet, "批注")
    assert [cell.value for cell in states[:3]] == ["已确认", "存疑", "待核对"]
    assert notes[0].value == f"{NOTE}（王工）"
    assert column(sheet, "匹配")[0].value == "不满足：缺少资质"
    assert choice.formula1 == '"待核对,已确认,存疑,不适用"'
    assert all(cell.coordinate in choice.sqref for cell in states)


def test_points_are_summed_by_a_live_formula_with_its_value() -> None:
    result = tender()
    live, kept = written(result)["评分项"], written(result, values=True)["评分项"]
    points = column(live, "分值")
    given = [cell.value for cell in points if isinstance(cell.value, int | float)]

    assert sum(given) == 100
    count = len(items(result, "scoring_items"))
    total = points[-1]
    assert total.value == f"=SUM({total.column_letter}2:{total.column_letter}{count + 1})"
    assert kept[total.coordinate].value == 100
    # The sum stands apart: sorting or filtering the table must not carry it along.
    assert total.row == count + 3
    assert live.auto_filter.ref.endswith(str(count + 1))


def test_each_lot_has_its_own_live_sum() -> None:
    result = tender()
    scored = [i for i in items(result, "scoring_items") if i["points"] is not None]
    for n, item in enumerate(scored):
        item["lot"] = "一包" if n % 2 else "二包"
    live, kept = written(result)["评分项"], written(result, values=True)["评分项"]

    sums = column(live, "分值")[-3:]

    assert [cell.value.split("(")[0] for cell in sums] == ["=SUMIF", "=SUMIF", "=SUM"]
    values = [kept[cell.coordinate].value for cell in sums]
    assert values[0] + values[1] == values[2] == 100


def test_times_are_dates_that_excel_can_reckon_with() -> None:
    book = written(tender())
    times = [cell for cell in column(book["投标日历"], "时间") if cell.is_date]

    assert [cell.value for cell in times] == sorted(cell.value for cell in times)
    assert DEADLINE in [cell.value for cell in times]
    assert {cell.number_format for cell in times} <= {"yyyy-mm-dd hh:mm", "yyyy-mm-dd"}
    facts = {row[0].value: row[1] for row in book["概览"].iter_rows()}
    assert facts["投标截止时间"].value == DEADLINE
    assert facts["预算金额（元）"].value == 1_860_000
    assert facts["预算金额（元）"].number_format == "#,##0"


@pytest.mark.parametrize(
    "start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", '=HYPERLINK("http://a")', "http://a.b"]
)
def test_words_that_look_like_formulas_stay_words(start: str) -> None:
    """CWE-1236: neither here nor when somebody edits the cell."""
    result = reviewed()
    item = items(result, "hard_requirements")[0]
    item["source_excerpt"], item["title"], item["review"]["note"] = start, start, start
    result["facts"]["agency"] = {
        "value": start,
        "text": start,
        "source": {"excerpt": start, "start": 0, "end": 1},
    }
    result["compliance"][0]["title"] = start
    book = written(result)

    found = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value == start]

    assert len(found) >= 6
    assert all(cell.data_type == "s" for cell in found)
    assert all(cell.hyperlink is None for cell in found)
    if not start.startswith("http"):
        assert all(cell.quotePrefix for cell in found)


def test_characters_that_xml_refuses_are_left_out_and_the_rest_is_kept() -> None:
    result = tender()
    items(result, "hard_requirements")[0]["source_excerpt"] = "甲\x00\x08\x0b乙\ufffe\ud800丙𠮷_x0041_"

    sheet = written(result)["废标项、硬性要求"]

    assert column(sheet, "原文")[0].value.replace("_x005F_", "_") == "甲乙丙𠮷_x0041_"


@pytest.mark.parametrize("character", ["长", "𠮷"])
def test_what_a_cell_cannot_hold_is_cut_where_everybody_sees_it(character: str) -> None:
    """Excel counts UTF-16 units; XlsxWriter would leave out a longer text without a word."""
    result = tender()
    items(result, "hard_requirements")[0]["source_excerpt"] = character * 40_000

    shown = column(written(result)["废标项、硬性要求"], "原文")[0].value

    assert shown.startswith(character * 100)
    assert "全文共 40000 字" in shown[-80:]
    assert CELL_UNITS - 1 <= len(shown.encode("utf-16-le")) // 2 <= CELL_UNITS
    assert fitting(character * 10) == character * 10


def test_only_confirmed_is_said_and_kept() -> None:
    book = written(reviewed(), only_confirmed=True)
    told = [cell.value for row in book["概览"].iter_rows() for cell in row]

    assert FILTERED in told
    assert NONE_CONFIRMED not in told
    assert len([c for c in column(book["废标项、硬性要求"], "原文") if c.value]) == 1
    assert book["技术要求"]["A2"].value == "本类未识别到条目。"
    assert column(book["合规检查"], "检查项")[0].value
    empty = written(tender(), only_confirmed=True)["概览"]
    assert NONE_CONFIRMED in [cell.value for row in empty.iter_rows() for cell in row]


def test_tabs_of_one_name_or_of_a_strange_one_get_sheets_of_their_own() -> None:
    result = tender()
    for tab in result["tabs"]:
        tab["title"] = "'很长的[名称]:*?" + "长" * 40

    names = written(result).sheetnames

    assert len(set(names)) == 11
    assert max(map(len, names)) <= 31


def test_five_thousand_findings_take_seconds() -> None:
    result = many(5_000)
    began = time.perf_counter()

    content = BIDDING_EXPORTS["xlsx"].render(view(result))

    took = time.perf_counter() - began
    print(f"xlsx: {len(content):,} bytes in {took:.1f} s")  # noqa: T201 — seen with -s
    assert took < 30
    book = openpyxl.load_workbook(io.BytesIO(content), data_only=True)
    scored = [i["points"] for i in items(result, "scoring_items") if i["points"] is not None]
    assert column(book["评分项"], "分值")[-1].value == pytest.approx(sum(scored))
