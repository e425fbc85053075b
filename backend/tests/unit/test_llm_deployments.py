"""The file of SA_LLM_CONFIG: what it becomes, and a sentence for everything that can be wrong with it."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from backend.app.llm import providers
from backend.app.llm.deployment_table import DeploymentTable, PricesTable
from backend.app.llm.deployments import DeploymentsError, load_deployments, read_deployments
from backend.app.llm.types import Deployment, Prices, Quotas, StructuredLevel
from backend.app.settings import REPOSITORY

EXAMPLE = REPOSITORY / "docs" / "examples" / "llm.toml"
KEY = "sk-secret-0123456789"
ENVIRONMENT = {
    "DASHSCOPE_API_KEY": KEY,
    "DEEPSEEK_API_KEY": "sk-deepseek",
    "AZURE_OPENAI_API_KEY": "azure",
    "K": KEY,
    "EMPTY": "  ",
    "CUT": "sk-1\nsk-2",
    "中文": "x",
    "WORDS": "我的密钥",
}
LEAST = '[[deployment]]\nprovider = "deepseek"\nmodel = "deepseek-chat"\nkey_env = "K"\n'
OWN = '[[deployment]]\nprovider = "openai_compatible"\nmodel = "m"\nbase_url = "http://10.0.0.1:8000/v1"\n'
AZURE = '[[deployment]]\nprovider = "azure_openai"\nmodel = "m"\nkey_env = "K"\n'


def read(text: str) -> tuple[Deployment, ...]:
    return read_deployments(text, key_of=ENVIRONMENT.get)


def one(text: str) -> Deployment:
    (deployment,) = read(text)
    return deployment


def refused(text: str) -> str:
    with pytest.raises(DeploymentsError) as error:
        read(text)
    sentence = str(error.value)
    assert sentence.startswith("配置错误：SA_LLM_CONFIG ")
    assert "\n" not in sentence
    assert KEY not in sentence
    return sentence


# What it becomes


def test_the_example_can_be_read_and_its_first_deployment_has_every_field() -> None:
    qwen, deepseek, azure, inside = load_deployments(EXAMPLE, key_of=ENVIRONMENT.get)

    assert qwen == Deployment(
        provider="dashscope",
        model="qwen3-max",
        base_url="https://dashscope.aliyuncs.com/compatible-mode/v1",
        api_key=KEY,
        name="qwen-main",
        timeout_s=90,
        first_token_s=60,
        connect_s=5,
        idle_s=60,
        structured=StructuredLevel.JSON_OBJECT,
        context_window=131_072,
        max_tokens=4096,
        extra={"enable_thinking": False},
        weight=2,
        purposes=frozenset({"bidding", "workload"}),
        quotas=Quotas(concurrency=20, rpm=600, tpm=1_000_000),
        prices=Prices(Decimal("2.4"), Decimal("9.6"), Decimal("0.24")),
    )
    assert deepseek.base_url == "https://api.deepseek.com/v1"
    assert (azure.structured, azure.api_version) == (StructuredLevel.JSON_SCHEMA, "")
    assert (inside.label, inside.api_key, inside.serves("bidding")) == ("内网", "", False)


def test_the_example_names_every_field() -> None:
    """`base_url` stands in a comment: with it the region would be a contradiction."""
    text = EXAMPLE.read_text(encoding="utf-8")
    first = tomllib.loads(text)["deployment"][0]

    assert set(DeploymentTable.model_fields) == {*first, "base_url"}
    assert set(PricesTable.model_fields) == set(first["prices"])
    assert "# base_url = " in text


def test_example_and_sentences_state_the_bounds_of_every_number() -> None:
    example = EXAMPLE.read_text(encoding="utf-8")
    for table in (DeploymentTable, PricesTable):
        for name, field in table.model_fields.items():
            bounds = {type(rule).__name__: rule for rule in field.metadata}
            if "Ge" not in bounds:
                continue
            low, high = f"{bounds['Ge'].ge:g}", str(bounds["Le"].le)
            assert f"{low} 至 {high}" in str(field.description), name
            assert f"{low} 至 {high}" in example, name


def test_provider_and_model_are_enough_where_no_key_is_needed() -> None:
    deployment = one('[[deployment]]\nprovider = "ollama"\nmodel = "qwen3:8b"\n')

    assert deployment == Deployment(
        "ollama", "qwen3:8b", "http://127.0.0.1:11434/v1", structured=StructuredLevel.JSON_SCHEMA
    )
    assert deployment.label == "ollama/qwen3:8b"


@pytest.mark.parametrize("provider", providers.PROVIDERS)
def test_every_provider_can_be_configured(provider: str) -> None:
    address = 'base_url = "https://llm.example.com"\n' if providers.PROVIDERS[provider].needs_base_url else ""

    deployment = one(f'[[deployment]]\nprovider = "{provider}"\nmodel = "m"\nkey_env = "K"\n{address}')

    assert deployment.base_url.startswith("http")
    assert deployment.structured is providers.structured_level(provider, "m")
    assert deployment.api_key == KEY


@pytest.mark.parametrize(
    ("region", "host"),
    [("cn", "dashscope."), ("intl", "dashscope-intl."), ("us", "dashscope-us."), ("", "dashscope.")],
)
def test_a_region_gives_the_address(region: str, host: str) -> None:
    text = LEAST.replace("deepseek", "dashscope", 1) + f'region = "{region}"'

    assert one(text).base_url == f"https://{host}aliyuncs.com/compatible-mode/v1"


def test_an_address_of_the_operators_own_wins_over_the_providers() -> None:
    assert one(LEAST + 'base_url = "http://[::1]:9000/v1"').base_url == "http://[::1]:9000/v1"


def test_the_level_depends_on_the_model_unless_the_operator_says_otherwise() -> None:
    thinking = '[[deployment]]\nprovider = "dashscope"\nmodel = "qwq-plus"\nkey_env = "K"\n'

    assert one(thinking).structured is StructuredLevel.PROMPT
    assert one(thinking + 'structured = "json_object"').structured is StructuredLevel.JSON_OBJECT


def test_both_azure_addresses_can_be_told_apart() -> None:
    classic = one(AZURE + 'base_url = "https://r.openai.azure.com"\napi_version = "2024-10-21"')
    v1 = one(AZURE + 'base_url = "https://r.openai.azure.com/openai/v1"')

    assert providers.endpoint(classic).endswith(
        "/openai/deployments/m/chat/completions?api-version=2024-10-21"
    )
    assert providers.endpoint(v1) == "https://r.openai.azure.com/openai/v1/chat/completions"


def test_prices_are_exact() -> None:
    prices = one(LEAST + "[deployment.prices]\nprompt = 0.1\nresponse = 3").prices

    assert prices == Prices(Decimal("0.1"), Decimal(3), None)
    assert str(prices.prompt) == "0.1"


def test_a_key_loses_the_white_space_around_it() -> None:
    """Files and shells add line ends."""
    (deployment,) = read_deployments(LEAST, key_of=lambda name: f" {KEY}\n")

    assert deployment.api_key == KEY


def test_only_the_variables_that_the_file_names_are_asked_for() -> None:
    asked: list[str] = []

    def key_of(name: str) -> str:
        asked.append(name)
        return KEY

    read_deployments(LEAST + OWN, key_of=key_of)

    assert asked == ["K"]


def test_the_order_of_the_file_is_kept_and_equal_models_are_told_apart_by_name() -> None:
    found = read(LEAST + 'name = "乙"\n' + LEAST + 'name = "甲"\n' + LEAST)

    assert [deployment.label for deployment in found] == ["乙", "甲", "deepseek/deepseek-chat"]


def test_extra_may_nest_what_json_knows() -> None:
    extra = one(LEAST + 'extra = { top_p = 0.5, stop = ["a"], thinking = { type = "disabled" } }').extra

    assert extra == {"top_p": 0.5, "stop": ["a"], "thinking": {"type": "disabled"}}


def test_zero_is_no_limit() -> None:
    deployment = one(LEAST + "timeout = 0\nfirst_token = 0\nconnect = 0\nidle = 0\nrpm = 0\ntpm = 0")

    assert (deployment.timeout_s, deployment.first_token_s, deployment.quotas) == (0, 0, Quotas())


# The file


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeploymentsError, match="不存在") as error:
        load_deployments(tmp_path / "none.toml", key_of=ENVIRONMENT.get)

    assert "none.toml" in str(error.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DeploymentsError, match="无法读取"):
        load_deployments(tmp_path, key_of=ENVIRONMENT.get)


def test_another_encoding_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "llm.toml"
    file.write_bytes(LEAST.encode() + 'name = "千问"'.encode("gbk"))

    with pytest.raises(DeploymentsError, match="第 5 行不是 UTF-8"):
        load_deployments(file, key_of=ENVIRONMENT.get)


def test_what_windows_editors_write_is_read(tmp_path: Path) -> None:
    file = tmp_path / "llm.toml"
    file.write_bytes(b"\xef\xbb\xbf" + LEAST.replace("\n", "\r\n").encode())

    assert len(load_deployments(file, key_of=ENVIRONMENT.get)) == 1


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("weight 2", "第 5 行第 8 列"),
        ("weight = ", "末尾（第 5 行）"),
        ('key_env = "X"', "第 5 行"),
        ('name = "a', "末尾（第 5 行）"),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(line: str, place: str) -> None:
    sentence = refused(LEAST + line)

    assert "不是正确的 TOML" in sentence
    assert place in sentence


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "deployment = []"])
def test_a_file_without_deployments_is_refused(text: str) -> None:
    assert "没有部署" in refused(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[deployment]\nmodel = 'm'", "两层方括号"),
        ("deployment = ['m']", "两层方括号"),
        ("[[deployments]]\nmodel = 'm'", "不能有 deployments"),
        (f"timeout = 5\n{LEAST}", "不能有 timeout"),
    ],
)
def test_a_file_of_another_shape_is_refused(text: str, said: str) -> None:
    assert said in refused(text)


def test_more_deployments_than_anybody_has_are_refused() -> None:
    assert "至多可有 100 个部署（现有 101 个）" in refused(LEAST * 101)


@pytest.mark.parametrize("text", [LEAST + LEAST, LEAST + OWN + 'name = "deepseek/deepseek-chat"'])
def test_two_deployments_of_one_name_are_refused(text: str) -> None:
    """The name is the key of the gate: two would open and close each other."""
    assert "第 1 个与第 2 个部署同名（deepseek/deepseek-chat），请用 name 区分" in refused(text)
