"""The OpenAPI document, /docs, and schemathesis: no 5xx, and no answer that is not documented."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from backend.app import bootstrap
from backend.app.api.openapi import document
from backend.app.settings import Settings
from backend.tests.api_client import PASSWORD, SECRET, Api
from backend.tests.served import Served

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


@pytest.fixture(scope="module")
def served(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("openapi")
    file = folder / "test.db"
    file.write_bytes(sqlite_template.read_bytes())
    made = Settings(
        _env_file=None,
        database_url=f"sqlite:///{file}",
        data_dir=folder,
        jwt_secret=SECRET,
        legacy_wait=0,
        max_active_tasks_per_user=100_000,
    )
    with Served(bootstrap.build_api(made)) as running:
        yield running


@pytest.fixture(scope="module")
def token(served: Served) -> str:
    with httpx.Client(base_url=served.url) as http:
        http.post("/api/auth/register", json={"username": "schema", "password": PASSWORD})
        login = http.post("/api/auth/login", data={"username": "schema", "password": PASSWORD})
    return str(login.json()["access_token"])


LEFT_OUT = {"/api/auth/password", "/api/auth/logout"}  # they would end the session that the others need


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
def test_no_request_finds_a_5xx_or_an_undocumented_answer(
    served: Served, token: str, mode: GenerationMode
) -> None:
    """By hand, operation by operation: the plugin's own parametrisation does not know pytest 9."""
    schema = schemathesis.openapi.from_url(f"{served.url}/openapi.json")
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path in LEFT_OUT:
            continue
        if mode is GenerationMode.NEGATIVE and not (operation.body or len(list(operation.iter_parameters()))):
            continue  # there is no wrong way to ask
        try_out(operation, token, mode)
        tried += 1
    assert tried >= 12


def try_out(operation: Any, token: str, mode: GenerationMode) -> None:
    @settings(
        max_examples=8,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: schemathesis.Case) -> None:
        case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=CHECKS, timeout=20)

    run()


async def test_every_operation_says_what_it_does_and_how_it_fails(sqlite_api: Api) -> None:
    made = document(sqlite_api.app)

    assert made["openapi"].startswith("3.1")
    assert "HTTPValidationError" not in json.dumps(made)
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (method, path)
            assert re.search("[一-鿿]", operation["summary"]), (method, path)
            for status, answer in operation["responses"].items():
                if status >= "400" and not path.startswith("/health"):
                    assert list(answer["content"]) == ["application/problem+json"], (method, path, status)
            if "security" in operation and path != "/api/auth/logout":
                assert "401" in operation["responses"], (method, path)


async def test_every_integer_in_the_document_is_bounded(sqlite_api: Api) -> None:
    made = document(sqlite_api.app)

    def unbounded(value: object, where: str) -> Iterator[str]:
        if isinstance(value, dict):
            kind = value.get("type")
            if kind in ("integer", "number") and not (
                {"minimum", "maximum"} <= set(value) or {"exclusiveMinimum", "maximum"} <= set(value)
            ):
                yield where
            for name, item in value.items():
                yield from unbounded(item, f"{where}.{name}")
        elif isinstance(value, list):
            for at, item in enumerate(value):
                yield from unbounded(item, f"{where}[{at}]")

    for path, operations in made["paths"].items():
        for operation in operations.values():
            asked = {"parameters": operation.get("parameters", [])}
            body = json.dumps(operation.get("requestBody", {}))
            for name in re.findall(r"#/components/schemas/(\w+)", body):
                asked[name] = made["components"]["schemas"][name]
            assert list(unbounded(asked, path)) == []


async def test_docs_need_nothing_but_this_server(sqlite_api: Api) -> None:
    http = sqlite_api.client()
    page = await http.get("/docs")
    policy = page.headers["content-security-policy"]

    assert page.status_code == 200
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(addresses) >= 4
    for address in addresses:
        assert address.startswith("/"), address
        assert (await http.get(address)).status_code == 200, address
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page.text)
    script = (await http.get("/docs/assets/page.js")).text
    assert "/openapi.json" in script
    assert "http" not in script.replace("https://", "http://").partition('url: "/openapi')[2]


async def test_the_first_page_has_no_inline_code_and_all_its_parts(sqlite_api: Api) -> None:
    http = sqlite_api.client()
    page = await http.get("/")

    assert page.status_code == 200
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page.text)
    addresses = set(re.findall(r'(?:src|href)="(/[^"]+)"', page.text))
    assert {"/docs", "/README.md", "/openapi.json"} <= addresses
    for address in addresses - {"/README.md", "/README.zh-CN.md"}:
        assert (await http.get(address)).status_code in {200, 503}, address


async def test_paths_outside_the_static_folders_are_not_served(sqlite_api: Api) -> None:
    http = sqlite_api.client()
    for path in ("/assets/../index.html", "/assets/%2e%2e/%2e%2e/README.md", "/docs/assets/../../app.py",
                 "/docs/assets/%2e%2e%2fapp.py", "/assets/", "/.env", "/backend/app/main.py"):  # fmt: skip
        answer = await http.get(path)
        assert answer.status_code == 404, path
        assert answer.headers["content-type"] == "application/problem+json"


def test_no_thread_is_left_behind(served: Served) -> None:
    assert served.thread.is_alive()
    assert threading.active_count() < 40
