"""Gates on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from backend.app.api.errors import Language
from backend.app.common.errors import LLMGateClosed
from backend.app.llm.gate_rows import GateRow


class GateOut(BaseModel):
    """One way to a language model."""

    name: str = Field(description="部署名称", examples=["qwen-main"])
    provider: str
    model: str
    purposes: list[str] = Field(description="bidding、workload；空为所有用途")
    state: Literal["open", "closed"]
    closed_until: datetime | None = Field(description="再次开放或下一次探测的时间；开放时为 null")
    needs_probe: bool = Field(description="true：密钥或余额问题，探测成功或更改配置后才会开放")
    reason: str | None
    error_code: str | None
    message: str | None

    @classmethod
    def of(cls, row: GateRow, language: Language) -> GateOut:
        is_closed = row.closed_for is not None
        return cls(
            name=row.name,
            provider=row.provider,
            model=row.model,
            purposes=list(row.purposes),
            state="closed" if is_closed else "open",
            closed_until=row.closed_until,
            needs_probe=is_closed and row.needs_probe,
            reason=row.reason or None if is_closed else None,
            error_code=row.error_code or None if is_closed else None,
            message=LLMGateClosed(reason=row.reason).sentence(language) if is_closed else None,
        )


class GatesOut(BaseModel):
    gates: list[GateOut]
