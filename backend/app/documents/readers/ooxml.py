"""Names and safe parsing of WordprocessingML parts."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator

from lxml import etree

from backend.app.common.errors import ParseLimitExceeded, UnreadableDocument
from backend.app.documents.archive import read_entry
from backend.app.documents.limits import ExtractLimits

Element = etree._Element

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
W14 = "{http://schemas.microsoft.com/office/word/2010/wordml}"
MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_RELATION = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"

# ISO "strict" documents use other namespaces for the same things.
_STRICT = (
    (
        b"http://purl.oclc.org/ooxml/wordprocessingml/main",
        b"http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    ),
    (
        b"http://purl.oclc.org/ooxml/officeDocument/math",
        b"http://schemas.openxmlformats.org/officeDocument/2006/math",
    ),
)
_OFF = frozenset(("0", "false", "off", "none"))


def parse_xml(raw: bytes) -> Element:
    """No entities, no DTD, no network, no giant trees (depth 256, text nodes of 10 MB)."""
    if b"<!DOCTYPE" in raw[:4096] or b"<!ENTITY" in raw[:65536]:
        raise UnreadableDocument()
    for strict, plain in _STRICT:
        if strict in raw[:8192]:
            raw = raw.replace(strict, plain)
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(raw, parser)
    except etree.XMLSyntaxError as error:
        if "depth" in str(error).lower() or "huge" in str(error).lower():
            raise ParseLimitExceeded() from error
        raise UnreadableDocument() from error


class Package:
    """The parts of one OOXML file, found by relationship rather than by customary name."""

    def __init__(self, archive: zipfile.ZipFile, limits: ExtractLimits) -> None:
        self._archive = archive
        self._limits = limits

    def part(self, name: str) -> Element | None:
        raw = read_entry(self._archive, name, self._limits.max_xml_part)
        return None if raw is None else parse_xml(raw)

    def main_part(self) -> str:
        """The name of the main document part. Raises UnreadableDocument when there is none."""
        for kind, target in self.targets(""):
            if kind == "officeDocument":
                return target
        raise UnreadableDocument()

    def targets(self, source: str) -> Iterator[tuple[str, str]]:
        """(relationship kind, part name) of a part's internal relationships; external ones are left out."""
        for _, kind, target in self._relations(source):
            yield kind, target

    def targets_by_id(self, source: str) -> dict[str, str]:
        """Part names by relationship id."""
        return {name: target for name, _, target in self._relations(source)}

    def _relations(self, source: str) -> Iterator[tuple[str, str, str]]:
        folder, name = posixpath.split(source)
        relations = self.part(posixpath.join(folder, "_rels", f"{name}.rels"))
        for relation in relations.iter(_RELATION) if relations is not None else ():
            if relation.get("TargetMode") == "External":
                continue
            target = relation.get("Target", "")
            joined = target.lstrip("/") if target.startswith("/") else posixpath.join(folder, target)
            kind = relation.get("Type", "").rsplit("/", 1)[-1]
            yield relation.get("Id", ""), kind, posixpath.normpath(joined)


def value(element: Element | None, name: str = "val") -> str | None:
    """A w: attribute of an element that may be missing."""
    return None if element is None else element.get(W + name)


def number(element: Element | None, name: str = "val") -> int | None:
    """The same as a whole number; None when it is not one."""
    text = value(element, name)
    try:
        return None if text is None else int(text)
    except ValueError:
        return None


def switched_on(element: Element | None) -> bool:
    """An on/off property: present and not switched off."""
    return element is not None and (element.get(W + "val") or "1").lower() not in _OFF
