"""The Word report, read again by python-docx."""

from __future__ import annotations

import io
import time
from typing import Any

import docx
import pytest
from docx.oxml.ns import qn

from backend.app.bidding.exports import BIDDING_EXPORTS
from backend.app.bidding.exports.responses import checklist, deviations
from backend.app.bidding.exports.wording import FILTERED, NONE_CONFIRMED
from backend.tests.exported import NOTE, items, many, matched, reviewed, tender, view


def written(result: dict[str, Any], *, only_confirmed: bool = False) -> Any:
    content = BIDDING_EXPORTS["docx"].render(view(result, only_confirmed=only_confirmed))
    return docx.Document(io.BytesIO(content))


def rows_of(document: Any, *titles: str) -> list[list[str]]:
    """The rows below the head of the first table whose head begins with these titles."""
    for table in document.tables:
        rows = [[cell.text for cell in row.cells] for row in table.rows]
        if rows and rows[0][: len(titles)] == list(titles):
            return rows[1:]
    raise AssertionError(f"no table {titles}")


def everything(document: Any) -> str:
    lines = [paragraph.text for paragraph in document.paragraphs]
    for table in document.tables:
        lines += [cell.text for row in table.rows for cell in row.cells]
    return "\n".join(lines)


def test_every_finding_stands_in_the_document_with_its_quote_whole() -> None:
    result = tender()
    text = everything(written(result))

    quotes = [item["source_excerpt"] for tab in result["tabs"] for item in tab["items"]]
    assert len(quotes) > 15
    for quote in quotes:
        assert quote in text
    for check in result["compliance"]:
        assert check["title"] in text
    assert "1,860,000" in text
    assert "2026-03-24 09:30" in text


def test_a_long_quote_with_tabs_and_lines_is_kept_to_the_letter() -> None:
    """A cell is filled with elements for tabs and line ends; nothing between them may be lost."""
    result = tender()
    quote = "甲\t乙\n" + "长" * 40_000 + "\n  末  "
    items(result, "hard_requirements")[0]["source_excerpt"] = quote

    document = written(result)

    assert any(row[1] == quote for row in rows_of(document, "序号", "要求原文"))
    long = next(r for t in document.tables for r in t.rows if quote in [c.text for c in r.cells])
    assert long._tr.find(qn("w:trPr")).find(qn("w:cantSplit")) is None  # it fits no page


def test_reviews_notes_matches_and_all_that_is_missing_are_shown() -> None:
    document = written(reviewed())
    text = everything(document)

    first = rows_of(document, "序号", "要点与建议")[0]
    assert first[3] == f"已确认\n批注：{NOTE}（王工）\n匹配：不满足：缺少资质"
    assert "存疑" in text
    for notice in ("第 3 部分（模型超时）", "第 2 页没有文字", "第 1–3、7 页由文字识别", "另有 4 条"):
        assert notice in text, notice


def test_a_result_without_gaps_or_warnings_shows_no_notice() -> None:
    assert "阅读前须知" not in everything(written(tender()))


def test_points_add_up_in_the_scoring_table() -> None:
    result = tender()
    scored = [i["points"] for i in items(result, "scoring_items") if i["points"] is not None]

    rows = rows_of(written(result), "序号", "评分项")

    assert sum(scored) == 100
    assert [row[1] for row in rows][-1] == "合计"
    assert rows[-1][3] == "100"
    assert sum(float(row[3]) for row in rows[:-1]) == 100


def test_what_the_company_can_expect_stands_beside_the_points() -> None:
    """A number where the profile is sure, else a range; nothing where it tells nothing."""
    rows = rows_of(written(matched()), "序号", "评分项", "位置", "分值", "预估得分")

    assert [row[4] for row in rows] == ["4", "6～10", "", "0～10", ""]
    with pytest.raises(AssertionError):
        rows_of(written(tender()), "序号", "评分项", "位置", "分值", "预估得分")


def test_points_of_several_lots_are_also_summed_by_lot() -> None:
    result = tender()
    scored = [i for i in items(result, "scoring_items") if i["points"] is not None]
    for n, item in enumerate(scored):
        item["lot"] = str(1 + n % 2)

    rows = rows_of(written(result), "序号", "评分项")

    sums = {row[1]: float(row[3]) for row in rows[-3:]}
    assert sums["标段 1 合计"] + sums["标段 2 合计"] == sums["合计"] == 100


def test_the_calendar_is_sorted_and_names_each_moment_once() -> None:
    rows = rows_of(written(tender()), "时间", "事项")

    times = [row[0] for row in rows]
    assert times == sorted(times)
    assert len({(row[0], row[1]) for row in rows}) == len(rows)
    assert ("2026-03-24 09:30", "投标截止时间") in [(row[0], row[1]) for row in rows]


def test_the_checklist_answers_every_hard_requirement_and_leaves_room_to_write() -> None:
    result = tender()
    rows = rows_of(written(result), "序号", "要求原文", "位置", "响应情况", "责任人", "备注")

    places = {(i["source_start"], i["source_end"]) for i in items(result, "hard_requirements")}
    assert len(rows) == len(places)
    assert [row[0] for row in rows] == [str(n) for n in range(1, len(rows) + 1)]
    assert all("□" in row[3] and row[4] == "" for row in rows)


def test_the_tables_of_deviations_start_with_the_marked_clauses() -> None:
    """★ clauses void the bid when they deviate: nobody may have to look for them."""
    result = tender()
    plain = dict(items(result, "technical_requirements")[-1], source_start=0, source_end=5, id="early")
    items(result, "technical_requirements").insert(0, plain | {"title": "普通", "source_excerpt": "普通条款"})
    commercial, technical = deviations(view(result))

    assert [bool(row.mark) for row in technical] == sorted((bool(r.mark) for r in technical), reverse=True)
    assert technical[0].quote.startswith("★")
    assert technical[0].clause.startswith("1；")
    assert "普通条款" in [row.quote for row in technical if not row.mark]
    shown = rows_of(
        written(result), "序号", "招标文件条款号/页", "招标文件要求（原文）", "投标响应", "偏离说明"
    )
    assert len(shown) == len(commercial)
    assert all(row[3] == row[4] == "" for row in shown)


def test_a_clause_found_as_hard_and_as_technical_deviates_once() -> None:
    result = tender()
    technical = items(result, "technical_requirements")[0]
    items(result, "hard_requirements").append(dict(technical, id="twin"))

    commercial, of_technique = deviations(view(result))

    assert technical["source_excerpt"] in [row.quote for row in of_technique]
    assert technical["source_excerpt"] not in [row.quote for row in commercial]
    assert technical["source_excerpt"] in [row.quote for row in checklist(view(result))]


def test_only_confirmed_keeps_facts_and_checks_and_says_so() -> None:
    result = reviewed()
    document = written(result, only_confirmed=True)
    text = everything(document)

    assert FILTERED in text
    assert len(rows_of(document, "序号", "要点与建议")) == 1
    assert items(result, "hard_requirements")[0]["source_excerpt"] in text
    assert items(result, "technical_requirements")[0]["title"] not in text
    assert result["compliance"][0]["title"] in text
    assert "1,860,000" in text


def test_an_empty_selection_says_so() -> None:
    text = everything(written(tender(), only_confirmed=True))

    assert NONE_CONFIRMED in text


def test_pages_fonts_header_and_page_numbers_are_set_for_print() -> None:
    document = written(tender())
    section = document.sections[0]
    footer, header = section.footer._element, section.header._element

    assert (round(section.page_width.cm, 1), round(section.page_height.cm, 1)) == (21.0, 29.7)
    assert "图书馆物业管理服务采购" in section.header.paragraphs[0].text
    fields = [field.get(qn("w:instr")) for field in footer.iter(qn("w:fldSimple"))]
    assert fields == ["PAGE", "NUMPAGES"]
    assert "".join(t.text for t in footer.iter(qn("w:t"))) == "第 1 页 共 1 页"
    for name, font in (
        ("Normal", "宋体"),
        ("Heading 1", "微软雅黑"),
        ("Title", "微软雅黑"),
        ("TableText", "宋体"),
    ):
        fonts = document.styles[name].element.rPr.rFonts
        assert fonts.get(qn("w:eastAsia")) == font
        assert fonts.get(qn("w:eastAsiaTheme")) is None  # a theme's font would win
    assert header.find(f".//{qn('w:pBdr')}") is not None


def test_heads_of_tables_repeat_and_short_rows_stay_whole() -> None:
    document = written(tender())
    headed = [
        t for t in document.tables if t.rows[0]._tr.find(qn("w:trPr")).find(qn("w:tblHeader")) is not None
    ]

    assert len(headed) >= 9
    for table in headed:
        assert table.rows[-1]._tr.find(qn("w:trPr")).find(qn("w:cantSplit")) is not None


def test_keys_that_came_later_may_be_missing() -> None:
    """Results of before reviews, matches and places of facts are exported as well."""
    result = tender()
    for tab in result["tabs"]:
        for item in tab["items"]:
            del item["review"]
    for fact in result["facts"].values():
        if fact is not None:
            del fact["source"]["path"]
    for key in ("compliance", "gaps", "lots", "usage"):
        del result[key]

    text = everything(written(result))

    assert "待核对" in text
    assert "第一章 招标公告" in text


def test_five_thousand_findings_take_seconds() -> None:
    result = many(5_000)
    began = time.perf_counter()

    content = BIDDING_EXPORTS["docx"].render(view(result))

    took = time.perf_counter() - began
    print(f"docx: {len(content):,} bytes in {took:.1f} s")  # noqa: T201 — seen with -s
    assert took < 40
    assert len(content) < 8_000_000
