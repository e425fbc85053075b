"""A result as Markdown, for the command line and for export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

FACT_TITLES = {
    "project_name": "项目名称",
    "project_number": "项目编号",
    "purchaser": "采购人",
    "agency": "代理机构",
    "budget": "预算（元）",
    "price_ceiling": "最高限价（元）",
    "bid_bond": "投标保证金（元）",
    "performance_bond": "履约保证金",
    "bid_deadline": "投标截止时间",
    "opening_time": "开标时间",
    "document_sale_start": "文件获取开始",
    "document_sale_end": "文件获取截止",
    "clarification_deadline": "提疑截止",
    "bid_validity_days": "投标有效期（天）",
    "consortium_allowed": "接受联合体",
    "service_period": "服务/交付期",
    "payment_terms": "付款方式",
    "evaluation_method": "评审方法",
    "price_weight": "价格分",
}
_PRIORITIES = {"critical": "致命", "high": "重要", "medium": "一般", "low": "提示"}
_VERDICTS = {"violation": "涉嫌违规", "warning": "提示", "pass": "通过", "unknown": "无法判断"}
_LEVELS = {"ok": "未见明显风险", "caution": "需谨慎", "high_risk": "高风险"}


def render_markdown(result: Mapping[str, Any]) -> str:
    """The `bidding_analysis` JSON as a readable page."""
    return "\n".join(_lines(result)) + "\n"


def _lines(result: Mapping[str, Any]) -> Iterator[str]:
    verdict = result["verdict"]
    yield f"# 标书分析：{_text(result['document']['filename'])}"
    yield ""
    yield from result["summary"].splitlines()
    yield ""
    yield f"**结论：{_LEVELS[verdict['level']]}** {_text(verdict['reason'])}"
    yield ""
    yield from _facts(result["facts"])
    for tab in result["tabs"]:
        yield f"## {tab['title']}（{len(tab['items'])}）"
        yield ""
        for item in tab["items"]:
            yield from _item(item)
        yield ""
    yield from _compliance(result["compliance"])
    for gap in result["gaps"]:
        yield f"- 未能分析：{_text(gap['part'])}（{_text(gap['reason'])}）"


def _facts(facts: Mapping[str, Any]) -> Iterator[str]:
    yield "## 关键信息"
    yield ""
    yield "| 项目 | 内容 | 原文 | 页 |"
    yield "|---|---|---|---|"
    for name, fact in facts.items():
        title = FACT_TITLES.get(name, name)
        if fact is None:
            yield f"| {title} | 文件未写明 | | |"
            continue
        yield (
            f"| {title} | {_text(_value(fact['value']))} | {_text(fact['text'])}"
            f" | {fact['source']['page'] or ''} |"
        )
    yield ""


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "是" if value else "否"
    return f"{value:,.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _item(item: Mapping[str, Any]) -> Iterator[str]:
    where = "，".join(
        part for part in (f"第 {item['page']} 页" if item["page"] else "", item["path"]) if part
    )
    place = f"（{_text(where)}）" if where else ""
    yield f"- **[{_PRIORITIES[item['priority']]}] {_text(item['title'])}**{place}"
    yield f"  > {_text(item['source_excerpt'])}"
    if item.get("date"):
        yield f"  - 时间：{item['date'].replace('T', ' ')}"
    yield f"  - {_text(item['why_important'])} {_text(item['guidance'])}"


def _compliance(checks: list[Mapping[str, Any]]) -> Iterator[str]:
    if not checks:
        return
    yield f"## 合规检查（{len(checks)}）"
    yield ""
    for check in checks:
        law = f"（{check['law']}）" if check["law"] else ""
        yield f"- **[{_VERDICTS[check['verdict']]}] {_text(check['title'])}** {_text(check['detail'])}{law}"
    yield ""


def _text(text: str) -> str:
    """One line, and nothing in it that Markdown or a table would take for its own."""
    line = " ".join(text.split())
    for sign in "\\`*_|<>[]#":
        line = line.replace(sign, f"\\{sign}")
    return line
