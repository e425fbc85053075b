"""What a company is: capital, age, staff, accounts, place, size, credit, consortium. Pure."""

from __future__ import annotations

from datetime import timedelta

from backend.app.bidding.amounts import yuan
from backend.app.bidding.company.asks import (
    AccountsAsk,
    DeclarationAsk,
    Figure,
    FigureAsk,
    RegionAsk,
    SetAsideAsk,
)
from backend.app.bidding.company.verdicts import Case, Lack, Opinion, met, months_before, not_met, to_check
from backend.app.company.columns import DECLARATIONS, SIZES

# key → (for how many days the owner's word is fresh, what to prepare)
FRESH: dict[str, tuple[int, str]] = {
    "credit_china": (30, "开标前的查询截图"),
    "procurement_credit": (30, "开标前的查询截图"),
    "business_credit": (30, "国家企业信用信息公示系统查询截图"),
    "no_violations": (90, "书面声明"),
    "no_bribery": (90, "裁判文书网查询截图或声明"),
    "taxes_paid": (90, "近期完税证明"),
    "social_security_paid": (90, "近期社保缴纳证明"),
}


def judge_figure(ask: FigureAsk, case: Case) -> Opinion:
    label, has, asked = ask.figure.label, _figure(ask.figure, case), _said(ask.figure, ask.least)
    if has is None:
        return to_check(f"要求{label}不少于 {asked}：档案未填写，请补录并准备证明")
    shown = _said(ask.figure, has)
    if has >= ask.least:
        return met(f"要求{label}不少于 {asked}：档案为 {shown}")
    return not_met(f"要求{label}不少于 {asked}：档案为 {shown}", Lack("lower", f"{label}（要求 {asked}）"))


def _said(figure: Figure, amount: float) -> str:
    return yuan(amount) if figure.unit == "元" else f"{amount:g} {figure.unit}"


def _figure(figure: Figure, case: Case) -> float | None:
    profile = case.profile
    if figure is Figure.CAPITAL:
        return profile.registered_capital
    if figure is Figure.STAFF:
        return profile.staff_count
    if figure is Figure.AGE:
        founded = profile.founded_on
        return None if founded is None else _full_years(founded.toordinal(), case)
    years = sorted(profile.financials, key=lambda row: row.year)
    return years[-1].revenue if years and years[-1].year >= case.day.year - 2 else None


def _full_years(founded: int, case: Case) -> int:
    years = 0
    while months_before(case.day, 12 * (years + 1)).toordinal() >= founded:
        years += 1
    return years


def judge_declaration(ask: DeclarationAsk, case: Case) -> Opinion:
    what, (days, prepare) = DECLARATIONS[ask.key], FRESH[ask.key]
    said = case.profile.declarations.get(ask.key)
    if said is None:
        return to_check(f"要求{what}：档案未声明，请查询并准备{prepare}")
    if not said.holds:
        return not_met(f"要求{what}：档案声明不符合", Lack("missing", what))
    if said.checked_on is None or said.checked_on < case.today - timedelta(days=days):
        when = f"于 {said.checked_on} " if said.checked_on else ""
        return to_check(f"要求{what}：公司{when}声明符合，但不在最近 {days} 天内，请重新查询并准备{prepare}")
    return met(f"要求{what}：公司于 {said.checked_on} 声明符合；仍须准备{prepare}")


def judge_set_aside(ask: SetAsideAsk, case: Case) -> Opinion:
    """Sizes are told by the trade of what is bought, and for goods it is the maker's that counts
    (财库〔2020〕46号, articles 2 to 4): only what holds in every trade is said for sure."""
    asked = "专门面向小微企业" if ask.small_only else "专门面向中小企业"
    size = SIZES.get(case.profile.size, "")
    if not size:
        return to_check(f"{asked}：档案未填写企业规模，请按标的所属行业划型并准备《中小企业声明函》")
    if case.work not in ("service", "works"):
        return to_check(
            f"{asked}：公司登记为{size}企业；货物项目看制造商的规模，请核对并准备《中小企业声明函》"
        )
    if size == "大型":
        return not_met(f"{asked}：公司登记为大型企业", Lack("missing", asked))
    if size == "微型" or (size == "小型" and not ask.small_only):
        return met(f"{asked}：公司登记为{size}企业；《中小企业声明函》须按标的所属行业填写")
    return to_check(f"{asked}：公司登记为{size}企业，请按标的所属行业的划型标准复核")


def judge_consortium(case: Case) -> Opinion:
    if case.profile.consortium == "alone":
        return met("不接受联合体：公司独立投标")
    return to_check("不接受联合体：请确认本次独立投标，不组成联合体")


def judge_accounts(ask: AccountsAsk, case: Case) -> Opinion:
    years = ask.years or tuple(range(case.day.year - ask.count, case.day.year))
    asked = f"{'、'.join(map(str, years))} 年{'经审计的' if ask.audited else ''}财务报告"
    rows = {row.year: row for row in case.profile.financials}
    missing = [year for year in years if year not in rows or (ask.audited and not rows[year].audited)]
    if not missing:
        return met(f"要求{asked}：档案均有登记")
    shown = "、".join(map(str, missing))
    lack = Lack("missing", f"{shown} 年{'审计' if ask.audited else '财务'}报告")
    if "financials" in case.profile.complete and ask.years:
        return not_met(f"要求{asked}：档案的财务清单（标明完整）缺 {shown} 年", lack)
    return to_check(f"要求{asked}：档案缺 {shown} 年，请补录并准备报告", lack)


def judge_region(ask: RegionAsk, case: Case) -> Opinion:
    profile = case.profile
    where = f"{profile.province}{profile.city if profile.city != profile.province else ''}"
    if not where:
        return to_check(f"要求在{ask.place}注册：档案未填写注册地")
    if ask.place == "中国":
        return met(f"要求在中国境内注册：公司注册于{where}")
    places = {_plain(profile.province), _plain(profile.city)} - {""}
    if _plain(ask.place) in places:
        return met(f"要求在{ask.place}注册：公司注册于{where}")
    # A county or a district is not in the profile: only another province is a contradiction.
    if ask.place.endswith(("省", "自治区")) and profile.province:
        return not_met(f"要求在{ask.place}注册：公司注册于{where}", Lack("missing", f"{ask.place}注册"))
    return to_check(f"要求在{ask.place}注册：公司注册于{where}，请核对")


def _plain(place: str) -> str:
    return place.removesuffix("省").removesuffix("市").removesuffix("自治区")


def judge_statute(case: Case) -> Opinion:
    bad = [key for key, said in case.profile.declarations.items() if not said.holds]
    for key in ("no_violations", "taxes_paid", "social_security_paid"):
        if key in bad:
            return not_met(f"政府采购法第二十二条：档案声明不符合“{DECLARATIONS[key]}”")
    return to_check("政府采购法第二十二条：请准备资格承诺函或声明函，以及文件要求的证明材料")
