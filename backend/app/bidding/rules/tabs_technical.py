"""Tab 技术要求: the clauses of the requirement chapters that can be checked.

A requirement chapter is mostly description. What a bidder has to answer for shows in features: a number
with a unit, a limit, a modal verb, people, certificates, times, standards, a mark. The features add up to
the weight, the selection takes the heaviest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from backend.app.bidding.findings import Priority, Tab
from backend.app.bidding.rules.marks import MarkDefinition, MarkedClause, Meaning, marked_clauses
from backend.app.bidding.rules.passages import Passage
from backend.app.bidding.rules.quotes import Candidate, clip, clip_head
from backend.app.bidding.rules.zones import Zone

_REACH = 48
_ENOUGH = 24.0
_CN = r"[一二三四五六七八九十两]"
_QUANTITY = re.compile(
    r"\d[\d.,]*(?:%|％|‰|人|名|个|台|套|年|月|天|日|小时|分钟|秒|次|米|公里|平方|㎡|m2|kg|公斤"
    r"|克|℃|°|度|周岁|岁|层|栋|辆|列|组|座|处|种|项|级|GB|TB|MB|Mbps|dpi|V|W|kW|mm|cm|元|万|吨"
    r"|升|家|间|部|批|册|班|岗|套|倍|点|时)"
    rf"|{_CN}(?:人|名|个(?!人)|次|年|小时|天|日|台)|百分之"
)
_FEATURES: tuple[tuple[str, float, re.Pattern[str]], ...] = (
    ("数量指标", 16, _QUANTITY),
    (
        "限值",
        14,
        re.compile(
            r"不(?:得)?(?:少|低|小|高|大|多|超)于?(?:过)?|[≥≤＞＜>]|至少|最低|最高|最多|以上"
            r"|以内|不超过|达到|控制在"
        ),
    ),
    (
        "强制要求",
        9,
        re.compile(r"必须|须(?!知)|应当?(?!急|用|聘|答)|不得|严禁|禁止|确保|保证(?!金)|需(?!求)|不应|均为"),
    ),
    (
        "人员配置",
        11,
        re.compile(
            r"(?:配备|配置|人数|定员|编制|值班|在岗|派驻|驻场|驻点|人员|岗位)[^。；]{0,20}\d"
            r"|\d+(?:人|名|岗|人次)"
        ),
    ),
    (
        "证书资质",
        15,
        re.compile(
            r"(?:健康|上岗|资格|操作|驾驶|培训合格|从业|职业|电工|登高|安全)证|证书|持证|学历"
            r"|职称|体检|无犯罪|文身|纹身|政审"
        ),
    ),
    (
        "时限频次",
        12,
        re.compile(
            r"(?:响应|到场|到达|修复|处理|完成|答复|回复|更换|交付|交货|抢修|整改|接收)[^。；]{0,16}(?:\d|"
            + _CN
            + r")[^。；]{0,3}(?:小时|分钟|日|天)"
            r"|24小时|7[*×xX]24|全年|全天候|每(?:日|天|周|月|季度?|年|半年|班|餐"
            r"|次)[^。；]{0,10}(?:\d|一|两|至少)|时限|\d+[时:：]\d*(?:分)?前"
        ),
    ),
    (
        "标准规范",
        10,
        re.compile(r"GB/?T?\d|ISO\d|[国行]家?(?:标|业标准)|国家标准|行业标准|规范》|标准》|YD/?T|JGJ|DB\d"),
    ),
    ("年龄要求", 10, re.compile(r"年龄|周岁|\d+岁")),
    ("质量指标", 12, re.compile(r"(?:率|度|合格|达标|准确|完好|满意)[^。；]{0,10}\d|\d+(?:\.\d+)?%")),
    ("品牌型号", 11, re.compile(r"品牌|型号|同等档次|原厂|国内外知名|进口")),
    (
        "人员稳定",
        8,
        re.compile(
            r"(?:征得|经|报)[^。；]{0,10}(?:采购人|甲方|招标人|采购单位|业主)[^。；]{0,6}(?:同意"
            r"|审核|批准|备案)"
        ),
    ),
    ("保密与合规", 8, re.compile(r"保密|劳动合同|五险一金|承诺")),
    ("转包分包", 28, re.compile(r"(?:不(?:允许|得|准))[^。；]{0,10}(?:转包|分包)")),
)
_AVOID = re.compile(
    r"违约金|罚款|扣\d|扣罚|扣除|扣分|得\d|满分|分值|付款|支付|发票|保证金|预算|限价|报价|单价"
    r"|合同(?:总)?(?:价|金额)|电话|邮箱|地址|联系人|传真|投标文件|评标|处罚|每发现一?次"
)
_PLACEHOLDER = re.compile(r"[_＿]{2,}|（\s*）|XX|××")
# "（2）投标人的到货准确率不低于99%": 到货准确率.
_TOPIC = re.compile(
    r"[★▲△※*#◆●]?(?:[（(]?[\d.一二三四五六七八九十]{1,8}[）)、.]?)?"
    r"(?:(?:投标人|供应商|中标人|成交人|乙方|服务方|承包人|其中|同时|在|对|需要?|须|应|必须|的|，)+)?"
    r"(?P<topic>[一-鿿A-Za-z]{2,16}?)(?:的)?"
    r"(?=：|，|（|\d|≥|≤|＞|＜|>|<|不(?:得|应|能|低|少|高|超|大|小)|应当?(?!急|用)|必须|须(?!知)|需(?!求)|要求|至少|达到|控制在|均|为)"
)
_NO_TOPIC = re.compile(
    r"如|若|当|每|除|按|凡|因|至|经|具有|具备|保证|为|提供|年|(?:投标人|中标人|成交人|供应商|乙方|甲方|采购人|合同|项目|本项目)$"
    r"|.*(?:后|外|下|时|内|前|并|和|及)$"
)
_NAME = re.compile(r"[一-鿿A-Za-z]{2,16}")
_WORK_CONTRACT = re.compile(
    r"服务(?:内容|要求|标准)|具体(?:内容|要求)|人员要求|工作(?:内容|要求|标准)|技术|质量|作业"
)


def find_technical_requirements(
    passages: list[Passage], definitions: dict[str, MarkDefinition]
) -> Iterator[Candidate]:
    for clause in marked_clauses(passages, definitions):
        if clause.passage.zone in (Zone.REQUIREMENTS, Zone.OTHER, Zone.NOTICE, Zone.CONTRACT):
            yield _marked(clause)
    for passage in passages:
        if _describes_work(passage) and not passage.is_heading:
            yield from _clauses(passage)


def _describes_work(passage: Passage) -> bool:
    if passage.zone is Zone.REQUIREMENTS:
        return True
    return passage.zone is Zone.CONTRACT and _WORK_CONTRACT.search(passage.section) is not None


def _marked(clause: MarkedClause) -> Candidate:
    passage, mark, meaning = clause.passage, clause.mark, clause.meaning
    start, end = clip_head(passage.compact, clause.start, clause.end, 64)
    substantive = meaning is Meaning.SUBSTANTIVE
    topic = _topic(passage.compact[clause.start : end], passage.label) or "技术/服务条款"
    consequence = "不满足即投标无效" if substantive else "不满足通常失分"
    return Candidate(
        Tab.TECHNICAL_REQUIREMENTS,
        passage.span(start, end),
        passage.compact[start:end],
        f"{mark} {topic}",
        f"带“{mark}”的条款，按文件定义{consequence}。"
        if meaning is not Meaning.UNDEFINED
        else f"条款带“{mark}”，文件未定义其后果，应按重要条款对待。",
        "逐条响应，偏离表写明“无偏离/正偏离”并附证明材料。",
        Priority.CRITICAL if substantive else Priority.HIGH,
        89 if substantive else 78,
    )


def _clauses(passage: Passage) -> Iterator[Candidate]:
    text = passage.compact
    for start, end in passage.sentences():
        sentence = text[start:end]
        if not 8 <= len(sentence) <= 400 or _AVOID.search(sentence) or _PLACEHOLDER.search(sentence):
            continue
        weight, name, match = _score(sentence)
        if weight < _ENOUGH:
            continue
        if passage.zone is Zone.CONTRACT:
            weight *= 0.7
        low, high = clip(text, (start, end), (start + match[0], start + match[1]), _REACH)
        yield Candidate(
            Tab.TECHNICAL_REQUIREMENTS,
            passage.span(low, high),
            text[low:high],
            _topic(text[low:high], passage.label) or name,
            f"{name}：可检查的技术或服务要求，响应方案与履约考核都以此为准。",
            "在技术响应中逐条承诺，并按此测算人员与成本。",
            Priority.HIGH if weight >= 50 else Priority.MEDIUM,
            min(80.0, weight + 10),
        )


def _topic(clause: str, label: str) -> str:
    """What the clause is about: the words before its limit or verb, or the row's label; else ""."""
    found = _TOPIC.match(clause)
    if found is not None and not _NO_TOPIC.match(found["topic"]):
        return found["topic"]
    last = label.rpartition("：")[2]
    return last if _NAME.fullmatch(last) else ""


def _score(sentence: str) -> tuple[float, str, tuple[int, int]]:
    """Sum of the features, the name of the most telling one and where it matched."""
    total, best, name, span = 0.0, 0.0, "", (0, 1)
    for title, worth, pattern in _FEATURES:
        if found := pattern.search(sentence):
            total += worth
            telling = worth - (4 if title in ("数量指标", "强制要求", "限值") else 0)
            if telling > best:
                best, name, span = telling, title, found.span()
    return total, name, span
