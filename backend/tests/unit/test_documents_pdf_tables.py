"""Tables that a page's end cuts: one table as long as its columns go on, no word of it lost."""

from __future__ import annotations

from fpdf import FPDF

from backend.app.documents.canonical import BlockKind
from backend.app.documents.extract import extract
from backend.tests.documents_made import PdfPage, assert_lawful, make_pdf, texts

_ROWS = [(str(at), f"Requirement {at}", f"Value {at}") for at in range(1, 90)]


def _printed(folder, rows, *, widths=(20, 80, 80), second=None, **options):
    """A table that fpdf2 breaks over pages by itself; `second`: the widths of another that follows."""
    pdf = FPDF()
    pdf.set_font("Helvetica", size=11)
    pdf.add_page()
    for columns in (widths, second) if second else (widths,):
        if columns is second:
            pdf.add_page()
        with pdf.table(col_widths=columns, **options) as table:
            for row in rows:
                cells = table.row()
                for text in row[: len(columns)]:
                    cells.cell(text)
    path = folder / "a.pdf"
    pdf.output(str(path))
    document = extract(path, "a.pdf")
    assert_lawful(document)
    return document


def test_a_table_over_three_pages_is_one_and_its_repeated_header_no_row(tmp_path):
    """The header's text stays in the document, as a running header does."""
    rows = [("No", "Item", "Content"), *_ROWS]

    document = _printed(tmp_path, rows)

    (table,) = document.tables()
    assert len(document.pages) == 3
    assert [[document.text[b.start : b.end] for b in row] for row in table] == [list(row) for row in rows]
    assert [cell.cell.row for row in table for cell in row[:1]] == list(range(90))
    repeated = [document.text[b.start : b.end] for b in document.blocks if b.kind is BlockKind.HEADER]
    assert repeated == ["No", "Item", "Content"] * 2


def test_a_table_without_a_header_goes_on_just_so(tmp_path):
    document = _printed(tmp_path, _ROWS, first_row_as_headings=False)

    (table,) = document.tables()
    assert [document.text[row[0].start : row[0].end] for row in table] == [row[0] for row in _ROWS]


def test_a_table_of_other_columns_on_the_next_page_is_another_table(tmp_path):
    """Most tables of a tender are as wide as its text, so that the edges alone tell nothing."""
    document = _printed(tmp_path, _ROWS[:3], second=(60, 40, 80), first_row_as_headings=False)

    assert [len(table) for table in document.tables()] == [3, 3]
    assert [block.cell.col for block in document.blocks] == [0, 1, 2] * 6


def _grid(xs, ys):
    return [(xs[0], y, xs[-1], y) for y in ys] + [(x, ys[0], x, ys[-1]) for x in xs]


def test_a_row_cut_by_the_page_s_end_is_one_row(tmp_path):
    """The label stands on the first page, the rest of its text on the second."""
    xs, long = (72, 172, 472), "投标人应当按照招标文件的要求编制投标文件并且在"
    first = PdfPage(texts=[(77, 100, 10, "递交方式"), (177, 100, 12, long)], lines=_grid(xs, (120, 90)))
    second = PdfPage(
        texts=[(177, 780, 12, "截止之前递交。"), (77, 740, 10, "开标"), (177, 740, 12, "现场")],
        lines=_grid(xs, (800, 760, 730)),
    )

    document = extract(make_pdf(tmp_path / "a.pdf", first, second), "a.pdf")

    assert_lawful(document)
    assert texts(document) == ["递交方式", long + "截止之前递交。", "开标", "现场"]
    assert [(block.cell.table, block.cell.row) for block in document.blocks] == [
        (0, 0),
        (0, 0),
        (0, 1),
        (0, 1),
    ]


def test_a_page_that_shows_some_of_the_columns_only_still_goes_on(tmp_path):
    """A merged row hides column lines."""
    xs = (72, 172, 272, 472)
    first = PdfPage(
        texts=[(77, 100, 10, "序号"), (177, 100, 10, "名称"), (277, 100, 10, "内容")],
        lines=_grid(xs, (120, 90)),
    )
    second = PdfPage(
        texts=[(77, 780, 10, "备注"), (177, 780, 10, "无")], lines=_grid((72, 172, 472), (800, 770))
    )

    document = extract(make_pdf(tmp_path / "a.pdf", first, second), "a.pdf")

    last = document.blocks[-1].cell
    assert (last.table, last.row, last.col, last.colspan) == (0, 1, 1, 2)
