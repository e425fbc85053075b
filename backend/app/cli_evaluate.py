"""`cli evaluate`: the rules measured against labelled tenders, and the sheets on which people judge them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from backend.app.bidding.evaluation import Evaluation, evaluate_folder
from backend.app.bidding.evaluation_json import evaluation_json
from backend.app.bidding.evaluation_sample import SheetError, draw, format_precision, read_sheet, write_sheet
from backend.app.bidding.evaluation_table import format_misses, format_table
from backend.app.bidding.findings import Analysis
from backend.app.cli_analyze import CommandError, analyse_file, write
from backend.app.documents.canonical import Document


def evaluate(
    folder: Annotated[
        Path | None, typer.Argument(help="标书与 *.gold.json 所在的目录", show_default=False)
    ] = None,
    misses: Annotated[bool, typer.Option("--misses", help="另列出错误与遗漏的内容")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="另把全部结果写入这个文件", show_default=False)
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(min=1, help="随机抽取这么多条结果供人工判断，与 --out 同用", show_default=False),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="抽样表（.xlsx 或 .csv）", show_default=False)] = None,
    seed: Annotated[int, typer.Option(help="抽样的随机种子")] = 0,
    score: Annotated[
        Path | None, typer.Option(help="读取填好的抽样表，输出各类的准确率", show_default=False)
    ] = None,
) -> None:
    """对照标注评测内置规则，逐个文件并汇总；比对方法见 docs/evaluation.md。"""
    if score is not None:
        typer.echo(_precision(score))
        return
    if folder is None or not folder.is_dir():
        raise CommandError(f"目录不存在：{folder or '未给出'}")
    if (sample is None) != (out is None):
        raise CommandError("--sample 与 --out 须同时给出")
    evaluation, results = _evaluated(folder)
    typer.echo(format_table(evaluation))
    if misses:
        typer.echo(format_misses(evaluation))
    if json_file is not None:
        told = json.dumps(evaluation_json(evaluation), ensure_ascii=False, indent=2)
        write(json_file, told.encode("utf-8", "replace"))
    if sample is not None and out is not None:
        drawn = draw(results, sample, seed=seed)
        write_sheet(drawn, out)
        typer.echo(f"已抽取 {len(drawn)} 条，写入 {out}", err=True)


def _evaluated(folder: Path) -> tuple[Evaluation, list[tuple[str, Document, Analysis]]]:
    """The figures, and what was found in each document that counts."""
    results: list[tuple[str, Document, Analysis]] = []

    def analyse(file: Path) -> tuple[Document, Analysis]:
        document, analysis = analyse_file(file)
        results.append((file.name, document, analysis))
        return document, analysis

    evaluation = evaluate_folder(folder, analyse)
    if not evaluation.scores:
        raise CommandError(f"{folder} 中没有带标注（*.gold.json）的标书")
    counted = {one.name for one in evaluation.counted}
    return evaluation, [one for one in results if one[0] in counted]


def _precision(sheet: Path) -> str:
    if not sheet.is_file():
        raise CommandError(f"文件不存在：{sheet}")
    try:
        by_tab = read_sheet(sheet)
    except SheetError as error:
        raise CommandError(str(error)) from None
    if not by_tab:
        raise CommandError(f"{sheet} 中没有填写“正确”或“错误”的行")
    return format_precision(by_tab)
