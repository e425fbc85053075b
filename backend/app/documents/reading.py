"""A file read to the end: its text layer, then OCR for the pages that need it, then both as one text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backend.app.common.errors import DocumentError, DocumentNeedsOCR
from backend.app.common.logging import get_logger
from backend.app.documents.canonical import Document, FileAnchor
from backend.app.documents.ocr.pages import OcrPage, page_list
from backend.app.documents.ocr.process import OcrFile
from backend.app.documents.ocr.session import OcrDesk, OcrSession
from backend.app.documents.package_files import page_in_package
from backend.app.documents.sandbox import ParsePool, SandboxLimits

log = get_logger("reading")

# Does a page's OCR, or finds it done before: the page's JSON.
Keep = Callable[[int, Callable[[], Awaitable[dict[str, Any]]]], Awaitable[Any]]
Told = Callable[[int, int], None]  # how many pages are done, of how many

_PDF = "application/pdf"
_MOST_FAILURES = 3  # pages in a row, after which the rest of that file is not tried


@dataclass(frozen=True, slots=True)
class Reader:
    """What reading a file takes. `max_ocr_pages`: of one file, that are read by OCR."""

    pool: ParsePool
    limits: SandboxLimits = field(default_factory=SandboxLimits)
    desk: OcrDesk = field(default_factory=OcrDesk)
    max_ocr_pages: int = 200

    async def parse(self, path: Path, filename: str, ocr: Mapping[int, OcrPage] | None = None) -> Document:
        """As `sandbox.parse_in_child`."""
        return await self.pool.parse(path, filename, self.limits, ocr)

    async def recognise(self, path: Path, document: Document, keep: Keep, told: Told) -> dict[int, OcrPage]:
        """What stands on the first unread pages of a parsed file, by page number.

        A page that cannot be read is left out. Raises its DocumentError when nothing else of the document
        can be read either.
        """
        wanted = document.unread[: self.max_ocr_pages]
        found: dict[int, OcrPage] = {}
        failures: list[DocumentError] = []
        done = 0
        for file, numbers in _by_file(path, document, wanted):
            in_a_row = 0
            async with self.desk.session(file) as session:
                for number, own in numbers:
                    told(done, len(wanted))
                    done += 1

                    async def call(session: OcrSession = session, own: int = own) -> dict[str, Any]:
                        return (await session.page(own)).as_json()

                    try:
                        found[number] = OcrPage.from_json(await keep(number, call))
                        in_a_row = 0
                    except DocumentError as error:
                        log.warning("ocr_page_failed", page=number, error=error.code)
                        failures.append(error)
                        in_a_row += 1
                    if in_a_row == _MOST_FAILURES:
                        break
        if failures and not found and not document.text:
            raise failures[0]
        return found

    def finished(self, document: Document) -> Document:
        """The document with a warning for every page that stays unread. Raises DocumentNeedsOCR when nothing
        was read at all: OCR is switched off, or what was read of it is empty."""
        if document.unread and not document.text:
            raise DocumentNeedsOCR()
        notes = tuple(
            f"{gap['part']}未读取：{gap['reason']}" for gap in unread_gaps(document, self.max_ocr_pages)
        )
        return replace(document, warnings=document.warnings + notes)


def _by_file(
    path: Path, document: Document, pages: Sequence[int]
) -> Iterator[tuple[OcrFile, list[tuple[int, int]]]]:
    """Each file of a document with its pages: (number in the document, number in the file)."""
    if not document.files:
        yield OcrFile(path, document.media_type == _PDF), [(number, number) for number in pages]
        return
    by_file: dict[FileAnchor, list[tuple[int, int]]] = {}
    for number in pages:
        placed = page_in_package(document, number)
        if placed is not None:
            file, own = placed
            by_file.setdefault(file, []).append((number, own))
    for file, numbers in by_file.items():
        yield OcrFile(path, file.media_type == _PDF, file.name), numbers


async def read_file(reader: Reader, path: Path, filename: str, told: Told = lambda *_: None) -> Document:
    """A file's text, OCR included. Raises what `Reader.parse` and `Reader.recognise` raise."""
    document = await reader.parse(path, filename)
    if document.unread:
        found = await reader.recognise(path, document, _at_once, told)
        if found:
            document = await reader.parse(path, filename, found)
    return reader.finished(document)


async def _at_once(_number: int, call: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    return await call()


def unread_gaps(document: Document, max_ocr_pages: int) -> list[dict[str, str]]:
    """`{"part", "reason"}` of the pages that nobody has read: beyond the limit, or tried without success."""
    tried = frozenset(sorted((*document.unread, *document.ocr_pages))[:max_ocr_pages])
    beyond = [number for number in document.unread if number not in tried]
    failed = [number for number in document.unread if number in tried]
    gaps = []
    if failed:
        gaps.append(_gap(failed, "扫描页或文字层损坏，文字识别（OCR）未成功"))
    if beyond:
        gaps.append(_gap(beyond, f"超出单个文件文字识别（OCR）的页数上限 {max_ocr_pages} 页"))
    return gaps


def _gap(numbers: Sequence[int], reason: str) -> dict[str, str]:
    return {"part": f"第 {page_list(numbers)} 页", "reason": reason}
