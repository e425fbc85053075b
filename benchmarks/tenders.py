"""Long tenders: how fast they are read, analysed and asked about, and what memory that takes.

    python -m benchmarks.tenders [--pages 100] [--long 300] [--latency 2.0] [--runs 5]

The PDFs are made here: chapters, clauses, ★ rows and ruled tables, with a Chinese font of the system. Four
parts, each by itself or all of them (`--only`):

read    PDFium's bare text against ours with a box for every character, and the whole parse with tables, in
        one process, in turns: ratios of processor time; of the made file and, where they are, real ones
rules   a file in the sandboxed child, analysed and reported without a model: seconds, and the child's peak
model   the long file through the whole product with a scripted model that takes `--latency` seconds an
        answer: the wall against the ideal (parse, calls by those asked at once, overview), and the worker's
        peak
scan    one dense page as a picture: seconds, processor seconds, the child's peak

Memory is VmHWM of /proc. Exits non-zero when a figure misses what it is held to.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import math
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pypdfium2
from fpdf import FPDF, XPos, YPos

from backend.app.bidding.analysis import analyse_with_rules
from backend.app.bidding.llm_analysis import ReadingPlan
from backend.app.bidding.report import DocumentSource, build_report
from backend.app.documents.limits import ExtractLimits
from backend.app.documents.readers.pdf import read_pdf
from backend.app.documents.readers.pdf_glyphs import page_runs, page_view
from backend.app.documents.readers.pdfium import opened_document, opened_page, pdfium
from backend.app.documents.reading import Reader, read_file
from backend.app.documents.sandbox import ParsePool, parse_in_child
from backend.tests.acceptance.product import Product, product
from backend.tests.fakes import llm_server as fake
from backend.tests.fakes.llm_server import FakeLLM, Reply, Seen
from backend.tests.scans_made import page_picture, scanned_pdf

MB = 1024 * 1024
AT_ONCE = ReadingPlan().at_once
TENDERS = Path(__file__).resolve().parents[2] / "shared" / "samples" / "tenders"
PARTS = ("read", "rules", "model", "scan")


class Figures:
    """What was measured against what it is held to."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def show(self, name: str, value: float, unit: str, most: float | None = None) -> None:
        verdict = "" if most is None else f"   (at most {most:g}: {'met' if value <= most else 'MISSED'})"
        sys.stdout.write(f"  {name:<46}{value:>9.2f} {unit}{verdict}\n")
        if most is not None and value > most:
            self.missed.append(name)


def font_file() -> str:
    """A TrueType font with Chinese glyphs."""
    listed = subprocess.run(
        ["fc-list", ":lang=zh", "file"], capture_output=True, text=True, check=True
    ).stdout.split(":")
    files = [line.strip() for line in listed if line.strip().endswith((".ttf", ".ttc"))]
    if not files:
        raise SystemExit("no Chinese font: apt install fonts-wqy-microhei")
    return min(files, key=lambda name: ("wqy" not in name, name))


def make_tender(path: Path, pages: int) -> None:
    """A tender of about so many full pages."""
    pdf = FPDF()
    pdf.set_auto_page_break(auto=True, margin=18)
    pdf.add_font("zh", "", font_file())
    pdf.set_font("zh", size=10.5)
    pdf.add_page()
    paragraph(pdf, "某市智慧园区综合管理平台建设项目\n公开招标文件\n项目编号：ZB-2026-0001\n")
    paragraph(pdf, "投标截止时间：2026年12月28日09时30分。预算金额：8,600,000.00元。")
    clause = 0
    while pdf.page_no() < pages:
        clause += 1
        if clause % 60 == 1:
            paragraph(pdf, f"第{clause // 60 + 1}章 采购需求（{clause // 60 + 1}）")
        if clause % 45 == 0:
            _table(pdf, clause)
        mark = "★" if clause % 7 == 0 else ""
        hours = clause % 50 + 1
        words = f"{clause}.1 {mark}投标人应当提供第{clause}项服务，响应时间不超过{hours}小时，"
        paragraph(pdf, words + "并在投标文件中逐条说明实现方式、人员安排与验收办法。" * 3)
    pdf.output(str(path))


def paragraph(pdf: FPDF, words: str) -> None:
    pdf.multi_cell(0, 6, words, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _table(pdf: FPDF, clause: int) -> None:
    pdf.ln(2)
    for row in range(9):
        cells = (
            ("序号", "参数", "要求")
            if row == 0
            else (str(row), f"指标{clause}-{row}", f"不低于{row * 10}次每秒")
        )
        for width, words in zip((20, 70, 90), cells, strict=True):
            pdf.cell(width, 8, words, border=1)
        pdf.ln(8)
    pdf.ln(2)


def bare_text(file: Path) -> int:
    document = pypdfium2.PdfDocument(file)
    size = 0
    for page in document:
        text = page.get_textpage()
        size += len(text.get_text_range())
        text.close()
        page.close()
    document.close()
    return size


def text_with_boxes(file: Path) -> int:
    size = 0
    with opened_document(file) as document:
        for index in range(pdfium.FPDF_GetPageCount(document)):
            with opened_page(document, index) as (page, text_page):
                size += sum(len(run) for run in page_runs(text_page, page_view(page)))
    return size


def whole_parse(file: Path) -> int:
    return len(read_pdf(file, ExtractLimits()).text)


def measure_read(file: Path, runs: int, figures: Figures) -> None:
    """In turns, so that a busy machine slows all three; without garbage collection, as in the child."""
    gc.disable()
    ways: tuple[Callable[[Path], int], ...] = (bare_text, text_with_boxes, whole_parse)
    taken: dict[str, list[float]] = {way.__name__: [] for way in ways}
    for _ in range(runs):
        for way in ways:
            began = time.process_time()
            way(file)
            taken[way.__name__].append(time.process_time() - began)
    bare, boxes, whole = (statistics.median(taken[way.__name__]) for way in ways)
    figures.show("PDFium's bare text", bare, "s")
    figures.show("text with boxes", boxes, "s")
    figures.show("text with boxes : bare text", boxes / bare, "x", 4)
    figures.show("whole parse with tables", whole, "s", 4)
    figures.show("whole parse : bare text", whole / bare, "x")


@contextmanager
def peaks_of_children(parent: int) -> Iterator[dict[str, float]]:
    """The highest resident set of any descendant while this lasts, in MB."""
    peak = {"child": 0.0}
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            try:
                children = psutil.Process(parent).children(recursive=True)
            except psutil.Error:
                continue
            for child in children:
                peak["child"] = max(peak["child"], high_water(child.pid))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def high_water(pid: int) -> float:
    """VmHWM in MB; 0 for a process that is gone."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def measure_rules(file: Path, figures: Figures) -> float:
    """Seconds of the parse in the child."""
    with peaks_of_children(psutil.Process().pid) as peak:
        began = time.monotonic()
        document = asyncio.run(parse_in_child(file, file.name))
        parsed = time.monotonic() - began
    analysis = analyse_with_rules(document)
    report = build_report(document, analysis, source=DocumentSource(file.name, "0" * 64))
    whole = time.monotonic() - began
    figures.show(f"{len(document.pages)} pages: parse in the child", parsed, "s")
    figures.show(
        f"{len(document.pages)} pages: result with rules alone", whole, "s", 6 * len(document.pages) / 100
    )
    figures.show("findings", sum(len(tab["items"]) for tab in report["tabs"]), "")
    figures.show("the child's peak", peak["child"], "MB", 600)
    return parsed


def _scripted(latency: float) -> Callable[[Seen], Reply]:
    def answer(seen: Seen) -> Reply:
        if "已逐条核对过原文" in seen.text:
            words = {"summary": "建设综合管理平台。", "reason": "★条款多", "items": []}
        else:
            part = seen.body["messages"][1]["content"]
            quotes = re.findall(r"投标人应当提供第\d+项服务，响应时间不超过\d+小时", part)[:12]
            items = [
                {"tab": "technical_requirements", "title": "服务响应", "quote": q, "priority": "high"}
                for q in quotes
            ]
            words = {"facts": [], "items": items}
        said = fake.stream(json.dumps(words, ensure_ascii=False), size=400)

        async def reply(writer: asyncio.StreamWriter, told: Seen) -> None:
            await asyncio.sleep(latency)
            await said(writer, told)

        return reply

    return answer


def measure_model(file: Path, parsed: float, latency: float, figures: Figures) -> None:
    model = FakeLLM(default=_scripted(latency))
    with fake.serve_in_thread(model) as llm, tempfile.TemporaryDirectory() as folder:
        environment = {
            "BIDDING_ASSISTANT_LLM_PROVIDER": "openai_compatible",
            "BIDDING_ASSISTANT_LLM_MODEL": "scripted",
            "BIDDING_ASSISTANT_LLM_BASE_URL": llm.base_url,
            "BIDDING_ASSISTANT_LLM_API_KEY": "none",
        }
        with product(Path(folder), **environment) as made:
            made.start_backend("--with-worker")
            made.log_in()
            with peaks_of_children(made.worker_pid()) as peak:
                wall, calls = _through(made, file)
            worker = high_water(made.worker_pid())
    ideal = parsed + math.ceil((calls - 1) / AT_ONCE) * latency + latency
    figures.show("calls", calls, "")
    figures.show(f"ideal: parse, {AT_ONCE} at once, overview", ideal, "s")
    figures.show("wall", wall, "s")
    figures.show("wall : ideal", wall / ideal, "x", 1.3)
    figures.show("the worker's peak", worker, "MB", 400)
    figures.show("the child's peak", peak["child"], "MB", 600)


def _through(made: Product, file: Path) -> tuple[float, int]:
    """Seconds from submission to result, and how many calls it took."""
    began = time.monotonic()
    with file.open("rb") as content:
        answer = made.client.post("/api/tasks/bidding/file", files={"file": (file.name, content)})
    assert answer.status_code == 201, answer.text
    task_id = int(answer.json()["id"])
    task = made.wait_for(task_id, "completed", "failed", seconds=900)
    assert task["status"] == "completed", task["error"]
    return time.monotonic() - began, int(task["metadata"]["usage"]["calls"])


def measure_scan(folder: Path, figures: Figures) -> None:
    """What two pages more take: the models are loaded once a file."""
    rows = "投标人应在{n}小时内响应，价格得分＝{n}×30%，未满足的按无效投标处理，"
    lines = [f"{n}.{'★' if n % 5 == 0 else ''}{rows.format(n=n)}" for n in range(1, 31)]
    table = [("序号", "指标", "要求", "分值")] + [
        (str(n), f"参数{n}", f"≥{n * 10}", str(n)) for n in range(1, 5)
    ]
    page = page_picture(lines, table, letter=22)
    taken: list[float] = []
    for pages in (1, 3):
        file = scanned_pdf(folder / f"scan{pages}.pdf", *[page] * pages)
        with peaks_of_children(psutil.Process().pid) as peak:
            began = time.monotonic()
            document = asyncio.run(read_file(Reader(ParsePool(1)), file, file.name))
            taken.append(time.monotonic() - began)
        assert len(document.ocr_pages) == pages, document.warnings
    figures.show("characters a page", len("".join(document.text.split())) / 3, "")
    figures.show("one page, models loaded for it", taken[0], "s")
    figures.show("a further page", (taken[1] - taken[0]) / 2, "s", 7)
    figures.show("the child's peak", peak["child"], "MB", 1300)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--long", type=int, default=300)
    parser.add_argument("--latency", type=float, default=2.0, help="seconds of the scripted model's answers")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", choices=PARTS, action="append")
    chosen = parser.parse_args()
    wanted = chosen.only or PARTS
    figures = Figures()
    with tempfile.TemporaryDirectory() as folder:
        short, long = Path(folder, "short.pdf"), Path(folder, "long.pdf")
        if {"read", "rules"} & set(wanted):
            make_tender(short, chosen.pages)
        if "read" in wanted:
            _head(f"read: {chosen.pages} pages, processor time, median of {chosen.runs}")
            measure_read(short, chosen.runs, figures)
            for real in sorted(TENDERS.glob("*.pdf")):
                _head(f"read: {real.name}")
                measure_read(real, chosen.runs, figures)
        if "rules" in wanted:
            _head("rules: wall")
            measure_rules(short, figures)
        if "model" in wanted:
            make_tender(long, chosen.long)
            _head(f"rules on the long file, then the model with {chosen.latency:g} s an answer")
            measure_model(long, measure_rules(long, figures), chosen.latency, figures)
        if "scan" in wanted:
            _head("scan: a dense page at 150 dpi, wall")
            measure_scan(Path(folder), figures)
    return 1 if figures.missed else 0


def _head(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
