"""Choices by check boxes: which of the options of a passage are ticked."""

from __future__ import annotations

import re

TICKED = "☑■√☒✓✔▣●"
OPEN = "□☐○◯"
_BOX = re.compile(f"[{TICKED}{OPEN}]")


def options(compact: str) -> list[tuple[bool, int, int]]:
    """(ticked, start, end) of each option: the words behind a box, up to the next box.

    A passage where only one kind of box occurs with no open one (a list with ● bullets) has no options.
    """
    boxes = list(_BOX.finditer(compact))
    if not boxes or not any(match.group() in OPEN or match.group() in "☑☒" for match in boxes):
        return []
    ends = [*(match.start() for match in boxes[1:]), len(compact)]
    return [(match.group() in TICKED, match.end(), end) for match, end in zip(boxes, ends, strict=True)]


def is_rejected(compact: str, at: int) -> bool:
    """Whether `at` lies in the words of an option that is not ticked."""
    return any(start <= at < end and not ticked for ticked, start, end in options(compact))
