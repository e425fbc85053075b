"""The signing secret of a development machine, made once and kept in the data folder."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from backend.app.auth.tokens import MIN_SECRET

FILE_NAME = "jwt_secret"


def load_or_create(folder: Path) -> str:
    """The secret in `folder`/jwt_secret (mode 0600). Processes that start at once get the same one:
    the first to link its finished file into place wins, the others read that."""
    file = folder / FILE_NAME
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _link_new(file)
    secret = file.read_text(encoding="ascii").strip()
    if len(secret) < MIN_SECRET:
        raise ValueError(f"{FILE_NAME} in the data folder is damaged; delete it and start again")
    return secret


def _link_new(file: Path) -> None:
    draft = file.with_name(f".{FILE_NAME}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as out:
            out.write(secrets.token_hex(32) + "\n")
            out.flush()
            os.fsync(out.fileno())
        try:
            os.link(draft, file)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)
