"""The acts that the compliance checks cite, as data.

An act whose full text was compared names it in `seen`; only its articles can make a violation or a pass, the
others give hints. `since` is the day from which the cited wording is in force, `until` the last day on which
it was: a tender issued outside of them is not measured by it. Newer revisions are new entries, not edits.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from backend.app.bidding.rules.regime import Procedure

TENDERS = frozenset({Procedure.OPEN_TENDER, Procedure.INVITED_TENDER})
CONSULTATIONS = frozenset({Procedure.CONSULTATION})
NEGOTIATIONS = frozenset({Procedure.NEGOTIATION, Procedure.INQUIRY})
EVERY = frozenset(Procedure)


@dataclass(frozen=True, slots=True)
class Act:
    """A law, regulation or order in one wording."""

    name: str
    since: date
    seen: str = ""  # which full text was compared; empty = none, so it gives hints only
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Statute:
    """One article. `binds`: the procedures that it speaks of."""

    act: Act
    article: str
    binds: frozenset[Procedure] = EVERY

    @property
    def cite(self) -> str:
        return f"《{self.act.name}》{self.article}（{self.act.since.isoformat()} 起施行）"

    @property
    def verified(self) -> bool:
        return bool(self.act.seen)

    def in_force(self, day: date) -> bool:
        return self.act.since <= day and (self.act.until is None or day <= self.act.until)


TENDER_LAW = Act("中华人民共和国招标投标法", date(2017, 12, 28), "2017-12-27 修正文本")
TENDER_RULES = Act("中华人民共和国招标投标法实施条例", date(2019, 3, 2), "2019-03-02 修订文本")
PURCHASE_LAW = Act("中华人民共和国政府采购法", date(2014, 8, 31), "2014-08-31 修正文本")
PURCHASE_RULES = Act("中华人民共和国政府采购法实施条例", date(2015, 3, 1), "2015-01-30 公布文本")
ORDER_87 = Act(
    "政府采购货物和服务招标投标管理办法（财政部令第87号）", date(2017, 10, 1), "2017-07-11 公布文本"
)
PAYMENT_RULES = Act("保障中小企业款项支付条例", date(2025, 6, 1), "2025-03-17 修订文本")
# Not among the texts at hand: recalled, so they never give a verdict.
ORDER_214 = Act("政府采购竞争性磋商采购方式管理暂行办法（财库〔2014〕214号）", date(2014, 12, 31))
ORDER_74 = Act("政府采购非招标采购方式管理办法（财政部令第74号）", date(2014, 2, 1))
SME_PREFERENCE = Act("关于进一步加大政府采购支持中小企业力度的通知（财库〔2022〕19号）", date(2022, 7, 1))
WORKS_TENDERS = Act("工程建设项目施工招标投标办法（七部委令第30号）", date(2013, 5, 1))
RETENTION_RULES = Act("建设工程质量保证金管理办法（建质〔2017〕138号）", date(2017, 7, 1))
