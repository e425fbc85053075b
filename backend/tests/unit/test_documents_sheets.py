"""Workbooks: every visible cell at its place, as a person sees it."""

from __future__ import annotations

import datetime as dt
import zipfile
from contextlib import suppress

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook
from python_calamine import CalamineWorkbook

from backend.app.common.errors import EncryptedDocument, ParseLimitExceeded, UnreadableDocument
from backend.app.documents.canonical import BlockKind
from backend.app.documents.extract import extract
from backend.app.documents.limits import ExtractLimits
from backend.app.documents.readers.number_formats import is_date, plain, shown
from backend.app.documents.readers.xls_records import read_records
from backend.tests.documents_made import assert_lawful, texts


@pytest.fixture
def book(tmp_path):
    """A workbook to be filled; `read` closes it and reads it."""
    path = tmp_path / "stored"
    made = xlsxwriter.Workbook(str(path))

    def read(limits=None):
        made.close()
        document = extract(path, "清单.xlsx", limits or ExtractLimits())
        assert_lawful(document)
        return document

    made.read = read
    return made


def test_a_sheet_is_a_heading_and_one_table(book):
    sheet = book.add_worksheet("评分表")
    sheet.write_row(0, 0, ["序号", "名称", "分值"])
    sheet.write_row(1, 0, [1, "价格", 30])

    document = book.read()

    assert document.text == "评分表\n序号\t名称\t分值\n1\t价格\t30"
    assert document.blocks[0].kind is BlockKind.HEADING
    assert {block.path for block in document.blocks[1:]} == {("评分表",)}
    assert [(b.cell.row, b.cell.col) for b in document.blocks[1:]] == [
        (r, c) for r in (0, 1) for c in range(3)
    ]


@pytest.mark.parametrize(
    ("value", "code", "seen"),
    [
        (3, "General", "3"),
        (0.1 + 0.2, "General", "0.3"),
        (1234567.89, "General", "1234567.89"),
        (0.05, "0%", "5%"),
        (0.125, "0.00%", "12.50%"),
        (1234567.891, "#,##0.00", "1,234,567.89"),
        (1234, "[$¥-804]#,##0.00", "¥1,234.00"),
        (90, '0"天"', "90天"),
        (-5, "0.00_);(0.00)", "(5.00)"),
        (-5, "0.0", "-5.0"),
        (0, '0;-0;"无"', "无"),
        (0, '_ * #,##0.00_ ;_ * -#,##0.00_ ;_ * "-"??_ ;_ @_ ', "-"),
        (0, "#", ""),
        (12000, "0,", "12"),
        (0.5, "0.0#", "0.5"),
        (12345, '0!.0,"万"', "12345"),
        (1.5, "# ?/?", "1.5"),
        (46037, 'yyyy"年"m"月"d"日"', "2026年1月15日"),
        (46037, '[$-804]yyyy"年"m"月"d"日";@', "2026年1月15日"),
        (46037.395833333, "yyyy-mm-dd hh:mm", "2026-01-15 09:30"),
        (46037.75, "yyyy/m/d h:mm AM/PM", "2026/1/15 6:00 下午"),
        (0.395833333, "h:mm", "9:30"),
        (1.5, "[h]:mm:ss", "36:00:00"),
        (1e300, "yyyy-mm-dd", "1e+300"),
    ],
)
def test_a_number_is_shown_as_its_format_says(value, code, seen):
    assert shown(value, code) == seen


def test_dates_count_from_1904_where_the_workbook_says_so():
    assert shown(0, "yyyy-mm-dd", from_1904=True) == "1904-01-01"


@given(st.floats(), st.text(st.sampled_from('0#?.,%;"年ymdhs[]$-@ \\!_*aG/E'), max_size=20))
def test_no_format_breaks_a_number(value, code):
    assert isinstance(shown(value, code), str)


def test_plain_numbers_have_no_float_noise():
    assert [plain(one) for one in (3.0, 45992.0, 1e-5, 1e15, float("nan"))] == [
        "3", "45992", "0.00001", "1000000000000000", "",
    ]  # fmt: skip
    assert not is_date('0"个月 days"')


def test_a_merged_cell_stands_once_with_its_spans_and_hides_what_it_covers(tmp_path):
    made = Workbook()
    sheet = made.active
    sheet["A1"], sheet["B1"], sheet["A2"], sheet["C2"] = "合并", "x", "y", "z"
    sheet.merge_cells("A1:B2")
    path = tmp_path / "stored"
    made.save(path)
    _rewrite(
        path,
        "xl/worksheets/sheet1.xml",
        "</row>",
        '<c r="B1" t="inlineStr"><is><t>覆盖</t></is></c></row>',
    )

    document = extract(path, "a.xlsx")

    assert texts(document) == ["Sheet", "合并", "z"]
    cell = document.blocks[1].cell
    assert (cell.row, cell.col, cell.rowspan, cell.colspan) == (0, 0, 2, 2)


def test_the_reading_shown_above_japanese_words_is_no_text_of_the_cell(book, tmp_path):
    book.add_worksheet("a").write(0, 0, "大阪")
    book.close()
    path = tmp_path / "stored"
    inline = '<is><t>東京</t><rPh sb="0" eb="2"><t>トウキョウ</t></rPh></is>'
    _rewrite(path, "xl/worksheets/sheet1.xml", "</row>", f'<c r="B1" t="inlineStr">{inline}</c></row>')
    _rewrite(path, "xl/sharedStrings.xml", "</si>", '<rPh sb="0" eb="1"><t>オオサカ</t></rPh></si>')

    assert texts(extract(path, "a.xlsx")) == ["a", "大阪", "東京"]


def _rewrite(path, part, old, new):
    with zipfile.ZipFile(path) as package:
        kept = {name: package.read(name) for name in package.namelist()}
    text = kept[part].decode()
    assert old in text
    kept[part] = text.replace(old, new).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in kept.items():
            package.writestr(name, content)


def test_blank_rows_and_columns_around_a_table_are_trimmed_and_those_within_kept(book):
    sheet = book.add_worksheet("a")
    sheet.write(20, 10, "左上")
    sheet.write(22, 12, "右下")

    cells = [block.cell for block in book.read().blocks if block.cell]

    assert [(cell.row, cell.col) for cell in cells] == [(0, 0), (2, 2)]


def test_hidden_and_empty_sheets_are_left_out_and_the_hidden_named(book):
    book.add_worksheet("看").write(0, 0, "看得见")
    hidden = book.add_worksheet("藏")
    hidden.write(0, 0, "看不见")
    hidden.hide()
    book.add_worksheet("空")

    document = book.read()

    assert document.text == "看\n看得见"
    assert document.warnings == ("隐藏的工作表未读取：藏",)


def test_formulas_rich_text_truth_and_line_ends_are_read(book):
    sheet = book.add_worksheet("a")
    sheet.write_formula(0, 0, "=1+2", None, 3)
    sheet.write_rich_string(0, 1, "投", book.add_format({"bold": True}), "标", "人")
    sheet.write_boolean(0, 2, True)
    sheet.write(0, 3, "一\n二")
    sheet.write_datetime(0, 4, dt.date(2026, 1, 15), book.add_format({"num_format": 14}))

    assert texts(book.read())[1:] == ["3", "投标人", "TRUE", "一\n二", "2026-1-15"]


def test_two_far_apart_cells_cost_two_cells(book):
    """As a rectangle they would be seventeen thousand million."""
    sheet = book.add_worksheet("a")
    sheet.write(0, 0, "近")
    sheet.write(1_048_575, 16_383, "远")

    assert texts(book.read()) == ["a", "近", "远"]


def test_a_sheet_of_too_many_cells_is_refused(book):
    sheet = book.add_worksheet("a")
    for row in range(50):
        sheet.write(row, 0, row)

    with pytest.raises(ParseLimitExceeded):
        book.read(ExtractLimits(max_blocks=40))


def test_shared_strings_are_bounded_although_no_cell_shows_them(book, tmp_path):
    book.add_worksheet("a").write(0, 0, "甲")
    book.close()
    path = tmp_path / "stored"
    many = "<si><t>甲</t></si>" * 500
    _rewrite(path, "xl/sharedStrings.xml", "<si><t>甲</t></si>", many)

    with pytest.raises(ParseLimitExceeded):
        extract(path, "a.xlsx", ExtractLimits(max_blocks=100))


@pytest.mark.parametrize(
    "content",
    ['<!DOCTYPE x [<!ENTITY a "aaaa">]><worksheet>&a;</worksheet>', "<worksheet><sheetData>", "no xml"],
)
def test_a_broken_or_malicious_sheet_is_unreadable(book, tmp_path, content):
    path = _with_sheet(book, tmp_path, content)

    with pytest.raises(UnreadableDocument):
        extract(path, "a.xlsx")


def test_xml_that_nests_without_end_is_refused(book, tmp_path):
    path = _with_sheet(book, tmp_path, "<a>" * 100_000)

    with pytest.raises(ParseLimitExceeded):
        extract(path, "a.xlsx")


def test_a_row_number_that_no_sheet_has_is_not_believed(book, tmp_path):
    row = '<row r="9999999999"><c><v>1</v></c></row>'
    path = _with_sheet(book, tmp_path, f"<worksheet><sheetData>{row}</sheetData></worksheet>")

    assert texts(extract(path, "a.xlsx")) == ["a", "1"]


def _with_sheet(book, folder, content):
    book.add_worksheet("a").write(0, 0, 1)
    book.close()
    with zipfile.ZipFile(folder / "stored") as package:
        old = package.read("xl/worksheets/sheet1.xml").decode()
    _rewrite(folder / "stored", "xl/worksheets/sheet1.xml", old, content)
    return folder / "stored"


def test_our_values_are_calamine_s_values(book, tmp_path):
    """Two readers that share nothing agree on what stands where."""
    sheet = book.add_worksheet("a")
    rows = [["甲", 1, 2.5], ["", 3, "丙\n丁"], [True, "", 7]]
    for at, row in enumerate(rows):
        for col, value in enumerate(row):
            if value != "":
                sheet.write(at, col, value)

    document = book.read()

    theirs = CalamineWorkbook.from_path(str(tmp_path / "stored")).get_sheet_by_index(0).to_python()
    found = {(b.cell.row, b.cell.col): document.text[b.start : b.end] for b in document.blocks if b.cell}
    assert found == {
        (r, c): plain(v) if isinstance(v, float) else str(v).upper() if isinstance(v, bool) else v
        for r, row in enumerate(theirs)
        for c, v in enumerate(row)
        if v != ""
    }


def _record(kind, body=b""):
    return kind.to_bytes(2, "little") + len(body).to_bytes(2, "little") + body


_BOF, _EOF = _record(0x0809, bytes(16)), _record(0x000A)


def test_an_encrypted_xls_is_named_as_such():
    with pytest.raises(EncryptedDocument):
        read_records(_BOF + _record(0x002F, bytes(6)) + _EOF)


def test_an_xls_whose_cells_span_the_whole_sheet_is_refused_before_it_is_laid_out():
    far = _record(0x0203, (65_535).to_bytes(2, "little") + (255).to_bytes(2, "little") + bytes(10))
    near = _record(0x0203, bytes(14))

    with pytest.raises(ParseLimitExceeded):
        read_records(_BOF + _EOF + _BOF + near + far + _EOF)


def test_the_number_formats_of_an_xls_are_found():
    xf = _record(0x00E0, (0).to_bytes(2, "little") + (9).to_bytes(2, "little") + bytes(16))
    cell = _record(0x0203, bytes([1, 0, 2, 0, 0, 0]) + bytes(8))
    first = _BOF + xf + _record(0x0085, bytes(8))
    place = len(first + _EOF)
    first = _BOF + xf + _record(0x0085, place.to_bytes(4, "little") + bytes(4))

    book = read_records(first + _EOF + _BOF + cell + _EOF)

    assert book.sheet_at(0).formats == {(1, 2): "0%"}


@given(st.binary(max_size=400))
def test_no_bytes_break_the_record_reader(raw):
    with suppress(UnreadableDocument, EncryptedDocument, ParseLimitExceeded):
        read_records(raw)
