"""Time to import."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

from benchmarks.llm.figures import Table
from benchmarks.llm.surroundings import ROOT

MOST_IMPORT_S = 0.4


def imports(table: Table, *, profile: bool) -> None:
    table.head("import, each in a fresh process (bytecode present)")
    for module in ("backend.app.llm", "backend.app.llm.client"):
        code = (
            "import time; began, cpu = time.perf_counter(), time.process_time(); "
            f"import {module}; print(time.perf_counter() - began, time.process_time() - cpu)"
        )
        runs = [_run_python("-c", code).stdout.split() for _ in range(9)]
        took = sorted(float(run[0]) for run in runs)
        cpu = min(float(run[1]) for run in runs)
        value = f"best {took[0]:.3f}, median {took[4]:.3f} s (CPU {cpu:.3f})"
        table.row(f"import {module}", value, f"best ≤ {MOST_IMPORT_S} s", met=took[0] <= MOST_IMPORT_S)
    if profile:
        print("\n".join(_import_profile("backend.app.llm.client")))


def _run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )


def _import_profile(module: str) -> list[str]:
    """-X importtime: the ten packages that take longest by themselves, and the ten slowest subtrees."""
    own: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for line in _run_python("-X", "importtime", "-c", f"import {module}").stderr.splitlines():
        if line.count("|") != 2:
            continue
        mine, total, name = line.removeprefix("import time:").split("|")
        if mine.strip().isdigit():
            package = ".".join(name.strip().split(".")[: 3 if name.strip().startswith("backend") else 1])
            own[package] += int(mine)
            whole[name.strip()] = int(total)
    lines = [f"  import {module}: ms by package alone, and by module with what it imports"]
    for (package, alone), (name, all_in) in zip(own.most_common(10), whole.most_common(10), strict=True):
        lines.append(f"    {alone / 1000:7.1f} {package:<28} {all_in / 1000:7.1f} {name}")
    return lines
