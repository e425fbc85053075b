"""Word documents: what stands on the printed page, in its order, with its numbers."""

from __future__ import annotations

import docx
import pytest
from docx.shared import Pt

from backend.app.common.errors import EmptyDocument, ParseLimitExceeded, UnreadableDocument
from backend.app.documents.canonical import BlockKind
from backend.app.documents.extract import extract
from backend.app.documents.limits import ExtractLimits
from backend.app.documents.readers.docx_numbering import spell
from backend.tests.documents_made import assert_lawful, make_docx, numbering, p, part, r, tbl, tc, texts


@pytest.fixture
def read(tmp_path):
    """Make a document of this body and read it."""

    def make(body, **given):
        document = extract(make_docx(tmp_path / "a.docx", body, **given), "a.docx")
        assert_lawful(document)
        return document

    return make


def test_a_document_made_by_word_s_own_writer_is_read(tmp_path):
    word = docx.Document()
    word.add_heading("第一章 招标公告", level=1)
    word.add_paragraph("项目名称：甲").runs[0].font.size = Pt(12)
    word.add_paragraph("条目", style="List Number")
    table = word.add_table(rows=2, cols=2)
    table.cell(0, 0).merge(table.cell(0, 1)).text = "合并"
    table.cell(1, 0).text, table.cell(1, 1).text = "左", "右"
    word.sections[0].header.paragraphs[0].text = "页眉"
    word.save(str(tmp_path / "a.docx"))

    document = extract(tmp_path / "a.docx", "a.docx")

    assert_lawful(document)
    assert texts(document) == ["第一章 招标公告", "项目名称：甲", "1. 条目", "合并", "左", "右", "页眉"]
    assert document.blocks[0].kind is BlockKind.HEADING
    assert document.blocks[3].cell.colspan == 2
    assert document.blocks[1].path == ("第一章 招标公告",)


_LEVELS = {0: ("chineseCounting", "第%1章"), 1: ("decimal", "%1.%2"), 2: ("decimal", "（%3）")}


def test_automatic_numbers_are_put_back_into_the_text(read):
    body = "".join(
        p(text, num=(1, level))
        for text, level in [
            ("总则", 0),
            ("甲", 1),
            ("子", 2),
            ("丑", 2),
            ("乙", 1),
            ("寅", 2),
            ("投标", 0),
            ("丙", 1),
        ]
    )

    document = read(body, numbering=numbering(_LEVELS))

    assert texts(document) == [
        "第一章 总则",
        "一.1 甲",
        "（1）子",
        "（2）丑",
        "一.2 乙",
        "（1）寅",
        "第二章 投标",
        "二.1 丙",
    ]


def test_an_empty_numbered_paragraph_counts_but_leaves_no_trace(read):
    document = read(
        p("甲", num=(1, 0)) + p("", num=(1, 0)) + p("乙", num=(1, 0)),
        numbering=numbering({0: ("decimal", "%1、")}),
    )

    assert texts(document) == ["1、甲", "3、乙"]


def test_a_second_list_starts_anew_only_where_it_says_so(read):
    """Two w:num of one w:abstractNum go on counting unless startOverride stands there."""
    more = (
        '<w:num w:numId="2"><w:abstractNumId w:val="0"/></w:num>'
        '<w:num w:numId="3"><w:abstractNumId w:val="0"/>'
        '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride></w:num>'
    )
    body = p("甲", num=(1, 0)) + p("乙", num=(2, 0)) + p("丙", num=(3, 0)) + p("丁", num=(3, 0))

    document = read(body, numbering=numbering({0: ("decimal", "%1)")}, more))

    assert texts(document) == ["1)甲", "2)乙", "5)丙", "6)丁"]


def test_a_level_that_is_overridden_looks_different(read):
    more = (
        '<w:num w:numId="2"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0"><w:lvl w:ilvl="0">'
        '<w:start w:val="3"/><w:numFmt w:val="upperLetter"/><w:lvlText w:val="%1."/>'
        "</w:lvl></w:lvlOverride></w:num>"
    )

    document = read(p("甲", num=(2, 0)) + p("乙", num=(2, 0)), numbering=numbering(_LEVELS, more))

    assert texts(document) == ["C. 甲", "D. 乙"]


def test_a_style_that_is_tied_to_a_level_numbers_its_paragraphs(read):
    styles = part(
        "styles",
        '<w:style w:type="paragraph" w:styleId="H2"><w:name w:val="heading 2"/>'
        '<w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>'
        '<w:style w:type="paragraph" w:styleId="Child"><w:name w:val="x"/><w:basedOn w:val="H2"/></w:style>',
    )
    listed = numbering(_LEVELS).replace(
        '<w:lvlText w:val="%1.%2"/>', '<w:pStyle w:val="H2"/><w:lvlText w:val="%1.%2"/>'
    )

    body = p("总则", num=(1, 0)) + p("范围", style="H2") + p("定义", style="Child")

    document = read(body, styles=styles, numbering=listed)

    assert texts(document) == ["第一章 总则", "一.1 范围", "一.2 定义"]
    assert document.blocks[1].kind is BlockKind.HEADING


def test_a_number_switched_off_in_the_paragraph_is_off(read):
    document = read(p("甲", num=(1, 0)) + p("乙", num=(0, 0)), numbering=numbering({0: ("decimal", "%1.")}))

    assert texts(document) == ["1. 甲", "乙"]


@pytest.mark.parametrize(
    ("form", "count", "spelled"),
    [
        ("decimal", 12, "12"),
        ("decimalZero", 3, "03"),
        ("upperLetter", 28, "BB"),
        ("lowerRoman", 14, "xiv"),
        ("chineseCounting", 10, "十"),
        ("chineseCounting", 21, "二十一"),
        ("chineseCountingThousand", 105, "一百零五"),
        ("chineseCountingThousand", 110, "一百一十"),
        ("chineseCountingThousand", 1010, "一千零一十"),
        ("chineseLegalSimplified", 23, "贰拾叁"),
        ("japaneseCounting", 11, "十一"),
        ("ideographTraditional", 3, "丙"),
        ("decimalEnclosedCircle", 20, "⑳"),
        ("decimalEnclosedCircle", 51, "51"),
        ("decimalEnclosedParen", 2, "⑵"),
        ("decimalFullWidth", 12, "１２"),
        ("unheardOf", 7, "7"),
    ],
)
def test_numbers_are_spelled_as_word_spells_them(form, count, spelled):
    assert spell(count, form) == spelled


def test_merged_cells_stand_once_where_they_begin(read):
    body = tbl(
        [tc("评分", merge="restart"), tc("内容", span=2)],
        [tc("", merge="continue"), tc("业绩"), tc("10分")],
        [tc("", merge="continue"), tc("方案"), tc("20分")],
        [tc("合计", span=3)],
    )

    document = read(body)

    assert texts(document) == ["评分", "内容", "业绩", "10分", "方案", "20分", "合计"]
    places = [(c.row, c.col, c.rowspan, c.colspan) for c in (block.cell for block in document.blocks)]
    assert places == [
        (0, 0, 3, 1),
        (0, 1, 1, 2),
        (1, 1, 1, 1),
        (1, 2, 1, 1),
        (2, 1, 1, 1),
        (2, 2, 1, 1),
        (3, 0, 1, 3),
    ]
    assert document.text == "评分\t内容\n业绩\t10分\n方案\t20分\n合计"


def test_empty_cells_leave_their_column_number_behind(read):
    document = read(tbl([tc("甲"), tc(""), tc("丙")]))

    assert [block.cell.col for block in document.blocks] == [0, 2]


def test_a_table_in_a_cell_becomes_lines_of_that_cell(read):
    inner = tbl([tc("里1"), tc("里2")], [tc("里3"), tc("里4")])

    document = read(tbl([tc("外"), tc(p("前") + inner + p("后"))]))

    assert texts(document) == ["外", "前\n里1\t里2\n里3\t里4\n后"]


def test_a_table_that_only_draws_a_frame_is_looked_through(read):
    document = read(tbl([tc(p("前") + tbl([tc("甲"), tc("乙")]) + p("后"))]))

    assert texts(document) == ["前", "甲", "乙", "后"]
    assert [block.kind for block in document.blocks] == [
        BlockKind.PARAGRAPH,
        BlockKind.TABLE_CELL,
        BlockKind.TABLE_CELL,
        BlockKind.PARAGRAPH,
    ]


def test_rows_and_cells_in_content_controls_are_seen(read):
    control = "<w:sdt><w:sdtContent>{}</w:sdtContent></w:sdt>"
    row = control.format(f"<w:tr>{control.format(tc('甲'))}{tc('乙')}</w:tr>")

    assert texts(read(f"<w:tbl>{row}</w:tbl>")) == ["甲", "乙"]


_BOX = "<w:txbxContent>" + p("盒中文字") + "</w:txbxContent>"
_TWICE = (
    "<w:r><mc:AlternateContent><mc:Choice Requires='wps'><w:drawing><wps:txbx>"
    f"{_BOX}</wps:txbx></w:drawing></mc:Choice><mc:Fallback><w:pict><v:textbox>{_BOX}</v:textbox></w:pict>"
    "</mc:Fallback></mc:AlternateContent></w:r>"
)


def test_a_text_box_stands_once_after_its_paragraph(read):
    """Word writes it twice, for new and old versions of itself."""
    document = read(p("锚点", _TWICE) + p("下一段"))

    assert texts(document) == ["锚点", "盒中文字", "下一段"]
    assert document.blocks[1].kind is BlockKind.TEXTBOX


def test_a_text_box_in_a_cell_belongs_to_the_cell(read):
    assert texts(read(tbl([tc(p("格", _TWICE)), tc("乙")]))) == ["格\n盒中文字", "乙"]


def test_tracked_changes_read_as_if_accepted(read):
    body = p(
        "投标",
        f"<w:ins w:id='1'>{r('保证金')}</w:ins>",
        "<w:del w:id='2'><w:r><w:delText>旧</w:delText></w:r></w:del>",
        f"<w:moveFrom w:id='3'>{r('移走')}</w:moveFrom><w:moveTo w:id='4'>{r('移来')}</w:moveTo>",
    )

    assert read(body).text == "投标保证金移来"


def test_hidden_text_is_not_on_the_page(read):
    assert read(p("见", r("隐", "<w:vanish/>"), r("得", '<w:vanish w:val="0"/>'))).text == "见得"


def test_fields_show_their_result_and_not_their_code(read):
    field = (
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> PAGEREF x </w:instrText></w:r>'
        '<w:r><w:fldChar w:fldCharType="separate"/></w:r>'
        + r("12")
        + '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
    )

    assert read(p("第", field, "页", f"<w:hyperlink r:id='x'>{r('链接')}</w:hyperlink>")).text == "第12页链接"


@pytest.mark.parametrize(
    ("run", "seen"),
    [
        ('<w:r><w:sym w:font="Wingdings" w:char="F0FE"/></w:r>', "☑"),
        ('<w:r><w:sym w:font="Wingdings 2" w:char="F0A3"/></w:r>', "□"),
        ('<w:r><w:sym w:font="Wingdings 2" w:char="0052"/></w:r>', "☑"),
        (r("\uf0fe"), "☑"),
        (r("\uf0a8"), "□"),
        (r("R", '<w:rFonts w:ascii="Wingdings 2" w:hAnsi="Wingdings 2"/>'), "☑"),
        ("<w:sdt><w:sdtPr><w14:checkbox><w14:checked w14:val='1'/></w14:checkbox></w:sdtPr>"
         "<w:sdtContent><w:r><w:t>☒</w:t></w:r></w:sdtContent></w:sdt>", "☑"),
        ("<w:sdt><w:sdtPr><w14:checkbox><w14:checked w14:val='0'/></w14:checkbox></w:sdtPr>"
         "<w:sdtContent><w:r><w:t>☐</w:t></w:r></w:sdtContent></w:sdt>", "□"),
        ('<w:r><w:fldChar w:fldCharType="begin"><w:ffData><w:checkBox><w:default w:val="0"/><w:checked/>'
         '</w:checkBox></w:ffData></w:fldChar></w:r><w:r><w:instrText>FORMCHECKBOX</w:instrText></w:r>'
         '<w:r><w:fldChar w:fldCharType="end"/></w:r>', "☑"),
        ('<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>EQ \\o\\ac(□,√)</w:instrText></w:r>'
         '<w:r><w:fldChar w:fldCharType="end"/></w:r>', "☑"),
        ('<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>EQ \\o\\ac(○,3)</w:instrText></w:r>'
         '<w:r><w:fldChar w:fldCharType="end"/></w:r>', "③"),
    ],
)  # fmt: skip
def test_check_boxes_of_every_make_keep_their_state(read, run, seen):
    """Losing one turns "☑不接受 □接受" into its opposite."""
    assert read(p(run, "接受联合体")).text == f"{seen}接受联合体"


def test_tabs_breaks_and_hyphens_are_kept(read):
    breaks = "<w:br/><w:t>丙</w:t><w:br w:type='page'/>"
    run = f"<w:r><w:tab/><w:t>乙</w:t>{breaks}<w:noBreakHyphen/><w:t>丁</w:t></w:r>"

    assert read(p("甲", run)).text == "甲\t乙\n丙-丁"


def test_a_blank_that_marks_where_a_line_ended_is_left_out(read):
    """Converters from PDF leave such runs between the lines of a paragraph."""
    assert read(p("失信被", r(" "), "执行人 ", r(" "), "A", r(" "), "B")).text == "失信被执行人  A B"


def test_headers_footers_and_notes_stand_once_at_the_end(read):
    header = part("hdr", p("某某招标文件"))
    notes = part(
        "footnotes",
        f'<w:footnote w:type="separator" w:id="-1">{p("线")}</w:footnote>'
        f'<w:footnote w:id="1">{p("脚注")}</w:footnote>',
    )

    document = read(
        p("正文"),
        header=[header, header, part("hdr", p("另一个"))],
        footer=part("ftr", p("第 1 页 共 9 页")),
        footnotes=notes,
    )

    assert list(zip(texts(document), [block.kind.value for block in document.blocks], strict=True)) == [
        ("正文", "paragraph"),
        ("脚注", "footnote"),
        ("某某招标文件", "header"),
        ("另一个", "header"),
    ]


def test_a_clause_in_a_heading_style_is_no_heading(read):
    styles = part("styles", '<w:style w:type="paragraph" w:styleId="1"><w:name w:val="heading 1"/></w:style>')
    clause = "投标人应当按照招标文件的要求编制投标文件，并对招标文件提出的实质性要求和条件作出响应。" * 2

    document = read(p("总则", style="1") + p(clause, style="1"), styles=styles)

    assert [block.kind for block in document.blocks] == [BlockKind.HEADING, BlockKind.PARAGRAPH]


def test_a_centred_bold_line_is_a_heading_where_no_style_says_so(read):
    document = read(p(r("投标函格式", "<w:b/>"), extra='<w:jc w:val="center"/>') + p("致：采购人"))

    assert document.blocks[0].kind is BlockKind.HEADING
    assert document.blocks[1].path == ("投标函格式",)


def test_text_boxes_tables_and_numbers_are_read_from_a_strict_document_too(tmp_path):
    strict = part("document", f"<w:body>{p('严格格式')}</w:body>").replace(
        "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
        "http://purl.oclc.org/ooxml/wordprocessingml/main",
    )

    document = extract(make_docx(tmp_path / "a.docx", "", raw_document=strict), "a.docx")

    assert document.text == "严格格式"


def test_a_document_without_text_is_empty(read):
    with pytest.raises(EmptyDocument):
        read(p(""))


@pytest.mark.parametrize(
    "raw",
    [
        "not xml",
        part("document", "<w:body/>")[:-4],
        part("document", ""),
        '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>',
    ],
    ids=["garbage", "cut short", "no body", "entities"],
)
def test_a_damaged_document_is_unreadable(tmp_path, raw):
    with pytest.raises(UnreadableDocument):
        extract(make_docx(tmp_path / "a.docx", "", raw_document=raw), "a.docx")


def test_an_external_entity_is_never_read(tmp_path):
    (tmp_path / "secret").write_text("geheim")
    raw = (
        f'<?xml version="1.0"?>{" " * 5000}<!DOCTYPE w [<!ENTITY x SYSTEM "file://{tmp_path}/secret">]>'
        + part("document", f"<w:body>{p('甲&x;')}</w:body>").split("?>", 1)[1]
    )

    with pytest.raises(UnreadableDocument):
        extract(make_docx(tmp_path / "a.docx", "", raw_document=raw), "a.docx")


def test_endless_nesting_is_a_limit_and_not_a_crash(tmp_path):
    deep = "<w:tbl><w:tr><w:tc>" * 3000 + "</w:tc></w:tr></w:tbl>" * 3000

    with pytest.raises(ParseLimitExceeded):
        extract(make_docx(tmp_path / "a.docx", deep), "a.docx")


def test_a_million_paragraphs_in_a_small_file_are_refused_at_once(tmp_path):
    """python-docx takes 25 s for it; the directory of the package gives it away."""
    with pytest.raises(ParseLimitExceeded):
        extract(make_docx(tmp_path / "a.docx", p("a") * 1_000_000), "a.docx")


def test_more_blocks_than_allowed_stop_the_reading(tmp_path):
    with pytest.raises(ParseLimitExceeded):
        extract(make_docx(tmp_path / "a.docx", p("a") * 50), "a.docx", ExtractLimits(max_blocks=40))


def test_spans_beyond_reason_are_cut(read):
    row = (
        '<w:tr><w:tc><w:tcPr><w:gridSpan w:val="999999999"/></w:tcPr>'
        + p("甲")
        + "</w:tc>"
        + tc("乙")
        + "</w:tr>"
    )

    document = read(f"<w:tbl>{row}</w:tbl>")

    assert [block.cell.col for block in document.blocks] == [0, 1000]
