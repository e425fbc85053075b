"""What a file is, whatever its name says."""

from __future__ import annotations

import struct
import zipfile

import pytest

from backend.app.common.errors import (
    EmptyDocument,
    EncryptedDocument,
    ParseLimitExceeded,
    UnreadableDocument,
    UnsupportedFileType,
)
from backend.app.documents.limits import ExtractLimits
from backend.app.documents.sniff import FileType, recognise, sniff
from backend.tests.documents_made import make_docx, p

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
_PNG = b"\x89PNG\r\n\x1a\n" + bytes(30)


@pytest.fixture
def docx(tmp_path):
    return make_docx(tmp_path / "a", p("投标"))


@pytest.mark.parametrize(
    ("content", "name", "kind"),
    [
        ("招标文件".encode(), "a.txt", FileType.TXT),
        ("招标文件".encode("gb18030"), "招标.TXT", FileType.TXT),
        ("招标文件".encode("utf-16"), "a.txt", FileType.TXT),
        ("招标文件 2024".encode("utf-16-le") * 20, "a.txt", FileType.TXT),
        (b"# title", "a.md", FileType.MARKDOWN),
        (b"<!DOCTYPE html><html>", "a.html", FileType.HTML),
        (b"\xef\xbb\xbf <!-- x --> <html>", "a.doc", FileType.HTML),
        (b"<html><body>x", "a.txt", FileType.HTML),
        (b"%PDF-1.7\n", "a.pdf", FileType.PDF),
        (b"\n\n%PDF-1.4\n", "../../b.PDF", FileType.PDF),
        (b"plain", "no ending", FileType.TXT),
        (b"{\\rtf1\\ansi", "a.doc", FileType.RTF),
        (b"{\\rtf1\\ansi", "a.rtf", FileType.RTF),
        (_OLE + "WordDocument".encode("utf-16-le"), "a.doc", FileType.DOC),
        (_OLE + "WordDocument".encode("utf-16-le"), "a.wps", FileType.DOC),
        (_OLE + "WordDocument".encode("utf-16-le"), "a.docx", FileType.DOC),
        (_OLE + "Workbook".encode("utf-16-le"), "a.xls", FileType.XLS),
        (_OLE + "Workbook".encode("utf-16-le"), "a.et", FileType.XLS),
        (b"<html><table>", "a.xls", FileType.HTML),
        (b"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b\r\n", "a.doc", FileType.MHTML),
        (_PNG, "a.png", FileType.PNG),
        (_PNG, "saved as.jpg", FileType.PNG),
        (b"\xff\xd8\xff\xe0abc", "IMG_1.JPEG", FileType.JPEG),
        (b"II*\x00" + bytes(30), "fax.tif", FileType.TIFF),
        (b"BM" + bytes(30), "a.bmp", FileType.BMP),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "a.webp", FileType.WEBP),
        (b"GIF89a" + bytes(30), "scan", FileType.GIF),
    ],
)
def test_readable_files_are_taken_by_their_content(tmp_path, content, name, kind):
    path = tmp_path / "stored"
    path.write_bytes(content)

    assert sniff(path, name) is kind
    assert sniff(content, name) is kind


def test_a_text_that_begins_like_a_letter_stays_a_text():
    head = b"From: a@example.com\nContent-Type: multipart/related; boundary=b\n\nhello"

    assert sniff(head, "a.txt") is FileType.TXT
    assert sniff(head, "a.mht") is FileType.MHTML


@pytest.mark.parametrize("name", ["a.docx", "a.doc", "a.wps", "noending"])
def test_a_word_package_is_read_under_any_word_name(docx, name):
    assert sniff(docx, name) is FileType.DOCX


@pytest.mark.parametrize("name", ["a.pdf", "a.txt", "a.md", "a.xlsx", "a.exe"])
def test_a_word_package_under_a_foreign_name_is_refused(docx, name):
    with pytest.raises(UnsupportedFileType):
        sniff(docx, name)


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"hello", "a.pdf", "pdf"),
        (b"%PDF-1.7", "a.docx", "PDF"),
        (b"hello", "a.exe", "exe"),
        (b"hello", "a.docx", "docx"),
        (_PNG, "a.pdf", "PNG"),
        (b"{\\rtf1\\ansi", "a.pdf", "RTF"),
        (_OLE + "WordDocument".encode("utf-16-le"), "a.xls", ".doc"),
        (_OLE + "Workbook".encode("utf-16-le"), "a.doc", ".xls"),
        (_OLE + "PowerPoint Document".encode("utf-16-le"), "a.doc", "PowerPoint"),
        (b"Rar!\x1a\x07\x00", "a.rar", "压缩包"),
        (bytes(range(256)) * 8, "a.txt", "二进制"),
    ],
)
def test_other_files_are_refused_with_a_word_about_what_they_are(tmp_path, content, name, words):
    path = tmp_path / "stored"
    path.write_bytes(content)

    with pytest.raises(UnsupportedFileType) as refused:
        sniff(path, name)

    assert words in refused.value.sentence()
    assert refused.value.sentence("en").isascii()


@pytest.mark.parametrize(
    ("main", "kind"),
    [
        ("application/vnd.ms-word.document.macroEnabled.main+xml", FileType.DOCM),
        ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml", FileType.XLSX),
        ("application/vnd.ms-excel.sheet.macroEnabled.main+xml", FileType.XLSM),
        ("application/unknown", FileType.ZIP),
    ],
)
def test_packages_are_told_apart_by_their_main_part(tmp_path, main, kind):
    path = make_docx(tmp_path / "a.docx", p("x"), main_type=main)

    assert recognise(path, "a.docx") is kind
    with pytest.raises(UnsupportedFileType):
        sniff(path, "a.docx")


def test_macros_in_a_file_that_calls_itself_docx_are_refused(docx):
    with zipfile.ZipFile(docx, "a") as package:
        package.writestr("word/vbaProject.bin", b"macro")

    with pytest.raises(UnsupportedFileType, match="宏"):
        sniff(docx, "a.docx")


def test_a_password_protected_word_file_is_named_as_such(tmp_path):
    """Word wraps it into an OLE file with a stream named EncryptedPackage."""
    path = tmp_path / "a.docx"
    path.write_bytes(_OLE + bytes(200_000) + "EncryptedPackage".encode("utf-16-le"))

    with pytest.raises(EncryptedDocument):
        sniff(path, "a.docx")


def test_an_empty_file_is_named_as_such(tmp_path):
    path = tmp_path / "a.txt"
    path.touch()

    with pytest.raises(EmptyDocument):
        sniff(path, "a.txt")


def test_a_truncated_package_is_unreadable(docx):
    docx.write_bytes(docx.read_bytes()[:200])

    with pytest.raises(UnreadableDocument):
        sniff(docx, "a.docx")


def test_an_encrypted_zip_is_named_as_such(docx):
    raw = bytearray(docx.read_bytes())
    at = raw.find(b"PK\x01\x02")
    raw[at + 8] |= 1  # general purpose flag of the directory's first entry
    docx.write_bytes(raw)

    with pytest.raises(EncryptedDocument):
        sniff(docx, "a.docx")


def test_a_package_that_unpacks_to_far_more_than_it_is_is_refused_by_its_directory(tmp_path):
    path = tmp_path / "a.docx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("word/document.xml", b"0" * 20_000_000)

    with pytest.raises(ParseLimitExceeded):
        sniff(path, "a.docx")


def test_a_package_of_too_many_entries_is_refused_by_its_directory(tmp_path):
    path = tmp_path / "a.docx"
    with zipfile.ZipFile(path, "w") as package:
        for at in range(30):
            package.writestr(f"word/{at}.xml", b"")

    with pytest.raises(ParseLimitExceeded):
        sniff(path, "a.docx", ExtractLimits(max_entries=20))


def test_a_directory_that_lies_about_sizes_is_not_believed(docx):
    """The announced size is cut to 1 byte: the entry then does not match and is not handed out."""
    from backend.app.documents.extract import extract

    raw = bytearray(docx.read_bytes())
    at = raw.find(b"PK\x01\x02")
    while at >= 0:
        struct.pack_into("<I", raw, at + 24, 1)
        at = raw.find(b"PK\x01\x02", at + 4)
    docx.write_bytes(raw)

    with pytest.raises((UnreadableDocument, UnsupportedFileType)):
        extract(docx, "a.docx")


def test_a_head_of_comments_is_judged_at_once():
    head = b"<!---->" * 1100 + b"x"

    assert recognise(head, "a.txt") is FileType.TXT
