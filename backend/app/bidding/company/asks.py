"""What a sentence of a tender can ask of a company, as values. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum

from backend.app.bidding.company.levels import Level
from backend.app.bidding.company.papers import NamedPaper


@dataclass(frozen=True, slots=True)
class PaperAsk:
    """One of these papers must be held."""

    options: tuple[NamedPaper, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """A period for references: `months` back from the deadline, or from a day on."""

    months: int | None = None
    since: date | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class ReferenceAsk:
    """So many finished or signed contracts. `alike`: the tender says 类似 or 同类 and so leaves it to people;
    `personal`: those of a person, not of the company."""

    count: int = 1
    amount: float | None = None  # yuan, of a single contract
    window: Window | None = None
    accepted: bool = False  # counted by the day of acceptance, not of signature
    alike: bool = False
    personal: bool = False


@dataclass(frozen=True, slots=True)
class Credential:
    """Something one person must have. `kind`: licence | title | degree | years | social_security."""

    kind: str
    label: str
    key: str = ""  # of a licence
    level: Level | None = None
    least: int = 0  # rank, years or months
    specialty: str = ""
    or_higher: bool = False


@dataclass(frozen=True, slots=True)
class PeopleAsk:
    """`count` people, each with all (or, `any_of`, one) of the credentials; `role` "" for anybody."""

    role: str
    credentials: tuple[Credential, ...]
    count: int = 1
    any_of: bool = False


class Figure(Enum):
    """(what it is called, its unit)."""

    CAPITAL = ("注册资本", "元")
    STAFF = ("员工人数", "人")
    AGE = ("成立年限", "年")
    REVENUE = ("年营业收入", "元")

    @property
    def label(self) -> str:
        return self.value[0]

    @property
    def unit(self) -> str:
        return self.value[1]


@dataclass(frozen=True, slots=True)
class FigureAsk:
    figure: Figure
    least: float


@dataclass(frozen=True, slots=True)
class DeclarationAsk:
    """`key` of `profile.declarations`."""

    key: str


@dataclass(frozen=True, slots=True)
class SetAsideAsk:
    """Only small and medium (or, `small_only`, small and micro) companies may bid."""

    small_only: bool = False


@dataclass(frozen=True, slots=True)
class ConsortiumAsk:
    """No consortium is accepted."""


@dataclass(frozen=True, slots=True)
class AccountsAsk:
    """Annual accounts of these years, or of the last `count` years."""

    years: tuple[int, ...] = ()
    count: int = 1
    audited: bool = True


@dataclass(frozen=True, slots=True)
class RegionAsk:
    """Registered in this province or city; "中国" for anywhere in the mainland."""

    place: str


@dataclass(frozen=True, slots=True)
class StatuteAsk:
    """Article 22 of the procurement law as a whole."""


Ask = (
    PaperAsk
    | ReferenceAsk
    | PeopleAsk
    | FigureAsk
    | DeclarationAsk
    | SetAsideAsk
    | ConsortiumAsk
    | AccountsAsk
    | RegionAsk
    | StatuteAsk
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one excerpt asks. `rest`: the words nobody understood; `conditional`: it holds for some bidders,
    or offers a way out, so that lacking it proves nothing; `product`: it is about goods, not the company."""

    asks: tuple[Ask, ...] = ()
    rest: str = ""
    conditional: bool = False
    product: bool = False
