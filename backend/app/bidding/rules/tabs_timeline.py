"""Tab 投标日历: milestones with a date, and periods that run from another event."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from backend.app.bidding.findings import Priority, Tab
from backend.app.bidding.rules.passages import Passage
from backend.app.bidding.rules.quotes import Candidate, clip
from backend.app.bidding.rules.values import find_dates, find_durations
from backend.app.bidding.rules.zones import Zone

_HINT = re.compile(
    r"20\d\d|[〇○零二][〇○零一二三四五六七八九OoＯ0]{2,3}年|\d(?:个?[工日天月年小分])"
    r"|[一二三四五六七八九十](?:个?[工日天月年小])|截止"
)
_SHORT_PERIOD = re.compile(r"\d{1,3}(?:分钟|小时)|截止(?:时间|日期|期)?(?:之)?前")
_BLANK = re.compile(r"年月日|年_+月|[_＿]{2,}日")


@dataclass(frozen=True, slots=True)
class _When:
    """A date or a period in the compact sentence; `iso` for dates."""

    start: int
    end: int
    words: str
    iso: str | None = None


@dataclass(frozen=True, slots=True)
class Milestone:
    """`dated`/`relative`: weights of a clause with a date or with a period; 0 = not of interest."""

    name: str
    pattern: re.Pattern[str]
    dated: float
    relative: float
    guidance: str


def _milestone(name: str, pattern: str, dated: float, relative: float, guidance: str) -> Milestone:
    return Milestone(name, re.compile(pattern), dated, relative, guidance)


MILESTONES: tuple[Milestone, ...] = (
    _milestone(
        "提疑/澄清截止",
        r"(?:疑问|疑义|澄清|提问|答疑|询问|问题)[^。；]{0,40}(?:前|截止|以前|内)|(?:前"
        r"|以前)[^。；]{0,40}(?:要求澄清|提出(?:疑问|问题|澄清)|书面形式(?:（[^）]*）)?(?:通知"
        r"|提出))|要求(?:对[^。；]{0,16})?澄清|均应在[^。；]{0,14}截止",
        86,
        72,
        "疑问尽早书面提出，过期视为认可文件。",
    ),
    _milestone(
        "异议/质疑期限",
        r"质疑|异议",
        58,
        52,
        "按期限与格式书面提出，保留送达凭证。",
    ),
    _milestone(
        "保证金到账",
        r"保证金[^。；]{0,40}(?:到账|到帐|缴纳|交纳|递交|提交)[^。；]{0,20}|(?:前"
        r"|之前)[^。；]{0,24}(?:缴纳|交纳|提交)[^。；]{0,10}投标保证金",
        86,
        56,
        "提前 2 个工作日转出并确认到账。",
    ),
    _milestone(
        "保证金退还", r"(?:退还|退回|返还)[^。；]{0,20}(?:保证金)?", 38, 40, "到期未退时及时书面催办。"
    ),
    _milestone(
        "履约保证金提交",
        r"(?:提交|缴纳|递交|交纳)[^。；]{0,16}履约(?:保证金|担保|保函)|履约(?:保证金|担保"
        r"|保函)[^。；]{0,20}(?:提交|缴纳|递交|交纳)",
        70,
        62,
        "中标后立即办理，逾期可能被取消资格。",
    ),
    _milestone(
        "签到与解密",
        r"签到|解密",
        84,
        70,
        "专人在线，提前测试证书与网络。",
    ),
    _milestone(
        "投标截止及开标",
        r"(?:投标|递交|提交|响应)[^。；]{0,14}截止[^。；]{0,8}(?:及|和|与|暨|、|/|（)[^。；]{0,6}(?:开标|开启)"
        r"|(?:开标|开启)[^。；]{0,6}(?:及|和|与|暨|、|/|（)[^。；]{0,8}(?:投标|递交|提交|响应)[^。；]{0,8}截止",
        96,
        0,
        "倒排计划，提前半天完成递交或上传，并准时参加开标。",
    ),
    _milestone(
        "开标/开启时间",
        r"(?:开标|开启|唱标|磋商|谈判|评审|比选|询价)(?:会议?)?(?:日期|时间|截止|会|将于|于|定于"
        r"|地点)[^。；]{0,8}|本次(?:招标|磋商|谈判|采购)将于",
        93,
        0,
        "法定代表人或授权代表准时到场或在线。",
    ),
    _milestone(
        "投标截止/递交时间",
        # "自投标截止之日起 90 天" counts from the deadline and does not name it.
        r"(?:投标|递交|提交|响应|报价|谈判|磋商|申请|应答)[^。；]{0,18}截止(?!(?:之?日|时间|日期)?(?:[起后]|\d+个?(?:工作日|日|天)))"
        r"|截止(?:时间|日期)(?![起后]|\d+个?(?:工作日|日|天))"
        r"|(?:前|之前|止)[^。；]{0,36}(?:递交|提交|送达|上传|送至|密封)|(?:递交|投标"
        r"|提交)(?:开始)?时间",
        95,
        48,
        "倒排计划，提前半天完成递交或上传。",
    ),
    _milestone(
        "文件获取/报名",
        r"(?:获取|发售|购买|领取|申领|报名|下载|出售|发放|提供)[^。；]{0,12}(?:时间|期限|日期"
        r"|文件)|报名|发售|购买时间|申领时间|每[日天](?:上午)?\d",
        90,
        44,
        "在时限内按规定方式获取并留存凭证。",
    ),
    _milestone(
        "现场踏勘", r"踏勘|现场考察|现场勘[察查]|勘察现场", 76, 56, "组织技术与成本人员到场，形成踏勘记录。"
    ),
    _milestone("标前会/答疑会", r"预备会|标前会|答疑会|澄清会", 70, 50, "提前提交书面问题并派人参加。"),
    _milestone("样品/演示", r"样品|演示", 60, 40, "按时送样并取得签收。"),
    _milestone(
        "合同签订",
        # "合同签订后一年": the period of the service, of a payment, of the bond; not the day of signing.
        r"签订(?:书面|正式|政府采购|采购|服务)?[^。；]{0,8}合同(?!后|之?日?起)|签约(?!后)|合同签订(?!后|之?日|生效)|订立[^。；]{0,8}合同",
        76,
        74,
        "中标后即启动合同评审，按期签约。",
    ),
    _milestone(
        "中标公示",
        r"公示|中标(?:结果|公告)|确认中标|书面(?:形式)?回复",
        56,
        46,
        "关注公示并在期限内提出异议。",
    ),
    _milestone(
        "公告期限",
        r"公告(?:期限(?!届满)|时间|日期|发布)|发布(?:日期|时间)|公告期",
        58,
        50,
        "核对公告起止时间。",
    ),
    _milestone(
        "投标有效期",
        r"有效期",
        50,
        60,
        "投标函有效期不得短于规定。",
    ),
    _milestone(
        "服务/交付期",
        r"服务(?:期|时间|期限)|工期|交货|交付|履行期限|合同期|实施周期|供货期|到货|收到(?:期刊"
        r"|货物|设备)|(?:合同)?(?:有效|最晚)[^。；]{0,12}(?:个月|年)",
        66,
        50,
        "按期限排产排班，确认资源可用。",
    ),
    _milestone(
        "付款时限",
        r"(?:支付|付款|划付|付清|结算|发票)",
        58,
        52,
        "按付款节点安排开票与收款。",
    ),
    _milestone(
        "编制投标文件期限",
        r"编制投标文件|自[^。；]{0,20}发出之日起至[^。；]{0,20}截止",
        66,
        64,
        "核对公告日到截止日的天数。",
    ),
)
_BEFORE_DEADLINE = frozenset({"保证金到账", "现场踏勘", "样品/演示", "签到与解密"})
_CONTRACT_ONLY = frozenset({"付款时限", "服务/交付期", "合同签订", "履约保证金提交", "保证金退还"})
_ALWAYS = re.compile(r"截止时间：|开标")
_NOT_MILESTONE = re.compile(
    r"本保函|备查|封存|近[一二三四五六1-9]年|截至|以来|社保|纳税|业绩|审计|成立|证书|注册|号）?规定|号令|修订"
    r"|财库|发改|《[^》]{4,40}》[^。；]{0,10}(?:规定|通知)|营业执照"
)
_REACH = 54
_GENERIC = re.compile(r"(?:[（(]?[\d.一二三四五六七八九十]+[）)、.]?)?(?:截止)?(?:日期|时间|截止|期限|时限)?")
_LABEL = 30  # characters before a colon that may name the milestone


def find_timeline(passages: list[Passage]) -> Iterator[Candidate]:
    for passage in passages:
        if passage.zone is Zone.FORMS or passage.is_heading:
            continue
        for sentence in passage.sentences():
            if candidate := _sentence(passage, sentence):
                yield candidate


def _sentence(passage: Passage, sentence: tuple[int, int]) -> Candidate | None:
    start, end = sentence
    text = passage.compact[start:end]
    if len(text) < 6 or _BLANK.search(text):
        return None
    when = _when(passage, sentence)
    if when is None or (_NOT_MILESTONE.search(text) and not _ALWAYS.search(text)):
        return None
    named = _name(text, passage, when)
    if named is None:
        return None
    milestone, match = named
    if when.words.startswith("截止") and milestone.name not in _BEFORE_DEADLINE:
        return None
    weight = milestone.dated if when.iso else milestone.relative
    undated = passage.zone is Zone.REQUIREMENTS and when.iso is None
    if (passage.zone is Zone.CONTRACT or undated) and milestone.name not in _CONTRACT_ONLY:
        return None
    if passage.zone is Zone.CONTRACT:
        weight *= 0.85
    low, high = clip(passage.compact, sentence, (start + match[0], start + match[1]), _REACH)
    return Candidate(
        Tab.BID_TIMELINE,
        passage.span(low, high),
        passage.compact[low:high],
        milestone.name,
        "错过该时间点将失去相应权利或投标机会。" if weight >= 70 else "影响投标与履约安排的时间要求。",
        milestone.guidance,
        Priority.CRITICAL if weight >= 84 else Priority.HIGH if weight >= 60 else Priority.MEDIUM,
        weight,
        milestone=milestone.name,
        date=when.iso,
        date_text=when.words,
    )


def _when(passage: Passage, sentence: tuple[int, int]) -> _When | None:
    """The first date of the sentence; else its first period."""
    start, end = sentence
    if not _HINT.search(passage.compact, start, end):
        return None
    text, places = passage.spaced(start, end)
    dates = find_dates(text)
    found = dates[0] if dates else next(iter(find_durations(text)), None)
    if found is not None:
        low, high = places[found.start] - start, places[found.end - 1] + 1 - start
        return _When(low, high, text[found.start : found.end], dates[0].iso if dates else None)
    if match := _SHORT_PERIOD.search(passage.compact, start, end):
        return _When(match.start() - start, match.end() - start, match.group())
    return None


def _name(text: str, passage: Passage, when: _When) -> tuple[Milestone, tuple[int, int]] | None:
    """The milestone that the label names; else the one nearest to the date; else the section's."""
    known = [m for m in MILESTONES if (m.dated if when.iso else m.relative)]
    for label in _labels(text[: when.start], passage.label):
        for milestone in known:
            if milestone.pattern.search(f"{label}："):
                return milestone, (max(0, when.start - _LABEL), when.end)
    best: tuple[float, Milestone, tuple[int, int]] | None = None
    for rank, milestone in enumerate(known):
        for found in milestone.pattern.finditer(text):
            distance = max(0, found.start() - when.end, when.start - found.end()) + rank * 0.1
            if best is None or distance < best[0]:
                low, high = min(found.start(), when.start), max(found.end(), when.end)
                best = (distance, milestone, (low, high))
    if best is not None:
        return best[1], best[2]
    for around in (passage.label, passage.section if when.iso else ""):
        for milestone in known:
            if around and milestone.pattern.search(around):
                return milestone, (when.start, when.end)
    return None


def _labels(before: str, label: str) -> Iterator[str]:
    """What names a date that follows a colon, the nearest first; a bare 截止时间 names nothing."""
    if before[-1:] not in ("：", "") or not (before or label):
        return
    for part in (*reversed(before.split("：")), *reversed(label.split("："))):
        if 2 <= len(part) <= _LABEL and not _GENERIC.fullmatch(part):
            yield part
