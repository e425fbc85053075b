"""Facts of time: deadline, opening, sale of the documents, clarification."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from backend.app.bidding.rules.checkboxes import is_rejected
from backend.app.bidding.rules.dates import DateMatch, find_dates
from backend.app.bidding.rules.statements import TRUST, Candidate, Source, Statement, choose

_FILE = (
    r"(?:投标|响应|应答|申请|磋商|谈判|报价|竞标|比选|参选|竞价|询价|电子|纸质|首次|加密|资格预审申请"
    r"|、|和|及|（[^）]{0,10}）)*(?:文件|书|标书|资料)?"
)
_DEADLINE = re.compile(
    rf"(?:{_FILE}(?:的)?(?:递交|提交|接收|上传|送达|投递|报送)?(?:的)?截止(?:日期|时间|期)(?:（[^）]{{0,20}}）)?|截标时间|{_FILE}(?:的)?"
    rf"(?:递交|提交)(?:的)?时间(?!地点)|(?:递交|提交){_FILE}(?:的)?(?:截止)?(?:时间|日期)|投标(?:[及、和与]开标|（开标）)?时间)"
)
# A date followed by "前 … 递交/上传 … 文件" names the deadline without any label.
_BEFORE_HANDING_IN = re.compile(
    r"^(?:[（(][^）)]{0,20}[）)]|整|\s|北京时间)*(?:之?前|以前|止)[^。；]{0,40}(?:递交|提交|送达|上传|送至|报送|投递|加密|寄达|密封)"
)
# A bare 截止时间 in a row about something else is that thing's deadline.
_OTHER_DEADLINE = re.compile(
    r"澄清|疑|质询|提问|问题|答复|获取|发售|报名|购买|领取|踏勘|保证金|异议|样品|公示|合同"
)
_BARE = re.compile(r"(?:的)?截止(?:日期|时间|期)(?:（[^）]{0,20}）)?")
_OPENING = re.compile(
    r"(?:开标|开启|唱标|解密|开标会|响应文件开启|磋商|谈判|比选|询价|竞价|开封)(?:会议?|开始|仪式|大会|的)?(?:日期|时间)(?!同|内|表|地点|为准|后|前)|"
    r"(?:开标|开启)(?:会)?(?:和|及|、)?(?:时间)"
)
_WILL_OPEN = re.compile(r"(?:定于|将于|于|在|：|会议?)$|本(?:次|项目)[^。；]{0,10}(?:将|定)?于$")
_OPENED_THEN = re.compile(r"^[^。；]{0,70}(?:开标|开启|唱标|公开开|举行|解密|召开)")
_BARE_TIME = re.compile(r"：?|.{0,4}时间[：为]?")
_ENDS = re.compile(r"截止(?:时间|日期)[：为]?$")
_BOTH = re.compile(r"截止(?:时间|日期).{0,4}(?:开标|开启)")  # one heading and one time for both
_SAME_AS_DEADLINE = re.compile(
    r"(?:开标|开启|谈判|磋商|开标会)(?:时间|日期)?(?:和地点|、地点|及地点)?[：]?(?:（[^）]{0,20}）)?(?:即为|与|同|即)(?:[^。；]{0,14})截止"
    r"(?:时间|日期)?|(?:同一|相同)时间[^。；]{0,20}(?:开标|开启|解密|唱标)"
)
_SALE = re.compile(
    r"(?:(?:招标|采购|磋商|谈判|询价|比选|竞争性[磋谈][商判]|项目|竞价|本)?(?:公告及)?(?:文件)?(?:的)?(?:获取|发售|领取|发放|购买|申领|下载|出售|购领|索取"
    r"|提供|报名)(?:及报名)?(?:(?:招标|采购|磋商|谈判|询价|比选|竞争性[磋谈][商判]|电子)?(?:采购)?文件)?(?:的)?(?:、?地点、?|和|及)?"
    r"(?:（[^）]{0,10}）)?(?:时间|期限|日期|起止时间|时限)|报名时间|售标时间|获取(?:（[^）]{1,6}）)?(?:招标|采购|磋商|谈判|询价|比选|竞争性[磋谈][商判]|遴选)?(?:采购)?文件|"
    r"(?:招标|采购|磋商|谈判|询价|比选)文件的?(?:获取|发售|领取|下载|购买)|报名(?:及|与|和)[^。；：]{0,14}获取)"
)
_FETCH = re.compile(r"(?:登录|下载|获取|购买|领取|报名|申领|购得|凭)")
_CLARIFY = re.compile(
    r"澄清|疑问|疑义|答疑|提问|提疑|询问|书面形式(?:提出|通知)|提出(?:问题|异议)|质询|疑点|要求解释"
)
_NOT_ASKING = re.compile(
    r"答复|回复|发出|发布|确认|公布|通知所有|踏勘|预备会|答疑会(?:时间|定)|公示|领取|修改通知|发放"
)
_BID_EVENT = re.compile(r"投标|响应文件|递交|提交|开标|开启|报名|保证金|公告|发售|获取")


@dataclass(frozen=True, slots=True)
class _Dated:
    statement: Statement
    dates: tuple[DateMatch, ...]  # offsets in compact


def date_facts(statements: list[Statement]) -> dict[str, Candidate | None]:
    """bid_deadline, opening_time, document_sale_start, document_sale_end, clarification_deadline."""
    dated = [found for s in statements if (found := _read(s)) is not None]
    deadline = choose([c for d in dated for c in _deadlines(d)], least=0.4)
    opening = choose([c for d in dated for c in _openings(d)], least=0.4)
    if opening is None and deadline is not None:
        opening = _same_as_deadline(statements, deadline)
    start, end = _sale(dated)
    return {
        "bid_deadline": deadline,
        "opening_time": opening,
        "document_sale_start": start,
        "document_sale_end": end,
        "clarification_deadline": choose([c for d in dated for c in _clarifications(d)], least=0.4),
    }


def _read(statement: Statement) -> _Dated | None:
    """Dates are read from the words as written: white space tells a day from the hour behind it."""
    if statement.source in (Source.FORMS, Source.CONTRACT) or not re.search(
        r"2\d{3}|[二两][零〇○OoＯ0]", statement.compact
    ):
        return None
    passage = statement.passage
    words, places = _spaced(statement)
    found = [_moved(match, places) for match in find_dates(words)]
    dates = tuple(d for d in found if not is_rejected(passage.compact, d.start))
    return _Dated(statement, dates) if dates else None


def _moved(match: DateMatch, places: list[int]) -> DateMatch:
    until = _moved(match.until, places) if match.until is not None else None
    return replace(match, start=places[match.start], end=places[match.end - 1] + 1, until=until)


def _spaced(statement: Statement) -> tuple[str, list[int]]:
    """The compact text with one space where the document has white space, and the way back."""
    words: list[str] = []
    places: list[int] = []
    before: int | None = None
    for at, (ch, offset) in enumerate(zip(statement.compact, statement.passage.offsets, strict=True)):
        if before is not None and offset != before + 1:
            words.append(" ")
            places.append(at)
        words.append(ch)
        places.append(at)
        before = offset
    return "".join(words), places


def _candidate(dated: _Dated, date: DateMatch, weight: float, label: int | None = None) -> Candidate:
    statement = dated.statement
    return Candidate(date.iso, statement, date.start, date.end, weight * TRUST[statement.source], label)


def _deadlines(dated: _Dated) -> Iterator[Candidate]:
    compact = dated.statement.compact
    for date in dated.dates:
        moment = date.until or date
        if not moment.has_time:
            continue
        clause_start = _clause_start(compact, date.start)
        before = compact[clause_start : date.start]
        if (
            re.search(r"开始时间|起始时间|开始$", before[-12:])
            or _is_sale(before)
            or re.search("疑问|澄清|保证金", before)
        ):
            continue
        if (label := _last(_DEADLINE, before)) and not _is_of_another(label, before, dated.statement):
            early = label.end() == len(before) or len(before) - label.end() <= 14
            yield _candidate(dated, moment, 1.0 if early else 0.8, clause_start + label.start())
        elif _BEFORE_HANDING_IN.search(compact[date.end : date.end + 70]):
            yield _candidate(dated, moment, 0.85)
        elif not before.strip("：") or re.fullmatch(r".{0,8}(?:截止)?时间[：为]?", before):
            context = dated.statement.context
            if _DEADLINE.search(context) and not _OTHER_DEADLINE.search(context) and not _is_sale(context):
                yield _candidate(dated, moment, 0.75 if "开标时间" not in before else 0.3)


def _is_of_another(label: re.Match[str], before: str, statement: Statement) -> bool:
    """Whether a bare 截止时间 is that of questions, of the sale, of the bond: by its row, or by the words
    in front of it where a short row is read as one ("投标人提出问题的截止时间：…")."""
    if not _BARE.fullmatch(label.group()):
        return False
    named = re.split(r"[，,]", before[: label.start()])[-1]
    return _OTHER_DEADLINE.search(statement.context) is not None or _OTHER_DEADLINE.search(named) is not None


def _openings(dated: _Dated) -> Iterator[Candidate]:
    compact = dated.statement.compact
    for date in dated.dates:
        if not date.has_time:
            continue
        clause_start = _clause_start(compact, date.start)
        before = compact[clause_start : date.start]
        if label := _last(_OPENING, before):
            early = len(before) - label.end() <= 10
            yield _candidate(dated, date, 1.0 if early else 0.75, clause_start + label.start())
        elif _WILL_OPEN.search(before) and _OPENED_THEN.match(compact[date.end : date.end + 90]):
            yield _candidate(dated, date, 0.9)
        elif _BARE_TIME.fullmatch(before) or (_ENDS.search(before) and _BOTH.search(dated.statement.section)):
            context = dated.statement.context
            if _OPENING.search(context) or re.search(r"(?:开标|开启)(?:[：；]|时间|$)", context):
                yield _candidate(dated, date, 0.75 if _BARE_TIME.fullmatch(before) else 0.5)


def _same_as_deadline(statements: list[Statement], deadline: Candidate) -> Candidate | None:
    """ "开标时间：同投标截止时间" means the deadline; the proof shown is the deadline's own words."""
    for statement in statements:
        if statement.source in (Source.FORMS, Source.CONTRACT):
            continue
        if _SAME_AS_DEADLINE.search(statement.compact) or _SAME_AS_DEADLINE.search(
            f"{statement.label}：{statement.compact[:60]}"
        ):
            return replace(deadline, weight=0.7)
    return None


def _sale(dated: list[_Dated]) -> tuple[Candidate | None, Candidate | None]:
    ranges: list[tuple[Candidate, Candidate | None]] = []
    lone_ends: list[Candidate] = []
    for found in dated:
        for at, date in enumerate(found.dates):
            place = _sale_place(found, date)
            if place is None:
                continue
            weight, label = place
            begin = _candidate(found, date, weight, label)
            follower = found.dates[at + 1] if at + 1 < len(found.dates) else None
            if follower is not None and follower.linked:
                end = _candidate(found, follower, weight, label)
                ranges.append(
                    (replace(begin, value=_sale_value(date)), replace(end, value=_sale_value(follower)))
                )
            elif re.search(r"(?:至|到|截止(?:时间)?(?:为|：)?|止)$", found.statement.compact[: date.start]):
                lone_ends.append(replace(begin, value=_sale_value(date)))
    start = choose([begin for begin, _ in ranges], least=0.4)
    ends = [end for _, end in ranges if end is not None]
    return start, choose(ends or lone_ends, least=0.4)


def _sale_value(date: DateMatch) -> str:
    return date.iso


def _sale_place(dated: _Dated, date: DateMatch) -> tuple[float, int | None] | None:
    if date.linked:
        return None
    compact = dated.statement.compact
    clause_start = _clause_start(compact, date.start)
    before = compact[clause_start : date.start]
    label = _last(_SALE, before)
    if label is not None and len(before) - label.end() <= 24:
        return 1.0, clause_start + label.start()
    following = compact[date.end : date.end + 60]
    if re.search(r"(?:于|自|从|在)[：]?$", before) and _FETCH.search(following) and "前" not in following[:6]:
        return 0.85, None
    if (len(before) <= 20 or _SALE.search(before)) and _SALE.search(dated.statement.context):
        return 0.8, None
    return None


def _is_sale(words: str) -> bool:
    return _SALE.search(words) is not None


def _clarifications(dated: _Dated) -> Iterator[Candidate]:
    """Only a day that the document itself names; "截止日 15 天前" is left to the timeline."""
    compact = dated.statement.compact
    for date in dated.dates:
        if date.linked and not re.search("提问|提疑|澄清", compact[: date.start]):
            continue
        start = max(compact.rfind(stop, 0, date.start) for stop in "。；") + 1
        end = min((at for stop in "。；" if (at := compact.find(stop, date.end)) >= 0), default=len(compact))
        before, after = compact[start : date.start], compact[date.end : end]
        around = f"{dated.statement.label}：{dated.statement.lead}{before}"
        asks = _CLARIFY.search(around) or _CLARIFY.search(after[:60])
        until = re.match(r"^(?:（[^）]{0,12}）)?[^，。；]{0,8}(?:之?前|以前|止|截止)", after) or re.search(
            r"截止(?:时间|日期)?[^。；]{0,14}$|(?:时间|期限)[：为][^。；]{0,6}$", around
        )
        if not asks or not until or _NOT_ASKING.search(around[-40:]):
            continue
        if _BID_EVENT.search(before[-14:]) and not _CLARIFY.search(around[-24:]):
            continue
        yield _candidate(dated, date, 0.9 if _CLARIFY.search(around) else 0.8)


def _clause_start(compact: str, at: int) -> int:
    return max(compact.rfind(stop, 0, at) for stop in "。；") + 1


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return max(pattern.finditer(text), key=lambda match: match.start(), default=None)
