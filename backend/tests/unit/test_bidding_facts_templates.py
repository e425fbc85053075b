"""Facts where the templates of one region or trade put them; every document here is made up."""

from __future__ import annotations

import pytest

from backend.app.bidding.rules.facts import extract_facts
from backend.app.documents.canonical import Document
from backend.tests.unit.bidding_text import lines, mixed

FRONT = "第二章 投标人须知\n投标人须知前附表"


def value_of(name: str, document: Document) -> object:
    fact = extract_facts(document)[name]
    return fact.value if fact is not None else None


def in_notice(text: str) -> Document:
    return lines(f"第一章 采购公告\n{text}")


def test_the_deadline_for_questions_is_not_that_for_bids() -> None:
    """A row is read as one: number, name, date. The date of the bids may stand elsewhere, in words."""
    document = mixed(
        [
            "第一章 招标公告\n5.1 投标文件递交的截止时间（投标截止时间，下同）为"
            f"二〇二六年五月十二日上午九时整。\n{FRONT}",
            [
                ("条款号", "条款名称", "编列内容"),
                ("1.10.2", "投标人提出问题的截止时间", "2026年4月28日17时00分"),
                ("2.2.2", "投标截止时间", "见招标公告5.1款"),
                ("5.1", "开标时间", "同投标截止时间"),
            ],
        ]
    )

    assert value_of("bid_deadline", document) == "2026-05-12T09:00"
    assert value_of("opening_time", document) == "2026-05-12T09:00"
    assert value_of("clarification_deadline", document) == "2026-04-28T17:00"


@pytest.mark.parametrize(("chosen", "yuan"), [("□收取\n☑不收取", 0), ("☑收取，30000元\n□不收取", 30000)])
def test_the_options_of_a_choice_may_be_lines_of_one_cell(chosen: str, yuan: int) -> None:
    document = mixed([FRONT, [("序号", "事项", "规定"), ("14", "投标保证金", chosen)]])

    assert value_of("bid_bond", document) == yuan


def test_a_sale_that_has_only_an_end_gives_the_end() -> None:
    document = in_notice(
        "三、获取（下载）采购文件\n时间：/至2026年04月20日，每天上午00:00至12:00，下午12:00至23:59"
    )

    assert value_of("document_sale_end", document) == "2026-04-20"
    assert value_of("document_sale_start", document) is None


@pytest.mark.parametrize(
    "text",
    [
        "项目概况：云溪市第三中学报告厅座椅采购的潜在供应商应在采购网获取采购文件，并于规定时间提交。",
        "因工作需要，我院拟对云溪市第三中学报告厅座椅采购进行院内询价采购，欢迎有能力的供应商报名参加。",
    ],
)
def test_a_name_that_only_a_sentence_gives_is_read(text: str) -> None:
    assert value_of("project_name", in_notice(text)) == "云溪市第三中学报告厅座椅采购"


def test_the_purchaser_on_the_cover_is_not_the_name_of_the_project() -> None:
    cover = "云溪市机关事务服务中心\n2026年食材配送定点服务项目\n竞争性磋商采购文件\n二〇二六年四月\n"
    body = "第一章 公告\n项目名称：云溪市机关事务服务中心2026年食材配送定点服务项目\n" + "\n".join(
        f"{n}. 云溪市机关事务服务中心负责第{n}项组织工作。" for n in range(1, 12)
    )

    assert value_of("project_name", lines(cover + body)) == "云溪市机关事务服务中心2026年食材配送定点服务项目"


def test_a_number_in_brackets_behind_the_procedure_is_the_projects() -> None:
    text = (
        "我院拟对机房空调维保服务进行院内询价采购（院采询〔2026〕019号）。"
        "按《促进中小企业发展管理办法》（财库〔2020〕46号）执行。"
    )

    assert value_of("project_number", in_notice(text)) == "院采询〔2026〕019号"


@pytest.mark.parametrize(
    "text",
    [
        "谈判小组应当按照最后报价由低到高的顺序提出3名成交候选人。",
        "在满足采购需求的前提下，以二次报价最低者为成交供应商。",
    ],
)
def test_without_a_named_method_the_lowest_price_is_one(text: str) -> None:
    assert "低" in str(value_of("evaluation_method", lines(f"第三章 评审办法\n{text}")))


def test_a_period_is_read_though_the_next_clause_speaks_of_an_assessment() -> None:
    text = "合同履行期限：自合同签订之日起24个月，合同一年一签，首年履约考核合格后续签第二年。"

    assert value_of("service_period", in_notice(text)) == text.removeprefix("合同履行期限：").rstrip("。")


@pytest.mark.parametrize(
    ("text", "yuan"),
    [("合同估算价：860万元", 8600000), ("框架协议期内预估金额298万元（含税），以实际结算为准", 2980000)],
)
def test_an_estimate_is_the_budget_where_there_is_no_other(text: str, yuan: int) -> None:
    assert value_of("budget", in_notice(text)) == yuan


def test_a_tendering_body_is_the_agency() -> None:
    document = mixed(
        [
            FRONT,
            [
                ("1.1.2", "招标人", "名称：川西油气有限公司"),
                ("1.1.3", "招标机构", "名称：川西物资招标有限公司"),
            ],
        ]
    )

    assert value_of("agency", document) == "川西物资招标有限公司"
    assert value_of("purchaser", document) == "川西油气有限公司"
