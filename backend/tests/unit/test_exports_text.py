"""Markdown and JSON, and all formats with odd strings."""

from __future__ import annotations

import io
import json
import time
from typing import Any

import docx
import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from icalendar import Calendar
from markdown_it import MarkdownIt

from backend.app.bidding.exports import BIDDING_EXPORTS
from backend.app.bidding.exports.wording import FILTERED, NONE_CONFIRMED
from backend.tests.exported import NOTE, items, many, matched, reviewed, tender, view

READER = MarkdownIt("commonmark").enable("table")


def written(result: dict[str, Any], *, only_confirmed: bool = False) -> str:
    return BIDDING_EXPORTS["md"].render(view(result, only_confirmed=only_confirmed)).decode()


def tables(page: str) -> list[list[list[str]]]:
    """Tables as rows of cells, as a reader of Markdown sees them."""
    found: list[list[list[str]]] = []
    inside = False
    for token in READER.parse(page):
        if token.type in ("table_open", "table_close"):
            inside = token.type == "table_open"
            found += [[]] if inside else []
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type == "inline" and inside:
            found[-1][-1].append("".join(part.content for part in token.children or ()))
    return found


def test_the_page_has_its_tables_with_a_row_for_each_thing() -> None:
    result = tender()
    facts, checks, scores, calendar, answers, *deviations = tables(written(result))

    assert len(facts) == 1 + len(result["facts"])
    assert ["预算金额（元）", "1,860,000"] in [row[:2] for row in facts]
    assert len(checks) == 1 + len(result["compliance"])
    assert scores[-1] == ["", "合计", "", "100"]
    assert len(calendar) > 3
    assert len(answers) == 1 + len({i["source_start"] for i in items(result, "hard_requirements")})
    assert len(deviations) == 2


def test_every_finding_is_a_numbered_entry_with_its_quote() -> None:
    result = tender()
    page = written(result)

    for tab in result["tabs"]:
        assert f"## {tab['title']}（{len(tab['items'])}）" in page
        for n, item in enumerate(tab["items"], 1):
            assert f"{n}. **[" in page
            assert item["source_excerpt"].split("\n")[0][:8].lstrip("*#") in page.replace("\\", "")


def test_what_the_company_can_expect_stands_in_the_scoring_table() -> None:
    heads = [table for table in tables(written(matched())) if table[0][-1] == "预估得分"]

    assert [row[-1] for row in heads[0][1:3]] == ["4", "6～10"]
    assert "预估得分" not in written(tender())


def test_reviews_matches_and_notices_are_shown() -> None:
    page = written(reviewed())

    assert f"核对：已确认：{NOTE}（王工）" in page
    assert "匹配：不满足：缺少资质" in page
    assert "核对：存疑" in page
    for notice in ("第 3 部分（模型超时）", "第 2 页没有文字", "第 1–3、7 页", "另有 4 条"):
        assert notice in page


@pytest.mark.parametrize("form", ["md", "docx", "xlsx"])
def test_what_another_place_says_of_a_fact_is_a_notice(form: str) -> None:
    """Who reads only the file must not trust one of two deadlines."""
    result = tender()
    fact = result["facts"]["bid_deadline"]
    other = {"value": "2031-01-02T10:00", "text": "…", "source": {"page": 7, "path": "第二章"}}
    fact["conflicts"] = [other]

    content = BIDDING_EXPORTS[form].render(view(result))

    assert "投标截止时间前后不一致" in shown(form, content)
    assert "另一处（第 7 页 · 第二章）为 2031-01-02 10:00" in shown(form, content)


def shown(form: str, content: bytes) -> str:
    """All words of a file."""
    if form == "md":
        return content.decode()
    if form == "docx":
        return "\n".join(paragraph.text for paragraph in docx.Document(io.BytesIO(content)).paragraphs)
    sheets = openpyxl.load_workbook(io.BytesIO(content)).worksheets
    return "\n".join(
        str(cell) for sheet in sheets for row in sheet.iter_rows(values_only=True) for cell in row
    )


def test_signs_of_markdown_and_html_stay_signs() -> None:
    """What the tender says must never become a link, an image or a script of a page."""
    evil = (
        "a|b <script>x</script> [l](javascript:x) ![i](http://x) `c` *b* _u_ # h"
        "\n# h\n- l\n1. n\n> q\n---\n| x | y |"
    )
    result = reviewed()
    item = items(result, "hard_requirements")[0]
    item["title"] = item["source_excerpt"] = item["guidance"] = item["review"]["note"] = evil
    result["facts"]["agency"]["value"] = evil
    result["summary"] = evil
    before = tables(written(reviewed()))

    page = written(result)
    tokens = READER.parse(page)

    inline = [part for token in tokens for part in token.children or ()]
    assert not {"link_open", "image", "code_inline"} & {part.type for part in inline}
    assert {part.content for part in inline if part.type == "html_inline"} <= {"<br>"}
    assert not [token for token in tokens if token.type in ("html_block", "hr", "fence", "code_block")]
    assert [len(table) for table in tables(page)] == [len(table) for table in before]
    assert [token.tag for token in tokens if token.type == "heading_open"].count("h1") == 1


def test_only_confirmed_is_said() -> None:
    page = written(reviewed(), only_confirmed=True)

    assert FILTERED in page
    assert "## 废标项/硬性要求（1）" in page
    assert NONE_CONFIRMED in written(tender(), only_confirmed=True)


def test_json_is_the_result_with_what_it_is_of() -> None:
    result = reviewed()
    shown = json.loads(BIDDING_EXPORTS["json"].render(view(result)))
    narrowed = json.loads(BIDDING_EXPORTS["json"].render(view(result, only_confirmed=True)))

    head = shown.pop("export")
    assert shown == result
    assert head == {
        "task_id": 17,
        "filename": "图书馆物业.txt",
        "created_at": "2026-03-09T01:00:00Z",
        "completed_at": "2026-03-09T02:00:00Z",
        "exported_at": "2026-03-10T02:00:00Z",
        "only_confirmed": False,
    }
    assert narrowed["export"]["only_confirmed"] is True
    assert [len(tab["items"]) for tab in narrowed["tabs"]] == [1, 0, 0, 0, 0, 0]
    assert narrowed["facts"] == result["facts"]


def test_five_thousand_findings_take_seconds() -> None:
    result = many(5_000)
    for name in ("md", "json"):
        began = time.perf_counter()
        content = BIDDING_EXPORTS[name].render(view(result))
        took = time.perf_counter() - began
        print(f"{name}: {len(content):,} bytes in {took:.1f} s")  # noqa: T201 — seen with -s
        assert took < 10


ODD = st.text(st.characters(codec=None), max_size=60) | st.sampled_from(
    [
        "=1+1",
        "\ud800",
        "\x00\x1f",
        "\u2028\u202e",
        "]]>",
        "&#0;",
        "_x0041_",
        "_x000D_",
        "\r\n\r\n",
        "|" * 9,
        "=cmd|' /C calc'!A0",
    ]
)


def odd(words: list[str]) -> dict[str, Any]:
    """A result in which strings from outside stand wherever a string can."""
    result = reviewed()
    item = items(result, "hard_requirements")[0]
    for key, word in zip(
        ("title", "source_excerpt", "why_important", "guidance", "path", "lot"), words, strict=False
    ):
        item[key] = word
    item["review"] |= {"note": words[0], "by": words[1]}
    item["match"] = {"state": words[2], "reason": words[3]}
    result["summary"], result["verdict"]["reason"] = words[2], words[3]
    result["facts"]["project_name"]["value"] = words[0]
    result["facts"]["agency"] = {
        "value": words[4],
        "text": words[5],
        "source": {"excerpt": words[1], "start": 0, "end": 1},
    }
    result["facts"]["odd" + words[0]] = None
    result["compliance"][0] |= {"title": words[0], "detail": words[1], "law": words[2]}
    result["gaps"] = [{"part": words[3], "reason": words[4]}]
    result["document"] |= {"warnings": [words[5]], "filename": words[0]}
    timeline = items(result, "bid_timeline")
    timeline.append({**item, "id": "odd", "milestone": words[1], "date": words[0], "date_text": words[2]})
    timeline.append(
        {**item, "id": words[5], "milestone": words[1], "date": "2026-05-06", "date_text": words[2]}
    )
    return result


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(ODD, min_size=6, max_size=6))
@pytest.mark.parametrize("name", sorted(BIDDING_EXPORTS))
def test_no_string_breaks_a_file(name: str, words: list[str]) -> None:
    """Every file opens again in the library that reads its kind."""
    content = BIDDING_EXPORTS[name].render(view(odd(words)))

    if name == "docx":
        assert len(docx.Document(io.BytesIO(content)).tables) > 8
    elif name == "xlsx":
        book = openpyxl.load_workbook(io.BytesIO(content))
        cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
        assert [c.value for c in cells if c.data_type == "f"] == [
            c.value for c in cells if isinstance(c.value, str) and c.value.startswith("=SUM(D2:D")
        ]
    elif name == "ics":
        assert Calendar.from_ical(content).walk("VEVENT")
    elif name == "md":
        assert tables(content.decode())
    else:
        assert json.loads(content)["tabs"]
