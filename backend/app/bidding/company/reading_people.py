"""What a sentence asks of people: roles, licences, titles, degrees, years, numbers. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise

from backend.app.bidding.company.asks import Credential, PeopleAsk
from backend.app.bidding.company.levels import Level, Scale, degree_rank, read_level, title_rank
from backend.app.bidding.company.wording import PEOPLE, compact, first_count, whole

# Each a licence of a person: (key, label, pattern). Levels and specialties are read around the match.
LICENCES: tuple[tuple[str, str, str], ...] = (
    ("builder", "注册建造师", r"(?:注册)?建造师"),
    ("cost", "造价工程师", r"(?:注册)?造价(?:工程)?师"),
    ("supervisor", "监理工程师", r"(?:注册|专业)?监理工程师"),
    ("safety", "注册安全工程师", r"(?:中级|初级|高级)?(?:注册)?安全工程师"),
    ("pmp", "PMP", r"PMP(?:项目管理(?:专业人士)?)?|项目管理专业人士"),
    ("it_senior", "信息系统项目管理师", r"信息系统项目管理师(?:\(?高级\)?)?"),
    ("it_middle", "系统集成项目管理工程师", r"系统集成项目管理工程师(?:\(?中级\)?)?"),
    ("architect", "系统架构设计师", r"系统架构(?:设计)?师"),
    ("analyst", "系统分析师", r"系统分析师"),
    ("software", "软件设计师", r"软件设计师"),
    ("network", "网络工程师", r"网络工程师"),
    ("cisp", "CISP 注册信息安全专业人员", r"CISP(?![A-Z])|注册信息安全专业人员"),
    ("cissp", "CISSP", r"CISSP"),
    ("safety_a", "安全生产考核合格证（A 证）", r"安全(?:生产|培训)?考核合格证书?\(?A[类证]*(?:证书)?\)?"),
    ("safety_b", "安全生产考核合格证（B 证）", r"安全(?:生产|培训)?考核合格证书?\(?B[类证]*(?:证书)?\)?"),
    ("safety_c", "安全生产考核合格证（C 证）", r"安全(?:生产|培训)?考核合格证书?\(?C[类证]*(?:证书)?\)?"),
    ("electrician", "电工证", r"(?:低压|高压)?电工(?:特种作业)?(?:操作)?证"),
    (
        "fire",
        "消防设施操作员证",
        r"(?:消防设施操作员|建\(?构\)?筑物消防员|消防控制室)(?:职业资格)?(?:上岗)?证书?",
    ),
    ("guard", "保安员证", r"保安员(?:上岗|资格)?证"),
    ("health", "健康证", r"健康(?:合格)?证明?"),
    ("property", "物业管理师证", r"(?:注册)?物业管理师(?:证书?)?"),
    ("property_manager", "物业经理证", r"物业(?:项目|管理|企业)?经理(?:上岗|岗位|资格)?证书?"),
    ("accountant", "注册会计师", r"注册会计师"),
    ("driver", "驾驶证", r"(?:[ABC][123])?(?:机动车)?驾驶证"),
)
_LICENCE = re.compile("|".join(f"(?P<{key}>{pattern})" for key, _, pattern in LICENCES))
_LICENCE_WORDS = [
    "建造师",
    "造价",
    "监理工程师",
    "安全工程师",
    "PMP",
    "项目管理",
    "系统架构",
    "系统分析师",
    "软件设计师",
    "网络工程师",
    "CISP",
    "信息安全专业",
    "CISSP",
    "考核合格证",
    "电工",
    "消防",
    "构)筑物消防员",
    "保安员",
    "健康",
    "物业",
    "注册会计师",
    "驾驶证",
]
_MAY_NAME = re.compile(
    r"师|证|PMP|CISS?P|项目管理专业人士|注册信息安全专业人员|职称|学历|学位|文化程度|经验|经历|年限|社保|社会保险|养老"
)
_LABELS = {key: label for key, label, _ in LICENCES}
_ROLES = (
    ("项目经理", r"项目经理|项目负责人|项目主管"),
    ("技术负责人", r"(?:项目)?技术负责人|技术总监|总工程?师?(?=须|应|具)"),
    ("总监理工程师", r"总监理工程师|项目总监"),
    ("安全员", r"(?:专职)?安全(?:生产管理人)?员"),
    ("物业经理", r"物业(?:项目)?经理(?![上岗资证])"),
    ("企业负责人", r"(?:企业|公司)(?:主要)?负责人"),
)
_ROLE = re.compile("|".join(f"(?P<r{at}>{pattern})" for at, (_, pattern) in enumerate(_ROLES)))
_ABOVE = r"(?:\(含[^()]{0,3}\))?(?:及其?以上|或其?以上|以上)?(?:\(含[^()]{0,3}\))?"
_LEVEL_BEFORE = re.compile(
    rf"(?:(?P<specialty>[一-鿿]{{2,8}}?)(?:工程)?专业)?(?P<level>[一二壹贰12]级)(?P<above>{_ABOVE})(?:级别)?(?:的)?$"
)
_SPECIALTY_BEFORE = re.compile(
    r"(?:^|[,。;:(、]|具有|具备|持有|取得|须|应|为)(?P<specialty>[一-鿿]{2,8}?)(?:工程)?专业(?:的)?$"
)
_TITLE = re.compile(
    rf"(?:[一-鿿]{{0,6}}?相关专业)?(?P<title>正高级|副高级|高级|中级|初级)(?:技术|专业技术)?(?:工程师|经济师|会计师|职称|技术人员)(?P<above>{_ABOVE})(?:技术|专业)*(?:职称)?(?:资格)?(?:证书)?"
    rf"|(?P<title2>正高级|副高级|高级|中级|初级){_ABOVE}(?:的)?(?:专业)?(?:技术)?(?:职称)(?:资格)?(?:证书)?|(?<![一-鿿])(?P<plain>工程师)(?:及以上)(?:技术)?职称"
)
_DEGREE = re.compile(
    rf"(?P<degree>大学本科|大学专科|本科|大专|专科|硕士研究生|硕士|博士|中专|高中){_ABOVE}(?:的)?(?:学历|文化程度|学位)(?:证书)?"
)
_YEARS = re.compile(
    r"(?P<n>\d{1,4}|[一二两三四五六七八九十]{1,2})年(?:\(含\))?(?:及?以上|以上)(?:\(含\))?(?:的)?(?:相关|类似|同类)?[一-鿿]{0,8}?(?:工作|管理|从业|服务)(?:经验|经历|年限)"
)
_SOCIAL = re.compile(
    r"(?:近|最近|连续)(?P<n>\d+|[一二三四五六七八九十]{1,2})个月(?:以上)?(?:的)?(?:连续)?(?:依法)?(?:缴纳)?(?:的)?(?:社会保险|社保|养老保险)(?:缴纳)?(?:费)?(?:证明|记录|凭证)?(?:材料)?"
)
_TAIL = re.compile(r"^(?:执业|职业|注册)?(?:资格)?(?:证书|证|资格)*")
_STOP = re.compile(r"[。;]")

Span = tuple[int, int]


def find_people_asks(text: str) -> Iterable[tuple[PeopleAsk, Span]]:
    """What a compact text asks of people, sentence by sentence, with the places of the words read."""
    if not _MAY_NAME.search(text):
        return
    at = 0
    for match in [*_STOP.finditer(text), None]:
        end = match.start() if match else len(text)
        yield from _by_role(text, at, end)
        at = match.end() if match else end


def _by_role(text: str, start: int, end: int) -> Iterable[tuple[PeopleAsk, Span]]:
    """A sentence that goes on to another role asks that of another person."""
    places = sorted(span[0] for _, span in _credentials(text, start, end))
    if not places:
        return
    cuts = [role.start() for role in _ROLE.finditer(text, start, end) if role.start() > places[0]]
    for a, b in pairwise([start, *cuts, end]):
        yield from _in_sentence(text, a, b)


def _in_sentence(text: str, start: int, end: int) -> Iterable[tuple[PeopleAsk, Span]]:
    found = sorted(_credentials(text, start, end), key=lambda item: item[1])
    if not found:
        return
    first = found[0][1][0]
    roles = [match for match in _ROLE.finditer(text, start, end) if match.start() <= first]
    count = PEOPLE.search(text, start, end)
    if not roles and count is None and all(c.kind != "licence" for c, _ in found):
        return
    gaps = [text[a[1][1] : b[1][0]] for a, b in pairwise(found)]
    choices = [bool(re.search(r"或|/", gap)) for gap in gaps]
    if any(choices) and not all(choices):
        return  # "A and (B or C)": for a person to read
    number = first_count(count) if count else 1
    ask = PeopleAsk(
        _role_name(roles[-1]) if roles else "",
        tuple(credential for credential, _ in found),
        max(number or 1, 1),
        any_of=bool(choices) and all(choices),
    )
    spans = [span for _, span in found]
    spans += [roles[-1].span()] if roles else []
    spans += [count.span()] if count else []
    for span in spans:
        yield ask, span


def _role_name(match: re.Match[str]) -> str:
    return _ROLES[int((match.lastgroup or "r0")[1:])][0]


@lru_cache(maxsize=4096)
def role_of(text: str) -> str:
    """The role that a profile's entry or a sentence names, in one spelling; "" for none we know."""
    match = _ROLE.search(text)
    return _role_name(match) if match else ""


def _credentials(text: str, start: int, end: int) -> Iterable[tuple[Credential, Span]]:
    for match in _licences(text, start, end):
        yield _licence(text, match)
    for match in _TITLE.finditer(text, start, end):
        words = match["title"] or match["title2"] or match["plain"]
        rank = title_rank(words)
        if rank is not None:
            yield Credential("title", f"{match[0]}", least=rank), match.span()
    for match in _DEGREE.finditer(text, start, end):
        rank = degree_rank(match["degree"])
        if rank is not None:
            yield Credential("degree", match[0], least=rank), match.span()
    for kind, pattern in (("years", _YEARS), ("social_security", _SOCIAL)):
        for match in pattern.finditer(text, start, end):
            number = whole(match["n"])
            if number is not None:
                yield Credential(kind, match[0], least=number), match.span()


def _licences(text: str, start: int, end: int) -> Iterable[re.Match[str]]:
    """A look for the words first: the pattern of all licences is slow."""
    part = text[start:end]
    return _LICENCE.finditer(text, start, end) if any(word in part for word in _LICENCE_WORDS) else ()


def _licence(text: str, match: re.Match[str]) -> tuple[Credential, Span]:
    key = match.lastgroup or ""
    start, end = match.span()
    before = _LEVEL_BEFORE.search(text, max(0, start - 20), start)
    plain = None if before else _SPECIALTY_BEFORE.search(text, max(0, start - 14), start)
    level = read_level(before["level"], Scale.GRADE) if before else None
    specialty = (before["specialty"] if before else plain["specialty"] if plain else "") or ""
    specialty = re.sub(r"^.*(?:具有|具备|持有|取得|须为|应为|须|应|为)", "", specialty)
    if before:
        start = before.start("specialty") if specialty else before.start("level")
    elif plain and specialty:
        start = plain.start("specialty")
    tail = _TAIL.match(text[end : end + 12])
    label = "".join(
        part
        for part in (specialty, f"{level.text}{before['above']}" if level and before else "", _LABELS[key])
        if part
    )
    return (
        Credential(
            "licence", label, key, level, specialty=specialty, or_higher=bool(before and before["above"])
        ),
        (start, end + (tail.end() if tail else 0)),
    )


@lru_cache(maxsize=4096)
def held_licence(text: str) -> tuple[str, Level | None, str] | None:
    """(key, level, the words) of a certificate that a profile gives a person; None when we know none."""
    words = compact(text)
    match = _LICENCE.search(words)
    if match is None:
        return None
    return match.lastgroup or "", read_level(words, Scale.GRADE), words
