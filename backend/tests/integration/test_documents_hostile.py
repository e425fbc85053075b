"""Files made to harm: each ends within its limits, as a document or as an error with a code."""

from __future__ import annotations

import io
import struct
import time
import zipfile
import zlib

import pytest
import xlsxwriter

from backend.app.common.errors import AppError, EncryptedDocument, ParseLimitExceeded, UnreadableDocument
from backend.app.documents.canonical import Document
from backend.app.documents.sandbox import SandboxLimits, parse_in_child
from backend.tests.documents_made import PdfPage, make_docx, make_pdf, p, part

_SECONDS = 60
_LIMITS = SandboxLimits(cpu_seconds=15, wall_seconds=_SECONDS / 2)
_MEGABYTE = 1 << 20


async def _outcome(path, name):
    """A Document or an AppError; anything else fails the test."""
    begun = time.monotonic()
    try:
        return await parse_in_child(path, name, _LIMITS)
    except AppError as error:
        return error
    finally:
        assert time.monotonic() - begun < _SECONDS


def _zip(path, files, **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as package:
        for name, content in files.items():
            package.writestr(name, content)
    return path


async def test_a_package_that_unpacks_to_a_thousand_times_its_size_is_refused(tmp_path):
    path = _zip(tmp_path / "a", {"a.txt": bytes(64 * _MEGABYTE)})

    assert isinstance(await _outcome(path, "a.zip"), ParseLimitExceeded)


async def test_a_package_in_a_package_stays_closed(tmp_path):
    content = b"x"
    for _ in range(12):
        inner = io.BytesIO()
        _zip(inner, {f"{at}.zip": content for at in range(4)})
        content = inner.getvalue()
    path = tmp_path / "a"
    path.write_bytes(content)

    error = await _outcome(path, "a.zip")

    assert error.code == "unsupported_file_type"


async def test_entries_that_share_their_bytes_are_counted_each(tmp_path):
    """Fifield's bomb: thousands of directory entries over one packed kernel."""
    kernel = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = kernel.compress(bytes(8 * _MEGABYTE)) + kernel.flush()
    head = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 8, 0, 33, 0, len(packed), 8 * _MEGABYTE, 1, 0)
    entries = b""
    for at in range(2_000):
        entries += (
            struct.pack(
                "<4s6H3I5H2I",
                b"PK\x01\x02",
                20,
                20,
                0,
                8,
                0,
                33,
                0,
                len(packed),
                8 * _MEGABYTE,
                5,
                0,
                0,
                0,
                0,
                0,
                0,
            )
            + b"%05d" % at
        )
    body = head + b"a" + packed
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 2_000, 2_000, len(entries), len(body), 0)
    path = tmp_path / "a"
    path.write_bytes(body + entries + end)

    assert isinstance(await _outcome(path, "a.zip"), ParseLimitExceeded)


async def test_a_directory_of_endless_entries_is_refused(tmp_path):
    path = _zip(tmp_path / "a", {f"{at}.txt": b"" for at in range(12_000)})

    assert isinstance(await _outcome(path, "a.zip"), ParseLimitExceeded)


async def test_a_package_of_many_small_files_is_read(tmp_path):
    path = _zip(tmp_path / "a", {f"{at}.txt": "投标" for at in range(3_000)})

    document = await _outcome(path, "a.zip")

    assert len(document.files) == 3_000


def _workbook(path, sheet=None, strings=None):
    """A workbook with one of its parts replaced."""
    made = xlsxwriter.Workbook(str(path))
    made.add_worksheet("a").write(0, 0, "甲")
    made.close()
    with zipfile.ZipFile(path) as package:
        kept = {name: package.read(name) for name in package.namelist()}
    if sheet is not None:
        kept["xl/worksheets/sheet1.xml"] = sheet
    if strings is not None:
        kept["xl/sharedStrings.xml"] = strings
    return _zip(path, kept)


_LAUGHS = (
    b'<!DOCTYPE l [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + at, b"&%c;" % (97 + at) * 10) for at in range(12))
    + b"]>"
)


@pytest.mark.parametrize(
    "parts",
    [
        {"strings": _LAUGHS + b"<sst><si><t>&m;</t></si></sst>"},
        {"sheet": _LAUGHS + b"<worksheet>&m;</worksheet>"},
        {"sheet": b"<a>" * 3_000_000},
        {"sheet": b"<worksheet><sheetData>" + b"<row/>" * 5_000_000},
        {"strings": b"<sst>" + b"<si><t>a</t></si>" * 4_000_000 + b"</sst>"},
        {"strings": b"<sst><si><t>" + b"a" * (90 * _MEGABYTE) + b"</t></si></sst>"},
        {"sheet": b"<worksheet><mergeCells>" + b'<mergeCell ref="A1:XFD1048576"/>' * 1_000_000},
        {"sheet": b"<worksheet><sheetData><row>" + b"<c><v>1</v></c>" * 2_000_000},
    ],
    ids=["laughs in strings", "laughs", "deep", "rows", "strings", "long string", "merges", "cells"],
)
async def test_a_malicious_workbook_is_refused(tmp_path, parts):
    found = await _outcome(_workbook(tmp_path / "a", **parts), "a.xlsx")

    assert isinstance(found, ParseLimitExceeded | UnreadableDocument)


async def test_a_word_file_of_a_million_paragraphs_is_refused(tmp_path):
    path = make_docx(tmp_path / "a", "<w:p><w:r><w:t>甲</w:t></w:r></w:p>" * 1_000_000)

    assert isinstance(await _outcome(path, "a.docx"), ParseLimitExceeded)


@pytest.mark.parametrize(
    "document",
    [
        _LAUGHS.decode()
        + part("document", "<w:body><w:p><w:r><w:t>&m;</w:t></w:r></w:p></w:body>").split("?>")[1],
        part("document", "<w:body>" + "<w:tbl><w:tr><w:tc>" * 20_000),
        part(
            "document",
            "<w:body>" + "<w:sdt><w:sdtContent>" * 80 + "</w:sdtContent></w:sdt>" * 80 + "</w:body>",
        ),
        part("document", "<w:body>" + '<w:p a="' + "x" * (20 * _MEGABYTE) + '"/></w:body>'),
    ],
    ids=["laughs", "deep tables", "deep wrappers", "long attribute"],
)
async def test_malicious_xml_in_a_word_file_ends_as_an_error(tmp_path, document):
    path = make_docx(tmp_path / "a", "", raw_document=document)

    assert isinstance(await _outcome(path, "a.docx"), AppError)


_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def _ole(fat, *, first=0, stream="WordDocument"):
    """An OLE file of one stream whose chain of sectors is `fat`; sector 1 is the directory, 2 the table."""
    head = _OLE + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    head += struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    head += struct.pack("<I", 2) + b"\xff" * 4 * 108

    def entry(name, kind, child, start, size):
        raw = name.encode("utf-16-le") + b"\0\0"
        return (
            raw.ljust(64, b"\0") + struct.pack("<HBBIII", len(raw), kind, 1, 0xFFFFFFFF, 0xFFFFFFFF, child)
            + bytes(36) + struct.pack("<IQ", start, size)
        )  # fmt: skip

    directory = entry("Root Entry", 5, 1, 0xFFFFFFFE, 0) + entry(stream, 2, 0xFFFFFFFF, first, 1 << 30)
    table = b"".join(struct.pack("<I", one) for one in fat).ljust(512, b"\xff")
    return head + b"\xec\xa5".ljust(512, b"\0") + directory.ljust(512, b"\0") + table


@pytest.mark.parametrize(
    ("fat", "first"),
    [((0, 0xFFFFFFFE, 0xFFFFFFFD), 0), ((3, 0xFFFFFFFE, 0xFFFFFFFD, 0), 0), ((0xFFFFFFFE, 1), 900)],
    ids=["a sector that follows itself", "a circle", "a start out of the file"],
)
@pytest.mark.parametrize("name", ["a.doc", "a.xls"])
async def test_a_broken_chain_of_sectors_ends_as_an_error(tmp_path, fat, first, name):
    stream = "WordDocument" if name == "a.doc" else "Workbook"
    path = tmp_path / "a"
    path.write_bytes(_ole(fat, first=first, stream=stream))

    assert isinstance(await _outcome(path, name), AppError)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
async def test_a_truncated_workbook_is_refused(tmp_path, share):
    made = _workbook(tmp_path / "a").read_bytes()
    path = tmp_path / "b"
    path.write_bytes(made[: int(share * len(made))])

    assert isinstance(await _outcome(path, "a.xlsx"), UnreadableDocument)


@pytest.mark.parametrize(
    "body",
    [
        b"{" * 100_000,
        b"\\par" * 500_000,
        b"\\intbl a\\cell " * 100_000,
        b"{\\footnote a}" * 100_000,
        b"\\bin999999999 ",
        b"\\u20013 " * 300_000,
        b"\\trowd" + b"\\cellx1" * 300_000,
    ],
    ids=["groups", "paragraphs", "cells", "notes", "binary", "letters", "edges"],
)
async def test_malicious_rtf_ends_within_its_limits(tmp_path, body):
    path = tmp_path / "a"
    path.write_bytes(b"{\\rtf1 " + body)

    assert isinstance(await _outcome(path, "a.rtf"), AppError | Document)


def _pdf(*objects, root=1):
    """A PDF of these objects, without a table: readers rebuild it."""
    rows = b"".join(b"%d 0 obj\n%s\nendobj\n" % (at, one) for at, one in enumerate(objects, 1))
    return b"%PDF-1.7\n" + rows + b"trailer << /Root %d 0 R /Size %d >>\n%%%%EOF" % (root, len(objects) + 1)


_CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"


def _stream(head, raw):
    packed = zlib.compress(raw, 9)
    return b"<< %s /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (head, len(packed), packed)


@pytest.mark.parametrize(
    "content",
    [
        _pdf(_CATALOG, b"<< /Type /Pages /Kids [2 0 R] /Count 1 >>"),
        _pdf(_CATALOG, b"<< /Type /Pages /Kids [3 0 R] /Count 2000000000 >>", b"<< /Kids [2 0 R] >>"),
        _pdf(
            _CATALOG,
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 1e30 1e30] /Contents 4 0 R >>",
            _stream(b"", b"0 0 m 1e30 1e30 l S " * 100_000),
        ),
        _pdf(_CATALOG, b"[" * 500_000 + b"]" * 500_000),
        _pdf(_CATALOG, b"<< /A " * 100_000),
        _pdf(
            _CATALOG,
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R >>",
            _stream(b"", bytes(900 * _MEGABYTE)),
        ),
        _pdf(
            _CATALOG,
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R "
            b"/Resources << /XObject << /X 4 0 R >> >> >>",
            _stream(b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 4 0 R >> >>",
                    b"/X Do " * 1_000),
        ),
        _pdf(_CATALOG, _stream(b"/Type /ObjStm /N 2000000000 /First 2000000000", b"1 0 " * 1_000_000)),
        _pdf(
            _CATALOG,
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R >>",
            _stream(b"", b"".join(b"%d 0 m %d 8 l 0 %d m 6 %d l S " % (n, n, n, n) for n in range(200_000))),
        ),
    ],
    ids=["a tree of itself", "a circle of trees", "huge page", "deep arrays", "deep names", "huge stream",
         "a form in itself", "object stream", "a drawing"],
)  # fmt: skip
async def test_a_malicious_pdf_ends_within_its_limits(tmp_path, content):
    path = tmp_path / "a"
    path.write_bytes(content)

    assert isinstance(await _outcome(path, "a.pdf"), AppError | Document)


async def test_a_bomb_among_good_files_costs_itself_only(tmp_path):
    """The package is not lost for one file that hits a limit."""
    good = make_pdf(tmp_path / "g", PdfPage(texts=[(72, 700, 10, "第一页")])).read_bytes()
    bomb = make_docx(tmp_path / "b", p("甲") * 400_000).read_bytes()
    path = _zip(tmp_path / "a", {"好.pdf": good, "坏.docx": bomb})

    document = await _outcome(path, "a.zip")

    assert [file.name for file in document.files] == ["好.pdf"]
    assert document.warnings[0].startswith("坏.docx")


async def test_an_encrypted_workbook_is_named_as_such(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(_OLE + bytes(600) + "EncryptedPackage".encode("utf-16-le"))

    assert isinstance(await _outcome(path, "a.xlsx"), EncryptedDocument)
