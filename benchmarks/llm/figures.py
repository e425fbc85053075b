"""The table of figures and targets."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class Table:
    """What was measured, as it comes; whether every target was met."""

    is_good: bool = True

    def head(self, title: str) -> None:
        print(f"\n{title}")

    def row(self, figure: str, value: str, target: str = "", *, met: bool | None = None) -> None:
        if met is not None:
            self.is_good = self.is_good and met
            target = f"{target}: {'met' if met else 'MISSED'}"
        print(f"  {figure:<46} {value:<34} {target}".rstrip(), flush=True)


def spread(values: Sequence[float]) -> str:
    return f"{min(values):.2f} ms ({statistics.median(values):.2f})"
