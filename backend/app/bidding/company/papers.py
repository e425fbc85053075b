"""Qualifications and certificates by name: families of synonyms as data, and where a text names them. Pure.

A family is one paper with all its spellings; its patterns run over compact text (`reading.compact`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from backend.app.bidding.company.levels import Level, Scale, read_level


@dataclass(frozen=True, slots=True)
class Family:
    key: str
    label: str  # as people read it
    pattern: str
    scale: Scale = Scale.GRADE


def _iso(key: str, number: str, label: str, words: str, *, national: str = "") -> Family:
    spelled = (
        rf"(?:ISO/?(?:IEC)?|GB/?T|IEC|OHSAS)+-?(?:{number}|{national or number})(?:[-:.]?(?:19|20)\d\d)?"
    )
    return Family(key, label, rf"(?:{spelled}|{words})(?:体系)?(?:系列)?(?:标准)?")


# GJB 9001 is the military standard: another paper.
_MANAGEMENT = (
    Family(
        "gjb9001",
        "GJB9001 武器装备质量管理体系",
        r"GJB9001[A-C]?(?:-20\d\d)?(?:武器装备)?(?:质量管理体系)?|武器装备质量管理体系",
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
    Family("haccp", "HACCP", r"HACCP(?:体系)?|危害分析(?:与|和)关键控制点"),
)
_SOFTWARE = (
    Family("cmmi", "CMMI", r"CMMI(?:-DEV)?(?:V?[12]\.\d)?|软件能力成熟度(?:集成)?模型", Scale.MATURITY),
    Family("dcmm", "DCMM 数据管理能力成熟度", r"DCMM|数据管理能力成熟度(?:评估|模型)?", Scale.MATURITY),
    Family(
        "cs",
        "信息系统建设和服务能力",
        r"信息系统建设(?:和|与|及)服务能力(?:评估)?|CS(?=[1-5]级)",
        Scale.MATURITY,
    ),
    Family("itss", "ITSS 信息技术服务标准", r"ITSS|信息技术服务(?:运行维护)?标准"),
    Family("ccrc", "CCRC 信息安全服务资质", r"CCRC|信息安全服务资质"),
    Family("classified_it", "涉密信息系统集成资质", r"涉密信息系统集成"),
    Family("software_firm", "软件企业证书", r"软件企业(?:证书|认定)"),
    Family("high_tech", "高新技术企业证书", r"(?:国家)?高新技术企业"),
    Family("telecom_value_added", "增值电信业务经营许可证", r"增值电信业务经营许可"),
)
_LICENCES = tuple(
    Family(name, name + "证", name)
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
    "地基基础工程 起重设备安装工程 预拌混凝土 电子与智能化工程 消防设施工程 防水防腐保温工程 桥梁工程 隧道工程 "
    "钢结构工程 模板脚手架 建筑装修装饰工程 建筑机电安装工程 建筑幕墙工程 古建筑工程 城市及道路照明工程 公路路面工程 "
    "公路路基工程 公路交通工程 铁路电务工程 铁路电气化工程 机场场道工程 民航空管工程 港口与海岸工程 航道工程 "
    "水工金属结构制作与安装工程 水利水电机电安装工程 河湖整治工程 输变电工程 核工程 海洋石油工程 环保工程 特种工程"
)
_SUPERVISED = "房屋建筑 市政公用 机电安装 通信 电力 公路 水利水电 石油化工 铁路 港口与航道"
# 建筑业企业资质标准 (建市〔2014〕159号): twelve general and the specialised contractors.
_BUILDERS = (
    *(Family(f"总承包:{n}", f"{n}工程施工总承包资质", rf"{n}工程施工总承包") for n in _WORKS.split()),
    *(Family(f"专业承包:{n}", f"{n}专业承包资质", rf"{n}(?:工程)?专业承包") for n in _TRADES.split()),
    *(Family(f"监理:{n}", f"{n}工程监理资质", rf"{n}工程监理") for n in _SUPERVISED.split()),
    Family("监理:综合", "工程监理综合资质", r"工程监理综合"),
    Family("设计:综合", "工程设计综合资质", r"工程设计综合"),
    Family("测绘", "测绘资质", r"测绘(?=资质|[甲乙丙]级)"),
    Family("造价", "工程造价咨询企业资质", r"工程造价咨询(?:企业)?(?=资质|[甲乙]级)"),
    Family("劳务", "施工劳务资质", r"施工劳务|劳务分包(?=资质|企业)"),
)
FAMILIES = (*_MANAGEMENT, *_SOFTWARE, *_LICENCES, *_BUILDERS)
_BY_KEY = {family.key: family for family in FAMILIES}


def _group(at: int, family: Family) -> str:
    literal = family.pattern == family.key  # the licences: plain words, brackets and all
    return f"(?P<f{at}>{re.escape(family.pattern) if literal else family.pattern})"


# The longest names first: 出版物进口经营许可 must not be read as a shorter neighbour.
_ORDERED = sorted(FAMILIES, key=lambda family: -len(family.pattern))
_ANY = re.compile("|".join(_group(at, family) for at, family in enumerate(_ORDERED)), re.IGNORECASE)
_N = "一二三四五壹贰貳叁叄參肆伍1-5ⅠⅡⅢⅣⅤ"
_ABOVE = (
    r"(?P<above>(?:资质|等级|证书)?(?:\(含[^()]{1,4}\)|\(含\))?(?:及其?以上|或其?以上|或者以上|以上)"
    r"(?:\(含[^()]{1,4}\)|\(含\))?)?"
)
_GRADE_BEHIND = re.compile(
    rf"(?:企业)?(?:资质|等级|级别|证书|认证|证|[(—-]){{0,2}}(?P<level>特级|[{_N}]级|[甲乙丙丁]级){_ABOVE}"
)
_MATURITY_BEHIND = re.compile(
    rf"(?:认证|等级|级别|评估|证书|[(—-]|DEV|ML|[Ll](?:evel|EVEL)?){{0,3}}(?P<level>[{_N}])(?:级|(?![\d个项名份年分])){_ABOVE}"
)
_GRADE_BEFORE = re.compile(rf"(?P<level>特级|[{_N}]级|[甲乙丙丁]级){_ABOVE}(?:的)?$")
_CERTIFIED = re.compile(r"认证|证书")
_TAIL = re.compile(r"^\)?(?:资质证书|资质|认证证书|认证|合格证书|合格证|证书|证)+")
_TITLED = re.compile(r"《(?P<name>[^《》]{2,30}?(?:许可证|资质证书|登记证书|备案证|备案凭证|合格证|证书))》")


@dataclass(frozen=True, slots=True)
class NamedPaper:
    """A paper that a text names at [start, end). `key`: its family, or its own name in full."""

    key: str
    label: str
    start: int
    end: int
    level: Level | None = None
    or_higher: bool = False


def find_papers(text: str, *, certified: bool = False) -> list[NamedPaper]:
    """Every paper that a compact text names, in order; two spellings of one side by side are one.

    `certified`: a management system named by words alone counts only beside 认证 or 证书; a tender also asks
    for a 质量管理体系 of the service to be described.
    """
    found: list[NamedPaper] = []
    for match in _ANY.finditer(text):
        if (
            certified
            and match[0].endswith("体系")
            and not _CERTIFIED.search(text, match.end(), match.end() + 24)
        ):
            continue
        family = _ORDERED[int((match.lastgroup or "f0")[1:])]
        paper = _with_level(text, match.start(), match.end(), family)
        if found and found[-1].key == paper.key and text[found[-1].end : paper.start] in ("", "(", "/"):
            last = found.pop()
            level, above = (paper.level, paper.or_higher) if paper.level else (last.level, last.or_higher)
            paper = NamedPaper(paper.key, paper.label, last.start, paper.end, level, above)
        found.append(paper)
    taken = [(paper.start, paper.end) for paper in found]
    for match in _TITLED.finditer(text):
        if not any(start < match.end() and match.start() < end for start, end in taken):
            found.append(NamedPaper(match["name"], f"《{match['name']}》", match.start(), match.end()))
    return sorted(found, key=lambda paper: paper.start)


def _with_level(text: str, start: int, end: int, family: Family) -> NamedPaper:
    behind = _MATURITY_BEHIND if family.scale is Scale.MATURITY else _GRADE_BEHIND
    match = behind.match(text, end)
    if match is None and family.scale is Scale.GRADE:
        match = _GRADE_BEFORE.search(text, max(0, start - 16), start)
        start = match.start() if match else start
    else:
        end = match.end() if match else end
    tail = _TAIL.match(text[end : end + 16])
    end += tail.end() if tail else 0
    level = read_level(match["level"], family.scale) if match else None
    return NamedPaper(family.key, family.label, start, end, level, bool(match and match["above"]))


@lru_cache(maxsize=4096)
def held_paper(name: str, level: str) -> tuple[frozenset[str], Level | None]:
    """What an entry of a profile is: the keys of its families (its own name when it has none), and its
    level. The level may stand in a field of its own or in the name ("CMMI3级")."""
    compact = "".join(name.split()).translate(_HALF)
    papers = find_papers(compact)
    keys = frozenset(paper.key for paper in papers) | {_bare(compact)}
    scale = _BY_KEY[papers[0].key].scale if papers and papers[0].key in _BY_KEY else Scale.GRADE
    stated = read_level("".join(level.split()).translate(_HALF), scale) if level else None
    return keys, stated or next((paper.level for paper in papers if paper.level), None)


_HALF = str.maketrans("（）／－：", "()/-:")


def _bare(name: str) -> str:
    return name.strip("《》")
