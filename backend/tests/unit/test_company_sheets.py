"""Workbooks of a company: cells as people type them, sheets by their names, and back again."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.bidding.company.match_standing import FRESH
from backend.app.company.cells import BadCell, value_of
from backend.app.company.columns import BASICS, DECLARATIONS, SECTIONS, Column
from backend.app.company.sheet_sandbox import SheetReader
from backend.app.company.sheets_read import Sheet, read_sheets
from backend.app.company.sheets_write import cell_of, workbook

_CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**6), 10**6),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=20),
    st.sampled_from(["证书名称", "有效期至", "2027-01-01", "长期", "（示例）x", "是", "100万元"]),
)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2027-03-01", "2027-03-01"),
        ("2027年3月1日", "2027-03-01"),
        ("2027 年 3 月 1 日", "2027-03-01"),
        ("2027/3/1", "2027-03-01"),
        ("2027.03.01", "2027-03-01"),
        ("2027-03-01T00:00:00", "2027-03-01"),
        ("20270301", "2027-03-01"),
        (20270301.0, "2027-03-01"),
        ("长期", "9999-12-31"),
        ("长期有效", "9999-12-31"),
    ],
)
def test_dates_as_people_type_them(cell: str | float, expected: str) -> None:
    assert value_of(cell, Column("d", "日期", "date")) == expected


@pytest.mark.parametrize(
    ("cell", "thousands", "expected"),
    [
        (3200000, False, 3_200_000),
        ("3,200,000.50", False, 3_200_000.5),
        ("320万元", False, 3_200_000),
        ("人民币320万", False, 3_200_000),
        ("1.2亿元", False, 120_000_000),
        (320.5, True, 3_205_000),
        ("320万元", True, 3_200_000),  # the cell's own unit goes before the header's
        ("3200000元", True, 3_200_000),
        ("￥100元", False, 100),
        (-5.25, False, -5.25),
    ],
)
def test_amounts_as_people_type_them(cell: str | float, thousands: bool, expected: float) -> None:
    assert value_of(cell, Column("a", "金额", "money"), thousands=thousands) == expected


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        ("date", "下个月"),
        ("date", "2027-02-30"),
        ("date", "2027"),
        ("money", "很多"),
        ("money", True),
        ("int", "1.5"),
        ("int", "约10"),
        ("flag", "也许"),
    ],
)
def test_what_cannot_be_read_is_said_in_both_languages(kind: str, cell: str | bool) -> None:
    with pytest.raises(BadCell) as bad:
        value_of(cell, Column("x", "x", kind))

    assert bad.value.message
    assert bad.value.message_en.isascii() or "是" in bad.value.message_en


@given(
    rows=st.lists(st.lists(_CELLS, max_size=6), max_size=8),
    name=st.sampled_from(["证书", "财务", "基本信息", "声明", "x"]),
)
def test_no_sheet_breaks_the_reading(rows: list[list[object]], name: str) -> None:
    book = read_sheets([Sheet(name, rows)])  # type: ignore[arg-type]

    assert all(problem.sheet == name and problem.row <= len(rows) for problem in book.problems)


def test_a_sheet_without_its_header_is_told() -> None:
    book = read_sheets([Sheet("证书", [["ISO9001", "2027-01-01"]])])

    assert [(problem.sheet, problem.row) for problem in book.problems] == [("证书", 0)]


def test_an_empty_sheet_empties_its_list_and_a_missing_one_does_not() -> None:
    book = read_sheets([Sheet("证书", [["证书名称", "有效期至"]])])

    assert book.lists == {"certificates": []}


def test_spellings_belong_to_one_column_of_a_sheet() -> None:
    """Otherwise a header would be read as whichever column comes last."""
    for columns in (*(section.columns for section in SECTIONS), BASICS):
        names = [name for column in columns for name in set(column.names)]
        assert len(set(names)) == len(names)


def test_declarations_have_one_set_of_keys_everywhere() -> None:
    assert set(DECLARATIONS) == set(FRESH)


@given(value=st.one_of(st.floats(-1e12, 1e12).map(lambda x: round(x, 2)), st.integers(0, 10**12)))
def test_an_amount_comes_back_from_its_cell(value: float) -> None:
    column = Column("a", "金额（元）", "money")

    assert value_of(cell_of(value, column), column) == pytest.approx(value)  # type: ignore[arg-type]


async def test_dates_and_numbers_of_excel_itself_are_read(tmp_path: Path) -> None:
    """A user's own workbook has real dates, not text."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "企业证书"
    sheet.append(["证书名称", "发证日期", "有效期至"])
    sheet.append(["ISO9001", date(2025, 3, 1), datetime(2028, 2, 29)])  # noqa: DTZ001 — Excel knows no zones
    file = tmp_path / "a.xlsx"
    book.save(file)

    read = read_sheets(await SheetReader.alone().read(file))

    assert read.problems == []
    assert read.lists["certificates"][0].values == {
        "name": "ISO9001",
        "valid_from": "2025-03-01",
        "valid_until": "2028-02-29",
    }


async def test_an_empty_profile_makes_a_workbook_that_reads_back(tmp_path: Path) -> None:
    file = tmp_path / "a.xlsx"
    file.write_bytes(workbook({}))

    read = read_sheets(await SheetReader.alone().read(file))

    assert (read.problems, read.ignored) == ([], [])
    assert all(rows == [] for rows in read.lists.values())


def test_rows_of_a_csv_keep_their_numbers() -> None:
    rows = [list(row) for row in csv.reader(io.StringIO("年度,营业收入\n\n2024,x\n"))]

    book = read_sheets([Sheet("财务", rows)])

    assert [(problem.row, problem.column) for problem in book.problems] == [(3, "营业收入（元）")]
