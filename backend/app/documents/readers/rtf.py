"""RTF documents, and what many a ".doc" really is.

Order of the canonical text: the body, with each text box after the paragraph that holds it; then footnotes,
headers, footers (each distinct text once). Automatic numbers stand in the file as \\listtext and are read
from there. Hidden and deleted text is left out, as are the copies of a text that RTF keeps for old readers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backend.app.common.errors import ParseLimitExceeded, UnreadableDocument
from backend.app.documents.builder import DocumentBuilder
from backend.app.documents.canonical import BlockKind, Document
from backend.app.documents.limits import ExtractLimits
from backend.app.documents.readers.docx import PAGE_NUMBER
from backend.app.documents.readers.rtf_fonts import Fonts
from backend.app.documents.readers.rtf_tokens import Kind, Token, tokens
from backend.app.documents.readers.story import BodyWriter, Story
from backend.app.documents.readers.txt import read_bounded

MEDIA_TYPE = "application/rtf"

_MAX_DEPTH = 2_000
# Groups that hold no text of the document; so are all marked \* that this reader does not know.
_UNSEEN = frozenset(
    (
        "aftncn", "aftnsep", "aftnsepc", "annotation", "atnauthor", "atnid", "bkmkend", "bkmkstart",
        "colorschememapping", "colortbl", "datastore", "do", "falt", "fldinst", "filetbl", "fontemb",
        "formfield", "ftncn", "ftnsep", "ftnsepc", "generator", "info", "latentstyles", "listname",
        "listoverridetable", "listpicture", "listtable", "nonesttables", "nonshppict", "objdata", "object",
        "panose", "pgptbl", "pict", "pntxta", "pntxtb", "private", "revtbl", "rsidtbl", "shprslt",
        "sp", "stylesheet", "tc", "template", "themedata", "upr", "xe", "xmlnstbl",
    )
)  # fmt: skip
_STARRED_BUT_SEEN = frozenset(("shpinst", "nesttableprops"))
_ASIDE = {
    "footnote": BlockKind.FOOTNOTE, "shptxt": BlockKind.TEXTBOX,
    "header": BlockKind.HEADER, "headerl": BlockKind.HEADER, "headerr": BlockKind.HEADER,
    "headerf": BlockKind.HEADER, "footer": BlockKind.FOOTER, "footerl": BlockKind.FOOTER,
    "footerr": BlockKind.FOOTER, "footerf": BlockKind.FOOTER,
}  # fmt: skip
_CHARACTERS = {
    "tab": "\t", "line": "\n", "lbr": "\n", "softline": "\n", "page": "\n", "column": "\n", "emdash": "—",
    "endash": "–", "bullet": "•", "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”",
    "emspace": " ", "enspace": " ", "qmspace": " ",
}  # fmt: skip
_SYMBOLS = {"~": " ", "_": "-", "{": "{", "}": "}", "\\": "\\"}


def read_rtf(path: Path, limits: ExtractLimits) -> Document:
    """Raises EmptyDocument, UnreadableDocument or ParseLimitExceeded."""
    data = read_bounded(path, limits).lstrip()
    if not data.startswith(b"{\\rtf"):
        raise UnreadableDocument()
    builder = DocumentBuilder(limits, media_type=MEDIA_TYPE)
    reader = _Reader(builder, limits)
    for token in tokens(data):
        reader.take(token)
    reader.finish()
    return builder.build()


@dataclass(frozen=True, slots=True)
class _State:
    """What a group inherits from the group around it."""

    unseen: bool = False
    hidden: bool = False
    skip: int = 1  # \\uc: characters that follow a \\u for readers without Unicode
    font: int = -1
    level: int | None = None  # \\outlinelevel, from 0
    in_table: bool = False
    depth: int = 1  # \\itap: of the table that the paragraph stands in


class _Reader:
    def __init__(self, builder: DocumentBuilder, limits: ExtractLimits) -> None:
        self._builder = builder
        self._body = BodyWriter(builder)
        self._limits = limits
        self._states = [_State()]
        self._stories = [Story(None, 0)]
        self.fonts = Fonts()
        self._font_table = 0  # depth of the group \\fonttbl; 0 outside
        self._bytes = bytearray()
        self._high: int | None = None  # first half of a surrogate pair
        self._skip = 0
        self._starred = self._opened = False
        self._taken = 0
        self._aside: dict[BlockKind, list[str]] = {kind: [] for kind in _ASIDE.values()}

    @property
    def state(self) -> _State:
        return self._states[-1]

    @property
    def story(self) -> Story:
        return self._stories[-1]

    def take(self, token: Token) -> None:
        if token.kind is Kind.OPEN:
            self._open()
            return
        if token.kind is Kind.SYMBOL and token.name == "*":
            self._starred = self._opened
            return
        if token.kind is Kind.CLOSE:
            self._close()
        elif token.kind is Kind.SYMBOL:
            self._symbol(token.name)
        elif token.kind is Kind.WORD:
            self._word(token.name, token.number)
        else:
            self._take_bytes(token.raw, coded=token.kind is Kind.CODED)
        self._opened = self._starred = False

    def finish(self) -> None:
        """The last paragraph, an open table, then everything that stands aside."""
        self._flush()
        while len(self._stories) > 1:
            self._end_story()
        self._body.paragraph(self.story, None)
        for kind in (BlockKind.FOOTNOTE, BlockKind.HEADER, BlockKind.FOOTER):
            for text in dict.fromkeys(self._aside[kind]):
                if kind is BlockKind.FOOTNOTE or not PAGE_NUMBER.match(text):
                    self._builder.add(text, kind)

    def set(self, **changes: Any) -> None:
        """Change the state of the open group."""
        self._states[-1] = replace(self.state, **changes)

    def end_paragraph(self) -> None:
        if self.state.in_table or self.story.kind is not None:
            self.story.end_line()
        else:
            self._body.paragraph(self.story, self.state.level)

    def _open(self) -> None:
        self._flush()
        self._skip = 0
        if len(self._states) > _MAX_DEPTH:
            raise ParseLimitExceeded()
        self._states.append(self.state)
        self._opened = True

    def _close(self) -> None:
        self._flush()
        self._skip = 0
        if len(self._states) == 1:
            return
        if len(self._states) == self._font_table:
            self._font_table = 0
        if self.story.depth == len(self._states):
            self._end_story()
        self._states.pop()

    def _take_bytes(self, raw: bytes, *, coded: bool) -> None:
        dropped = min(self._skip, len(raw))
        self._skip -= dropped
        raw = raw[dropped:]
        if self._font_table:
            self.fonts.named(raw)
        elif not raw or self.state.unseen:
            return
        elif coded or self._bytes:  # the second byte of a Chinese letter may stand as it is
            self._bytes += raw
        else:
            self._put(self.fonts.decoded(raw, self.state.font))

    def _flush(self) -> None:
        """Decode the bytes that have gathered."""
        self._high = None
        if self._bytes:
            raw = bytes(self._bytes)
            self._bytes.clear()
            self._put(self.fonts.decoded(raw, self.state.font))

    def _put(self, text: str) -> None:
        if self.state.unseen or self.state.hidden or self._font_table:
            return
        self._taken += len(text)
        if self._taken > 2 * self._limits.max_chars:
            raise ParseLimitExceeded()
        self.story.parts.append(text)

    def _unicode(self, number: int) -> None:
        high = self._high
        self._flush()
        code = number + 65536 if number < 0 else number
        if 0xD800 <= code < 0xDC00:
            self._high = code
        elif 0xDC00 <= code < 0xE000:
            if high is not None:
                self._put(chr(0x10000 + ((high - 0xD800) << 10) + code - 0xDC00))
        elif 0 < code < 0x110000:
            self._put(self.fonts.letter(code, self.state.font))
        self._skip = self.state.skip

    def _symbol(self, name: str) -> None:
        if self._skip:
            self._skip -= 1
            return
        self._flush()
        if name in "\r\n":
            self.end_paragraph()
        else:
            self._put(_SYMBOLS.get(name, ""))

    def _word(self, name: str, number: int | None) -> None:
        if name == "u" and number is not None:
            self._unicode(number)
            return
        if self._skip and name in _CHARACTERS:
            self._skip -= 1
            return
        self._flush()
        if self._font_table:
            self.fonts.word(name, number)
        elif self._destination(name) or self.state.unseen:
            return
        elif name in _CHARACTERS:
            self._put(_CHARACTERS[name])
        elif name in _ACTIONS:
            _ACTIONS[name](self, number)

    def _destination(self, name: str) -> bool:
        """Whether the word opens a group that is read apart, or not at all."""
        if not self._opened or self.state.unseen:
            return False
        if name in _ASIDE:
            self._stories.append(Story(_ASIDE[name], len(self._states)))
            self.set(in_table=False, depth=1, level=None, hidden=False)
        elif name == "fonttbl":
            self._font_table = len(self._states)
        elif name in _UNSEEN or (self._starred and name not in _STARRED_BUT_SEEN):
            self.set(unseen=True)
        else:
            return False
        return True

    def _end_story(self) -> None:
        story = self._stories.pop()
        texts = story.texts()
        kind = story.kind or BlockKind.FOOTNOTE
        if kind is BlockKind.TEXTBOX:
            self.story.boxes += texts
        elif kind is BlockKind.FOOTNOTE:
            self._aside[kind].append("\n".join(texts))
        else:
            self._aside[kind] += texts


_Action = Callable[[_Reader, "int | None"], None]


def _begin_row(reader: _Reader, _number: int | None) -> None:
    if reader.state.depth <= 1:
        reader.story.begin_row()


def _edge(reader: _Reader, number: int | None) -> None:
    if reader.state.depth <= 1:
        reader.story.edge(number or 0)


def _skip(reader: _Reader, number: int | None) -> None:
    reader.set(skip=min(max(1 if number is None else number, 0), 16))


def _shape(name: str) -> _Action:
    return lambda reader, _: setattr(reader.story.shape, name, True)


def _hide(reader: _Reader, number: int | None) -> None:
    reader.set(hidden=number != 0)


_ACTIONS: dict[str, _Action] = {
    "par": lambda reader, _: reader.end_paragraph(),
    "sect": lambda reader, _: reader.end_paragraph(),
    "pard": lambda reader, _: reader.set(in_table=False, level=None, depth=1),
    "intbl": lambda reader, _: reader.set(in_table=True),
    "itap": lambda reader, number: reader.set(depth=number or 0, in_table=bool(number)),
    "outlinelevel": lambda reader, number: reader.set(level=number),
    "cell": lambda reader, _: reader.story.end_cell(),
    "nestcell": lambda reader, _: reader.story.end_nested_cell(),
    "nestrow": lambda reader, _: reader.story.end_nested_row(),
    "row": lambda reader, _: reader.story.end_row(),
    "trowd": _begin_row,
    "cellx": _edge,
    "clvmgf": _shape("first_down"),
    "clvmrg": _shape("goes_on_down"),
    "clmrg": _shape("goes_on_right"),
    "uc": _skip,
    "f": lambda reader, number: reader.set(font=-1 if number is None else number),
    "plain": lambda reader, _: reader.set(font=-1, hidden=False),
    "v": _hide,
    "deleted": _hide,
    "deff": lambda reader, number: setattr(reader.fonts, "default", number or 0),
    "ansicpg": lambda reader, number: reader.fonts.set_page(number or 0),
    "mac": lambda reader, _: reader.fonts.set_page(10000),
    "pc": lambda reader, _: reader.fonts.set_page(437),
    "pca": lambda reader, _: reader.fonts.set_page(850),
}
