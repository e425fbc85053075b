"""What the OCR child may use."""

from __future__ import annotations

from dataclasses import dataclass

from backend.app.documents.limits import MEGABYTE


@dataclass(frozen=True, slots=True)
class OcrLimits:
    """`memory_bytes` are addresses: a dense page takes 2 GiB of them, and 0.8 GiB of memory.

    Seconds are for a machine that is busy with other things: alone it takes 3 to 7 for a page.
    """

    memory_bytes: int = 3072 * MEGABYTE
    start_seconds: float = 120.0
    page_seconds: float = 300.0
    page_cpu_seconds: int = 180
    page_bytes: int = 4 * MEGABYTE
    open_files: int = 64
    member_bytes: int = 256 * MEGABYTE  # of a package
    turn: int = 20  # pages, after which somebody who waits comes first
