"""Small files made for the tests of the readers: Word packages and PDFs, written by hand, byte by byte."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from backend.app.documents.canonical import NO_BOX, Document

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_NAMESPACES = (
    f'xmlns:w="{W}" xmlns:w14="http://schemas.microsoft.com/office/word/2010/wordml" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" '
    'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" '
    'xmlns:v="urn:schemas-microsoft-com:vml"'
)
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"


def part(name: str, content: str) -> str:
    """A WordprocessingML part: `name` is its root element."""
    return f'<?xml version="1.0" encoding="UTF-8"?><w:{name} {_NAMESPACES}>{content}</w:{name}>'


def make_docx(
    path: Path,
    body: str,
    *,
    main_type: str = _MAIN,
    raw_document: str | None = None,
    **parts: str | list[str],
) -> Path:
    """A .docx with this body; `parts` by kind: styles, numbering, footnotes, header=[…], footer=[…]."""
    relations = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr(
            "[Content_Types].xml",
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="xml" ContentType="application/xml"/>'
            f'<Override PartName="/word/document.xml" ContentType="{main_type}"/></Types>',
        )
        package.writestr("_rels/.rels", _relations([("officeDocument", "word/document.xml")]))
        package.writestr("word/document.xml", raw_document or part("document", f"<w:body>{body}</w:body>"))
        for kind, given in parts.items():
            for at, content in enumerate([given] if isinstance(given, str) else given):
                package.writestr(f"word/{kind}{at}.xml", content)
                relations.append((kind, f"{kind}{at}.xml"))
        package.writestr("word/_rels/document.xml.rels", _relations(relations))
    return path


def _relations(targets: Iterable[tuple[str, str]]) -> str:
    rows = "".join(
        f'<Relationship Id="r{at}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for at, (kind, target) in enumerate(targets)
    )
    return f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{rows}</Relationships>'


def p(*runs: str, style: str = "", num: tuple[int, int] | None = None, extra: str = "") -> str:
    """A paragraph of runs; `num`: (list, level from 0)."""
    properties = f'<w:pStyle w:val="{style}"/>' if style else ""
    if num is not None:
        properties += f'<w:numPr><w:ilvl w:val="{num[1]}"/><w:numId w:val="{num[0]}"/></w:numPr>'
    content = "".join(one if one.startswith("<") else r(one) for one in runs)
    return f"<w:p><w:pPr>{properties}{extra}</w:pPr>{content}</w:p>"


def r(text: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def tc(content: str, *, span: int = 1, merge: str = "") -> str:
    """A table cell; `merge`: "restart" or "continue"."""
    properties = f'<w:gridSpan w:val="{span}"/>' if span > 1 else ""
    properties += f'<w:vMerge w:val="{merge}"/>' if merge else ""
    inner = content if content.startswith("<") else p(content)
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{inner}</w:tc>"


def tbl(*rows: Iterable[str]) -> str:
    return "<w:tbl>" + "".join(f"<w:tr>{''.join(row)}</w:tr>" for row in rows) + "</w:tbl>"


def numbering(levels: dict[int, tuple[str, str]], overrides: str = "") -> str:
    """One list (numId 1) of levels: {0: ("chineseCounting", "第%1章")}; `overrides`: more w:num elements."""
    rows = "".join(
        f'<w:lvl w:ilvl="{at}"><w:start w:val="1"/><w:numFmt w:val="{form}"/>'
        f'<w:lvlText w:val="{text}"/></w:lvl>'
        for at, (form, text) in levels.items()
    )
    return part(
        "numbering",
        f'<w:abstractNum w:abstractNumId="0">{rows}</w:abstractNum>'
        f'<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>{overrides}',
    )


@dataclass
class PdfPage:
    """One page to be drawn; places are in PDF user space (origin bottom left, points)."""

    texts: list[tuple[float, float, float, str]] = field(default_factory=list)  # x, baseline, size, text
    lines: list[tuple[float, float, float, float]] = field(default_factory=list)  # x0 y0 x1 y1
    image: bool = False  # one grey image over the whole page
    slope: str = ""  # a text matrix "a b c d" instead of upright
    width: float = 595
    height: float = 842
    rotate: int = 0  # /Rotate; the text is turned against it, so that it stands upright as displayed
    crop: tuple[float, float, float, float] | None = None


def make_pdf(path: Path, *pages: PdfPage, unicode_of: dict[str, str] | None = None) -> Path:
    """A PDF in which every character is one em wide; `unicode_of` spoils the text layer's meaning.

    Its fonts (Type 3, 255 letters each) bring their glyphs along: PDFium takes equal lines in a font without
    any for one line drawn twice.
    """
    letters = sorted({char for page in pages for _, _, _, text in page.texts for char in text})
    codes = {char: divmod(at, _IN_FONT) for at, char in enumerate(letters)}
    objects: list[bytes] = []

    def add(content: str | bytes) -> int:
        objects.append(content.encode("latin-1") if isinstance(content, str) else content)
        return len(objects)

    catalog, tree = add(""), add("")
    letter = add(_stream("1000 0 0 -120 1000 880 d1 0 -120 1000 1000 re f"))
    fonts = " ".join(
        f"/F{at // _IN_FONT} {_font(add, letters[at : at + _IN_FONT], letter, unicode_of or {})} 0 R"
        for at in range(0, max(1, len(letters)), _IN_FONT)
    )
    image = add(
        b"<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8 "
        b"/Length 1 >>\nstream\n\x80\nendstream"
    )
    kids = []
    for page in pages:
        content = add(_stream(_drawing(page, codes)))
        crop = f"/CropBox [{' '.join(map(str, page.crop))}]" if page.crop else ""
        kids.append(
            add(
                f"<< /Type /Page /Parent {tree} 0 R /MediaBox [0 0 {page.width} {page.height}] {crop} "
                f"/Rotate {page.rotate} /Contents {content} 0 R "
                f"/Resources << /Font << {fonts} >> /XObject << /I {image} 0 R >> >> >>"
            )
        )
    objects[catalog - 1] = f"<< /Type /Catalog /Pages {tree} 0 R >>".encode()
    listed = " ".join(f"{kid} 0 R" for kid in kids)
    objects[tree - 1] = f"<< /Type /Pages /Kids [{listed}] /Count {len(kids)} >>".encode()
    path.write_bytes(_assemble(objects, catalog))
    return path


_IN_FONT = 255


def _font(add: Callable[[str], int], letters: list[str], glyph: int, spoiled: dict[str, str]) -> int:
    """A font of these letters, all drawn as one box; their codes count from 1."""
    codes = {char: at + 1 for at, char in enumerate(letters)}
    cmap = add(_stream(_to_unicode(codes, spoiled)).decode("latin-1"))
    names = " ".join(f"/g{code}" for code in codes.values())
    procedures = " ".join(f"/g{code} {glyph} 0 R" for code in codes.values())
    return add(
        "<< /Type /Font /Subtype /Type3 /FontBBox [0 -120 1000 880] /FontMatrix [0.001 0 0 0.001 0 0] "
        f"/CharProcs << {procedures} >> /Encoding << /Type /Encoding /Differences [1 {names}] >> "
        f"/FirstChar 1 /LastChar {len(codes)} /Widths [{'1000 ' * len(codes)}] /Resources << >> "
        f"/ToUnicode {cmap} 0 R >>"
    )


_UPRIGHT = {0: "1 0 0 1", 90: "0 1 -1 0", 180: "-1 0 0 -1", 270: "0 -1 1 0"}


def _drawing(page: PdfPage, codes: dict[str, tuple[int, int]]) -> str:
    rows = [f"q {page.width} 0 0 {page.height} 0 0 cm /I Do Q"] if page.image else []
    rows += [f"{x0} {y0} m {x1} {y1} l S" for x0, y0, x1, y1 in page.lines]
    for x, y, size, text in page.texts:
        shown = " ".join(
            f"/F{font} {size} Tf <{''.join(f'{codes[char][1] + 1:02X}' for char in run)}> Tj"
            for font, run in groupby(text, key=lambda char: codes[char][0])
        )
        rows.append(f"BT {page.slope or _UPRIGHT[page.rotate]} {x} {y} Tm {shown} ET")
    return "\n".join(rows)


def _to_unicode(codes: dict[str, int], spoiled: dict[str, str]) -> str:
    rows = "\n".join(
        f"<{code:02X}> <{spoiled.get(char, char).encode('utf-16-be').hex().upper()}>"
        for char, code in codes.items()
    )
    blocks = rows.split("\n")
    parts = [blocks[at : at + 100] for at in range(0, len(blocks), 100)]
    body = "\n".join(f"{len(one)} beginbfchar\n" + "\n".join(one) + "\nendbfchar" for one in parts if one[0])
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Made def /CMapType 2 def\n"
        "1 begincodespacerange <00> <FF> endcodespacerange\n" + body + "\nendcmap end end"
    )


def _stream(content: str) -> bytes:
    raw = content.encode("latin-1")
    return b"<< /Length %d >>\nstream\n%s\nendstream" % (len(raw), raw)


def _assemble(objects: list[bytes], catalog: int) -> bytes:
    out = io.BytesIO()
    out.write(b"%PDF-1.7\n")
    places = []
    for at, content in enumerate(objects, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (at, content))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    for place in places:
        out.write(b"%010d 00000 n \n" % place)
    out.write(
        b"trailer << /Size %d /Root %d 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, catalog, start)
    )
    return out.getvalue()


def assert_lawful(document: Document) -> None:
    """The law of the canonical text: blocks in order, none empty, one right separator between two."""
    text, at = document.text, 0
    previous = None
    for block in document.blocks:
        assert block.start < block.end <= len(text)
        between = text[at : block.start]
        if previous is None:
            assert between == ""
        else:
            same_row = (
                block.cell is not None
                and previous.cell is not None
                and (block.cell.table, block.cell.row) == (previous.cell.table, previous.cell.row)
            )
            assert between == ("\t" if same_row else "\n")
        assert text[block.start : block.end] == text[block.start : block.end].strip()
        at, previous = block.end, block
    assert at == len(text)
    if document.boxes:
        assert len(document.boxes) == 4 * len(text)
        inked = [i for i, char in enumerate(text) if not char.isspace()]
        assert all(document.boxes[4 * i] != NO_BOX for i in inked)
    for before, after in zip(document.pages, document.pages[1:], strict=False):
        assert before.start <= before.end <= after.start


def texts(document: Document) -> list[str]:
    """The text of each block."""
    return [document.text[block.start : block.end] for block in document.blocks]
