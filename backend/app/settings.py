"""The environment, read once: names, meanings, defaults and ranges are those of `.env.example`.

Only bootstrap, main, cli, the worker and migrate_db import this module; everything else is handed values.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import AliasChoices, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

REPOSITORY = Path(__file__).resolve().parents[2]

LLMProvider = Literal[
    "rules",
    "openai",
    "dashscope",
    "azure_openai",
    "deepseek",
    "moonshot",
    "zhipu",
    "ollama",
    "openai_compatible",
]


class SettingsError(Exception):
    """A setting that stops the start; the text is one sentence that names it."""


def _named(name: str) -> Any:
    """A field of the user's own document, whose name has no SA_ prefix."""
    return AliasChoices(name)


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SA_", extra="ignore", frozen=True, env_ignore_empty=True)

    env: Literal["development", "production"] = "development"
    database_url: str = ""
    data_dir: Path = REPOSITORY / "data"
    storage_url: str = ""
    jwt_secret: str = Field("", repr=False)
    registration: Literal["open", "closed"] = "open"
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()

    max_upload_mb: int = Field(50, ge=1, le=2048)
    max_text_chars: int = Field(2_000_000, ge=1000, le=20_000_000)
    ocr_max_pages: int = Field(200, ge=0, le=10_000)
    max_active_tasks_per_user: int = Field(100, ge=1, le=1_000_000)
    max_running_per_user: int = Field(10, ge=1, le=10_000)

    poll_interval: float = Field(2.0, ge=0.05, le=60)
    batch_size: int = Field(5, ge=1, le=1000)
    max_consecutive_errors: int = Field(10, ge=1, le=1000)
    worker_concurrency: int = Field(50, ge=1, le=2000)
    parse_processes: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=64)
    lease_seconds: float = Field(20, ge=2, le=600)
    heartbeat_seconds: float = Field(5, ge=0.5, le=120)
    shutdown_grace: float = Field(30, ge=0, le=3600)
    task_timeout: float = Field(1800, ge=1, le=86_400)
    task_budget: float = Field(0, ge=0, le=1_000_000)
    retention_days: int = Field(0, ge=0, le=36_500)

    log_format: Literal["json", "console"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_file: Path | None = None
    metrics_token: str = Field("", repr=False)
    legacy_wait: float = Field(110, ge=0, le=600)
    llm_config: Path | None = None
    traces_endpoint: str = ""

    bidding_llm_provider: LLMProvider = Field(
        "rules", validation_alias=_named("BIDDING_ASSISTANT_LLM_PROVIDER")
    )
    bidding_llm_model: str = Field("", validation_alias=_named("BIDDING_ASSISTANT_LLM_MODEL"))
    bidding_llm_api_key: str = Field("", validation_alias=_named("BIDDING_ASSISTANT_LLM_API_KEY"), repr=False)
    bidding_llm_base_url: str = Field("", validation_alias=_named("BIDDING_ASSISTANT_LLM_BASE_URL"))
    bidding_llm_timeout: float = Field(
        90, ge=0, le=3600, validation_alias=_named("BIDDING_ASSISTANT_LLM_TIMEOUT")
    )
    workload_model_provider: LLMProvider = Field(
        "rules", validation_alias=_named("SPLITWORKLOAD_MODEL_PROVIDER")
    )
    workload_model_path: str = Field("", validation_alias=_named("SPLITWORKLOAD_MODEL_PATH"))
    workload_model_api_key: str = Field(
        "", validation_alias=_named("SPLITWORKLOAD_MODEL_API_KEY"), repr=False
    )
    workload_model_base_url: str = Field("", validation_alias=_named("SPLITWORKLOAD_MODEL_BASE_URL"))
    workload_model_timeout: float = Field(
        60, ge=0, le=3600, validation_alias=_named("SPLITWORKLOAD_MODEL_TIMEOUT")
    )

    @field_validator("cors_origins", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("data_dir", "log_file", "llm_config")
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        """Relative to the repository, not to where a command happens to be started."""
        return None if value is None else REPOSITORY / value.expanduser()

    @property
    def max_upload_bytes(self) -> int:
        return self.max_upload_mb * 1024 * 1024


def load_settings(env_file: Path | None = REPOSITORY / ".env") -> Settings:
    """Read the environment, and `.env` beneath it. Raises SettingsError with a sentence for the operator."""
    try:
        settings = Settings(_env_file=env_file)
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None
    if not settings.database_url:
        url = f"sqlite:///{settings.data_dir / 'sales_assistant.db'}"
        settings = settings.model_copy(update={"database_url": url})
    elif relative := re.fullmatch(r"(sqlite(?:\+\w+)?:///)(?!/|:memory:)(.+)", settings.database_url):
        url = f"{relative[1]}{REPOSITORY / relative[2]}"
        settings = settings.model_copy(update={"database_url": url})
    _check(settings)
    return settings


def variables(env_file: Path | None = REPOSITORY / ".env") -> Mapping[str, str]:
    """The whole environment, `.env` beneath it: for keys whose names stand in the file of SA_LLM_CONFIG."""
    beneath = dotenv_values(env_file) if env_file is not None and env_file.is_file() else {}
    return {name: value for name, value in (beneath | dict(os.environ)).items() if value}


def _check(settings: Settings) -> None:
    if settings.lease_seconds < 3 * settings.heartbeat_seconds:
        raise SettingsError(
            "配置错误：SA_LEASE_SECONDS 至少应为 SA_HEARTBEAT_SECONDS 的 3 倍"
            f"（现为 {settings.lease_seconds:g} 与 {settings.heartbeat_seconds:g}）"
        )
    if settings.storage_url and not settings.storage_url.startswith(("file:///", "file://localhost/")):
        raise SettingsError(
            "配置错误：SA_STORAGE_URL 应为空，或形如 file:///var/lib/sales-assistant/files"
            f"（现为 {settings.storage_url!r}）"
        )
    if settings.env != "production":
        return
    if len(settings.jwt_secret.encode()) < 32 or "change" in settings.jwt_secret.lower():
        raise SettingsError(
            "配置错误：生产环境必须设置 SA_JWT_SECRET（至少 32 字节的随机值，例如 openssl rand -hex 32）"
        )


def _sentence(error: ValidationError) -> str:
    problem = error.errors()[0]
    field = str(problem["loc"][0])
    name = field if field.isupper() else f"SA_{field.upper()}"
    got = problem.get("input")
    shown = "" if "SECRET" in name or "KEY" in name or "TOKEN" in name else f"（现为 {got!r}）"
    return f"配置错误：{name} {problem['msg']}{shown}"
