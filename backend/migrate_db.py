"""Create or update the database tables: `python backend/migrate_db.py`, from any folder."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from backend.app.db import migrate
from backend.app.db.engine import Database
from backend.app.settings import SettingsError, load_settings


def main() -> int:
    """Migrate to the newest revision and say what was done. 0 on success, 2 for bad settings."""
    try:
        settings = load_settings()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    database = Database(settings.database_url)
    try:
        before, after = migrate.upgrade(database)
    finally:
        database.dispose()
    where = database.url.render_as_string(hide_password=True)
    if before == after:
        print(f"数据库已是最新版本 {after}（{where}）")
    else:
        print(f"数据库已升级：{before or '空库'} → {after}（{where}）")
    return 0


if __name__ == "__main__":
    sys.exit(main())
