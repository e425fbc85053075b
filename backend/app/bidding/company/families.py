"""Qualifications and certificates as tenders name them: families of spellings, as data. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from backend.app.bidding.company.levels import Scale


@dataclass(frozen=True, slots=True)
class Family:
    key: str
    label: str  # as people read it
    pattern: str
    scale: Scale = Scale.GRADE
    anchors: tuple[str, ...] = ()  # one of them stands in every spelling, upper case


def _iso(key: str, number: str, label: str, words: str, *, national: str = "") -> Family:
    numbered = rf"(?:{number}|{national or number})(?:[-:.]?(?:19|20)\d\d)?"
    spelled = rf"(?:ISO/?(?:IEC)?|GB/?T|IEC|OHSAS){{1,3}}-?{numbered}"
    spellings = re.sub(r"\([^()]*\)\??", "|", f"{number}|{national or number}|{words}")
    anchors = tuple(part for part in spellings.split("|") if len(part) > 3)
    return Family(key, label, rf"(?:{spelled}|{words})(?:体系)?(?:系列)?(?:标准)?", anchors=anchors)


# GJB 9001 is the military standard: another paper.
_MANAGEMENT = (
    Family(
        "gjb9001",
        "GJB9001 武器装备质量管理体系",
        r"GJB9001[A-C]?(?:-20\d\d)?(?:武器装备)?(?:质量管理体系)?|武器装备质量管理体系",
        anchors=("GJB9001", "武器装备"),
    ),
    _iso("iso9001", "9001", "ISO9001 质量管理体系", "质量管理体系", national="19001"),
    _iso("iso14001", "14001", "ISO14001 环境管理体系", "环境管理体系", national="24001"),
    _iso(
        "iso45001",
        "45001|18001|28001",
        "ISO45001 职业健康安全管理体系",
        "职业健康(?:与|和)?安全管理体系|职业安全健康管理体系",
        national="28001",
    ),
    _iso("iso27001", "27001", "ISO27001 信息安全管理体系", "信息安全管理体系", national="22080"),
    _iso(
        "iso20000", "20000(?:-1)?", "ISO20000 信息技术服务管理体系", "信息技术服务管理体系", national="24405"
    ),
    _iso("iso22000", "22000", "ISO22000 食品安全管理体系", "食品安全管理体系"),
    _iso("iso50001", "50001", "ISO50001 能源管理体系", "能源管理体系", national="23331"),
    _iso("iso22301", "22301", "ISO22301 业务连续性管理体系", "业务连续性管理体系", national="30146"),
    Family("haccp", "HACCP", r"HACCP(?:体系)?|危害分析(?:与|和)关键控制点", anchors=("HACCP", "关键控制点")),
)
_SOFTWARE = (
    Family(
        "cmmi",
        "CMMI",
        r"CMMI(?:-DEV)?(?:V?[12]\.\d)?|软件能力成熟度(?:集成)?模型",
        Scale.MATURITY,
        ("CMMI", "软件能力成熟度"),
    ),
    Family(
        "dcmm",
        "DCMM 数据管理能力成熟度",
        r"DCMM|数据管理能力成熟度(?:评估|模型)?",
        Scale.MATURITY,
        ("DCMM", "数据管理能力"),
    ),
    Family(
        "cs",
        "信息系统建设和服务能力",
        r"信息系统建设(?:和|与|及)服务能力(?:评估)?|CS(?=[1-5]级)",
        Scale.MATURITY,
        ("信息系统建设", "CS"),
    ),
    Family(
        "itss",
        "ITSS 信息技术服务标准",
        r"ITSS|信息技术服务(?:运行维护)?标准",
        anchors=("ITSS", "信息技术服务"),
    ),
    Family("ccrc", "CCRC 信息安全服务资质", r"CCRC|信息安全服务资质", anchors=("CCRC", "信息安全服务")),
    Family("classified_it", "涉密信息系统集成资质", r"涉密信息系统集成", anchors=("涉密",)),
    Family("software_firm", "软件企业证书", r"软件企业(?:证书|认定)", anchors=("软件企业",)),
    Family("high_tech", "高新技术企业证书", r"(?:国家)?高新技术企业", anchors=("高新技术企业",)),
    Family("telecom_value_added", "增值电信业务经营许可证", r"增值电信业务经营许可", anchors=("增值电信",)),
)
_LICENCES = tuple(
    Family(name, name + "证", re.escape(name), anchors=(name,))
    for name in (
        "安全生产许可",
        "劳务派遣经营许可",
        "人力资源服务许可",
        "食品经营许可",
        "食品生产许可",
        "餐饮服务许可",
        "出版物经营许可",
        "出版物进口经营许可",
        "印刷经营许可",
        "道路运输经营许可",
        "保安服务许可",
        "药品经营许可",
        "药品生产许可",
        "医疗器械经营许可",
        "医疗器械生产许可",
        "危险化学品经营许可",
        "特种设备生产许可",
        "特种设备安装改造维修许可",
        "辐射安全许可",
        "排污许可",
        "取水许可",
        "林木种子生产经营许可",
        "承装(修、试)电力设施许可",
        "城市生活垃圾经营性清扫、收集、运输、处理服务许可",
        "通信行业安全生产合格",
    )
)
_WORKS = "建筑 公路 铁路 港口与航道 水利水电 电力 矿山 冶金 石油化工 市政公用 通信 机电"
_TRADES = (
    "地基基础工程 起重设备安装工程 预拌混凝土 电子与智能化工程 消防设施工程 防水防腐保温工程 桥梁工程 "
    "隧道工程 钢结构工程 模板脚手架 建筑装修装饰工程 建筑机电安装工程 建筑幕墙工程 古建筑工程 "
    "城市及道路照明工程 公路路面工程 公路路基工程 公路交通工程 铁路电务工程 铁路电气化工程 机场场道工程 "
    "民航空管工程 港口与海岸工程 航道工程 水工金属结构制作与安装工程 水利水电机电安装工程 河湖整治工程 "
    "输变电工程 核工程 海洋石油工程 环保工程 特种工程"
)
_SUPERVISED = "房屋建筑 市政公用 机电安装 通信 电力 公路 水利水电 石油化工 铁路 港口与航道"
# 建筑业企业资质标准 (建市〔2014〕159号): twelve general and the specialised contractors.
_BUILDERS = (
    *(
        Family(f"总承包:{n}", f"{n}工程施工总承包资质", rf"{n}工程施工总承包", anchors=(n,))
        for n in _WORKS.split()
    ),
    *(
        Family(f"专业承包:{n}", f"{n}专业承包资质", rf"{n}(?:工程)?专业承包", anchors=(n,))
        for n in _TRADES.split()
    ),
    *(Family(f"监理:{n}", f"{n}工程监理资质", rf"{n}工程监理", anchors=(n,)) for n in _SUPERVISED.split()),
    Family("监理:综合", "工程监理综合资质", r"工程监理综合", anchors=("工程监理综合",)),
    Family("设计:综合", "工程设计综合资质", r"工程设计综合", anchors=("工程设计综合",)),
    Family("测绘", "测绘资质", r"测绘(?=资质|[甲乙丙]级)", anchors=("测绘",)),
    Family("造价", "工程造价咨询企业资质", r"工程造价咨询(?:企业)?(?=资质|[甲乙]级)", anchors=("造价咨询",)),
    Family("劳务", "施工劳务资质", r"施工劳务|劳务分包(?=资质|企业)", anchors=("劳务",)),
)
FAMILIES = (*_MANAGEMENT, *_SOFTWARE, *_LICENCES, *_BUILDERS)
