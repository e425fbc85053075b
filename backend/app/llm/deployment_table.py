"""What one [[deployment]] of the file may say: fields, bounds, and what fits together. Pure.

A field's description is the end of the sentence "… 应为…" that an operator reads when a value does not fit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from backend.app.llm import providers
from backend.app.llm.types import JSON

NAME = r"[0-9A-Za-z\u4e00-\u9fff][0-9A-Za-z\u4e00-\u9fff._/:-]{0,63}"
NAMING = "至多 64 个汉字、字母、数字和 . _ - / :，且以汉字、字母或数字开头"
# The program fills these in: another value would break the dialect, the limits or the accounts.
_OURS = frozenset(
    {
        "model",
        "messages",
        "stream",
        "stream_options",
        "response_format",
        "max_tokens",
        "max_completion_tokens",
    }
)


def _number(default: float | None, low: float, high: int, unit: str = "") -> Any:
    said = f" {low:g} 至 {high} 的数{unit}"
    return Field(default, ge=low, le=high, allow_inf_nan=False, description=said)


def _seconds(default: float | None) -> Any:
    return _number(default, 0, 3600, "（秒；0 表示只受任务时限约束）")


def _price(default: float | None) -> Any:
    return _number(default, 0, 1_000_000, "（每百万词元的元数）")


def _whole(default: int, low: int, high: int, unit: str = "") -> Any:
    return Field(default, ge=low, le=high, description=f" {low} 至 {high} 的整数{unit}")


def _text(default: Any, pattern: str, said: str) -> Any:
    return Field(default, pattern=f"^(?:{pattern})$", description=said)


class _Table(BaseModel):
    # Strict, for TOML has types: a quoted number is a slip that should be seen.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class PricesTable(_Table):
    prompt: float = _price(0.0)
    cached: float | None = _price(None)
    response: float = _price(0.0)


class DeploymentTable(_Table):
    name: str = _text("", f"({NAME})?", NAMING)
    provider: str = Field(description=f"以下之一：{'、'.join(providers.PROVIDERS)}")
    model: str = _text(..., r"[^\s\x00-\x1f\x7f]{1,200}", "模型的名称，不含空格")
    key_env: str = _text(
        "", "([A-Z_][A-Z0-9_]{0,63})?", "环境变量的名称（大写字母、数字、下划线），而不是密钥本身"
    )
    region: str = Field("", description="地区代号，例如 cn")
    base_url: str = Field("", description="以 http:// 或 https:// 开头的地址，不含用户名、密码、空格和 #")
    api_version: str = _text("", "([0-9]{4}-[0-9]{2}-[0-9]{2}(-preview)?)?", "形如 2024-10-21 的版本号")
    weight: float = _number(1.0, 0.01, 1000)
    purposes: list[Literal["bidding", "workload"]] = Field(
        [], description="由 bidding 和 workload 组成的列表"
    )
    timeout: float = _seconds(90.0)
    first_token: float | None = _seconds(None)
    connect: float = _seconds(5.0)
    idle: float = _seconds(60.0)
    concurrency: int = _whole(0, 0, 10_000, "（0 表示不限）")
    rpm: int = _whole(0, 0, 10_000_000, "（0 表示不限）")
    tpm: int = _whole(0, 0, 1_000_000_000, "（0 表示不限）")
    context_window: int = _whole(32_000, 1000, 10_000_000)
    max_tokens: int = _whole(4096, 16, 1_000_000)
    structured: Literal["json_schema", "json_object", "prompt"] | None = Field(
        None, description="以下之一：json_schema、json_object、prompt"
    )
    proxy_from_environment: bool = Field(False, description=" true 或 false")
    extra: dict[str, Any] = Field({}, description="请求中附加的字段，只含字符串、数、布尔值、列表和表")
    prices: PricesTable = Field(PricesTable(), description="含 prompt、cached、response 的表")

    @property
    def label(self) -> str:
        """As `Deployment.label`."""
        return self.name or f"{self.provider}/{self.model}"

    @field_validator("provider")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in providers.PROVIDERS:
            raise ValueError
        return value

    @field_validator("base_url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if value and not _is_http(value):
            raise ValueError
        return value

    @field_validator("extra")
    @classmethod
    def _is_json_table(cls, value: dict[str, Any]) -> dict[str, Any]:
        if not _is_json(value):
            raise ValueError
        return value

    def contradiction(self) -> str | None:
        """What does not fit together though each field by itself is right, as a Chinese clause."""
        taken = sorted(_OURS & self.extra.keys())
        if taken:
            return f"extra 不能含 {taken[0]}，它由程序填写"
        if self.max_tokens >= self.context_window:
            now = f"现为 {self.max_tokens} 与 {self.context_window}"
            return f"max_tokens 应小于 context_window（{now}），因为后者包括输入与输出"
        return self._about_address() or self._about_key_and_name()

    def _about_address(self) -> str | None:
        provider = providers.PROVIDERS[self.provider]
        regions = [region for region in provider.base_urls if region]
        if self.region and not regions:
            return f"{self.provider} 不分地区，请删去 region"
        if self.region and self.region not in regions:
            return f"region 应为以下之一：{'、'.join(regions)}"
        if self.region and self.base_url:
            return "region 与 base_url 只能设置一个"
        if provider.needs_base_url and not self.base_url:
            return f"缺少 base_url，{self.provider} 需要写明接口地址"
        if self.api_version and self.provider != "azure_openai":
            return "api_version 只用于 azure_openai，请删去"
        if self.api_version and urlsplit(self.base_url).path.rstrip("/").endswith("/openai/v1"):
            return "api_version 不用于 v1 地址（base_url 以 /openai/v1 结尾），请删去其一"
        return None

    def _about_key_and_name(self) -> str | None:
        if providers.PROVIDERS[self.provider].needs_key and not self.key_env:
            return f"缺少 key_env，{self.provider} 需要密钥，请写明存放密钥的环境变量的名称"
        if not re.fullmatch(NAME, self.label):
            return f"缺少 name，因为默认的名称 {self.label[:80]} 不合要求（{NAMING}）"
        return None


def _is_http(address: str) -> bool:
    if not re.fullmatch(r"[\x21-\x7e]{1,500}", address) or "#" in address:
        return False
    try:
        parts = urlsplit(address)
        is_named = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, half an IPv6 address
        return False
    return is_named and parts.scheme in {"http", "https"} and "@" not in parts.netloc


def _is_json(value: JSON) -> bool:
    """TOML also knows dates, inf and nan; a request body does not."""
    if isinstance(value, Mapping):
        return all(map(_is_json, value.values()))
    if isinstance(value, list):
        return all(map(_is_json, value))
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
