"""What matching says of one requirement, and the case it is said in. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum

from backend.app.bidding.company.profile import Profile

SOON_DAYS = 90  # a paper that ends so soon after the deadline deserves a word


class State(Enum):
    MET = "met"
    NOT_MET = "not_met"
    TO_CHECK = "to_check"


@dataclass(frozen=True, slots=True)
class Lack:
    """Something the company should see to. `kind`: missing | expired | expiring | lower."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Opinion:
    """On one ask: the state, and a sentence that names the evidence and what is asked."""

    state: State
    reason: str
    lack: Lack | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """`day`: the one that counts for validity, the bid deadline where it is known, else today.
    `work`: service | goods | works | "" as far as the tender shows it."""

    profile: Profile
    day: date
    today: date
    deadline_known: bool = False
    work: str = ""

    @property
    def day_name(self) -> str:
        return f"投标截止日 {self.day}" if self.deadline_known else f"今天（{self.day}，文件未见投标截止日）"


def met(reason: str, lack: Lack | None = None) -> Opinion:
    return Opinion(State.MET, reason, lack)


def not_met(reason: str, lack: Lack | None = None) -> Opinion:
    return Opinion(State.NOT_MET, reason, lack)


def to_check(reason: str, lack: Lack | None = None) -> Opinion:
    return Opinion(State.TO_CHECK, reason, lack)


_ORDER = {State.MET: 0, State.TO_CHECK: 1, State.NOT_MET: 2}


def best(opinions: list[Opinion]) -> Opinion:
    """The most favourable: of several ways to comply one is enough."""
    return min(opinions, key=lambda opinion: _ORDER[opinion.state])


def months_before(day: date, months: int) -> date:
    """The same day so many months earlier; the 28th where the month is shorter."""
    index = day.year * 12 + day.month - 1 - months
    return date(index // 12, index % 12 + 1, min(day.day, 28))
