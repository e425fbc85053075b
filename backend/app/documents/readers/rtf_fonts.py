"""Which characters bytes of an RTF file stand for: by the font's character set, else the file's code page."""

from __future__ import annotations

from dataclasses import dataclass, field

from backend.app.documents.glyphs import is_symbol_font, symbol

_SYMBOL_CHARSET = 2
_WESTERN = "cp1252"
# Encodings by a font's \fcharset. Chinese pages are read as the larger set that holds them.
_CHARSETS = {
    0: _WESTERN, 77: "mac_roman", 128: "cp932", 129: "cp949", 134: "gb18030", 136: "big5hkscs",
    161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257",
    204: "cp1251", 222: "cp874", 238: "cp1250",
}  # fmt: skip
_PAGES = {
    936: "gb18030", 54936: "gb18030", 10008: "gb18030", 950: "big5hkscs", 65001: "utf-8", 10000: "mac_roman",
}  # fmt: skip
_MULTIBYTE = frozenset(("gb18030", "big5hkscs", "cp932", "cp949", "utf-8"))
_LONGEST_NAME = 64


@dataclass(slots=True)
class _Font:
    encoding: str | None = None
    symbols: bool = False
    name: str = ""


@dataclass(slots=True)
class Fonts:
    """The font table, filled word by word; `default` is used where no font is named."""

    page: str = _WESTERN
    default: int = -1
    _known: dict[int, _Font] = field(default_factory=dict)
    _defined: _Font = field(default_factory=_Font)

    def set_page(self, number: int) -> None:
        self.page = _page_name(number) or self.page

    def word(self, name: str, number: int | None) -> None:
        """A control word inside the font table."""
        if number is None:
            return
        if name == "f":
            self._defined = self._known.setdefault(number, _Font())
        elif name == "fcharset":
            self._defined.symbols = number == _SYMBOL_CHARSET
            self._defined.encoding = _CHARSETS.get(number)
        elif name == "cpg":
            self._defined.encoding = _page_name(number)

    def named(self, raw: bytes) -> None:
        """A piece of the name of the font that is being defined."""
        if len(self._defined.name) < _LONGEST_NAME:
            self._defined.name += raw.decode("ascii", "replace").replace(";", "")

    def decoded(self, raw: bytes, number: int) -> str:
        font = self._font(number)
        if font.symbols:
            return "".join(symbol(byte, _symbol_name(font)) for byte in raw)
        if font.encoding in (None, _WESTERN):
            return _in_page(raw, self.page)
        return raw.decode(font.encoding or self.page, "replace")

    def letter(self, code: int, number: int) -> str:
        """A character given by its code point: in a symbol font those of the private area are pictures."""
        font = self._font(number)
        if 0xF000 <= code <= 0xF0FF and (font.symbols or is_symbol_font(font.name.strip())):
            return symbol(code, _symbol_name(font))
        return chr(code)

    def _font(self, number: int) -> _Font:
        return self._known.get(number if number >= 0 else self.default) or _Font()


def _symbol_name(font: _Font) -> str:
    name = font.name.strip()
    return name if is_symbol_font(name) else "wingdings"


def _page_name(number: int) -> str | None:
    if number in _PAGES:
        return _PAGES[number]
    try:
        "".encode(f"cp{number}")
    except LookupError:
        return None
    return f"cp{number}"


def _in_page(raw: bytes, page: str) -> str:
    """Bytes of a Western font: Chinese programs name such a font for Chinese letters too."""
    if page in _MULTIBYTE:
        return raw.decode(page, "replace")
    try:
        return raw.decode(_WESTERN)
    except UnicodeDecodeError:
        return raw.decode(page, "replace")
