"""A rule: what one check measures by; and short ways to cite the acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from backend.app.bidding.findings import Regime
from backend.app.bidding.rules.compliance import acts
from backend.app.bidding.rules.compliance.acts import CONSULTATIONS, NEGOTIATIONS, TENDERS, Statute
from backend.app.bidding.rules.regime import Procedure

G, B, E = Regime.GOVERNMENT, Regime.MANDATORY, Regime.ENTERPRISE
Laws = Mapping[Regime, tuple[Statute, ...]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One check: its id in the API, its title, and what it measures by."""

    row: int
    id: str
    title: str
    laws: Laws = field(default_factory=dict)

    def statute(self, regime: Regime, procedure: Procedure) -> Statute | None:
        """The article that binds, a verified one before one that is not."""
        binding = [s for s in self.laws.get(regime, ()) if procedure in s.binds]
        return next((s for s in binding if s.verified), binding[0] if binding else None)


def tender_law(article: str) -> Statute:
    return Statute(acts.TENDER_LAW, article, TENDERS)


def tender_rules(article: str) -> Statute:
    return Statute(acts.TENDER_RULES, article, TENDERS)


def purchase_law(article: str, binds: frozenset[Procedure] = acts.EVERY) -> Statute:
    return Statute(acts.PURCHASE_LAW, article, binds)


def purchase_rules(article: str, binds: frozenset[Procedure] = acts.EVERY) -> Statute:
    return Statute(acts.PURCHASE_RULES, article, binds)


def order_87(article: str) -> Statute:
    return Statute(acts.ORDER_87, article, TENDERS)


def order_214(article: str) -> Statute:
    return Statute(acts.ORDER_214, article, CONSULTATIONS)


def order_74(article: str) -> Statute:
    return Statute(acts.ORDER_74, article, NEGOTIATIONS)


def payment(article: str) -> tuple[Statute, ...]:
    return (Statute(acts.PAYMENT_RULES, article),)
