"""Whether a PDF page has text worth reading: scanned pages have none, broken fonts give garbage.

The measure of garbage (share of odd scripts, share of common Chinese characters) was taken on real files:
a broken text layer gives 0.50 and 0.00, a good one 0.00 and 0.16 or more.
"""

from __future__ import annotations

from enum import Enum

MIN_CHARS = 20  # fewer on a page with a large image: a scan with a stamp or a page number
LARGE_IMAGE = 0.4  # share of the page
MANY_DRAWINGS = 300  # paths on a page without text: letters turned into outlines
_ENOUGH = 60  # characters needed to judge a text layer
_MAX_ODD = 0.15
_MIN_COMMON = 0.08
_MAX_LOST = 0.3

_COMMON = frozenset(
    "的一是在不了有和人这中大为上个国以要时来用生到作地于出分对成会可主发年同工也能下过产种面而方后多定行学法所民得经"
    "十三之进等部度家电力如水化高自二理起小物现实加量两体制机当使点从业本性应开它合还因由其然前外天政四日社事平形相"
    "全表间样与关各重新线内数正明原利比或但质气第向道此变条只没结解问意建月公无系情者最立代已通并提直题程五料员位入"
    "常文总次品式活设及管特件长求基资流路级少图统接知较将组见计别期根论运指几区强放决被做必先回则任取据处给即保百规"
    "领七海口东导器世金增争济思术极交受联认六共权收证改清再采转更单切打教速带安场身车例真务具万每目至达积示议声报完"
    "类八离名确科信节整空元况今集传许步广记需段研界律且究观织装影算低持书布容须际商非验连断近千周委技备半办省列约支"
    "般史感劳便团历市何除消构府称准精值号率维划选标写存候效院查江型按格养易置派层片始却专状育厂识适属包调满县局照参"
    "细引该价严投招购供评审响应应答磋谈判询格履章附录款项否予违规须知盖签字拒密封递授资料户网址址联系址纳税"
)


class Quality(Enum):
    GOOD = "good"
    EMPTY = "empty"
    SCANNED = "scanned"
    GARBLED = "garbled"


def page_quality(text: str, image_share: float, drawings: int = 0) -> Quality:
    """Judge one page by its text, the images' share of its area and the number of drawn paths."""
    chars = [char for char in text if not char.isspace()]
    if len(chars) < MIN_CHARS and (image_share >= LARGE_IMAGE or drawings >= MANY_DRAWINGS):
        return Quality.SCANNED
    if not chars:
        return Quality.EMPTY
    return Quality.GARBLED if is_garbled(chars) else Quality.GOOD


def is_garbled(chars: list[str]) -> bool:
    """Whether text can't be what the page shows. Short texts are given the benefit of the doubt."""
    total = len(chars)
    if total < _ENOUGH:
        return False
    odd = sum(1 for char in chars if _odd(ord(char)))
    if odd > _MAX_ODD * total:
        return True
    if sum(1 for char in chars if _lost(ord(char))) > _MAX_LOST * total:
        return True
    han = [char for char in chars if "\u4e00" <= char <= "\u9fff"]
    if len(han) < _ENOUGH:
        return False
    return sum(1 for char in han if char in _COMMON) < _MIN_COMMON * len(han)


def _odd(code: int) -> bool:
    """Scripts that no Chinese tender is written in, and rare ideographs."""
    return (
        0x0100 <= code <= 0x036F
        or 0x0530 <= code <= 0x1FFF
        or 0x3400 <= code <= 0x4DBF
        or 0xA000 <= code <= 0xABFF
        or 0x2C00 <= code <= 0x2DFF
    )


def _lost(code: int) -> bool:
    """Characters without a meaning: replacement marks, private use, unassigned supplementary planes."""
    return code == 0xFFFD or 0xE000 <= code <= 0xF8FF or code >= 0xF0000
