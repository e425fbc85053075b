"""The empty Word document: A4, margins, Chinese fonts, header with the project, 第 X 页 共 Y 页 below."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from docx import Document
from docx.enum.style import WD_STYLE_TYPE
from docx.oxml.ns import qn
from docx.shared import Cm, Pt, RGBColor
from lxml.etree import SubElement

from backend.app.bidding.exports.word_parts import LINE, SANS, SERIF, Run, field, paragraph, set_fonts

_INK, _GREY = RGBColor(0x1F, 0x3A, 0x5F), RGBColor(0x66, 0x6E, 0x79)
_LONGEST_HEADER = 60  # characters
_MARGIN = Cm(2)
TEXT_WIDTH = round((Cm(21) - 2 * _MARGIN) / 635)  # twips between the margins


def blank(title: str, *, made_at: datetime) -> Any:
    """A document with styles, header and footer, and no content."""
    document = Document()
    _page(document.sections[0])
    _styles(document.styles)
    shown = title if len(title) <= _LONGEST_HEADER else title[: _LONGEST_HEADER - 1] + "…"
    _header(document.sections[0], shown)
    _footer(document.sections[0])
    properties = document.core_properties
    properties.title = f"{title[:200]} 招标文件分析报告"
    properties.author, properties.comments, properties.language = "销售助手", "", "zh-CN"
    properties.created = properties.modified = made_at
    return document


def _page(section: Any) -> None:
    section.page_width, section.page_height = Cm(21), Cm(29.7)
    section.left_margin = section.right_margin = _MARGIN
    section.top_margin, section.bottom_margin = Cm(2.2), Cm(2)
    section.header_distance, section.footer_distance = Cm(1.1), Cm(1)


def _styles(styles: Any) -> None:
    defaults = styles.element.find(qn("w:docDefaults")).find(qn("w:rPrDefault")).find(qn("w:rPr"))
    set_fonts(defaults, SERIF)
    language = defaults.find(qn("w:lang"))
    language.set(qn("w:eastAsia"), "zh-CN")
    _style(styles["Normal"], 10.5, after=4)
    _style(styles["Title"], 20, sans=True, bold=True, after=6)
    for border in styles["Title"].element.pPr.findall(qn("w:pBdr")):
        styles["Title"].element.pPr.remove(border)
    _style(styles["Heading 1"], 14, sans=True, bold=True, before=14, after=6)
    _style(styles["Heading 2"], 12, sans=True, bold=True, before=10, after=4)
    cells = styles.add_style("TableText", WD_STYLE_TYPE.PARAGRAPH)
    cells.base_style = styles["Normal"]
    _style(cells, 9, after=0)
    note = styles.add_style("Remark", WD_STYLE_TYPE.PARAGRAPH)
    note.base_style = styles["Normal"]
    _style(note, 9, after=4)
    note.font.color.rgb = _GREY


def _style(
    style: Any, size: float, *, sans: bool = False, bold: bool = False, before: float = 0, after: float = 0
) -> None:
    style.font.size = Pt(size)
    set_fonts(style.element.get_or_add_rPr(), SANS if sans else SERIF)
    style.font.bold = bold or None
    if sans:
        style.font.color.rgb = _INK
        style.font.italic = False
    spacing = style.paragraph_format
    spacing.space_before, spacing.space_after = Pt(before), Pt(after)
    spacing.line_spacing = 1.2 if not sans else 1.0


def _header(section: Any, title: str) -> None:
    line = paragraph([Run(title, color="666E79", size=9)], align="center")
    _rule(line, "bottom")
    _replace(section.header, line)


def _footer(section: Any) -> None:
    line = paragraph([Run("第 ", size=9)], align="center")
    field(line, "PAGE")
    line.append(paragraph([Run(" 页 共 ", size=9)])[-1])
    field(line, "NUMPAGES")
    line.append(paragraph([Run(" 页", size=9)])[-1])
    _replace(section.footer, line)


def _replace(part: Any, line: Any) -> None:
    part.is_linked_to_previous = False
    first = part.paragraphs[0]._p
    first.addprevious(line)
    first.getparent().remove(first)


def _rule(line: Any, side: str) -> None:
    properties = line.find(qn("w:pPr"))
    borders = SubElement(properties, qn("w:pBdr"))
    properties.insert(0, borders)
    rule = SubElement(borders, qn(f"w:{side}"))
    for name, value in (("val", "single"), ("sz", "4"), ("space", "4"), ("color", LINE)):
        rule.set(qn(f"w:{name}"), value)
