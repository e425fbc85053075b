"""Word 97-2003 files (.doc): by LibreOffice where it is installed, else by `doc_text`.

LibreOffice rebuilds automatic numbers and reads what is older than Word 97. It runs inside the process that
calls: in the sandbox's child it has that child's memory, processor time and empty network. Its profile is
new for every file, with macros and links switched off.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from functools import partial
from pathlib import Path

from backend.app.common.errors import UnreadableDocument, UnsupportedFileType
from backend.app.documents.canonical import Document
from backend.app.documents.child import die_with_parent
from backend.app.documents.limits import ExtractLimits
from backend.app.documents.readers.calamine_sheets import read_xls
from backend.app.documents.readers.doc_pieces import check_header
from backend.app.documents.readers.doc_text import MEDIA_TYPE, read_doc_text
from backend.app.documents.readers.docx import read_docx
from backend.app.documents.readers.ole import ole_stream, opened_ole

_LEAST_SECONDS = 5.0  # less is not worth a start
_FIRST_START = 81  # LibreOffice asks to be started again after it has made its profile
_HEADER = 4096
_PROFILE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="DisableMacrosExecution">
<value>true</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="MacroSecurityLevel">
<value>3</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop
oor:name="BlockUntrustedRefererLinks"><value>true</value></prop></item>
<item oor:path="/org.openoffice.Office.Writer/Content/Update"><prop oor:name="Link">
<value>0</value></prop></item>
</oor:items>
"""


def read_doc(path: Path, limits: ExtractLimits) -> Document:
    """Raises UnsupportedFileType or a DocumentError."""
    with opened_ole(path) as ole:
        main = ole_stream(ole, "WordDocument", limits.max_unpacked)
        book = main is None and any(ole.exists(name) for name in ("Workbook", "Book"))
    if main is None:  # a workbook with a Word document in it, taken for one by its first bytes
        if book:
            return read_xls(path, limits)
        raise UnreadableDocument()
    old: UnsupportedFileType | None = None
    try:
        check_header(main[:_HEADER])
    except UnsupportedFileType as error:
        old = error
    program = office_program()
    if program is not None and limits.office_seconds >= _LEAST_SECONDS:
        document = _by_office(program, path, limits)
        if document is not None:
            return document
    if old is not None:
        raise old
    return read_doc_text(path, limits)


def office_program() -> Path | None:
    """LibreOffice's own binary, not the script before it: what we start is then what we can end."""
    found = shutil.which("soffice") or shutil.which("libreoffice")
    if found is None:
        return None
    script = Path(found).resolve()
    binary = script.with_name("soffice.bin")
    return binary if binary.exists() else script


def _by_office(program: Path, path: Path, limits: ExtractLimits) -> Document | None:
    """None where LibreOffice can't make anything of the file."""
    with tempfile.TemporaryDirectory(prefix="office-") as name:
        folder = Path(name)
        source = folder / "document.doc"
        shutil.copyfile(path, source)
        profile = folder / "profile" / "user"
        profile.mkdir(parents=True)
        (profile / "registrymodifications.xcu").write_text(_PROFILE)
        converted = _convert(program, source, folder, limits.office_seconds)
        if converted is None:
            return None
        try:
            document = read_docx(converted, limits)
        except UnreadableDocument:
            return None
    return Document(
        text=document.text, blocks=document.blocks, warnings=document.warnings, media_type=MEDIA_TYPE
    )


def _convert(program: Path, source: Path, folder: Path, seconds: float) -> Path | None:
    target = folder / "out" / "document.docx"
    command = [
        str(program),
        "--headless",
        "--norestore",
        "--nologo",
        "--nolockcheck",
        "--nodefault",
        f"-env:UserInstallation={(folder / 'profile').as_uri()}",
        "--convert-to",
        "docx:MS Word 2007 XML",
        "--outdir",
        str(target.parent),
        str(source),
    ]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "TMPDIR": str(folder)}
    for _ in range(2):
        status = _run(command, {**environment, "LANG": "C.UTF-8"}, seconds)
        if status != _FIRST_START:
            break
    return target if status == 0 and target.exists() else None


def _run(command: list[str], environment: dict[str, str], seconds: float) -> int:
    """The exit status; -9 when its time was up."""
    process = subprocess.Popen(  # noqa: S603 — a program found on the path, arguments of our own making
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509 — one thread; none may outlive us
    )
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return -signal.SIGKILL
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
