"""Health, for supervisors, load balancers and the first page."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from backend.app.api.deps import Parts
from backend.app.api.health import readiness
from backend.app.api.schemas import Health

router = APIRouter(prefix="/health", tags=["health"])

_unready: dict[int | str, dict[str, Any]] = {503: {"model": Health, "description": "暂不能提供服务"}}


@router.get("/live", response_model_exclude_none=True)
async def live() -> Health:
    """进程存活。"""
    return Health(status="ok")


@router.get("/ready", responses=_unready)
async def ready(services: Parts, response: Response) -> Health:
    """数据库、迁移与存储是否就绪；近期未见 worker 时只提示，不算失败。"""
    found = await readiness(services)
    response.status_code = 200 if found.ready else 503
    response.headers["cache-control"] = "no-store"
    return Health(status="ok" if found.ready else "unavailable", checks=found.checks)
