"""The built-in analyser from a document to its result, on a tender written for this test."""

from __future__ import annotations

import pathlib
import time
from typing import Any

import pytest

from backend.app.bidding.analysis import analyse_with_rules
from backend.app.bidding.findings import Priority, Regime, Tab
from backend.app.bidding.report import DocumentSource, build_report
from backend.app.documents.canonical import Document
from backend.app.documents.extract import extract
from backend.tests.unit.bidding_text import mixed
from backend.tests.unit.test_bidding_report import excerpts

SAMPLES = pathlib.Path(__file__).parents[4] / "shared" / "samples" / "tenders"
SOURCE = DocumentSource("t.docx", "0" * 64)

TENDER = mixed(
    [
        """
某市智慧水务平台运维服务项目
公开招标文件
第一章 招标公告
根据《中华人民共和国政府采购法》及其实施条例，某市水务局的智慧水务平台运维服务项目采用公开招标方式采购。
一、项目编号：SW-2031-017
二、项目名称：智慧水务平台运维服务项目
三、预算金额：180万元
四、供应商资格条件
1、符合《中华人民共和国政府采购法》第二十二条规定；
2、具有信息系统运行维护资质证书；
3、本项目不接受联合体投标。
五、招标文件的获取
获取时间：2031年2月24日至2031年3月3日
六、投标截止时间：2031年3月21日09时30分
七、开标时间：2031年3月21日09时30分
第二章 投标人须知
""",
        [
            ["条款号", "内容", "要求"],
            ["3.1", "投标保证金", "人民币叁万元整"],
            ["3.2", "投标有效期", "90日历天"],
            ["3.3", "投标文件份数", "正本一份，副本四份"],
        ],
        """
标注“★”的条款为实质性条款，有一项不满足即为无效投标。
中标人应当自中标通知书发出之日起30日内与采购人签订合同。
第三章 采购需求
★1、驻场工程师不少于6人，其中高级工程师不少于1人。
2、一般故障2小时内响应，重大故障30分钟内到场。
第四章 评标办法
本项目采用综合评分法。
评分标准
""",
        [
            ["序号", "评审因素", "评分标准", "分值"],
            ["1", "价格", "报价得分=(评标基准价/投标报价)×20", "20"],
            ["2", "运维方案", "方案完整可行得50分，一般得25分", "50"],
            ["3", "业绩", "每个类似业绩得5分，最多得30分", "30"],
        ],
    ]
)


def test_a_tender_gives_facts_findings_in_every_tab_and_verdicts() -> None:
    analysis = analyse_with_rules(TENDER)
    verdicts = {check.rule: check.verdict.value for check in analysis.compliance}

    assert analysis.regime is Regime.GOVERNMENT
    assert {finding.tab for finding in analysis.findings} == set(Tab)
    assert verdicts["bid_period"] == "pass"
    assert verdicts["bid_bond_cap"] == "pass"
    assert verdicts["score_total"] == "pass"
    assert verdicts["contract_signing_period"] == "pass"
    assert "violation" not in verdicts.values()
    assert analysis.extra["score_total"] == 100


def test_the_starred_clause_is_critical_because_the_document_defines_the_star() -> None:
    analysis = analyse_with_rules(TENDER)

    starred = [f for f in analysis.findings if TENDER.text[f.span.start] == "★"]
    assert starred
    assert all(f.priority is Priority.CRITICAL for f in starred)


def test_two_runs_over_the_same_document_give_the_same_result() -> None:
    first = build_report(TENDER, analyse_with_rules(TENDER), source=SOURCE)

    assert first == build_report(TENDER, analyse_with_rules(TENDER), source=SOURCE)


@pytest.mark.parametrize("text", ["", "一", "\n\n", "通知"])
def test_a_text_with_nothing_in_it_gives_an_empty_result(text: str) -> None:
    document = Document(text, ())
    report = build_report(document, analyse_with_rules(document), source=SOURCE)

    assert all(fact is None for fact in report["facts"].values())
    assert all(tab["items"] == [] for tab in report["tabs"])


def test_a_document_of_a_hundred_pages_takes_seconds_and_no_more() -> None:
    """Some 1.8 of processor time on a quiet core; what grows with the square of the length takes minutes."""
    parts: list[Any] = [TENDER.text]
    while sum(len(p) for p in parts) < 60_000:
        parts.append(TENDER.text.replace("90日历天", f"{len(parts)}日历天"))
    document = mixed(parts)

    began = time.process_time()
    analyse_with_rules(document)

    assert time.process_time() - began < 4


@pytest.mark.skipif(not SAMPLES.exists(), reason="the samples are not part of the repository")
@pytest.mark.parametrize(
    "path", [p for p in sorted(SAMPLES.glob("*")) if p.suffix != ".json"], ids=lambda p: p.name
)
def test_every_quote_of_a_real_tender_stands_where_it_says(path: pathlib.Path) -> None:
    document = extract(path, path.name)
    if document.unread:
        pytest.skip("this sample is a scan")
    report = build_report(document, analyse_with_rules(document), source=SOURCE)
    quotes = list(excerpts(report))

    assert len(quotes) > 50
    assert all(document.text[start:end] == quote for quote, start, end in quotes)
    quoted = set[int]()
    for tab in report["tabs"]:
        for item in tab["items"]:
            quoted.update(range(item["source_start"], item["source_end"]))
    assert len(quoted) <= 0.15 * len(document.text)
