"""The operator's commands: `python -m backend.app.cli --help`.

Results go to stdout (a token, a report), what is said about them to stderr. Exit codes: 0 done, 1 it could
not be done or `doctor` found a problem, 2 a setting or an argument is wrong.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import typer
from sqlalchemy.engine import Connection

from backend.app.auth import administration
from backend.app.auth.passwords import PasswordHasher
from backend.app.auth.secret import load_or_create
from backend.app.auth.tokens import Tokens
from backend.app.bootstrap_llm import deployments_of
from backend.app.cli_analyze import CommandError, analyze
from backend.app.cli_evaluate import evaluate
from backend.app.common import logging
from backend.app.common.errors import AppError, LLMGateClosed, NotFound
from backend.app.db import migrate
from backend.app.db.engine import Database, is_outage
from backend.app.doctor import Grade, examine
from backend.app.documents.storage import storage_from_url
from backend.app.llm import gate_rows
from backend.app.llm.check import check_all
from backend.app.llm.check_table import format_checked
from backend.app.settings import Settings, SettingsError, load_settings
from backend.app.tasks import retention

T = TypeVar("T")
app = typer.Typer(
    name="python -m backend.app.cli",
    help="销售助手的管理命令。",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_LOG_LEVEL = "WARNING"
_SIGNS = {Grade.OK: "✓", Grade.HINT: "！", Grade.PROBLEM: "✗"}
_PURGED = {
    "tasks": "已结束的任务",
    "uploads": "未使用的上传",
    "sessions": "已结束的登录",
    "login_failures": "登录失败记录",
    "idempotency_keys": "过期的幂等键",
    "workers": "已停止的 worker",
    "orphan_files": "无主文件",
}
Username = Annotated[str, typer.Argument(help="用户名（3 至 64 个字符）", show_default=False)]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="从标准输入读取密码，不提示")]

app.command("analyze")(analyze)
app.command("evaluate")(evaluate)


@app.command("create-user")
def create_user(
    username: Username,
    admin: Annotated[bool, typer.Option("--admin", help="创建管理员")] = False,
    password_stdin: FromStdin = False,
) -> None:
    """创建用户；密码由提示输入。"""
    password = _new_password(from_stdin=password_stdin)
    role: Any = "admin" if admin else "user"
    hasher = PasswordHasher()
    with _database() as (database, _):
        user = _write(
            database,
            lambda conn: administration.create_user(conn, hasher, username, password, role=role, now=_now()),
        )
    typer.echo(f"已创建{'管理员' if admin else '用户'} {user.username}（id {user.id}）", err=True)


@app.command("reset-password")
def reset_password(username: Username, password_stdin: FromStdin = False) -> None:
    """重设用户的密码；其所有登录与令牌随即失效。"""
    password = _new_password(from_stdin=password_stdin)
    hasher = PasswordHasher()
    with _database() as (database, _), _named(username):
        _write(
            database,
            lambda conn: administration.reset_password(conn, hasher, username, password, now=_now()),
        )
    typer.echo(f"已重设 {username} 的密码，其所有登录与令牌已失效", err=True)


@app.command("token")
def token(
    username: Username,
    days: Annotated[int, typer.Option(min=1, max=administration.MAX_TOKEN_DAYS, help="有效天数")] = 30,
) -> None:
    """为程序签发长期访问令牌（输出到标准输出）。"""
    with _database() as (database, settings), _named(username):
        tokens = Tokens(settings.jwt_secret or load_or_create(settings.data_dir))
        made = _write(
            database, lambda conn: administration.issue_token(conn, tokens, username, days, now=_now())
        )
    typer.echo(made)
    typer.echo(f"{username} 的令牌，{days} 天内有效；重设密码会使其失效", err=True)


@app.command("purge")
def purge(
    days: Annotated[
        int | None,
        typer.Option(min=1, max=36_500, help="保留天数，默认 SA_RETENTION_DAYS", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只统计，不删除")] = False,
) -> None:
    """删除过期的任务、上传、登录与无主文件。"""
    with _database() as (database, settings):
        kept = settings.retention_days if days is None else days
        storage = storage_from_url(settings.storage_url, settings.data_dir)
        purged = retention.run(database, storage, now=_now(), days=kept, dry_run=dry_run)
    typer.echo("将删除：" if dry_run else "已删除：")
    for name, count in purged.counts.items():
        typer.echo(f"  {_PURGED[name]} {count}")
    if kept == 0:
        typer.echo("未设置保留天数（SA_RETENTION_DAYS 或 --days），已结束的任务不删除", err=True)


@app.command("doctor")
def doctor() -> None:
    """检查环境与配置，指出问题及解决办法；有问题时退出码为 1。"""
    problems = 0
    for found in examine(load_settings(), now=_now()):
        typer.echo(f"{_SIGNS[found.grade]} {found.topic}：{found.text}")
        if found.mend:
            typer.echo(f"    解决办法：{found.mend}")
        problems += found.grade is Grade.PROBLEM
    typer.echo(f"发现 {problems} 个问题" if problems else "一切正常")
    if problems:
        raise typer.Exit(1)


@app.command("llm-check")
def llm_check() -> None:
    """逐个调用已配置的 LLM 部署一次，报告密钥、延迟与结构化输出级别；有失败时退出码为 1。"""
    deployments = deployments_of(load_settings())
    if not deployments:
        typer.echo("没有配置 LLM 部署，使用内置规则（BIDDING_ASSISTANT_LLM_PROVIDER 或 SA_LLM_CONFIG）")
        return
    # The table says it all; what the layer logs on its way is for workers.
    logging.configure("console", "ERROR", stream=sys.stderr)
    checked = asyncio.run(check_all(deployments))
    typer.echo(format_checked(checked))
    if any(found.error is not None for found in checked):
        raise typer.Exit(1)


@app.command("gates")
def gates(
    name: Annotated[str | None, typer.Option("--open", help="打开这个部署的闸门", show_default=False)] = None,
) -> None:
    """列出各 LLM 部署的闸门；用 --open 提前打开一个（例如已充值、已更正密钥）。"""
    with _database() as (database, _):
        if name is not None:
            opened = _write(database, lambda conn: gate_rows.open_gate(conn, name))
            typer.echo(f"已打开 {name}" if opened else f"{name} 没有关闭，或没有这个部署", err=True)
        with database.read() as conn:
            rows = gate_rows.read_gates(conn)
    for row in rows:
        typer.echo(f"{row.name}：{_gate_state(row)}")
    if not rows:
        typer.echo("没有闸门：没有配置 LLM 部署，或 worker 尚未启动过", err=True)


def _gate_state(row: gate_rows.GateRow) -> str:
    if row.closed_for is None:
        return "开放"
    next_look = "下次探测" if row.needs_probe else "开放时间"
    return f"{LLMGateClosed(reason=row.reason).sentence()}；{next_look}在 {row.closed_for:.0f} 秒后"


def _now() -> datetime:
    return datetime.now(UTC)


def _new_password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise CommandError("没有终端可以输入密码，请使用 --password-stdin")
    return str(typer.prompt("密码（至少 8 个字符）", hide_input=True, confirmation_prompt="再输入一次"))


@contextmanager
def _database() -> Iterator[tuple[Database, Settings]]:
    """The migrated database of the settings."""
    settings = load_settings()
    database = Database(settings.database_url)
    try:
        with database.read() as conn:
            revision = migrate.current(conn)
        if revision != migrate.head():
            raise CommandError("数据库尚未建立或不是最新版本，请先运行：python backend/migrate_db.py")
        yield database, settings
    finally:
        database.dispose()


@contextmanager
def _named(username: str) -> Iterator[None]:
    try:
        yield
    except NotFound:
        raise CommandError(f"没有名为 {username} 的用户") from None


def _write(database: Database, verb: Callable[[Connection], T]) -> T:
    with database.write() as conn:
        return verb(conn)


def run(arguments: list[str] | None = None) -> int:
    """Carry out one command; its exit code. `arguments`: without the program's name."""
    try:
        app(args=arguments, standalone_mode=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except SettingsError as error:
        return _complain(str(error), 2)
    except CommandError as error:
        return _complain(str(error), 1)
    except AppError as error:
        return _complain(error.sentence(), 1)
    except Exception as error:
        if is_outage(error):
            return _complain("无法连接数据库，运行 doctor 查看原因：python -m backend.app.cli doctor", 1)
        raise
    return 0


def _complain(text: str, code: int) -> int:
    typer.echo(text, err=True)
    return code


if __name__ == "__main__":
    logging.configure("console", _LOG_LEVEL, stream=sys.stderr)
    sys.exit(run())
