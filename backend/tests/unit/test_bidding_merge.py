"""One result from rules and model."""

from __future__ import annotations

from backend.app.bidding.findings import Analysis, Fact, Finding, Priority, Span, Tab
from backend.app.bidding.llm_analysis import LLMFindings
from backend.app.bidding.merge import is_same, merge, unite

HARD, COST = Tab.HARD_REQUIREMENTS, Tab.COST_ITEMS


def finding(start: int, end: int, tab: Tab = HARD, **fields: object) -> Finding:
    given = {"title": "规则标题", "priority": Priority.MEDIUM, **fields}
    return Finding(tab=tab, span=Span(start, end), **given)  # type: ignore[arg-type]


def fact(value: object, at: int = 0) -> Fact:
    return Fact(value, str(value), Span(at, at + 1))  # type: ignore[arg-type]


def model(*findings: Finding, **facts: Fact | None) -> LLMFindings:
    return LLMFindings(facts, findings, 3, ({"part": "第 1 页", "reason": "x"},), "v1")


def test_the_same_place_in_the_same_tab_is_one_finding_of_both() -> None:
    rule = finding(10, 30, why_important="规则", points=5.0)
    llm = finding(
        15, 40, origin="llm", title="模型标题", guidance="模型", priority=Priority.CRITICAL, points=7.0
    )
    (both,) = merge(Analysis({}, (rule,)), model(llm)).findings
    assert (both.origin, both.span, both.title) == ("both", Span(10, 30), "模型标题")
    assert (both.why_important, both.guidance) == ("规则", "模型")
    assert (both.priority, both.points) == (Priority.CRITICAL, 5.0)


def test_other_tabs_and_small_overlaps_stay_apart_and_in_order() -> None:
    rule = finding(10, 30)
    others = (finding(25, 45, origin="llm"), finding(10, 30, COST, origin="llm"), finding(0, 5, origin="llm"))
    merged = merge(Analysis({}, (rule,)), model(*others)).findings
    assert [(one.tab, one.span.start, one.origin) for one in merged] == [
        (HARD, 0, "llm"),
        (HARD, 10, "rules"),
        (HARD, 25, "llm"),
        (COST, 10, "llm"),
    ]


def test_one_long_quote_joins_one_rule_and_repeats_none() -> None:
    rules = (finding(0, 10), finding(20, 30))
    merged = merge(Analysis({}, rules), model(finding(0, 30, origin="llm"))).findings
    assert [one.origin for one in merged] == ["both", "rules"]
    merged = merge(
        Analysis({}, rules[:1]), model(finding(0, 10, origin="llm"), finding(0, 9, origin="llm"))
    ).findings
    assert [one.origin for one in merged] == ["both"]


def test_the_rules_value_stays_and_the_models_fills_what_is_null() -> None:
    rules = Analysis({"budget": fact(100), "purchaser": None, "agency": None}, ())
    merged = merge(rules, model(budget=fact(200, 9), purchaser=fact("某局"), price_ceiling=fact(5)))
    assert {name: one and one.value for name, one in merged.facts.items()} == {
        "budget": 100, "purchaser": "某局", "agency": None, "price_ceiling": 5,
    }  # fmt: skip
    assert merged.extra["conflicts"] == {"budget": (Fact(200, "200", Span(9, 10)),)}


def test_zero_and_false_are_values_too() -> None:
    rules = Analysis({"bid_bond": fact(0), "consortium_allowed": fact(False)}, ())
    merged = merge(rules, model(bid_bond=fact(5), consortium_allowed=fact(True)))
    assert merged.facts["bid_bond"] == fact(0)
    assert merged.facts["consortium_allowed"] == fact(False)


def test_values_that_agree_are_no_conflict() -> None:
    rules = Analysis({"agency": fact("甲招标代理有限公司"), "bid_deadline": fact("2024-11-26T09:00")}, ())
    merged = merge(rules, model(agency=fact("甲 招标代理有限公司"), bid_deadline=fact("2024-11-26")))
    assert "conflicts" not in merged.extra


def test_what_was_dropped_and_missed_is_carried_over() -> None:
    rules = Analysis({}, (), ungrounded_dropped=1, gaps=({"part": "a", "reason": "b"},), extra={"k": 1})
    merged = merge(rules, model())
    assert merged.ungrounded_dropped == 4
    assert len(merged.gaps) == 2
    assert merged.extra == {"k": 1}


def test_overlapping_parts_repeat_nothing_and_the_exact_place_wins() -> None:
    near = finding(10, 31, grounding="fuzzy", origin="llm")
    exact = finding(11, 30, origin="llm")
    assert unite([near, exact, exact]) == (exact,)
    assert len(unite([exact, finding(11, 30, COST)])) == 2


def test_half_of_the_shorter_is_enough() -> None:
    assert is_same(Span(0, 10), Span(5, 100))
    assert not is_same(Span(0, 10), Span(6, 100))
    assert not is_same(Span(0, 10), Span(10, 20))
