"""Characters that are not what they seem: symbol-font glyphs, radicals in place of characters, controls.

Check boxes in Word and PDF files are mostly private-use code points of the Wingdings fonts. Dropping them
turns "☑不接受 □接受" into "不接受 □接受", the opposite answer; so they are mapped before anything else.
"""

from __future__ import annotations

import re
import unicodedata

# Wingdings, by the low byte of U+F0xx. Source: Microsoft's Wingdings chart as given by Unicode (L2/11-052).
_WINGDINGS = (
    {
        0x6C: "●",
        0x6D: "○",
        0x6E: "■",
        0x6F: "□",
        0x70: "□",
        0x71: "□",
        0x72: "□",
        0x73: "◆",
        0x74: "◆",
        0x75: "◆",
        0x76: "❖",
        0x77: "◆",
        0x78: "☒",
        0x9E: "·",
        0x9F: "•",
        0xA0: "▪",
        0xA1: "○",
        0xA4: "◎",
        0xA7: "▪",
        0xA8: "□",
        0xAB: "★",
        0xB6: "☆",
        0xD8: "➢",
        0xDC: "➲",
        0xDF: "←",
        0xE0: "→",
        0xE1: "↑",
        0xE2: "↓",
        0xE8: "→",
        0xF0: "⇨",
        0xFB: "✗",
        0xFC: "√",
        0xFD: "☒",
        0xFE: "☑",
    }
    | {0x81 + n: chr(0x2460 + n) for n in range(10)}
    | {0x8C + n: chr(0x2776 + n) for n in range(10)}
)

_WINGDINGS_2 = {
    0x4F: "✗",
    0x50: "√",
    0x51: "☒",
    0x52: "☑",
    0x53: "☒",
    0x54: "☒",
    0x97: "●",
    0x98: "●",
    0x99: "○",
    0x9E: "●",
    0x9F: "■",
    0xA0: "■",
    0xA1: "□",
    0xA2: "■",
    0xA3: "□",
    0xA4: "□",
    0xAE: "◆",
    0xAF: "◇",
    0xE2: "★",
    0xEA: "★",
}

_WINGDINGS_3 = {0x7D: "▶", 0x70: "▲", 0x71: "▼", 0x72: "△", 0x73: "▽", 0x75: "▶", 0x74: "◀"}

# Symbol: the code points that Office itself leaves in the private-use area.
_SYMBOL = {
    0xA3: "≤",
    0xB0: "°",
    0xB1: "±",
    0xB3: "≥",
    0xB4: "×",
    0xB7: "•",
    0xB8: "÷",
    0xB9: "≠",
    0xA5: "∞",
    0xAE: "→",
    0xBB: "≈",
    0xD6: "√",
    0xD7: "·",
    0xDE: "⇒",
    0xE5: "∑",
    0x61: "α",
    0x62: "β",
    0x6D: "μ",
    0x70: "π",
    0x57: "Ω",
    0x44: "Δ",
}

_FONTS = {
    "wingdings": _WINGDINGS,
    "wingdings 2": _WINGDINGS_2,
    "wingdings2": _WINGDINGS_2,
    "wingdings 3": _WINGDINGS_3,
    "wingdings3": _WINGDINGS_3,
    "symbol": _SYMBOL,
}

# With the font unknown: what tenders use these code points for. U+F0A3 and U+F052 come from Wingdings 2.
_UNKNOWN_FONT = {**_SYMBOL, **_WINGDINGS, 0xA3: "□", 0x52: "☑", 0x53: "☒", 0x54: "☒", 0x50: "√", 0xB7: "•"}

_PRIVATE_USE = {0xF000 + low: char for low, char in _UNKNOWN_FONT.items()}
# What Word shows as a tick in PDFs of the system fonts of WPS and macOS.
_PRIVATE_USE |= {0xE010: "□", 0xE011: "☑", 0xF0B2: "□"}


def _same_character() -> dict[int, str]:
    """Radicals and compatibility ideographs that PDF producers emit for ordinary characters."""
    table: dict[int, str] = {}
    for first, last in ((0x2E80, 0x2FD5), (0xF900, 0xFAFF)):
        for code in range(first, last + 1):
            plain = unicodedata.normalize("NFKC", chr(code))
            if len(plain) == 1 and plain != chr(code):
                table[code] = plain
    # Radicals of the supplement without a compatibility mapping, seen in real PDFs.
    return table | {0x2EC5: "见", 0x2EDA: "页", 0x2EA0: "民", 0x2ECB: "车", 0x2ED3: "长", 0x2ED4: "门"}


_LINE_ENDS = {0x2028: "\n", 0x2029: "\n", 0x0B: "\n", 0x0C: "\n", 0x85: "\n"}
_INVISIBLE = (
    *range(0x09),
    *range(0x0E, 0x20),
    *range(0x7F, 0x85),
    *range(0x86, 0xA0),
    0xAD,
    *range(0x200B, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
    0xFEFF,
    *range(0xFFF0, 0xFFFD),
    0xFFFE,
    0xFFFF,
    *range(0xD800, 0xE000),
)
_CLEAN: dict[int, str | None] = {
    **dict.fromkeys(_INVISIBLE),
    **_LINE_ENDS,
    **_same_character(),
    **_PRIVATE_USE,
}
_ANY_ODD = re.compile("[" + "".join(re.escape(chr(code)) for code in sorted(_CLEAN)) + "]")

BOXES_CHECKED = "☑☒■√✓✔"
BOXES_OPEN = "□☐○"


def clean(text: str) -> str:
    """Map private-use glyphs and radicals, drop NUL, surrogates and controls; keep \\t and \\n."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.translate(_CLEAN) if _ANY_ODD.search(text) else text


def clean_char(code: int) -> str:
    """What one code point becomes: "" where it is dropped."""
    mapped = _CLEAN.get(code, chr(code))
    return mapped or ""


def symbol(code: int, font: str | None) -> str:
    """A character set in a symbol font; `code` may be 0x00-0xFF or U+F000-U+F0FF.

    An unmapped glyph of a symbol font is "" (an ornament), never a wrong letter.
    """
    table = _FONTS.get((font or "").strip().lower())
    low = code - 0xF000 if 0xF000 <= code <= 0xF0FF else code
    if table is None:
        return clean_char(0xF000 + low if code >= 0xF000 else code)
    return table.get(low, " " if low == 0x20 else "")


def is_symbol_font(font: str | None) -> bool:
    """Whether the letters of this font are pictures."""
    return (font or "").strip().lower() in _FONTS
