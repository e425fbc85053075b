"""Points a scoring row may bring: a range that is never wider on the sure side than the profile shows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backend.app.bidding.company.points import expect
from backend.app.bidding.company.report import with_matches
from backend.tests.unit.company_case import COMPANY, TODAY, case


def _range(text: str, of: float, *, complete: bool = False, **changes: Any) -> tuple[float, float] | None:
    found = expect(text, of, case(complete=complete, **changes))
    return None if found is None else (found.least, found.most)


@pytest.mark.parametrize(
    ("text", "of", "expected"),
    [
        ("投标人具有ISO9001质量管理体系认证证书得1分。", 1, (1, 1)),
        ("具有有效的ISO9001认证证书的得2分，具有ISO27001认证证书的得2分，最高4分", 4, (4, 4)),
        (
            "具有ISO9001认证证书得1分，具有ISO14001认证证书得1分，具有ISO27001认证证书得1分",
            3,
            (2, 2),
        ),  # one expired
        ("投标人具有CMMI5级证书得3分，CMMI3级证书得1分，没有不得分", 3, (1, 1)),
        ("具有CMMI五级认证的得5分；具有CMMI四级认证的得3分", 5, (0, 0)),
        ("投标人取得ISO9001或GJB9001质量管理体系认证证书的得标准分值，没有或无效的为0分", 2, (2, 2)),
        ("投标人具有ISO20000认证证书得2分", 2, (0, 2)),  # without a date of end
        ("投标人具有ITSS认证证书得2分", 2, (0, 2)),
        ("投标人具有ISO9001认证证书且认证范围包含物业管理的得2分", 2, (0, 2)),
        ("具有ISO9001、ISO14001、ISO27001认证证书的，每有一项得1分，最高得3分", 3, (2, 2)),
        ("投标人近三年类似项目业绩，每提供一个得2分，最高得6分", 6, (0, 6)),
        ("自2025年1月1日以来类似业绩，每提供1份合同得3分，满分9分", 9, (0, 9)),
        ("项目团队中具有PMP证书的人员，每提供1名得1分，最高3分", 3, (0, 3)),
    ],
)
def test_what_can_be_counted_is_a_range(text: str, of: float, expected: tuple[float, float]) -> None:
    assert _range(text, of) == expected


@pytest.mark.parametrize(
    ("text", "of", "expected"),
    [
        ("投标人具有ITSS认证证书得2分", 2, (0, 0)),
        ("投标人近三年类似项目业绩，每提供一个得2分，最高得10分", 10, (0, 6)),
        ("自2025年1月1日以来类似业绩，每提供1份合同得3分，满分9分", 9, (0, 3)),
    ],
)
def test_a_complete_list_bounds_what_is_possible(text: str, of: float, expected: tuple[float, float]) -> None:
    assert _range(text, of, complete=True) == expected


@pytest.mark.parametrize(
    "text",
    [
        "服务方案完整、针对性强的得15分，一般的得8分",
        "根据投标人ISO9001认证情况横向比较，优得3分，良得2分，差得1分",
        "企业纳税总额由大至小排序，第一名得2分",
        "在满足资格条件的基础上，每多提供一个业绩得1分，最高5分",
        "每提供一个业绩得1分；每提供一个奖项得2分",
        "项目经理具有ISO9001内审员证书得1分",
        "项目经理近三年每有一个类似业绩得1分，最高3分",
        "报价得分=(评标基准价/投标报价)×10",
        "评委根据业绩情况酌情打分，每个业绩得1分",
    ],
)
def test_what_people_judge_is_not_computed(text: str) -> None:
    assert _range(text, 10) is None


def test_a_row_never_gives_more_than_its_points() -> None:
    assert _range("具有ISO9001认证证书得5分，具有ISO27001认证证书得5分", 6) == (6, 6)


def _result() -> dict[str, Any]:
    def item(name: str, excerpt: str, **more: Any) -> dict[str, Any]:
        return {"id": name, "title": name, "source_excerpt": excerpt, **more}

    return {
        "summary": "s",
        "facts": {
            "bid_deadline": {"value": "2026-12-15T09:30"},
            "project_name": {"value": "某区机关物业服务"},
        },
        "tabs": [
            {
                "id": "hard_requirements",
                "items": [
                    item("h1", "投标人须具有ISO9001认证证书"),
                    item("h2", "投标人须通过ISO14001环境管理体系认证"),
                    item("h3", "具有有效的劳务派遣经营许可证"),
                    item("h4", "投标文件须密封"),
                ],
            },
            {
                "id": "scoring_items",
                "items": [
                    item("s1", "具有ISO9001认证证书得3分", points=3.0),
                    item("s2", "具有环境管理体系认证证书得2分", points=2.0),
                    item("s3", "服务方案优得10分", points=10.0),
                    item("s4", "总分100分", points=None),
                ],
            },
            {"id": "bid_timeline", "items": [item("t1", "2026年12月15日")]},
        ],
    }


def test_a_result_with_matches_is_a_copy() -> None:
    """The stored result never changes: matching happens when it is read."""
    result = _result()
    before = json.dumps(result)

    made = with_matches(result, COMPANY, today=TODAY, version=7)

    assert json.dumps(result) == before
    hard, scoring = made["tabs"][0]["items"], made["tabs"][1]["items"]
    assert [item.get("match", {}).get("state") for item in hard] == ["met", "not_met", "to_check", None]
    assert scoring[0]["expected_points"]["min"] == 3
    assert scoring[2]["expected_points"] is None
    assert "expected_points" not in scoring[3]
    assert made["tabs"][2] == result["tabs"][2]
    assert json.loads(json.dumps(made)) == made


def test_the_company_part_sums_up() -> None:
    made = with_matches(_result(), COMPANY, today=TODAY, version=7)["company"]

    assert (made["version"], made["matched_at"]) == (7, "2026-11-25")
    assert made["counts"] == {"met": 2, "not_met": 2, "to_check": 1}
    assert [blocker["id"] for blocker in made["blockers"]] == ["h2"]
    assert made["expected_score"] == {
        "sum": {"min": 3, "max": 3},
        "max_of_computed": 5,
        "of": 15,
        "not_computed": ["s3"],
    }
    assert {(gap["kind"], tuple(gap["items"])) for gap in made["gaps"]} == {
        ("expired", ("h2", "s2")),
        ("missing", ("h3",)),
    }


def test_an_empty_profile_and_a_bare_result_are_no_trouble() -> None:
    empty = with_matches(_result(), {}, today=TODAY)
    bare = with_matches({"tabs": []}, COMPANY, today=TODAY)

    assert empty["company"]["blockers"] == []
    assert empty["company"]["counts"]["met"] == 0
    assert bare["company"]["expected_score"]["of"] == 0


def test_without_a_deadline_today_counts_and_says_so() -> None:
    result = _result()
    result["facts"]["bid_deadline"] = None

    made = with_matches(result, COMPANY, today=TODAY)

    item = made["tabs"][0]["items"][1]
    assert item["match"]["state"] == "met"
    assert "文件未见投标截止日" in item["match"]["reason"]
