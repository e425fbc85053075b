"""Files that were made to break readers, through ours: `python -m benchmarks.hostile [--into DIR] [DIR …]`.

Without folders the source packages of five libraries that read the same formats are downloaded by pip into
`--into` (default: data/hostile); their test files are the hardest collection there is. Every file with one
of our endings goes through the sandbox. The run fails when a file takes over a minute or ends as anything
but a Document or an error of ours.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tarfile
import time
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from backend.app.common.errors import AppError
from backend.app.documents.sandbox import parse_in_child

PACKAGES = ("pypdf", "pikepdf", "python-docx", "oletools", "openpyxl")
ENDINGS = frozenset(
    (
        ".pdf", ".docx", ".docm", ".doc", ".dot", ".rtf", ".xlsx", ".xlsm", ".xls", ".xlsb", ".ods", ".zip",
        ".html", ".htm", ".txt", ".md", ".mht", ".wps", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp",
    )
)  # fmt: skip
SLOWEST = 60.0
_LARGEST = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    path: Path
    seconds: float
    kind: str  # "Document", an error's code, or the class of what must not be
    lawful: bool


def download(folder: Path) -> list[Path]:
    """The packages' source archives, unpacked; what is there already is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in PACKAGES:
        if not any(folder.glob(f"{name.replace('-', '[-_]')}-*")):
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-binary", name, "--no-deps"]
            command += ["-d", str(folder), name]
            if subprocess.run(command, check=False).returncode:
                print(f"{name}: not to be had")
    return [_unpacked(archive) for archive in sorted(folder.iterdir()) if archive.is_file()]


def _unpacked(archive: Path) -> Path:
    target = archive.with_name(archive.name.removesuffix(".tar.gz").removesuffix(".zip"))
    if not target.exists():
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as package:
                package.extractall(target)
        else:
            with tarfile.open(archive) as package:
                package.extractall(target, filter="data")
    return target


def candidates(folders: list[Path]) -> list[Path]:
    found = (path for folder in folders for path in sorted(folder.rglob("*")))
    return [
        path
        for path in found
        if path.suffix.lower() in ENDINGS and path.is_file() and path.stat().st_size <= _LARGEST
    ]


async def parse(path: Path) -> Outcome:
    begun = time.monotonic()
    lawful = True
    try:
        document = await parse_in_child(path, path.name)
        kind = "Document"
        lawful = all(0 <= block.start < block.end <= len(document.text) for block in document.blocks) and len(
            document.boxes
        ) in (0, 4 * len(document.text))
    except AppError as error:
        kind = error.code
    except Exception as error:
        kind, lawful = f"!{type(error).__name__}", False
    return Outcome(path, time.monotonic() - begun, kind, lawful)


async def run(paths: list[Path], at_once: int) -> list[Outcome]:
    free = asyncio.Semaphore(at_once)

    async def one(path: Path) -> Outcome:
        async with free:
            return await parse(path)

    return await asyncio.gather(*(one(path) for path in paths))


def report(outcomes: list[Outcome]) -> bool:
    """Print counts and the slowest; True when nothing was too slow and everything ended as it must."""
    for kind, count in Counter(outcome.kind for outcome in outcomes).most_common():
        print(f"{count:6}  {kind}")
    print("by ending:")
    for (ending, kind), count in sorted(Counter((o.path.suffix.lower(), o.kind) for o in outcomes).items()):
        print(f"{count:6}  {ending:6} {kind}")
    print("slowest:")
    for outcome in sorted(outcomes, key=lambda one: -one.seconds)[:10]:
        print(f"{outcome.seconds:6.1f} s  {outcome.kind:22} {outcome.path.name}")
    bad = [one for one in outcomes if one.seconds > SLOWEST or not one.lawful]
    for outcome in bad:
        print(f"BAD: {outcome.seconds:.1f} s {outcome.kind} {outcome.path}")
    return not bad


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--into", type=Path, default=Path("data/hostile"), help="where downloads go")
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    paths = candidates(given.folders or download(given.into))
    print(f"{len(paths)} files")
    return 0 if paths and report(asyncio.run(run(paths, given.at_once))) else 1


if __name__ == "__main__":
    sys.exit(main())
