"""A zip package as one document: every file that can be read, one after the other, each under its name.

A file's name is a heading above everything in it. Pages are counted on through the package. What can't be
read is named in a warning and the rest is read all the same; packages inside a package stay closed.
"""

from __future__ import annotations

import gc
import time
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from backend.app.common.errors import (
    AppError,
    EncryptedDocument,
    ParseLimitExceeded,
    UnreadableDocument,
    UnsupportedFileType,
)
from backend.app.common.logging import get_logger
from backend.app.documents.archive import open_archive
from backend.app.documents.canonical import NO_BOX, Block, BlockKind, Document, FileAnchor, Page
from backend.app.documents.limits import MEGABYTE, ExtractLimits
from backend.app.documents.package_files import PackedFile, packed_files, unpacked

if TYPE_CHECKING:
    from backend.app.documents.ocr.pages import OcrPage

log = get_logger("package")

MEDIA_TYPE = "application/zip"

_MAX_WARNINGS = 100
_COLLECTED = 4 * MEGABYTE  # bytes read between two collections of garbage
_PACKAGES = (".zip", ".rar", ".7z", ".gz", ".tar", ".tgz", ".bz2", ".xz")

Reader = Callable[[Path, str, ExtractLimits, Mapping[int, "OcrPage"]], Document]


def read_package(
    path: Path, limits: ExtractLimits, read: Reader, ocr: Mapping[int, OcrPage] | None = None
) -> Document:
    """`read` reads one file by its path and name, as `extract` does. `ocr`: what was found on pages that an
    earlier reading left unread, in the numbering of the package.

    Raises EncryptedDocument, UnreadableDocument or ParseLimitExceeded of the package itself; when no file
    could be read what the first of them raised, or UnsupportedFileType.
    """
    parts = _Parts(limits)
    begun, opened = time.monotonic(), 0
    with open_archive(path, limits) as archive:
        for file in packed_files(archive):
            if file.name.lower().endswith(_PACKAGES):
                parts.pass_over(file, "压缩包里的压缩包没有打开，请解压后上传")
                continue
            left = replace(limits, office_seconds=limits.office_seconds - (time.monotonic() - begun))
            try:
                with unpacked(archive, file, limits) as inner:
                    found = parts.own_pages(ocr or {})
                    parts.add(file, read(inner, file.name, parts.remaining(left), found))
            except AppError as error:
                parts.fail(file, error)
            except Exception as error:  # a slip of a reader costs one file, not the package
                log.warning("packed_file_failed", error=type(error).__name__)
                parts.fail(file, UnreadableDocument())
            opened += file.size
            if opened > _COLLECTED:  # the child that reads foreign files runs without collecting
                gc.collect()
                opened = 0
    return parts.joined()


@dataclass(slots=True)
class _Parts:
    limits: ExtractLimits
    texts: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    boxes: array[int] = field(default_factory=lambda: array("H"))
    files: list[FileAnchor] = field(default_factory=list)
    unread: list[int] = field(default_factory=list)
    ocr_pages: list[int] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    errors: list[AppError] = field(default_factory=list)
    length: int = 0
    page_count: int = 0
    tables: int = 0

    def remaining(self, limits: ExtractLimits) -> ExtractLimits:
        """What the files before have left of the limits. Raises ParseLimitExceeded when that is nothing."""
        chars, blocks = limits.max_chars - self.length, limits.max_blocks - len(self.blocks)
        pages = limits.max_pages - self.page_count
        if min(chars, blocks, pages) <= 0:
            raise ParseLimitExceeded()
        return replace(limits, max_chars=chars, max_blocks=blocks, max_pages=pages)

    def own_pages(self, ocr: Mapping[int, OcrPage]) -> dict[int, OcrPage]:
        """What was found on pages of the next file and those after it, in its own numbering."""
        return {number - self.page_count: page for number, page in ocr.items() if number > self.page_count}

    def add(self, file: PackedFile, document: Document) -> None:
        """Append a file: its name as a heading, then its blocks, everything counted on."""
        start = self.length + 1 if self.texts else 0
        text = f"{file.name}\n{document.text}" if document.text else file.name
        shift = start + len(file.name) + 1
        pages = max([page.number for page in document.pages] + list(document.unread), default=0)
        page = self.page_count + 1 if pages else None
        self._extend_boxes(shift, document)
        self.texts.append(text)
        self.length = start + len(text)
        self.blocks.append(Block(start, start + len(file.name), BlockKind.HEADING, page, (), 1))
        self.blocks += [self._moved(block, shift, file.name) for block in document.blocks]
        self._add_pages(document, shift, start)
        anchor = FileAnchor(file.name, start, self.length, document.media_type, page, pages)
        self.files.append(anchor)
        self.unread += [number + self.page_count for number in document.unread]
        self.ocr_pages += [number + self.page_count for number in document.ocr_pages]
        for warning in document.warnings:
            self._warn(f"{file.name}：{warning}")
        self.page_count += pages
        self.tables += max((block.cell.table + 1 for block in document.blocks if block.cell), default=0)

    def fail(self, file: PackedFile, error: AppError) -> None:
        self.errors.append(error)
        self._warn(f"{file.name}：{error.sentence()}")

    def pass_over(self, file: PackedFile, reason: str) -> None:
        self._warn(f"{file.name}：{reason}")

    def joined(self) -> Document:
        if not self.files:
            raise self._why_nothing()
        return Document(
            text="\n".join(self.texts),
            blocks=tuple(self.blocks),
            pages=tuple(self.pages),
            boxes=self.boxes,
            warnings=tuple(self.warnings),
            media_type=MEDIA_TYPE,
            files=tuple(self.files),
            unread=tuple(self.unread),
            ocr_pages=tuple(self.ocr_pages),
        )

    def _why_nothing(self) -> AppError:
        telling = [one for one in self.errors if not isinstance(one, UnsupportedFileType)]
        if not telling:
            return UnsupportedFileType(
                detail="压缩包里没有可以读取的文件", detail_en="the package holds no file that can be read"
            )
        locked = all(isinstance(one, EncryptedDocument) for one in telling)
        return EncryptedDocument() if locked else telling[0]

    def _extend_boxes(self, shift: int, document: Document) -> None:
        """From the first file with boxes on every code point has its four numbers."""
        if not document.boxes and not self.boxes:
            return
        wanted = shift if document.text else shift - 1
        self.boxes.extend((NO_BOX,) * (4 * wanted - len(self.boxes)))
        self.boxes.extend(document.boxes or (NO_BOX,) * (4 * len(document.text)))

    def _moved(self, block: Block, shift: int, name: str) -> Block:
        cell = block.cell
        return replace(
            block,
            start=block.start + shift,
            end=block.end + shift,
            page=block.page + self.page_count if block.page is not None else None,
            path=(name, *block.path),
            level=block.level + 1 if block.level is not None else None,
            cell=replace(cell, table=cell.table + self.tables) if cell is not None else None,
        )

    def _add_pages(self, document: Document, shift: int, start: int) -> None:
        """The first page of a file begins with its name. A file all of whose pages are unread has no text."""
        for at, page in enumerate(document.pages):
            first = start if at == 0 else min(page.start + shift, self.length)
            last = max(min(page.end + shift, self.length), first)
            self.pages.append(replace(page, number=page.number + self.page_count, start=first, end=last))

    def _warn(self, text: str) -> None:
        if len(self.warnings) < _MAX_WARNINGS:
            self.warnings.append(text)
        elif len(self.warnings) == _MAX_WARNINGS:
            self.warnings.append("……")
