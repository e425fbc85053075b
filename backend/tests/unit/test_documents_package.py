"""Zip packages and web archives: one document of many files, each found again."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest

from backend.app.common.errors import (
    EncryptedDocument,
    FileNotFound,
    ParseLimitExceeded,
    UnreadableDocument,
    UnsupportedFileType,
)
from backend.app.documents.canonical import NO_BOX, BlockKind, Document
from backend.app.documents.extract import extract
from backend.app.documents.limits import ExtractLimits
from backend.app.documents.package_files import entry_name, opened_file, packed_files, page_in_package
from backend.app.documents.readers.package import read_package
from backend.tests.documents_made import PdfPage, assert_lawful, make_docx, make_pdf, p, tbl, tc, texts


@pytest.fixture
def pack(tmp_path):
    """Write a package of {name: bytes}."""

    def pack(files, name="a.zip"):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as package:
            for inner, content in files.items():
                package.writestr(inner, content)
        return tmp_path / name

    return pack


@pytest.fixture
def pdf(tmp_path):
    pages = (PdfPage(texts=[(72, 700, 10, "第一页")]), PdfPage(texts=[(72, 700, 10, "第二页")]))
    return make_pdf(tmp_path / "made.pdf", *pages).read_bytes()


@pytest.fixture
def docx(tmp_path):
    return make_docx(
        tmp_path / "made.docx", p("第一章 公告") + p("正文") + tbl((tc("甲"), tc("乙")))
    ).read_bytes()


def test_files_stand_one_after_the_other_each_under_its_name(pack, docx, pdf):
    path = pack(
        {"附件2.pdf": pdf, "附件10.txt": "十", "招标文件.docx": docx, "附件1.pdf": pdf, "说明.txt": "明"}
    )

    document = extract(path, "a.zip")

    assert_lawful_package(document)
    assert [file.name for file in document.files] == [
        "招标文件.docx", "说明.txt", "附件1.pdf", "附件2.pdf", "附件10.txt",
    ]  # fmt: skip
    assert [(file.first_page, file.pages) for file in document.files] == [
        (None, 0), (None, 0), (1, 2), (3, 2), (None, 0),
    ]  # fmt: skip
    for file in document.files:
        assert document.text[file.start : file.end].startswith(file.name + "\n")
    assert [page.number for page in document.pages] == [1, 2, 3, 4]
    assert Document.from_bytes(document.to_bytes()) == document


def assert_lawful_package(document):
    """As `assert_lawful`, which wants a box for every letter; here only PDFs have them."""
    boxes = document.boxes
    assert_lawful(Document(document.text, document.blocks, document.pages))
    assert len(boxes) in (0, 4 * len(document.text))
    for file in document.files:
        inked = [at for at in range(file.start, file.end) if not document.text[at].isspace()]
        paged = [at for at in inked if boxes and boxes[4 * at] != NO_BOX]
        assert len(paged) == (len(inked) - len(file.name) if file.pages else 0)


def test_every_place_knows_its_file_and_its_page(pack, docx, pdf):
    document = extract(pack({"a.docx": docx, "b.pdf": pdf, "c.txt": "后来"}), "a.zip")

    second = document.text.index("第二页")
    assert document.file_at(second).name == "b.pdf"
    assert document.page_of(second) == 2
    assert document.page_of(document.text.index("b.pdf")) == 1
    assert document.page_of(document.text.index("正文")) is None
    assert document.page_of(document.text.index("后来")) is None  # it stands behind a page, not on it
    (rect,) = document.rects(second, second + 3)
    assert rect.page == 2
    assert page_in_package(document, 2) == (document.files[1], 2)
    assert page_in_package(document, 3) is None


def test_a_file_s_name_is_the_outermost_title_above_everything_in_it(pack, docx):
    document = extract(pack({"x/a.docx": docx}), "a.zip")

    blocks = dict(zip(texts(document), document.blocks, strict=True))
    assert blocks["x/a.docx"].kind is BlockKind.HEADING
    assert blocks["正文"].path == ("x/a.docx", "第一章 公告")
    assert blocks["第一章 公告"].level == 2


def test_tables_are_counted_on(pack, docx):
    document = extract(pack({"a.docx": docx, "b.docx": docx}), "a.zip")

    assert [block.cell.table for block in document.blocks if block.cell] == [0, 0, 1, 1]
    assert len(list(document.tables())) == 2


def test_what_cannot_be_read_is_named_and_the_rest_is_read(pack):
    files = {
        "a.txt": "甲",
        "b.png": b"\x89PNG\r\n\x1a\n",
        "c.docx": b"broken",
        "d.zip": b"PK\x05\x06" + bytes(18),
    }

    document = extract(pack(files), "a.zip")

    assert texts(document) == ["a.txt", "甲"]
    assert [warning.split("：")[0] for warning in document.warnings] == ["b.png", "c.docx", "d.zip"]


def test_rubbish_of_other_systems_is_passed_over_in_silence(pack):
    names = ("__MACOSX/._a.txt", "x/Thumbs.db", ".hidden/a.txt", "~$a.docx", "x/.DS_Store", "leer/")

    document = extract(pack({"a.txt": "甲", **dict.fromkeys(names, b"x")}), "a.zip")

    assert document.warnings == ()
    assert [file.name for file in document.files] == ["a.txt"]


def test_a_package_without_anything_readable_says_why(pack):
    with pytest.raises(UnsupportedFileType, match="没有可以读取"):
        extract(pack({"b.exe": b"MZ\x90\x00"}), "a.zip")
    with pytest.raises(UnreadableDocument):
        extract(pack({"c.pdf": b"%PDF-1.7 broken"}), "a.zip")


def test_an_encrypted_package_is_named_as_such(pack):
    path = pack({"a.txt": b"x" * 99})
    raw = bytearray(path.read_bytes())
    at = raw.rindex(b"PK\x01\x02")
    raw[at + 8] |= 1
    path.write_bytes(raw)

    with pytest.raises(EncryptedDocument):
        extract(path, "a.zip")


def test_a_reader_that_slips_costs_one_file(pack):
    def read(path, name, limits, ocr):
        if name == "a.txt":
            raise ZeroDivisionError
        return extract(path, name, limits)

    document = read_package(pack({"a.txt": "甲", "b.txt": "乙"}), ExtractLimits(), read)

    assert texts(document) == ["b.txt", "乙"]
    assert document.warnings[0].startswith("a.txt")


def test_limits_hold_for_the_package_as_a_whole(pack):
    path = pack({"a.txt": "甲" * 60, "b.txt": "乙" * 60})

    document = extract(path, "a.zip", ExtractLimits(max_chars=100))

    assert [file.name for file in document.files] == ["a.txt"]
    assert document.warnings[0].startswith("b.txt")
    with pytest.raises(ParseLimitExceeded):
        extract(path, "a.zip", ExtractLimits(max_chars=10))


def test_pages_that_need_ocr_are_counted_through_the_package(pack, pdf):
    """`unread` of single files carries over, so that OCR can be done afterwards."""

    def read(path, name, limits, ocr):
        found = extract(path, name, limits)
        return found if name == "a.pdf" else Document("", (), found.pages, unread=(1, 2), ocr_pages=())

    document = read_package(pack({"a.pdf": pdf, "b.pdf": pdf}), ExtractLimits(), read)

    assert document.unread == (3, 4)
    assert page_in_package(document, 4) == (document.files[1], 2)
    assert all(page.end <= len(document.text) for page in document.pages)


def test_a_file_of_a_package_is_opened_by_its_name(pack, pdf):
    path = pack({"x/b.pdf": pdf})

    with opened_file(path, "x/b.pdf", ExtractLimits()) as inner:
        assert inner.read_bytes() == pdf
    with pytest.raises(FileNotFound), opened_file(path, "c.pdf", ExtractLimits()):
        pass


def _named(raw, flag=0, extra=b""):
    """A package with one empty file whose name is these bytes."""
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, flag, 0, 0, 33, 0, 0, 0, len(raw), len(extra))
    central = struct.pack(
        "<4s6H3I5H2I", b"PK\x01\x02", 20, 20, flag, 0, 0, 33, 0, 0, 0, len(raw), len(extra), 0, 0, 0, 0, 0
    )
    body, entry = local + raw + extra, central + raw + extra
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, len(entry), len(body), 0)
    return zipfile.ZipFile(io.BytesIO(body + entry + end))


@pytest.mark.parametrize(
    ("raw", "flag", "name"),
    [
        ("招标文件.docx".encode("gb18030"), 0, "招标文件.docx"),
        ("招标文件.docx".encode(), 0, "招标文件.docx"),
        ("招标文件.docx".encode(), 0x800, "招标文件.docx"),
        (b"plain.txt", 0, "plain.txt"),
        ("附件\\图纸.pdf".encode("gb18030"), 0, "附件/图纸.pdf"),
        (b"../../etc/passwd", 0, "etc/passwd"),
        (b"/abs/a.txt", 0, "abs/a.txt"),
    ],
)
def test_names_are_read_in_the_encoding_they_were_written_in(raw, flag, name):
    """Windows writes GBK without a word about it, and zipfile then shows ╒╨▒Ω."""
    with _named(raw, flag) as archive:
        (entry,) = archive.infolist()

    assert entry_name(entry) == name


def test_the_name_in_info_zip_s_extra_field_wins():
    told = "招标.txt".encode()
    extra = struct.pack("<HHBI", 0x7075, 5 + len(told), 1, 0) + told
    with _named(b"????.txt", extra=extra) as archive:
        (file,) = packed_files(archive)

    assert file.name == "招标.txt"


_MHTML = """MIME-Version: 1.0
Content-Type: multipart/related; boundary="=_b"

--=_b
Content-Location: file:///C:/a.htm
Content-Transfer-Encoding: quoted-printable
Content-Type: text/html; charset="gb2312"

<html><head><meta http-equiv=3D"Content-Type" content=3D"text/html; charset=3Dgb2312"></head>
<body><h1>=D5=D0=B1=EA=B9=AB=B8=E6</h1><table><tr><td>1</td><td>=BC=D7</td></tr></table></body></html>
--=_b
Content-Location: file:///C:/a.png
Content-Type: image/png

x
--=_b--
"""


@pytest.mark.parametrize("name", ["公告.doc", "公告.mht", "公告.mhtml"])
def test_a_web_archive_is_read_as_its_page(tmp_path, name):
    path = tmp_path / "stored"
    path.write_text(_MHTML.replace("\n", "\r\n"))

    document = extract(path, name)

    assert texts(document) == ["招标公告", "1", "甲"]
    assert document.blocks[0].kind is BlockKind.HEADING


def test_a_text_that_begins_like_a_letter_stays_a_text(tmp_path):
    path = tmp_path / "stored"
    path.write_text(_MHTML)

    assert extract(path, "a.txt").text.startswith("MIME-Version")


def test_a_web_archive_without_a_page_is_unreadable(tmp_path):
    path = tmp_path / "stored"
    path.write_text(_MHTML.replace('text/html; charset="gb2312"', "text/css"))

    with pytest.raises(UnreadableDocument):
        extract(path, "a.mht")
