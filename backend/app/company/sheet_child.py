"""The process that reads one foreign workbook: `python -m backend.app.company.sheet_child PARENT`.

A sheet of two cells may span sixteen thousand columns and a million rows, and calamine lays them all out:
so it is done where memory is limited. The request comes as JSON on stdin, the answer goes to stdout as JSON:
{"sheets": [{"name", "rows"}]} or {"error": code}.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from backend.app.documents.child import confine, die_with_parent


def main() -> int:
    parent = int(sys.argv[1])
    die_with_parent(parent)
    answer = os.dup(1)
    os.dup2(2, 1)  # a library that prints must not spoil the answer
    request = json.loads(sys.stdin.buffer.read())
    confine(request["limits"])
    die_with_parent(parent)  # again: a change of rights may make the kernel forget it
    reply = json.dumps(read(request), ensure_ascii=False).encode()
    view = memoryview(reply)
    while view:
        view = view[os.write(answer, view) :]
    return 0


def read(request: dict[str, Any]) -> dict[str, Any]:
    """The cells of the first sheets, cut to so many rows, columns and characters."""
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError

    try:
        book = CalamineWorkbook.from_path(request["path"])
        names = book.sheet_names[: request["max_sheets"]]
        return {"sheets": [{"name": name[:100], "rows": _rows(book, name, request)} for name in names]}
    except PasswordError:
        return {"error": "encrypted_document"}
    except CalamineError:
        return {"error": "unreadable_document"}


def _rows(book: Any, name: str, request: dict[str, Any]) -> list[list[Any]]:
    rows: list[list[Any]] = []
    for cells in book.get_sheet_by_name(name).iter_rows():
        if len(rows) > request["max_rows"]:  # one more, so that the reader sees that there are too many
            break
        rows.append([_cell(cell, request["max_chars"]) for cell in cells[: request["max_columns"]]])
    return rows


def _cell(cell: Any, most: int) -> Any:
    if cell is None or isinstance(cell, bool | int | float):
        return cell
    if hasattr(cell, "isoformat"):
        return str(cell.isoformat())[:10]
    return str(cell)[:most]


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)
