"""A company profile as matching reads it: what the owner wrote, as frozen values. Pure.

The JSON is that of `/api/company` (docs/company.md). What is absent is None or empty, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any


@dataclass(frozen=True, slots=True)
class Certificate:
    """A qualification or a certificate: both are papers with a level and an end."""

    name: str
    level: str = ""
    number: str = ""
    scope: str = ""
    valid_from: date | None = None
    valid_until: date | None = None  # None: no end is known


@dataclass(frozen=True, slots=True)
class Reference:
    project: str
    customer: str = ""
    industry: str = ""
    kind: str = ""  # service | goods | works
    amount: float | None = None  # yuan
    signed_on: date | None = None
    accepted_on: date | None = None
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    role: str = ""
    title: str = ""
    education: str = ""
    certificates: tuple[str, ...] = ()
    social_security_months: int | None = None  # without a break, up to now
    years: int | None = None  # of experience


@dataclass(frozen=True, slots=True)
class FinancialYear:
    year: int
    revenue: float | None = None  # yuan
    profit: float | None = None  # yuan, negative for a loss
    audited: bool = False


@dataclass(frozen=True, slots=True)
class Declaration:
    """`holds` is the owner's word, given on a day."""

    holds: bool
    checked_on: date | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """`complete`: the lists of which the owner says that nothing is left out."""

    legal_form: str = ""
    province: str = ""
    city: str = ""
    founded_on: date | None = None
    registered_capital: float | None = None  # yuan
    staff_count: int | None = None
    size: str = ""  # large | medium | small | micro
    qualifications: tuple[Certificate, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    references: tuple[Reference, ...] = ()
    people: tuple[Person, ...] = ()
    financials: tuple[FinancialYear, ...] = ()
    declarations: Mapping[str, Declaration] = field(default_factory=dict)
    consortium: str = ""  # alone | open
    complete: frozenset[str] = frozenset()

    @property
    def papers(self) -> tuple[Certificate, ...]:
        """Qualifications and certificates: tenders do not tell them apart."""
        return self.qualifications + self.certificates

    @property
    def papers_complete(self) -> bool:
        return {"qualifications", "certificates"} <= self.complete

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Profile:
        """From JSON that the API has checked. Raises ValueError or TypeError on other JSON."""
        return cls(
            legal_form=body.get("legal_form") or "",
            province=body.get("province") or "",
            city=body.get("city") or "",
            founded_on=_day(body.get("founded_on")),
            registered_capital=body.get("registered_capital"),
            staff_count=body.get("staff_count"),
            size=body.get("size") or "",
            qualifications=_papers(body.get("qualifications", ())),
            certificates=_papers(body.get("certificates", ())),
            references=tuple(_reference(row) for row in body.get("references", ())),
            people=tuple(_person(row) for row in body.get("people", ())),
            financials=tuple(_year(row) for row in body.get("financials", ())),
            declarations={
                name: Declaration(bool(said["holds"]), _day(said.get("checked_on")))
                for name, said in (body.get("declarations") or {}).items()
                if said is not None
            },
            consortium=body.get("consortium") or "",
            complete=frozenset(name for name, said in (body.get("complete") or {}).items() if said),
        )


def _day(text: str | None) -> date | None:
    return None if not text else date.fromisoformat(text)


def _papers(rows: Iterable[Mapping[str, Any]]) -> tuple[Certificate, ...]:
    return tuple(
        Certificate(
            row["name"],
            row.get("level") or "",
            row.get("number") or "",
            row.get("scope") or "",
            _day(row.get("valid_from")),
            _day(row.get("valid_until")),
        )
        for row in rows
    )


def _reference(row: Mapping[str, Any]) -> Reference:
    return Reference(
        row["project"],
        row.get("customer") or "",
        row.get("industry") or "",
        row.get("kind") or "",
        row.get("amount"),
        _day(row.get("signed_on")),
        _day(row.get("accepted_on")),
        tuple(row.get("keywords") or ()),
    )


def _person(row: Mapping[str, Any]) -> Person:
    return Person(
        row["name"],
        row.get("role") or "",
        row.get("title") or "",
        row.get("education") or "",
        tuple(row.get("certificates") or ()),
        row.get("social_security_months"),
        row.get("years"),
    )


def _year(row: Mapping[str, Any]) -> FinancialYear:
    return FinancialYear(row["year"], row.get("revenue"), row.get("profit"), bool(row.get("audited")))
