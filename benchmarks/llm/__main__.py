"""What the LLM layer costs: memory of 500 open streams, CPU of a call, time to import, writes of the ledger.

    python -m benchmarks.llm [--only imports,overhead,ledger,streams] [--rounds 40] [--streams 500]
                             [--hold 20] [--profile]

The model is a fake in a process of its own, on a free loopback port. `streams` starts the real worker on
SQLite in a temporary folder and gives it as many small tenders; every stream drips until all have been open
together for `--hold` seconds. `overhead` sends the same bytes to the same answers by bare httpx and by
LLMClient, in turns, and takes the CPU time of this process. Exits with 1 when a target is missed. `--profile`
tells where the time of an import goes.
"""

from __future__ import annotations

import argparse
import os
import sys

from backend.app.common import logging
from benchmarks.llm.figures import Table
from benchmarks.llm.imports import imports
from benchmarks.llm.ledger import ledger
from benchmarks.llm.overhead import overhead
from benchmarks.llm.server import serve
from benchmarks.llm.streams import streams_in_worker
from benchmarks.llm.surroundings import OURS

CHOICES = ("imports", "overhead", "ledger", "streams")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.llm", description=__doc__.split("\n")[0])
    parser.add_argument("--only", default=",".join(CHOICES))
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--hold", type=float, default=20.0)
    parser.add_argument("--profile", action="store_true", help="where the time of an import goes")
    parser.add_argument("--serve", nargs=2, metavar=("STREAMS", "HOLD"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        return serve(int(given.serve[0]), float(given.serve[1]))
    chosen = given.only.split(",")
    if unknown := set(chosen) - set(CHOICES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    for name in [name for name in os.environ if name.startswith(OURS)]:
        del os.environ[name]  # nobody's own settings may leak in
    table = Table()
    with open(os.devnull, "w", encoding="utf-8") as sink:
        logging.configure("json", "INFO", None, stream=sink)
        if "imports" in chosen:
            imports(table, profile=given.profile)
        if "overhead" in chosen:
            overhead(table, given.rounds)
        if "ledger" in chosen:
            ledger(table)
        if "streams" in chosen:
            streams_in_worker(table, given.streams, given.hold)
    print("\nall targets met" if table.is_good else "\na target was missed")
    return 0 if table.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
