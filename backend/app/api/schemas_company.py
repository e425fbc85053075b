"""The JSON of a company profile: strict, bounded, and without identity numbers."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from backend.app.api.field_errors import Bilingual
from backend.app.api.fields import Clean
from backend.app.company.profiles import StoredProfile

MOST_ROWS = 2_000  # of all lists together
MOST_BYTES = 1024 * 1024  # of the profile as JSON

_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_IDENTITY = re.compile(r"(?<!\d)[1-9]\d{16}[\dXx](?!\d)", re.ASCII)
_CODE_LETTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def _iso_date(value: object) -> object:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and _ISO_DATE.fullmatch(value) and value >= "1900":
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise Bilingual("应为日期，如 2027-03-01", "must be a date such as 2027-03-01")


def _stripped(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _no_identity(text: str) -> str:
    if _IDENTITY.search(text):
        raise Bilingual("请勿填写身份证号", "must not hold an identity number")
    return text


def _credit_code(code: str) -> str:
    """GB 32100: the last of 18 characters checks the others."""
    weights = (pow(3, at, 31) for at in range(17))
    total = sum(_CODE_LETTERS.index(letter) * weight for letter, weight in zip(code, weights, strict=False))
    if _CODE_LETTERS[(31 - total % 31) % 31] != code[17]:
        raise Bilingual("统一社会信用代码的校验位不正确", "has a wrong check character")
    return code


_Strip = BeforeValidator(_stripped)
_Name = Annotated[str, _Strip, Clean, Field(min_length=1, max_length=200)]
_Short = Annotated[str, _Strip, Clean, Field(max_length=200)]
_Long = Annotated[str, _Strip, Clean, Field(max_length=2_000)]
_Word = Annotated[str, _Strip, Clean, Field(min_length=1, max_length=50)]
_Private = Annotated[_Short, AfterValidator(_no_identity)]
_Day = Annotated[date, BeforeValidator(_iso_date)]
_Yuan = Annotated[float, Field(ge=0, le=1e13, allow_inf_nan=False)]
_Balance = Annotated[float, Field(ge=-1e13, le=1e13, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Paper(_Strict):
    """资质或证书。"""

    name: _Name
    level: _Short | None = Field(None, description="如 一级、甲级、3级")
    number: _Short | None = None
    issuer: _Short | None = None
    valid_from: _Day | None = None
    valid_until: _Day | None = Field(None, description="长期有效为 9999-12-31；未填写时不会判为符合")
    scope: _Long | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Paper:
        if self.valid_from and self.valid_until and self.valid_until < self.valid_from:
            raise Bilingual("有效期至不能早于生效日期", "ends before it begins")
        return self


class Contract(_Strict):
    """业绩。"""

    project: _Name
    customer: _Short | None = None
    industry: _Short | None = None
    kind: Literal["service", "goods", "works"] | None = None
    amount: _Yuan | None = Field(None, description="合同金额，元")
    signed_on: _Day | None = None
    accepted_on: _Day | None = None
    contract_number: _Short | None = None
    keywords: list[_Word] = Field([], max_length=30)


class Employee(_Strict):
    """人员；不收身份证号。"""

    name: Annotated[_Word, AfterValidator(_no_identity)]
    role: _Private | None = None
    title: _Private | None = None
    education: _Private | None = None
    certificates: list[Annotated[_Name, AfterValidator(_no_identity)]] = Field([], max_length=30)
    social_security_months: Annotated[int, Field(ge=0, le=720)] | None = None
    years: Annotated[int, Field(ge=0, le=80)] | None = None


class Accounts(_Strict):
    """一个年度的财务数据，元。"""

    year: Annotated[int, Field(ge=1980, le=2100)]
    revenue: _Balance | None = None
    profit: _Balance | None = None
    audited: bool = False


class Said(_Strict):
    """一项声明。"""

    holds: bool
    checked_on: _Day | None = None


class Declarations(_Strict):
    credit_china: Said | None = Field(None, description="未被列入信用中国失信等名单")
    procurement_credit: Said | None = Field(None, description="未被列入政府采购严重违法失信名单")
    business_credit: Said | None = Field(None, description="未被列入经营异常与严重违法名单")
    no_violations: Said | None = Field(None, description="前三年内没有重大违法记录")
    no_bribery: Said | None = Field(None, description="没有行贿犯罪记录")
    taxes_paid: Said | None = Field(None, description="依法缴纳税收")
    social_security_paid: Said | None = Field(None, description="依法缴纳社会保障资金")


class Complete(_Strict):
    """哪些清单没有遗漏；只有完整的清单才会据以判断“不符合”。"""

    qualifications: bool = False
    certificates: bool = False
    references: bool = False
    people: bool = False
    financials: bool = False


class CompanyProfile(_Strict):
    """公司档案。"""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "example": {
                "name": "某某科技服务有限公司",
                "province": "浙江省",
                "city": "杭州市",
                "founded_on": "2012-06-01",
                "registered_capital": 10000000,
                "staff_count": 150,
                "size": "small",
                "certificates": [
                    {"name": "ISO9001 质量管理体系认证", "number": "Q-001", "valid_until": "2028-06-30"}
                ],
                "references": [
                    {
                        "project": "某市民中心物业管理服务",
                        "amount": 3200000,
                        "signed_on": "2025-05-20",
                        "keywords": ["物业管理"],
                    }
                ],
                "people": [{"name": "张三", "role": "项目经理", "certificates": ["一级建造师（机电工程）"]}],
                "consortium": "alone",
                "complete": {"certificates": True},
            }
        },
    )

    name: _Short | None = None
    credit_code: (
        Annotated[
            str,
            _Strip,
            Field(pattern=r"^[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}$"),
            AfterValidator(_credit_code),
        ]
        | None
    ) = Field(None, description="统一社会信用代码，18 位，末位为校验位")
    legal_form: _Short | None = None
    province: _Short | None = None
    city: _Short | None = None
    founded_on: _Day | None = None
    registered_capital: _Yuan | None = Field(None, description="元")
    staff_count: Annotated[int, Field(ge=0, le=10_000_000)] | None = None
    size: Literal["large", "medium", "small", "micro"] | None = None
    qualifications: list[Paper] = Field([], max_length=500)
    certificates: list[Paper] = Field([], max_length=500)
    references: list[Contract] = Field([], max_length=MOST_ROWS)
    people: list[Employee] = Field([], max_length=MOST_ROWS)
    financials: list[Accounts] = Field([], max_length=50)
    declarations: Declarations = Field(default_factory=Declarations)
    consortium: Literal["alone", "open"] | None = None
    complete: Complete = Field(default_factory=Complete)
    notes: _Long | None = None

    @model_validator(mode="after")
    def _bounded(self) -> CompanyProfile:
        lists = (self.qualifications, self.certificates, self.references, self.people, self.financials)
        if sum(len(rows) for rows in lists) > MOST_ROWS:
            raise Bilingual(f"各清单合计最多 {MOST_ROWS} 行", f"may have at most {MOST_ROWS} rows in all")
        years = [row.year for row in self.financials]
        if len(set(years)) != len(years):
            raise Bilingual("财务数据的年度重复", "has a year of accounts twice")
        if len(self.model_dump_json().encode()) > MOST_BYTES:
            raise Bilingual("公司档案过大：最多 1 MB", "is larger than 1 MB")
        return self

    def body(self) -> dict[str, Any]:
        """As it is stored: plain JSON, without what was left empty."""
        return self.model_dump(mode="json", exclude_none=True)


class ProfileOut(BaseModel):
    profile: CompanyProfile
    version: int = Field(description="每次保存加一；0 表示尚未填写")
    updated_at: datetime | None

    @classmethod
    def of(cls, stored: StoredProfile) -> ProfileOut:
        profile = CompanyProfile.model_validate(dict(stored.body))
        return cls(profile=profile, version=stored.version, updated_at=stored.updated_at)


class SheetOut(BaseModel):
    sheet: str
    section: str = Field(description="basics、declarations，或清单的字段名")
    rows: int
    examples: int = Field(description="被跳过的示例行")


class RowProblemOut(BaseModel):
    sheet: str
    row: int = Field(description="Excel 中的行号，0 表示整张表")
    column: str
    message: str


class ImportOut(BaseModel):
    """导入的结果，或（dry_run）会是怎样的结果。"""

    stored: bool
    version: int
    profile: CompanyProfile | None = Field(description="保存后的公司档案；有问题行时为空")
    sheets: list[SheetOut]
    ignored: list[str] = Field(description="无法识别的工作表")
    problems: list[RowProblemOut]
