"""One [[deployment]]: each value in its bounds, keys kept out, and what does not fit together refused."""

from __future__ import annotations

import pytest

from backend.tests.unit.test_llm_deployments import AZURE, ENVIRONMENT, KEY, LEAST, OWN, one, refused

# One field


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ("weight = 0", "0.01 至 1000 的数（现为 0）"),
        ("weight = 1001", "0.01 至 1000"),
        ("weight = nan", "0.01 至 1000"),
        ("weight = true", "0.01 至 1000"),
        ('weight = "2"', '0.01 至 1000 的数（现为 "2"）'),
        ("timeout = -1", "0 至 3600"),
        ("timeout = 3600.5", "0 至 3600"),
        ("first_token = inf", "0 至 3600"),
        ("connect = -0.1", "0 至 3600"),
        ("idle = [60]", "0 至 3600"),
        ("concurrency = 10_001", "0 至 10000 的整数"),
        ("concurrency = 2.5", "0 至 10000 的整数"),
        ("rpm = -1", "0 至 10000000 的整数"),
        ("rpm = 60.0", "0 至 10000000 的整数"),
        ("tpm = 1_000_000_001", "0 至 1000000000 的整数"),
        ("tpm = 99999999999999999999999999", "0 至 1000000000 的整数"),
        ("context_window = 999", "1000 至 10000000 的整数"),
        ("context_window = 10_000_001", "1000 至 10000000 的整数"),
        ("max_tokens = 15", "16 至 1000000 的整数"),
        ("max_tokens = 1_000_001", "16 至 1000000 的整数"),
        ("max_tokens = true", "16 至 1000000 的整数"),
        ('structured = "xml"', "json_schema、json_object、prompt"),
        ('purposes = ["bidding", "sales"]', 'bidding 和 workload 组成的列表（现为 "sales"）'),
        ('purposes = "bidding"', "bidding 和 workload 组成的列表"),
        ('proxy_from_environment = "yes"', "true 或 false"),
        ("name = 5", "至多 64 个"),
        ('name = "-a"', "至多 64 个"),
        ('name = "a b"', "至多 64 个"),
        ('name = "a\\n"', "至多 64 个"),
        (f'name = "{"a" * 65}"', "至多 64 个"),
        ('base_url = "llm.example.com"', "http:// 或 https://"),
        ('base_url = "ftp://llm.example.com"', "http:// 或 https://"),
        ('base_url = "https://"', "http:// 或 https://"),
        ('base_url = "https://x:99999/v1"', "http:// 或 https://"),
        ('base_url = "https://x /v1"', "http:// 或 https://"),
        ('base_url = "https://[::1/v1"', "http:// 或 https://"),
        ('base_url = "https://x/v1#a"', "http:// 或 https://"),
        ('base_url = "https://模型.example.com"', "http:// 或 https://"),
        ('api_version = "latest"', "形如 2024-10-21"),
        ("region = 1", "地区代号"),
        ("extra = 5", "请求中附加的字段"),
        ("extra = { since = 2026-01-01 }", "请求中附加的字段"),
        ("extra = { top_p = nan }", "请求中附加的字段"),
        ("extra = { stop = [07:30:00] }", "请求中附加的字段"),
        ("prices = 2.4", "含 prompt、cached、response 的表"),
    ],
)
def test_a_value_out_of_bounds_is_refused_with_what_is_allowed(line: str, allowed: str) -> None:
    sentence = refused(LEAST + line)

    assert f"第 1 个部署：{line.split(' =')[0]} 应为" in sentence
    assert allowed in sentence


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ("prompt = -1", "prices.prompt 应为 0 至 1000000 的数（每百万词元的元数）（现为 -1）"),
        ('cached = "0.24"', "prices.cached 应为"),
        ("response = 1_000_001", "prices.response 应为"),
        ("respnse = 1", "没有 prices.respnse 这个字段，是否应为 response？"),
    ],
)
def test_prices_are_checked_by_name(line: str, allowed: str) -> None:
    assert allowed in refused(f"{LEAST}[deployment.prices]\n{line}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[deployment]]", "缺少 provider，应为以下之一：openai、azure_openai、dashscope"),
        ('[[deployment]]\nprovider = "openai"', "缺少 model，应为模型的名称"),
        ('[[deployment]]\nprovider = "openai"\nmodel = ""', "model 应为模型的名称"),
        ('[[deployment]]\nprovider = "openai"\nmodel = "a b"', "model 应为模型的名称"),
        ('[[deployment]]\nprovider = "rules"\nmodel = "m"', '（现为 "rules"）'),
        ('[[deployment]]\nprovider = "openai"\nmodel = "m"', "缺少 key_env，openai 需要密钥"),
        ('[[deployment]]\nprovider = "openai_compatible"\nmodel = "m"', "缺少 base_url，openai_compatible"),
        (AZURE, "缺少 base_url，azure_openai"),
    ],
)
def test_what_must_be_there_is_asked_for(text: str, said: str) -> None:
    assert said in refused(text)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("wieght = 2", "没有 wieght 这个字段，是否应为 weight？"),
        ("temperature = 0", "没有 temperature 这个字段，参见 docs/examples/llm.toml"),
    ],
)
def test_an_unknown_field_is_named_with_the_nearest_known_one(line: str, said: str) -> None:
    assert said in refused(LEAST + line)


def test_the_deployment_is_named_by_number_and_name() -> None:
    assert "第 2 个部署（备用）：weight" in refused(LEAST + LEAST + 'name = "备用"\nweight = 0')


# Keys


@pytest.mark.parametrize(
    "field", ["api_key", "API_KEY", "key", "token", '"api-key"', "secret", "authorization"]
)
def test_a_key_in_the_file_is_refused_with_the_way_to_do_it(field: str) -> None:
    for text in (f'{LEAST}{field} = "{KEY}"', f'{LEAST}extra = {{ {field} = "{KEY}" }}'):
        assert "请把它放入环境变量，并用 key_env 写明该变量的名称" in refused(text)


@pytest.mark.parametrize("value", [KEY, "0123abcd0123abcd0123abcd0123abcd", "abcd.efgh", "K\\n", "a" * 84])
def test_a_key_instead_of_the_name_of_its_variable_is_refused_and_not_shown(value: str) -> None:
    sentence = refused(LEAST.replace('"K"', f'"{value}"'))

    assert "key_env 应为环境变量的名称" in sentence
    assert "现为" not in sentence


def test_an_address_with_a_password_is_refused_and_not_shown() -> None:
    sentence = refused(LEAST + f'base_url = "https://user:{KEY}@llm.example.com/v1"')

    assert "不含用户名、密码" in sentence
    assert "user" not in sentence


@pytest.mark.parametrize("name", ["NOT_SET", "EMPTY"])
def test_a_variable_without_a_key_is_named(name: str) -> None:
    sentence = refused(LEAST.replace('"K"', f'"{name}"'))

    assert f"部署 deepseek/deepseek-chat：key_env 指明的环境变量 {name} 没有设置" in sentence


@pytest.mark.parametrize("name", ["CUT", "WORDS"])
def test_what_can_be_no_key_is_refused_and_not_shown(name: str) -> None:
    """A header could not carry it: every call would fail."""
    sentence = refused(LEAST.replace('"K"', f'"{name}"'))

    assert f"{name} 含有空格、换行或汉字" in sentence
    assert ENVIRONMENT[name] not in sentence


def test_a_key_is_not_in_what_a_deployment_shows() -> None:
    assert KEY not in repr(one(LEAST))


# What does not fit together


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LEAST + 'region = "cn"', "deepseek 不分地区，请删去 region"),
        (LEAST.replace("deepseek", "dashscope", 1) + 'region = "eu"', "region 应为以下之一：cn、intl、us"),
        (
            LEAST.replace("deepseek", "dashscope", 1) + 'region = "cn"\nbase_url = "https://x/v1"',
            "region 与 base_url 只能设置一个",
        ),
        (LEAST + 'api_version = "2024-10-21"', "api_version 只用于 azure_openai"),
        (
            AZURE + 'base_url = "https://r.openai.azure.com/openai/v1/"\napi_version = "2024-10-21"',
            "api_version 不用于 v1 地址",
        ),
        (LEAST + "max_tokens = 32_000", "max_tokens 应小于 context_window（现为 32000 与 32000）"),
        (LEAST + "context_window = 4000", "max_tokens 应小于 context_window（现为 4096 与 4000）"),
        (LEAST + 'extra = { model = "other" }', "extra 不能含 model，它由程序填写"),
        (LEAST + "extra = { stream = false }", "extra 不能含 stream"),
        (OWN.replace('"m"', '"@cf/qwen"'), "缺少 name，因为默认的名称 openai_compatible/@cf/qwen 不合要求"),
        (OWN.replace('"m"', f'"{"m" * 100}"'), "缺少 name"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(text: str, said: str) -> None:
    assert said in refused(text)
