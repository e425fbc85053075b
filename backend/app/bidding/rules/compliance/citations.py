"""Rules cited although they are no longer in force or with two years, and reports of years not yet over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from backend.app.bidding.findings import ComplianceCheck, Span, Verdict
from backend.app.bidding.rules.compliance import table
from backend.app.bidding.rules.compliance.case import MOST_EVIDENCE, Case, Check, Hit, hint, hits

_YEAR_NUMBER = re.compile(r"([一-鿿]{2,6})[〔［\[【（](20\d\d)[〕］\]】）](\d{1,4})号")


_REPORT_YEARS = re.compile(
    r"(?:审计报告|财务(?:审计)?报(?:表|告))[^。；]{0,12}?(20\d\d)年?(?:度)?[-—~～至](20\d\d)年"
    r"|(20\d\d)年?(?:度)?[-—~～至](20\d\d)年(?:度)?[^。；]{0,10}(?:审计报告|财务(?:审计)?报(?:表|告))"
)


@dataclass(frozen=True, slots=True)
class Ended:
    """Words that name what ended on `until`, and by what."""

    words: re.Pattern[str]
    name: str
    until: date
    by: str


_CODE = "《民法典》2021-01-01 起施行，原法同时废止"
ENDED: tuple[Ended, ...] = (
    Ended(
        re.compile(r"(?<!劳动)《?(?:中华人民共和国)?(?<!劳动)合同法》|中华人民共和国合同法"),
        "《合同法》",
        date(2020, 12, 31),
        _CODE,
    ),
    Ended(re.compile(r"《(?:中华人民共和国)?担保法》"), "《担保法》", date(2020, 12, 31), _CODE),
    Ended(re.compile(r"《(?:中华人民共和国)?物权法》"), "《物权法》", date(2020, 12, 31), _CODE),
    Ended(
        re.compile(r"《(?:中华人民共和国)?民法(?:总则|通则)》"),
        "《民法总则》/《民法通则》",
        date(2020, 12, 31),
        _CODE,
    ),
    Ended(
        re.compile(r"财库[〔［\[【（]2011[〕］\]】）]181号"),
        "财库〔2011〕181号",
        date(2020, 12, 31),
        "已由财库〔2020〕46号取代",
    ),
    Ended(
        re.compile(r"财政部(?:第|令第?)18号(?:令)?"),
        "财政部令第18号",
        date(2017, 9, 30),
        "已由财政部令第87号废止",
    ),
    Ended(
        re.compile(r"财政部(?:第|令第?)20号(?:令)?|供应商投诉处理办法"),
        "财政部令第20号",
        date(2018, 2, 28),
        "已由财政部令第94号取代",
    ),
    Ended(re.compile(r"核酸"), "核酸检测要求", date(2023, 1, 7), "新冠病毒感染 2023-01-08 起实施乙类乙管"),
)


def check_outdated(case: Case) -> Iterator[ComplianceCheck]:
    """What had ended before this tender was issued; silent when its day is not known."""
    issued = case.issued
    if issued is None:
        return
    names: list[str] = []
    evidence: list[Span] = []
    for ended in ENDED:
        found = next(hits(case, ended.words), None)
        if found is not None and issued > ended.until:
            names.append(f"{ended.name}（{ended.by}）")
            evidence.append(found.quote)
    if names:
        detail = f"引用或沿用了已失效的规定：{'；'.join(names)}。"
        yield hint(case, table.OUTDATED, Verdict.WARNING, detail, tuple(evidence[:MOST_EVIDENCE]))


def check_regulation_years(case: Case) -> Iterator[ComplianceCheck]:
    """The same number of the same body with two years: one of them is a slip."""
    seen: dict[tuple[str, str], dict[str, Hit]] = {}
    for hit in hits(case, _YEAR_NUMBER, forms=True):
        body, year, number = hit.match.groups()
        if int(number) >= 10:
            seen.setdefault((body[-4:], number), {}).setdefault(year, hit)
    for (body, number), years in seen.items():
        if len(years) > 1:
            written = "、".join(f"〔{year}〕{number}号" for year in sorted(years))
            detail = f"同一文号“{body}”的年份前后不一致：{written}，请核对。"
            evidence = tuple(h.passage.span(*h.match.span()) for h in years.values())
            yield hint(case, table.REGULATION_CONFLICT, Verdict.WARNING, detail, evidence[:3])
            return


def check_report_years(case: Case) -> Iterator[ComplianceCheck]:
    """Audited accounts of a year that is not over when the tender is out cannot exist."""
    issued = case.issued
    if issued is None:
        return
    for hit in hits(case, _REPORT_YEARS):
        last = int(hit.match.group(2) or hit.match.group(4))
        if last >= issued.year:
            detail = f"要求提供 {last} 年度的审计报告或财务报表，而该年度在发布之时尚未结束，请提出澄清。"
            yield hint(case, table.REPORT_YEARS, Verdict.WARNING, detail, (hit.quote,))
            return


CITATIONS: tuple[Check, ...] = (check_outdated, check_regulation_years, check_report_years)
