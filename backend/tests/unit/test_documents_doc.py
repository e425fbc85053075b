"""Old Word files: both ways of reading them agree, and broken ones end as errors."""

from __future__ import annotations

import asyncio
import re
import subprocess
from contextlib import suppress

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.app.common.errors import AppError, EncryptedDocument, UnreadableDocument, UnsupportedFileType
from backend.app.documents.canonical import BlockKind
from backend.app.documents.extract import extract
from backend.app.documents.limits import ExtractLimits
from backend.app.documents.readers import doc_pieces
from backend.app.documents.readers.doc import office_program, read_doc
from backend.app.documents.readers.doc_text import read_doc_text
from backend.app.documents.sandbox import SandboxLimits, parse_in_child
from backend.tests.documents_made import assert_lawful, make_docx, numbering, p, r, tbl, tc, texts

_OFFICE = office_program()
needs_office = pytest.mark.skipif(_OFFICE is None, reason="LibreOffice makes and reads these files")
_BODY = (
    p("第一章 招标公告")
    + p("项目名称：食堂设备采购，预算 123.45 万元。")
    + p("投标人资格", num=(1, 0))
    + p("财务要求", num=(1, 0))
    + tbl(
        (tc("序号"), tc("内容", span=2)),
        (tc("1", merge="restart"), tc("名称"), tc("")),
        (tc("", merge="continue"), tc(p("要求") + p("第二行")), tc("空格之后")),
    )
    + p("表后★ “引号” café ")
    + p(r("\U00020000生僻字"), "<w:r><w:rPr><w:vanish/></w:rPr><w:t></w:t></w:r>")
)


@pytest.fixture(scope="session")
def doc(tmp_path_factory):
    """A .doc saved by LibreOffice, with tables, numbers and Chinese text."""
    folder = tmp_path_factory.mktemp("doc")
    source = make_docx(folder / "a.docx", _BODY, numbering=numbering({0: ("decimal", "%1.")}))
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    command = ["soffice", profile, "--headless", "--convert-to", "doc:MS Word 97", "--outdir", folder, source]
    subprocess.run(command, check=True, capture_output=True, timeout=100)
    return folder / "a.doc"


def _flat(document):
    return [re.sub(r"^\d\. ", "", text) for text in texts(document)]


@needs_office
def test_libre_office_and_our_own_reader_give_the_same_text_up_to_numbers(doc):
    by_office, own = read_doc(doc, ExtractLimits()), read_doc_text(doc, ExtractLimits())

    assert_lawful(by_office)
    assert_lawful(own)
    assert "1. 投标人资格" in by_office.text
    assert _flat(by_office) == _flat(own)
    assert [block.cell for block in by_office.blocks] == [block.cell for block in own.blocks]
    assert "编号" in own.warnings[0]
    assert own.blocks[0].kind is BlockKind.HEADING


@needs_office
def test_cells_of_an_old_file_keep_their_spans(doc):
    document = read_doc_text(doc, ExtractLimits())

    spans = {
        text: block.cell for text, block in zip(texts(document), document.blocks, strict=True) if block.cell
    }
    assert (spans["内容"].col, spans["内容"].colspan) == (1, 2)
    assert (spans["1"].row, spans["1"].rowspan) == (1, 2)
    assert (spans["要求\n第二行"].row, spans["要求\n第二行"].col) == (2, 1)


@needs_office
def test_without_libre_office_a_doc_is_read_all_the_same(doc, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")

    assert "食堂设备采购" in extract(doc, "a.doc").text


@needs_office
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8)), max_size=6),
    st.floats(0, 1),
)
def test_a_damaged_doc_is_read_or_refused(doc, tmp_path_factory, damage, share):
    """Bytes overwritten anywhere, or the end cut off: cyclic chains, pieces out of the file, wild lengths."""
    raw = bytearray(doc.read_bytes())
    for place, piece in damage:
        at = int(place * len(raw))
        raw[at : at + len(piece)] = piece
    path = tmp_path_factory.mktemp("damaged") / "a"
    path.write_bytes(raw[: int(share * len(raw))] if share < 0.5 else raw)

    with suppress(AppError):
        assert_lawful(read_doc_text(path, ExtractLimits()))


def _header(mark=0xA5EC, version=0xC1, flags=0):
    head = mark.to_bytes(2, "little") + version.to_bytes(2, "little") + bytes(6) + flags.to_bytes(2, "little")
    return head.ljust(0x200, b"\0")


def test_an_encrypted_doc_is_named_as_such():
    with pytest.raises(EncryptedDocument):
        doc_pieces.check_header(_header(flags=0x100))


def test_a_doc_of_word_95_is_named_as_such():
    with pytest.raises(UnsupportedFileType, match="Word 95"):
        doc_pieces.check_header(_header(mark=0xA5DC, version=0x68))


def _clx(*pieces):
    """A piece table: (characters, place, whether one byte each)."""
    firsts = [sum(length for length, _, _ in pieces[:at]) for at in range(len(pieces) + 1)]
    plc = b"".join(one.to_bytes(4, "little") for one in firsts)
    for _, place, narrow in pieces:
        plc += bytes(2) + ((2 * place) | 0x40000000 if narrow else place).to_bytes(4, "little") + bytes(2)
    return b"\x01\x02\x00ab\x02" + len(plc).to_bytes(4, "little") + plc


def _main(clx, length, body):
    head = bytearray(_header())
    head[0x4C:0x50] = length.to_bytes(4, "little")
    head[0x1A2:0x1AA] = bytes(4) + len(clx).to_bytes(4, "little")
    return bytes(head) + body


def test_pieces_of_both_kinds_are_put_together_in_their_order():
    """Fast saves leave the text in pieces all over the file."""
    clx = _clx((2, 0x206, False), (5, 0x200, True))
    main = _main(clx, 7, b"hello " + "投标".encode("utf-16-le"))

    pieces = doc_pieces.read_pieces(main, clx, b"", 100)

    assert pieces.text == "投标hello"
    assert list(pieces.places) == [0x206, 0x208, 0x200, 0x201, 0x202, 0x203, 0x204]


@pytest.mark.parametrize("place", [0x10000, 0x3FFFFFF0])
def test_a_piece_that_points_out_of_the_file_is_an_error(place):
    clx = _clx((4, place, False))

    with pytest.raises(UnreadableDocument):
        doc_pieces.read_pieces(_main(clx, 4, b""), clx, b"", 100)


@needs_office
async def test_nothing_of_a_doc_stays_behind_when_its_time_is_up(doc, tmp_path, monkeypatch):
    """Neither LibreOffice, which the child started, nor the customer's text in a temporary folder."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    task = asyncio.create_task(parse_in_child(doc, "a.doc", SandboxLimits(wall_seconds=30)))
    for _ in range(600):
        await asyncio.sleep(0.05)
        if _using(tmp_path):
            break
    begun = _using(tmp_path)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(100):
        if not _using(tmp_path):
            break
        await asyncio.sleep(0.05)

    assert begun
    assert _using(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def _using(folder):
    """Processes that were given a file of this folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(str(folder) in word for word in process.cmdline()):
                found.append(process)
    return found


@needs_office
async def test_a_doc_is_converted_within_the_sandbox(doc):
    document = await parse_in_child(doc, "a.doc")

    assert "1. 投标人资格" in document.text
