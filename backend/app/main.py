"""`uvicorn backend.app.main:create_app --factory`"""

from __future__ import annotations

from fastapi import FastAPI

from backend.app import bootstrap
from backend.app.settings import load_settings


def create_app() -> FastAPI:
    """The application of this environment. Raises SettingsError with a sentence for the operator."""
    settings = load_settings()
    bootstrap.configure_logging(settings)
    return bootstrap.build_api(settings)
