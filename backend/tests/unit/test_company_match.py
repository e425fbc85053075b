"""Requirements matched with a profile. A wrong "met" is the worst there is; a wrong "not_met" is next."""

from __future__ import annotations

import pytest

from backend.tests.unit.company_case import FULL, matched, state

MET = [
    # papers
    "投标人须具有有效的ISO9001质量管理体系认证证书。",
    "供应商须通过 GB/T 19001 质量管理体系认证，且在有效期内",
    "1.2 投标人具备电子与智能化工程专业承包二级及以上资质",
    "具有电子与智能化工程专业承包三级（含）以上资质",
    "投标人具备建筑工程施工总承包叁级及以上资质，并具有有效的安全生产许可证",
    "具有工程造价咨询乙级资质",
    "投标人应具有CMMI 3级及以上认证证书",
    "具有《网络文化经营许可证》。",
    "（3）投标人为高新技术企业，提供证书复印件并加盖公章",
    "投标人具有软件企业证书",
    "投标人须具有ISO9001或ISO14001认证证书",
    "是否具有有效的《安全生产许可证》；",
    # standing
    "注册资本不低于人民币1000万元",
    "投标人注册资金须在500万元（含）以上",
    "投标人成立时间不少于3年",
    "公司员工人数不少于100人",
    "投标人须在中华人民共和国境内注册",
    "投标人须在浙江省注册",
    "本项目不接受联合体投标。",
    "联合体投标：不接受",
    "本项目专门面向中小企业采购。",
    "未被列入“信用中国”网站（www.creditchina.gov.cn）失信被执行人名单",
    "供应商未被列入失信被执行人、重大税收违法案件当事人名单、政府采购严重违法失信行为记录名单",
    "参加政府采购活动前三年内，在经营活动中没有重大违法记录；",
    "具有依法缴纳税收和社会保障资金的良好记录；",
    "提供2024年度经审计的财务报告",
    "提供近三年经审计的财务报告",
    "年营业收入不低于5000万元",
    # people
    "拟派项目经理须具有机电工程专业一级注册建造师执业资格，具备高级工程师职称",
    "项目负责人具有PMP证书",
    "项目经理须具有本科及以上学历",
    "项目负责人持有安全生产考核合格证（B类）",
    "配备不少于2名持有低压电工证的人员",
    "技术负责人具有信息系统项目管理师证书",
    "项目经理具有二级及以上注册建造师资格",
    # references
    "投标人自2024年1月1日以来具有物业管理服务业绩不少于2个",
    "近三年具有物业管理项目业绩至少1个，单项合同金额不低于200万元",
]

NOT_MET = [
    ("投标人须具备电子与智能化工程专业承包一级资质", False),
    ("具备建筑工程施工总承包贰级及以上资质", False),
    ("具有CMMI5级及以上证书", False),
    ("投标人须通过ISO14001环境管理体系认证", False),  # expired two weeks before the deadline
    ("注册资本不低于2000万元", False),
    ("公司成立满15年", False),
    ("从业人员不少于200人", False),
    ("投标人须在江苏省注册", False),
    ("投标人没有行贿犯罪记录", False),
    ("年营业收入不低于1亿元", False),
    ("投标人须具有有效的劳务派遣经营许可证", True),
    ("投标人具备《食品经营许可证》", True),
    ("项目经理须具有博士学历", True),
    ("投标人近三年具有类似项目业绩不少于5个", True),
    ("自2025年1月1日以来单项合同金额不低于500万元的业绩至少1个", True),
    ("配备不少于3名持有低压电工证的人员", True),
    ("拟派项目经理须具有注册监理工程师资格", True),
    ("提供2022年度经审计的财务报告", True),
]

TO_CHECK = [
    # nothing, or not enough, in the profile
    "投标人须具有有效的劳务派遣经营许可证",
    "投标人具有ISO20000信息技术服务管理体系认证证书",  # held, but nobody knows until when
    "未被列入国家企业信用信息公示系统经营异常名录",  # declared half a year ago
    # words that were not understood
    "投标人具有ISO9001质量管理体系认证，认证范围包含数据中心运维",
    "投标人具有安全生产许可证，且近三年无安全事故",
    "投标人须具有ISO9001认证证书及甲级保密资格",
    "投标人具有建筑工程施工总承包叁级及以上资质，项目经理为注册结构工程师",
    "本项目不接受联合体投标，投标人须自有仓库五千平方米",
    # conditions and choices
    "如投标人为制造商，须具有ISO9001认证证书",
    "联合体各方均应具有安全生产许可证",
    "中标后须取得ISO9001认证证书",
    "投标人具有ISO9001认证证书或同等质量证明",
    "若投标人须知写明专门面向中小企业采购的，投标人应为中小企业",
    # goods, not the company
    "所投产品须具有ISO9001质量管理体系认证证书",
    # similarity is for people
    "投标人近三年具有类似项目业绩不少于2个",
    "具有与本项目同类的物业管理业绩至少1个",
    "近三年具有养老服务业绩至少1个",
    # another level than the one asked for, or another scale
    "具有电子与智能化工程专业承包三级资质",
    "具有建筑工程施工总承包乙级及以上资质",
    "项目经理具有二级建造师证书",
    # another person, or another specialty
    "安全员须具有PMP证书",
    "项目经理须具有市政公用工程专业一级注册建造师资格",
    "技术负责人须提供近6个月社保证明",
    "项目经理具有10年以上物业管理工作经验",
    "项目负责人近三年具有类似项目业绩1个",
    # the statute as a whole
    "符合《中华人民共和国政府采购法》第二十二条规定",
]

# Each would be a wrong word if the sentence were read carelessly; the company's lists are complete.
CARELESS = [
    ("项目经理具有PMP证书，技术负责人具有信息系统项目管理师证书", "met"),
    ("项目经理具有PMP证书，客服主管具有信息系统项目管理师证书", "to_check"),
    ("项目经理及技术负责人均须具有PMP证书", "to_check"),
    ("项目经理具有一级建造师证书（机电工程）且无在建项目", "to_check"),
    ("近三年具有物业管理业绩至少1个，合同金额500万元", "to_check"),
    ("近三年具有物业管理业绩至少1个且面积10万平方米以上", "to_check"),
    ("近三年具有物业管理工程业绩至少1个", "to_check"),
    ("近三年具有政府物业管理业绩至少1个", "to_check"),
    ("具有ISO9001认证证书满3年", "to_check"),
    ("注册资本不低于500万元且为实缴", "to_check"),
    ("投标人或其母公司具有食品经营许可证", "to_check"),
    ("不具有食品经营许可证的投标人可以联合投标", "to_check"),
    ("具有食品经营许可证的投标人优先", "to_check"),
    ("投标人具有ISO9001认证证书，并提供煤矿安全标志证书复印件", "to_check"),
    ("本项目专门面向中小企业采购，投标人须为监狱企业", "to_check"),
    ("提供近三年经审计的财务报告且各年均无亏损", "to_check"),
    ("投标人须在浙江省注册并设有固定办公场所", "to_check"),
]

NOTHING_ASKED = [
    "投标文件未按要求密封的，招标人不予受理。",
    "投标报价超过最高限价的，投标无效。",
    "被责令停产停业、暂扣或者吊销许可证、暂扣或者吊销执照；",
    "投标有效期为90日历天。",
    "建立完善的质量管理体系，保证服务质量。",
    "对列入失信被执行人名单的供应商，其投标将作无效标处理。",
    "本项目为非专门面向中小企业采购。",
    "投标保证金应当从投标人基本账户转出。",
]


@pytest.mark.parametrize("text", MET)
def test_what_the_profile_shows_in_full_is_met(text: str) -> None:
    found = matched(text)

    assert found is not None
    assert found.state.value == "met", found.reason


@pytest.mark.parametrize("text", MET)
def test_an_empty_profile_meets_nothing(text: str) -> None:
    empty = {name: [] for name in FULL}
    bare = dict.fromkeys(
        ("province", "city", "founded_on", "registered_capital", "staff_count", "size", "consortium")
    )

    assert state(text, **empty, **bare, declarations={}) == "to_check"


@pytest.mark.parametrize("text", MET)
def test_one_more_requirement_in_the_sentence_takes_the_met_away(text: str) -> None:
    """The worst outcome: half of a requirement was read and all of it called met."""
    more = text.rstrip("。；") + "，并自有不少于三辆高空作业车"

    assert state(more) == "to_check"


@pytest.mark.parametrize(("text", "needs_complete"), NOT_MET)
def test_what_the_profile_contradicts_is_not_met(text: str, needs_complete: bool) -> None:
    found = matched(text, complete=needs_complete)

    assert found is not None
    assert found.state.value == "not_met", found.reason


@pytest.mark.parametrize("text", [text for text, needs_complete in NOT_MET if needs_complete])
def test_a_list_that_may_be_longer_contradicts_nothing(text: str) -> None:
    assert state(text) == "to_check"


@pytest.mark.parametrize("text", TO_CHECK)
def test_what_is_not_certain_is_for_people(text: str) -> None:
    found = matched(text)

    assert found is not None
    assert found.state.value == "to_check", found.reason
    assert len(found.reason) > 10


@pytest.mark.parametrize(("text", "expected"), CARELESS)
def test_a_sentence_is_not_read_carelessly(text: str, expected: str) -> None:
    found = matched(text, complete=True)

    assert found is not None
    assert found.state.value == expected, found.reason


@pytest.mark.parametrize("text", NOTHING_ASKED)
def test_what_asks_nothing_of_the_company_has_no_match(text: str) -> None:
    assert matched(text) is None


@pytest.mark.parametrize(
    ("size", "work", "text", "expected"),
    [
        ("large", "service", "本项目专门面向中小企业采购", "not_met"),
        ("large", "goods", "本项目专门面向中小企业采购", "to_check"),
        ("medium", "service", "本项目专门面向中小企业采购", "to_check"),
        ("small", "works", "本项目专门面向中小企业采购", "met"),
        ("small", "", "本项目专门面向中小企业采购", "to_check"),
        ("small", "service", "本项目专门面向小微企业采购", "to_check"),
        ("micro", "service", "本项目专门面向小型、微型企业采购", "met"),
        (None, "service", "本项目专门面向中小企业采购", "to_check"),
    ],
)
def test_a_set_aside_is_decided_only_where_every_trade_agrees(
    size: str | None, work: str, text: str, expected: str
) -> None:
    """The size depends on the trade of what is bought, for goods on the maker (财库〔2020〕46号)."""
    assert state(text, work=work, size=size) == expected


def test_reasons_name_the_evidence_and_what_is_asked() -> None:
    expired, soon = matched("须通过ISO14001环境管理体系认证"), matched("须通过ISO27001认证")
    lower = matched("具有CMMI5级证书")

    assert expired is not None
    assert "有效期至 2026-11-30" in expired.reason
    assert "投标截止日 2026-12-15" in expired.reason
    assert [lack.kind for lack in expired.lacks] == ["expired"]
    assert soon is not None
    assert soon.state.value == "met"
    assert "2027-02-01" in soon.reason
    assert "续期" in soon.reason
    assert [lack.kind for lack in soon.lacks] == ["expiring"]
    assert lower is not None
    assert "CMMI 5级" in lower.reason
    assert "“CMMI 3级”" in lower.reason


def test_a_renewed_certificate_counts_and_the_old_one_is_forgotten() -> None:
    papers = [
        {"name": "ISO9001", "valid_until": "2024-01-01"},
        {"name": "质量管理体系认证", "valid_until": "2028-01-01"},
    ]

    assert state("具有ISO9001认证证书", certificates=papers) == "met"


def test_a_certificate_that_begins_after_the_deadline_is_not_called_met() -> None:
    papers = [{"name": "ISO9001", "valid_from": "2027-01-01", "valid_until": "2030-01-01"}]

    assert state("具有ISO9001认证证书", certificates=papers) == "to_check"


@pytest.mark.parametrize(
    ("held", "asked"),
    [
        ("ISO9001咨询服务", "《食品经营许可证》"),
        ("食品经营许可证", "《食品生产许可证》"),
        ("GJB9001C 质量管理体系", "ISO9001认证证书"),
        ("信息安全管理体系认证", "信息技术服务管理体系认证"),
        ("建筑装修装饰工程专业承包", "建筑工程施工总承包资质"),
        ("出版物经营许可证", "《出版物进口经营许可证》"),
        ("网络文化经营许可证（筹）", "《网络文化经营许可证》"),
    ],
)
def test_a_name_that_is_only_alike_never_counts(held: str, asked: str) -> None:
    papers = [{"name": held, "valid_until": "2030-01-01"}]

    found = matched(f"投标人须具有{asked}", certificates=papers, qualifications=[])

    assert found is not None
    assert found.state.value == "to_check"
    assert "没有登记" in found.reason
