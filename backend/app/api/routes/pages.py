"""The first page, the READMEs and the offline API documentation."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse
from starlette.staticfiles import StaticFiles

from backend.app.api.deps import Parts
from backend.app.api.openapi import document
from backend.app.common.errors import NotFound

router = APIRouter(include_in_schema=False)

_SWAGGER = Path(__file__).resolve().parents[1] / "static" / "swagger"


@router.get("/docs")
async def docs() -> FileResponse:
    return FileResponse(_SWAGGER / "index.html")


@router.get("/openapi.json")
async def openapi(request: Request) -> JSONResponse:
    return JSONResponse(document(request.app))


@router.get("/")
async def first_page(services: Parts) -> FileResponse:
    return FileResponse(services.options.pages / "index.html")


@router.get("/README.md")
@router.get("/README.zh-CN.md")
async def readme(request: Request, services: Parts) -> FileResponse:
    """The README as plain text."""
    file = services.options.readmes / request.url.path.removeprefix("/")
    if not file.is_file():
        raise NotFound
    return FileResponse(file, media_type="text/plain; charset=utf-8")


def mount_static(app: FastAPI, pages: Path) -> None:
    app.mount("/docs/assets", StaticFiles(directory=_SWAGGER), name="docs-assets")
    app.mount("/assets", StaticFiles(directory=pages / "assets", check_dir=False), name="assets")
