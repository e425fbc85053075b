"""The sheets of a company workbook as data: names, columns, spellings, examples. Read, template and export
all follow this one list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SIZES = {"large": "大型", "medium": "中型", "small": "小型", "micro": "微型"}
KINDS = {"service": "服务", "goods": "货物", "works": "工程"}
CONSORTIUM = {"alone": "独立投标", "open": "可组成联合体"}
FOREVER = "9999-12-31"  # 长期
EXAMPLE_MARK = "（示例）"  # rows that begin with it are never imported


@dataclass(frozen=True, slots=True)
class Column:
    """`kind`: text | date | int | money | flag | list | one of `choices`' keys (then shown by its values)."""

    field: str
    header: str
    kind: str = "text"
    spellings: tuple[str, ...] = ()
    comment: str = ""
    example: str | float | int = ""
    choices: Mapping[str, str] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return (self.header, self.field, *self.spellings)


@dataclass(frozen=True, slots=True)
class Section:
    """One list of the profile, on one sheet."""

    field: str
    sheet: str
    spellings: tuple[str, ...]
    columns: tuple[Column, ...]


def _papers(example: tuple[str, str], *, noun: str) -> tuple[Column, ...]:
    return (
        Column(
            "name",
            f"{noun}名称",
            spellings=("名称", "资质名称", "证书名称", "资质", "证书", "证照名称"),
            comment="必填，按证书上的全称填写",
            example=example[0],
        ),
        Column(
            "level",
            "等级",
            spellings=("级别", "资质等级", "证书等级"),
            comment="如 一级、甲级、3级",
            example=example[1],
        ),
        Column("number", "证书编号", spellings=("编号", "证号", "证书号", "注册号")),
        Column("issuer", "发证机关", spellings=("颁发机构", "发证机构", "发证单位", "认证机构")),
        Column(
            "valid_from",
            "生效日期",
            "date",
            ("发证日期", "颁发日期", "有效期起", "有效期自", "起始日期"),
            "如 2024-03-01",
            "2024-03-01",
        ),
        Column(
            "valid_until",
            "有效期至",
            "date",
            ("有效期", "到期日期", "到期日", "有效期止", "截止日期", "失效日期"),
            "如 2027-03-01；长期有效填“长期”",
            "2027-03-01",
        ),
        Column("scope", "范围", spellings=("认证范围", "许可范围", "资质范围", "业务范围")),
    )


SECTIONS = (
    Section(
        "qualifications",
        "资质",
        ("资质证书", "企业资质"),
        _papers(("电子与智能化工程专业承包", "二级"), noun="资质"),
    ),
    Section(
        "certificates",
        "证书",
        ("认证", "体系认证", "认证证书", "企业证书", "许可证"),
        _papers(("ISO9001 质量管理体系认证", ""), noun="证书"),
    ),
    Section(
        "references",
        "业绩",
        ("项目业绩", "合同业绩", "类似业绩", "案例"),
        (
            Column(
                "project",
                "项目名称",
                spellings=("项目", "合同名称", "业绩名称", "工程名称"),
                comment="必填",
                example="某市民中心物业管理服务",
            ),
            Column(
                "customer",
                "客户名称",
                spellings=("客户", "业主", "业主单位", "采购人", "建设单位", "甲方"),
                example="某市机关事务管理局",
            ),
            Column("industry", "客户行业", spellings=("行业", "客户类型", "客户性质"), example="政府"),
            Column(
                "kind",
                "类别",
                "choice",
                ("类型", "项目类别", "项目类型", "采购类型"),
                "服务、货物或工程",
                "服务",
                KINDS,
            ),
            Column(
                "amount",
                "合同金额（元）",
                "money",
                ("合同金额", "金额", "合同额", "合同价"),
                "以元计；表头写“（万元）”时以万元计",
                3200000,
            ),
            Column(
                "signed_on",
                "签订日期",
                "date",
                ("合同签订日期", "签订时间", "合同签订时间", "签约日期"),
                "",
                "2024-05-20",
            ),
            Column("accepted_on", "验收日期", "date", ("竣工日期", "验收时间", "完成日期", "竣工验收日期")),
            Column("contract_number", "合同编号", spellings=("合同号",)),
            Column(
                "keywords",
                "关键词",
                "list",
                ("标签", "业务类型"),
                "用顿号隔开；只有与招标文件点名的类型一致的关键词才会计为符合",
                "物业管理、保洁",
            ),
        ),
    ),
    Section(
        "people",
        "人员",
        ("团队", "项目人员", "技术人员"),
        (
            Column("name", "姓名", comment="必填；请勿填写身份证号", example="张三"),
            Column(
                "role",
                "岗位",
                spellings=("职务", "角色", "拟任岗位"),
                comment="如 项目经理、技术负责人",
                example="项目经理",
            ),
            Column("title", "职称", spellings=("技术职称",), example="高级工程师"),
            Column("education", "学历", spellings=("最高学历", "文化程度"), example="本科"),
            Column(
                "certificates",
                "证书",
                "list",
                ("资格证书", "执业资格", "持证情况", "职业资格"),
                "用顿号隔开，写明等级与专业",
                "一级建造师（机电工程）、PMP",
            ),
            Column(
                "social_security_months",
                "连续社保月数",
                "int",
                ("社保月数", "社保（月）", "社保"),
                "截至目前在本单位连续缴纳的月数",
                24,
            ),
            Column("years", "从业年限", "int", ("工作年限", "从业年数", "工作经验（年）"), "", 12),
        ),
    ),
    Section(
        "financials",
        "财务",
        ("财务状况", "财务数据"),
        (
            Column("year", "年度", "int", ("年份", "会计年度"), "必填", 2025),
            Column("revenue", "营业收入（元）", "money", ("营业收入", "收入", "主营业务收入"), "", 60000000),
            Column("profit", "净利润（元）", "money", ("净利润", "利润"), "亏损填负数", 2500000),
            Column("audited", "是否审计", "flag", ("审计", "已审计", "经审计"), "是 或 否", "是"),
        ),
    ),
)

_COMPLETE = "填“是”表示没有遗漏；只有完整的清单才会据以判断“不符合”"
BASICS_SHEET = "基本信息"
BASICS_SPELLINGS = ("基本情况", "公司信息", "企业信息", "公司基本信息", "企业基本信息")
BASICS = (
    Column("name", "公司名称", spellings=("企业名称", "单位名称", "名称"), example="某某科技服务有限公司"),
    Column("credit_code", "统一社会信用代码", spellings=("社会信用代码", "信用代码")),
    Column("legal_form", "企业类型", spellings=("公司类型", "企业性质"), example="有限责任公司"),
    Column("province", "注册省份", spellings=("省份", "省", "注册地（省）"), example="浙江省"),
    Column("city", "注册城市", spellings=("城市", "市", "注册地（市）"), example="杭州市"),
    Column("founded_on", "成立日期", "date", ("成立时间", "注册日期"), "", "2012-06-01"),
    Column(
        "registered_capital",
        "注册资本（元）",
        "money",
        ("注册资本", "注册资金"),
        "以元计；也可写“1000万元”",
        10000000,
    ),
    Column("staff_count", "员工人数", "int", ("从业人数", "从业人员", "人数"), "", 150),
    Column("size", "企业规模", "choice", ("企业划型", "规模"), "大型、中型、小型或微型", "小型", SIZES),
    Column(
        "consortium", "联合体意愿", "choice", ("联合体",), "独立投标 或 可组成联合体", "独立投标", CONSORTIUM
    ),
    Column("notes", "备注", spellings=("说明",)),
    *(
        Column(f"complete.{s.field}", f"{s.sheet}清单已完整", "flag", (f"{s.sheet}完整",), _COMPLETE, "否")
        for s in SECTIONS
    ),
)

DECLARATIONS_SHEET = "声明"
DECLARATIONS_SPELLINGS = ("声明与承诺", "信用与纳税", "信用声明")
DECLARATIONS = {
    "credit_china": "未被列入信用中国失信等名单",
    "procurement_credit": "未被列入政府采购严重违法失信名单",
    "business_credit": "未被列入经营异常与严重违法名单",
    "no_violations": "前三年内没有重大违法记录",
    "no_bribery": "没有行贿犯罪记录",
    "taxes_paid": "依法缴纳税收",
    "social_security_paid": "依法缴纳社会保障资金",
}
DECLARATION_COLUMNS = (
    Column("key", "声明事项", spellings=("事项", "声明", "项目"), comment="请勿改动"),
    Column("holds", "是否符合", "flag", ("符合", "结果"), "是 或 否；未填表示未声明"),
    Column(
        "checked_on",
        "查询或声明日期",
        "date",
        ("日期", "查询日期", "声明日期"),
        "信用查询 30 天内、其余 90 天内有效",
    ),
)
