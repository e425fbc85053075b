"""Amounts of money as people read them."""

from __future__ import annotations


def yuan(amount: float) -> str:
    """10787900 → "1,078.79 万元"; below ten thousand in yuan."""
    if amount >= 10_000:
        return f"{amount / 10_000:,.6f}".rstrip("0").rstrip(".") + " 万元"
    return f"{amount:,.2f}".rstrip("0").rstrip(".") + " 元"
