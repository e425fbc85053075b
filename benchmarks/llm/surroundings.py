"""Where the benchmark runs, and the settings of what it measures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backend.app.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
OURS = ("SA_", "BIDDING_ASSISTANT_", "SPLITWORKLOAD_")


def settings_for(base_url: str, model: str, folder: Path, url: str) -> Settings:
    named: dict[str, Any] = dict(variables_of(base_url, model))
    return Settings(_env_file=None, database_url=url, data_dir=folder, **named)


def variables_of(base_url: str, model: str) -> dict[str, str]:
    return {
        "BIDDING_ASSISTANT_LLM_PROVIDER": "openai_compatible",
        "BIDDING_ASSISTANT_LLM_BASE_URL": base_url,
        "BIDDING_ASSISTANT_LLM_MODEL": model,
        "BIDDING_ASSISTANT_LLM_TIMEOUT": "300",
    }
