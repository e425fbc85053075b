"""Zip packages, opened with care: the directory is checked before anything is unpacked."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from backend.app.common.errors import EncryptedDocument, ParseLimitExceeded, UnreadableDocument
from backend.app.documents.limits import ExtractLimits

_ENCRYPTED_FLAG = 0x1
_STEP = 1024 * 1024


def open_archive(source: Path | BinaryIO, limits: ExtractLimits) -> zipfile.ZipFile:
    """Open and check a zip file. Raises UnreadableDocument, EncryptedDocument or ParseLimitExceeded."""
    try:
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
        raise UnreadableDocument() from error
    try:
        check_directory(archive, limits)
    except BaseException:
        archive.close()
        raise
    return archive


def check_directory(archive: zipfile.ZipFile, limits: ExtractLimits) -> None:
    """Refuse by what the directory announces: too many entries, too large, packed too tightly."""
    entries = archive.infolist()
    if len(entries) > limits.max_entries:
        raise ParseLimitExceeded()
    total = 0
    for entry in entries:
        if entry.flag_bits & _ENCRYPTED_FLAG:
            raise EncryptedDocument()
        total += entry.file_size
        tight = entry.file_size > limits.max_ratio * max(entry.compress_size, 1)
        if total > limits.max_unpacked or (tight and entry.file_size > limits.ratio_from):
            raise ParseLimitExceeded()


def read_entry(archive: zipfile.ZipFile, name: str, most: int) -> bytes | None:
    """One entry's bytes; None when it is not there. What the directory announced is not believed."""
    parts = entry_parts(archive, name, most)
    return None if parts is None else b"".join(parts)


def entry_parts(archive: zipfile.ZipFile, name: str, most: int) -> Iterator[bytes] | None:
    """One entry's bytes piece by piece, at most `most` together; None when it is not there."""
    try:
        entry = archive.getinfo(name)
    except KeyError:
        return None
    if entry.file_size > most:
        raise ParseLimitExceeded()
    return _unpacked(archive, entry, most)


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> Iterator[bytes]:
    size = 0
    try:
        with archive.open(entry) as stream:
            while part := stream.read(_STEP):
                size += len(part)
                if size > most:
                    raise ParseLimitExceeded()
                yield part
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise UnreadableDocument() from error
    except Exception as error:
        if type(error).__module__ not in ("zlib", "lzma"):
            raise
        raise UnreadableDocument() from error
