"""Random values under random labels are read back, whatever the layout."""

from __future__ import annotations

import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from backend.app.bidding.rules.facts import extract_facts
from backend.tests.unit.bidding_text import lines, mixed

INSTRUCTIONS = "第二章 投标人须知\n投标人须知前附表"
LABELS = {
    "project_number": ("项目编号", "招标编号", "采购项目编号", "磋商编号"),
    "purchaser": ("采购人", "招标人", "采购单位", "招标单位"),
    "agency": ("采购代理机构", "招标代理机构"),
    "budget": ("预算金额", "采购预算", "项目预算金额"),
    "bid_bond": ("投标保证金", "磋商保证金", "投标保证金金额"),
    "bid_deadline": ("投标截止时间", "提交投标文件截止时间", "响应文件递交截止时间"),
    "opening_time": ("开标时间", "响应文件开启时间"),
    "bid_validity_days": ("投标有效期", "响应文件有效期", "投标文件有效期"),
    "service_period": ("服务期限", "合同履行期限", "服务期"),
}
MOMENTS = st.datetimes(
    min_value=datetime.datetime(2020, 1, 1),  # noqa: DTZ001
    max_value=datetime.datetime(2035, 12, 31),  # noqa: DTZ001
)


@st.composite
def tenders(draw: st.DrawFn) -> tuple[dict[str, object], dict[str, tuple[str, str]]]:
    """Random values, and for each a random label and way of writing it."""
    deadline = draw(MOMENTS).replace(second=0, microsecond=0)
    opening = deadline + datetime.timedelta(minutes=draw(st.integers(0, 90)))
    place = draw(st.sampled_from(("滨河市", "清河县", "云岭省", "江北区")))
    known: dict[str, object] = {
        "project_number": f"{draw(st.sampled_from(('ZFCG', 'GXTC-A1', 'JSZC')))}-{deadline.year}"
        f"-{draw(st.integers(100, 99999)):05d}",
        "purchaser": place + draw(st.sampled_from(("人民医院", "教育局", "水利投资有限公司", "第一中学"))),
        "agency": draw(st.sampled_from(("众信", "安泰", "鼎隆"))) + "招标代理有限公司",
        "budget": draw(st.integers(1, 9000)) * 1000,
        "bid_bond": draw(st.integers(1, 99)) * 1000,
        "bid_deadline": f"{deadline:%Y-%m-%dT%H:%M}",
        "opening_time": f"{opening:%Y-%m-%dT%H:%M}",
        "bid_validity_days": draw(st.integers(30, 180)),
        "service_period": f"自合同签订之日起{draw(st.integers(1, 36))}个月",
    }
    words = {name: (draw(st.sampled_from(LABELS[name])), str(value)) for name, value in known.items()}
    for name in ("budget", "bid_bond"):
        words[name] = (words[name][0], draw(st.sampled_from(_money(int(str(known[name]))))))
    for name, moment in (("bid_deadline", deadline), ("opening_time", opening)):
        words[name] = (words[name][0], draw(st.sampled_from(_moments(moment))))
    words["bid_validity_days"] = (words["bid_validity_days"][0], f"{known['bid_validity_days']}日历天")
    return known, words


def _money(yuan: int) -> tuple[str, ...]:
    return f"{yuan}元", f"人民币{yuan:,}.00元整", f"{yuan / 10_000:g}万元", f"￥{yuan:,}元"


def _moments(moment: datetime.datetime) -> tuple[str, ...]:
    return (
        f"{moment.year}年{moment.month}月{moment.day}日{moment.hour}时{moment.minute:02d}分（北京时间）",
        f"{moment:%Y-%m-%d %H:%M}:00",
        f"{moment.year} 年 {moment.month:02d} 月 {moment.day:02d} 日 {moment.hour:02d}:{moment.minute:02d}",
    )


@settings(max_examples=60, deadline=None)
@given(tenders(), st.sampled_from(("lines", "cells", "pages")))
def test_values_are_found_whatever_their_label_their_form_and_the_layout(
    tender: tuple[dict[str, object], dict[str, tuple[str, str]]], layout: str
) -> None:
    """Metamorphic: the same content as lines, as cells of a front table and as lines of a PDF."""
    known, words = tender
    if layout == "cells":
        rows = [(str(at), *pair) for at, pair in enumerate(words.values(), 1)]
        document = mixed([INSTRUCTIONS, [("序号", "内容", "要求"), *rows]])
    else:
        text = "\n".join(f"{at}. {label}：{value}" for at, (label, value) in enumerate(words.values(), 1))
        document = lines(f"第一章 招标公告\n{text}", pages=layout == "pages")

    facts = extract_facts(document)

    assert {name: fact.value for name, fact in facts.items() if fact and name in known} == known
