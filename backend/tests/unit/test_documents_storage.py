"""Files by their SHA-256: whole or not there, once, and never lost to a purge."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import time

import pytest

from backend.app.documents.storage import GRACE, Storage, StoredFile, storage_from_url

_CONTENT = b"tender" * 1000
_SHA256 = hashlib.sha256(_CONTENT).hexdigest()


@pytest.fixture
def storage(tmp_path):
    return Storage(tmp_path / "files")


def _age(storage, sha256, seconds):
    then = time.time() - seconds
    os.utime(storage.path(sha256), (then, then))


def test_what_was_stored_in_pieces_is_read_whole(storage):
    with storage.writer() as writer:
        for at in range(0, len(_CONTENT), 7):
            writer.write(_CONTENT[at : at + 7])
        stored = writer.commit()

    assert stored == StoredFile(_SHA256, len(_CONTENT))
    assert storage.read_bytes(_SHA256) == _CONTENT
    with storage.open_stream(_SHA256) as stream:
        assert stream.read(6) == b"tender"
    assert storage.path(_SHA256).relative_to(storage.root).parts == (_SHA256[:2], _SHA256[2:4], _SHA256)


def test_a_file_is_not_there_before_it_is_committed(storage):
    with storage.writer() as writer:
        writer.write(_CONTENT)
        assert not storage.exists(_SHA256)

    assert list(storage.files()) == []
    assert list((storage.root / "incoming").iterdir()) == []


def test_the_same_content_twice_is_one_file(storage):
    assert storage.put_bytes(_CONTENT) == storage.put_bytes(_CONTENT)
    assert [stored.sha256 for stored in storage.files()] == [_SHA256]


def test_a_file_damaged_on_disk_is_whole_again_after_the_next_upload(storage):
    storage.put_bytes(_CONTENT)
    storage.path(_SHA256).write_bytes(b"damaged")

    storage.put_bytes(_CONTENT)

    assert storage.read_bytes(_SHA256) == _CONTENT


@pytest.mark.parametrize(
    "name", ["", "../../etc/passwd", "A" * 64, _SHA256 + "/x", _SHA256[:63], _SHA256 + "\n"]
)
def test_what_is_no_sha256_is_never_a_path(storage, name):
    for verb in (storage.path, storage.read_bytes, storage.open_stream, storage.delete, storage.touch):
        with pytest.raises(ValueError):
            verb(name)


def test_others_on_the_machine_cannot_read_what_is_stored(storage):
    storage.put_bytes(_CONTENT)

    assert stat.S_IMODE(storage.path(_SHA256).stat().st_mode) == 0o600


def test_deleting_says_whether_there_was_something(storage):
    storage.put_bytes(_CONTENT)

    assert storage.delete(_SHA256) is True
    assert storage.delete(_SHA256) is False
    with pytest.raises(FileNotFoundError):
        storage.read_bytes(_SHA256)


@pytest.mark.parametrize(
    ("age", "referenced", "removed"),
    [(0, False, False), (GRACE + 60, True, False), (GRACE + 60, False, True), (GRACE - 60, False, False)],
)
def test_a_purge_takes_only_what_is_old_and_unreferenced(storage, age, referenced, removed):
    storage.put_bytes(_CONTENT)
    _age(storage, _SHA256, age)

    assert storage.remove_unreferenced(_SHA256, lambda _: referenced) is removed
    assert storage.exists(_SHA256) is not removed


def test_an_old_file_that_is_uploaded_again_is_young(storage):
    storage.put_bytes(_CONTENT)
    _age(storage, _SHA256, 2 * GRACE)
    assert storage.age(_SHA256) > GRACE

    storage.put_bytes(_CONTENT)

    assert storage.age(_SHA256) < 60
    assert storage.remove_unreferenced(_SHA256, lambda _: False) is False


def test_touching_keeps_a_file_from_the_purge(storage):
    storage.put_bytes(_CONTENT)
    _age(storage, _SHA256, 2 * GRACE)

    storage.touch(_SHA256)

    assert storage.remove_unreferenced(_SHA256, lambda _: False) is False


def test_an_upload_during_the_purge_s_question_is_not_lost(storage):
    """The purge has found the file old and asks the database; the upload must wait for its answer."""
    storage.put_bytes(_CONTENT)
    _age(storage, _SHA256, 2 * GRACE)
    asked, committed = threading.Event(), threading.Event()

    def upload():
        asked.wait(5)
        storage.put_bytes(_CONTENT)
        committed.set()

    def still_referenced(_):
        asked.set()
        assert not committed.wait(0.3)  # it waits for the lock that we hold
        return False

    thread = threading.Thread(target=upload)
    thread.start()
    removed = storage.remove_unreferenced(_SHA256, still_referenced)
    thread.join(5)

    assert removed is True
    assert storage.read_bytes(_SHA256) == _CONTENT


def test_uploads_and_purges_of_one_content_at_once_never_lose_it(storage):
    """Whoever has committed finds the file, whatever purges ran meanwhile."""
    lost = []
    stop = threading.Event()

    def purge():
        while not stop.is_set():
            storage.remove_unreferenced(_SHA256, lambda _: False, now=time.time() + GRACE - 30)

    def upload():
        for _ in range(25):
            storage.put_bytes(_CONTENT)
            if not storage.exists(_SHA256):
                lost.append(1)

    purges = [threading.Thread(target=purge) for _ in range(2)]
    uploads = [threading.Thread(target=upload) for _ in range(4)]
    for thread in purges + uploads:
        thread.start()
    for thread in uploads:
        thread.join(60)
    stop.set()
    for thread in purges:
        thread.join(60)

    assert lost == []
    assert storage.read_bytes(_SHA256) == _CONTENT


def test_what_an_upload_left_behind_goes_after_an_hour(storage):
    for name, age in (("old", GRACE + 60), ("new", 60)):
        draft = storage.root / "incoming" / name
        draft.write_bytes(b"x")
        os.utime(draft, (time.time() - age,) * 2)

    assert storage.sweep() == 1
    assert [draft.name for draft in (storage.root / "incoming").iterdir()] == ["new"]


def test_the_storage_s_address_is_a_folder(tmp_path):
    assert storage_from_url(None, tmp_path).root == tmp_path / "storage"
    assert storage_from_url("", tmp_path).root == tmp_path / "storage"
    assert storage_from_url(f"file://{tmp_path}/a%20b", tmp_path).root == tmp_path / "a b"


@pytest.mark.parametrize("url", ["s3://bucket", "http://x/y", "file://host/x", "file:", "/plain/path"])
def test_any_other_address_is_refused_with_a_sentence(tmp_path, url):
    with pytest.raises(ValueError, match="SA_STORAGE_URL"):
        storage_from_url(url, tmp_path)
