"""The articles that the compliance checks cite, as data.

`verified`: the text was compared with the full text of the act. Only a verified article can make a
violation; the others give hints. `since` is the day from which the cited wording is in force: a tender
issued before it is not measured by it. Newer revisions may exist; they are new entries, not edits.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from backend.app.bidding.findings import Regime

G, B, E = Regime.GOVERNMENT, Regime.MANDATORY, Regime.ENTERPRISE


@dataclass(frozen=True, slots=True)
class Statute:
    act: str
    article: str
    since: date
    verified: bool = True

    @property
    def cite(self) -> str:
        return f"《{self.act}》{self.article}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One check. `laws`: which article binds under which regime; no entry = it does not bind there.

    `tenders_only`: the article speaks of tenders; under 磋商, 谈判, 询价 and 比选 it does not bind.
    """

    id: str
    title: str
    laws: dict[Regime, Statute]
    tenders_only: bool = False


_TENDER_LAW = "中华人民共和国招标投标法"
_TENDER_RULES = "中华人民共和国招标投标法实施条例"
_PURCHASE_LAW = "中华人民共和国政府采购法"
_PURCHASE_RULES = "中华人民共和国政府采购法实施条例"
_ORDER_87 = "政府采购货物和服务招标投标管理办法（财政部令第87号）"
_CONSULTATION = "政府采购竞争性磋商采购方式管理暂行办法（财库〔2014〕214号）"
_PAYMENT = "保障中小企业款项支付条例"


def _tender_law(article: str) -> Statute:
    return Statute(_TENDER_LAW, article, date(2017, 12, 28))


def _tender_rules(article: str) -> Statute:
    return Statute(_TENDER_RULES, article, date(2019, 3, 2))


def _purchase_law(article: str) -> Statute:
    return Statute(_PURCHASE_LAW, article, date(2014, 8, 31))


def _purchase_rules(article: str) -> Statute:
    return Statute(_PURCHASE_RULES, article, date(2015, 3, 1))


def _order_87(article: str) -> Statute:
    return Statute(_ORDER_87, article, date(2017, 10, 1))


REGIME = Rule("procurement_regime", "适用的采购制度", {})
BID_PERIOD = Rule(
    "bid_period",
    "自文件发出至投标截止不少于 20 日",
    {G: _purchase_law("第三十五条"), B: _tender_law("第二十四条")},
)
CONSULTATION_PERIOD = Rule(
    "consultation_period",
    "竞争性磋商自文件发出至提交截止不少于 10 日",
    {G: Statute(_CONSULTATION, "第十条", date(2014, 12, 31), verified=False)},
)
SALE_PERIOD = Rule(
    "document_sale_period",
    "文件发售/提供期限",
    {G: _purchase_rules("第三十一条"), B: _tender_rules("第十六条")},
    tenders_only=True,
)
BID_BOND_CAP = Rule(
    "bid_bond_cap", "投标保证金不超过 2%", {G: _purchase_rules("第三十三条"), B: _tender_rules("第二十六条")}
)
PERFORMANCE_BOND_CAP = Rule(
    "performance_bond_cap",
    "履约保证金不超过合同金额 10%",
    {G: _purchase_rules("第四十八条"), B: _tender_rules("第五十八条")},
)
BID_VALIDITY = Rule(
    "bid_validity_stated",
    "载明投标有效期",
    {G: _order_87("第二十条"), B: _tender_rules("第二十五条")},
    tenders_only=True,
)
BUDGET_DISCLOSED = Rule("budget_disclosed", "公开采购预算金额", {G: _purchase_rules("第三十条")})
OPENING_TIME = Rule(
    "opening_equals_deadline",
    "开标时间与投标截止时间一致",
    {G: _order_87("第三十九条"), B: _tender_law("第三十四条")},
)
SCORE_TOTAL = Rule(
    "score_total", "评分项分值合计为 100 分", {G: _purchase_rules("第三十四条")}, tenders_only=True
)
PRICE_WEIGHT = Rule(
    "price_weight", "价格分权重（货物不低于 30%，服务不低于 10%）", {G: _order_87("第五十五条")}
)
SIGNING_PERIOD = Rule(
    "contract_signing_period",
    "中标通知书发出之日起 30 日内签订合同",
    {G: _purchase_law("第四十六条"), B: _tender_law("第四十六条")},
)
CHALLENGE_PERIOD = Rule("challenge_period", "质疑期限不短于七个工作日", {G: _purchase_law("第五十二条")})
SCALE_CONDITIONS = Rule("scale_conditions", "不以企业规模作为资格或评分条件", {G: _order_87("第十七条")})
PAYMENT_TERM = Rule(
    "payment_term", "向中小企业付款不超过 60 日", {G: Statute(_PAYMENT, "第九条", date(2025, 6, 1))}
)
WEEKDAY = Rule("weekday_mismatch", "日期与星期一致", {})
CLARIFICATION_WINDOW = Rule("clarification_window", "提疑期限可行", {})
DATE_CONFLICT = Rule("date_conflict", "截止与开标时间前后一致", {})

RULES: tuple[Rule, ...] = (
    REGIME,
    BID_PERIOD,
    CONSULTATION_PERIOD,
    SALE_PERIOD,
    BID_BOND_CAP,
    PERFORMANCE_BOND_CAP,
    BID_VALIDITY,
    BUDGET_DISCLOSED,
    OPENING_TIME,
    SCORE_TOTAL,
    PRICE_WEIGHT,
    SIGNING_PERIOD,
    CHALLENGE_PERIOD,
    SCALE_CONDITIONS,
    PAYMENT_TERM,
    WEEKDAY,
    CLARIFICATION_WINDOW,
    DATE_CONFLICT,
)
