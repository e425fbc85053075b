"""A real llama.cpp server in a process of its own, with a model of random weights.

What a fake of ours answers is what we believe a server does. This one streams, counts tokens, checks keys,
binds answers to a JSON Schema by grammar and refuses what its context has no room for, as those who run
llama.cpp meet it. The model is noise of 600 kB: it proves the protocol and nothing about answers.

`write_noise_model(folder / "noise.gguf")`, then `with llama_server(model, api_key="sk-…") as llama:`; any
other GGUF file is served in the same way. The server ends with the test, and when the test's process dies,
by its standard input.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import gguf
import httpx
import numpy as np

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 60.0

# The model of `write_noise_model`.
DIMENSIONS, LAYERS, FEED_FORWARD = 32, 2, 96
FIRST_BYTE, FIRST_HAN = 3, 259  # before them <unk>, <s>, </s>
MARKS = "，。、；：？！（）《》“”"  # of a text; it writes none itself
EOS = 2
WORD = 6  # characters of each string it writes
# A token a character, so that what the server must count is known.
TEMPLATE = "{% for m in messages %}{{ m.role }}:{{ m.content }}\n{% endfor %}assistant:"


@dataclass(frozen=True, slots=True)
class Options:
    """How a model is served; travels as JSON on the child's command line."""

    model: str
    api_key: str = ""
    context: int = 32_768  # tokens of each slot, prompt and answer together
    slots: int = 1  # calls at once; the others queue
    threads: int = 1
    template: str = ""  # Jinja; empty: the model's own


@dataclass(frozen=True, slots=True)
class LlamaServer:
    base_url: str
    pid: int


@contextlib.contextmanager
def llama_server(model: Path, **options: Any) -> Iterator[LlamaServer]:
    """`model` (a GGUF file) served on a free loopback port; see `Options` for the rest."""
    told = json.dumps(asdict(Options(str(model), **options)))
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "backend.tests.fakes.llama_server", told],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        try:
            yield LlamaServer(f"{_address(process, log)}/v1", process.pid)
        finally:
            # At once: it has nothing to keep, and asked politely it would finish the answers under way.
            process.kill()
            process.communicate()


def _address(process: subprocess.Popen[bytes], log: IO[bytes]) -> str:
    """Where it listens, once it is healthy: a large model is loaded before the port is told."""
    assert process.stdout is not None
    address = process.stdout.readline().decode().strip()
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and address and time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{address}/health", trust_env=False).status_code == 200:
                return address
        time.sleep(0.02)
    log.seek(0)
    raise RuntimeError(f"llama.cpp did not start:\n{log.read().decode('utf-8', 'replace')[-4000:]}")


def serve(options: Options) -> None:
    """In the child: serve until the parent closes our standard input or kills us."""
    import xllamacpp  # 100 MB, for the child only

    made = xllamacpp.CommonParams()
    made.model.path = options.model
    made.hostnames, made.port = ["127.0.0.1"], 0
    made.api_keys = [options.api_key] if options.api_key else []
    made.n_parallel, made.n_ctx = options.slots, options.slots * options.context
    made.cpuparams.n_threads = made.cpuparams_batch.n_threads = options.threads
    made.warmup = made.fit_params = False
    made.offline = True
    if options.template:
        made.chat_template = options.template
    server = xllamacpp.Server(made)
    sys.stdout.write(server.listening_address + "\n")
    sys.stdout.flush()
    sys.stdin.read()


# The model


def write_noise_model(path: Path, *, seed: int = 1) -> Path:
    """A GGUF file of two random layers that any schema brings to an end.

    Purely random weights can write one string for ever. So what follows what is tilted a little: a quotation
    mark opens a word of WORD random Chinese characters and closes it, a list ends after its first element.
    The margins are wide, so that every processor's rounding leads to an answer of the same shape.
    """
    rng = np.random.default_rng(seed)
    han = _han()
    writer = gguf.GGUFWriter(path, "llama")
    _describe(writer, [*han, *MARKS])
    into, out = _tilted(rng, len(han))
    _add(writer, "token_embd", into)
    _add(writer, "output", out)
    _add(writer, "output_norm", np.ones(DIMENSIONS))
    shapes = {
        "attn_q": (DIMENSIONS, DIMENSIONS),
        "attn_k": (DIMENSIONS, DIMENSIONS),
        "attn_v": (DIMENSIONS, DIMENSIONS),
        "attn_output": (DIMENSIONS, DIMENSIONS),
        "ffn_gate": (FEED_FORWARD, DIMENSIONS),
        "ffn_up": (FEED_FORWARD, DIMENSIONS),
        "ffn_down": (DIMENSIONS, FEED_FORWARD),
    }
    for layer in range(LAYERS):
        _add(writer, f"blk.{layer}.attn_norm", np.ones(DIMENSIONS))
        _add(writer, f"blk.{layer}.ffn_norm", np.ones(DIMENSIONS))
        for name, shape in shapes.items():
            # What a layer adds to the stream stays below the tilt.
            scale = 0.5 if name in ("attn_output", "ffn_down") else 1.0
            _add(writer, f"blk.{layer}.{name}", rng.standard_normal(shape) * scale * shape[1] ** -0.5)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _han() -> list[str]:
    """The 3755 characters of everyday Chinese (GB 2312, level 1); others are written byte by byte."""
    rows = range(0xB0, 0xD8)
    pairs = (bytes((row, cell)).decode("gb2312", "ignore") for row in rows for cell in range(0xA1, 0xFF))
    return [character for character in pairs if character]


def _describe(writer: gguf.GGUFWriter, words: Sequence[str]) -> None:
    tokens = [b"<unk>", b"<s>", b"</s>", *(b"<0x%02X>" % byte for byte in range(256))]
    tokens += [word.encode() for word in words]
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    kinds += [gguf.TokenType.BYTE] * 256 + [gguf.TokenType.NORMAL] * len(words)
    writer.add_name("noise")
    writer.add_context_length(1 << 17)
    writer.add_embedding_length(DIMENSIONS)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    # One head: the time of a long prompt goes by their number.
    writer.add_head_count(1)
    writer.add_head_count_kv(1)
    writer.add_rope_dimension_count(DIMENSIONS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(EOS)
    writer.add_unk_token_id(0)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATE)


def _tilted(rng: np.random.Generator, han: int) -> tuple[Any, Any]:
    """Embeddings in and out: noise, and a few dimensions that say which class of token comes after which."""
    size = (FIRST_HAN + han + len(MARKS), DIMENSIONS)
    into, out = rng.standard_normal(size) * 0.3, rng.standard_normal(size) * 0.3
    # The n-th character of a word is of the n-th of these classes.
    places = np.array_split(FIRST_HAN + rng.permutation(han), WORD)
    quote = _bytes(b'"')
    follows = [
        (quote, places[0]),
        *zip(places, [*places[1:], quote], strict=True),
        (_bytes(b"["), _bytes(b"{")),
        (_bytes(b"{,:"), quote),
        (_bytes(b"}"), _bytes(b"]")),
        (_bytes(b"0123456789"), _bytes(b",}")),
    ]
    into[:, 0] = 4.0
    out[_bytes(b" \t\r\n"), 0] -= 20.0  # grammars let JSON be spaced without end
    out[[EOS, *range(FIRST_BYTE + 0x80, FIRST_HAN)], 0] -= 5.0
    out[quote, 1] -= 8.0  # no empty strings
    for dimension, (before, after) in enumerate(follows, start=1):
        into[before, dimension] = 4.0
        out[after, dimension] += 8.0
    return into, out


def _bytes(characters: bytes) -> list[int]:
    return [FIRST_BYTE + byte for byte in characters]


def _add(writer: gguf.GGUFWriter, name: str, values: Any) -> None:
    """Matrices in half precision; llama.cpp wants norms in single."""
    writer.add_tensor(f"{name}.weight", values.astype(np.float16 if values.ndim > 1 else np.float32))


if __name__ == "__main__":
    serve(Options(**json.loads(sys.argv[1])))
