"""An invented company, and one requirement matched with it."""

from __future__ import annotations

from datetime import date
from typing import Any

from backend.app.bidding.company.match import Match, match_requirement
from backend.app.bidding.company.profile import Profile
from backend.app.bidding.company.verdicts import Case

DEADLINE, TODAY = date(2026, 12, 15), date(2026, 11, 25)
FULL = {"qualifications", "certificates", "references", "people", "financials"}

COMPANY: dict[str, Any] = {
    "name": "东岳云图科技有限公司",
    "province": "浙江省",
    "city": "杭州市",
    "founded_on": "2015-03-01",
    "registered_capital": 10_000_000,
    "staff_count": 150,
    "size": "small",
    "qualifications": [
        {"name": "电子与智能化工程专业承包", "level": "二级", "number": "D1", "valid_until": "2028-05-01"},
        {"name": "建筑工程施工总承包", "level": "叁级", "valid_until": "2028-05-01"},
        {"name": "工程造价咨询企业资质", "level": "乙级", "valid_until": "2029-01-01"},
    ],
    "certificates": [
        {"name": "ISO9001 质量管理体系认证", "number": "Q1", "valid_until": "2028-06-30"},
        {"name": "环境管理体系认证证书", "valid_until": "2026-11-30"},
        {"name": "ISO/IEC 27001", "valid_until": "2027-02-01"},
        {"name": "ISO20000-1"},
        {"name": "CMMI", "level": "3级", "valid_until": "2028-01-01"},
        {"name": "高新技术企业证书", "valid_until": "2027-12-01"},
        {"name": "安全生产许可证", "valid_until": "2027-08-01"},
        {"name": "网络文化经营许可证", "valid_until": "2027-08-01"},
        {"name": "软件企业证书", "valid_until": "9999-12-31"},
    ],
    "references": [
        {
            "project": "甲市政务中心物业管理",
            "amount": 3_200_000,
            "signed_on": "2025-05-20",
            "keywords": ["物业管理"],
        },
        {
            "project": "乙大学物业管理",
            "amount": 1_100_000,
            "signed_on": "2024-02-01",
            "keywords": ["物业管理"],
        },
        {"project": "丙医院保洁", "amount": 600_000, "signed_on": "2024-08-01", "keywords": ["保洁"]},
        {
            "project": "丁局档案系统",
            "amount": 2_600_000,
            "signed_on": "2021-08-01",
            "keywords": ["软件开发"],
        },
    ],
    "people": [
        {
            "name": "张三",
            "role": "项目经理",
            "title": "高级工程师",
            "education": "本科",
            "certificates": ["一级建造师（机电工程）", "PMP", "安全生产考核合格证（B证）"],
            "social_security_months": 24,
            "years": 12,
        },
        {
            "name": "李四",
            "role": "技术负责人",
            "title": "工程师",
            "education": "硕士",
            "certificates": ["信息系统项目管理师"],
            "social_security_months": 3,
        },
        {"name": "王五", "role": "电工", "education": "大专", "certificates": ["低压电工证"]},
        {"name": "赵六", "role": "电工", "education": "大专", "certificates": ["低压电工证"]},
    ],
    "financials": [
        {"year": 2023, "revenue": 40_000_000, "audited": True},
        {"year": 2024, "revenue": 50_000_000, "audited": True},
        {"year": 2025, "revenue": 60_000_000, "audited": True},
    ],
    "declarations": {
        "credit_china": {"holds": True, "checked_on": "2026-11-20"},
        "procurement_credit": {"holds": True, "checked_on": "2026-11-20"},
        "business_credit": {"holds": True, "checked_on": "2026-06-01"},
        "no_violations": {"holds": True, "checked_on": "2026-11-01"},
        "no_bribery": {"holds": False},
        "taxes_paid": {"holds": True, "checked_on": "2026-11-01"},
        "social_security_paid": {"holds": True, "checked_on": "2026-11-01"},
    },
    "consortium": "alone",
}


def case(*, complete: bool = False, work: str = "service", **changes: Any) -> Case:
    """The company in a tender with a deadline; `changes` replace fields of the profile."""
    body = {**COMPANY, **changes, "complete": dict.fromkeys(FULL, complete)}
    return Case(Profile.of(body), DEADLINE, TODAY, True, work=work)


def matched(text: str, *, complete: bool = False, work: str = "service", **changes: Any) -> Match | None:
    return match_requirement(text, case(complete=complete, work=work, **changes))


def state(text: str, *, complete: bool = False, work: str = "service", **changes: Any) -> str | None:
    found = matched(text, complete=complete, work=work, **changes)
    return None if found is None else found.state.value
