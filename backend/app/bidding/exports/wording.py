"""How a result is said in Chinese: titles of facts and verdicts, typed values, places of quotes.

Everything takes the result's JSON as it is stored; keys that came later (`match`, `lot`, `path` of a fact)
may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

FACT_TITLES = {
    "project_name": "项目名称",
    "project_number": "项目编号",
    "purchaser": "采购人",
    "agency": "代理机构",
    "budget": "预算金额（元）",
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
PRIORITIES = {"critical": "致命", "high": "重要", "medium": "一般", "low": "提示"}
VERDICTS = {"violation": "涉嫌违规", "warning": "需核实", "pass": "通过", "unknown": "无法判断"}
LEVELS = {"ok": "未见明显风险", "caution": "需谨慎", "high_risk": "高风险"}
REVIEWS = {"open": "待核对", "confirmed": "已确认", "doubtful": "存疑", "not_applicable": "不适用"}
MATCHES = {"met": "满足", "not_met": "不满足", "to_check": "待核实"}
MODES = {"rules": "内置规则", "llm": "大模型", "hybrid": "内置规则与大模型"}
NOT_STATED = "文件未写明"
FILTERED = "本文件经过筛选：各表只含已确认的条目；项目信息、结论与合规检查不受影响。"
NONE_CONFIRMED = "没有已确认的条目：请先在系统中核对并确认，再按“仅已确认”导出。"
EMPTY = "本类未识别到条目。"
_NONE_ASKED = "不收取"
_BONDS = frozenset({"bid_bond", "performance_bond"})
_ISO_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)")
# XML 1.0, section 2.2: the characters that a document may hold, without those it discourages and
# iCalendar forbids (DEL, C1 controls but for NEL).
_ILLEGAL = re.compile("[^\t\n\r\u0020-\u007e\u0085\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def legal(text: object) -> str:
    """The text without what XML and UTF-8 refuse, its line ends as "\\n"."""
    return _ILLEGAL.sub("", str(text)).replace("\r\n", "\n").replace("\r", "\n")


def known_as(titles: Mapping[str, str], name: object) -> str:
    """The Chinese word; the name itself where there is none."""
    return titles.get(str(name), legal(name))


def fact_value(name: str, value: object) -> str:
    """A typed value as people read it: amounts with separators, times without the T."""
    if isinstance(value, bool):
        return "是" if value else "否"
    if name in _BONDS and value in (0, "0"):
        return _NONE_ASKED
    if isinstance(value, int | float):
        return number(value)
    return spoken(value)


def spoken(text: object) -> str:
    """The text with its ISO times as people write them: "2026-03-25T10:00" → "2026-03-25 10:00"."""
    return _ISO_TIME.sub(r"\1 \2", legal(text))


def number(value: float) -> str:
    """12345.5 → "12,345.5"."""
    return f"{value:,.6f}".rstrip("0").rstrip(".")


def place_of(place: Mapping[str, Any]) -> str:
    """ "第 3 页 · 第三章 > 3.2", or the half that is known; of an item or of a source."""
    page = f"第 {place['page']} 页" if place.get("page") else ""
    return " · ".join(part for part in (page, legal(place.get("path") or "")) if part)


def review_of(item: Mapping[str, Any]) -> tuple[str, str]:
    """State and note in words; the note names who wrote it when that is known."""
    review = item.get("review") or {}
    note, by = legal(review.get("note") or ""), legal(review.get("by") or "")
    return known_as(REVIEWS, review.get("state") or "open"), f"{note}（{by}）" if note and by else note


def match_of(item: Mapping[str, Any]) -> str:
    """ "满足：理由"; empty when nobody compared the item with a company's profile."""
    match = item.get("match") or {}
    if not match.get("state"):
        return ""
    reason = legal(match.get("reason") or "")
    return known_as(MATCHES, match["state"]) + (f"：{reason}" if reason else "")
