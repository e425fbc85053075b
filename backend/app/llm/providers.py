"""What differs by provider, as data. (Dialects beside the OpenAI-compatible one come with their rows.)"""

from __future__ import annotations

# Where a provider's OpenAI-compatible endpoint is when the operator names none.
BASE_URLS: dict[str, str] = {
    "openai": "https://api.openai.com/v1",
    "dashscope": "https://dashscope.aliyuncs.com/compatible-mode/v1",
    "deepseek": "https://api.deepseek.com/v1",
    "moonshot": "https://api.moonshot.cn/v1",
    "zhipu": "https://open.bigmodel.cn/api/paas/v4",
    "ollama": "http://127.0.0.1:11434/v1",
}

# These answer without a key.
KEYLESS = frozenset({"ollama", "openai_compatible"})

# Asked for with the header and addresses of its own; not spoken yet.
OTHER_DIALECTS = frozenset({"azure_openai"})
