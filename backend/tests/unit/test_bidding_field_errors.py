"""What users of such systems reported as read wrongly: the public root causes of field errors, as tests."""

from __future__ import annotations

import pytest

from backend.app.bidding.analysis import analyse_with_rules
from backend.app.bidding.findings import Tab
from backend.app.bidding.rules.facts import extract_facts
from backend.app.documents.canonical import Document
from backend.tests.unit.bidding_text import any_has, findings, found, lines, mixed

HEAD = "第二章 投标人须知\n投标人须知前附表"


def value(name: str, document: Document) -> object:
    fact = extract_facts(document)[name]
    return fact.value if fact else None


def row(label: str, words: str) -> Document:
    return mixed([HEAD, [("序号", "名称", "内容"), ("1", label, words)]])


@pytest.mark.parametrize(
    "words",
    ["银行转账、支票、汇票或者保函等非现金形式", "以电汇或银行保函形式提交", "见投标人须知前附表"],
)
def test_the_form_of_a_bond_is_no_amount(words: str) -> None:
    assert value("bid_bond", row("投标保证金形式", words)) is None
    assert value("bid_bond", row("投标保证金", words)) is None


def test_the_owners_number_is_kept_apart_from_the_agencys() -> None:
    """Both stand in the notice; the one that is called the project's is its number."""
    document = lines(
        "第一章 招标公告\n项目编号：BAZC-2026-018\n代理机构内部编号：ZX-DL-0099\n项目名称：供水设备采购"
    )

    assert value("project_number", document) == "BAZC-2026-018"


@pytest.mark.parametrize("name", ["budget", "bid_bond", "bid_deadline", "service_period"])
@pytest.mark.parametrize("words", ["见投标人须知前附表", "详见招标公告", "/", "______"])
def test_a_reference_or_a_blank_is_no_value(name: str, words: str) -> None:
    labels = {
        "budget": "预算金额",
        "bid_bond": "投标保证金",
        "bid_deadline": "投标截止时间",
        "service_period": "服务期限",
    }

    assert value(name, row(labels[name], words)) is None


def test_ceiling_and_budget_stay_apart() -> None:
    document = lines("第一章 招标公告\n预算金额：200万元\n最高限价：195.5万元")

    assert (value("budget", document), value("price_ceiling", document)) == (2_000_000, 1_955_000)
    assert value("budget", lines("第一章 招标公告\n最高限价：195.5万元")) is None


@pytest.mark.parametrize("label", ["工期", "服务期", "服务期限", "合同履行期限", "实施周期", "交货期"])
def test_a_period_has_many_names(label: str) -> None:
    assert value("service_period", lines(f"第一章 招标公告\n{label}：自合同签订之日起90日历天")) is not None


def test_a_name_keeps_its_brackets() -> None:
    document = lines(
        "第一章 招标公告\n项目名称：滨河市第二水厂（一期）自动化改造（含监控）采购项目\n项目编号：A-2026-1"
    )

    assert value("project_name", document) == "滨河市第二水厂（一期）自动化改造（含监控）采购项目"


def test_a_cell_that_the_layout_broke_is_read_whole() -> None:
    """Lines of a page break anywhere, also inside a name and inside 名称 itself."""
    cells = [("序号", "名称", "内容"), ("1", "采购人", "名 称：滨河市第二\n自来水厂有限公司")]

    assert value("purchaser", mixed([HEAD, cells], pages=True)) == "滨河市第二自来水厂有限公司"


SCORES = [
    ("评分类别", "评分因素", "评分标准", "分值"),
    ("商务部分", "类似业绩案例", "每提供一个案例业绩合同得2分，最高6分。", "6"),
    ("商务部分", "企业资质", "具有信息安全服务资质证书的得4分。", "4"),
    ("商务部分", "技术方案", "技术方案完整、先进得30分，一般得15分。", "30"),
    ("技术部分", "实施团队", "项目经理具有高级证书得20分。", "20"),
    ("价格部分", "投标报价", "最低报价为评标基准价得30分。", "30"),
    ("其他", "节能环保", "提供节能产品认证证书得10分。", "10"),
]


def test_the_last_scoring_category_is_not_lost() -> None:
    """FB208/OpenBidKit_Yibiao issue 37."""
    titles = [f.title for f in findings(mixed(["第三章 评标办法\n评分标准", SCORES]), Tab.SCORING_ITEMS)]

    assert titles[-1] == "节能环保（10 分）"


@pytest.mark.parametrize("name", ["类似业绩案例（6 分）", "企业资质（4 分）", "技术方案（30 分）"])
def test_references_and_technical_points_in_the_commercial_part_are_scored(name: str) -> None:
    """Issues 198 (案例业绩 dropped) and 87 (technical scoring that stands in the commercial part)."""
    document = mixed(["第三章 评标办法\n评分标准", SCORES])

    assert name in [f.title for f in findings(document, Tab.SCORING_ITEMS)]
    assert analyse_with_rules(document).extra["score_total"] == 100


def test_marks_in_a_column_of_their_own_are_read_by_their_definitions() -> None:
    """Issue 159: ★ voids a bid, ▲ costs points, and a mark that the text denies a consequence is none."""
    document = mixed(
        [
            "第四章 采购需求\n标★的参数为实质性要求，不满足按无效投标处理。\n"
            "标▲的参数为重要参数，负偏离扣分，但不作为无效投标条款。",
            [
                ("序号", "标识", "技术参数"),
                ("1", "★", "额定处理能力不低于每小时五百立方米"),
                ("2", "▲", "整机噪声不超过六十五分贝并提供检测报告"),
                ("3", "", "设备外壳采用不锈钢材质，表面平整"),
            ],
        ]
    )

    hard = found(document, Tab.HARD_REQUIREMENTS)
    technical = findings(document, Tab.TECHNICAL_REQUIREMENTS)

    assert any_has(hard, "额定处理能力") and not any_has(hard, "整机噪声")
    assert [f.title[0] for f in technical][:2] == ["★", "▲"]
    assert [f.priority.value for f in technical][:2] == ["critical", "high"]


def test_the_label_that_spans_several_rows_names_each_of_them() -> None:
    """A row without a label of its own is not called after the criterion above it."""
    document = mixed(
        [
            "第三章 评标办法\n评分标准",
            [
                ("评分因素", "评分标准", "分值", "说明"),
                (
                    "服务团队",
                    "项目经理具有本科及以上学历得4分，否则不得分。",
                    "4",
                    "提供学历证书复印件并加盖公章，未提供的本项不予认定为有效材料",
                ),
                ("", "主管具有大专及以上学历得3分，否则不得分。", "3", "同上"),
                ("价格", "最低报价得满分93分。", "93", ""),
            ],
        ]
    )

    rows = findings(document, Tab.SCORING_ITEMS)

    assert [f.title for f in rows if f.points in (3, 4)] == ["服务团队（4 分）", "服务团队（3 分）"]
    assert found(document, Tab.SCORING_ITEMS)[0].startswith("项目经理具有本科")


def test_the_rest_of_a_row_that_a_page_cut_off_is_no_row_of_its_own() -> None:
    """Its lower tiers would be added to the sum."""
    document = mixed(
        [
            "第三章 评标办法\n评分标准",
            [
                ("评分因素", "评分标准", "分值"),
                ("服务方案", "根据方案评审：1、方案完整的得60分；", "60"),
                ("", "2、方案较完整的得40分；3、方案一般的得20分。", ""),
                ("类似业绩", "每个得2分，最高10分。", "10"),
                ("价格", "最低报价得满分30分。", "30"),
            ],
        ],
        pages=True,
    )

    assert analyse_with_rules(document).extra["score_total"] == 100
