"""Paragraph and character styles: outline levels, numbering and hidden text, resolved along basedOn."""

from __future__ import annotations

import re
from dataclasses import dataclass

from backend.app.documents.readers.ooxml import Element, W, number, switched_on, value

_BODY_TEXT = 9  # w:outlineLvl of ordinary text
_HEADING_NAME = re.compile(r"^(?:heading|标题)\s*([1-9])$", re.IGNORECASE)
_CONTENTS_NAME = re.compile(r"^(?:toc|目录)\s*\d$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Style:
    """What reading needs of a style; None means: not said here nor in the styles it is based on."""

    level: int | None = None  # 1-based heading level
    num_id: str | None = None
    num_level: int | None = None
    num_style: str | None = None  # the style that says num_id: a list level may be tied to it
    hidden: bool = False
    contents: bool = False  # an entry of a table of contents


PLAIN = Style()


class Styles:
    """All styles of a document by id."""

    def __init__(self, root: Element | None) -> None:
        self._elements: dict[str, Element] = {}
        self._resolved: dict[str, Style] = {}
        self._default: str | None = None
        for style in root.findall(W + "style") if root is not None else ():
            style_id = value(style, "styleId")
            if style_id is None:
                continue
            self._elements[style_id] = style
            if value(style, "type") == "paragraph" and value(style, "default") in ("1", "true"):
                self._default = style_id

    def get(self, style_id: str | None) -> Style:
        return self._resolve(style_id, frozenset()) if style_id else PLAIN

    def paragraph(self, style_id: str | None) -> Style:
        """The style of a paragraph, the default one where none is named."""
        return self.get(style_id if style_id in self._elements else self._default)

    def _resolve(self, style_id: str, seen: frozenset[str]) -> Style:
        if style_id in self._resolved:
            return self._resolved[style_id]
        element = self._elements.get(style_id)
        if element is None or style_id in seen:
            return PLAIN
        base_id = value(element.find(W + "basedOn"))
        above = self._resolve(base_id, seen | {style_id}) if base_id else PLAIN
        style = _read(element, style_id, above)
        self._resolved[style_id] = style
        return style


def _read(element: Element, style_id: str, above: Style) -> Style:
    name = (value(element.find(W + "name")) or "").strip()
    paragraph = element.find(W + "pPr")
    run = element.find(W + "rPr")
    num = paragraph.find(W + "numPr") if paragraph is not None else None
    outline = number(paragraph.find(W + "outlineLvl")) if paragraph is not None else None
    named = _HEADING_NAME.match(name)
    level = above.level
    if outline is not None:
        level = outline + 1 if outline < _BODY_TEXT else None
    elif named:
        level = int(named.group(1))
    vanish = run.find(W + "vanish") if run is not None else None
    num_id = value(num.find(W + "numId")) if num is not None else None
    return Style(
        level=level,
        num_id=num_id or above.num_id,
        num_style=style_id if num_id else above.num_style,
        num_level=_first(number(num.find(W + "ilvl")) if num is not None else None, above.num_level),
        hidden=switched_on(vanish) if vanish is not None else above.hidden,
        contents=bool(_CONTENTS_NAME.match(name)) or above.contents,
    )


def _first(one: int | None, other: int | None) -> int | None:
    return other if one is None else one
