"""Words of requirements: compact text, quantities, and what may be left over when all is understood. Pure."""

from __future__ import annotations

import re
from datetime import date

from backend.app.bidding.company.asks import Window
from backend.app.bidding.rules.numerals import cn_number

_GAP = "¦"  # stands for white space between two digits: perhaps two numbers
_FOLD = str.maketrans(
    dict(
        zip("０１２３４５６７８９％．：（）／－–—～，；【】［］≧", "0123456789%.:()/---~,;[][]≥", strict=True)
    )
    | {"〇": "零", "“": "'", "”": "'", '"': "'"}
)
_ADDRESS = re.compile(r"[(]?(?:https?[:/]+)?\s*www[.,][\w./-]+[)]?|[(]?https?:[\w./-]+[)]?", re.ASCII)
_BETWEEN_DIGITS = re.compile(r"(?<=\d)\s+(?=\d)")
_N = r"(?:\d{1,3}(?:,\d{3}){1,6}|\d{1,16})(?:\.\d{1,6})?"  # bounded: a run of digits is read in linear time
_CN = "[零一二两三四五六七八九十百壹贰叁肆伍陆柒捌玖拾]"
_LEAST = r"(?:不(?:得|应)?(?:少|低|小)于|至少(?:为|有|提供|具有)?|≥|>=|达到?|大于等于|大于或等于)"
_ABOVE = r"(?:\(含\))?(?:及其?以上|或其?以上|以上)(?:\(含\))?"
_YUAN = r"(?:亿|千万|百万|万|千)?元"
_UNITS = {"亿元": 1e8, "千万元": 1e7, "百万元": 1e6, "万元": 1e4, "千元": 1e3, "元": 1.0}
MONEY = rf"(?:人民币|¥|RMB)?(?:{_N}|{_CN}{{1,12}})(?:\([^()]{{0,4}}\))?{_YUAN}(?:人民币)?"
MONEY_AT_LEAST = re.compile(
    rf"{_LEAST}(?:人民币|¥|RMB)?(?P<n>{_N}|{_CN}{{1,12}})(?P<u>{_YUAN})(?:人民币)?(?:\(含[^()]{{0,6}}\))?(?:{_ABOVE})?"
    rf"|(?:在|满)?(?:人民币|¥|RMB)?(?P<n2>{_N}|{_CN}{{1,12}})(?P<u2>{_YUAN})(?:人民币)?{_ABOVE}"
)
_CLASS = r"(?:个|项|份|例|家|套|单|宗|次)"
COUNT = re.compile(
    rf"{_LEAST}(?:有|提供|完成过?|承担过?)?(?P<n>{_N}|{_CN}{{1,3}}){_CLASS}(?:\(含\))?(?:{_ABOVE})?(?:的)?"
    rf"|(?P<n2>{_N}|{_CN}{{1,3}}){_CLASS}(?:{_ABOVE})(?:的)?|(?P<n3>[一1]){_CLASS}(?=类似|同类|业绩)"
)
PEOPLE = re.compile(
    rf"(?:{_LEAST}(?:配备)?(?P<n>{_N}|{_CN}{{1,3}})[名人位](?:{_ABOVE})?|(?P<n2>{_N}|{_CN}{{1,3}})[名人位]{_ABOVE})(?:的)?"
)
_BACK = re.compile(
    rf"(?:投标截止(?:时间|日)?(?:之?前)?|开标(?:当日|日)?(?:之?前|倒推)?|截止日期?前)?(?:最近|近|前)(?P<n>\d+|{_CN}{{1,2}})(?P<u>个?年|个月)(?:度|内|以?来)*(?:\([^()]{{0,40}}\))?"
)
_SINCE = re.compile(
    r"(?:从|自)?(?P<y>20\d\d)(?:年|[-./])(?:(?P<m>\d{1,2})(?:月份?|[-./]|(?=起|以来|至)))?(?:(?P<d>\d{1,2})[日号]?)?"
    r"(?:\((?:含|以[^()]{1,16}为准)\))?"
    r"(?:起|以来|以后|之后|至(?:今|招标公告发布之日|公告发布之日|(?:本项目)?投标截止[^,。;()]{0,6}|开标[^,。;()]{0,4}|递交[^,。;()]{0,8}截止[^,。;()]{0,4}))(?:至今|至投标截止(?:时间|日|之日)?|为?止|以来)*"
)


def compact(text: str) -> str:
    """Half-width, without white space and web addresses; a gap between two digits stays visible."""
    joined = "".join(_BETWEEN_DIGITS.sub(_GAP, text.translate(_FOLD)).split())
    return _ADDRESS.sub("", joined) if "http" in joined or "www" in joined else joined


def whole(text: str) -> int | None:
    """ "5", "三" or "1,000" as an integer."""
    value = cn_number(text)
    return None if value is None else int(value)


def money_at_least(text: str) -> tuple[float, int, int] | None:
    """(yuan, start, end) of the first "不低于200万元" or "200万元及以上"."""
    found = MONEY_AT_LEAST.search(text)
    if found is None:
        return None
    number, unit = found["n"] or found["n2"], found["u"] or found["u2"]
    value = cn_number(number)
    return None if value is None else (float(value) * _UNITS[unit], found.start(), found.end())


def first_count(found: re.Match[str]) -> int | None:
    """The number of a COUNT or PEOPLE match."""
    return whole(next(value for value in found.groupdict().values() if value))


def find_window(text: str) -> tuple[Window, int, int] | None:
    """The first period that a text names, and its place."""
    since = _SINCE.search(text)
    if since is not None:
        try:
            day = date(int(since["y"]), int(since["m"] or 1), int(since["d"] or 1))
        except ValueError:
            return None
        return Window(since=day, text=since[0]), since.start(), since.end()
    back = _BACK.search(text)
    if back is None:
        return None
    number = whole(back["n"])
    if number is None or not 0 < number <= 120:
        return None
    months = number * 12 if "年" in back["u"] else number
    return Window(months=months, text=back[0]), back.start(), back.end()


# What says nothing of its own beside an ask that was understood. Longest first within each group.
_IDLE = re.compile(
    r"^[(\[]?(?:第?[\d一二三四五六七八九十]+[.、)章条款]*(?:\d+[.、)]?)*|[①-⑳⑴-⒇]|[★▲※*#●◆])+"
    r"|(?:投标|响应|应答|申请|比选|竞标|报价|参选)(?:供应商|申请人|单位|人|方)|(?:供应商|申请人|单位|企业|公司)(?=须|应|必须|需|具|持|取|获|提|拥|自|近|注|未|没|在|为|的|$)"
    r"|本(?:次)?(?:项目|采购|招标|磋商|谈判|询价)(?:要求|特定)?|(?:特定|专项|其他)?(?:资格|资质|业绩|人员|财务|信誉|企业)(?:条件|要求)(?:是|为)?"
    r"|具备承担[^,。;]{0,8}能力|(?:在)?中华人民共和国(?:境内|国内)"
    r"|否则[^。;]{0,4}(?:按|作|视为|为|将)?[^。;]{0,4}(?:无效|废标|否决)[^。;]{0,8}|不予受理"
    # Only words that name no paper of their own may stand between 提供 and 复印件.
    r"|[\[(]?(?:提供|附|出具|上传|提交|以|凭)?(?:相关|相应|有效|清晰|上述|以上|该|对应){0,4}的?(?:证书|证件|证明|资质证书|合同|合同关键页){0,4}"
    r"(?:证明材料|证明文件|复印件|扫描件|影印件|原件)(?:或扫描件|或复印件|或影印件)?(?:并|且)?(?:加盖[^。;()]{0,8}(?:公章|印章))?(?:为准)?[\])]?"
    r"|加盖[^。;()]{0,8}(?:公章|印章)"
    r"|(?:由|经)?(?:国家|省级?|市级?|[\w]{0,2}建设|住房和城乡建设|人力资源和社会保障|市场监督管理|工商|应急管理|通信|食品药品监督管理|财政|相关|有关){0,6}(?:行政)?(?:主管)?(?:部门|机构)(?=颁发|核发|签发|发)"
    r"|颁发|核发|签发|授予|评定|认定的?|(?:并|且)?(?:证书)?(?:在|处于)有效期(?:之)?(?:以?内)?|有效(?:期内)?(?:的)?|合法"
    r"|必须|应当|应该|须|应|需要?|要求|(?:是否)?(?:同时)?(?:具有|具备|持有|取得|获得|拥有|通过|提供)(?:过)?|均|同时|以及|并且|及|和|与|且|并|的|了|者|等级|级别|资质证书|资质|认证|证书|(?:企业|单位)(?=[,。;]|$)"
    r"|资格条件|项目级|包\d+|审查|自定义|是否|为$|(?:本项目)?(?:特定)?资格(?=[:：]|$)|基本条件|不接受(?:中标)?备选方案|^许可证"
)
_MARKS = re.compile(r"[\s,.;:、。()\[\]'《》/·\d※★▲_-]+")


# Beside an ask of that kind these add nothing either.
IDLE_OF_PEOPLE = re.compile(
    r"拟派|拟投入|拟任|拟担任|担任|本项目|项目|人员|配备|持有?|执业|注册|资格|岗位|至少|其中|要求|为|有|由"
)
IDLE_OF_CREDIT = re.compile(
    r"(?:未被?|没有被?|不得?被?)?列入|名单|网站|中国执行信息公开网|当事人|案件|行为|记录|查询|信用|信息|近[三3]年(?:内)?"
    r"|截至投标截止(?:时间|日)|被|未|在|参加(?:本次)?政府采购活动(?:前[三3]年内?)?|经营活动中|前[三3]年(?:内)?|良好|有|资金|内|参加(?:此项|本次|本项目)?(?:政府)?采购活动|书面声明函?|声明函|以[^,。;]{0,12}承诺为准"
)
IDLE_OF_SET_ASIDE = re.compile(r"属于|本项目|采购包|项目|服务标|工程标|是|为|整体")
IDLE_OF_CONSORTIUM = re.compile(r"联合体(?:投标|响应)?|联合响应|本项目|是否|接受|投标|:")
IDLE_OF_REFERENCES = re.compile(
    r"以合同签订(?:时间|日期)为准|合同签订(?:时间|日期)|(?:最近|近)[一二三四五1-5]年(?:内)?|已?(?:完成|承担|承接|签订|履行)过?的?|业绩|合同|项目|有"
)


def left_over(text: str, spans: list[tuple[int, int]], *idle: re.Pattern[str]) -> str:
    """The words of a compact text outside the spans that say something of their own. Empty: all is read.

    `idle`: what else says nothing here.
    """
    parts: list[str] = []
    at = 0
    for start, end in sorted(spans):
        parts.append(text[at:start])
        at = max(at, end)
    parts.append(text[at:])
    return "".join(_bare(part, idle) for part in parts)


def _bare(part: str, idle: tuple[re.Pattern[str], ...]) -> str:
    part = _IDLE.sub("", part)
    for pattern in idle:
        part = pattern.sub("", part)
    return _MARKS.sub("", part)
