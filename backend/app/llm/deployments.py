"""The file that SA_LLM_CONFIG names: several deployments, in TOML. docs/examples/llm.toml shows every field.

Whatever is wrong stops the start with one Chinese sentence that names deployment, field and what is allowed.
What might be a key is never shown: not the value of an unknown field, nor an address, nor `extra`.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from backend.app.llm import providers
from backend.app.llm.deployment_table import NAME, DeploymentTable, PricesTable
from backend.app.llm.types import Deployment, Prices, Quotas, StructuredLevel

MAX_DEPLOYMENTS = 100
_EXAMPLE = "docs/examples/llm.toml"
_KEYS_THEMSELVES = frozenset(
    {"key", "api_key", "api-key", "apikey", "token", "access_token", "secret", "password", "authorization"}
)
_NEVER_SHOWN = frozenset({"key_env", "base_url", "extra"})


class DeploymentsError(Exception):
    """A file that stops the start; the text is one sentence for the operator."""

    def __init__(self, problem: str, whose: str = "") -> None:
        where = f"中的{whose}：" if whose else "指定的文件"
        super().__init__(f"配置错误：SA_LLM_CONFIG {where}{problem}")


def load_deployments(path: Path, *, key_of: Callable[[str], str | None]) -> tuple[Deployment, ...]:
    """Read the file; see `read_deployments`. A byte order mark, as Windows editors write it, is no error."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DeploymentsError(f"不存在：{path}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DeploymentsError(f"第 {line} 行不是 UTF-8 编码，请另存为 UTF-8") from None
    except OSError as error:
        raise DeploymentsError(f"无法读取：{path}（{error.strerror}）") from None
    return read_deployments(text, key_of=key_of)


def read_deployments(text: str, *, key_of: Callable[[str], str | None]) -> tuple[Deployment, ...]:
    """The deployments in the order of the file. `key_of` gives an environment variable's value, or None.

    Raises DeploymentsError.
    """
    tables = [_checked(table, number) for number, table in enumerate(_tables(text), start=1)]
    _check_names(tables)
    return tuple(_deployment(table, key_of) for table in tables)


def _tables(text: str) -> list[dict[str, Any]]:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DeploymentsError(f"不是正确的 TOML：{_place(error, text)}有语法错误") from None
    others = [name for name in content if name != "deployment"]
    if others:
        raise DeploymentsError(f"只能含 [[deployment]]，不能有 {others[0][:40]}，参见 {_EXAMPLE}")
    found = content.get("deployment", [])
    if not isinstance(found, list) or not all(isinstance(table, dict) for table in found):
        raise DeploymentsError(f"的每个部署应以 [[deployment]]（两层方括号）开头，参见 {_EXAMPLE}")
    if not found:
        raise DeploymentsError(f"没有部署，至少应有一个 [[deployment]]，参见 {_EXAMPLE}")
    if len(found) > MAX_DEPLOYMENTS:
        raise DeploymentsError(f"至多可有 {MAX_DEPLOYMENTS} 个部署（现有 {len(found)} 个）")
    return found


def _place(error: tomllib.TOMLDecodeError, text: str) -> str:
    """Where the parser stopped; up to Python 3.13 only its message says."""
    at = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
    return f"第 {at[1]} 行第 {at[2]} 列" if at else f"末尾（第 {len(text.splitlines())} 行）"


def _checked(table: dict[str, Any], number: int) -> DeploymentTable:
    name = table.get("name")
    is_name = isinstance(name, str) and re.fullmatch(NAME, name)
    whose = f"第 {number} 个部署" + (f"（{name}）" if is_name else "")
    extra = table.get("extra")
    for field in (*table, *(extra if isinstance(extra, dict) else ())):
        if field.lower() in _KEYS_THEMSELVES:
            raise DeploymentsError(
                f"文件里不能写密钥（{field}），请把它放入环境变量，并用 key_env 写明该变量的名称", whose
            )
    try:
        checked = DeploymentTable.model_validate(table)
    except ValidationError as error:
        raise DeploymentsError(_problem(error), whose) from None
    if problem := checked.contradiction():
        raise DeploymentsError(problem, whose)
    return checked


def _problem(error: ValidationError) -> str:
    """The first value that does not fit its field, in words."""
    first = error.errors(include_url=False, include_context=False)[0]
    place = [str(part) for part in first["loc"]]
    table: type[BaseModel] = DeploymentTable
    name = field = place[0]
    if field == "prices" and len(place) > 1:
        table, name, field = PricesTable, place[1], f"prices.{place[1]}"
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, table.model_fields, n=1)
        return f"没有 {field[:40]} 这个字段，" + (f"是否应为 {near[0]}？" if near else f"参见 {_EXAMPLE}")
    allowed = table.model_fields[name].description
    if first["type"] == "missing":
        return f"缺少 {field}，应为{allowed}"
    shown = "" if field in _NEVER_SHOWN else f"（现为 {_shown(first['input'])}）"
    return f"{field} 应为{allowed}{shown}"


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _check_names(tables: list[DeploymentTable]) -> None:
    seen: dict[str, int] = {}
    for number, table in enumerate(tables, start=1):
        first = seen.setdefault(table.label, number)
        if first != number:
            raise DeploymentsError(
                f"第 {first} 个与第 {number} 个部署同名（{table.label}），请用 name 区分", ""
            )


def _deployment(table: DeploymentTable, key_of: Callable[[str], str | None]) -> Deployment:
    level = table.structured or providers.structured_level(table.provider, table.model)
    return Deployment(
        provider=table.provider,
        model=table.model,
        base_url=table.base_url or providers.PROVIDERS[table.provider].base_urls[table.region],
        api_key=_key(table, key_of),
        name=table.name,
        timeout_s=table.timeout,
        first_token_s=table.first_token,
        connect_s=table.connect,
        idle_s=table.idle,
        structured=StructuredLevel(level),
        context_window=table.context_window,
        max_tokens=table.max_tokens,
        trust_env=table.proxy_from_environment,
        extra=table.extra,
        api_version=table.api_version,
        weight=table.weight,
        purposes=frozenset(table.purposes),
        quotas=Quotas(table.concurrency, table.rpm, table.tpm),
        prices=_prices(table.prices),
    )


def _key(table: DeploymentTable, key_of: Callable[[str], str | None]) -> str:
    if not table.key_env:
        return ""
    key = (key_of(table.key_env) or "").strip()
    if not key:
        raise DeploymentsError(
            f"key_env 指明的环境变量 {table.key_env} 没有设置，其中应有密钥", f"部署 {table.label}"
        )
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        raise DeploymentsError(
            f"key_env 指明的环境变量 {table.key_env} 含有空格、换行或汉字，不像密钥", f"部署 {table.label}"
        )
    return key


def _prices(prices: PricesTable) -> Prices:
    """By way of str: Decimal(2.4) would be 2.399…"""
    cached = None if prices.cached is None else Decimal(str(prices.cached))
    return Prices(Decimal(str(prices.prompt)), Decimal(str(prices.response)), cached)
