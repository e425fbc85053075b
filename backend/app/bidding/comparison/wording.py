"""The words by which notices say what changes, for `Passage.compact`: no white space, （ ： ； full width."""

from __future__ import annotations

import re
from dataclasses import dataclass

from backend.app.bidding.comparison.changes import ChangeType
from backend.app.bidding.findings import Span


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that a notice says. All spans are places in the notice.

    `before`, `after`: the old and the new words. `reference`: the words that name the place in the base.
    `topic`: the heading that it stands under. `place`: the whole statement. `asked`: the question that is
    answered.
    """

    type: ChangeType
    before: Span | None
    after: Span | None
    reference: str
    place: Span
    asked: Span | None = None
    topic: str = ""

    @property
    def about(self) -> str:
        """All words that may name the place in the base."""
        return f"{self.topic}{self.reference}"


_VERB = r"(?:修改|更正|变更|调整|更改|修订|更换|替换|改)"
_SHIFT = r"(?:延期|顺延|推迟|延长|提前|延后|推后|增加|减少|降低|提高|上调|下调|缩短)"
_OPEN, _CLOSE = '[“"「『]', '[”"」』]'
_QUOTE = r"[^“”\"「」『』]{1,800}"

QUOTED = re.compile(
    rf"(?P<ref>[^“”\"「」『』。；]{{0,80}}){_OPEN}(?P<before>{_QUOTE}){_CLOSE}[^“”\"「」『』。；]{{0,24}}?(?:{_VERB}|{_SHIFT})(?:为|成|至|到)(?:如下)?[：，]?"
    rf"{_OPEN}(?P<after>{_QUOTE}){_CLOSE}"
)
OLD_NEW = re.compile(
    rf"原(?P<ref>[^：，。；“”]{{0,40}}?)(?:内容|规定)?(?:为|是|：|为：)(?P<before>[^。；]{{1,300}}?)[，。；]?现(?:将其|统一|拟)?{_VERB}?为[：]?(?P<after>[^。；]{{1,400}})"
)
FROM_TO = re.compile(
    rf"(?P<ref>[^，。；：“”由从]{{0,60}})(?:由|从)(?:原来?的?)?(?P<before>[^，。；]{{1,120}}?)，?(?:{_VERB}|{_SHIFT})(?:为|成|至|到)[：]?(?P<after>[^。；]{{1,200}})"
)
# "投标截止时间延期至…": what it was is not said. 时间 lets a following comma in: "…，地点不变".
TO = re.compile(
    rf"(?P<ref>[^。；“”]{{2,80}}?)(?:统一|现|均|相应|应)?(?:{_VERB}|{_SHIFT})(?:为|成|至|到)(?:如下)?[：]?[“\"]?(?P<after>[^。；”\"]{{1,400}})"
)
DELETE = re.compile(
    rf"(?:删除|删去|取消|废止)(?!资格|投标|中标|其)(?P<ref>[^“”\"。；]{{0,80}})(?:{_OPEN}(?P<before>{_QUOTE}){_CLOSE})?[^。；]{{0,20}}"
)
DELETE_BEHIND = re.compile(
    rf"(?P<ref>[^“”\"。；]{{0,80}}){_OPEN}(?P<before>{_QUOTE}){_CLOSE}[^“”。；]{{0,20}}(?:予以)?(?:删除|删去|取消)"
)
ADD = re.compile(
    rf"(?P<ref>[^。；“”]{{0,60}}?)(?:增加|新增|补充|增补|添加)(?!至|到|通知|文件|公告)(?P<ref2>[^：“”\"。；]{{0,40}})(?:：|{_OPEN}|：{_OPEN})(?P<after>[^”\"]{{2,800}})"
)

_ITEM = r"(?:[（(]?[\d一二三四五六七八九十]{1,3}[）)]?[、.：]?)?"
_CHANGED = r"(?:更正|变更|修改|修订|调整|澄清|更改)"
_WHAT = r"(?:的)?(?:内容|条款|文字|表述|信息|事项)?"
BEFORE_HEAD = re.compile(
    rf"{_ITEM}(?:(?P<label>[^：。；]{{0,30}}?)(?:{_CHANGED}前{_WHAT}(?:为)?)(?:：|$)|原(?:文|内容|条款|表述|(?:招标|采购|磋商|谈判)?文件{_WHAT}|公告{_WHAT})?(?:为)?：(?!.*现{_CHANGED}?为))"
)
AFTER_HEAD = re.compile(
    rf"{_ITEM}(?:[^：。；]{{0,30}}?{_CHANGED}后{_WHAT}(?:为)?(?:：|$)|现(?:{_CHANGED}|改)?(?:为|内容|文)?：|(?:现)?{_CHANGED}为：)"
)
_ASK = r"(?:问题|疑问|提问|问|质疑|疑义)"
QUESTION = re.compile(rf"{_ITEM}(?:投标人|供应商)?{_ASK}(?:内容)?{_ITEM}：")
ANSWER = re.compile(
    rf"{_ITEM}(?:招标人|采购人|代理机构)?(?:答复|回复|回答|解答|澄清|答)(?:内容|意见)?{_ITEM}："
)
INLINE_ANSWER = re.compile(
    rf"{_ITEM}{_ASK}(?:内容)?{_ITEM}：.{{2,600}}?(?P<answer>(?:答复|回复|回答|解答|答)(?:内容|意见)?：)"
)
REST = re.compile(
    r".{0,20}(?:其(?:他|它|余)(?:的)?(?:内容|条款|事项)?.{0,8}不变|特此(?:公告|通知|澄清|更正|说明)|更正日期|联系(?:人|方式)"
    r"|凡对本次)"
)
CUE = re.compile(rf"{_VERB}(?:为|如下)|{_SHIFT}至|删除|取消|为准|澄清如下|说明如下|更正如下")
