"""People: who of the list has what is asked, for sure, perhaps or not. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from backend.app.bidding.company.asks import Credential, PeopleAsk
from backend.app.bidding.company.levels import Level, degree_rank, title_rank
from backend.app.bidding.company.profile import Person
from backend.app.bidding.company.reading_people import held_licence, role_of
from backend.app.bidding.company.verdicts import Case, Lack, Opinion, met, not_met, to_check

_MOST_NAMED = 3


def judge_people(ask: PeopleAsk, case: Case) -> Opinion:
    asked = describe(ask)
    having = [person for person in case.profile.people if _has(person, ask) is True]
    perhaps = [person for person in case.profile.people if _has(person, ask) is None]
    fitting = [person for person in having if not ask.role or role_of(person.role) == ask.role]
    if len(fitting) >= ask.count:
        return met(f"要求{asked}：档案有 {_named(fitting, ask)}")
    lack = Lack("missing", asked)
    if "people" in case.profile.complete and len(having) + len(perhaps) < ask.count:
        return not_met(f"要求{asked}：档案的人员清单（标明完整）中符合的只有 {len(having)} 人", lack)
    if having:
        return to_check(f"要求{asked}：档案中条件相符的有 {_named(having, ask)}，岗位或人数请核对安排")
    if perhaps:
        return to_check(f"要求{asked}：{_named(perhaps, ask)}的有关信息未填全，请补录并核对", lack)
    return to_check(f"要求{asked}：档案中没有相符的人员，如有请补录并准备证书与社保证明", lack)


def having_count(ask: PeopleAsk, case: Case) -> tuple[int, int]:
    """(for sure, at most) how many people of the list have it."""
    known = [_has(person, ask) for person in case.profile.people]
    return known.count(True), len(known) - known.count(False)


def describe(ask: PeopleAsk) -> str:
    what = ("或" if ask.any_of else "、").join(credential.label for credential in ask.credentials)
    number = f" {ask.count} 人" if ask.count > 1 else ""
    return f"{ask.role or '人员'}{number}具有{what}"


def _has(person: Person, ask: PeopleAsk) -> bool | None:
    answers = [_credential(person, credential) for credential in ask.credentials]
    if ask.any_of:
        return True if True in answers else None if None in answers else False
    return False if False in answers else None if None in answers else True


def _credential(person: Person, asked: Credential) -> bool | None:
    """None where the profile does not say."""
    if asked.kind == "licence":
        return _licence(person.certificates, asked)
    if asked.kind == "title":
        return _at_least(title_rank(person.title) if person.title else None, asked.least)
    if asked.kind == "degree":
        return _at_least(degree_rank(person.education) if person.education else None, asked.least)
    if asked.kind == "years":
        return _years(person, asked)
    return _at_least(person.social_security_months, asked.least)


def _years(person: Person, asked: Credential) -> bool | None:
    """Years of experience in all do not show years of that work: enough of them is only not a "no"."""
    enough = _at_least(person.years, asked.least)
    return None if enough else enough


def _at_least(has: int | None, least: int) -> bool | None:
    return None if has is None else has >= least


def _licence(certificates: Iterable[str], asked: Credential) -> bool | None:
    answer: bool | None = False
    for text in certificates:
        held = held_licence(text)
        if held is None or held[0] != asked.key:
            continue
        fits = _fits(_level(held[1], asked), asked, held[2])
        if fits:
            return True
        answer = None if fits is None else answer
    return answer


def _level(held: Level | None, asked: Credential) -> bool | None:
    """A higher level than the one asked for may count: where 及以上 is missing, people decide."""
    if asked.level is None or held is None:
        return None
    meets = held.meets(asked.level)
    return None if meets and not asked.or_higher and not asked.level.meets(held) else meets


def _fits(level: bool | None, asked: Credential, words: str) -> bool | None:
    if asked.specialty and asked.specialty not in words:
        return None if "专业" not in words and "工程" not in words else False
    return True if asked.level is None else level


def _named(people: Sequence[Person], ask: PeopleAsk) -> str:
    shown = "、".join(
        f"{person.name}（{'，'.join(part for part in _facts(person, ask) if part)}）"
        for person in people[:_MOST_NAMED]
    )
    return shown + (f" 等 {len(people)} 人" if len(people) > _MOST_NAMED else "")


def _facts(person: Person, ask: PeopleAsk) -> Iterable[str]:
    yield person.role
    kinds = {credential.kind for credential in ask.credentials}
    if "title" in kinds:
        yield person.title
    if "degree" in kinds:
        yield person.education
    keys = {credential.key for credential in ask.credentials if credential.kind == "licence"}
    for text in person.certificates:
        held = held_licence(text)
        if held is not None and held[0] in keys:
            yield text
    if "social_security" in kinds and person.social_security_months is not None:
        yield f"社保 {person.social_security_months} 个月"
