"""The text of one Word paragraph, as a reader of the printed page sees it.

Kept: insertions, field results, hyperlinks, content controls, smart tags. Dropped: deletions, moved-away
text, field codes, hidden text (w:vanish: it is not printed, so no bidder is bound by it). Text boxes are
collected beside the text, because they stand beside it on the page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from backend.app.documents.glyphs import clean, is_symbol_font, symbol
from backend.app.documents.readers.docx_styles import Styles
from backend.app.documents.readers.ooxml import MC, W14, Element, M, W, switched_on, value

_TEXTBOX = W + "txbxContent"
_PLAIN_TEXT = {
    W + "tab": "\t",
    W + "ptab": "\t",
    W + "cr": "\n",
    W + "noBreakHyphen": "-",
}
_SKIPPED = frozenset(
    W + name
    for name in (
        "del", "moveFrom", "instrText", "delText", "delInstrText", "pPr", "rPr", "sectPr", "tbl", "rt",
        "softHyphen", "annotationRef", "footnoteReference", "endnoteReference", "commentReference", "sdtPr",
        "sdtEndPr", "rubyPr", "fldData", "bookmarkStart", "bookmarkEnd", "proofErr", "lastRenderedPageBreak",
    )
) | {M + "ctrlPr", M + "oMathParaPr", M + "rPr"}  # fmt: skip

# Word's overstrike field draws a tick into a box or a number into a circle: { EQ \o\ac(□,√) }.
_OVERSTRIKE = re.compile(r"\\o\s*(?:\\a[lrc])?\s*\(\s*([^,，\s]+)\s*[,，]\s*([^)\s]+)\s*\)", re.IGNORECASE)
_LONGEST_CODE = 400
_TICKS = "√✓✔vV×xX"
_ATTACHED = "\u25a1\u25fb\u2610"


@dataclass(slots=True)
class _Field:
    """A complex field while it is open: its code, whether its result has begun, its check box."""

    code: str = ""
    in_result: bool = False
    tick: str | None = None


@dataclass(slots=True)
class ParagraphText:
    """Collects one paragraph: `text`, and the text boxes anchored in it."""

    styles: Styles
    keeps_blanks: bool = False  # whether a run of one blank is the author's
    parts: list[str] = field(default_factory=list)
    boxes: list[Element] = field(default_factory=list)
    fields: list[_Field] = field(default_factory=list)

    @property
    def text(self) -> str:
        return clean("".join(self.parts if self.keeps_blanks else _without_wraps(self.parts)))

    def walk(self, element: Element) -> None:
        for child in element:
            tag = child.tag
            if tag == W + "r":
                self._run(child)
            elif tag == W + "sdt":
                self._control(child)
            elif tag == MC + "AlternateContent":
                self._alternate(child)
            elif tag == W + "fldSimple":
                self._simple_field(child)
            elif tag == M + "t":
                self._put(child.text or "")
            elif tag == _TEXTBOX:
                self.boxes.append(child)
            elif tag not in _SKIPPED and isinstance(tag, str):
                self.walk(child)

    def _put(self, text: str) -> None:
        if not any(not one.in_result for one in self.fields):
            self.parts.append(text)

    def _run(self, run: Element) -> None:
        properties = run.find(W + "rPr")
        font: str | None = None
        if properties is not None:
            if self._hidden(properties):
                self._fields_only(run)
                return
            fonts = properties.find(W + "rFonts")
            if fonts is not None:
                font = value(fonts, "ascii") or value(fonts, "hAnsi")
        for child in run:
            self._run_child(child, font)

    def _hidden(self, properties: Element) -> bool:
        vanish = properties.find(W + "vanish")
        if vanish is not None:
            return switched_on(vanish)
        style = properties.find(W + "rStyle")
        return style is not None and self.styles.get(value(style)).hidden

    def _fields_only(self, run: Element) -> None:
        """A hidden run still opens and closes the fields around visible text."""
        for child in run:
            self._field_part(child)

    def _field_part(self, child: Element) -> None:
        if child.tag == W + "fldChar":
            self._field_mark(child)
        elif child.tag == W + "instrText" and self.fields:
            self.fields[-1].code += child.text or ""

    def _run_child(self, child: Element, font: str | None) -> None:
        tag = child.tag
        if tag == W + "t":
            self._put(_in_font(child.text or "", font))
        elif tag in _PLAIN_TEXT:
            self._put(_PLAIN_TEXT[tag])
        elif tag == W + "br":
            if value(child, "type") in (None, "textWrapping"):
                self._put("\n")
        elif tag == W + "sym":
            self._put(_symbol(child))
        elif tag in (W + "fldChar", W + "instrText"):
            self._field_part(child)
        elif tag == MC + "AlternateContent":
            self._alternate(child)
        elif tag == _TEXTBOX:
            self.boxes.append(child)
        elif tag not in _SKIPPED and isinstance(tag, str):
            self.walk(child)

    def _field_mark(self, mark: Element) -> None:
        kind = value(mark, "fldCharType")
        if kind == "begin":
            self.fields.append(_Field(tick=_form_tick(mark)))
        elif kind == "separate" and self.fields:
            self.fields[-1].in_result = True
        elif kind == "end" and self.fields:
            closed = self.fields.pop()
            if closed.tick is not None:
                self._put(closed.tick)
            elif not closed.in_result or closed.code.strip().upper().startswith("EQ"):
                self._put(_drawn(closed.code))

    def _simple_field(self, element: Element) -> None:
        before = len(self.parts)
        self.walk(element)
        if len(self.parts) == before:
            self._put(_drawn(value(element, "instr") or ""))

    def _control(self, control: Element) -> None:
        content = control.find(W + "sdtContent")
        if content is None:
            return
        box = control.find(f"{W}sdtPr/{W14}checkbox")
        if box is None:
            self.walk(content)
            return
        state = box.find(W14 + "checked")
        checked = state is not None and (state.get(W14 + "val") or "1") in ("1", "true", "on")
        self._put("☑" if checked else "□")

    def _alternate(self, element: Element) -> None:
        """mc:AlternateContent says the same thing twice: the first branch that says anything is taken."""
        for branch in element:
            if branch.tag not in (MC + "Choice", MC + "Fallback"):
                continue
            before = (len(self.parts), len(self.boxes))
            self.walk(branch)
            if (len(self.parts), len(self.boxes)) != before:
                return


def _without_wraps(parts: list[str]) -> list[str]:
    """Leave out blanks that only mark where a line once ended.

    Converters from PDF put a run of one blank there. Between two Chinese characters it means nothing.
    """
    return [
        part
        for at, part in enumerate(parts)
        if part != " " or not 0 < at < len(parts) - 1 or not _between_chinese(parts[at - 1], parts[at + 1])
    ]


def _between_chinese(before: str, after: str) -> bool:
    return bool(before and after) and _is_chinese(before[-1]) and _is_chinese(after[0])


def _is_chinese(char: str) -> bool:
    return "\u4e00" <= char <= "\u9fff" or char in "，。；：、“”《》（）"


def paragraph_text(paragraph: Element, styles: Styles, *, keeps_blanks: bool = False) -> ParagraphText:
    found = ParagraphText(styles, keeps_blanks)
    found.walk(paragraph)
    return found


def _in_font(text: str, font: str | None) -> str:
    """Text set in Wingdings: the letters stand for pictures. Chinese characters in it stay themselves."""
    if not font or not is_symbol_font(font):
        return text
    return "".join(
        symbol(ord(char), font) if ord(char) < 0x100 or 0xF000 <= ord(char) <= 0xF0FF else char
        for char in text
    )


def _symbol(element: Element) -> str:
    try:
        code = int(value(element, "char") or "", 16)
    except ValueError:
        return ""
    return symbol(code, value(element, "font")) if code <= 0x10FFFF else ""


def _form_tick(mark: Element) -> str | None:
    """The state of a legacy form check box (FORMCHECKBOX); None for every other field."""
    box = mark.find(f"{W}ffData/{W}checkBox")
    if box is None:
        return None
    state = box.find(W + "checked")
    if state is None:
        state = box.find(W + "default")
    return "☑" if switched_on(state) else "□"


def _drawn(code: str) -> str:
    """What an EQ field draws, where it is a box with a tick or a number in a circle; "" otherwise."""
    if not code.strip().upper().startswith("EQ"):
        return ""
    match = _OVERSTRIKE.search(code[:_LONGEST_CODE])
    if match is None:
        return ""
    frame, inner = match.groups()
    if frame in _ATTACHED:
        return "☑" if inner in _TICKS else inner
    if inner.isdecimal() and 1 <= int(inner) <= 20:
        return chr(0x2460 + int(inner) - 1)
    return inner if frame in "○〇◯" else f"{frame}{inner}"
