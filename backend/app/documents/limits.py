"""How much a document may hold before reading it stops with ParseLimitExceeded."""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ExtractLimits:
    """Bounds on what a reader takes in and gives out. Sizes in bytes unless the name says otherwise."""

    max_chars: int = 6_000_000  # code points of the canonical text
    max_blocks: int = 300_000
    max_pages: int = 5_000
    max_text_file: int = 64 * MEGABYTE  # txt, md, html
    max_xml_part: int = 96 * MEGABYTE  # one XML part of an OOXML package, unpacked
    max_unpacked: int = 512 * MEGABYTE  # all entries of an archive together, unpacked
    max_entries: int = 10_000  # entries of an archive
    max_ratio: int = 250  # unpacked : packed, of an entry that unpacks to more than `ratio_from`
    ratio_from: int = 8 * MEGABYTE
    office_seconds: float = 90.0  # for LibreOffice; without them old Word files are read by our own reader
