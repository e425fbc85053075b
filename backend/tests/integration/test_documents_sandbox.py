"""Reading in a child process: no file harms, stalls or learns anything from the process that asks."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import structlog

from backend.app.common.errors import (
    EmptyDocument,
    EncryptedDocument,
    ParseLimitExceeded,
    UnreadableDocument,
    UnsupportedFileType,
)
from backend.app.documents.extract import extract
from backend.app.documents.limits import ExtractLimits
from backend.app.documents.ocr.pages import OcrLine, OcrPage
from backend.app.documents.sandbox import (
    ParsePool,
    SandboxLimits,
    network_isolation_works,
    parse_in_child,
)
from backend.tests.documents_made import PdfPage, make_docx, make_pdf, p

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def slow(tmp_path):
    """A file that takes a child several seconds."""
    path = tmp_path / "slow"
    path.write_text("第一条 投标人应当按照招标文件的要求编制投标文件\n" * 250_000)
    return path


def _children():
    """Our parsing children that are alive."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "backend.app.documents.child" in process.cmdline():
                found.append(process)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


async def _child():
    for _ in range(200):
        if found := _children():
            return found[0]
        await asyncio.sleep(0.02)
    raise AssertionError("no child came up")


async def test_the_child_s_document_is_the_same_as_ours(tmp_path):
    path = make_docx(tmp_path / "a", p("第一章 公告") + p("甲乙"))

    assert await parse_in_child(path, "a.docx") == extract(path, "a.docx")


@pytest.mark.parametrize(
    ("content", "name", "error"),
    [
        (b"", "a.txt", EmptyDocument),
        (b"\x89PNG\r\n\x1a\n", "a.png", UnreadableDocument),
        (b"PK\x05\x06" + bytes(18), "a.zip", UnsupportedFileType),
        (b"%PDF-1.7 broken", "a.pdf", UnreadableDocument),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            "a.docx",
            EncryptedDocument,
        ),
    ],
)
async def test_the_child_s_error_comes_back_as_the_same_error(tmp_path, content, name, error):
    path = tmp_path / "stored"
    path.write_bytes(content)

    with pytest.raises(error) as raised:
        await parse_in_child(path, name)

    assert "{" not in raised.value.sentence()  # its parameters came along


async def test_a_scan_is_recognised_in_the_child_too(tmp_path):
    document = await parse_in_child(make_pdf(tmp_path / "a", PdfPage(image=True)), "a.pdf")

    assert document.unread == (1,)


async def test_what_ocr_found_reaches_the_reader_in_the_child(tmp_path):
    found = OcrPage((OcrLine("投标", (9000, 9000, 10600, 10000), (9400, 10200), 99),))
    path = make_pdf(tmp_path / "a", PdfPage(image=True))

    document = await parse_in_child(path, "a.pdf", ocr={1: found})

    assert (document.text, document.unread, document.ocr_pages) == ("投标", (), (1,))


async def test_limits_of_the_reader_reach_the_child(tmp_path):
    path = make_docx(tmp_path / "a", p("甲") * 20)

    with pytest.raises(ParseLimitExceeded):
        await parse_in_child(path, "a.docx", SandboxLimits(extract=ExtractLimits(max_blocks=9)))


async def test_a_file_that_takes_too_long_is_ended_on_the_clock(slow):
    begun = time.monotonic()

    with pytest.raises(ParseLimitExceeded):
        await parse_in_child(slow, "a.txt", SandboxLimits(wall_seconds=0.4))

    assert time.monotonic() - begun < 3
    assert _children() == []


async def test_a_file_that_takes_too_much_processor_time_is_ended(slow):
    with pytest.raises(ParseLimitExceeded):
        await parse_in_child(slow, "a.txt", SandboxLimits(cpu_seconds=1))


async def test_a_file_that_takes_too_much_memory_is_ended(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("投标".encode() * 8_000_000)

    with pytest.raises(ParseLimitExceeded):
        await parse_in_child(path, "a.txt", SandboxLimits(memory_bytes=120 * 1024 * 1024))


async def test_an_answer_beyond_its_size_is_refused(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(os.urandom(40_000).hex().encode())

    with pytest.raises(ParseLimitExceeded):
        await parse_in_child(path, "a.txt", SandboxLimits(output_bytes=10_000))


async def test_cancelling_kills_the_child_at_once(slow):
    task = asyncio.create_task(parse_in_child(slow, "a.txt"))
    child = await _child()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not child.is_running()


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (signal.SIGSEGV, UnreadableDocument),
        (signal.SIGABRT, UnreadableDocument),
        (signal.SIGKILL, ParseLimitExceeded),
    ],
)
async def test_a_child_that_crashes_fails_the_document_and_nothing_else(slow, number, error):
    with structlog.testing.capture_logs() as lines:
        task = asyncio.create_task(parse_in_child(slow, "a.txt"))
        (await _child()).send_signal(number)

        with pytest.raises(error):
            await task

    assert [(line["event"], line["status"]) for line in lines] == [("parse_died", -number)]


async def test_no_secret_of_the_parent_reaches_the_child(slow, monkeypatch):
    monkeypatch.setenv("SA_JWT_SECRET", "geheim")
    task = asyncio.create_task(parse_in_child(slow, "geheim.txt"))
    child = await _child()
    for _ in range(100):  # until it runs its own program
        if child.environ().get("PYTHONPATH"):
            break
        await asyncio.sleep(0.01)

    environment, command = child.environ(), child.cmdline()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert set(environment) <= {"PATH", "PYTHONPATH", "LANG", "PYTHONUTF8", "MALLOC_ARENA_MAX", "TMPDIR"}
    assert "geheim" not in " ".join(command)  # the name of a customer's file neither


async def test_the_child_dies_with_its_parent(slow):
    """A worker killed by kill -9 must not leave parsers running."""
    code = (
        "import asyncio,sys\nfrom pathlib import Path\n"
        "from backend.app.documents.sandbox import parse_in_child\n"
        "asyncio.run(parse_in_child(Path(sys.argv[1]), 'a.txt'))"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(slow), cwd=_ROOT)
    try:
        child = await _child()
        await asyncio.sleep(0.3)
        parent.kill()
        await parent.wait()
        gone, alive = await asyncio.to_thread(psutil.wait_procs, [child], 5)
    finally:
        if parent.returncode is None:
            parent.kill()
            await parent.wait()

    assert alive == []
    assert gone


async def test_no_more_children_run_than_the_pool_allows(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("第一条 投标人\n" * 30_000)
    pool = ParsePool(2)
    most = 0

    async def watch():
        nonlocal most
        while True:
            most = max(most, len(_children()))
            await asyncio.sleep(0.01)

    watcher = asyncio.create_task(watch())
    documents = await asyncio.gather(*(pool.parse(path, "a.txt") for _ in range(6)))
    watcher.cancel()

    assert len(documents) == 6
    assert 1 <= most <= 2


async def test_waiting_for_a_place_does_not_use_up_the_clock(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("第一条 投标人\n" * 20_000)
    pool = ParsePool(1)

    documents = await asyncio.gather(
        *(pool.parse(path, "a.txt", SandboxLimits(wall_seconds=10)) for _ in range(4))
    )

    assert len(documents) == 4


def test_a_bug_in_a_reader_is_an_unreadable_document_with_its_place_in_the_log_only(tmp_path):
    """Its message may quote the document, so only where it broke is told."""
    from backend.app.documents import child
    from backend.app.documents.sandbox import _understand

    answer = child.read({"path": str(tmp_path), "filename": "a.txt", "limits": {"extract": {"no_such": 1}}})
    with structlog.testing.capture_logs() as lines, pytest.raises(UnreadableDocument):
        _understand(b"X" + b'File "readers/docx.py", line 7\nKeyError', SandboxLimits())

    assert answer.startswith(b"X")
    assert [line["event"] for line in lines] == ["parse_failed"]


@pytest.mark.parametrize("reply", [b"D", b"Dnonsense", b"E{", b'E{"code": "poisoned"}', b"?", b"E[[[["])
def test_nonsense_from_a_child_is_an_unreadable_document(reply):
    from backend.app.documents.sandbox import _understand

    with pytest.raises(UnreadableDocument):
        _understand(reply, SandboxLimits())


_PROBE = """
import json, os, socket, sys
sys.path.insert(0, sys.argv[1])
from backend.app.documents import child
child.confine({"memory_bytes": 1 << 30, "cpu_seconds": 9, "output_bytes": 1000, "open_files": 16})
seen = {}
try:
    open(sys.argv[2], "wb").write(b"x" * 9999)
    seen["write"] = True
except OSError:
    seen["write"] = False
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[3])), 2)
    seen["network"] = True
except OSError:
    seen["network"] = False
try:
    bytearray(2 << 30)
    seen["memory"] = True
except MemoryError:
    seen["memory"] = False
files = []
try:
    while len(files) < 99:
        files.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
for one in files:
    os.close(one)
seen["files"] = len(files)
print(json.dumps(seen))
"""


async def test_a_confined_process_can_neither_call_out_nor_write_nor_grow(tmp_path):
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", _PROBE, str(_ROOT), str(tmp_path / "x"), str(port)],
        capture_output=True,
        check=True,
        timeout=30,
    )
    server.close()
    await server.wait_closed()
    seen = json.loads(done.stdout)

    assert seen["write"] is False
    assert seen["memory"] is False
    assert seen["files"] < 16
    assert seen["network"] is not network_isolation_works()
