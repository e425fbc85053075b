"""Facts of identity: the project's name and number, the purchaser and the agency."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from backend.app.bidding.rules.statements import BLANK, TRUST, Candidate, Place, Source, Statement, choose

# Labels that begin another field where one line or cell holds several.
_NEXT_FIELD = re.compile(
    r"[；。，、（]?(?:[一二三四五六七八九十\d]{1,2}[、.．])?(?:(?:详细|通讯|联系|单位|办公)?地址|(?:项目)?联系(?:人|电话|方式)|电话|传真|邮编|邮箱|电子邮"
    r"|开户|账号|帐号|法定代表人|(?:项目|招标|采购|标书|磋商|谈判|询价|工程)(?:项目)?(?:编号|代码)|(?:采购|招标)?项目名称|工程名称"
    r"|(?:采购|招标)(?:人|单位|方)|(?:采购|招标)?代理(?:机构|单位)|集中?采(?:购)?机构|包号|标段|日期|时间|预算金额)"
    r"(?:名称|信息)?(?:（[^）]{0,12}）)?[：]"
)
_CONNECTOR = re.compile(r"(?:（[^）]{0,24}）|[：:为是系即指]|名称|全称|\s|如下|[“\"”]|信息|；)*")
_STAMP = re.compile(r"（?(?:盖|加盖|公章|签章|印章|章）|单位公章|盖单位|电子章).*$")

_NAME_LABEL = re.compile(
    r"(?:(?:集中)?(?:采购|招标|磋商|谈判|询价|比选|本)?(?:项目|工程)(?:的)?(?:名称)(?!、|和|及|与)|标的名称|工程名称)"
)
_NAME_IN_TEXT = (
    # The model notice of works: "本招标项目…（项目名称）已由…批准建设".
    re.compile(
        r"本(?:招标)?(?:项目|工程)(?P<name>[^，。；：“”（]{4,60}?)(?:（[^）]{0,12}）)?"
        r"已(?:由|经)[^。；]{2,40}(?:批准|核准|备案|同意|批复)"
    ),
    re.compile(
        r"(?:为其(?:所需(?:的)?)?|委托[，,]?(?:现)?(?:就|对|拟对|为|组织)(?:其)?)(?P<name>[^，。；“”]{4,70}?)(?:的?(?:采购)?"
        r"(?:事宜)?)?(?:进行|组织|采用|实施|以)(?:国内|国际)?(?:的)?(?:公开|邀请|竞争性|单一|询价|比选|招标|采购|竞价|谈判|磋商|询比)"
    ),
    re.compile(
        r"(?:^|[。；：])（?(?P<name>[^，。；：“”]{5,70}?)(?:（项目名称）)?）?的?潜在(?:投标人|供应商|申请人)应"
    ),
    re.compile(r"本(?:次)?(?:招标|采购)?项目(?:名称)?为(?P<name>[^，。；：]{5,70})[，（]"),
    re.compile(
        r"(?:公司|中心|集团)(?:现)?(?:就|对)(?P<name>[^，。；：“”]{5,70}?)(?:进行|组织|采用|实施)(?:国内)?"
        r"(?:公开|邀请|竞争性|询价|比选|招标|采购)"
    ),
    re.compile(r"(?:就|对)“(?P<name>[^”]{4,70})”(?:项目)?(?:进行|组织|采用|实施)"),
    re.compile(r"(?:就|对)下述(?P<name>[^，。；：]{5,60})提交"),
    re.compile(r"(?:本)?(?:招标|采购)?(?:项目)?(?P<name>[^，。；：“”（）]{5,70})（(?:招标)?项目名称）"),
    re.compile(
        r"(?:现|拟)(?:就|对)(?P<name>[^，。；：“”]{5,70}?)(?:（[^）]{0,40}）)?"
        r"(?:进行|组织|实施)(?:国内|院内|校内|内部|自主|自行)?(?:公开|邀请|竞争性|询价|比选|招标|采购)"
    ),
)
_KIND = (
    r"(?:公开|邀请|竞争性|国内|国际|单一来源|网上|电子|服务类?|货物类?|工程类?|施工|项目|政府|采购|集中"
    r"|框架协议)*"
)
_NOT_NAME = re.compile(
    r"：|^(?:本|该|上述|集中|公开|国内)?(?:次)?(?:招标|采购|磋商|政府采购|集中招标|集中采购)?(?:项目|工程)?(?:名称)?$"
    r"|^(?:投标|采购|招标|建设|施工|委托)?(?:单位|人|方|编号|日期|地点|时间|内容|范围)(?:名称)?$"
    r"|投标(?:单位|人)$|^序号|^(?:审查|评审|检查|评分)?(?:项目|内容|因素|标准)$|\||^\d+\.\d"
    r"|^.{0,6}(?:名称|编号|地点|规模|范围|方式|来源|概况|工期|内容|时间|期限|要求)$"
)
_COVER_TITLE = re.compile(
    rf"^[\[（【]?{_KIND}(?:招标|采购|磋商|谈判|询价|比选|竞价|询比(?:采购)?|竞谈|响应)"
    r"(?:采购)?(?:邀请)?(?:文件|公告|书)"
)
_GENERIC = re.compile(
    rf"^{_KIND}(?:文件)?$|范本|示范文本|通用|专用|试行|第[一二三四五六七八九十]+[册卷部]"
    r"|版）?$|年\d{1,2}月|月$|日$|："
)

_NUMBER_LABELS: tuple[tuple[re.Pattern[str], float], ...] = (
    (re.compile(r"(?:(?<!管理)(?:采购|招标|政府采购)?项目)编号(?:[/／](?:包|标段)号)?(?!、)"), 1.0),
    (
        re.compile(
            r"(?:招标|采购|标书|磋商|谈判|询价|比选|询比|竞价|委托|代理)(?:文件|项目|公告)?(?:编号|编码)"
        ),
        0.95,
    ),
    (re.compile(r"(?:招标|采购|磋商|谈判|询价|比选)文件(?:的)?编号|(?:^|[（；])(?:文件)?编号"), 0.8),
    # "…进行院内询价采购（院采询〔2026〕019号）"
    (
        re.compile(
            r"(?:招标|采购|磋商|谈判|询价|比选)（(?=(?!财|国办|发改|建)[一-鿿]{1,8}[〔\[]20\d\d[〕\]]第?\d+号）)"
        ),
        0.7,
    ),
)
_NUMBER = re.compile(
    r"[（〔\[]20\d\d[）〕\]][一-鿿]{1,6}第?\d+(?:-\d+)*号|(?:[一-鿿]{1,10}?"
    r"(?=[（〔\[【A-Za-z\d]))?[A-Za-z0-9（〔\[【][A-Za-z0-9\-—–_./#（）〔〕\[\]【】〈〉+]{3,60}"
    r"(?:(?:第|字)?\d{0,6}(?:-\d+)*号(?!楼|院|路|[一-鿿]{0,3}室))?"
)

_TO_NUMBER = re.compile(r"(?:（[^）\d]{0,24}）|[：为是])*")
_ORG_END = (
    r"(?:公司|集团|局|院|中心|学校|大学|中学|小学|学院|幼儿园|医院|委员会|政府|部队|研究所|事务所|派出所|管理所|站|支队|总队|大队|办公室|办事处"
    r"|银行|支行|分行|海关|法院|检察院|处|厅|部|协会|学会|联合会|基金会|馆|报社|出版社|合作社|信用社|联社|厂|农场|林场|园区|管委会|监狱|基地"
    r"|分局|管理局|委|署|所|校|村|镇人民政府|殡仪馆|博物馆|图书馆|俱乐部|总社|商会|党校|戒毒所|看守所|电视台|广播台|气象台|血站|组|社区|库|队|店|场|办|会|段|行|庭)"
)
_ORG = re.compile(rf"^[一-鿿A-Za-z0-9（）·．.&\-]{{2,44}}{_ORG_END}(?:（[^）]{{2,24}}）)?$")
_NOT_ORG = re.compile(
    r"应|须|将|可以|负责|有权|不得|按照|依据|根据|提供|要求|确认|组织的|以及|投标人|供应商|招标文件|采购文件|合同|系指|详见|通过|进行|提出|同意|规定|签订|支付|本项目|^某"
    r"|^（|[^（]*）.*）$|代表|名称|联系"
)
_PURCHASER = re.compile(
    r"(?:采购|招标|建设|业主|比选|询比|询价|遴选|竞价|磋商|谈判)(?:单位|人|方)(?:（[^）]{0,12}）)?(?!代表|员|资料|民|数|、|和|及|或|与|代理)(?:名称"
    r"|信息)?|项目业主|业主(?:单位)?(?=：)|(?<![代集])采购执行单位"
)
_AGENCY = re.compile(
    r"(?:采购|招标|比选)?(?:项目)?代理(?:机构|单位|人|公司)(?:（[^）]{0,12}）)?(?!代表|员|资料|、|和|及|或|与|服务)(?:名称|信息)?|集中采购"
    r"(?:代理)?机构|集采机构|(?:采购|招标)组织(?:代理)?机构|(?<![中集理])采购机构(?=：)|采购代理(?=：)"
    r"|(?<![理集中])招标机构(?=：|；|$)"
)
_ENTRUSTED = re.compile(
    r"(?:^|[，。；：])(?P<agency>[^，。；：“”]{4,40}?)(?:（[^）]{0,20}）)?(?:现)?(?:接)?受"
    r"(?P<purchaser>[^，。；：“”]{3,44}?)(?:（[^）]{0,20}）)?的?委托"
)
_BY_ORDER = re.compile(
    r"(?:^|[，。；：])受(?P<purchaser>[^，。；：“”]{3,44}?)(?:（[^）]{0,20}）)?的?委托[，,]?(?:由)?"
    r"(?P<agency>[^，。；：“”]{4,40}?)(?:（[^）]{0,20}）)?(?:就|对|现|拟|作为|组织|于|决定|以|将)"
)

_SUPPORT = 0.05
_SUPPORT_LIMIT = 8


def project_name(statements: list[Statement]) -> Candidate | None:
    found = [c for s in statements for c in _names(s)]
    found.extend(_cover_names(statements))
    return choose(_supported(found, statements), least=0.5)


def project_number(statements: list[Statement]) -> Candidate | None:
    found: list[Candidate] = []
    for statement in statements:
        if statement.source is Source.FORMS:
            continue
        for pattern, worth in _NUMBER_LABELS:
            for place in statement.places(pattern):
                if place.closeness < 0.8:
                    continue
                found.extend(_number_at(statement, place, worth))
    return choose(_supported(found, statements), least=0.4)


def purchaser(statements: list[Statement]) -> Candidate | None:
    return _organisation(statements, _PURCHASER, "purchaser")


def agency(statements: list[Statement]) -> Candidate | None:
    return _organisation(statements, _AGENCY, "agency")


def _names(statement: Statement) -> Iterator[Candidate]:
    if statement.source is Source.FORMS:
        return
    compact = statement.compact
    for place in statement.places(_NAME_LABEL):
        if place.closeness < 0.85:
            continue
        start = _skip(compact, place)
        if start is None or not statement.is_assigned(place, start):
            continue
        end = _field_end(compact, start, "；。：")
        yield from _name(statement, start, end, place.closeness, place.label)
    if statement.source in (Source.NOTICE, Source.COVER) and len(compact) > 20:
        for pattern in _NAME_IN_TEXT:
            for match in pattern.finditer(compact):
                yield from _name(statement, *match.span("name"), 0.75, None)


def _name(
    statement: Statement, start: int, end: int, closeness: float, label: int | None
) -> Iterator[Candidate]:
    compact = statement.compact
    while end > start and compact[end - 1] in '。，；、：”"》':
        end -= 1
    while start < end and compact[start] in '“"《：':
        start += 1
    words = compact[start:end]
    if not 4 <= len(words) <= 90 or BLANK.search(words) or (_GENERIC.search(words[:12]) and len(words) < 8):
        return
    if _NOT_NAME.search(words) or _COVER_TITLE.match(words):
        return
    if re.search(r"项目编号|投标人名称|[？?]|应当|不得|\[|（项目", words) or not re.search(
        r"[一-鿿]{3}", words
    ):
        return
    yield Candidate(words, statement, start, end, closeness * TRUST[statement.source], label)


def _cover_names(statements: list[Statement]) -> Iterator[Candidate]:
    """Lines above "招标文件" on the cover, each alone and two broken lines as one are too uncertain:
    only a line that the document repeats elsewhere counts."""
    cover = [s for s in statements if s.source is Source.COVER]
    for at, statement in enumerate(cover[:12]):
        if not (_COVER_TITLE.match(statement.compact) or re.fullmatch(r".{0,6}文件?", statement.compact)):
            continue
        for above in cover[max(0, at - 3) : at]:
            words = above.compact
            if "：" in words or len(words) < 6 or _GENERIC.search(words) or BLANK.search(words):
                continue
            if _ORG.match(words):
                continue  # whose project it is
            repeated = sum(words in other.compact for other in statements)
            if repeated >= 2 and re.search(r"项目|采购|服务|工程|设备|购置|建设|运维|维护|管理|租赁", words):
                yield Candidate(words, above, 0, len(words), 0.6 + 0.02 * min(repeated, 5))


def _number_at(statement: Statement, place: Place, worth: float) -> Iterator[Candidate]:
    compact = statement.compact
    before = compact[max(0, place.start - 9) : place.start]
    if re.search(r"资金|内部|合同|计划|备案|资质|证书|立项|文号", before[:-4]):
        return
    connector = _TO_NUMBER.match(compact, place.start)
    match = _NUMBER.match(compact, connector.end() if connector else place.start)
    if match is None or BLANK.search(match.group()):
        return
    if match.end() == len(compact) and match.group()[-1] in "-—–":  # broken off at the end of its line
        return
    start = match.start()
    words = match.group().rstrip("-—–_./（〔[【，")
    for opening, closing in ("（）", "〔〕", "[]", "【】"):
        if words.count(closing) > words.count(opening):
            words = words[: words.rindex(closing)]
        if words.count(opening) > words.count(closing):
            words = words[: words.rindex(opening)]
    if len(re.findall(r"\d", words)) < 4 or len(words) > 60 or re.search(r"[xX×*]{3}", words):
        return
    end = start + len(words)
    weight = worth * place.closeness * TRUST[statement.source]
    yield Candidate(words, statement, start, end, weight, place.label)


def _organisation(statements: list[Statement], label: re.Pattern[str], role: str) -> Candidate | None:
    found: list[Candidate] = []
    for statement in statements:
        if statement.source is Source.FORMS:
            continue
        found.extend(_labelled_organisation(statement, label))
        if statement.source in (Source.NOTICE, Source.COVER, Source.INSTRUCTIONS):
            found.extend(_entrusted(statement, role))
    return choose(_supported(found, statements), least=0.35)


def _labelled_organisation(statement: Statement, label: re.Pattern[str]) -> Iterator[Candidate]:
    compact = statement.compact
    for place in statement.places(label):
        by_section = place.closeness < 0.85
        if by_section and not re.match(r"(?:单位)?名称|全称", compact):
            continue
        start = _skip(compact, place)
        if start is None or not statement.is_assigned(place, start):
            continue
        end = _field_end(compact, start, "；。，、：“”")
        end = start + len(_STAMP.sub("", compact[start:end]))
        words = compact[start:end]
        if _ORG.match(words) and not _NOT_ORG.search(words) and not BLANK.search(words):
            weight = max(place.closeness, 0.85) * TRUST[statement.source]
            yield Candidate(words, statement, start, end, weight, place.label)


def _supported(found: list[Candidate], statements: list[Statement]) -> list[Candidate]:
    """A true name recurs all over the document; a leftover of another tender or a torn one does not."""
    values = {str(candidate.value) for candidate in found}
    if len(values) < 2:
        return found
    counts = {value: sum(value in s.compact for s in statements) for value in values}
    return [
        replace(c, weight=c.weight + _SUPPORT * min(counts[str(c.value)] - 1, _SUPPORT_LIMIT)) for c in found
    ]


def _entrusted(statement: Statement, role: str) -> Iterator[Candidate]:
    for pattern in (_BY_ORDER, _ENTRUSTED):
        for match in pattern.finditer(statement.compact[:400]):
            words = match[role]
            if words and _ORG.match(words) and not _NOT_ORG.search(words):
                start, end = match.span(role)
                yield Candidate(words, statement, start, end, 0.8 * TRUST[statement.source])


def _skip(compact: str, place: Place) -> int | None:
    """Past the connector behind a label; None when nothing follows or another field does."""
    match = _CONNECTOR.match(compact, place.start)
    start = match.end() if match else place.start
    if start >= len(compact) or _NEXT_FIELD.match(compact, start):
        return None
    return start


def _field_end(compact: str, start: int, stops: str) -> int:
    ends = [at for stop in stops if (at := compact.find(stop, start)) >= 0]
    if following := _NEXT_FIELD.search(compact, start):
        ends.append(following.start())
    return min(ends, default=len(compact))
