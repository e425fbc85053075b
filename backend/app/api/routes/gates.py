"""Gates: which ways to the language models are open."""

from __future__ import annotations

from fastapi import APIRouter

from backend.app.api.deps import ClientLanguage, CurrentUser, Parts
from backend.app.api.openapi import problems
from backend.app.api.schemas_gates import GateOut, GatesOut

router = APIRouter(prefix="/api", tags=["gates"])


@router.get("/gates", responses=problems(401, 503))
async def gates(_user: CurrentUser, services: Parts, language: ClientLanguage) -> GatesOut:
    """各 LLM 部署当前是否可用；全部关闭时，等待中的任务会停在队列里，恢复后自动继续。"""
    return GatesOut(gates=[GateOut.of(row, language) for row in await services.gates.rows()])
