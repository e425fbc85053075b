"""What `cli doctor` looks at. Each check answers with what it found and, when it is wrong, how to mend it.

A check never raises: what stops it is its finding.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import func, select

from backend.app.auth.secret import FILE_NAME as SECRET_FILE
from backend.app.bootstrap_llm import deployments_of, observers_of
from backend.app.db import migrate
from backend.app.db.engine import Database, database_now
from backend.app.db.models import TASKS
from backend.app.documents.ocr.models import model_paths
from backend.app.documents.readers.doc import office_program
from backend.app.documents.sandbox import network_isolation_works
from backend.app.llm.traces import CallTraces
from backend.app.settings import REPOSITORY, Settings, SettingsError
from backend.app.tasks import queries

_ROOM_WANTED = 1024**3  # bytes
_WORKER_SILENT = timedelta(minutes=1)
_CLOCK_TOLERANCE = timedelta(seconds=5)
_INSTALL = "重新安装依赖：pip install --require-hashes -r requirements.txt"


class Grade(StrEnum):
    OK = "ok"
    HINT = "hint"  # works, but worth knowing
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    topic: str
    grade: Grade
    text: str
    mend: str = ""


def examine(settings: Settings, *, now: datetime) -> Iterator[Finding]:
    """All findings, in the order in which an operator would mend them."""
    yield _python()
    yield _settings(settings)
    yield _secret(settings)
    yield from _folders(settings)
    yield from _database(settings, now)
    yield _sandbox()
    yield _ocr(settings)
    yield _office()
    yield from _llm(settings)
    yield _log_file(settings)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Finding("Python", Grade.OK, version)
    return Finding("Python", Grade.HINT, f"{version}，未经测试", "建议使用 Python 3.11 至 3.13")


def _settings(settings: Settings) -> Finding:
    file = REPOSITORY / ".env"
    where = f"环境变量与 {file}" if file.exists() else "环境变量（没有 .env 文件）"
    return Finding("设置", Grade.OK, f"{settings.env}，来自{where}")


def _secret(settings: Settings) -> Finding:
    if settings.jwt_secret:
        if len(settings.jwt_secret.encode()) >= 32:
            return Finding("签名密钥", Grade.OK, "SA_JWT_SECRET 已设置")
        return Finding("签名密钥", Grade.PROBLEM, "SA_JWT_SECRET 少于 32 字节", "openssl rand -hex 32")
    file = settings.data_dir / SECRET_FILE
    if not file.exists():
        return Finding("签名密钥", Grade.OK, "未设置，首次启动时自动生成（仅限开发环境）")
    if file.stat().st_mode & 0o077:
        return Finding("签名密钥", Grade.PROBLEM, f"其他用户可以读取 {file}", f"chmod 600 {file}")
    return Finding("签名密钥", Grade.OK, f"自动生成，在 {file}（仅限开发环境）")


def _folders(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        yield Finding(
            "数据目录",
            Grade.PROBLEM,
            f"无法写入 {folder}",
            "修改目录权限，或把 SA_DATA_DIR 指向可写的目录",
        )
        return
    free = shutil.disk_usage(existing).free
    room = f"{folder}，剩余 {free / 1024**3:.1f} GB"
    if free < _ROOM_WANTED:
        yield Finding("数据目录", Grade.PROBLEM, room, "清理磁盘，或运行 purge 删除过期任务")
    else:
        yield Finding("数据目录", Grade.OK, room)


def _database(settings: Settings, now: datetime) -> Iterator[Finding]:
    try:
        database = Database(settings.database_url)
    except Exception as error:
        yield Finding(
            "数据库",
            Grade.PROBLEM,
            f"SA_DATABASE_URL 无效（{type(error).__name__}）",
            "格式：sqlite:////路径/文件.db 或 postgresql://用户:密码@主机/库名",
        )
        return
    where = database.url.render_as_string(hide_password=True)
    try:
        with database.read() as conn:
            revision, clock = migrate.current(conn), database_now(conn)
        yield Finding("数据库", Grade.OK, where)
        yield _migration(revision)
        yield _clock(clock, now)
        if revision == migrate.head():
            yield from _work(database, now)
    except Exception as error:
        yield Finding(
            "数据库",
            Grade.PROBLEM,
            f"无法连接 {where}（{type(error).__name__}）",
            "检查数据库是否运行、地址与密码是否正确",
        )
    finally:
        database.dispose()


def _migration(revision: str | None) -> Finding:
    head = migrate.head()
    if revision == head:
        return Finding("数据库迁移", Grade.OK, f"最新版本 {head}")
    return Finding(
        "数据库迁移",
        Grade.PROBLEM,
        f"现为 {revision or '空库'}，程序需要 {head}",
        "python backend/migrate_db.py",
    )


def _clock(clock: datetime, now: datetime) -> Finding:
    apart = abs(clock - now)
    if apart <= _CLOCK_TOLERANCE:
        return Finding("时钟", Grade.OK, now.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"))
    return Finding(
        "时钟",
        Grade.HINT,
        f"本机与数据库相差 {apart.total_seconds():.0f} 秒",
        "用 NTP 校准两台机器的时间",
    )


def _work(database: Database, now: datetime) -> Iterator[Finding]:
    with database.read() as conn:
        seen = queries.last_worker_seen(conn)
        waiting = conn.execute(
            select(func.count()).select_from(TASKS).where(TASKS.c.status.in_(("pending", "retry")))
        ).scalar_one()
    if seen is not None and now - seen < _WORKER_SILENT:
        yield Finding("Worker", Grade.OK, f"运行中，等待的任务 {waiting} 个")
        return
    last = "从未见过" if seen is None else f"最后一次心跳 {seen.strftime('%Y-%m-%d %H:%M:%S UTC')}"
    grade = Grade.PROBLEM if waiting else Grade.HINT
    yield Finding("Worker", grade, f"没有运行（{last}），等待的任务 {waiting} 个", "./start_worker.sh")


def _sandbox() -> Finding:
    if network_isolation_works():
        return Finding("解析沙箱", Grade.OK, "内存、CPU、时间限制，独立的网络命名空间")
    return Finding(
        "解析沙箱",
        Grade.HINT,
        "有内存、CPU、时间限制，但系统不允许独立的网络命名空间",
        "以 root 运行，或开启 kernel.unprivileged_userns_clone",
    )


def _ocr(settings: Settings) -> Finding:
    if settings.ocr_max_pages == 0:
        return Finding("文字识别", Grade.HINT, "已关闭（SA_OCR_MAX_PAGES=0），扫描件无法分析")
    if find_spec("onnxruntime") is None:
        return Finding("文字识别", Grade.PROBLEM, "缺少 onnxruntime", _INSTALL)
    try:
        model_paths()
    except FileNotFoundError as error:
        return Finding("文字识别", Grade.PROBLEM, f"缺少 {error}", _INSTALL)
    return Finding("文字识别", Grade.OK, f"离线模型已就绪，单个文件最多 {settings.ocr_max_pages} 页")


def _office() -> Finding:
    if office_program() is not None:
        return Finding("旧版 .doc", Grade.OK, "由 LibreOffice 读取")
    return Finding(
        "旧版 .doc",
        Grade.HINT,
        "未安装 LibreOffice：由内置程序读取，自动编号会丢失",
        "需要时：apt install libreoffice-writer",
    )


def _llm(settings: Settings) -> Iterator[Finding]:
    try:
        deployments = deployments_of(settings)
        for observer in observers_of(settings):
            if isinstance(observer, CallTraces):
                observer.close(0)
    except SettingsError as error:
        yield Finding(
            "LLM", Grade.PROBLEM, str(error), "在 .env 或配置文件中补齐，或删除提供方以使用内置规则"
        )
        return
    if not deployments:
        yield Finding("LLM", Grade.OK, "未配置，使用内置规则分析（engine.mode: rules）")
        return
    for deployment in deployments:
        uses = "、".join(sorted(deployment.purposes)) or "所有用途"
        yield Finding(
            "LLM", Grade.OK, f"{deployment.label}：{deployment.provider} / {deployment.model}，{uses}"
        )
        if deployment.timeout_s == 0:
            yield Finding(
                "LLM", Grade.HINT, f"{deployment.label} 的超时为 0，会无限等待", "设置超时，例如 90 秒"
            )
    priceless = [d.label for d in deployments if not (d.prices.prompt or d.prices.response)]
    if settings.task_budget and priceless:
        yield Finding(
            "LLM 费用",
            Grade.HINT,
            f"SA_TASK_BUDGET 对没有价格的部署不起作用：{'、'.join(priceless)}",
            "在 SA_LLM_CONFIG 的文件中为部署设置 prices（元/百万词元）",
        )
    yield Finding("LLM 连通", Grade.OK, "未检查；运行 python -m backend.app.cli llm-check 逐个调用")


def _log_file(settings: Settings) -> Finding:
    file = settings.log_file or REPOSITORY / "worker.log"
    target = file if file.exists() else _first_existing(file.parent)
    if os.access(target, os.W_OK):
        return Finding("日志", Grade.OK, f"worker 写入 {file}")
    return Finding("日志", Grade.PROBLEM, f"无法写入 {file}", "修改权限，或设置 SA_LOG_FILE")


def _first_existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())
