"""What a file really is: its first bytes and its zip directory decide, its name is only checked.

A name that is wrong in a harmless way (a ".doc" that is DOCX or HTML inside, a ".txt" that is HTML) is
forgiven, because such files are common and can be read. A ".pdf" that is no PDF is refused: its sender is
mistaken about what was sent.
"""

from __future__ import annotations

import mmap
import re
import zipfile
from enum import Enum
from pathlib import Path

from backend.app.common.errors import EmptyDocument, EncryptedDocument, UnsupportedFileType
from backend.app.documents.archive import open_archive, read_entry
from backend.app.documents.charset import looks_like_text
from backend.app.documents.limits import MEGABYTE, ExtractLimits

HEAD_SIZE = 8192


class FileType(Enum):
    """(short name, whether it can be read, how the user knows it)."""

    TXT = ("txt", True, "纯文本")
    MARKDOWN = ("md", True, "Markdown")
    HTML = ("html", True, "网页 HTML")
    DOCX = ("docx", True, "Word 文档 .docx")
    PDF = ("pdf", True, "PDF")
    DOC = ("doc", True, "旧版 Word 文档 .doc")
    DOCM = ("docm", False, "含宏的 Word 文档 .docm（请另存为 .docx）")
    RTF = ("rtf", True, "RTF 文档")
    MHTML = ("mht", True, "网页存档 MHTML")
    XLSX = ("xlsx", True, "Excel 工作簿 .xlsx")
    XLSM = ("xlsm", True, "含宏的 Excel 工作簿 .xlsm（只读取单元格，不运行宏）")
    XLSB = ("xlsb", True, "二进制 Excel 工作簿 .xlsb")
    XLS = ("xls", True, "旧版 Excel 工作簿 .xls")
    ODS = ("ods", True, "OpenDocument 表格 .ods")
    PPTX = ("pptx", False, "PowerPoint 演示文稿")
    OLE = ("ole", False, "旧版 Office 文件（请另存为新格式）")
    WPS = ("wps", False, "WPS 文档 .wps（请另存为 .docx）")
    ODT = ("odt", False, "OpenDocument 文本 .odt（请另存为 .docx）")
    OFD = ("ofd", False, "OFD 版式文件（请转换为 PDF）")
    ZIP = ("zip", True, "压缩包 .zip")
    RAR = ("rar", False, "压缩包（请解压后上传其中的文件）")
    SEVEN_ZIP = ("7z", False, "压缩包（请解压后上传其中的文件）")
    GZIP = ("gz", False, "压缩包（请解压后上传其中的文件）")
    PNG = ("png", True, "图片 PNG")
    JPEG = ("jpg", True, "图片 JPEG")
    GIF = ("gif", True, "图片 GIF")
    TIFF = ("tiff", True, "图片 TIFF")
    BMP = ("bmp", True, "图片 BMP")
    WEBP = ("webp", True, "图片 WebP")
    BINARY = ("bin", False, "无法识别的二进制文件")

    def __init__(self, short: str, readable: bool, label: str) -> None:
        self.short = short
        self.readable = readable
        self.label = label


IMAGE_TYPES = frozenset(
    (FileType.PNG, FileType.JPEG, FileType.GIF, FileType.TIFF, FileType.BMP, FileType.WEBP)
)

_TEXT_NAMES = {
    "txt": FileType.TXT,
    "text": FileType.TXT,
    "md": FileType.MARKDOWN,
    "markdown": FileType.MARKDOWN,
    "html": FileType.HTML,
    "htm": FileType.HTML,
    "xhtml": FileType.HTML,
}

# A letter or a note may begin like a web archive, so only under these names is it looked for.
_ARCHIVE_NAMES = frozenset(("doc", "xls", "mht", "mhtml", ""))

# What a name may turn out to be. Names that are not here are refused, whatever is inside.
_ALLOWED: dict[str, frozenset[FileType]] = {
    "": frozenset(
        (
            FileType.TXT,
            FileType.HTML,
            FileType.DOCX,
            FileType.PDF,
            FileType.DOC,
            FileType.RTF,
            FileType.XLSX,
            FileType.XLS,
            FileType.MHTML,
        )
    )
    | IMAGE_TYPES,
    "txt": frozenset((FileType.TXT, FileType.HTML)),
    "text": frozenset((FileType.TXT, FileType.HTML)),
    "md": frozenset((FileType.MARKDOWN,)),
    "markdown": frozenset((FileType.MARKDOWN,)),
    "html": frozenset((FileType.HTML,)),
    "htm": frozenset((FileType.HTML,)),
    "xhtml": frozenset((FileType.HTML,)),
    "docx": frozenset((FileType.DOCX, FileType.DOC, FileType.RTF)),
    "doc": frozenset((FileType.DOC, FileType.DOCX, FileType.HTML, FileType.RTF, FileType.MHTML)),
    "wps": frozenset((FileType.DOC, FileType.DOCX, FileType.RTF)),
    "rtf": frozenset((FileType.RTF, FileType.DOC, FileType.DOCX)),
    "mht": frozenset((FileType.MHTML, FileType.HTML)),
    "mhtml": frozenset((FileType.MHTML, FileType.HTML)),
    "xlsx": frozenset((FileType.XLSX, FileType.XLS)),
    "xls": frozenset((FileType.XLS, FileType.XLSX, FileType.HTML, FileType.MHTML)),
    "et": frozenset((FileType.XLS, FileType.XLSX)),
    "xlsm": frozenset((FileType.XLSM, FileType.XLSX)),
    "xlsb": frozenset((FileType.XLSB,)),
    "ods": frozenset((FileType.ODS,)),
    "zip": frozenset((FileType.ZIP,)),
    "pdf": frozenset((FileType.PDF,)),
    # Programs that save pictures often name one kind as another.
    **dict.fromkeys(("png", "jpg", "jpeg", "bmp", "gif", "webp", "tif", "tiff"), IMAGE_TYPES),
}

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", FileType.PNG),
    (b"\xff\xd8\xff", FileType.JPEG),
    (b"GIF8", FileType.GIF),
    (b"II*\x00", FileType.TIFF),
    (b"MM\x00*", FileType.TIFF),
    (b"{\\rtf", FileType.RTF),
    (b"Rar!\x1a\x07", FileType.RAR),
    (b"7z\xbc\xaf\x27\x1c", FileType.SEVEN_ZIP),
    (b"\x1f\x8b\x08", FileType.GZIP),
)
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_STREAMS = (
    ("EncryptedPackage", None),
    ("WordDocument", FileType.DOC),
    ("Workbook", FileType.XLS),
    ("Book", FileType.XLS),  # Excel 5 and 95
    ("PowerPoint Document", FileType.PPTX),
)
_MAIN_TYPES = (
    (b"ms-word.document.macroEnabled.main+xml", FileType.DOCM),
    (b"ms-word.template.macroEnabledTemplate.main+xml", FileType.DOCM),
    (b"wordprocessingml.document.main+xml", FileType.DOCX),
    (b"wordprocessingml.template.main+xml", FileType.DOCX),
    (b"ms-excel.sheet.macroEnabled.main+xml", FileType.XLSM),
    (b"ms-excel.sheet.binary.macroEnabled.main", FileType.XLSB),
    (b"spreadsheetml.sheet.main+xml", FileType.XLSX),
    (b"spreadsheetml.template.main+xml", FileType.XLSX),
    (b"presentationml.", FileType.PPTX),
)
_CONTENT_TYPES = "[Content_Types].xml"
_HTML = re.compile(
    rb"^\s*+(?:<\?xml[^>]*+>\s*+)?(?:<!--(?:(?!-->).)*+-->\s*+)*+<(?:!doctype\s++html|html|head|body)\b",
    re.I | re.S,
)
_MHTML = re.compile(
    rb"^(?:[\w-]+:[^\n]*+\n(?:[ \t][^\n]*+\n)*+){0,40}?Content-Type:\s*multipart/related", re.I
)
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def sniff(source: Path | bytes, filename: str, limits: ExtractLimits | None = None) -> FileType:
    """The type a file will be read as. `source`: the file, or its first bytes (then less is known).

    Raises UnsupportedFileType when it cannot be read or is not what its name says, EncryptedDocument,
    EmptyDocument, and for zip packages UnreadableDocument or ParseLimitExceeded by their directory.
    """
    found = recognise(source, filename, limits)
    suffix = extension(filename)
    if not found.readable:
        raise UnsupportedFileType(detail=found.label, detail_en=found.short)
    if suffix not in _ALLOWED:
        raise UnsupportedFileType(
            detail=f"文件名以 .{suffix} 结尾", detail_en=f"the name ends with .{suffix}"
        )
    if found not in _ALLOWED[suffix]:
        raise UnsupportedFileType(
            detail=f"文件名以 .{suffix} 结尾，内容却是{found.label}",
            detail_en=f"the name ends with .{suffix}, but the content is {found.short}",
        )
    return found


def extension(filename: str) -> str:
    """The lower-case ending of a name without its dot; "" where there is none."""
    name = re.split(r"[/\\]", filename)[-1].strip().rstrip(".")
    stem, dot, ending = name.rpartition(".")
    return re.sub(r"[^\w]", "", ending.lower())[:10] if dot and stem else ""


def recognise(source: Path | bytes, filename: str, limits: ExtractLimits | None = None) -> FileType:
    """What a file is, readable or not. Raises as `sniff` does, but never UnsupportedFileType."""
    head = source[:HEAD_SIZE] if isinstance(source, bytes) else _head(source)
    if not head:
        raise EmptyDocument()
    for magic, file_type in _MAGIC:
        if head.startswith(magic):
            return file_type
    if head.startswith(_ZIP):
        return (
            _zip_by_head(head) if isinstance(source, bytes) else _zip_type(source, limits or ExtractLimits())
        )
    if head.startswith(_OLE):
        return _ole_type(source)
    suffix = extension(filename)
    if head.startswith(b"%PDF-") or (b"%PDF-" in head[:1024] and suffix not in _TEXT_NAMES):
        return FileType.PDF
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return FileType.WEBP
    if head.startswith(b"BM") and head[6:10] == b"\0\0\0\0":
        return FileType.BMP
    return _text_type(head, suffix)


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(HEAD_SIZE)


def _text_type(head: bytes, suffix: str) -> FileType:
    if not looks_like_text(head):
        return FileType.BINARY
    if suffix == "md" or suffix == "markdown":
        return FileType.MARKDOWN
    plain = head.replace(b"\0", b"") if head.startswith(_MARKS[1:]) else head
    for mark in _MARKS:
        plain = plain.removeprefix(mark)
    if suffix in _ARCHIVE_NAMES and _MHTML.match(plain.lstrip()):
        return FileType.MHTML
    return FileType.HTML if _HTML.match(plain) else _TEXT_NAMES.get(suffix, FileType.TXT)


def _zip_type(path: Path, limits: ExtractLimits) -> FileType:
    with open_archive(path, limits) as archive:
        names = set(archive.namelist())
        if _CONTENT_TYPES not in names:
            return _other_zip(archive, names)
        listed = read_entry(archive, _CONTENT_TYPES, MEGABYTE) or b""
        found = next((kind for mark, kind in _MAIN_TYPES if mark in listed), FileType.ZIP)
        if any(name.lower().endswith("vbaproject.bin") for name in names):
            return {FileType.DOCX: FileType.DOCM, FileType.XLSX: FileType.XLSM}.get(found, found)
        return found


def _other_zip(archive: zipfile.ZipFile, names: set[str]) -> FileType:
    if "OFD.xml" in names:
        return FileType.OFD
    if "mimetype" in names:
        mimetype = read_entry(archive, "mimetype", MEGABYTE) or b""
        if mimetype.startswith(b"application/vnd.oasis.opendocument.text"):
            return FileType.ODT
        if mimetype.startswith(b"application/vnd.oasis.opendocument.spreadsheet"):
            return FileType.ODS
    return FileType.ZIP


def _zip_by_head(head: bytes) -> FileType:
    """A guess from the first local entries; the directory stands at the end of the file."""
    for folder, kind in ((b"word/", FileType.DOCX), (b"xl/", FileType.XLSX), (b"ppt/", FileType.PPTX)):
        if folder in head:
            return kind
    return FileType.DOCX if _CONTENT_TYPES.encode() in head else FileType.ZIP


def _ole_type(source: Path | bytes) -> FileType:
    """By the names of its streams, which stand somewhere in the file as UTF-16."""
    for name, kind in _OLE_STREAMS:
        if _contains(source, name.encode("utf-16-le")):
            if kind is None:
                raise EncryptedDocument()
            return kind
    return FileType.OLE


def _contains(source: Path | bytes, wanted: bytes) -> bool:
    if isinstance(source, bytes):
        return wanted in source
    with source.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        return mapped.find(wanted) >= 0
