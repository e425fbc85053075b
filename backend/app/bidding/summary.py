"""What a bid manager needs in thirty seconds: sentences made of stated facts only."""

from __future__ import annotations

from collections.abc import Mapping

from backend.app.bidding.amounts import yuan
from backend.app.bidding.findings import Analysis, Fact, Priority, Regime, Tab, Verdict

_REGIMES = {
    Regime.GOVERNMENT: "政府采购项目",
    Regime.MANDATORY: "依法必须招标项目",
    Regime.ENTERPRISE: "企业或单位自行采购项目",
}
_LONGEST = 60  # characters of one fact
_PARTS_NAMED = 3


def summarise(analysis: Analysis) -> str:
    """Nothing that the document does not say; a fact that is missing is left out or named as missing."""
    facts, overview = analysis.facts, analysis.extra.get("overview")
    lines = [
        f"【概览】{overview.summary}" if overview is not None else "",
        _project(analysis),
        _line("金额", _money(facts)),
        _line("时间", _times(facts)),
        _line("要求", _terms(facts)),
        _line("评审", _evaluation(analysis)),
        _line("风险", _risks(analysis)),
        _missing(facts),
        _unread(analysis),
    ]
    return "\n".join(line for line in lines if line)


def _line(head: str, parts: list[str]) -> str:
    return f"【{head}】{'；'.join(parts)}。" if parts else ""


def _value(facts: Mapping[str, Fact | None], name: str) -> str:
    fact = facts.get(name)
    if fact is None:
        return ""
    text = "".join(str(fact.value).split())
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _project(analysis: Analysis) -> str:
    facts = analysis.facts
    name, number = _value(facts, "project_name"), _value(facts, "project_number")
    parts = [f"{name}（编号 {number}）" if name and number else name or (f"编号 {number}" if number else "")]
    parts += [f"采购人：{v}" for v in [_value(facts, "purchaser")] if v]
    parts += [f"代理机构：{v}" for v in [_value(facts, "agency")] if v]
    parts += [_REGIMES[analysis.regime]] if analysis.regime in _REGIMES else []
    return _line("项目", [part for part in parts if part])


def _amount(facts: Mapping[str, Fact | None], name: str) -> float | None:
    fact = facts.get(name)
    if fact is None or isinstance(fact.value, bool | str):
        return None
    return float(fact.value)


def _money(facts: Mapping[str, Fact | None]) -> list[str]:
    parts: list[str] = []
    for name, label in (("budget", "预算"), ("price_ceiling", "最高限价"), ("bid_bond", "投标保证金")):
        amount = _amount(facts, name)
        if amount is not None:
            parts.append(f"{label} {'不收取' if amount == 0 else yuan(amount)}")
    bond = _value(facts, "performance_bond")
    if bond:
        parts.append(f"履约保证金 {_bond(bond)}")
    if payment := _value(facts, "payment_terms"):
        parts.append(f"付款：{payment}")
    return parts


def _bond(value: str) -> str:
    if value.endswith("%"):
        return f"合同金额的 {value}"
    try:
        amount = float(value)
    except ValueError:
        return value
    return "不收取" if amount == 0 else yuan(amount)


def _times(facts: Mapping[str, Fact | None]) -> list[str]:
    labels = (
        ("document_sale_end", "文件获取截止"),
        ("clarification_deadline", "提疑截止"),
        ("bid_deadline", "投标截止"),
        ("opening_time", "开标"),
    )
    parts = [f"{label} {v.replace('T', ' ')}" for name, label in labels if (v := _value(facts, name))]
    if days := _value(facts, "bid_validity_days"):
        parts.append(f"投标有效期 {days} 天")
    return parts


def _terms(facts: Mapping[str, Fact | None]) -> list[str]:
    parts: list[str] = []
    consortium = facts.get("consortium_allowed")
    if consortium is not None:
        parts.append("接受联合体" if consortium.value else "不接受联合体")
    if period := _value(facts, "service_period"):
        parts.append(f"服务/交付期：{period}")
    return parts


def _evaluation(analysis: Analysis) -> list[str]:
    parts = [v for v in [_value(analysis.facts, "evaluation_method")] if v]
    weight = _amount(analysis.facts, "price_weight")
    if weight is not None:
        parts.append(f"价格分 {weight:g} 分")
    rows = [f for f in analysis.findings if f.tab is Tab.SCORING_ITEMS and f.points is not None]
    total = analysis.extra.get("score_total")
    if rows and total:
        parts.append(f"评分表合计 {total:g} 分")
    return parts


def _risks(analysis: Analysis) -> list[str]:
    hard = [f for f in analysis.findings if f.tab is Tab.HARD_REQUIREMENTS]
    critical = [f for f in hard if f.priority is Priority.CRITICAL]
    parts = [f"识别硬性要求 {len(hard)} 条，其中 {len(critical)} 条不满足即废标"] if hard else []
    for verdict, label in ((Verdict.VIOLATION, "涉嫌违规"), (Verdict.WARNING, "需核实")):
        titles = [c.title for c in analysis.compliance if c.verdict is verdict]
        if titles:
            parts.append(f"{label}：{'、'.join(titles[:4])}")
    return parts


def _unread(analysis: Analysis) -> str:
    """A summary must not read as if the whole had been seen."""
    parts = [gap["part"] for gap in analysis.gaps]
    if not parts:
        return ""
    more = f" 等 {len(parts)} 处" if len(parts) > _PARTS_NAMED else ""
    return f"【未能分析】{'、'.join(parts[:_PARTS_NAMED])}{more}，请人工阅读。"


def _missing(facts: Mapping[str, Fact | None]) -> str:
    """The facts nobody can bid without, when the document does not say them."""
    wanted = (("bid_deadline", "投标截止时间"), ("budget", "预算"), ("bid_bond", "投标保证金"))
    missing = [label for name, label in wanted if facts.get(name) is None]
    return f"【未写明】{'、'.join(missing)}，请以公告为准。" if missing else ""
