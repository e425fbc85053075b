"""The files inside a zip package: their names as their sender saw them, their order, each opened by itself.

Nothing is unpacked to disk: a file of the package is opened in memory where the system can, else in a
temporary file that only its opener sees.
"""

from __future__ import annotations

import os
import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from backend.app.common.errors import FileNotFound, ParseLimitExceeded
from backend.app.documents.archive import entry_parts, open_archive
from backend.app.documents.canonical import Document, FileAnchor
from backend.app.documents.limits import ExtractLimits

_UTF8_FLAG = 0x800
_UNICODE_PATH = 0x7075  # extra field of Info-ZIP: version, checksum, name in UTF-8
_RUBBISH = frozenset(("thumbs.db", "desktop.ini", "ehthumbs.db", ".ds_store"))
_MAIN = re.compile(r"招标文件|采购文件|磋商|谈判|比选|询价|遴选|竞价|招标公告|采购公告")
_ATTACHED = re.compile(r"附件|附录|附表|图纸|清单|控制价|澄清|答疑|补遗|格式")
_DIGITS = re.compile(r"(\d+)")
_LONGEST_NAME = 300


@dataclass(frozen=True, slots=True)
class PackedFile:
    """`name`: the path inside the package, "/" between folders. `entry`: its key in the zip directory."""

    name: str
    entry: str
    size: int


def packed_files(archive: zipfile.ZipFile) -> list[PackedFile]:
    """The package's files in reading order: the tender itself, other files, attachments."""
    found: dict[str, PackedFile] = {}
    for entry in archive.infolist():
        name = entry_name(entry)
        if not entry.is_dir() and name and not _is_rubbish(name):
            found.setdefault(name, PackedFile(name, entry.filename, entry.file_size))
    return sorted(found.values(), key=lambda one: (_rank(one.name), _natural(one.name)))


def entry_name(entry: zipfile.ZipInfo) -> str:
    """The name by its flag, by Info-ZIP's extra field, else by trying: UTF-8, GB18030, code page 437."""
    if entry.flag_bits & _UTF8_FLAG:
        return _tidied(entry.filename)
    try:
        raw = entry.orig_filename.encode("cp437")
    except UnicodeEncodeError:
        return _tidied(entry.filename)
    told = _unicode_path(entry.extra)
    if told:
        return _tidied(told)
    for encoding in ("utf-8", "gb18030"):
        try:
            return _tidied(raw.decode(encoding))
        except UnicodeDecodeError:
            continue
    return _tidied(entry.filename)


@contextmanager
def opened_file(path: Path, name: str, limits: ExtractLimits) -> Iterator[Path]:
    """One file of a package as a path that lasts as long as the context. Raises FileNotFound."""
    with open_archive(path, limits) as archive:
        wanted = next((one for one in packed_files(archive) if one.name == name), None)
        if wanted is None:
            raise FileNotFound()
        with unpacked(archive, wanted, limits) as inner:
            yield inner


@contextmanager
def unpacked(archive: zipfile.ZipFile, file: PackedFile, limits: ExtractLimits) -> Iterator[Path]:
    """As `opened_file`, of a package that is open."""
    with _scratch() as target:
        try:
            for part in entry_parts(archive, file.entry, limits.max_unpacked) or ():
                target.write(part)
            target.flush()
        except OSError as error:  # the process may not write so much
            raise ParseLimitExceeded() from error
        yield Path(target.name) if isinstance(target.name, str) else Path(f"/proc/self/fd/{target.fileno()}")


def page_in_package(document: Document, page: int) -> tuple[FileAnchor, int] | None:
    """Which file of a package a page belongs to, and its number there; None where there is no such page."""
    for file in document.files:
        if file.first_page is not None and file.first_page <= page < file.first_page + file.pages:
            return file, page - file.first_page + 1
    return None


def _scratch() -> IO[bytes]:
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").exists():
        return os.fdopen(os.memfd_create("package", os.MFD_CLOEXEC), "w+b")
    return tempfile.NamedTemporaryFile(prefix="package-")


def _unicode_path(extra: bytes) -> str:
    at = 0
    while at + 4 <= len(extra):
        kind = int.from_bytes(extra[at : at + 2], "little")
        size = int.from_bytes(extra[at + 2 : at + 4], "little")
        if kind == _UNICODE_PATH and size > 5:
            return extra[at + 9 : at + 4 + size].decode("utf-8", "replace")
        at += 4 + size
    return ""


def _tidied(name: str) -> str:
    """Folders apart by "/", nothing above the package, no controls: the name is only ever shown."""
    parts = re.split(r"[/\\]", re.sub(r"[\x00-\x1f\x7f]", "", name))
    return "/".join(part for part in parts if part not in ("", ".", ".."))[-_LONGEST_NAME:]


def _is_rubbish(name: str) -> bool:
    """What systems leave in packages: shadows of macOS, thumbnails, hidden files, open documents' locks."""
    parts = name.split("/")
    hidden = any(part.startswith(".") for part in parts)
    return hidden or "__MACOSX" in parts or parts[-1].lower() in _RUBBISH or parts[-1].startswith("~$")


def _rank(name: str) -> int:
    last = name.rsplit("/", 1)[-1]
    main, attached = bool(_MAIN.search(last)), bool(_ATTACHED.search(last))
    return 0 if main and not attached else 1 if main else 3 if attached else 2


def _natural(name: str) -> list[tuple[int, int, str]]:
    """附件2 before 附件10."""
    pieces = _DIGITS.split(name)
    return [(1, int(one), "") if one.isdecimal() and len(one) < 19 else (0, 0, one) for one in pieces]
