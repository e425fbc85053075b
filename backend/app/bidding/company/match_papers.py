"""Qualifications and certificates: is one of those asked for held, at its level, on the day? Pure."""

from __future__ import annotations

from datetime import timedelta

from backend.app.bidding.company.asks import PaperAsk
from backend.app.bidding.company.levels import Level
from backend.app.bidding.company.papers import NamedPaper, held_paper
from backend.app.bidding.company.profile import Certificate
from backend.app.bidding.company.verdicts import (
    SOON_DAYS,
    Case,
    Lack,
    Opinion,
    best,
    met,
    not_met,
    to_check,
)


def judge_paper(ask: PaperAsk, case: Case) -> Opinion:
    return best([_judge_option(option, case) for option in ask.options])


def _judge_option(option: NamedPaper, case: Case) -> Opinion:
    asked = _asked(option)
    opinions: list[Opinion] = []
    for paper in case.profile.papers:
        keys, level = held_paper(paper.name, paper.level)
        if option.key in keys:
            opinions.append(_judge_held(option, paper, level, case))
    if opinions:
        return best(opinions)
    lack = Lack("missing", asked)
    if case.profile.papers_complete:
        return not_met(f"要求{asked}：档案的资质与证书清单（标明完整）中没有", lack)
    return to_check(f"要求{asked}：档案中没有登记，如已持有请补录并准备证书", lack)


def _asked(option: NamedPaper) -> str:
    level = f" {option.level.text}" if option.level else ""
    return f"{option.label}{level}{'及以上' if option.or_higher else ''}"


def _judge_held(option: NamedPaper, paper: Certificate, level: Level | None, case: Case) -> Opinion:
    asked, held = _asked(option), _held(paper)
    if option.level is not None:
        meets = level.meets(option.level) if level is not None else None
        if level is None or meets is None:
            return to_check(f"要求{asked}：档案有{held}，等级未填写或与要求的等级不可直接比较，请核对")
        if not meets:
            return not_met(f"要求{asked}：档案中的{held}低于要求", Lack("lower", f"{asked}（现为{held}）"))
        if not option.or_higher and not option.level.meets(level):
            return to_check(f"要求{asked}：档案中的{held}高于要求的等级，请核对是否认可")
    return _judge_validity(asked, held, paper, case)


def _held(paper: Certificate) -> str:
    level = f" {paper.level}" if paper.level and paper.level not in paper.name else ""
    number = f"（编号 {paper.number}）" if paper.number else ""
    return f"“{paper.name}{level}”{number}"


def _judge_validity(asked: str, held: str, paper: Certificate, case: Case) -> Opinion:
    until = paper.valid_until
    if paper.valid_from is not None and paper.valid_from > case.day:
        return to_check(f"要求{asked}：{held}自 {paper.valid_from} 起有效，晚于{case.day_name}，请核对")
    if until is None:
        return to_check(f"要求{asked}：档案有{held}，但未填写有效期，请核对在{case.day_name}仍有效")
    if until < case.day:
        return not_met(
            f"要求{asked}：{held}有效期至 {until}，早于{case.day_name}",
            Lack("expired", f"{held}已于 {until} 到期"),
        )
    if until.year >= 9999:
        return met(f"要求{asked}：档案有{held}，长期有效")
    if until <= case.day + timedelta(days=SOON_DAYS):
        return met(
            f"要求{asked}：档案有{held}，有效期至 {until}；"
            f"注意：距{case.day_name}不足 {SOON_DAYS} 天，请留意续期",
            Lack("expiring", f"{held}将于 {until} 到期"),
        )
    return met(f"要求{asked}：档案有{held}，有效期至 {until}，覆盖{case.day_name}")
