"""`cli analyze`: one tender file read and analysed by the rules, with no server and no database."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from backend.app.bidding.analysis import analyse_with_rules
from backend.app.bidding.exports import BIDDING_EXPORTS, Origin, ReportView
from backend.app.bidding.findings import Analysis
from backend.app.bidding.report import DocumentSource, build_report
from backend.app.documents.canonical import Document
from backend.app.documents.reading import Reader, read_file, unread_gaps
from backend.app.documents.sandbox import ParsePool
from backend.app.settings import load_settings


class CommandError(Exception):
    """A command that cannot be carried out; the text says why and what to do."""


class ReportFormat(StrEnum):
    JSON = "json"
    MD = "md"
    DOCX = "docx"
    XLSX = "xlsx"
    ICS = "ics"


def analyze(
    file: Annotated[Path, typer.Argument(help="标书文件", show_default=False)],
    format: Annotated[ReportFormat, typer.Option("--format", help="输出格式")] = ReportFormat.MD,  # noqa: A002
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="写入此文件，默认标准输出", show_default=False)
    ] = None,
) -> None:
    """用内置规则分析一个标书文件，结果输出到标准输出或 -o 指定的文件；不需要服务与数据库。"""
    if not file.is_file():
        raise CommandError(f"文件不存在：{file}")
    if output is None and format in {ReportFormat.DOCX, ReportFormat.XLSX} and sys.stdout.isatty():
        raise CommandError(f"{format} 不能显示在终端中，请用 -o 指定输出文件")
    if output is not None and output.exists() and output.samefile(file):
        raise CommandError("输出文件不能是标书文件本身")
    document, analysis = analyse_file(file)
    with file.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    source = DocumentSource(file.name, sha256, document.ocr_pages)
    result = build_report(document, analysis, source=source)
    content = BIDDING_EXPORTS[format].render(ReportView.of(result, Origin(file.name, datetime.now(UTC))))
    if output is None:
        typer.echo(content, nl=False)
    else:
        write(output, content)
        typer.echo(f"已写入 {output}", err=True)


def analyse_file(file: Path) -> tuple[Document, Analysis]:
    """Scanned pages included. Raises AppError."""
    reader = Reader(ParsePool(1), max_ocr_pages=load_settings().ocr_max_pages)
    document = asyncio.run(read_file(reader, file, file.name, _tell_ocr))
    analysis = analyse_with_rules(document)
    gaps = (*unread_gaps(document, reader.max_ocr_pages), *analysis.gaps)
    return document, replace(analysis, gaps=gaps)


def write(path: Path, content: bytes) -> None:
    """Raises CommandError."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise CommandError(f"无法写入 {path}：{error.strerror}") from error


def _tell_ocr(done: int, pages: int) -> None:
    """A page takes seconds: whoever waits at a terminal sees which one it is."""
    if sys.stderr.isatty():
        typer.echo(f"\r识别扫描页 {done + 1}/{pages}", err=True, nl=done + 1 == pages)
