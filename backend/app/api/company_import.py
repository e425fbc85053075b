"""From an uploaded workbook, CSV or JSON file to a company profile, with every row that is wrong named."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from backend.app.api.errors import Language
from backend.app.api.field_errors import field_errors
from backend.app.api.forms import Upload, validated
from backend.app.api.schemas_company import (
    Accounts,
    CompanyProfile,
    Contract,
    Employee,
    ImportOut,
    Paper,
    RowProblemOut,
    SheetOut,
)
from backend.app.common.errors import ParseLimitExceeded, UnsupportedFileType, ValidationFailed
from backend.app.common.text import clean_text, decode_text
from backend.app.company.columns import BASICS, SECTIONS
from backend.app.company.profiles import StoredProfile
from backend.app.company.sheet_sandbox import MAX_ROWS, SheetReader
from backend.app.company.sheets_read import Row, RowProblem, Sheet, Workbook, read_sheets
from backend.app.documents.storage import Storage

_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_MODELS: dict[str, type[BaseModel]] = {
    "qualifications": Paper,
    "certificates": Paper,
    "references": Contract,
    "people": Employee,
    "financials": Accounts,
}
_HEADERS = {section.field: {c.field: c.header for c in section.columns} for section in SECTIONS}
_BASIC_HEADERS = {column.field: column.header for column in BASICS}
_MOST_PROBLEMS = 200


@dataclass(frozen=True, slots=True)
class Import:
    """What a file says: the fields it sets, where each came from, and what is wrong with it."""

    changes: Mapping[str, Any]
    whole: bool = False  # a JSON file is the whole profile
    sheets: list[dict[str, Any]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)

    def over(self, before: Mapping[str, Any]) -> CompanyProfile:
        """The profile with what the file says: a sheet replaces its list, what has no sheet stays.

        Raises RequestValidationError: rows that are right alone can be too many together.
        """
        kept = {} if self.whole else dict(before)
        merged = {**kept, **self.changes}
        for name in _MERGED & kept.keys() & self.changes.keys():
            merged[name] = {**kept[name], **self.changes[name]}
        return validated(CompanyProfile, merged)

    def answer(self, stored: StoredProfile, profile: CompanyProfile | None, language: Language) -> ImportOut:
        """`profile` None: the file has problems."""
        return ImportOut(
            stored=False,
            version=stored.version,
            profile=profile,
            sheets=[SheetOut(**sheet) for sheet in self.sheets],
            ignored=self.ignored,
            problems=[_shown(problem, language) for problem in self.problems[:_MOST_PROBLEMS]],
        )

    def refuse(self) -> None:
        """Raises ValidationFailed when a row is wrong: a file is stored whole or not at all."""
        if self.problems:
            errors = [_as_field(problem) for problem in self.problems[:_MOST_PROBLEMS]]
            detail = "；".join(f"{error['field']}：{error['message']}" for error in errors[:3])
            raise ValidationFailed(errors=errors, detail=detail)


_MERGED = frozenset({"complete", "declarations"})


async def read_upload(upload: Upload, storage: Storage, reader: SheetReader) -> Import:
    """Raises UnsupportedFileType, ValidationFailed, and what reading a workbook raises."""
    path = storage.path(upload.stored.sha256)
    head = await asyncio.to_thread(_head, path)
    if head.startswith(_WORKBOOKS):
        sheets = await reader.read(path)
        return await asyncio.to_thread(_of_sheets, sheets)
    return await asyncio.to_thread(_of_text, path, upload.filename)


def _head(path: Any) -> bytes:
    with path.open("rb") as file:
        return bytes(file.read(4))


def _of_text(path: Any, filename: str) -> Import:
    try:
        text = decode_text(path.read_bytes()).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise _not_a_sheet() from error
    if text.lstrip().startswith("{"):
        return _of_json(text)
    if "\x00" in text or not filename.lower().endswith((".csv", ".txt")):
        raise _not_a_sheet()
    return _of_sheets([Sheet(filename.rpartition(".")[0], _csv_rows(text))])


def _not_a_sheet() -> UnsupportedFileType:
    return UnsupportedFileType(
        detail="请上传 xlsx、xls、csv 或 json 文件", detail_en="upload an xlsx, xls, csv or json file"
    )


def _csv_rows(text: str) -> list[list[Any]]:
    rows: list[list[Any]] = []
    try:
        for cells in csv.reader(io.StringIO(text)):
            if len(rows) > MAX_ROWS:
                raise ParseLimitExceeded
            rows.append(list(cells[:64]))
    except csv.Error as error:
        raise UnsupportedFileType(detail="CSV 格式不正确", detail_en="not a correct CSV file") from error
    return rows


def _of_json(text: str) -> Import:
    """What the export gave, or the profile alone."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnsupportedFileType(detail="JSON 格式不正确", detail_en="not a correct JSON file") from error
    body = told["profile"] if isinstance(told.get("profile"), dict) else told
    try:
        profile = CompanyProfile.model_validate(body)
    except ValidationError as error:
        problems = [
            RowProblem("JSON", 0, item["field"], item["message"], item["message_en"])
            for item in field_errors(error.errors())
        ]
        return Import({}, whole=True, problems=problems)
    return Import(profile.body(), whole=True)


def _of_sheets(sheets: list[Sheet]) -> Import:
    book = read_sheets(sheets)
    changes: dict[str, Any] = dict(_basics(book))
    for name, rows in book.lists.items():
        changes[name] = [row.values for row in rows if _fits(name, row, book)]
    if not book.sheets and not book.problems:
        book.problems.append(
            RowProblem("", 0, "", "没有可识别的工作表，请使用模板", "has no sheet that is known")
        )
    order = {sheet.name: at for at, sheet in enumerate(sheets)}
    problems = sorted(book.problems, key=lambda problem: (order.get(problem.sheet, 0), problem.row))
    return Import(changes, False, book.sheets, book.ignored, problems)


def _basics(book: Workbook) -> Iterable[tuple[str, Any]]:
    """Each plain field by itself, so that a wrong one is named."""
    sheet = next((s["sheet"] for s in book.sheets if s["section"] == "basics"), "声明")
    for name, value in book.basics.items():
        try:
            CompanyProfile.model_validate({name: value})
        except ValidationError as error:
            for item in field_errors(error.errors()):
                header = _BASIC_HEADERS.get(name, item["field"])
                book.problems.append(RowProblem(sheet, 0, header, item["message"], item["message_en"]))
        else:
            yield name, value


def _fits(name: str, row: Row, book: Workbook) -> bool:
    row.values.update({key: _clean(value) for key, value in row.values.items()})
    try:
        _MODELS[name].model_validate(row.values)
    except ValidationError as error:
        for item in field_errors(error.errors()):
            column = _HEADERS[name].get(item["field"].partition(".")[0], "")
            book.problems.append(
                RowProblem(row.sheet, row.number, column, item["message"], item["message_en"])
            )
        return False
    return True


def _clean(value: Any) -> Any:
    return clean_text(value) if isinstance(value, str) else value


def _shown(problem: RowProblem, language: Language) -> RowProblemOut:
    message = problem.message_en if language == "en" else problem.message
    return RowProblemOut(sheet=problem.sheet, row=problem.row, column=problem.column, message=message)


def _as_field(problem: RowProblem) -> dict[str, Any]:
    place = [problem.sheet, f"第{problem.row}行" if problem.row else "", problem.column]
    return {
        "field": ".".join(part for part in place if part)[:100],
        "message": problem.message,
        "message_en": problem.message_en,
        "type": "value_error",
    }
