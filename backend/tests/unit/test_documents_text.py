"""Plain text, Markdown and HTML."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.common.errors import EmptyDocument, ParseLimitExceeded
from backend.app.documents.canonical import BlockKind
from backend.app.documents.extract import extract, from_text
from backend.app.documents.limits import ExtractLimits
from backend.tests.documents_made import assert_lawful, texts

_SENTENCE = "第一章 招标公告\n投标人应当于2024年12月3日前递交投标文件，保证金为５万元。"


def _read(tmp_path, content, name):
    path = tmp_path / "stored"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    document = extract(path, name)
    assert_lawful(document)
    return document


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_a_text_file_is_read_in_whatever_encoding_it_was_saved(tmp_path, encoding):
    assert _read(tmp_path, _SENTENCE.encode(encoding), "a.txt").text == _SENTENCE


def test_one_broken_byte_does_not_turn_a_chinese_file_into_western_letters(tmp_path):
    raw = (_SENTENCE * 20).encode("gb18030")

    document = _read(tmp_path, raw + b"\xff\xff", "a.txt")

    assert "投标人应当" in document.text


def test_a_western_file_is_read_too(tmp_path):
    text = "Pr\xe9sentation du march\xe9 public, d\xe9lai \xe9tendu. " * 9

    assert "march" in _read(tmp_path, text.encode("cp1252"), "a.txt").text


def test_a_text_with_nul_surrogates_and_controls_is_cleaned():
    document = from_text("甲\x00乙\ud83d丙\x07\n\x0c丁")

    assert texts(document) == ["甲乙丙", "丁"]


@given(st.text(max_size=300))
def test_any_pasted_text_becomes_a_lawful_document_or_is_empty(text):
    try:
        document = from_text(text)
    except EmptyDocument:
        return
    assert_lawful(document)
    document.text.encode()


@pytest.mark.parametrize("text", ["", "   \n\t\u3000", "\x00\x00", "\u200b"])
def test_a_text_of_blanks_is_empty(text):
    with pytest.raises(EmptyDocument):
        from_text(text)


def test_lines_of_a_text_know_their_chapter():
    document = from_text("第一章 公告\n一、概况\n内容\n1、预算金额：5万元")

    last = document.blocks[-1]
    assert last.kind is BlockKind.LIST_ITEM
    assert last.path == ("第一章 公告", "一、概况")


_CLAUSE = "投标人应当按照招标文件的要求编制投标文件，投标文件应当对招标文件提出的实质性要求和条件作出响应"


def test_text_cut_at_a_fixed_width_is_put_together():
    """As it comes out of a PDF by copying; a sentence in pieces is found by no rule."""
    clauses = [f"{at}、{_CLAUSE}，且为第{at}条。" for at in range(1, 8)]
    lines = [clause[at : at + 22] for clause in clauses for at in range(0, len(clause), 22)]

    assert texts(from_text("\n".join(lines))) == clauses


def test_lines_of_their_own_stay_apart_even_when_some_are_equally_long():
    lines = [f"{_CLAUSE[:20]}{at:02d}" if at % 2 else "短" * (at % 7 + 1) for at in range(30)]
    lines.append(_CLAUSE * 3)

    assert texts(from_text("\n".join(lines))) == lines


def test_too_long_a_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"a" * 2000)

    with pytest.raises(ParseLimitExceeded):
        extract(path, "a.txt", ExtractLimits(max_text_file=1000))


_MARKDOWN = """---
title: x
---
# 招标公告

**投标人**须知见[附件](http://x.y/z)。
评标办法
--------
- [x] 接受联合体
- [ ] 不接受

| 序号 | 内容 |
|:----|-----:|
| 1 | a \\| b |
| 2 | `保证金` |

***
> 引文

```
# 代码 **不变**
```
"""


def test_markdown_gives_headings_lists_and_tables_without_their_marks(tmp_path):
    document = _read(tmp_path, _MARKDOWN, "a.md")

    assert texts(document) == [
        "招标公告",
        "投标人须知见附件。",
        "评标办法",
        "☑ 接受联合体",
        "□ 不接受",
        "序号",
        "内容",
        "1",
        "a | b",
        "2",
        "保证金",
        "引文",
        "# 代码 **不变**",
    ]
    assert [block.level for block in document.blocks if block.kind is BlockKind.HEADING] == [1, 2]
    assert [
        [document.text[c.start : c.end] for c in row] for table in document.tables() for row in table
    ] == [
        ["序号", "内容"],
        ["1", "a | b"],
        ["2", "保证金"],
    ]


@pytest.mark.parametrize("evil", ["[", "*a", "`", "|-", "![", "__", "~~a", "<http://", "\\", "**", "|"])
def test_markdown_of_endless_marks_is_read_at_once(tmp_path, evil):
    began = time.process_time()
    document = _read(tmp_path, "标题\n" + evil * 100_000, "a.md")

    assert document.text.startswith("标题")
    assert time.process_time() - began < 5


_HTML = """<html><head><meta charset="utf-8"><title>不读</title><style>p{}</style></head><body>
<h1>招标  公告</h1><script>alert(1)</script>
<p>一、项目<b>名称</b>：甲<br>乙</p><p style="display: none">看不见</p><p hidden>看不见</p>
<ul><li>第一项<li>第二项</ul>
<div>文字<div>里面</div>后面</div>
<input type=checkbox checked>接受 <input type=checkbox>不接受
<table><tr><td rowspan=2>标段</td><td colspan=2>金额</td></tr>
<tr><td>1</td><td><p>2</p><p>3</p></td></tr></table>
<table><tr><td><p>版面表格</p><table><tr><td>里</td><td>层</td></tr></table></td></tr></table>
&nbsp;尾</body></html>"""


def test_html_gives_what_a_browser_shows(tmp_path):
    document = _read(tmp_path, _HTML, "a.html")

    assert texts(document) == [
        "招标 公告",
        "一、项目名称：甲\n乙",
        "第一项",
        "第二项",
        "文字",
        "里面",
        "后面",
        "☑接受 □不接受",
        "标段",
        "金额",
        "1",
        "2\n3",
        "版面表格",
        "里",
        "层",
        "尾",
    ]
    cells = [block.cell for block in document.blocks if block.cell]
    assert [(c.table, c.row, c.col, c.rowspan, c.colspan) for c in cells[:4]] == [
        (0, 0, 0, 2, 1),
        (0, 0, 1, 1, 2),
        (0, 1, 1, 1, 1),
        (0, 1, 2, 1, 1),
    ]


def test_html_that_declares_gb2312_is_read_as_gb18030(tmp_path):
    page = '<html><meta http-equiv="Content-Type" content="text/html; charset=gb2312"><p>镕基招标</p>'

    document = _read(tmp_path, page.encode("gb18030"), "a.htm")

    assert document.text == "镕基招标"


def test_hundreds_of_unclosed_tags_lose_no_text(tmp_path):
    """libxml2 drops what lies under 256 elements unless told otherwise."""
    page = "<html><body>" + "".join(f"<font>第{at}行<br>" for at in range(350))

    assert "第349行" in _read(tmp_path, page, "a.html").text


def test_endless_nesting_is_a_limit_and_not_a_crash(tmp_path):
    with pytest.raises(ParseLimitExceeded):
        _read(tmp_path, "<html>" + "<div>" * 50_000 + "x", "a.html")


def test_an_external_entity_is_never_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("geheim")
    page = f'<?xml version="1.0"?><!DOCTYPE html [<!ENTITY x SYSTEM "file://{secret}">]><html><p>甲&x;</p></html>'

    assert "geheim" not in _read(tmp_path, page, "a.html").text
