"""A requirement's sentence → what it asks of a company. Pure, by patterns as data.

Nothing here decides. What was not understood stays in `Reading.rest`, and a requirement with a rest is
never called met.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from backend.app.bidding.company.asks import (
    AccountsAsk,
    Ask,
    ConsortiumAsk,
    DeclarationAsk,
    Figure,
    FigureAsk,
    PaperAsk,
    PeopleAsk,
    Reading,
    ReferenceAsk,
    RegionAsk,
    SetAsideAsk,
    StatuteAsk,
)
from backend.app.bidding.company.papers import NamedPaper, find_papers
from backend.app.bidding.company.reading_people import find_people_asks
from backend.app.bidding.company.wording import (
    COUNT,
    IDLE_OF_CONSORTIUM,
    IDLE_OF_CREDIT,
    IDLE_OF_PEOPLE,
    IDLE_OF_REFERENCES,
    IDLE_OF_SET_ASIDE,
    compact,
    find_window,
    first_count,
    left_over,
    money_at_least,
    whole,
)

Found = tuple[Ask, tuple[int, int]]

_TOPIC = re.compile(
    r"资质|证|认证|体系|业绩|案例|注册|成立|人员|员工|职工|经理|负责人|中小|小微|小型|信用|失信|违法|行贿|经营异常|纳税|税收"
    r"|社会?保|联合体|审计|财务|营业收入|第二十二条|CMMI|ITSS|DCMM|CCRC|高新|总承包|合同"
)
_HOLD = re.compile(
    r"具有|具备|持有|取得|获得|拥有|须有|应有|需有|通过|有效|提供|资质要求|资格要求|资质条件|资质:|要求:"
)
_LOST = re.compile(r"吊销|暂扣|注销|伪造|变更|撤销|借用|挂靠|转让|超越")
_GOODS = re.compile(r"所投|产品|货物|品目|制造商|生产厂|厂家|原厂|设备(?:须|应|需|具有|必须)|样品")
_CONDITIONAL = re.compile(
    r"如[^果下上]{0,12}[,的]|如果|若|适用|选择此项|除外|视情况|如有|或者|(?<![及其])或(?!其?以上|更高)|之一|任意|联合体(?:各|成员|一|应|中|投)|分包"
    r"|(?:中标|成交|签订合同|合同签订|进场|入场|上岗)(?:之?[后前])|服务期|合同期|履约期|优先|可以|鼓励|事业单位的|(?<!\d)级或以上|_{2,}|境外|外省|省外"
)
_ALTERNATIVE = re.compile(
    r"^(?:\)|资质|证书|认证)*(?:或者?|/)(?:具有|具备|持有|取得|获得|拥有|有效的?|同等|企业)*[(]?$"
)
_SEPARATE = re.compile(r"[。;]")

_DECLARATIONS = (
    (
        "credit_china",
        r"信用中国|中国执行信息公开网|失信被执行人|重大税收违法(?:案件当事人|失信主体)?|税收违法黑名单|严重失信主体",
    ),
    ("procurement_credit", r"(?:中国)?政府采购网|政府采购严重违法失信(?:行为)?(?:记录)?"),
    ("business_credit", r"国家企业信用信息公示系统|经营异常(?:名录)?|严重违法失信企业"),
    ("no_violations", r"没有重大违法(?:违规)?记录|无重大违法(?:违规)?记录"),
    ("no_bribery", r"(?:没有|无|未有)行贿犯罪(?:记录|行为)|无行贿(?:犯罪)?记录"),
    ("taxes_paid", r"(?:依法)?缴纳税收(?:的良好记录)?|依法纳税"),
    ("social_security_paid", r"(?:依法)?缴纳社会保(?:障|险)(?:资金|费)?|社会保障资金(?:的良好记录)?"),
)
_DECLARED = tuple((key, re.compile(pattern)) for key, pattern in _DECLARATIONS)
_CREDIT = frozenset({"credit_china", "procurement_credit", "business_credit"})
_UNLISTED = re.compile(
    r"未被?[^。;]{0,24}列入|没有被?[^。;]{0,16}列入|不得?[^。;]{0,8}列入|无不良|未列入|不在[^。;]{0,30}名单"
)
_SET_ASIDE = re.compile(
    r"(?:整体|均|全部)*专门面向(?P<who>中小微?|小微|小型和微型|小型、微型)(?:型)?企业(?:采购)?(?:的)?(?:项目|采购包)?"
)
_NOT_SET_ASIDE = re.compile(r"非专门面向|不(?:是|属于)?专门面向|未专门面向|不专门")
_CONSORTIUM = re.compile(
    r"(?:是否)?(?:接受)?联合体(?:投标|响应|参与)?:?(?:不接受|不允许|否$)|不(?:接受|允许)(?:供应商)?(?:以)?联合体(?:形式)?(?:投标|响应|参加|参与|报价|报名)*"
)
_FIGURES = (
    (Figure.CAPITAL, re.compile(r"注册资[本金](?:金)?(?:\([^()]{0,8}\))?(?:须|应|需|必须)?")),
    (Figure.REVENUE, re.compile(r"(?:年度?|平均){0,3}营业(?:总)?收入(?:须|应|需|必须)?")),
)
_AGE = re.compile(
    r"(?:公司|企业|单位)?(?:注册)?成立(?:时间|年限)?(?:须|应|需)?(?:不少于|至少|满|达到?)?(?P<n>\d{1,4}|[一二两三四五六七八九十]{1,2})(?:周)?年(?:\(含\))?(?:及?以上|以上)?"
)
_STAFF = re.compile(
    r"(?:员工|从业人员|在职人员|职工)(?:总)?(?:人)?数?(?:量)?(?:须|应|需)?(?:不少于|至少|不低于|≥|达到)(?P<n>\d+)[人名]"
)
_STATUTE = re.compile(
    r"(?:符合|满足|具备)?《?(?:中华人民共和国)?政府采购法》?第二十二条(?:第[一1]款)?(?:的)?(?:规定|要求|条件)*(?:的条件)?"
)
_ACCOUNTS = re.compile(
    r"(?:经[^。;,]{0,12}审计的?)?(?:近|最近)?(?P<span>(?:20\d\d年?(?:度)?[、至和-]{0,3}){1,12}|[一二两三四五1-5]年(?:度)?(?:\([^()]{0,24}\))?)(?:经[^。;,]{0,12}审计的?)?(?:度)?(?:的)?(?:财务|会计|审计|状况)+(?:报告|报表)"
)
_YEAR = re.compile(r"20\d\d")
_REGION = re.compile(
    r"(?:在)?(?P<place>中华人民共和国境内|中国境内|[一-鿿]{2,3}(?:省|市|自治区))(?:行政区域)?(?:内|范围内)?(?:依法|合法)?(?:登记)?注册"
)
_REFERENCE = re.compile(r"业绩|成功案例|项目案例|服务案例|项目经验")
_ALIKE = re.compile(r"类似|同类型?|相似|相关|相近")
_PERSONAL = re.compile(
    r"(?:项目经理|项目负责人|技术负责人|总监|经理|负责人)[^。;,]{0,12}(?:业绩|经验)|个人业绩"
)
_ACCEPTED = re.compile(r"竣工|验收|完工|已完成")
_PROOF = re.compile(
    r"不予认可|否则|无效|复印件|不纳入|不计|原件|为准|体现|须包含|证明材料|发票|关键页|上传|登记|公示"
)
_CONTRACT_MONEY = re.compile(
    r"(?:且)?(?:单项|单个|单份|单笔|每个|每项)?(?:项目)?(?:合同)?(?:总)?(?:金额|价|额)(?:均)?(?:须|应|需)?(?:在)?$"
)


@lru_cache(maxsize=8192)
def read_requirement(excerpt: str) -> Reading:
    """What the quoted text asks of a company; a Reading without asks when it asks nothing."""
    text = compact(excerpt)
    if not _TOPIC.search(text):
        return Reading()
    found = list(_find(text))
    if not found:
        return Reading()
    spans = [span for _, span in found]
    asks = tuple(dict.fromkeys(ask for ask, _ in found))
    return Reading(
        asks,
        left_over(text, [*spans, *_idle_spans(text, asks)], *_idle_words(asks)),
        conditional=_is_conditional(text, spans),
        product=bool(_GOODS.search(text)) and any(isinstance(ask, PaperAsk) for ask in asks),
    )


def _idle_words(asks: tuple[Ask, ...]) -> Iterable[re.Pattern[str]]:
    kinds = {type(ask) for ask in asks}
    if PeopleAsk in kinds:
        yield IDLE_OF_PEOPLE
    if DeclarationAsk in kinds:
        yield IDLE_OF_CREDIT
    if ReferenceAsk in kinds:
        yield IDLE_OF_REFERENCES
    if SetAsideAsk in kinds:
        yield IDLE_OF_SET_ASIDE
    if kinds == {ConsortiumAsk}:
        yield IDLE_OF_CONSORTIUM


def _find(text: str) -> Iterable[Found]:
    people = list(find_people_asks(text))
    yield from people
    taken = [span for _, span in people]
    yield from (item for item in _papers(text) if not _inside(item[1], taken))
    yield from _references(text)
    yield from _declarations(text)
    yield from _standing(text)
    yield from _figures(text)


def _inside(span: tuple[int, int], taken: list[tuple[int, int]]) -> bool:
    return any(start <= span[0] and span[1] <= end for start, end in taken)


def _is_conditional(text: str, spans: list[tuple[int, int]]) -> bool:
    """Whether words outside what was read make the requirement depend on something, or leave a choice."""
    found = _CONDITIONAL.finditer(text)
    return any(not _inside(match.span(), spans) for match in found)


def _clause(text: str, at: int) -> str:
    """The sentence around a place."""
    start = max((match.end() for match in _SEPARATE.finditer(text, 0, at)), default=0)
    end = _SEPARATE.search(text, at)
    return text[start : end.start() if end else len(text)]


def _papers(text: str) -> Iterable[Found]:
    group: list[NamedPaper] = []
    for paper in find_papers(text, certified=True):
        clause = _clause(text, paper.start)
        if _LOST.search(clause) or not (_HOLD.search(clause) or len(clause) <= 40):
            continue
        if group and _ALTERNATIVE.match(text[group[-1].end : paper.start]):
            group.append(paper)
            continue
        if group:
            yield PaperAsk(tuple(group)), (group[0].start, group[-1].end)
        group = [paper]
    if group:
        yield PaperAsk(tuple(group)), (group[0].start, group[-1].end)


def _references(text: str) -> Iterable[Found]:
    match = _REFERENCE.search(text)
    if match is None or (_PROOF.search(text) and not (COUNT.search(text) or find_window(text))):
        return
    window, count = find_window(text), COUNT.search(text)
    if not (window or count or _HOLD.search(text)):
        return
    money = money_at_least(text)
    if money and not _CONTRACT_MONEY.search(text[max(0, money[1] - 16) : money[1]]):
        money = None if count is None and window is None else money
    yield (
        ReferenceAsk(
            count=(first_count(count) if count else None) or 1,
            amount=money[0] if money else None,
            window=window[0] if window else None,
            accepted=bool(_ACCEPTED.search(text)) and "签订" not in text,
            alike=bool(_ALIKE.search(text)),
            personal=bool(_PERSONAL.search(text)),
        ),
        match.span(),
    )


def _idle_spans(text: str, asks: tuple[Ask, ...]) -> list[tuple[int, int]]:
    """Places of the quantities that belong to a ReferenceAsk."""
    if not any(isinstance(ask, ReferenceAsk) for ask in asks):
        return []
    spans: list[tuple[int, int]] = []
    if window := find_window(text):
        spans.append(window[1:])
    if count := COUNT.search(text):
        spans.append(count.span())
    if money := money_at_least(text):
        before = _CONTRACT_MONEY.search(text[max(0, money[1] - 16) : money[1]])
        spans.append((money[1] - (len(before[0]) if before else 0), money[2]))
    return spans


def _declarations(text: str) -> Iterable[Found]:
    unlisted = _UNLISTED.search(text)
    for key, pattern in _DECLARED:
        for match in pattern.finditer(text):
            if key in _CREDIT and unlisted is None and not _short_row(text):
                continue
            yield DeclarationAsk(key), match.span()


def _short_row(text: str) -> bool:
    return len(text) <= 24 and "查询" not in text


def _standing(text: str) -> Iterable[Found]:
    if not _NOT_SET_ASIDE.search(text):
        for match in _SET_ASIDE.finditer(text):
            yield SetAsideAsk(small_only=not match["who"].startswith("中")), match.span()
    for match in _CONSORTIUM.finditer(text):
        yield ConsortiumAsk(), match.span()
    for match in _STATUTE.finditer(text):
        yield StatuteAsk(), match.span()
    for match in _REGION.finditer(text):
        place = "中国" if "境内" in match["place"] else match["place"]
        yield RegionAsk(place), match.span()
    for match in _ACCOUNTS.finditer(text):
        years = tuple(int(year) for year in _YEAR.findall(match["span"]))
        if len(years) == 2 and re.search(r"至|-", match["span"]):
            years = tuple(range(years[0], years[1] + 1))
        audited = "审计" in _clause(text, match.start())
        count = 1 if years else whole(match["span"][0]) or 1
        yield AccountsAsk(years, count, audited), match.span()


def _figures(text: str) -> Iterable[Found]:
    for figure, pattern in _FIGURES:
        for match in pattern.finditer(text):
            money = money_at_least(text[match.end() : match.end() + 24])
            if money is not None and money[1] <= 4:
                yield FigureAsk(figure, money[0]), (match.start(), match.end() + money[2])
    for figure, pattern in ((Figure.AGE, _AGE), (Figure.STAFF, _STAFF)):
        for match in pattern.finditer(text):
            number = whole(match["n"])
            if number is not None:
                yield FigureAsk(figure, float(number)), match.span()
