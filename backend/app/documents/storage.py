"""Files by their SHA-256: written beside, then renamed into place. A name from outside is never a path.

Any number of processes may share the folder:

    incoming/…      files on their way in, swept when an hour old
    locks/ab        one lock a leading byte of the SHA-256
    ab/cd/abcd…     the files

A purge and an upload of the same content at the same moment do not lose it: both hold the content's lock for
their last step. `commit` always puts a new file in place, so that its age is 0 again; `remove_unreferenced`
takes only what is older than `GRACE` and asks, with the lock held, whether anyone refers to it. An uploader
therefore has `GRACE` seconds between `commit` and the row that refers to the file.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

GRACE = 3600.0  # seconds; also the age from which a file on its way in counts as left behind
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PRIVATE_FILE = 0o600
_PRIVATE_FOLDER = 0o700


@dataclass(frozen=True, slots=True)
class StoredFile:
    sha256: str
    size: int  # bytes


class Storage:
    """A folder of files named by their content."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._drafts = root / "incoming"
        self._locks = root / "locks"
        for folder in (self._drafts, self._locks):
            folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        """Where a file lies, whether or not it is there. Raises ValueError for what is no SHA-256."""
        if not _SHA256.fullmatch(sha256):
            raise ValueError("not a SHA-256")
        return self.root / sha256[:2] / sha256[2:4] / sha256

    def writer(self) -> StorageWriter:
        """For a file that comes in pieces; ended by `commit` or `abort`."""
        return StorageWriter(self, self._drafts / secrets.token_hex(16))

    def put_bytes(self, content: bytes) -> StoredFile:
        with self.writer() as writer:
            writer.write(content)
            return writer.commit()

    def read_bytes(self, sha256: str) -> bytes:
        """Raises FileNotFoundError."""
        return self.path(sha256).read_bytes()

    def open_stream(self, sha256: str) -> BinaryIO:
        """The file, opened for reading. Raises FileNotFoundError."""
        return self.path(sha256).open("rb")

    def exists(self, sha256: str) -> bool:
        return self.path(sha256).is_file()

    def age(self, sha256: str, *, now: float | None = None) -> float:
        """Seconds since it was last committed or touched. Raises FileNotFoundError."""
        return (time.time() if now is None else now) - self.path(sha256).stat().st_mtime

    def touch(self, sha256: str) -> None:
        """Make it young again, so that no purge takes it for `GRACE` seconds. Raises FileNotFoundError."""
        with self.locked(sha256):
            os.utime(self.path(sha256))

    def delete(self, sha256: str) -> bool:
        """Remove a file whoever refers to it; False when it was not there."""
        with self.locked(sha256):
            return self._unlink(sha256)

    def remove_unreferenced(
        self, sha256: str, still_referenced: Callable[[str], bool], *, now: float | None = None
    ) -> bool:
        """Remove a file that is older than `GRACE` and that nobody refers to; says whether it did.

        `still_referenced` is asked with the lock held and must read the database afresh.
        """
        with self.locked(sha256):
            try:
                if self.age(sha256, now=now) < GRACE or still_referenced(sha256):
                    return False
            except FileNotFoundError:
                return False
            return self._unlink(sha256)

    def sweep(self, *, now: float | None = None) -> int:
        """Remove what uploads that never ended left behind; returns how many files."""
        oldest = (time.time() if now is None else now) - GRACE
        removed = 0
        for draft in self._drafts.iterdir():
            with suppress(FileNotFoundError):
                if draft.stat().st_mtime < oldest:
                    draft.unlink()
                    removed += 1
        return removed

    def files(self) -> Iterator[StoredFile]:
        """Every stored file, in no order; those that go away meanwhile are left out."""
        for place in self.root.glob("??/??/*"):
            with suppress(FileNotFoundError):
                if _SHA256.fullmatch(place.name):
                    yield StoredFile(place.name, place.stat().st_size)

    @contextmanager
    def locked(self, sha256: str) -> Iterator[None]:
        """Hold the lock of a content against every other thread and process."""
        handle = os.open(self._locks / self.path(sha256).name[:2], os.O_RDWR | os.O_CREAT, _PRIVATE_FILE)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _unlink(self, sha256: str) -> bool:
        try:
            self.path(sha256).unlink()
        except FileNotFoundError:
            return False
        return True


class StorageWriter:
    """One file on its way in, hashed and counted as it comes. Blocks: on an event loop use a thread."""

    def __init__(self, storage: Storage, draft: Path) -> None:
        self._storage, self._draft = storage, draft
        self._out = os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE), "wb")
        self._hash = hashlib.sha256()
        self.size = 0

    def __enter__(self) -> StorageWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    def write(self, piece: bytes) -> None:
        self._hash.update(piece)
        self.size += len(piece)
        self._out.write(piece)

    def commit(self) -> StoredFile:
        """Make it durable and visible under its SHA-256."""
        self._out.flush()
        os.fsync(self._out.fileno())
        self._out.close()
        stored = StoredFile(self._hash.hexdigest(), self.size)
        place = self._storage.path(stored.sha256)
        with self._storage.locked(stored.sha256):
            place.parent.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
            os.utime(self._draft)
            # Also when it is there already: the new file's age keeps it from a purge, and a file that was
            # damaged on disk is whole again.
            self._draft.replace(place)
        for folder in (place.parent, place.parent.parent, self._storage.root):
            _sync_folder(folder)
        return stored

    def abort(self) -> None:
        """Drop what was not committed; after `commit` there is nothing to drop."""
        self._out.close()
        with suppress(FileNotFoundError):
            self._draft.unlink()


def storage_from_url(url: str | None, data_dir: Path) -> Storage:
    """The storage that SA_STORAGE_URL names: nothing for a folder under `data_dir`, or file:///folder.

    Raises ValueError with a sentence for any other scheme.
    """
    if not url:
        return Storage(data_dir / "storage")
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not parts.path:
        raise ValueError(
            "SA_STORAGE_URL must be empty or an address like file:///var/lib/sales-assistant/files"
        )
    return Storage(Path(unquote(parts.path)))


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
