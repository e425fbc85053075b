"""Whether a new document is a full new version, or a notice that says what changes."""

from __future__ import annotations

import re

from backend.app.bidding.comparison.changes import Kind
from backend.app.bidding.comparison.revision import Aligned
from backend.app.bidding.comparison.units import Unit

# Read from folded text: full-width colons are ":" there.
_TITLE = re.compile(
    r"(?:更正|变更|澄清|延期|补充)公告|补遗|补充(?:通知|文件|说明)|澄清(?:文件|函|通知|答疑|说明)|答疑(?:文件|纪要|函|回复|澄清)"
    r"|(?:修改|更正|变更)通知|(?:澄清|更正|变更)(?:事项|内容)"
)
_CUE = re.compile(
    r"(?:修改|更正|变更|调整|更改|修订)(?:为|前|后|如下)|现(?:修改|更正|变更|调整|改)为|(?:延期|顺延|推迟)(?:至|到)|(?:^|[.;])答(?:复)?:"
    r"|删除|取消.{0,20}要求|补充以下|其(?:他|它|余)内容不变"
)
_MOSTLY = 0.5  # of the base is in the new document: a new version, whatever it says of itself
_SHORT = 0.3  # of the base's length
_HEAD = 30  # units in which a notice names itself


def kind_of(aligned: Aligned) -> Kind:
    """By how much of the base is in it, how long it is, and the words of notices."""
    if overlap(aligned) >= _MOSTLY:
        return Kind.REVISION
    head = "".join(unit.key for unit in aligned.after[:_HEAD])
    cues = sum(bool(_CUE.search(unit.key)) for unit in aligned.after)
    short = _letters(aligned.after) < _SHORT * _letters(aligned.before)
    if cues and (short or _TITLE.search(head)):
        return Kind.AMENDMENT
    # A short text without such words can't be a version of a long one either.
    return Kind.AMENDMENT if short or (_TITLE.search(head) and cues) else Kind.REVISION


def overlap(aligned: Aligned) -> float:
    """The share of the base's letters that stand in the new document, in order."""
    kept = sum(len(aligned.before[i].key) for i, _ in aligned.pairs)
    return kept / (_letters(aligned.before) or 1)


def _letters(units: list[Unit]) -> int:
    return sum(len(unit.key) for unit in units)
