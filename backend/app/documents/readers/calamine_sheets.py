"""Workbooks that are not OOXML (.xls, .xlsb, .ods): values by calamine.

For .xls the number formats are read beside it (`xls_records`); in .xlsb and .ods a percentage is shown as
the number that is stored, dates as ISO dates.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.app.common.errors import EncryptedDocument, ParseLimitExceeded, UnreadableDocument
from backend.app.documents.archive import open_archive
from backend.app.documents.builder import DocumentBuilder
from backend.app.documents.canonical import Document
from backend.app.documents.limits import ExtractLimits
from backend.app.documents.readers.number_formats import EPOCH, EPOCH_1904, of_python, shown
from backend.app.documents.readers.ole import ole_stream, opened_ole
from backend.app.documents.readers.sheets import Sheet, write_sheets
from backend.app.documents.readers.xls_records import MAX_AREA, BookRecords, SheetRecords, read_records

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

XLS_TYPE = "application/vnd.ms-excel"
XLSB_TYPE = "application/vnd.ms-excel.sheet.binary.macroEnabled.12"
ODS_TYPE = "application/vnd.oasis.opendocument.spreadsheet"


def read_xls(path: Path, limits: ExtractLimits) -> Document:
    """Raises EmptyDocument, EncryptedDocument, UnreadableDocument, ParseLimitExceeded."""
    with opened_ole(path) as ole:
        names = ("Workbook", "Book")
        stream = next((raw for name in names if (raw := ole_stream(ole, name, limits.max_unpacked))), None)
    if stream is None:
        raise UnreadableDocument()
    return _read(path, limits, XLS_TYPE, read_records(stream))


def read_xlsb(path: Path, limits: ExtractLimits) -> Document:
    """As `read_xls`."""
    _check_parts(path, limits)
    return _read(path, limits, XLSB_TYPE, None)


def read_ods(path: Path, limits: ExtractLimits) -> Document:
    """As `read_xls`."""
    _check_parts(path, limits)
    return _read(path, limits, ODS_TYPE, None)


def _check_parts(path: Path, limits: ExtractLimits) -> None:
    """calamine reads a part whole: what is announced as too large is refused here."""
    with open_archive(path, limits) as archive:
        parts: list[zipfile.ZipInfo] = archive.infolist()
        if any(
            part.file_size > limits.max_xml_part for part in parts if not part.filename.startswith("media/")
        ):
            raise ParseLimitExceeded()


def _read(path: Path, limits: ExtractLimits, media_type: str, records: BookRecords | None) -> Document:
    from python_calamine import SheetVisibleEnum

    builder = DocumentBuilder(limits, media_type=media_type)
    with _opened(path) as book:
        listed = list(enumerate(book.sheets_metadata))
        hidden = [one.name for _, one in listed if one.visible != SheetVisibleEnum.Visible]
        seen = [(at, one.name) for at, one in listed if one.visible == SheetVisibleEnum.Visible]
        sheets = (
            _sheet(
                book.get_sheet_by_index(at), name, limits, records.sheet_at(at) if records else None, records
            )
            for at, name in seen
        )
        with _told():
            write_sheets(builder, sheets, hidden)
    return builder.build()


def _sheet(
    source: CalamineSheet,
    name: str,
    limits: ExtractLimits,
    known: SheetRecords | None,
    book: BookRecords | None,
) -> Sheet:
    sheet = Sheet(name, limits)
    if source.start is None:
        return sheet
    if source.height * source.width > MAX_AREA:
        raise ParseLimitExceeded()
    top, left = source.start
    formats = known.formats if known is not None else {}
    epoch = EPOCH_1904 if book is not None and book.from_1904 else EPOCH
    # iter_rows begins at the first row of the sheet, to_python at the first that holds something.
    for row, values in enumerate(source.to_python(skip_empty_area=True), top):
        for col, value in enumerate(values, left):
            if value != "":
                sheet.put(row, col, _text(value, formats.get((row, col)), epoch))
    for first, last in source.merged_cell_ranges or ():
        sheet.merge(first, last)
    return sheet


def _text(value: Any, code: str | None, epoch: datetime) -> str:
    if code is None or isinstance(value, str | bool):
        return of_python(value)
    if isinstance(value, datetime):
        return shown((value - epoch) / timedelta(days=1), code, from_1904=epoch is EPOCH_1904)
    if isinstance(value, date):
        return shown(float((value - epoch.date()).days), code, from_1904=epoch is EPOCH_1904)
    if isinstance(value, timedelta):
        return shown(value / timedelta(days=1), code)
    if isinstance(value, time):
        return of_python(value)
    return shown(float(value), code)


@contextmanager
def _opened(path: Path) -> Iterator[CalamineWorkbook]:
    from python_calamine import CalamineWorkbook

    # Not by path: its ending would decide, and stored files have none.
    with _told():
        book = CalamineWorkbook.from_filelike(BytesIO(path.read_bytes()))
    try:
        yield book
    finally:
        book.close()


@contextmanager
def _told() -> Iterator[None]:
    """calamine's errors as ours. A Rust panic is a BaseException of its own class."""
    from python_calamine import CalamineError, PasswordError

    try:
        yield
    except PasswordError as error:
        raise EncryptedDocument() from error
    except (CalamineError, OSError, ValueError) as error:
        raise UnreadableDocument() from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise UnreadableDocument() from error
