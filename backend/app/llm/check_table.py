"""The table that `cli llm-check` prints, with a sentence for each deployment that failed."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import east_asian_width

from backend.app.llm.check import Checked
from backend.app.llm.types import kind_of

_HEAD = ("部署", "提供方", "模型", "密钥", "延迟", "结构化输出", "结果")


def format_checked(checked: Sequence[Checked]) -> str:
    """Columns aligned for a terminal, where a Han character is two wide."""
    rows = [_HEAD, *(_row(found) for found in checked)]
    widths = [max(_width(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(_padded(cell, width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, "  ".join("─" * width for width in widths))
    failed = [found for found in checked if found.error is not None]
    return "\n".join([*(line.rstrip() for line in lines), *(_sentence(found) for found in failed)])


def _row(found: Checked) -> tuple[str, ...]:
    deployment = found.deployment
    is_good = found.error is None
    return (
        deployment.label,
        deployment.provider,
        deployment.model,
        "已设置" if deployment.api_key else "未设置",
        f"{found.latency_ms:,.0f} ms",
        found.level if is_good else "-",
        "✓ 正常" if is_good else "✗ 失败",
    )


def _sentence(found: Checked) -> str:
    """What failed, in our words: never what the server said, which may hold the key."""
    assert found.error is not None  # noqa: S101  only failed ones are told
    kind, detail = kind_of(found.error), found.error.params.get("detail")
    why = detail if kind is None else f"{kind}：{detail}"
    return f"✗ {found.deployment.label}：{found.error.sentence()}（{why}）"


def _width(text: str) -> int:
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
